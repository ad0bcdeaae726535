"""What can be chosen in forms, in words: types of parameters and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

SETTING_TYPES: Mapping[str, LazyString] = {"STRING": _l("Text"), "INT": _l("Whole number")}
COLUMN_TYPES: Mapping[str, LazyString] = {
    "string": _l("Text"),
    "int": _l("Whole number"),
    "double": _l("Decimal number"),
    "date": _l("Date"),
    "datetime": _l("Date and time"),
    "money": _l("Money"),
    "timezone": _l("Time zone"),
}


def setting_type(code: str) -> str:
    """The type of a connector's parameter; an unknown one as it is."""
    return str(SETTING_TYPES.get(code, code))


def column_type(code: str) -> str:
    """The type of a column; an unknown one as it is (facts/biconnector 4.7)."""
    return str(COLUMN_TYPES.get(code.lower(), code))


def with_current(codes: Sequence[str], current: str) -> list[str]:
    """Codes to choose from, with the current one even if the portal does not offer it."""
    return [*codes, *([current] if current and current not in codes else [])]
