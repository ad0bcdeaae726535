"""Bodies as portals send them: PHP's `http_build_query` (facts/biconnector 5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def form_body(fields: Mapping[str, Any]) -> bytes:
    """Nested values with brackets, false as `0`, true as `1`; null and empty lists are left out, as PHP does."""
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in _pairs(fields)).encode()


def _pairs(fields: Mapping[str, Any] | Sequence[Any], parent: str = "") -> Iterator[tuple[str, str]]:
    items = fields.items() if isinstance(fields, Mapping) else enumerate(fields)
    for key, value in items:
        path = f"{parent}[{key}]" if parent else str(key)
        if isinstance(value, (Mapping, list, tuple)):
            yield from _pairs(value, path)
        elif value is not None:
            yield path, str(int(value)) if isinstance(value, bool) else str(value)
