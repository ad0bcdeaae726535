"""Days, moments and truths as people and programs write them into SQLite: texts of many spellings, and numbers.

A text tells its own meaning, except for days with slashes or dashes, whose order other values of the column have to
show. A number is a day of the calendar without separators (20251231), a Julian day, or counts seconds since 1970, or
thousandths, millionths or milliardths of them: its size tells which, together with the other values.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from enum import Flag, auto

_YEAR_FIRST = r"(?P<y>[0-9]{4})(?P<s>[-/.])(?P<m>[0-9]{1,2})(?P=s)(?P<d>[0-9]{1,2})"
_YEAR_LAST = r"(?P<a>[0-9]{1,2})(?P<t>[-/.])(?P<b>[0-9]{1,2})(?P=t)(?P<z>[0-9]{4}|(?<=\.)[0-9]{2})"
_CLOCK = r"(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,][0-9]+)?)?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
# Some programs write the zone's name behind its offset.
_OFFSET = r"(?P<zone>[Zz]|UTC|GMT|(?P<sign>[-+])(?P<h>[0-9]{2})(?::?(?P<min>[0-9]{2}))?(?: [A-Z]{1,5})?)"
_WRITTEN = re.compile(rf" *(?:{_YEAR_FIRST}|{_YEAR_LAST})(?:(?:,? +|T){_CLOCK}(?: ?{_OFFSET})?)? *")
#: What SQLite's own functions read.
_NATIVE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
#: Texts that say that there is no date.
_NO_DATE = re.compile(r" *|0000-00-00(?:[T ]00:00(?::00(?:\.0+)?)?)?|00\.00\.0000")
Moment = tuple[dt.datetime, dt.timedelta | None]
"""As it is written, and its offset from UTC, where it has one."""
# The last moment of those that portals take for none (facts/field 0.9).
_NEVER_SHOWN = dt.datetime(1900, 1, 1)  # noqa: DTZ001 - moments of a file have the zone that their reader gives them
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - see above
_JULIAN_EPOCH = 2_440_587.5
#: From 1900 to 2200, as seconds since 1970 and as Julian days.
_FIRST_SECOND, _LAST_SECOND = -2_208_988_800, 7_258_118_400
_FIRST_JULIAN, _LAST_JULIAN = 2_415_020.5, 2_524_958.5
#: Closer to 1970 than this many seconds, a number may count larger units as well; than the other, it may be no moment.
_CLEAR_SECONDS, _SMALL = 260_000_000, 100_000_000
_DAYS, _MOMENTS = range(19000101, 21010101), range(19000101000000, 21010101000000)
TRUE, FALSE = ("true", "t", "yes", "y", "on"), ("false", "f", "no", "n", "off")
_SCALES = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Kind(Flag):
    """What a value is, as far as it alone tells."""

    NONE = 0
    #: A text: a day, one with a time, a time with an offset from UTC or without; nothing, a truth, or anything else.
    DAY = auto()
    TIME = auto()
    OFFSET = auto()
    LOCAL = auto()
    BLANK = auto()
    TRUTH = auto()
    WORDS = auto()
    #: More about a day: how its order is known, where it is not certain; and what makes it unlikely to be meant as one.
    EITHER_ORDER = auto()
    DAY_FIRST = auto()
    MONTH_FIRST = auto()
    SHORT_YEAR = auto()
    BEFORE_1900 = auto()
    #: Written otherwise than it is shown; and otherwise than SQLite itself reads.
    UNLIKE = auto()
    FOREIGN = auto()
    #: A number; what of time it may be.
    WHOLE = auto()
    REAL = auto()
    DIGITS = auto()
    JULIAN = auto()
    JULIAN_WHOLE = auto()
    SECONDS = auto()
    MILLISECONDS = auto()
    MICROSECONDS = auto()
    NANOSECONDS = auto()
    UNCLEAR_MILLISECONDS = auto()
    UNCLEAR_MICROSECONDS = auto()
    UNCLEAR_NANOSECONDS = auto()
    SMALL = auto()
    NO_TIME = auto()
    ENDLESS = auto()
    BYTES = auto()


_UNITS = {"s": Kind.SECONDS, "ms": Kind.MILLISECONDS, "us": Kind.MICROSECONDS, "ns": Kind.NANOSECONDS}
_UNCLEAR = {"ms": Kind.UNCLEAR_MILLISECONDS, "us": Kind.UNCLEAR_MICROSECONDS, "ns": Kind.UNCLEAR_NANOSECONDS}
_ALL_UNITS = Kind.SECONDS | Kind.MILLISECONDS | Kind.MICROSECONDS | Kind.NANOSECONDS
_ALL_UNCLEAR = Kind.UNCLEAR_MILLISECONDS | Kind.UNCLEAR_MICROSECONDS | Kind.UNCLEAR_NANOSECONDS
NUMBERS = Kind.WHOLE | Kind.REAL
DATES = Kind.DAY | Kind.TIME


def kind_of(value: str | float | bytes) -> Kind:
    """What one value is."""
    if isinstance(value, str):
        return _kind_of_text(value)
    if isinstance(value, bytes):
        return Kind.BYTES
    whole = isinstance(value, int)
    found = Kind.WHOLE if whole else Kind.REAL
    if not value:
        return found
    if not math.isfinite(value):
        return found | Kind.NO_TIME | Kind.ENDLESS
    if whole and _digits(int(value)) is not None:
        return found | Kind.DIGITS
    if _FIRST_JULIAN <= value <= _LAST_JULIAN:
        return found | (Kind.JULIAN_WHOLE if whole else Kind.JULIAN)
    for unit, scale in _SCALES.items():
        if _FIRST_SECOND * scale <= value <= _LAST_SECOND * scale:
            if unit == "s":
                return found | (Kind.SMALL if abs(value) < _SMALL else Kind.SECONDS)
            return found | (_UNITS if abs(value) >= _CLEAR_SECONDS * scale else _UNCLEAR)[unit]
    return found | Kind.NO_TIME


def _kind_of_text(text: str) -> Kind:
    if _NO_DATE.fullmatch(text):
        return Kind.BLANK if not text.strip() else Kind.BLANK | Kind.DAY | Kind.FOREIGN
    parts, moment = _WRITTEN.fullmatch(text), read_text(text, True) or read_text(text, False)
    if parts is None or moment is None:
        return Kind.TRUTH if text.strip(" ").lower() in TRUE + FALSE else Kind.WORDS
    found = Kind.NONE if _NATIVE.fullmatch(text) else Kind.FOREIGN | Kind.UNLIKE
    if text not in (moment[0].isoformat(" "), moment[0].date().isoformat()):
        found |= Kind.UNLIKE
    if parts["H"] is None:
        found |= Kind.DAY
    else:
        found |= Kind.TIME | (Kind.OFFSET if parts["zone"] else Kind.LOCAL)
    if moment[0] <= _NEVER_SHOWN:
        found |= Kind.BEFORE_1900
    if parts["z"] and len(parts["z"]) == 2:
        found |= Kind.SHORT_YEAR
    if parts["t"] in ("/", "-"):
        first, second = int(parts["a"]), int(parts["b"])
        if first != second:
            found |= Kind.DAY_FIRST if first > 12 else Kind.MONTH_FIRST if second > 12 else Kind.EITHER_ORDER
    return found


def order_of(kinds: Kind) -> str | None:
    """Which comes first in days whose year comes last, `day` or `month`; None where values say both or none does."""
    said = kinds & (Kind.DAY_FIRST | Kind.MONTH_FIRST)
    if said == Kind.DAY_FIRST | Kind.MONTH_FIRST or (Kind.EITHER_ORDER in kinds and not said):
        return None
    return "month" if said == Kind.MONTH_FIRST else "day"


def unit_of(kinds: Kind) -> str | None:
    """What a column's numbers count, for `read_number`; None where they are no moments, or may be several."""
    units, unclear = kinds & _ALL_UNITS, kinds & _ALL_UNCLEAR
    counted = units | unclear | (kinds & Kind.SMALL)
    if Kind.NO_TIME in kinds:
        return None
    if Kind.DIGITS in kinds:
        return None if counted or kinds & (Kind.JULIAN | Kind.JULIAN_WHOLE) else "digits"
    if not counted:
        return "julian" if kinds & (Kind.JULIAN | Kind.JULIAN_WHOLE) else None
    if kinds & (Kind.JULIAN | Kind.JULIAN_WHOLE) == Kind.JULIAN | Kind.JULIAN_WHOLE:
        return None
    for unit, kind in _UNITS.items():
        if units == kind:
            return unit if unclear in (Kind.NONE, _UNCLEAR.get(unit)) else None
    return "size" if units and not unclear and not kinds & (Kind.SMALL | Kind.JULIAN_WHOLE) else None


