"""Errors become answers here, and only here: this table is the contract of the four endpoints.

A portal shows no reason to anybody and takes every 200 for success (facts/biconnector 5.2). So each failure is another
status with one of six coarse words and a reference; the reason itself is kept under that reference for the app's own
page, and never leaves by this door (facts/security 4).

    not_found          404  unknown, wrong and revoked keys, all alike and without a reference
    request_refused    400  the call cannot be understood, or names what does not exist; 413 if it is too long
    connection_failed  502  target refused, nobody there, login refused, connection lost; 504 over the deadline
    too_large          507  over the caps of rows or bytes, or of the answers of one portal
    disk_full          507  no room on the app's own disk
    busy               503  no turn in time, too many failures before, or our own database is away

A caller that hung up gets nothing; its call is recorded with 499, as nginx does.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from drivers.errors import NoRoom, QueryRefused, SettingsWrong, TooBig
from egress.errors import TargetError, Timeout
from gateway.errors import CallRefused
from gateway.spool import SpoolFull
from services.contract.names import NameRefused
from services.limits.budgets import BudgetSpent
from services.limits.fair_queue import Busy

NOT_FOUND = b'{"error":"not_found"}'
CALLER_GONE = 499


class KeyRefused(Exception):
    """No connection opens with these keys."""


class CallerGone(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class CallFailure:
    """What a failure looks like: `word` and `status` to the portal, `code` and `reason` to the app's page."""

    word: str
    status: int
    code: str
    reason: str = ""


def problem_of(error: Exception) -> CallFailure:
    """The problem that an error is."""
    if isinstance(error, KeyRefused):
        return CallFailure("not_found", 404, "key")
    if isinstance(error, CallRefused | NameRefused):
        status = 413 if error.code == "body_too_big" else 400
        return CallFailure("request_refused", status, error.code, error.name)
    if isinstance(error, CallerGone) or (isinstance(error, Timeout) and error.code == "cancelled"):
        return CallFailure("", CALLER_GONE, "caller_gone")
    if isinstance(error, BudgetSpent):
        return CallFailure("busy", 429 if error.code == "requests" else 503, error.code)
    if isinstance(error, TargetError):
        return _of_driver(error)
    if isinstance(error, SpoolFull):
        return CallFailure("disk_full" if error.code == "disk" else "too_large", 507, error.code, str(error))
    if isinstance(error, Busy):
        return CallFailure("busy", 503, "busy")
    if isinstance(error, SQLAlchemyError):
        return CallFailure("busy", 503, "own_database", type(error).__name__)
    return CallFailure("connection_failed", 500, "internal", type(error).__name__)


def _of_driver(error: TargetError) -> CallFailure:
    if isinstance(error, QueryRefused):
        return CallFailure("request_refused", 400, error.code, f"{error.name} {error.detail}".strip())
    if isinstance(error, TooBig):
        return CallFailure("too_large", 507, error.code, f"over {error.limit}")
    if isinstance(error, NoRoom):
        return CallFailure("disk_full", 507, error.code)
    if isinstance(error, SettingsWrong):
        return CallFailure("connection_failed", 502, error.code, f"{error.field} {error.detail}".strip())
    status = 504 if isinstance(error, Timeout) else 502
    return CallFailure("connection_failed", status, error.code, error.detail)
