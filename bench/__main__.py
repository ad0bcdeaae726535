"""Measure the product beside the limits of the databases and beside peers, in one run, and print a table.

    .venv/bin/python -m bench [--rows N] [--runs N] [--only NAME ...] [--no-peers] [--big] [--save]

Goals: facts/performance 5. Nothing here fails: what misses its goal is said in the table.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import deals, portal_lists, report
from bench.race import Race, race
from bench.scale import Scale, scaled
from bench.stores import STORES

KEPT = Path(__file__).parent.parent / "instance" / "bench"
DOCUMENT = Path(__file__).parent.parent / "docs" / "develop" / "performance.md"
MANY = 10


def main() -> None:
    """Measure and print."""
    given = _arguments()
    names: list[str] = given.only or list(STORES)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        source = table_of(given.rows)
        with contextlib.ExitStack() as stack:
            races = [_started(stack, name, source, given, Path(folder)) for name in names]
            for run in range(given.runs):
                print(f"run {run + 1} of {given.runs}", file=sys.stderr, flush=True)
                for each in races:
                    each.run()
            parts = [report.of_races(races, given.rows, given.runs)]
        if given.big:
            parts.append(report.of_scales(list(_scales(names, given.rows, Path(folder)))))
    parts += [report.of_lists(portal_lists.measure(1000, 0.08, 0, given.runs)), report.machine()]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    print(text)
    if given.save:
        report.save(DOCUMENT, report.MARK, text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the product beside limits and peers.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=STORES, nargs="+", help="these stores only")
    parser.add_argument("--no-peers", action="store_true", help="limits and the product only")
    parser.add_argument("--big", action="store_true", help=f"also measure memory with {MANY} times the rows")
    parser.add_argument("--save", action="store_true", help=f"keep the tables in {DOCUMENT.name}")
    return parser.parse_args()


def table_of(rows: int) -> Path:
    """The table as CSV, made once and kept."""
    path = KEPT / str(rows) / f"{deals.TABLE}.csv"
    if not path.exists():
        print(f"making {rows} rows", file=sys.stderr, flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(".part")
        deals.write_csv(made, rows)
        made.rename(path)
    return path


def _started(stack: contextlib.ExitStack, name: str, source: Path, given: argparse.Namespace, folder: Path) -> Race:
    print(f"{name}: loading, starting servers, first answers", file=sys.stderr, flush=True)
    store = STORES[name](source.parent, source)
    return stack.enter_context(race(store, given.rows, folder / name, with_peers=not given.no_peers))


def _scales(names: list[str], rows: int, folder: Path) -> Iterator[Scale]:
    for count in (rows, rows * MANY):
        source = table_of(count)
        for name in names:
            print(f"memory with {count} rows: {name}", file=sys.stderr, flush=True)
            yield scaled(STORES[name](source.parent, source), count, folder / f"{name}-{count}")


if __name__ == "__main__":
    main()
