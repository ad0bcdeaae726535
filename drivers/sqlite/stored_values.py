"""What the columns of a SQLite table hold: the values that are stored there decide, all of them, and types only hint.

SQLite keeps in any column whatever was put there, and forgets types where a view computes. So each column has a guess,
by its declared type and by its first values, which all its values prove or change in one reading: from whole numbers
to numbers, from anything to text, which holds everything. What was found is kept until the file changes.
"""

# ruff: noqa: S608 - names in these statements are quoted

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from drivers.columns import Column, Form, sqlite_form
from drivers.sql import quoting
from drivers.sqlite.written_dates import FALSE, TRUE, Kind, kind_of, order_of, unit_of

quote = quoting('"', '"')
Fetch = Callable[[str], list[tuple[Any, ...]]]
State = tuple[Any, ...]
FIRST_ROWS = 20
#: Aggregates of one statement; a row of SQLite has twice as many columns.
MOST_CHECKS = 500
#: A file that changed so shortly ago may have changed again without a sign.
QUIET_SECONDS = 0.1
TABLES_REMEMBERED = 500

_DAY_SHAPE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_CUT = "'1900-01-01 00:00:00'"
_REAL_DAY = f"{{c}} GLOB '{_DAY_SHAPE}*' AND date(substr({{c}}, 1, 10)) = substr({{c}}, 1, 10)"
# What is written as it is shown, by far the most, is decided by one comparison.
_DATE = (
    f"CASE WHEN date({{c}}) = {{c}} THEN {{c}} WHEN typeof({{c}}) = 'text' THEN "
    f"CASE WHEN {_REAL_DAY} THEN substr({{c}}, 1, 10) END "
    "WHEN typeof({c}) = 'integer' THEN bi_day(datetime({c}, 'unixepoch')) "
    "WHEN typeof({c}) = 'real' THEN date({c}) END"
)
_TEXT_TIME = (
    f"CASE WHEN {_REAL_DAY} THEN CASE WHEN substr({{c}}, 12) GLOB '*[-+Zz]*' THEN bi_zone(datetime({{c}})) "
    "ELSE datetime({c}) END END"
)
_DATETIME = (
    f"CASE WHEN datetime({{c}}) = {{c}} THEN CASE WHEN {{c}} > {_CUT} THEN {{c}} END ELSE "
    f"nullif(max(CASE typeof({{c}}) WHEN 'text' THEN {_TEXT_TIME} WHEN 'integer' THEN "
    f"bi_zone(datetime({{c}}, 'unixepoch')) WHEN 'real' THEN datetime({{c}}) END, {_CUT}), {_CUT}) END"
)
_TRUTH = (
    "CASE WHEN typeof({c}) <> 'text' THEN {c} WHEN lower(trim({c})) IN "
    f"{TRUE!r} THEN 1 WHEN lower(trim({{c}})) IN {FALSE!r} THEN 0 END"
)
_FINITE = "{c} BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308"
#: A real in a text keeps all its digits.
_ANY_TEXT = (
    "CASE typeof({c}) WHEN 'blob' THEN bi_text({c}) WHEN 'real' THEN json_quote({c}) || '' ELSE CAST({c} AS TEXT) END"
)
_EXPRESSIONS: Mapping[Form, str] = {
    Form.TEXT: "CAST({c} AS TEXT)",
    Form.RENDERED: _ANY_TEXT,
    Form.BINARY: "CASE WHEN {c} IS NOT NULL THEN lower(hex({c})) END",
    Form.BOOLEAN: _TRUTH,
    Form.INTEGER: "CASE WHEN typeof({c}) = 'integer' THEN {c} END",
    Form.EXACT: f"CASE WHEN {_FINITE} THEN {{c}} END",
    Form.FLOAT: f"CASE WHEN {_FINITE} THEN {{c}} END",
    Form.DATE: _DATE,
    Form.DATETIME: _DATETIME,
}
_NUMBER = f"({{c}} IS NULL OR (typeof({{c}}) <> 'text' AND {_FINITE}))"
_WHOLE = "typeof({c}) IN ('integer', 'null')"
_HELD: Mapping[Form, str] = {
    Form.BOOLEAN: _WHOLE,
    Form.INTEGER: _WHOLE,
    Form.EXACT: _NUMBER,
    Form.FLOAT: _NUMBER,
    Form.BINARY: "typeof({c}) IN ('blob', 'null')",
    Form.DATE: "({c} IS NULL OR date({c}) = {c})",
    Form.DATETIME: f"({{c}} IS NULL OR (datetime({{c}}) = {{c}} AND {{c}} > {_CUT}))",
}
"""Values that a form shows as they are; all others are looked at one by one."""
_SHOWN_AS_THEY_ARE: Mapping[Form, Kind] = {
    **dict.fromkeys((Form.BOOLEAN, Form.INTEGER), ~(Kind.BLANK | Kind.TRUTH)),
    **dict.fromkeys((Form.EXACT, Form.FLOAT), ~(Kind.BLANK | Kind.ENDLESS)),
    Form.DATE: Kind.DAY | Kind.BEFORE_1900,
    Form.DATETIME: Kind.TIME | Kind.LOCAL,
}
"""Kinds of values that spare a column the expression which its form needs for others; it is what costs time."""
# What no text of a date or a truth has is not brought over, whatever its length and its bytes.
_BRIEF = (
    "CASE typeof({c}) WHEN 'text' THEN CASE WHEN length({c}) <= 48 AND {c} NOT GLOB '*[^ -~]*' THEN {c} ELSE 'x' END "
    "WHEN 'blob' THEN x'' ELSE {c} END"
)
_FOREIGN: Mapping[Form, str] = {
    Form.DATE: "CASE WHEN {c} IS NULL OR date({c}) = {c} THEN {c} ELSE bi_shown({c}, {s}) END",
    Form.DATETIME: (
        f"CASE WHEN datetime({{c}}) = {{c}} THEN CASE WHEN {{c}} > {_CUT} THEN {{c}} END "
        "WHEN {c} IS NOT NULL THEN bi_shown({c}, {s}) END"
    ),
}
"""Where a column holds more than SQLite's own functions read."""
#: What SQLite calls the columns of views that have no type.
_NO_TYPES = ("BLOB", "ANY")
_TIMES = (Form.DATE, Form.DATETIME)
_DATES = Kind.DAY | Kind.TIME
_NUMBERS = Kind.WHOLE | Kind.REAL
_VALUES = _DATES | _NUMBERS | Kind.TRUTH | Kind.WORDS | Kind.BYTES


