"""The rate limit: a leaky bucket per calling address (facts/platform 5.4)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from emulator.records import RateLimit


@dataclass
class _Bucket:
    level: float
    at: float


class RateLimiter:
    """Counts calls per address; `clock` answers Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def admit(self, address: str, limit: RateLimit) -> bool:
        """Count one call from `address`; False when the bucket is full. Refused calls do not fill it further."""
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(address, _Bucket(0.0, now))
            bucket.level = max(0.0, bucket.level - (now - bucket.at) * limit.per_second)
            bucket.at = now
            if bucket.level + 1 > limit.capacity:
                return False
            bucket.level += 1
            return True

    def clear(self) -> None:
        """Empty all buckets."""
        with self._lock:
            self._buckets.clear()
