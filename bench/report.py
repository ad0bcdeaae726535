"""Measurements as Markdown tables, with the machine that they hold for."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.portal_lists import GOAL as LISTS_GOAL
from bench.race import Race, Way
from bench.scale import Scale

MARK = "## Measured\n"
PREVIEW_GOAL = 0.015
PEER_TIMES, PEER_MEMORY = 4.0, 20.0
#: Megabytes within which a peer streams; a twentieth of that is nobody's goal.
SMALL_MEMORY = 64
LIBRARIES = ("duckdb", "apsw", "psycopg", "PyMySQL", "orjson", "gunicorn", "SQLAlchemy", "datasette")


def of_races(races: Sequence[Race], rows: int, runs: int) -> str:
    """The main table: every way of every store, and what each goal became."""
    lines = [
        f"The whole table of {rows:,} rows, {runs} alternating runs; ratio = wall of the limit / wall of the way.",
        "",
        "| | way | median s | fastest - slowest | ratio | goal | MB above idle | goal | preview ms | goal |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for race in races:
        limit, ours, *peers = race.ways
        lines.append(_row(race.store.name, f"limit: {limit.name}", limit, "1.00", "", "", ""))
        reached = limit.median / ours.median
        goals = (
            verdict(reached >= race.store.goal, f">= {race.store.goal:.2f}"),
            verdict((ours.memory or 0) <= race.store.most_memory, f"<= {race.store.most_memory}"),
            verdict((ours.preview or 0) <= PREVIEW_GOAL, f"<= {PREVIEW_GOAL * 1000:.0f}"),
        )
        lines.append(_row("", f"**{ours.name}**", ours, f"**{reached:.2f}**", *goals))
        lines += [
            _row("", f"peer: {peer.name}", peer, f"{limit.median / peer.median:.2f}", "", "", "") for peer in peers
        ]
    lines += ["", *_against_peers(races), *_first_calls(races)]
    return "\n".join(lines) + "\n"


def _row(store: str, name: str, way: Way, ratio: str, goal: str, memory_goal: str, preview_goal: str) -> str:
    memory = "" if way.memory is None else f"{way.memory:,.0f}"
    preview = "" if way.preview is None else f"{way.preview * 1000:.1f}"
    spread = f"{min(way.seconds):.2f} - {max(way.seconds):.2f}"
    cells = (store, name, f"{way.median:.2f}", spread, ratio, goal, memory, memory_goal, preview, preview_goal)
    return f"| {' | '.join(cells)} |"


def verdict(reached: bool, goal: str) -> str:
    """A goal, and whether it was met."""
    return f"{goal} {'met' if reached else '**missed**'}"


def _against_peers(races: Sequence[Race]) -> list[str]:
    pairs = [(race, peer) for race in races for peer in race.ways[2:]]
    if not pairs:
        return []
    lines = [
        f"Against peers (goals: {PEER_TIMES:g} times faster, 1/{PEER_MEMORY:g} of the memory):",
        "",
        "| | peer | times faster | | share of its memory | |",
        "|---|---|---|---|---|---|",
    ]
    for race, peer in pairs:
        ours = race.ways[1]
        times, share = peer.median / ours.median, (ours.memory or 0) / max(peer.memory or 0, 0.1)
        verdicts = ("met" if times >= PEER_TIMES else "**missed**", _share_verdict(share, peer.memory or 0))
        lines.append(f"| {race.store.name} | {peer.name} | {times:.1f} | {verdicts[0]} | {share:.3f} | {verdicts[1]} |")
    return [*lines, ""]


def _share_verdict(share: float, peer_memory: float) -> str:
    if peer_memory <= SMALL_MEMORY:
        return "it keeps no rows either"
    return "met" if share <= 1 / PEER_MEMORY else "**missed**"


def _first_calls(races: Sequence[Race]) -> list[str]:
    said = ", ".join(f"{race.store.name} {race.ways[1].first:.2f}" for race in races)
    sizes = ", ".join(f"{race.store.name} {race.ways[1].size:.0f}" for race in races)
    return [
        f"Seconds of this app's very first call, a preview, after its start: {said}.",
        "",
        f"MB of JSON: {sizes}.",
        "",
    ]


def of_scales(scales: Sequence[Scale]) -> str:
    """Memory with few and with many rows."""
    lines = [
        "Memory of a fresh server: three columns of all rows, then all columns of all rows (over 400 MB are refused).",
        "",
        "| | rows | three columns: s | MB of JSON | MB above idle | all columns: status | MB above idle | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for scale in sorted(scales, key=lambda scale: (scale.store.name, scale.rows)):
        reached = verdict(max(scale.narrow, scale.wide) <= scale.store.most_memory, f"<= {scale.store.most_memory}")
        cells = (
            *(scale.store.name, f"{scale.rows:,}", f"{scale.seconds:.2f}", f"{scale.size:.0f}", f"{scale.narrow:.0f}"),
            *(str(scale.status), f"{scale.wide:.0f}", reached),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def of_lists(rows: Sequence[tuple[str, float]]) -> str:
    """Objects of a portal."""
    reference = rows[0][1]
    lines = ["1,000 objects listed from a portal with 80 ms latency.", "", "| way | median s | times faster | goal |"]
    lines.append("|---|---|---|---|")
    for name, median in rows:
        reached = reference / median
        goal = verdict(reached >= LISTS_GOAL, f">= {LISTS_GOAL:g}") if name == rows[-1][0] else ""
        lines.append(f"| {name} | {median:.3f} | {reached:.1f} | {goal} |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Cores, memory and versions; no name and no path of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    servers = [_said("psql", "--version"), _said("mariadb", "--version"), "sqlite3 " + _said("sqlite3", "--version")]
    return (
        f"Machine: {os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, load {os.getloadavg()[1]:.1f} at the end; "
        f"Python {platform.python_version()}, {', '.join(_versions())}; {'; '.join(servers)}.\n"
    )


def save(document: Path, mark: str, text: str) -> None:
    """Put `text` in the place of what the document has under the heading `mark` so far."""
    before, _, rest = document.read_text().partition(mark)
    _, following, after = rest.partition("\n## ")
    document.write_text(f"{before.rstrip()}\n\n{mark}\n{text.strip()}\n{following}{after}")


def _versions() -> Iterator[str]:
    for name in LIBRARIES:
        # Peers are there only where they were measured.
        with contextlib.suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _said(*command: str) -> str:
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return " ".join(words[:3] if command[0] == "psql" else words[:1] if command[0] == "sqlite3" else words[:5]).rstrip(
        ","
    )
