"""The drivers' error tree, split by what the caller does next.

    TargetError (egress/errors.py)
    ├── SettingsWrong     ask the user to mend one field of the connection
    ├── TargetRefused     the operator's egress policy forbids the target: nothing was connected, no retry will help
    ├── Unreachable       nobody answers there: retry later, or check address and port
    ├── LoginFailed       the server answered and said no: ask the user; counts towards the login budget
    ├── QueryRefused      this query has no answer: an unknown table or column, a value that does not fit its column
    ├── TooBig            the answer is over a cap: ask for a filter or a limit; nothing was cut
    ├── Timeout           over a deadline: the query was stopped
    ├── NoRoom            the app's own disk is full: retry later, the operator is asked
    └── Broken            the connection or the server failed, or the server talks nonsense: retry later

`code` is a word of ours, the key of a sentence for people. `detail` is what the database said: for the diagnostics of
the connection's owner only, never for the portal and never for logs, hence absent from `str()`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from egress.errors import TargetError
from errors import is_disk_full

_MISFIT = re.compile(r"misfit\(([A-Z0-9_]+)\)(?: (.*?) \(misfit\))?", re.DOTALL)


class SettingsWrong(TargetError):
    """A setting of the connection is missing or wrong; `field` names it as the driver declares it."""

    def __init__(self, field: str, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.code}"


class LoginFailed(TargetError):
    """The server refuses this user, password or database.

    Codes: `password`, `refused`, `database`, `too_many_connections`, `unsafe_method`, `unknown_method`.
    """


class QueryRefused(TargetError):
    """The query cannot be answered as asked; `name` is the table or column at fault, or empty.

    Codes: `unknown_table`, `unknown_column`, `value_type`, `filter_too_deep`, `filter_too_long`, `no_permission`,
    `view_broken`; of a value that its column's chosen type does not hold `value_unfit`, where `detail` is the value, if
    known.
    """

    def __init__(self, code: str, name: str = "", detail: str = "") -> None:
        super().__init__(code, detail)
        self.name = name


class TooBig(TargetError):
    """The answer is over a cap; `limit` is the cap in bytes or rows. Codes: `bytes`, `rows`, `row_bytes`, `columns`."""

    def __init__(self, code: str, limit: int) -> None:
        super().__init__(code)
        self.limit = limit


class Broken(TargetError):
    """The server or the connection failed half-way.

    Codes: `connection_lost`, `server_error`, `bad_answer`, `file_changed`.
    """


class NoRoom(TargetError):
    """The disk of the app is full. Code: `disk`."""


@contextlib.contextmanager
def writing_to_disk() -> Iterator[None]:
    """Raise `NoRoom` where the block cannot write a file of the app's own since the disk is full."""
    try:
        yield
    except OSError as problem:
        if is_disk_full(problem):
            raise NoRoom("disk") from problem
        raise


def misfit_in(problem: TargetError) -> tuple[str, str] | None:
    """The column and the value of which casts (`drivers/casts.py`) made a database's error; None for other errors."""
    found = _MISFIT.search(problem.detail)
    return (found[1], found[2] or "") if found else None
