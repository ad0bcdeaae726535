"""Commands that mend what keeps the app from starting, and so start in spite of it."""

from __future__ import annotations

from collections.abc import Sequence

from models import Fault
from models.startup import FORGET_COMMAND, UPGRADE_COMMAND
from services.connections.upload_owner import ADOPT_COMMAND

MENDED: dict[str, frozenset[Fault]] = {
    UPGRADE_COMMAND: frozenset({"revision", "keys", "uploads"}),
    ADOPT_COMMAND: frozenset({"uploads"}),
    FORGET_COMMAND: frozenset({"keys", "uploads"}),
}


def mended(arguments: Sequence[str]) -> frozenset[Fault]:
    """What is no reason to stop the program with these arguments, which makes the application before its command."""
    line = f" {' '.join(arguments)} "
    return frozenset().union(*(faults for command, faults in MENDED.items() if f" {command} " in line))
