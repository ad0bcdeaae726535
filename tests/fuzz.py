"""How many generated cases a test tries: few in the suite, and FUZZ times as many where that is set."""

from __future__ import annotations

import os

FUZZ = int(os.environ.get("FUZZ", "1"))


def cases(number: int) -> int:
    """The number of cases for a test that tries so many in the suite."""
    return number * FUZZ
