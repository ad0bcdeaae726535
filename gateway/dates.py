"""Dates as portals write them: in the site format of the portal's language, not in ISO (facts/biconnector 5.10).

`31.12.2025 23:59:59`, `12/31/2025 11:59:59 pm`, `31/12/2025 23:59:59` and `2025-12-31 23:59:59` all occur. One call is
written by one portal in one format, so all its dates are read together: a date that leaves only one reading settles
the order of day and month for the others. Otherwise the portal's language does, and where that is not known a date
with two readings is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from enum import Enum

from gateway.errors import CallRefused


class Order(Enum):
    """Which of the first two numbers of `01/02/2025` is the day."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


# Which order the site format of a portal language has (facts/platform 7). Languages whose format starts with the year
# or is not known are missing: nothing says how their portals would mean a slash date.
ORDERS = {
    **dict.fromkeys(("ar", "br", "de", "fr", "id", "it", "kz", "la", "ms"), Order.DAY_FIRST),
    **dict.fromkeys(("pl", "ru", "th", "tr", "ua", "vn"), Order.DAY_FIRST),
    "en": Order.MONTH_FIRST,
}

_WRITTEN = re.compile(
    r"""(?P<a>\d{1,4})(?P<separator>[./-])(?P<b>\d{1,2})(?P=separator)(?P<c>\d{1,4})
        (?:(?:\s+|T)
           (?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?
           (?:\s*(?P<half>[ap]\.?m\.?))?
        )?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


class DateReader:
    """Reads the dates of one call, given the order that its dates and the portal's language leave.

    `language` is the portal's code (facts/platform 7), empty if nobody knows it; `written` are all texts of the call
    that stand where a date is expected.
    """

    def __init__(self, language: str, written: Iterable[str] = ()) -> None:
        orders = {order for text in written if (order := _only_order(text))}
        if len(orders) == 2:
            raise CallRefused("date_order")
        self._order = orders.pop() if orders else ORDERS.get(language)

    def read(self, text: str) -> datetime:
        """The moment that `text` means, without zone, midnight where no time is written.

        Raises `CallRefused` where it means none or may mean two.
        """
        matched = _WRITTEN.fullmatch(text.strip())
        if matched is None:
            raise CallRefused("date")
        day = _day(matched, self._order)
        if matched["hour"] is None:
            return datetime.combine(day, time())
        return datetime.combine(day, _time_of_day(matched))


def _only_order(text: str) -> Order | None:
    """The order of a date that has only one reading, if it shows one."""
    matched = _WRITTEN.fullmatch(text.strip())
    if matched is None or len(matched["a"]) > 2 or matched["separator"] == ".":
        return None
    orders = [order for order in Order if _date_in(matched, order)]
    # 05/05/2025 is the same day in both orders and shows none.
    return orders[0] if len(orders) == 1 else None


def _day(matched: re.Match[str], order: Order | None) -> date:
    if len(matched["a"]) == 4:
        return _date(matched["a"], matched["b"], matched["c"])
    if matched["separator"] == ".":
        return _date(matched["c"], matched["b"], matched["a"])
    readings = {found for each in Order if (found := _date_in(matched, each))}
    if order is not None:
        readings &= {_date_in(matched, order)}
    if not readings:
        raise CallRefused("date")
    if len(readings) > 1:
        raise CallRefused("date_order")
    return readings.pop()


def _date_in(matched: re.Match[str], order: Order) -> date | None:
    first, second, year = matched["a"], matched["b"], matched["c"]
    try:
        return _date(year, second, first) if order is Order.DAY_FIRST else _date(year, first, second)
    except CallRefused:
        return None


def _date(year: str, month: str, day: str) -> date:
    # A year of two digits has more than one reading.
    if len(year) != 4 or len(day) > 2:
        raise CallRefused("date")
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise CallRefused("date") from None


def _time_of_day(matched: re.Match[str]) -> time:
    hour, half = int(matched["hour"]), (matched["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise CallRefused("date")
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    try:
        return time(hour, int(matched["minute"]), int(matched["second"] or 0))
    except ValueError:
        raise CallRefused("date") from None
