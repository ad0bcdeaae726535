"""The one judge of answers: both error shapes, system errors, broken answers and the outcomes inside a batch.

`judge` is a pure function of a method's name and a `Reply`. Codes are compared without case (facts/platform 3.4).
What an error means for the caller is a row of `MEANINGS`; about codes that are not listed there the HTTP status
decides, and otherwise they are the portal's refusal.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from errors import (
    AccessDenied,
    ApplicationError,
    InUse,
    NotFound,
    PaymentRequired,
    PortalBusy,
    PortalGone,
    PortalRefused,
    PortalUnreachable,
    TokenDead,
)
from services.portal_api._transport import Reply

CODE = re.compile(r"[A-Za-z0-9_.\-]{0,64}", re.ASCII)
MOST_DIGITS = 6
UNWRITABLE = re.compile("[\0\ud800-\udfff]")
UNREADABLE_CODE = "UNREADABLE_CODE"


class TokenExpired(TokenDead):
    """The access token's hour is over: the second ring renews it and repeats the call (facts/platform 5.3)."""


Meaning = Callable[[str, str, str], ApplicationError]


def _gone(_method: str, code: str, _description: str) -> ApplicationError:
    return PortalGone(code)


def _unpaid(_method: str, code: str, _description: str) -> ApplicationError:
    return PaymentRequired(code)


def _expired(_method: str, code: str, _description: str) -> ApplicationError:
    return TokenExpired(code)


def _dead(_method: str, code: str, _description: str) -> ApplicationError:
    return TokenDead(code)


def _busy(_method: str, code: str, _description: str) -> ApplicationError:
    return PortalBusy(code)


def _in_use_on_deletion(method: str, code: str, description: str) -> ApplicationError:
    kind = InUse if method.lower().endswith(".delete") else PortalRefused
    return kind(method, code, description)


MEANINGS: Mapping[str, Meaning] = {
    # facts/platform 5.3 and what the SDKs have seen beyond it
    "expired_token": _expired,
    "no_auth_found": _dead,
    "invalid_token": _dead,
    "invalid_grant": _dead,
    "authorization_error": _dead,
    "query_limit_exceeded": _busy,
    "operation_time_limit": _busy,
    "access_denied": AccessDenied,
    "invalid_credentials": AccessDenied,
    "insufficient_scope": AccessDenied,
    "invalid_scope": AccessDenied,
    "user_access_error": AccessDenied,
    "allowed_only_intranet_user": AccessDenied,
    "wrong_auth_type": AccessDenied,
    "method_confirm_waiting": AccessDenied,
    "method_confirm_denied": AccessDenied,
    # Removal from the portal, facts/platform 8
    "not_installed": _gone,
    "error_oauth": _gone,
    "application_not_found": _gone,
    "portal_deleted": _gone,
    "payment_required": _unpaid,
    # facts/biconnector 1.8, 2.4, 3.4
    "connector_not_found": NotFound,
    "source_not_found": NotFound,
    "dataset_not_found": NotFound,
    "table_not_found": NotFound,
    "connector_delete_restricted": InUse,
    "bx_error": _in_use_on_deletion,
    # Blocked by hand until support lifts it, so no retry although it comes with 503
    "overload_limit": PortalRefused,
}
SERVER_TROUBLE = frozenset({"internal_server_error", "error_unexpected_answer"})


def judge(method: str, reply: Reply, *, now: Callable[[], float] = time.time) -> Any:
    """The `result` of an answer, whatever it is: object, list, `True` or None.

    Raises `PortalRefused` and its kin, `PortalBusy`, `TokenDead` (`TokenExpired` when renewing helps), `PortalGone`,
    `PaymentRequired`, and `PortalUnreachable` for answers that are no answers of Bitrix24 (facts/biconnector 1.3, 1.4;
    facts/platform 5.2, 5.3).
    """
    if reply.status in range(300, 400):
        raise PortalUnreachable("redirect", status=reply.status)
    answer = parse(reply)
    error = _error_in(answer)
    if error is None and "result" in answer:
        error = error_inside(answer["result"])
    if error is not None:
        raise _with_retry_after(meaning(method, *error, status=reply.status), answer.get("time"), reply.headers, now)
    if reply.status >= 400:
        raise PortalUnreachable("status", status=reply.status)
    if "result" not in answer:
        raise PortalUnreachable("not-json", status=reply.status)
    return answer["result"]


