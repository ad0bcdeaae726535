"""Why columns of a text stay texts: how many of their values do not fit the type that is near, and the first of them.

For people who look at a file before it becomes a connection; what answers are made of refuses instead.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted

from __future__ import annotations

from collections.abc import Mapping

from drivers.files.column_types import Columns, fits_sql, may_be
from drivers.files.grammar import CANDIDATES, Candidate, nothing_sql
from drivers.files.sql_texts import quoted
from drivers.previews import Doubt, Misfits

#: So many values of a column, at its beginning, decide which types are near.
_LOOKED_AT = 200
_MOST_NEAR = 3


class TolerantColumns(Columns):
    """Columns whose chosen types need not fit: those that do not stay texts.

    After `conversions`, `misfits` and `doubts` say of columns which values stand in the way, and which can be read in
    two ways.
    """

    parses = False

    def _judge_texts(self, fitting: Mapping[str, list[Candidate]]) -> None:
        self.misfits: dict[str, Misfits] = {}
        self.doubts: dict[str, Doubt] = {}
        rows = self._asked(f"SELECT * FROM {self._source} LIMIT {_LOOKED_AT}")
        columns = dict(zip(self._names, zip(*rows, strict=True) if rows else [()] * len(self._names), strict=True))
        nothing = {"", *self._words}
        for name, found in fitting.items():
            if self._told.type_of(name) == "string" or not self._may_be_meant(name):
                continue
            if found:
                self.doubts[name] = "order" if any(candidate.order for candidate in found) else "marks"
                continue
            values = [value for value in columns[name] if value and value.strip(" ") not in nothing]
            if misfits := self._misfits(name, self._near(name, values)):
                self.misfits[name] = misfits

    def _may_be_meant(self, name: str) -> bool:
        """Whether a column of texts may be meant as something else: texts of JSON or of a workbook are not."""
        return bool(self._told.type_of(name)) or self._kinds is None or len(self._kinds[name] - {"nothing"}) > 1

    def _near(self, name: str, values: list[str]) -> list[Candidate]:
        """What fits most of the first values; of a chosen type, what fits the most."""
        chosen = self._told.type_of(name)
        among = [one for one in CANDIDATES if chosen in ("", one.portal) and self._told.allows(one)]
        counted = [(sum(may_be(one, value) for value in values), one) for one in among]
        least = 0 if chosen else max(len(values) // 2, 1)
        near = sorted((pair for pair in counted if pair[0] >= least), key=lambda pair: -pair[0])
        return [candidate for _, candidate in near[:_MOST_NEAR]]

    def _misfits(self, name: str, near: list[Candidate]) -> Misfits | None:
        """The misfits of the nearest type; None where it is not near, or where a column is empty."""
        if not near:
            return None
        value = nothing_sql(self._words, quoted(name))
        bad = [f"NOT {fits_sql(candidate).replace('{c}', 'v')}" for candidate in near]
        asked = ", ".join(f"count_if({one}), min(n) FILTER ({one}), arg_min(v, n) FILTER ({one})" for one in bad)
        (row,) = self._asked(
            f"SELECT count(v), {asked} FROM (SELECT row_number() OVER () AS n, {value} AS v FROM {self._source})"
        )
        count, found = row[0], [row[1 + 3 * at : 4 + 3 * at] for at in range(len(near))]
        (wrong, first, text), candidate = min(zip(found, near, strict=True), key=lambda pair: pair[0][0])
        if not wrong or (not self._told.type_of(name) and 2 * wrong > count):
            return None
        return Misfits(candidate.portal, wrong, first, text)