class Kinds:
    """An aggregate: the kinds of all values that it was given, as a number."""

    def __init__(self) -> None:
        self._kinds = Kind.NONE.value

    def step(self, value: str | float | bytes | None) -> None:
        """Take one value."""
        if value is not None:
            self._kinds |= kind_of(value).value

    def final(self) -> int:
        """The kinds so far."""
        return self._kinds


@dataclass(frozen=True)
class _Guess:
    """What a column may be: `declared` is what its type says, if anything, `kinds` what is known of its values.

    `proved` once `form` holds all of them; `sees_all` where even those that a form usually holds have to be looked at.
    """

    name: str
    native: str
    nullable: bool
    declared: Form | None
    kinds: Kind
    form: Form
    proved: bool
    sees_all: bool = False

    def after(self, found: Kind) -> _Guess:
        """The guess after all values were seen that the form does not hold as they are: these are what was found."""
        kinds = self.kinds | found
        form = _form(self.declared, self.native, kinds)
        # A time without an offset is none of those that were looked at.
        is_partial = self.declared not in _TIMES and form in _TIMES and Kind.OFFSET in kinds and not self.sees_all
        proved = form in (Form.TEXT, Form.RENDERED) or (form == self.form and not is_partial)
        return replace(self, kinds=kinds, form=form, proved=proved, sees_all=self.sees_all or is_partial)

    @property
    def check(self) -> str:
        """The SQL of an aggregate: the kinds of all values that the form does not hold as they are."""
        held = "{c} IS NULL" if self.sees_all else _HELD[self.form]
        return f"bi_kinds({_BRIEF}) FILTER (WHERE ({held}) IS NOT TRUE)"


def _first_guess(name: str, native: str, nullable: bool, kinds: Kind) -> _Guess:
    declared = sqlite_form(native)
    form = _form(declared, native, kinds)
    return _Guess(name, native, nullable, declared, kinds, form, form in (Form.TEXT, Form.RENDERED))


def _form(declared: Form | None, native: str, kinds: Kind) -> Form:
    """The form that holds values of these kinds, the declared one if it does."""
    values = kinds & _VALUES
    if declared is Form.RENDERED or not values:
        return declared or Form.RENDERED
    if declared is Form.TEXT:
        return _written_form(kinds) or Form.TEXT
    is_time = bool(order_of(kinds)) and (not values & _NUMBERS or unit_of(kinds) is not None)
    if declared in _TIMES and is_time and not values & ~(_DATES | _NUMBERS):
        return declared
    if declared is Form.BOOLEAN and not values & ~(Kind.WHOLE | Kind.TRUTH):
        return declared
    if not values & ~_NUMBERS:
        if declared in (Form.EXACT, Form.FLOAT):
            return declared
        if declared is None and native.strip() and native.upper() not in _NO_TYPES:
            # A type of somebody's own is a number to SQLite.
            return Form.EXACT
        return Form.FLOAT if Kind.REAL in values else Form.INTEGER
    if values == Kind.BYTES:
        return Form.BINARY
    return _written_form(kinds) or Form.RENDERED


def _written_form(kinds: Kind) -> Form | None:
    """What texts are that nothing but themselves calls dates; None where they are none beyond doubt, or would lose."""
    if (kinds & _VALUES) & ~_DATES or not kinds & _DATES or Kind.SHORT_YEAR in kinds or not order_of(kinds):
        return None
    if Kind.TIME not in kinds:
        return Form.DATE
    is_mixed = Kind.OFFSET in kinds and bool(kinds & (Kind.LOCAL | Kind.DAY))
    return None if is_mixed or Kind.BEFORE_1900 in kinds else Form.DATETIME


