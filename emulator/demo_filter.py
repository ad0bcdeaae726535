"""The portal's filters applied to the demonstration tables (facts/biconnector 5.9-5.11).

An absent value meets no comparison, negated or not; only the null tests select it. `=` is exact, `%` ignores case, an
empty list selects nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from emulator.demo_data import DemoColumn
from emulator.languages import AMERICAN, SiteFormat

Test = Callable[[Sequence[Any]], bool]
Compare = Callable[[Any, Any], bool]

DOTTED_DAY = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})")
DASHED_DAY = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})")
SLASHED_DAY = re.compile(r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})")
AMERICAN_DAY = re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})")
CLOCK = re.compile(r"[ T](\d{1,2}):(\d{2}):(\d{2})( ?[ap]m)?$", re.IGNORECASE)


class BadFilter(ValueError):
    """A filter that cannot be understood; the text says what."""


def _contains(stored: Any, wanted: Any) -> bool:
    return str(wanted).casefold() in str(stored).casefold()


def _like(stored: Any, wanted: Any) -> bool:
    pattern = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in str(wanted))
    return re.fullmatch(pattern, str(stored), re.IGNORECASE | re.DOTALL) is not None


COMPARISONS: Mapping[str, Compare] = {
    "": operator.eq,
    "=": operator.eq,
    "@": operator.eq,
    "%": _contains,
    "=%": _like,
    "%=": _like,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
"""What each prefix compares; `!` before a prefix negates it, `><` is told apart below."""
TEXT_PREFIXES = ("%", "=%", "%=")
PREFIX = re.compile(r"[!<>=%@]*")


@dataclass(frozen=True)
class Reader:
    """Turns a filter into a test of rows: the columns, how names resolve, the site's date format."""

    columns: Sequence[DemoColumn]
    resolve: Callable[[str], int]
    site_format: SiteFormat

    def group(self, conditions: Mapping[str, Any] | Sequence[Any]) -> Test:
        """A group: numbered subgroups and conditions, joined by `LOGIC`, AND where it is missing."""
        entries = (
            dict(conditions) if isinstance(conditions, Mapping) else {str(at): one for at, one in enumerate(conditions)}
        )
        logic = [str(value).upper() for key, value in entries.items() if key.upper() == "LOGIC"]
        if logic and logic[0] not in ("AND", "OR"):
            raise BadFilter(f"LOGIC must be AND or OR, not {logic[0]!r}.")
        tests = [self._part(key, value) for key, value in entries.items() if key.upper() != "LOGIC"]
        join = any if logic == ["OR"] and tests else all
        return lambda row: join(test(row) for test in tests)

    def _part(self, key: str, value: Any) -> Test:
        if key.isdigit():
            if not isinstance(value, (Mapping, list)):
                raise BadFilter(f"The group {key} is not a group.")
            return self.group(value)
        return self._condition(key, value)

    def _condition(self, key: str, value: Any) -> Test:
        found = PREFIX.match(key)
        prefix = found.group() if found else ""
        position = self.resolve(key[len(prefix) :])
        negated = prefix.startswith("!")
        sign = prefix.removeprefix("!")
        if sign in ("", "=") and value in ("", "0", 0, False):
            return _null_test(position, is_null=not negated)
        values = _list(value)
        if sign == "><":
            return _negated(self._between(position, values), position, negated)
        if sign not in COMPARISONS:
            raise BadFilter(f"The prefix {prefix!r} is unknown.")
        wanted = list(values) if sign in TEXT_PREFIXES else [self._value(position, one) for one in values]
        compare = COMPARISONS[sign]
        return _negated(lambda row: any(compare(row[position], one) for one in wanted), position, negated)

    def _between(self, position: int, values: list[Any]) -> Test:
        if len(values) != 2:
            raise BadFilter("A range needs two values.")
        low, high = (self._value(position, one) for one in values)
        return lambda row: bool(low <= row[position] <= high)

    def _value(self, position: int, value: Any) -> Any:
        kind = self.columns[position].type
        try:
            if kind == "int":
                return int(str(value))
            if kind == "double":
                return float(str(value))
            if kind in ("date", "datetime"):
                return self._moment(str(value))
        except ValueError:
            raise BadFilter(f"{value!r} is not a value of type {kind}.") from None
        return str(value)

    def _moment(self, text: str) -> datetime:
        clock = CLOCK.search(text)
        slashed = AMERICAN_DAY if self.site_format == AMERICAN else SLASHED_DAY
        for shape in (DOTTED_DAY, DASHED_DAY, slashed):
            found = shape.fullmatch(text[: clock.start()] if clock else text)
            if found is not None:
                day = date(int(found["year"]), int(found["month"]), int(found["day"]))
                return datetime.combine(day, _time(clock))
        raise ValueError(text)


def comparable(row: Sequence[Any]) -> list[Any]:
    """A row in which days are moments, so that both compare with the bounds of a filter."""
    return [
        datetime.combine(value, time()) if isinstance(value, date) and not isinstance(value, datetime) else value
        for value in row
    ]


def _time(clock: re.Match[str] | None) -> time:
    if clock is None:
        return time()
    hour, half = int(clock.group(1)), (clock.group(4) or "").strip().lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(clock.group(2)), int(clock.group(3)))


def _negated(test: Test, position: int, negated: bool) -> Test:
    return lambda row: row[position] is not None and test(row) is not negated


def _null_test(position: int, *, is_null: bool) -> Test:
    return lambda row: (row[position] is None) is is_null


def _list(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]
