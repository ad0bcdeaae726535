"""Run the whole proof of security and print one table: promise, target, measured.

    .venv/bin/python -m bench.security [--no-guards] [--fuzz N]        # what `make security` runs

Each row of `docs/operate/security.md` is proved by its tests; each guard of `tests/security/guards.py` has to be missed
once it is taken away. A promise that is not kept stands in the table with what was measured, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.security import Promise, faults, noise, supply_chain, table
from tests.docs.test_security_page import ROWS, ProofRow
from tests.security.guards import GUARDS, ROOT, unnoticed

SECONDS = 3600


def main() -> int:
    """Measure, print, and say by the exit code whether every promise is kept."""
    parser = argparse.ArgumentParser(prog="bench.security", description="Run the proof of security.")
    parser.add_argument("--no-guards", action="store_true", help="take no guard away")
    parser.add_argument("--fuzz", type=int, default=1, help="try so many times the suite's generated inputs")
    given = parser.parse_args()
    promises = [*of_rows(ROWS, outcomes({test for row in ROWS for test in row.tests}, given.fuzz))]
    if not given.no_guards:
        missed = unnoticed()
        told = f"{len(GUARDS) - len(missed)}" + (f"; missed: {', '.join(missed)}" if missed else "")
        promises.append(
            Promise("every guard that is taken away is noticed by a test", f"{len(GUARDS)}", told, not missed)
        )
    promises.extend(supply_chain.measure())
    promises.extend(faults.measure(seed=1))
    promises.extend(noise.measure())
    print(table(promises))
    return 0 if all(promise.kept for promise in promises) else 1


def outcomes(tests: set[str], fuzz: int) -> dict[str, Counter[str]]:
    """How the cases of each test ended: `passed`, `failed`, `skipped`; nothing for a test that did not run."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # A session of its own process: some of these tests fork and signal.
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", f"--junitxml={report}"]
        environment = {**os.environ, "FUZZ": str(fuzz)}
        subprocess.run([*command, *sorted(tests)], cwd=ROOT, check=False, timeout=fuzz * SECONDS, env=environment)
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - written by our own pytest
            name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '').partition('[')[0]}"
            kinds = {child.tag for child in case}
            ended = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
            found[name][ended] += 1
    return found


def of_rows(rows: list[ProofRow], ended: Mapping[str, Counter[str]]) -> Iterator[Promise]:
    """What each row of the page promises, and how its tests ended."""
    for row in rows:
        counts = sum((ended.get(test, Counter()) for test in row.tests), Counter[str]())
        absent = [test for test in row.tests if not ended.get(test)]
        measured = ", ".join(f"{count} {how}" for how, count in sorted(counts.items())) or "nothing"
        measured += "".join(f"; did not run: {test}" for test in absent) + (f"; {row.gap}" if row.gap else "")
        kept = bool(row.tests) and not absent and set(counts) == {"passed"}
        kind = "ASVS" if row.heading.startswith("Items") else "safe from"
        promise = f"{kind} {row.number} {row.text}".replace("  ", " ")
        yield Promise(promise, f"{len(row.tests)} tests, all of their cases passed", measured, kept)


if __name__ == "__main__":
    sys.exit(main())