def _column(guess: _Guess) -> Column:
    expression = _EXPRESSIONS.get(guess.form, "{c}")
    if not guess.kinds & ~_SHOWN_AS_THEY_ARE.get(guess.form, Kind.NONE):
        expression = "{c}"
    elif guess.form in _TIMES and not _is_native(guess.kinds):
        said = f"'{guess.form.value}', '{order_of(guess.kinds)}', '{unit_of(guess.kinds) or ''}'"
        expression = _FOREIGN[guess.form].replace("{s}", said)
    # A dataset that has the column as texts goes on to have those that are stored.
    are_texts = (guess.form in _TIMES and not guess.kinds & _NUMBERS) or Kind.TRUTH in guess.kinds
    stored = _ANY_TEXT if are_texts and guess.form in (*_TIMES, Form.BOOLEAN) else ""
    return Column(guess.name, guess.form, guess.native, guess.nullable, expression=expression, text=stored)


def _is_native(kinds: Kind) -> bool:
    """Whether SQLite itself reads all of these: texts of ISO 8601, seconds since 1970, and Julian days."""
    if Kind.FOREIGN in kinds:
        return False
    unit = unit_of(kinds)
    return (
        not kinds & _NUMBERS
        or (unit == "s" and Kind.REAL not in kinds)
        or (unit == "julian" and Kind.WHOLE not in kinds)
    )


class FileStates:
    """What was found in files that have not changed since."""

    def __init__(self) -> None:
        self._found: LRUCache[tuple[Any, ...], tuple[Column, ...]] = LRUCache(TABLES_REMEMBERED)
        self._lock = threading.Lock()

    def get(self, state: State | None, table: str) -> tuple[Column, ...] | None:
        """The columns of a table in a state of its file."""
        with self._lock:
            return None if state is None else self._found.get((state, table))

    def keep(self, state: State | None, table: str, columns: tuple[Column, ...]) -> None:
        """Keep the columns of a table in a state of its file, if that can be told from others."""
        if state is not None:
            with self._lock:
                self._found[state, table] = columns


def state_of(path: str) -> State | None:
    """What tells a state of a file from others, without opening it; None for one that has changed just now.

    Opening and closing it would undo the locks that SQLite holds for this process.
    """
    seen: list[Any] = [path]
    latest = 0.0
    for end in ("", "-wal"):
        try:
            found = Path(path + end).stat()
        except OSError:
            seen.append(None)
            continue
        seen += [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
        latest = max(latest, found.st_mtime, found.st_ctime)
    return tuple(seen) if time.time() - latest > QUIET_SECONDS else None


def stored_columns(fetch: Fetch, table: str, declared: Sequence[tuple[str, str, bool]]) -> tuple[Column, ...]:
    """The columns of a table of which names, declared types and whether NULL is allowed are given, in their order.

    `fetch` runs a statement and knows the aggregate `bi_kinds`, which is `Kinds`.
    """
    source = quote(table)
    sampled = _sampled(fetch, source, [name for name, *_ in declared])
    guesses = [_first_guess(*each, kinds) for each, kinds in zip(declared, sampled, strict=True)]
    while unproved := [number for number, guess in enumerate(guesses) if not guess.proved]:
        checks = [(guesses[number].name, guesses[number].check) for number in unproved]
        for number, found in zip(unproved, _asked(fetch, source, checks), strict=True):
            guesses[number] = guesses[number].after(Kind(found))
    return tuple(map(_column, guesses))


def _sampled(fetch: Fetch, source: str, names: Sequence[str]) -> list[Kind]:
    """The kinds of each column's first values, or of its least and its greatest, where the first ones are missing."""
    first = f"(SELECT * FROM {source} LIMIT {FIRST_ROWS})"
    kinds = [Kind(found) for found in _asked(fetch, first, [(name, f"bi_kinds({_BRIEF})") for name in names])]
    empty = [number for number, found in enumerate(kinds) if not found & _VALUES]
    ends = [(names[number], f"{end}({{c}})") for number in empty for end in ("min", "max")]
    for number, value in zip(
        (number for number in empty for _ in "12"), _asked(fetch, source, ends, _BRIEF), strict=True
    ):
        if value is not None:
            kinds[number] |= kind_of(value)
    return kinds


def _asked(fetch: Fetch, source: str, checks: Sequence[tuple[str, str]], then: str = "{c}") -> Iterator[Any]:
    """What aggregates say of columns, and `then` of that."""
    for start in range(0, len(checks), MOST_CHECKS):
        some = checks[start : start + MOST_CHECKS]
        asked = ", ".join(f"{check.replace('{c}', quote(name))} AS v{n}" for n, (name, check) in enumerate(some))
        shown = ", ".join(then.replace("{c}", f"v{n}") for n in range(len(some)))
        yield from fetch(f"SELECT {shown} FROM (SELECT {asked} FROM {source})")[0]
