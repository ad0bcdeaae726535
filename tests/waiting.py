"""Waiting for what happens in another thread or process: for the fact, never for a time that usually suffices."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

HANG = float(os.environ.get("HANG_SECONDS", "120"))
"""After so many seconds without progress a test has hung; whatever works is far quicker, also on a starved machine."""

T = TypeVar("T")


def eventually(condition: Callable[[], T], explain: Callable[[], object] = lambda: "it never came true") -> T:
    """The first answer of `condition` that is true; fails with what `explain` says if there is none."""
    until = time.monotonic() + HANG
    while not (answer := condition()):
        assert time.monotonic() < until, explain()
        time.sleep(0.02)
    return answer
