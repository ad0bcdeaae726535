"""What a driver understood of a file, told before the file becomes a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from drivers.columns import PortalType

Doubt = Literal["order", "marks"]
"""Why values can be read in two ways: the order of day and month, or the marks of decimals and thousands."""


@dataclass(frozen=True)
class PreviewRequest:
    """What is to be shown: a file of a folder and a table of a file by name, the first ones where there are none such.

    `whole` asks for all rows of a large file; `rows` of them are shown.
    """

    file: str = ""
    table: str = ""
    whole: bool = False
    rows: int = 10


@dataclass(frozen=True)
class Misfits:
    """Values that do not fit the type that was chosen for a column, or that most of its values have.

    How many, and the first one with its row, counted from 1 below the header.
    """

    type: PortalType
    count: int
    row: int
    value: str


@dataclass(frozen=True)
class PreviewColumn:
    """A column as it would be published now; `native` is the file's own type, `chosen` the type that settings name."""

    name: str
    type: PortalType
    native: str = ""
    chosen: str = ""
    misfits: Misfits | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True)
class Preview:
    """One table of a file.

    `files` and `tables` are the names to choose from, `file` and `table` those shown; `titles` the rows above the table
    with their numbers in the file, `header_row` the number of the row with the names, or 0; None where rows have
    no numbers. `seen` rows were looked at,
    which `is_whole` says are all. `types_settable` where the setting `types` has a say. `totals` is the number of the
    last row, counted from 1 below the header, where it says that it sums the others up; else 0.
    """

    files: tuple[str, ...]
    file: str
    tables: tuple[str, ...]
    table: str
    titles: tuple[tuple[int, str], ...]
    header_row: int | None
    columns: tuple[PreviewColumn, ...]
    rows: Sequence[Sequence[Any]]
    seen: int
    is_whole: bool
    types_settable: bool
    totals: int = 0
