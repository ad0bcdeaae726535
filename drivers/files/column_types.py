"""What the columns of a text hold: found by looking at every value, changed by the user where that errs.

A column gets a type only if each of its values fits, so that reading never fails half-way and never loses a zero at
the front of an article number; and only if no value can be read in two ways, unless the user or another column of the
file says which one is meant.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted here

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from drivers.errors import SettingsWrong
from drivers.files.converter.headers import NOTHING
from drivers.files.grammar import (
    CANDIDATES,
    DECIMAL,
    INTEGER,
    ISO_DATE,
    NO_DATE,
    NO_DATE_SQL,
    NUMBERS,
    OF_KINDS,
    OTHERS,
    Candidate,
    nothing_sql,
)
from drivers.files.sql_texts import literal, quoted
from drivers.files.told import Told

SAMPLE_ROWS = 5000
MOST_EXAMPLES = 5
#: DuckDB plans a statement of many aggregates in the square of their number, and cannot be stopped meanwhile: files are
#: asked about in parts, and only for types that their first rows do not rule out.
MOST_CHECKS = 240
FIRST_ROWS = 20
# So many first rows tell codes from numbers, so many columns at a time.
CODE_ROWS, CODE_COLUMNS = 2000, 100
#: What stands for nothing in every column.
NOTHING_AT_ALL = "\\N"
#: What the reader parses just as the conversion does.
_PARSED: Mapping[Candidate, str] = {INTEGER: "BIGINT", DECIMAL: "DECIMAL", ISO_DATE: "DATE"}

Check = Callable[[], None]


@dataclass(frozen=True)
class Conversion:
    """The SQL that gives a column its type, and what DuckDB's reader is to read the column as.

    Whole numbers, decimals and dates the reader parses itself, in six per cent less time of the processor. It takes no
    text that is empty but quoted, which is why columns with such a text stay texts for it.
    """

    sql: str
    read_as: str = "VARCHAR"


class Columns:
    """The columns of a text that `source`, a piece of SQL, reads as texts.

    `kinds` are those of its values, where its file has some; `check` is called before each statement and may raise.
    """

    #: Whether the reader of all rows may parse values, which fails where a later one does not fit.
    parses = True

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: str,
        names: Sequence[str],
        told: Told,
        kinds: Mapping[str, frozenset[str]] | None = None,
        check: Check = lambda: None,
    ) -> None:
        self._connection, self._source, self._names, self._told = connection, source, names, told
        self._kinds, self._check = kinds, check
        self._words = (*NOTHING, *told.nulls)
        self.rows, self._is_sample, self._empty = 0, False, frozenset[str]()

    def conversions(self) -> dict[str, Conversion]:
        """What turns each column into its type; `rows` is their number afterwards.

        All rows are read once at least, so that one that does not fit is found here. Raises `SettingsWrong("types")`
        with the first five rows and values where a chosen type does not fit, `duckdb.Error`.
        """
        among = self._not_ruled_out({name: self._candidates(name) for name in self._names})
        self._is_sample = self._counted(f"(SELECT * FROM {self._source} LIMIT {SAMPLE_ROWS})") < SAMPLE_ROWS
        first = {name: [one for one in found if not _is_later(one, found)] for name, found in among.items()}
        fitting = self._proved(first)
        # What programs have written fits no other way of writing, unless its points are those of thousands.
        others = {
            name: [one for one in found if one not in first[name] and (not fitting[name] or one.thousands == ".")]
            for name, found in among.items()
            if INTEGER not in fitting[name]
        }
        for name, also in self._proved(others).items():
            fitting[name] += also
        typed = self._settled(fitting)
        for name in self._empty:
            if self._told.type_of(name) not in ("", "string"):
                # Nothing speaks against the type, and later values will be judged by it.
                typed[name] = self._candidates(name)[0]
        self._judge_texts({name: fitting[name] for name in self._names if name not in typed})
        return self._narrowed(typed)

    def _judge_texts(self, fitting: Mapping[str, list[Candidate]]) -> None:
        """Refuse columns that stay texts though another type was chosen; `fitting` is what fits beside each other."""
        for name in fitting:
            if self._told.type_of(name) not in ("", "string"):
                raise SettingsWrong("types", "value_type", self._examples(name, self._told.type_of(name)))

    def _candidates(self, name: str) -> list[Candidate]:
        chosen = self._told.type_of(name) or None
        among: Sequence[Candidate] = CANDIDATES
        if self._kinds is not None and chosen is None:
            among = OF_KINDS.get(self._kinds[name] - {"nothing"}, ())
        is_said = self._kinds is not None and chosen is None
        return [
            candidate
            for candidate in among
            if chosen in (None, candidate.portal)
            and ((candidate in NUMBERS and is_said) or self._told.allows(candidate))
        ]

    def _not_ruled_out(self, among: Mapping[str, list[Candidate]]) -> dict[str, list[Candidate]]:
        """The candidates of each column whose pattern its first values fit; none for a column without any value."""
        rows = self._asked(f"SELECT * FROM {self._source} LIMIT {FIRST_ROWS}")
        columns = list(zip(*rows, strict=True)) or [()] * len(self._names)
        nothing = {"", *self._words}
        values = {
            name: {value for value in column if value and value.strip(" ") not in nothing}
            for name, column in zip(self._names, columns, strict=True)
        }
        empty = [name for name in self._names if not values[name] and among[name]]
        checks = [(name, f"{end}({{c}})") for name in empty for end in ("min", "max")]
        for name, value in zip((name for name, _ in checks), self._aggregated(self._source, checks), strict=True):
            if value is not None:
                values[name].add(value)
        self._empty = frozenset(name for name, found in values.items() if among[name] and not found)
        return {
            name: [candidate for candidate in among[name] if found and all(may_be(candidate, value) for value in found)]
            for name, found in values.items()
        }

    def _proved(self, among: Mapping[str, list[Candidate]]) -> dict[str, list[Candidate]]:
        if not self._is_sample:
            # What the first rows lack may stand in later ones.
            among = self._fitting(f"(SELECT * FROM {self._source} LIMIT {SAMPLE_ROWS})", among, _all_fit)
        return self._fitting(self._source, among, _holds)

    def _fitting(
        self, rows: str, among: Mapping[str, list[Candidate]], proof: Callable[[Candidate], str]
    ) -> dict[str, list[Candidate]]:
        """The candidates of each column of which `proof`, an aggregate, is true."""
        asked = [(name, candidate) for name, candidates in among.items() for candidate in candidates]
        checks = [(name, proof(candidate)) for name, candidate in asked]
        fitting: dict[str, list[Candidate]] = {name: [] for name in among}
        for (name, candidate), fits in zip(asked, self._aggregated(rows, checks), strict=True):
            if fits:
                fitting[name].append(candidate)
        return fitting

    def _settled(self, fitting: Mapping[str, list[Candidate]]) -> dict[str, Candidate]:
        """The candidate of each column that has only one way to be read."""
        decimals = {mark for candidates in fitting.values() if (mark := _decimal_of(candidates))}
        typed = {}
        for name, candidates in fitting.items():
            kept = [candidate for candidate in candidates if self._is_meant(candidate, candidates, decimals)]
            orders = {candidate.order for candidate in kept if candidate.order}
            if len(orders) > 1:
                said = "day" if self._told.type_of(name) else ""
                first = {"yes": "day", "no": "month"}.get(self._told.day_first, said)
                kept = [candidate for candidate in kept if not candidate.order or candidate.order == first]
            if kept:
                typed[name] = kept[0]
        codes = self._codes(typed, decimals)
        return {name: candidate for name, candidate in typed.items() if name not in codes}

    def _codes(self, typed: Mapping[str, Candidate], decimals: set[str]) -> set[str]:
        """Columns of codes with a point in them, such as accounts and versions, which only look like decimal numbers.

        That is what they are where the file's numbers have a comma, and where two differ by zeros at their end alone.
        """
        points = [name for name, found in typed.items() if found is DECIMAL and not self._told.type_of(name)]
        if self._kinds is not None or self._told.decimal or not points:
            return set()
        if decimals >= {",", "."}:
            return set(points)
        return self._differing_by_zeros(points)

    def _differing_by_zeros(self, names: Sequence[str]) -> set[str]:
        """The columns in whose first rows two values with a point differ by zeros at their end alone."""
        found = set()
        for start in range(0, len(names), CODE_COLUMNS):
            some = names[start : start + CODE_COLUMNS]
            rows = self._asked(f"SELECT {', '.join(map(quoted, some))} FROM {self._source} LIMIT {CODE_ROWS}")
            for name, column in zip(some, zip(*rows, strict=True), strict=False):
                values = {value for value in column if value and "." in value}
                if len({value.rstrip("0") for value in values}) < len(values):
                    found.add(name)
        return found

    def _is_meant(self, candidate: Candidate, among: Sequence[Candidate], decimals: set[str]) -> bool:
        """Whether a candidate is not one of two that read a comma or a point in different ways, or is the one meant."""
        for mark in ",.":
            if not {mark} <= {other.decimal for other in among} & {other.thousands for other in among}:
                continue
            settled = decimals or ({"."} if mark == "." and not self._told.semicolons else set())
            is_decimal = settled == {mark}
            if len(settled) != 1 and mark in (candidate.decimal, candidate.thousands):
                return False
            if (candidate.decimal == mark and not is_decimal) or (candidate.thousands == mark and is_decimal):
                return False
        return True

    def _narrowed(self, typed: Mapping[str, Candidate]) -> dict[str, Conversion]:
        """The columns' conversions; decimals get as many digits as they use."""
        asked: list[tuple[str, str]] = [(self._names[0], "count(*)")]
        for name in self._names:
            asked += [(name, fact) for fact in _facts_of(typed.get(name))]
        answers = (int(answer or 0) for answer in self._aggregated(self._source, asked))
        self.rows = next(answers)
        found = {}
        for name in self._names:
            facts = list(itertools.islice(answers, len(_facts_of(typed.get(name)))))
            if name in typed:
                found[name] = _conversion(typed[name], name, self._words, facts, self.parses)
            else:
                found[name] = _text(name, self._told.nulls, facts)
        return found

    def _examples(self, name: str, portal: str) -> str:
        candidates = [candidate for candidate in self._candidates(name) if candidate.portal == portal]
        value = nothing_sql(self._words, quoted(name))
        fits = " OR ".join(fits_sql(candidate).replace("{c}", "v") for candidate in candidates) or "FALSE"
        rows = self._asked(
            f"SELECT n, v FROM (SELECT row_number() OVER () AS n, {value} AS v FROM {self._source}) "
            f"WHERE v IS NOT NULL AND NOT ({fits}) ORDER BY n LIMIT {MOST_EXAMPLES}"
        )
        lines = [f"row {number}, column {name}: {str(value)[:100]!r} is no {portal}" for number, value in rows]
        return "\n".join(lines) or f"column {name}: its values can be read in two ways, or are of several forms"

    def _aggregated(self, rows: str, checks: Sequence[tuple[str, str]]) -> Iterator[Any]:
        """What aggregates say about columns, in their order: `{c}` without words for nothing, `{r}` as they are."""
        for first in range(0, len(checks), MOST_CHECKS):
            some = checks[first : first + MOST_CHECKS]
            names = {name: f"v{number}" for number, name in enumerate(dict.fromkeys(name for name, _ in some))}
            values = ", ".join(
                f"{nothing_sql(self._words, quoted(name))} AS {value}, {quoted(name)} AS r{value}"
                for name, value in names.items()
            )
            asked = ", ".join(
                check.replace("{c}", names[name]).replace("{r}", "r" + names[name]) for name, check in some
            )
            yield from self._asked(f"SELECT {asked} FROM (SELECT {values} FROM {rows})")[0]

    def _counted(self, rows: str) -> int:
        return int(self._asked(f"SELECT count(*) FROM {rows}")[0][0])

    def _asked(self, statement: str) -> list[tuple[Any, ...]]:
        self._check()
        return self._connection.execute(statement).fetchall()


