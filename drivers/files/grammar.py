"""How people write numbers, truths and dates: patterns that all values of a column have to fit, and the SQL for them.

A pattern is strict where a text may be an identifier: zeros at the front, more digits than a number of 64 bits has, a
plus before a telephone number, `1E5` among codes. Where the same text may mean two values, two candidates fit, and
`column_types.py` takes neither unless the analyst or another column says which.
"""

# ruff: noqa: RUF001 - these letters and signs are meant

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from drivers.columns import PortalType
from drivers.files.sql_texts import literal

Order = Literal["", "day", "month", "year"]

#: Blanks between digits: the plain one, and those that printing programs use.
BLANKS = " \u00a0\u202f\u2009"
APOSTROPHES = "'\u2019"
MINUS = "-\u2212\u2013"


@dataclass(frozen=True)
class Candidate:
    """A type that a column of texts may have: a pattern that all values fit, and the SQL that converts them.

    `{c}` is the text in all SQL and `{v}` what becomes of it. `kept` tells whether the conversion keeps what the text
    says; `number` is the text of a decimal with a point, of which `hundredths` are meant by a percent sign. One value
    at least matches `needs`, and what `same` gives is the same for all values. `decimal`, `thousands` and `order` say
    how the value is read where another way exists.
    """

    portal: PortalType
    pattern: str
    convert: str
    kept: str = "{v} IS NOT NULL"
    number: str = ""
    hundredths: bool = False
    needs: str = ""
    same: str = ""
    decimal: str = ""
    thousands: str = ""
    order: Order = ""

    @property
    def is_date(self) -> bool:
        """Whether values are days or moments."""
        return self.portal in ("date", "datetime")


def nothing_sql(words: Sequence[str], text: str) -> str:
    """The SQL for a text, or NULL where it is blank or one of the words."""
    pattern = "^ *(?:" + "|".join(map(re.escape, words)) + ")? *$"
    # Digits come first in most texts that are asked about: a comparison is cheaper than a pattern.
    beginnings = [word[0] for word in words if word[0].isdigit()]
    other = "TRUE" if beginnings else f"({text} < '0' OR {text} > ':')"
    return f"CASE WHEN {other} AND regexp_matches({text}, {literal(pattern)}) THEN NULL ELSE {text} END"


#: Dates that are none: zeros, and the empty ones of 1C.
NO_DATE = r"[ .:/-]+|0000-00-00(?:[ T]00:00(?::00(?:\.0+)?)?)?|00\.00\.0000(?: 0?0:00(?::00)?)?"
NO_DATE_SQL = (
    f"CASE WHEN ({{c}} < '1' OR {{c}} >= ':') AND regexp_full_match({{c}}, {literal(NO_DATE)}) THEN NULL ELSE {{c}} END"
)

# Numbers

_EXACT = "TRY_CAST({n} AS DECIMAL(36, 18))"
#: Digits of a number without its sign, point, exponent and the zeros around.
_DIGITS = "trim(replace(regexp_replace({c}, '^-|[eE].*$', '', 'g'), '.', ''), '0')"
#: A double holds seventeen digits, and neither 1e400 nor 1e-400.
_HELD = f"(isfinite({{v}}) AND length({_DIGITS}) <= 17 AND ({{v}} <> 0 OR {_DIGITS} = ''))"

INTEGER = Candidate("int", r"-?(?:0|[1-9][0-9]{0,18})", "TRY_CAST({c} AS BIGINT)")
DECIMAL = Candidate(
    "double",
    r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?",
    _EXACT.replace("{n}", "{c}"),
    number="{c}",
    decimal=".",
)
_EXPONENT = Candidate(
    "double",
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?",
    "TRY_CAST({c} AS DOUBLE)",
    _HELD,
    # Without a point or the sign of an exponent somewhere, these are codes or accounts.
    needs=r"\.|[eE][-+]",
    decimal=".",
)
#: A number of JSON or of a workbook, which says itself that it is one.
NUMBERS = (INTEGER, DECIMAL, Candidate("double", _EXPONENT.pattern, _EXPONENT.convert, _HELD))

