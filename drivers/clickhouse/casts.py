"""How ClickHouse converts texts into numbers, days and moments (`drivers/casts.py`)."""

from __future__ import annotations

from drivers.casts import CastSql, TextConversion
from drivers.columns import Form


def casts_in(zone: str) -> CastSql:
    """ClickHouse's casts in a zone; its days and moments hold the years from 1900 to 2299, and zones lack hours."""
    moment = f"toDateTime64(assumeNotNull({{t}}), 0, '{zone}')"
    return CastSql(
        "match({t}, '{p}')",
        {
            "int": TextConversion(
                Form.INTEGER,
                "toInt64OrNull(splitByChar('.', assumeNotNull({t}))[1])",
                "Int64",
                refuse="toInt64(assumeNotNull({t}))",
            ),
            "double": TextConversion(
                Form.FLOAT, "toFloat64OrNull({t})", "Float64", refuse="toFloat64(assumeNotNull({t}))"
            ),
            "date": TextConversion(
                Form.DATE, "toDate32OrNull({t})", "Date32", "toString({v}) = {t}", "toDate32(assumeNotNull({t}))"
            ),
            "datetime": TextConversion(
                Form.INSTANT,
                moment.replace("toDateTime64", "toDateTime64OrNull"),
                "DateTime64(0)",
                "toString({v}) = {t}",
                moment,
            ),
        },
        silent=frozenset({Form.FLOAT}),
    )