def parse(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer; raises `PortalUnreachable` if it is none."""
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    raise PortalUnreachable("status" if reply.status >= 400 else "not-json", status=reply.status)


def outcomes(methods: Mapping[str, str], result: Any, *, now: Callable[[], float] = time.time) -> dict[str, Any]:
    """What became of each command of a batch: its value, or the error it failed with.

    `methods` maps keys to method names. A key is missing if its command was not run (`halt`, facts/platform 5.5).
    Raises `PortalUnreachable` if `result` is no answer to a batch.
    """
    if not isinstance(result, Mapping):
        raise PortalUnreachable("not-json")
    values, errors = _php_map(result.get("result")), _php_map(result.get("result_error"))
    times = _php_map(result.get("result_time"))
    found: dict[str, Any] = {}
    for key, method in methods.items():
        error = _failure(errors[key]) if key in errors else error_inside(values.get(key))
        if error is not None:
            # Each command is charged separately, so it has a time of its own; portals put it in either place.
            told = times.get(key) or _php_map(errors.get(key)).get("time")
            found[key] = _with_retry_after(meaning(method, *error), told, {}, now)
        elif key in values:
            found[key] = values[key]
    return found


def error_inside(value: Any) -> tuple[str, str] | None:
    """Code and description if a `result` is an error in disguise (facts/biconnector 1.3), else None."""
    if not isinstance(value, Mapping) or "error" not in value:
        return None
    inner = value["error"]
    if isinstance(inner, Mapping):
        return _failure(inner)
    return _failure(value) if "error_description" in value else None


def meaning(method: str, code: str, description: str, *, status: int = 200) -> ApplicationError:
    """The error of our tree that a code stands for; the status decides about codes that are not in the table."""
    code = readable(code)
    known = MEANINGS.get(code.lower())
    if known is not None:
        return known(method, code, description)
    if code.lower() in SERVER_TROUBLE or status in range(500, 600):
        return PortalUnreachable("status", status=status if status >= 400 else 500)
    if status == 429:
        return PortalBusy(code)
    if status in (401, 403):
        return AccessDenied(method, code, description)
    if status == 410:
        return PortalGone(code)
    return PortalRefused(method, code, description)


def writable(text: str) -> str:
    """`text` without what no page can hold: NUL and halves of surrogate pairs, which only JSON's escapes can carry."""
    return UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def readable(code: str) -> str:
    """`code` if it looks like one. Codes are logged and shown, and a hostile server may echo a token there."""
    is_code = CODE.fullmatch(code) and sum(letter.isdigit() for letter in code) <= MOST_DIGITS
    return code if is_code else UNREADABLE_CODE


def _error_in(answer: Mapping[str, Any]) -> tuple[str, str] | None:
    """An error in the root; an empty code is one too (facts/biconnector 3.2)."""
    code = answer.get("error")
    if isinstance(code, Mapping):
        return _failure(code)
    if code is None and ("result" in answer or "error_description" not in answer):
        return None
    return _failure(answer)


def _failure(error: Any) -> tuple[str, str]:
    if not isinstance(error, Mapping):
        return ("" if error is None else str(error)), ""
    code = error.get("error", error.get("code"))
    description = error.get("error_description", error.get("message"))
    return ("" if code is None else str(code)), ("" if description is None else writable(str(description)))


def _php_map(value: Any) -> Mapping[str, Any]:
    """PHP writes an empty map as `[]` and one with the keys 0, 1, 2 as a list (facts/platform 5.2)."""
    if isinstance(value, Mapping):
        return value
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else {}


def _with_retry_after(
    error: ApplicationError, told: Any, headers: Mapping[str, str], now: Callable[[], float]
) -> ApplicationError:
    """The error with the seconds to wait, from the answer's `time` or its headers."""
    if isinstance(error, PortalBusy):
        # Any answer may tell the moment; only this limit ends with it (facts/platform 5.4).
        is_operating = error.code.lower() == "operation_time_limit"
        reset_at = _php_map(told).get("operating_reset_at") if is_operating else None
        header = headers.get("retry-after", "")
        if isinstance(reset_at, int | float) and not isinstance(reset_at, bool) and math.isfinite(reset_at):
            error.retry_after = max(0.0, reset_at - now())
        elif header.isascii() and header.isdigit():
            error.retry_after = float(header[:9])
    return error