_BLANK, _SPACE = f"[{BLANKS}]", f"[{BLANKS}]?"
_GROUPS: Mapping[str, str] = {" ": _BLANK, ",": ",", ".": r"\.", "'": f"[{APOSTROPHES}]"}
_CODES = (
    "AED|AFN|AMD|AOA|ARS|AUD|AZN|BAM|BDT|BGN|BHD|BOB|BRL|BYN|BYR|CAD|CHF|CLP|CNH|CNY|COP|CRC|CZK|DKK|DOP|DZD|EGP|ETB|EUR|GBP|GEL"
    "|GHS|GTQ|HKD|HRK|HUF|IDR|ILS|INR|IQD|IRR|ISK|JOD|JPY|KES|KGS|KHR|KRW|KWD|KZT|LAK|LBP|LKR|MAD|MDL|MKD|MMK|MNT|MXN|MYR|NGN"
    "|NOK|NPR|NZD|OMR|PEN|PHP|PKR|PLN|PYG|QAR|RON|RSD|RUB|RUR|SAR|SEK|SGD|SYP|THB|TJS|TMT|TND|TRY|TWD|TZS|UAH|UGX|USDT|USD"
    "|UYU|UZS|VES|VND|XAF|XOF|ZAR|ZMW"
)
_CURRENCY = (
    rf"[$€£¥₽₴₸₺₹₩₪₫₼₾֏₿]|US\$|(?:{_CODES})|руб(?:\.|лей)?|р\.|грн\.?|тг\.?|тенге|сом|сум|сўм"
    r"|so['’]m|лей|лв\.?|zł|Kč|kr\.?|Ft|Br"
)


def _number(portal: PortalType, decimal: str, group: str, beside: str = "") -> Candidate:
    """Numbers with a decimal mark, groups of thousands, a sign or brackets, and a percent sign or currency `beside`."""
    between, mark = _GROUPS.get(group, ""), _GROUPS.get(decimal, "")
    whole, few = "0|[1-9][0-9]{0,17}", "0|[1-9][0-9]{0,5}"
    if group:
        whole += f"|[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}}){{1,5}}"
        few += f"|[1-9][0-9]{{0,2}}{between}[0-9]{{3}}"
    whole, few = f"(?:{whole})", f"(?:{few})"
    fraction = f"{mark}[0-9]{{1,15}}" if mark else ""
    value = f"{whole}(?:{fraction})?" if mark else whole
    # A plus before many digits is one of a telephone number.
    plus = f"[+]{_SPACE}(?:{few}|{whole}{fraction})" if mark else f"[+]{_SPACE}{few}"
    minus = f"(?:[{MINUS}]{_SPACE})?"
    match beside:
        case "percent":
            forms = [f"(?:{minus}{value}|{plus}){_SPACE}%", rf"\({_SPACE}{value}{_SPACE}%?{_SPACE}\){_SPACE}%?"]
        case "currency":
            sign = f"(?:[+{MINUS}]{_SPACE})?"
            forms = [
                f"{sign}(?:{_CURRENCY}){_SPACE}{sign}{value}",
                f"{sign}{value}{_SPACE}(?:{_CURRENCY})",
                rf"(?:(?:{_CURRENCY}){_SPACE})?\({_SPACE}(?:(?:{_CURRENCY}){_SPACE})?{value}{_SPACE}(?:{_CURRENCY})?\)"
                rf"{_SPACE}(?:{_CURRENCY})?",
            ]
        case _:
            forms = [minus + value, plus, rf"\({_SPACE}{value}{_SPACE}\)"]
    digits = "{c}"
    if beside == "currency":
        # Some have a point of their own.
        digits = f"regexp_replace({{c}}, {literal(_CURRENCY)}, '', 'g')"
    digits = f"regexp_replace({digits}, '[^0-9{mark}]', '', 'g')"
    if decimal == ",":
        digits = f"replace({digits}, ',', '.')"
    number = f"(CASE WHEN regexp_matches({{c}}, '[{MINUS}(]') THEN '-' ELSE '' END || {digits})"
    exact = _EXACT.replace("{n}", number)
    needed = between if group in (",", ".") else mark
    return Candidate(
        portal,
        f"{_BLANK}*(?:{'|'.join(forms)}){_BLANK}*",
        f"TRY_CAST({number} AS BIGINT)" if portal == "int" else exact,
        number="" if portal == "int" else number,
        hundredths=beside == "percent",
        needs=f"[0-9]{needed}[0-9]" if needed else "",
        same=f"regexp_extract({{c}}, {literal(_CURRENCY)})" if beside == "currency" else "",
        decimal=decimal,
        thousands=group,
    )


