"""The table that everything is measured with (facts/performance 1): `deals`, 12 columns, some 200 bytes a row as CSV.

Row `n` is the same on every machine and in every run. Of the big integers 1 % are above 2^53; texts hold several
scripts, quotes, backslashes and, in one row of twenty, line ends; four columns hold NULL now and then.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

TABLE = "deals"
COLUMNS: tuple[tuple[str, str], ...] = (
    ("id", "integer"),
    ("deal_number", "bigint"),
    ("stage_id", "integer"),
    ("amount", "numeric(12,2)"),
    ("score", "double precision"),
    ("title", "varchar(200)"),
    ("client", "varchar(200)"),
    ("comments", "text"),
    ("opened_on", "date"),
    ("closed_on", "date"),
    ("changed_at", "timestamp"),
    ("is_won", "boolean"),
)
NAMES = tuple(name for name, _ in COLUMNS)
#: Ten million rows of these are still below the product's cap of bytes.
NARROW = ("id", "stage_id", "is_won")

_MASK = 2**64 - 1
_FIRST_DAY = dt.date(2015, 1, 1)
_FIRST_MOMENT = dt.datetime(2015, 1, 1)  # noqa: DTZ001 - moments of the table have no zone
_GOODS = (
    "Delivery",
    "Renewal",
    "Монтаж оборудования",
    "Обслуживание",
    "Beratung für Größe",
    "設備の納入",
    "Café & thé",
)
_FIRMS = (
    'ООО "Ромашка"',
    "O'Neill & Sons",
    "Müller GmbH",
    'ТД "Север"',
    "Acme, Inc.",
    "株式会社山田",
    "C:\\Trade\\Ltd",
)
_SAID = (
    "Asked to call back after the holidays",
    "Просит скидку за объём",
    'Said: "not before the audit", see \\\\files\\2024',
    "Zahlung in 30 Tagen, Rückfrage offen",
    "Договор подписан; счёт № 5/7 оплачен",
)


@dataclass(frozen=True)
class Fingerprint:
    """Rows of a table, in any order: how many there are, and the sum of their hashes."""

    rows: int
    sum: int


def rows(count: int) -> Iterator[tuple[Any, ...]]:
    """The first `count` rows, as Python's values."""
    for n in range(1, count + 1):
        a, b = _mixed(n), _mixed(n + 2**40)
        opened = _FIRST_DAY + dt.timedelta(days=a % 3650)
        yield (
            n,
            2**53 + b % 2**58 if n % 100 == 7 else b % 10**9,
            a % 40 + 1,
            None if a % 19 == 0 else Decimal(b % 10**9).scaleb(-2),
            (a % 2**50) / 3**24,
            f"{_GOODS[a % 7]} {n}",
            f"{_FIRMS[b % 7]} {b % 50_000}",
            _comment(n, a, b),
            opened,
            None if a % 3 == 0 else opened + dt.timedelta(days=b % 200),
            _FIRST_MOMENT + dt.timedelta(seconds=b % 300_000_000),
            None if b % 50 == 0 else a % 2 == 1,
        )


def _mixed(n: int) -> int:
    """Sixty-four bits that look random (the finish of splitmix64)."""
    n = n * 0x9E3779B97F4A7C15 & _MASK
    n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    n = (n ^ n >> 27) * 0x94D049BB133111EB & _MASK
    return n ^ n >> 31


def _comment(n: int, a: int, b: int) -> str | None:
    if a % 11 == 0:
        return None
    joint = "\n" if n % 20 == 0 else ". "
    return f"{_SAID[a % 5]}{joint}#{b % 10_000}" if a % 5 else f"{_SAID[b % 5]}{joint}{_SAID[a % 5]}"


def write_csv(path: Path, count: int) -> None:
    """The table as CSV: a header, texts in quotes, nothing at all for NULL."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(NAMES) + "\n")
        for row in rows(count):
            file.write(",".join(map(_csv_cell, row)) + "\n")


def _csv_cell(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def fingerprint(found: Iterable[Sequence[Any]]) -> Fingerprint:
    """The fingerprint of rows, be they from an answer, a database or `rows`."""
    count = total = 0
    for row in found:
        digest = hashlib.blake2b(orjson.dumps(list(map(_plain, row))), digest_size=16).digest()
        count, total = count + 1, total + int.from_bytes(digest, "big")
    return Fingerprint(count, total % 2**128)


def _plain(value: Any) -> Any:
    """A value as the portal sees it; numbers as they are after reading JSON."""
    match value:
        case bool():
            return int(value)
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case Decimal():
            return float(value)
        case dt.datetime():
            return value.isoformat(" ")
        case dt.date():
            return value.isoformat()
        case float() if value.is_integer():
            # Some show 5.0 as 5: the same number.
            return int(value)
    return value
