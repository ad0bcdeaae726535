"""What the columns of a CSV file hold: found by looking at every value, changed by the user where that errs.

A column gets a type only if each of its values fits, so that reading never fails half-way and never loses a zero at
the front of an article number. Dates with slashes have a type only where day and month cannot be mistaken.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted here

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from drivers.errors import SettingsWrong

SAMPLE_ROWS = 5000
MOST_EXAMPLES = 5
#: DuckDB plans a statement of many aggregates in the square of their number, and cannot be stopped meanwhile: wide
#: files are asked about in parts, and only for types that their first rows do not rule out.
MOST_CHECKS = 240
WIDE = 50
FIRST_ROWS = 20
EMPTY = "nullif({c}, '')"


@dataclass(frozen=True)
class Candidate:
    """A type that a text column may have: a pattern that all values fit, and the SQL that converts them.

    `kept` is the SQL that tells whether a conversion (`{v}`) of a text (`{c}`) keeps what the text says.
    """

    portal: str
    pattern: str
    convert: str
    kept: str = "{v} IS NOT NULL"


@dataclass(frozen=True)
class Conversion:
    """The SQL that gives a column its type, and what DuckDB's reader is to read the column as.

    Whole numbers, decimals and dates the reader parses itself, in six per cent less time of the processor. It takes no
    text that is empty but quoted, which is why columns with such a text stay texts for it.
    """

    sql: str
    read_as: str = "VARCHAR"


def _day(order: str, separator: str) -> str:
    return f"CAST(try_strptime({{c}}, '{order.replace('-', separator)}') AS DATE)"


#: Digits of a number without its sign, point, exponent and the zeros around.
_DIGITS = "trim(replace(regexp_replace({c}, '^-|[eE].*$', '', 'g'), '.', ''), '0')"
#: A double holds seventeen digits, and neither 1e400 nor 1e-400.
_HELD = f"(isfinite({{v}}) AND length({_DIGITS}) <= 17 AND ({{v}} <> 0 OR {_DIGITS} = ''))"
_TIME = r"[ T]\d{1,2}:\d{2}(:\d{2})?"
CANDIDATES: tuple[Candidate, ...] = (
    Candidate("int", r"-?(0|[1-9]\d{0,18})", "TRY_CAST({c} AS BIGINT)"),
    Candidate("double", r"-?(0|[1-9]\d{0,17})(\.\d{1,18})?", "TRY_CAST({c} AS DECIMAL(36, 18))"),
    Candidate("double", r"-?(0|[1-9]\d{0,17})(,\d{1,18})?", "TRY_CAST(replace({c}, ',', '.') AS DECIMAL(36, 18))"),
    Candidate("double", r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?", "TRY_CAST({c} AS DOUBLE)", _HELD),
    Candidate("int", "(?i)true|false", "TRY_CAST({c} AS BOOLEAN)"),
    Candidate("date", r"\d{4}-\d{2}-\d{2}", "TRY_CAST({c} AS DATE)"),
    Candidate("date", r"\d{1,2}\.\d{1,2}\.\d{4}", _day("%d-%m-%Y", ".")),
    Candidate("date", r"\d{1,2}/\d{1,2}/\d{4}", _day("%d-%m-%Y", "/")),
    Candidate("date", r"\d{1,2}/\d{1,2}/\d{4}", _day("%m-%d-%Y", "/")),
    Candidate(
        "datetime", r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?", "TRY_CAST({c} AS TIMESTAMP)"
    ),
    Candidate(
        "datetime", r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[-+]\d{2}(:?\d{2})?)",
        "TRY_CAST({c} AS TIMESTAMPTZ)",
    ),
    Candidate(
        "datetime", rf"\d{{1,2}}\.\d{{1,2}}\.\d{{4}}{_TIME}",
        "coalesce(try_strptime({c}, '%d.%m.%Y %H:%M:%S'), try_strptime({c}, '%d.%m.%Y %H:%M'))",
    ),
)  # fmt: skip
_DAY_FIRST, _MONTH_FIRST = CANDIDATES[7], CANDIDATES[8]
#: What the reader parses just as the conversion does.
_PARSED: Mapping[Candidate, str] = {CANDIDATES[0]: "BIGINT", CANDIDATES[1]: "DECIMAL", CANDIDATES[5]: "DATE"}
PORTAL_TYPES = ("int", "double", "string", "date", "datetime")
#: What values of JSON may become; a text of digits is a text there, and a column of mixed values as well.
OF_KINDS: Mapping[frozenset[str], tuple[Candidate, ...]] = {
    frozenset({"number"}): (CANDIDATES[0], CANDIDATES[1], CANDIDATES[3]),
    frozenset({"truth"}): (CANDIDATES[4],),
    frozenset({"text"}): CANDIDATES[5:],
}


def overrides(text: str, columns: Sequence[str]) -> dict[str, str]:
    """The user's `column: type` lines. Raises `SettingsWrong("types")` for a line that cannot be understood."""
    chosen = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, portal = line.rpartition(":")
        if name.strip() not in columns or portal.strip() not in PORTAL_TYPES:
            raise SettingsWrong("types", "line_not_understood", line[:200])
        chosen[name.strip()] = portal.strip()
    return chosen