_THOUSANDS = ("", " ", ",", ".", "'")
_MARKS = [(decimal, group) for decimal, group in itertools.product(".,", _THOUSANDS) if decimal != group]
_WRITTEN = (
    *(_number("int", "", group) for group in _THOUSANDS),
    *(_number("double", decimal, group) for decimal, group in _MARKS),
    *(
        _number("double", decimal, group, beside)
        for beside in ("percent", "currency")
        for decimal, group in (*(("", group) for group in _THOUSANDS), *_MARKS)
    ),
)

# Dates

_FRACTION = r"(?:[.,][0-9]{1,9})?"
_CLOCK = rf"[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}}{_FRACTION})?"
_HALF = r" ?[AaPp]\.?[Mm]\.?"
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_SPELLINGS = (
    ("[T, ]+([0-9]{1,2}:)", r" \1"),
    (r"(:[0-9]{2})[.,][0-9]+", r"\1"),
    (r" ?([AaPp])\.?[Mm]\.?$", r" \1M"),
)
_PARTS: Mapping[str, str] = {"%Y": "[0-9]{4}", "%y": "[0-9]{2}", "%m": "[0-9]{1,2}", "%d": "[0-9]{1,2}"}


def _dates(separator: str, parts: Sequence[str], order: Order = "") -> Iterator[Candidate]:
    """Days and moments of one order."""
    day = separator.join(parts)
    pattern = (r"\." if separator == "." else separator).join(_PARTS[part] for part in parts)
    yield Candidate("date", f" *{pattern} *", f"CAST(try_strptime(trim({{c}}), {literal(day)}) AS DATE)", order=order)
    formats = ", ".join(literal(f"{day} {time}") for time in _TIMES) + ", " + literal(day)
    # One blank before the time, none of the fraction, and AM or PM as the reader of dates knows them.
    text = "trim({c})"
    for found, become in _SPELLINGS:
        text = f"regexp_replace({text}, {literal(found)}, {literal(become)})"
    yield Candidate(
        "datetime",
        f" *{pattern}(?:(?:,? +|T){_CLOCK}(?:{_HALF})?)? *",
        f"try_strptime(upper({text}), [{formats}])",
        order=order,
    )


ISO_DATE = Candidate("date", "[0-9]{4}-[0-9]{2}-[0-9]{2}", "TRY_CAST({c} AS DATE)")
_ISO = (
    ISO_DATE,
    Candidate(
        "datetime",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?",
        "TRY_CAST({c} AS TIMESTAMP)",
    ),
    Candidate(
        "datetime",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
        r"(?:Z| UTC| ?[-+][0-9]{2}(?::?[0-9]{2})?)",
        "TRY_CAST(replace(replace({c}, ' +', '+'), ' -', '-') AS TIMESTAMPTZ)",
    ),
)
_SHORT_ISO = tuple(_dates("-", ("%Y", "%m", "%d")))
DATES: tuple[Candidate, ...] = (
    *_ISO,
    *_SHORT_ISO,
    *itertools.chain.from_iterable(_dates(separator, ("%Y", "%m", "%d")) for separator in "/."),
    *_dates(".", ("%d", "%m", "%Y")),
    *_dates(".", ("%d", "%m", "%y")),
    *itertools.chain.from_iterable(
        found
        for separator in "/-"
        for year in ("%Y", "%y")
        for found in (
            _dates(separator, ("%d", "%m", year), "day"),
            _dates(separator, ("%m", "%d", year), "month"),
        )
    ),
    *_dates("-", ("%y", "%m", "%d"), "year"),
)
TRUTH = Candidate("int", "(?i)true|false", "TRY_CAST({c} AS BOOLEAN)")
#: What is asked only about columns that hold nothing else.
OTHERS: tuple[Candidate, ...] = (*_SHORT_ISO, _EXPONENT, *_WRITTEN)
CANDIDATES: tuple[Candidate, ...] = (INTEGER, DECIMAL, TRUTH, *DATES, _EXPONENT, *_WRITTEN)

#: What a value of JSON or of a workbook may become; a text of digits is a text there, and a column of mixed values as
#: well. Words for nothing stand beside every kind.
OF_KINDS: Mapping[frozenset[str], tuple[Candidate, ...]] = {
    frozenset({"number"}): NUMBERS,
    frozenset({"truth"}): (TRUTH,),
    frozenset({"text"}): DATES,
    frozenset({"day"}): DATES,
    frozenset({"text", "day"}): DATES,
}
