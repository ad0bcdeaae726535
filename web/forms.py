"""What forms carry, read from a request."""

from __future__ import annotations

MOST_ROWS = 500
"""Of one list in a form."""


def number_in(text: str) -> int | None:
    """The positive number that a field or an address carries, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 and int(text) else None