def conversions(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[str],
    chosen: Mapping[str, str],
    kinds: Mapping[str, frozenset[str]] | None = None,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Conversion]:
    """What turns each text column of `source` into its type; `kinds` are those of JSON's values, where it is JSON.

    The whole source is read once at least, whatever its columns are, so that a row that does not fit is found here.
    `check` is called before each statement and may raise. Raises `SettingsWrong("types")` with the first five rows and
    values where a chosen type does not fit.
    """
    among = {
        name: [
            candidate
            for candidate in (CANDIDATES if kinds is None or name in chosen else OF_KINDS.get(kinds[name], ()))
            if chosen.get(name, candidate.portal) == candidate.portal
        ]
        for name in columns
    }
    if len(columns) > WIDE:
        check()
        among = _not_ruled_out(connection, source, among)
    sample = f"SELECT * FROM {source} LIMIT {SAMPLE_ROWS}"
    ((rows,),) = connection.execute(f"SELECT count(*) FROM ({sample})").fetchall()
    proved = among if rows < SAMPLE_ROWS else _fitting(connection, sample, among, check)
    proved = _fitting(connection, f"SELECT * FROM {source}", proved, check)
    for name in columns:
        if _DAY_FIRST in proved[name] and _MONTH_FIRST in proved[name]:
            proved[name] = []
        if name in chosen and chosen[name] != "string" and not proved[name]:
            raise SettingsWrong("types", "value_type", _examples(connection, source, name, chosen[name]))
    typed = {name: candidates[0] for name, candidates in proved.items() if candidates}
    found = _narrowed(connection, source, typed, check)
    return {name: found.get(name, Conversion(quoted(name))) for name in columns}


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def _not_ruled_out(
    connection: duckdb.DuckDBPyConnection, source: str, among: Mapping[str, list[Candidate]]
) -> dict[str, list[Candidate]]:
    """The candidates of each column whose pattern its first values fit."""
    rows = connection.execute(f"SELECT * FROM {source} LIMIT {FIRST_ROWS}").fetchall()
    values = [{value for value in column if value} for column in zip(*rows, strict=True)] or [set()] * len(among)
    return {
        name: [candidate for candidate in candidates if all(re.fullmatch(candidate.pattern, value) for value in column)]
        for (name, candidates), column in zip(among.items(), values, strict=True)
    }


def _aggregated(
    connection: duckdb.DuckDBPyConnection, checks: Sequence[str], rows: str, check: Callable[[], None]
) -> Iterator[Any]:
    """What the checks say about the rows, in their order; the rows are read also where nothing is asked."""
    for first in range(0, max(len(checks), 1), MOST_CHECKS):
        check()
        some = checks[first : first + MOST_CHECKS]
        (answers,) = connection.execute(f"SELECT {', '.join(['count(*)', *some])} FROM ({rows})").fetchall()
        yield from answers[1:]


def _fitting(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    among: Mapping[str, list[Candidate]],
    check: Callable[[], None],
) -> dict[str, list[Candidate]]:
    """The candidates of each column that every value fits; none for a column without any value."""
    asked = [(name, candidate) for name, candidates in among.items() for candidate in candidates]
    checks = [
        f"bool_and({_fits(name, candidate)}) AND count({EMPTY.format(c=quoted(name))}) > 0" for name, candidate in asked
    ]
    fitting: dict[str, list[Candidate]] = {name: [] for name in among}
    for (name, candidate), fits in zip(asked, _aggregated(connection, checks, rows, check), strict=True):
        if fits:
            fitting[name].append(candidate)
    return fitting


def _fits(name: str, candidate: Candidate) -> str:
    value = EMPTY.format(c=quoted(name))
    converted = candidate.convert.replace("{c}", value)
    pattern = literal(f"({candidate.pattern})")
    kept = candidate.kept.replace("{v}", converted).replace("{c}", value)
    return f"({value} IS NULL OR (regexp_full_match({value}, {pattern}) AND {kept}))"


def _narrowed(
    connection: duckdb.DuckDBPyConnection, source: str, typed: Mapping[str, Candidate], check: Callable[[], None]
) -> dict[str, Conversion]:
    """The columns' conversions; decimals get as many digits as they use."""
    if not typed:
        return {}
    asked = []
    for name, candidate in typed.items():
        value, mark = EMPTY.format(c=quoted(name)), "," if "replace" in candidate.convert else "."
        asked.append(f"count_if({quoted(name)} = '')")
        asked += [f"max(length(split_part({value}, '{mark}', {part})))" for part in (1, 2)]
    answers = list(_aggregated(connection, asked, f"SELECT * FROM {source}", check))
    found = {}
    for (name, candidate), *facts in zip(typed.items(), answers[::3], answers[1::3], answers[2::3], strict=True):
        empty, whole, places = map(int, facts)
        exact = f"DECIMAL({max(whole + places, 4)}, {places})"
        convert = candidate.convert.replace("DECIMAL(36, 18)", exact)
        read_as = _PARSED.get(candidate, "").replace("DECIMAL", exact)
        plain = Conversion(convert.replace("{c}", EMPTY.format(c=quoted(name))))
        found[name] = Conversion(quoted(name), read_as) if read_as and not empty else plain
    return found


def _examples(connection: duckdb.DuckDBPyConnection, source: str, name: str, portal: str) -> str:
    fits = " OR ".join(_fits(name, candidate) for candidate in CANDIDATES if candidate.portal == portal)
    rows = connection.execute(
        f"SELECT n, v FROM (SELECT row_number() OVER () AS n, {quoted(name)} AS v, {fits} AS fits FROM {source}) "
        f"WHERE NOT fits ORDER BY n LIMIT {MOST_EXAMPLES}"
    ).fetchall()
    lines = [f"row {number}, column {name}: {str(value)[:100]!r} is no {portal}" for number, value in rows]
    return "\n".join(lines) or f"column {name}: day and month can be mistaken for each other"
