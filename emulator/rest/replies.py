"""The two shapes of a REST answer, and the errors that methods raise.

`ModuleError` is an error of the `biconnector` module: HTTP 200 and, unless the portal is switched, inside `result`
(facts/biconnector 1.3). `SystemFault` is an error of the REST server itself: its own status, always in the root
(facts/platform 5.3). `time` is part of every answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.records import ErrorShape

SYSTEM_ERRORS: Mapping[str, tuple[int, str]] = {
    "INTERNAL_SERVER_ERROR": (500, "Internal server error"),
    "ERROR_UNEXPECTED_ANSWER": (500, "Server returned an unexpected response"),
    "QUERY_LIMIT_EXCEEDED": (503, "Too many requests"),
    "OVERLOAD_LIMIT": (503, "REST API is blocked due to overload"),
    "OPERATION_TIME_LIMIT": (429, "Method is blocked due to operation time limit."),
    "ERROR_BATCH_METHOD_NOT_ALLOWED": (405, "Method is not allowed for batch usage"),
    "ERROR_BATCH_LENGTH_EXCEEDED": (400, "Max batch length exceeded"),
    "INVALID_REQUEST": (400, "Https required"),
    "NO_AUTH_FOUND": (401, "Wrong authorization data"),
    "expired_token": (401, "The access token provided has expired"),
    "invalid_token": (401, "Unable to get application by token"),
    "authorization_error": (401, "Unable to authorize user"),
    "ERROR_OAUTH": (401, "Application not installed"),
    "NOT_INSTALLED": (401, "Application not installed"),
    "invalid_client": (400, "Client authentication failed"),
    "PAYMENT_REQUIRED": (401, "Payment required"),
    "ACCESS_DENIED": (403, "REST API is available only on commercial plans"),
    "INVALID_CREDENTIALS": (403, "Invalid request credentials"),
    "insufficient_scope": (403, "The request requires higher privileges than provided by the access token"),
    "user_access_error": (403, "The user does not have access to the application"),
    "WRONG_AUTH_TYPE": (403, "Current authorization type is denied for this method"),
    "ERROR_METHOD_NOT_FOUND": (404, "Method not found!"),
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": (404, "Manifest is not available"),
    "PORTAL_DELETED": (500, "Portal was deleted"),
}
"""Code, status and text of what can happen to any method (facts/platform 5.3)."""


class RestError(Exception):
    """A method does not succeed; `code` and `text` are what the caller reads."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text

    @property
    def body(self) -> dict[str, str]:
        """The two members of an error."""
        return {"error": self.code, "error_description": self.text}


class ModuleError(RestError):
    """An error that the `biconnector` module answers with HTTP 200."""


class SystemFault(RestError):
    """An error of the REST server, answered in the root with a status of its own."""

    def __init__(self, code: str, text: str | None = None, status: int | None = None) -> None:
        usual_status, usual_text = SYSTEM_ERRORS.get(code, (400, code))
        super().__init__(code, usual_text if text is None else text)
        self.status = usual_status if status is None else status


@dataclass(frozen=True)
class Reply:
    """A finished answer: JSON body, status, and the error's code for the journal, empty for a success."""

    body: Mapping[str, Any]
    status: int = 200
    error: str = ""


class Stopwatch:
    """Measures one call and writes the `time` block."""

    def __init__(self) -> None:
        self._start = time.time()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.time() - self._start

    def block(self) -> dict[str, Any]:
        """`time` as portals write it (facts/platform 5.2)."""
        finish = time.time()
        return {
            "start": self._start,
            "finish": finish,
            "duration": finish - self._start,
            "processing": finish - self._start,
            "date_start": _iso(self._start),
            "date_finish": _iso(finish),
            "operating_reset_at": int(finish) + 600,
            "operating": 0,
        }


def success(result: Any, stopwatch: Stopwatch) -> Reply:
    """The answer of a method that did its work."""
    return Reply({"result": result, "time": stopwatch.block()})


def failure(problem: RestError, stopwatch: Stopwatch, shape: ErrorShape) -> Reply:
    """The answer of a method that did not, in the shape that fits the kind of error."""
    if isinstance(problem, SystemFault):
        return Reply({**problem.body, "time": stopwatch.block()}, problem.status, problem.code)
    if shape == "root":
        return Reply({**problem.body, "time": stopwatch.block()}, 200, problem.code)
    return Reply({"result": {"error": problem.body}, "time": stopwatch.block()}, 200, problem.code)


def php_map(items: Mapping[str, Any]) -> Any:
    """A map as PHP writes it: `[]` when empty, a list when its keys are 0, 1, 2, ... (facts/platform 5.2)."""
    if list(items) == [str(index) for index in range(len(items))]:
        return list(items.values())
    return dict(items)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
