"""Logs: one line per event on standard error, without secrets.

The application never logs secrets on purpose; the formatter removes those that a library or a traceback quotes
(facts/security 1 row 18).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import TextIO

HIDDEN = "[hidden]"

_NAMES = (
    "access_token|refresh_token|application_token|client_secret|AUTH_ID|REFRESH_ID|APPLICATION_TOKEN|auth|_s|session"
    "|X-App-Session|password|secret|access_key|source_key"
)
# `name=value` of addresses and bodies, `"name": "value"` of JSON and of Python's own texts, `auth[name]=value`.
_PAIRS = re.compile(
    rf"(?P<name>(?<![A-Za-z0-9_])(?:[a-z]+(?:\[|%5B))?(?:{_NAMES})(?:\]|%5D)?)"
    rf"(?P<between>['\"]?\s*[=:]\s*|['\"]\s*,\s*)(?P<quote>b?['\"]?)(?P<value>[^\s'\"&,;)}}\]]{{6,}})",
    re.IGNORECASE,
)
# Keys of hosted connectors and connections, wherever they stand.
_CONNECTOR_KEY = re.compile(r"(/gateway/[^/\s]+/)[^/\s]+|bx[ks]1_[\w-]+")


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and hides what looks like a secret or is one of `known`."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._known = tuple(secret for secret in known if len(secret) >= 6)

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines of a record, redacted."""
        return redacted(super().format(record), self._known)


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """`text` without the values of fields that hold secrets, and without the secrets in `known`."""
    for secret in known:
        text = text.replace(secret, HIDDEN)
    text = _PAIRS.sub(lambda found: f"{found['name']}{found['between']}{found['quote']}{HIDDEN}", text)
    return _CONNECTOR_KEY.sub(lambda found: f"{found[1] or ''}{HIDDEN}", text)


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment of writing."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.set_name("bi-connectors")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def configure(level: str, known: Iterable[str] = ()) -> None:
    """Write the logs of this process to standard error at `level`; libraries that quote requests only warn."""
    handler, root = StandardError(), logging.getLogger()
    handler.setFormatter(RedactingFormatter(known))
    for old in [present for present in root.handlers if present.get_name() == handler.get_name()]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # Of urllib3 not even warnings are kept (`egress/http.py`).
    for quoting in ("requests", "sqlalchemy"):
        logging.getLogger(quoting).setLevel(logging.WARNING)
