"""ClickHouse's types as forms (`drivers/columns.py`): one table for names, and what wraps them taken off before."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.columns import Form, TypeRow

CLICKHOUSE: Mapping[str, TypeRow] = {
    "Bool": (Form.BOOLEAN, "toUInt8({c})"),
    **{f"{sign}Int{bits}": (Form.INTEGER, "{c}") for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)},
    # As the server shows it: the double that is nearest to a stored 19.99 is 19.989999771118164.
    "Float32": (Form.FLOAT, "toFloat64(toString({c}))"),
    "Float64": (Form.FLOAT, "{c}"),
    "BFloat16": (Form.FLOAT, "toFloat64(toString({c}))"),
    **{f"Decimal{bits}": (Form.EXACT, "{c}") for bits in ("", 32, 64, 128, 256)},
    "String": (Form.TEXT, "{c}"),
    # The zeros that fill a fixed length up are no part of the text.
    "FixedString": (Form.TEXT, "replaceRegexpOne(toString({c}), '\\\\x00+$', '')"),
    "Enum8": (Form.TEXT, "toString({c})"),
    "Enum16": (Form.TEXT, "toString({c})"),
    "Date": (Form.DATE, "{c}"),
    "Date32": (Form.DATE, "{c}"),
    "DateTime": (Form.INSTANT, "{c}"),
    "DateTime32": (Form.INSTANT, "{c}"),
    "DateTime64": (Form.INSTANT, "{c}"),
    "AggregateFunction": (Form.BINARY, "lower(hex({c}))"),
    "IntervalSecond": (Form.RENDERED, "concat('PT', toString({c}), 'S')"),
    "IntervalMinute": (Form.RENDERED, "concat('PT', toString({c}), 'M')"),
    "IntervalHour": (Form.RENDERED, "concat('PT', toString({c}), 'H')"),
    "IntervalDay": (Form.RENDERED, "concat('P', toString({c}), 'D')"),
    "IntervalWeek": (Form.RENDERED, "concat('P', toString({c}), 'W')"),
    "IntervalMonth": (Form.RENDERED, "concat('P', toString({c}), 'M')"),
    "IntervalYear": (Form.RENDERED, "concat('P', toString({c}), 'Y')"),
    **dict.fromkeys(("Array", "Tuple", "Map", "Nested", "JSON", "Object"), (Form.RENDERED, "toJSONString({c})")),
}
OTHERS: TypeRow = (Form.RENDERED, "toString({c})")


def clickhouse_row(type_name: str) -> TypeRow:
    """Form and expression for a type as `system.columns` names it."""
    return CLICKHOUSE.get(plain(type_name).partition("(")[0], OTHERS)


def plain(type_name: str) -> str:
    """The type without `Nullable`, `LowCardinality` and `SimpleAggregateFunction` around it."""
    name, _, inside = type_name.strip().partition("(")
    inside = inside.removesuffix(")")
    if name in ("Nullable", "LowCardinality"):
        return plain(inside)
    if name == "SimpleAggregateFunction":
        return plain(inside.partition(",")[2])
    return type_name.strip()


def is_nullable(type_name: str) -> bool:
    """Whether a column of this type can hold NULL."""
    return "Nullable(" in type_name.partition("Array(")[0] or type_name.startswith(("Variant", "Dynamic"))


def fraction_digits(type_name: str) -> int:
    """Digits after the second that a time of this type has."""
    name, _, inside = plain(type_name).partition("(")
    digits = inside.partition(",")[0].removesuffix(")").strip()
    return int(digits) if name == "DateTime64" and digits.isdigit() else 0
