"""The proof of security as one table; see `__main__`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """What is promised, the figure that it takes, the figure that was measured, and whether that keeps the promise."""

    promise: str
    target: str
    measured: str
    kept: bool
