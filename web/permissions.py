"""Which right is missing to work with BI data, in words.

A portal tells many things with one code (facts/biconnector 1.8). So `scope` is asked, which needs no right in BI: what
it proves is said, and what remains possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from errors import AccessDenied, ApplicationError
from sentences import permissions
from sentences.lookup import of_code
from web.session import portal_client

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
        return [Cause("bad", str(permissions.OTHER), of_code(error.code))]
    possible = [_cause("unknown", "bi_builder"), _cause("unknown", "analytics_hub")]
    try:
        scopes = portal_client().call("scope")
    except AccessDenied:
        return [_cause("bad", "plan")]
    except ApplicationError:
        return possible
    if isinstance(scopes, list) and SCOPE not in scopes:
        return [_cause("bad", "scope")]
    return [_cause("good", "installed"), *possible]


def _cause(state: State, need: str) -> Cause:
    title, cure = permissions.SENTENCES[need]
    return Cause(state, str(title), str(cure))