def read_text(text: str, is_day_first: bool) -> Moment | None:
    """The moment that a text names; None where it names none."""
    parts = _WRITTEN.fullmatch(text)
    if parts is None:
        return None
    if parts["y"]:
        year, month, day = int(parts["y"]), int(parts["m"]), int(parts["d"])
    else:
        day, month = int(parts["a"]), int(parts["b"])
        if not is_day_first and parts["t"] != ".":
            day, month = month, day
        year = int(parts["z"])
        if len(parts["z"]) == 2:
            year += 1900 if year >= 69 else 2000
    hour, minute, second = (int(parts[name] or 0) for name in "HMS")
    if parts["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if parts["half"] in "Pp" else 0)
    offset = None
    if parts["zone"]:
        minutes = int(parts["h"] or 0) * 60 + int(parts["min"] or 0)
        offset = dt.timedelta(minutes=-minutes if parts["sign"] == "-" else minutes)
    try:
        return dt.datetime(year, month, day, hour, minute, second), offset  # noqa: DTZ001 - see above
    except ValueError:
        return None


def read_number(value: float, unit: str) -> Moment | None:
    """The moment that a number names where its column counts in `unit`; None for none."""
    if unit == "digits":
        found = _digits(int(value))
        return None if found is None else (found, None)
    is_julian = _FIRST_JULIAN <= value <= _LAST_JULIAN
    if is_julian and (unit == "julian" or isinstance(value, float)):
        # A double of this size holds milliseconds.
        milliseconds = round((value - _JULIAN_EPOCH) * 86_400_000)
        return _EPOCH + dt.timedelta(seconds=milliseconds // 1000), None
    if unit == "size":
        unit = next((u for u, scale in _SCALES.items() if _FIRST_SECOND * scale <= value <= _LAST_SECOND * scale), "")
    if unit not in _SCALES:
        return None
    try:
        return _EPOCH + dt.timedelta(seconds=int(value // _SCALES[unit])), dt.timedelta()
    except OverflowError:
        return None


def _digits(number: int) -> dt.datetime | None:
    """The moment of 20251231 or 20251231235959."""
    if number in _DAYS:
        number *= 10**6
    if number not in _MOMENTS:
        return None
    try:
        return dt.datetime.strptime(str(number), "%Y%m%d%H%M%S")  # noqa: DTZ007 - see above
    except ValueError:
        return None


def shown(value: str | float | None, form: str, order: str, unit: str, zone: dt.tzinfo) -> str | None:
    """A value as its column shows it, a `date` or a `datetime`; None where there is none, or none that can be shown.

    Instants are shown in `zone`, but the day of a text is the one that is written. Raises `ValueError` for a value that
    is no moment at all.
    """
    if value is None or (isinstance(value, str) and _NO_DATE.fullmatch(value)):
        return None
    found = read_text(value, order == "day") if isinstance(value, str) else read_number(value, unit)
    if found is None:
        raise ValueError(str(value)[:100])
    moment, offset = found
    if form == "date" and isinstance(value, str):
        return moment.date().isoformat()
    if offset is not None:
        try:
            moment = (moment - offset).replace(tzinfo=dt.UTC).astimezone(zone).replace(tzinfo=None)
        except OverflowError:
            return None
    if form == "date":
        return moment.date().isoformat()
    return moment.isoformat(" ") if moment > _NEVER_SHOWN else None
