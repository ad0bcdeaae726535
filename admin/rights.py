"""The permission doctor: which right is missing, in words.

A portal tells many things with one code (facts/biconnector 1.8), so the doctor asks `scope`, which needs no right in
BI, and says what that proves and what remains possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flask_babel import gettext as _

from admin.sentences import refusal
from admin.session import portal_client
from errors import AccessDenied, ApplicationError

State = Literal["good", "bad", "unknown"]
SCOPE = "biconnector"
PLAIN = frozenset({"access_denied"})
"""Codes that may mean the plan, the scope, or either of two permissions; every other code names its own cause."""


@dataclass(frozen=True)
class Cause:
    """One thing that the app needs: `good` if it is there, `bad` if it is missing, `unknown` if it may be missing."""

    state: State
    title: str
    cure: str


def causes(error: AccessDenied) -> Sequence[Cause]:
    """What is there and what is missing, the certain ones first; asks the portal once."""
    if error.code.lower() not in PLAIN:
        return [Cause("bad", _("The portal refuses"), refusal(error))]
    try:
        scopes = portal_client().call("scope")
    except AccessDenied:
        return [
            Cause(
                "bad",
                _("The portal's plan lacks applications"),
                _("REST is switched off. Ask an administrator about the plan or the Market subscription."),
            )
        ]
    except ApplicationError:
        return _permissions()
    if isinstance(scopes, list) and SCOPE not in scopes:
        cure = _("Ask an administrator to install the application again and to allow the access it asks for.")
        return [Cause("bad", _("The application lacks its access to BI Builder"), cure)]
    return [
        Cause("good", _("The application is installed and has its access"), _("Nothing needs to be done here.")),
        *_permissions(),
    ]


def _permissions() -> list[Cause]:
    hint = _("An administrator gives it to you in BI Builder, under Access permissions.")
    return [
        Cause("unknown", _("Your permission “Access to BI Builder”"), hint),
        Cause("unknown", _("Your permission “Access to Analytics Hub”"), hint),
    ]
