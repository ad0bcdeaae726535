"""Faults of databases, twenty times each: half answers, statuses, and how soon all is well again.

    .venv/bin/python -m bench.security.faults [--seed N] [--times N]

Real PostgreSQL and MariaDB behind a proxy of ours, in clear and inside TLS (facts/security 7 "Faults survived").
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.security import Promise, table
from tests.gateway.faults import PORTS, RECOVERY_SECONDS, FaultResult, provoked

TIMES = 20


def measure(seed: int, times: int = TIMES) -> Iterator[Promise]:
    """The promises about faults, and what was measured with this seed."""
    results: list[FaultResult] = []
    for kind in PORTS:
        for encrypted in (False, True):
            with tempfile.TemporaryDirectory(prefix="faults-") as folder:
                results += provoked(kind, Path(folder), seed, times, encrypted=encrypted)
    wrong = [f"{result.fault}: {result.status}" for result in results if not result.is_right]
    half = [result for result in results if result.status == 200 and not result.is_right]
    late = max(result.recovered for result in results)
    runs = f"{len(results)} runs, seed {seed}"
    yield Promise("no fault leads to half an answer", "0", f"{len(half)} of {runs}", not half)
    yield Promise(
        "each fault has its documented status", "all", f"{len(results) - len(wrong)} of {runs} {wrong}", not wrong
    )
    yield Promise(
        "well again after the end of a fault",
        f"{RECOVERY_SECONDS:.0f} s",
        f"{late:.1f} s at most",
        late <= RECOVERY_SECONDS,
    )


def main() -> int:
    """Print the table; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(prog="bench.security.faults", description="Provoke faults of databases.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=TIMES)
    given = parser.parse_args()
    promises = list(measure(given.seed, given.times))
    print(table(promises))
    return 0 if all(promise.kept for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
