"""Rows of the review of several tables: what would become of each, and what has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import request
from flask_babel import gettext as _

from admin.forms import REVIEW
from drivers.errors import TooBig
from egress.errors import TargetError
from errors import AskUser, GiveUp, OutcomeUnknown, TryLater
from sentences.lookup import all_sentences, diagnosis, of_code, sentence
from services.bi.datasets import Dataset
from services.contract.names import NameRefused
from services.publishing.batches import Outcome, PlannedDataset
from web.forms import PageForm
from web.submission import problems_of


@dataclass(frozen=True)
class TableChoice:
    """A table as it was sent; `name` is its dataset's, None where none was asked for."""

    table: str
    name: str | None = None
    ticked: bool = True


@dataclass(frozen=True)
class ReviewRow:
    """A table with the name proposed or typed; `field` is the name's input, empty where there is none.

    `problem` is why it cannot be published, or was not; `note` is something good to know.
    """

    table: str
    title: str
    field: str = ""
    name: str = ""
    ticked: bool = True
    columns: int | None = None
    problem: str = ""
    note: str = ""
    dataset: Dataset | None = None

    @property
    def can_be_published(self) -> bool:
        """Whether it has a name to type and a box to tick."""
        return bool(self.field)


def table_choices() -> list[TableChoice]:
    """The tables that are ticked in the list, or the rows of the review; each table once."""
    rows = [TableChoice(name) for name in request.values.getlist("table") if name]
    rows += [
        TableChoice(row["table"], row["name"], row["on"]) for row in PageForm(REVIEW)[""] if row["table"] is not None
    ]
    return list({row.table: row for row in reversed(rows)}.values())[::-1]


def sent_row(number: int, choice: TableChoice) -> ReviewRow:
    """A row as it was sent, of a table about which nothing could be asked."""
    field = "" if choice.name is None else f"name-{number}"
    return ReviewRow(choice.table, choice.table, field, choice.name or "", choice.ticked)


def planned_row(number: int, choice: TableChoice, plan: PlannedDataset) -> ReviewRow:
    """What would become of a table; a name that was typed counts more than the proposed one."""
    inspection = plan.inspection
    row = ReviewRow(
        choice.table,
        inspection.title,
        ticked=choice.ticked,
        columns=len(inspection.columns) or None,
        dataset=plan.dataset,
    )
    if inspection.error is not None:
        return replace(row, problem=why(inspection.error))
    if plan.dataset is not None:
        return row
    note = ""
    if inspection.is_unread:
        note = _("Its columns could not be read in time; they are read when it is published.")
    elif plan.is_numbered and choice.name is None and inspection.table is not None:
        note = _("The name %(name)s is taken already, so a number was added.", name=inspection.table.code)
    return replace(row, field=f"name-{number}", name=plan.name if choice.name is None else choice.name, note=note)


def remaining_rows(
    outcomes: Sequence[Outcome], choices: Sequence[TableChoice]
) -> tuple[list[ReviewRow], dict[str, str]]:
    """The tables that were not published, then those that were unticked, and the sentences beside their names."""
    failed = [outcome for outcome in outcomes if outcome.dataset_id is None]
    rows, beside_names = [], {}
    for number, outcome in enumerate(failed):
        row, beside = _failed_row(number, outcome)
        rows.append(row)
        if beside:
            beside_names[row.field or f"name-{number}"] = beside
    unticked = [row for row in choices if not row.ticked and row.name is not None] if failed else []
    rows += [sent_row(number, choice) for number, choice in enumerate(unticked, start=len(rows))]
    return rows, beside_names


def _failed_row(number: int, outcome: Outcome) -> tuple[ReviewRow, str]:
    """A table to try again, and the sentence beside its name."""
    inspection = outcome.request.inspection
    # Another try would not change that.
    is_final = isinstance(outcome.error, NameRefused | TooBig)
    field = "" if is_final else f"name-{number}"
    columns = len(inspection.columns) or None
    row = ReviewRow(inspection.name, inspection.title, field, outcome.request.name, columns=columns)
    if outcome.state == "waiting":
        return replace(row, note=_("Its turn has not come yet.")), ""
    problems = problems_of(outcome.error) if isinstance(outcome.error, AskUser) else ()
    beside = next((sentence(problem) for problem in problems if problem.field == "name"), "")
    return (row, beside) if beside else (replace(row, problem=why(outcome.error)), "")


def why(error: Exception | None) -> str:
    """What went wrong with one table, and what helps."""
    match error:
        case TargetError(code="unknown_table") | NameRefused(code="unknown_table"):
            return str(_("The database has no such table any more. Look at the tables that are there now."))
        case TooBig(code="columns"):
            return str(_("The table has too many columns. Publish it alone, and untick those that nobody needs."))
        case TargetError() | NameRefused():
            return str(diagnosis(error.code))
        case OutcomeUnknown():
            return str(
                _(
                    "The portal did not answer in time, so it may have made this dataset or not. Try again: what is "
                    "there already is found, and nothing is made twice."
                )
            )
        case AskUser() | TryLater():
            return all_sentences(problems_of(error))
    return of_code("PORTAL_DELETED" if isinstance(error, GiveUp) else "EXPIRED_TOKEN")
