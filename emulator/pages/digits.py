"""Columns of numbers whose decimals stand under one another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.endpoints import Rows

DECIMAL_TYPES = frozenset({"double", "money"})
MOST_DECIMALS = 6
"""A longer fraction is the noise of a binary number; the column is then left as it came."""
PLAIN = re.compile(rf"-?[0-9]+(?:\.([0-9]{{1,{MOST_DECIMALS}}}))?")


def evened(rows: Rows, types: Mapping[str, str]) -> list[list[Any]]:
    """The rows as pages show them: numbers of a decimal column with as many decimals as the longest of them.

    `types` are the columns' types by the names in the header. Nothing is rounded, and what is no number stays.
    """
    columns = list(zip(*rows.rows, strict=True))
    for index, name in enumerate(rows.header):
        if columns and types.get(name) in DECIMAL_TYPES:
            columns[index] = tuple(_evened(columns[index]))
    return [list(row) for row in zip(*columns, strict=True)]


def _evened(values: Sequence[Any]) -> Sequence[Any]:
    written = [_plain(value) for value in values]
    if any(text is None and _is_number(value) for text, value in zip(written, values, strict=True)):
        return values
    most = max((len(text.partition(".")[2]) for text in written if text is not None), default=0)
    return [value if text is None else _padded(text, most) for text, value in zip(written, values, strict=True)]


def _plain(value: object) -> str | None:
    """A number in plain digits, without the `.0` of JSON's whole floats; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value)
    if not PLAIN.fullmatch(text):
        return None
    return text.removesuffix(".0") if isinstance(value, float) else text


def _padded(text: str, decimals: int) -> str:
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<{decimals}}" if decimals else whole


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type] # anything else is a TypeError
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)
