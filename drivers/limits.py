"""What one session may cost and how long it waits for a silent server (facts/security 6)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from egress.errors import TargetError
from egress.policy import Policy
from egress.silence import Silence

log = logging.getLogger(__name__)

ASK_SECONDS = 3.0
"""How long a silent server is asked whether it still computes, for the connection and the answer."""


@dataclass(frozen=True)
class Limits:
    """What one session may cost (facts/security 6). Over a cap the answer is refused, never cut.

    `connect_seconds` for name, TCP, TLS and login together; `seconds` for the whole session; `bytes` of JSON and
    `rows` for one answer, `row_bytes` for one row. `is_wanted` is asked twice a second, from another thread: once it
    says no, what is running ends with `Timeout("cancelled")`. `silence`: a server that says nothing for so many seconds
    is given up with `Timeout("silent")`, unless it says that it still computes; `is_silent` is told twice a second for
    how many seconds it has been.
    """

    connect_seconds: float = 10.0
    seconds: float = 220.0
    bytes: int = 400_000_000
    rows: int | None = None
    row_bytes: int = 16 * 1024 * 1024
    is_wanted: Callable[[], bool] = lambda: True
    silence: float = 20.0
    is_silent: Callable[[float], None] = lambda seconds: None


@dataclass(frozen=True)
class Guards:
    """What the operator allows drivers: the egress policy, the folder of local files (default none), the limits."""

    policy: Policy
    local_files: Path | None = None
    limits: Limits = field(default_factory=Limits)


class SilenceLimit:
    """How long a session waits for a silent server; `is_computing` asks it, told whether its answer had begun."""

    def __init__(self, limits: Limits, is_computing: Callable[[bool], bool]) -> None:
        self._limits, self._is_computing = limits, is_computing
        self._allowed = limits.silence
        self._asking: threading.Thread | None = None
        self._given_up = False

    def is_passed(self, silence: Silence) -> bool:
        """Whether the server is given up. Never waits, whoever asks: what has to be asked is asked in a thread."""
        self._limits.is_silent(silence.seconds)
        if silence.seconds < self._limits.silence:
            self._allowed, self._given_up = self._limits.silence, False
        elif silence.seconds >= self._allowed and self._asking is None and not self._given_up:
            self._asking = threading.Thread(target=self._ask, args=(silence,), name="asking a silent server")
            self._asking.start()
        return self._given_up

    def _ask(self, silence: Silence) -> None:
        try:
            computing = self._is_computing(silence.begun)
        except TargetError:
            computing = False
        except Exception:
            log.exception("a silent server could not be asked")
            computing = False
        if computing:
            self._allowed = silence.seconds + self._limits.silence
        self._given_up, self._asking = not computing, None
