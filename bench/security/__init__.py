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


def table(promises: list[Promise]) -> str:
    """The table as Markdown."""
    lines = ["| promise | target | measured | |", "|---|---|---|---|"]
    for each in promises:
        lines.append(
            f"| {each.promise} | {each.target} | {each.measured} | {'kept' if each.kept else '**not kept**'} |"
        )
    kept = sum(promise.kept for promise in promises)
    return "\n".join([*lines, "", f"{kept} of {len(promises)} promises are kept."])