def _is_later(candidate: Candidate, among: Sequence[Candidate]) -> bool:
    """Whether a candidate is asked about only if a narrower one, which is proved in less time, does not fit."""
    if candidate is DECIMAL:
        return INTEGER in among
    if candidate.portal == "datetime":
        return any(other.portal == "date" for other in among)
    return candidate in OTHERS


def may_be(candidate: Candidate, value: str) -> bool:
    """Whether a value has the form of a candidate."""
    if candidate.is_date and re.fullmatch(NO_DATE, value):
        return True
    return re.fullmatch(candidate.pattern, value) is not None


def fits_sql(candidate: Candidate) -> str:
    """Whether a text is nothing or fits a candidate, as SQL with `{c}` for the text."""
    value = NO_DATE_SQL if candidate.is_date else "{c}"
    converted = candidate.convert.replace("{c}", value)
    kept = candidate.kept.replace("{v}", converted).replace("{c}", value)
    pattern = literal(f"({candidate.pattern})")
    return f"({value} IS NULL OR (regexp_full_match({value}, {pattern}) AND {kept}))"


def _all_fit(candidate: Candidate) -> str:
    """Whether all texts of a column fit a candidate, as an aggregate with `{c}` for the text."""
    return f"bool_and({fits_sql(candidate)})"


