"""The error tree, split by what the caller does next.

    ApplicationError
    ├── ConfigurationError            stop: the operator mends a setting
    ├── AskUser                       tell the person in front of the screen, keep what was typed
    │   ├── InvalidInput              problems beside their fields
    │   ├── NotFound                  the object does not exist, or is not ours (facts/biconnector 1.8)
    │   ├── AccessDenied              a right, a scope or the portal's plan is missing
    │   ├── InUse                     something hangs below the object
    │   └── PortalRefused             any other code that the portal answered
    ├── Reopen                        the person opens the app again in the portal
    │   ├── SessionEnded              our session is over or was never there
    │   └── TokenDead                 the portal no longer accepts the user's tokens
    ├── TryLater                      the same call may succeed later; nothing was changed
    │   ├── PortalBusy                limits: QUERY_LIMIT_EXCEEDED, OPERATION_TIME_LIMIT
    │   ├── PortalUnreachable         no connection, a timeout, a broken or foreign answer
    │   │   └── NobodyVouches             the same at the authorization server: the portal was not asked
    │   └── OutcomeUnknown            a call that changes things timed out, and looking it up failed as well
    └── GiveUp                        no retry will help
        ├── Forged                    a post that its own authorization server does not vouch for
        ├── PortalGone                uninstalled, deleted or switched off
        └── PaymentRequired           the trial or subscription is over

Driver errors live in `drivers/errors.py`: drivers know nothing of portals. Every edge turns errors into answers in
exactly one place: `web/error_pages.py`, `install/views.py`, `gateway/problems.py`, `cli/`. No error carries a secret.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as value
from typing import Literal


def is_disk_full(problem: OSError) -> bool:
    """Whether a file could not be written since there is no room for it, on the disk or for whom the app runs as."""
    return problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ApplicationError(Exception):
    """Everything this application raises on purpose."""


class ConfigurationError(ApplicationError):
    """A setting is missing or wrong; the text says what to do."""


class AskUser(ApplicationError):
    """The person using the app can mend this."""


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one form field.

    `field` is the form's name of the input (`settings-0-code`), or empty for the form as a whole; `code` is the
    portal's error code or one of ours, both have a sentence in `sentences`; `details` fills the sentence.
    """

    field: str
    code: str
    details: Mapping[str, str] = value(default_factory=dict)


class InvalidInput(AskUser):
    """The input breaks documented rules; `problems` names each field and rule."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__(", ".join(f"{problem.field or 'form'}: {problem.code}" for problem in problems))
        self.problems = tuple(problems)


class PortalRefused(AskUser):
    """The portal answered with an error code.

    `code` and `description` are the portal's; the description is not meant for users (facts/platform 5.2), so pages
    translate the code.
    """

    def __init__(self, method: str, code: str, description: str = "") -> None:
        super().__init__(f"{method}: {code or 'empty code'}")
        self.method, self.code, self.description = method, code, description


class NotFound(PortalRefused):
    """CONNECTOR_NOT_FOUND, SOURCE_NOT_FOUND, DATASET_NOT_FOUND: absent, or made by another application."""


class AccessDenied(PortalRefused):
    """ACCESS_DENIED and its kin: the user's rights, the app's scope or the portal's plan."""


class InUse(PortalRefused):
    """CONNECTOR_DELETE_RESTRICTED, or BX_ERROR on deletion: delete what hangs below first."""


class Reopen(ApplicationError):
    """Only opening the app again in the portal helps."""


class SessionEnded(Reopen):
    """The session token is unknown, expired or was revoked.

    `cause` is `time`, `opened_elsewhere` (its user has opened too many newer ones), or `unknown`.
    """

    def __init__(self, text: str, *, cause: Literal["time", "opened_elsewhere", "unknown"] = "unknown") -> None:
        super().__init__(text)
        self.cause = cause


class TokenDead(Reopen):
    """The user's tokens are no longer accepted and could not be renewed."""


class TryLater(ApplicationError):
    """The same call may succeed later."""


class PortalBusy(TryLater):
    """The portal limits calls; `retry_after` is the number of seconds it asked for, or None."""

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code, self.retry_after = code, retry_after


class PortalUnreachable(TryLater):
    """No usable answer.

    `reason` is one of `timeout`, `connection`, `refused`, `tls`, `too-large`, `status`, `not-json`, `redirect`.

    `sent` tells whether the request may have reached the portal, so that a change is looked up before it is repeated.
    """

    def __init__(self, reason: str, *, status: int | None = None, sent: bool = True) -> None:
        super().__init__(reason if status is None else f"{reason} {status}")
        self.reason, self.status, self.sent = reason, status, sent


class NobodyVouches(PortalUnreachable):
    """No usable answer of an authorization server, so whose request this is stays open; the portal was not asked."""

    def __init__(self, down: PortalUnreachable) -> None:
        super().__init__(down.reason, status=down.status, sent=False)


class OutcomeUnknown(TryLater):
    """A changing call got no answer and the look-up could not tell whether it took effect."""


class GiveUp(ApplicationError):
    """No retry will help."""


class Forged(GiveUp):
    """A post that could not be proved genuine; `reason` is for the security log, never for the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PortalGone(GiveUp):
    """The app was removed from the portal, or the portal itself is deleted or closed; `code` is the server's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class PaymentRequired(GiveUp):
    """PAYMENT_REQUIRED: no tokens until the subscription is paid (facts/platform 3.4)."""
