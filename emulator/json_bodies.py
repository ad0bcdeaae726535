"""JSON as PHP reads it: stricter than Python in encoding and numbers (facts/biconnector 5.12)."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def decode(body: bytes) -> Any:
    """The value in `body`. Raises `ValueError` for what PHP cannot read.

    That is anything but UTF-8, a byte order mark, NaN and Infinity, halves of surrogate pairs, and too deep nesting.
    """
    text = body.decode("utf-8")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("The nesting is too deep.") from None
    if ESCAPED_SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails for a half of a pair
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")