def _holds(candidate: Candidate) -> str:
    """Whether a column has texts, all of them fit a candidate, and together they show what it needs."""
    value = NO_DATE_SQL if candidate.is_date else "{c}"
    parts = [f"{_all_fit(candidate)} AND count({value}) > 0"]
    if candidate.needs:
        parts.append(f"bool_or(regexp_matches({value}, {literal(candidate.needs)}))")
    if candidate.same:
        parts.append(f"min({candidate.same}) = max({candidate.same})")
    return " AND ".join(parts)


def _decimal_of(candidates: Sequence[Candidate]) -> str:
    """The decimal mark that a column shows beyond doubt, empty without one."""
    decimals = {candidate.decimal for candidate in candidates if candidate.needs or candidate is DECIMAL} - {""}
    thousands = {candidate.thousands for candidate in candidates} & {",", "."}
    if INTEGER in candidates or decimals & thousands or len(decimals | thousands) == 0:
        return ""
    if len(decimals) == 1:
        return decimals.pop()
    return {",": ".", ".": ","}.get(thousands.pop(), "") if len(thousands) == 1 and not decimals else ""


def _facts_of(candidate: Candidate | None) -> list[str]:
    """What is counted of a column before it is converted, as aggregates: its words for nothing first."""
    facts = ["count({r}) - count({c})"]
    if candidate is None:
        facts.append(f"count_if({{r}} = {literal(NOTHING_AT_ALL)})")
    elif candidate.number:
        facts += [f"max(length(split_part({candidate.number}, '.', {part})))" for part in (1, 2)]
    elif candidate.is_date:
        facts.append(f"count({{c}}) - count({NO_DATE_SQL})")
    return facts


