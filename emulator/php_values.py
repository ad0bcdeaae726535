"""PHP's view of values, on which the documented validation rests (facts/biconnector 1.7)."""

from __future__ import annotations

import math
import re
from typing import Any

_NUMERIC = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def is_numeric(value: object) -> bool:
    """A number or a string that reads as one; booleans are neither."""
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float)) or (isinstance(value, str) and _NUMERIC.fullmatch(value) is not None)


def as_integer(value: Any) -> int:
    """The integer part of something numeric, 0 of anything else and of what no integer can hold."""
    if not is_numeric(value):
        return 0
    try:
        return int(value) if isinstance(value, int) else int(float(value))
    except (OverflowError, ValueError):
        return 0


def as_number(value: Any) -> float:
    """Something numeric as a number; what is too large is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_empty(value: object) -> bool:
    """PHP's `empty`."""
    return value in (None, "", "0", 0, False) or value in ([], {})


def as_text(value: object) -> str:
    """PHP's string of a value: true is `1`, false and null are empty, a list or a map is the word `Array`."""
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if is_array(value):
        return "Array"
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def trimmed(text: str) -> str:
    """PHP's `trim`, which leaves other blanks than these where they are."""
    return text.strip(" \t\n\r\0\x0b")


def is_array(value: object) -> bool:
    """PHP has one type for lists and maps."""
    return isinstance(value, (list, dict))


def members(value: list[Any] | dict[str, Any]) -> list[Any]:
    """The values of a list or a map, in order."""
    return list(value.values()) if isinstance(value, dict) else list(value)


def keys(value: list[Any] | dict[str, Any]) -> list[str]:
    """The keys of a list or a map, as strings."""
    return [str(key) for key in (value if isinstance(value, dict) else range(len(value)))]
