"""What came of asking a source for rows, for the pages that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.context import current_emulator
from emulator.endpoints import EndpointFailure, Rows
from emulator.pages.digits import evened
from emulator.records import Source


@dataclass(frozen=True)
class Outcome:
    """What an endpoint answered: rows, or the reason why there are none."""

    rows: Rows | None
    reason: str = ""

    def shown(self, types: Mapping[str, str]) -> list[list[Any]]:
        """The rows as pages show them; `types` are the columns' types by the names in the header."""
        return evened(self.rows, types) if self.rows else []


def preview_of(source: Source, table: str, columns: Sequence[str]) -> Outcome:
    """The first rows of a table with these columns, asked for or kept (facts/biconnector 5.8, 5.8a)."""
    try:
        return Outcome(current_emulator().endpoints.preview(source, table, columns))
    except EndpointFailure as problem:
        return Outcome(None, str(problem))