def _text(name: str, nulls: Sequence[str], facts: Sequence[int]) -> Conversion:
    worded, missing = facts
    words = [*nulls, *([NOTHING_AT_ALL] if missing else [])]
    column = quoted(name)
    if not (worded and words):
        return Conversion(column)
    listed = ", ".join(map(literal, words))
    return Conversion(f"CASE WHEN trim({column}) IN ({listed}) THEN NULL ELSE {column} END")


def _conversion(
    candidate: Candidate, name: str, words: Sequence[str], facts: Sequence[int], parses: bool
) -> Conversion:
    worded, *others = facts
    convert, read_as = candidate.convert, _PARSED.get(candidate, "")
    value = nothing_sql(words, quoted(name)) if worded else quoted(name)
    if candidate.number:
        whole, places = others
        exact = f"DECIMAL({max(whole + places, 4)}, {places})"
        convert = convert.replace("DECIMAL(36, 18)", exact)
        read_as = read_as.replace("DECIMAL", exact)
        if candidate.hundredths:
            convert = f"({convert} * CAST(0.01 AS DECIMAL(3, 2)))"
    elif candidate.is_date and any(others):
        value, worded = NO_DATE_SQL.replace("{c}", value), 1
    if read_as and parses and not worded:
        return Conversion(quoted(name), read_as)
    return Conversion(convert.replace("{c}", value))
