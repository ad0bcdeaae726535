"""The draft of a dataset as its form says it: names and types of columns, and what becomes of what does not fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from flask import request
from flask_babel import gettext as _
from flask_babel import ngettext

from drivers.columns import PortalType
from errors import FieldProblem, InvalidInput
from sentences.choices import column_type
from services.contract.ledger import ColumnChoice
from services.contract.names import Unfit
from services.publishing.drafts import Draft, TypeTest
from services.publishing.tables import ListedColumn

TEST = "_test"
"""The button that tests the values and publishes nothing."""


@dataclass(frozen=True)
class DraftRow:
    """A column with what was typed for it; `unfit` is empty until somebody has said what becomes of misfits."""

    listed: ListedColumn
    types: Sequence[tuple[str, str]]
    ticked: bool
    name: str
    type: PortalType
    unfit: Unfit = ""
    test: TypeTest | None = None

    @property
    def code(self) -> str:
        """What the contract calls the column, and the form's inputs."""
        return self.listed.column.code

    @property
    def own_type(self) -> PortalType:
        """The type that the database has today."""
        return self.listed.column.now or self.listed.column.type

    @property
    def unfit_input(self) -> str:
        """The input for what becomes of misfits: an answer for one type is none for another."""
        return f"unfit-{self.code}-{self.type}"

    @property
    def choice(self) -> ColumnChoice | None:
        """What was chosen, or None where that is what the contract says already."""
        column = self.listed.column
        unfit: Unfit = "" if self.type == self.own_type else self.unfit or "refuse"
        if (self.name, self.type, unfit) == (column.code, column.type, column.unfit):
            return None
        return ColumnChoice(self.name, self.type, unfit)

    @property
    def verdict(self) -> str:
        """What a test of the values has found, in words; empty without one."""
        if self.test is None:
            return ""
        count = ngettext("%(num)s value does not fit", "%(num)s values do not fit", self.test.misfits)
        if self.test.misfits and self.test.row is not None:
            count = _(
                "%(count)s, the first in row %(row)s: “%(value)s”", count=count, row=self.test.row, value=self._shown
            )
        elif self.test.misfits:
            count = _("%(count)s, for example “%(value)s”", count=count, value=self._shown)
        if not self.test.is_whole:
            told = _(
                "The table is too large to be looked at whole in time. Of its first %(rows)s rows: %(count)s.",
                rows=self.test.rows,
                count=count,
            )
            return str(told)
        return f"{count}." if self.test.misfits else str(_("All values fit."))

    @property
    def _shown(self) -> str:
        return self.test.example if self.test else ""


def draft_rows(draft: Draft, ticked: Collection[str]) -> list[DraftRow]:
    """The columns of a draft with what the form says, or without a form with what the contract says."""
    return [_row(row, draft.types[row.column.code], row.column.code in ticked) for row in draft.columns]


def _row(listed: ListedColumn, types: Sequence[PortalType], ticked: bool) -> DraftRow:
    code, own = listed.column.code, listed.column.type
    typed = request.form.get(f"type-{code}", own)
    kind = cast(PortalType, typed if typed in types else own)
    offered = dict.fromkeys((own, *types))
    said = request.form.get(f"unfit-{code}-{kind}", "")
    return DraftRow(
        listed,
        [(each, column_type(each)) for each in offered],
        ticked,
        request.form.get(f"code-{code}", code).strip(),
        kind,
        cast(Unfit, said if said in ("refuse", "null") else ""),
    )


def wanted_types(rows: Sequence[DraftRow]) -> Mapping[str, PortalType]:
    """The types that have to be tested, by code: those that an analyst chose."""
    return {row.code: row.type for row in rows if row.ticked and row.type != row.own_type}


def check_answers(rows: Sequence[DraftRow]) -> None:
    """Raise `InvalidInput` where nobody has said yet what becomes of values that do not fit."""
    open_ones = [row for row in rows if row.test and row.test.needs_an_answer and not row.unfit]
    if open_ones:
        raise InvalidInput([FieldProblem(row.unfit_input, "MISFITS_UNANSWERED") for row in open_ones])


def names_of(rows: Sequence[DraftRow]) -> set[str]:
    """The inputs beside which a problem can be shown."""
    return {name for row in rows for name in (f"code-{row.code}", f"type-{row.code}", row.unfit_input)}
