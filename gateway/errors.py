"""What a call may be refused for before any database is asked."""

from __future__ import annotations

from errors import ApplicationError


class CallRefused(ApplicationError):
    """The call cannot be answered as it was asked; nothing was queried.

    `code` is a word of ours and the key of a sentence for people; `name` is the parameter, table, column or operator
    at fault and never a value. The portal learns neither (facts/security 4): both are kept for the app's page.
    Codes: `body_cut`, `body_too_big`, `body_too_deep`, `too_many_keys`, `content_type`, `encoding`, `form`, `json`,
    `duplicate_key`, `parameter`, `missing_table`, `unknown_table`, `unknown_column`, `ambiguous_name`, `filter`,
    `operator`, `value`, `date`, `date_order`, `empty_group`.
    """

    def __init__(self, code: str, name: str = "") -> None:
        super().__init__(f"{code}: {name}" if name else code)
        self.code, self.name = code, name
