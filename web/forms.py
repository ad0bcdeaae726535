"""Numbers that forms and addresses carry, and how many rows a list in a form may have."""

from __future__ import annotations

MOST_ROWS = 500
"""Of one list in a form."""


def number_in(text: str) -> int | None:
    """The positive number that a field or an address carries, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 and int(text) else None
