"""Several tables of a connection published at once: chosen in the list, reviewed on one page, and what came of it."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from admin import blueprint
from admin.access import analysts_only
from admin.connections import portal_context
from admin.tables import below, tables_page
from drivers.errors import TooBig
from egress.errors import TargetError
from errors import ApplicationError, AskUser, FieldProblem, GiveUp, OutcomeUnknown, TryLater
from sentences.lookup import diagnosis, sentence
from services.bi.datasets import Dataset
from services.connections.connection import Connection
from services.contract.names import NameRefused
from services.publishing.batches import (
    LOOK_SECONDS,
    MOST_TABLES,
    WORK_SECONDS,
    Outcome,
    Publication,
    Wish,
    prospects,
    title,
)
from services.publishing.tables import Looked, external_code
from web.answers import page_at, same_place
from web.session import capabilities, current_session, form_once, limit_portal_time, portal_client, services, submitted
from web.submission import NOTHING_WRONG, Failure, failure, problems_of, refusal_page

LONGEST_ADDRESS = 2000
"""Servers and proxies take some 4,000 characters of a request's first line."""

ROW = re.compile(r"table-([0-9]{1,4})", re.ASCII)


@dataclass(frozen=True)
class Typed:
    """A row of the review as it was sent; `name` is None where none was asked for."""

    table: str
    name: str | None = None
    ticked: bool = True


@dataclass(frozen=True)
class Row:
    """A row of the review: a table with the name proposed or typed; `field` is the name's input.

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


@blueprint.route("/connections/<int:connection_id>/publish-tables", methods=["GET", "POST"])
@analysts_only
def publish_tables(connection_id: int) -> ResponseReturnValue:
    """Ask once more how the chosen tables shall be published, make their datasets, and tell what became of each."""
    held = services().repository.get(current_session().portal_id, connection_id)
    typed = _typed()
    chosen = [row.table for row in typed if row.ticked]
    refusal = _refusal(len(chosen)) if typed or "_list" in request.form else ""
    if submitted() and typed and not chosen:
        return _review(held, typed, Failure(form_errors=(refusal,), status=422))
    if not chosen or refusal:
        return tables_page(held, refusal=refusal, ticked=chosen, status=422 if refusal else 200)
    if not submitted():
        return _review(held, typed)
    return _published(held, typed)


def _typed() -> list[Typed]:
    """The tables that were chosen in the list, or the rows of the review; each table once."""
    form = request.form
    rows = [Typed(name) for name in request.values.getlist("table") if name]
    for number in sorted(int(found[1]) for name in form if (found := ROW.fullmatch(name))):
        name = form.get(f"name-{number}")
        rows.append(Typed(form[f"table-{number}"], None if name is None else name.strip(), f"on-{number}" in form))
    return list({row.table: row for row in reversed(rows)}.values())[::-1]


def _refusal(count: int) -> str:
    if count > MOST_TABLES:
        most = _("At most %(most)s tables can be published at once. Untick some of the %(count)s.")
        return str(most % {"most": MOST_TABLES, "count": count})
    return "" if count else str(_("Tick the tables that shall be published."))


# --- the review


def _review(
    held: Connection, typed: Sequence[Typed], problem: Failure = NOTHING_WRONG, seconds: float = LOOK_SECONDS
) -> ResponseReturnValue:
    try:
        looked = services().publishing.several(held, [row.table for row in typed], seconds=seconds)
    except TargetError as error:
        return _closed(held, typed, error)
    return _review_page(held, typed, looked, problem)


def _closed(held: Connection, typed: Sequence[Typed], error: TargetError) -> ResponseReturnValue:
    """The connection does not open: why, over the list with its ticks, or over the review as it was typed."""
    why = str(diagnosis(error.code))
    if not submitted():
        return tables_page(held, refusal=why, ticked=[row.table for row in typed], status=422)
    rows = [
        Row(row.table, row.table, "" if row.name is None else f"name-{number}", row.name or "", row.ticked)
        for number, row in enumerate(typed)
    ]
    return _page(held, rows, Failure(form_errors=(why,), status=422), heading=_publish_heading(len(rows)))


def _review_page(
    held: Connection, typed: Sequence[Typed], looked: Sequence[Looked], problem: Failure = NOTHING_WRONG
) -> ResponseReturnValue:
    found = prospects(portal_client(), capabilities(), looked, below(held))
    rows = []
    for number, (row, prospect) in enumerate(zip(typed, found, strict=True)):
        drawn = Row(
            table=row.table,
            title=title(prospect.looked),
            ticked=row.ticked,
            columns=len(prospect.looked.columns) or None,
            dataset=prospect.dataset,
        )
        if prospect.looked.error is not None:
            drawn = replace(drawn, problem=_words(prospect.looked.error))
        elif prospect.dataset is None:
            drawn = replace(drawn, field=f"name-{number}", name=prospect.name if row.name is None else row.name)
            drawn = replace(drawn, note=_note(prospect.looked, prospect.is_numbered and row.name is None))
        rows.append(drawn)
    return _page(held, rows, problem, heading=_publish_heading(sum(row.can_be_published for row in rows)))


def _note(looked: Looked, is_numbered: bool) -> str:
    if looked.is_waiting:
        return str(_("Its columns could not be read in time; they are read when it is published."))
    if is_numbered and looked.table is not None:
        return str(_("The name %(name)s is taken already, so a number was added.", name=looked.table.code))
    return ""


def _publish_heading(count: int) -> str:
    if not count:
        return str(_("Nothing to publish"))
    return str(ngettext("Publish %(num)s table", "Publish %(num)s tables", count))


# --- the publication


def _published(held: Connection, typed: Sequence[Typed]) -> ResponseReturnValue:
    end = time.monotonic() + WORK_SECONDS
    limit_portal_time(end)
    wanted = [row for row in typed if row.ticked]
    try:
        looked = services().publishing.several(held, [row.table for row in wanted], seconds=LOOK_SECONDS)
    except TargetError as error:
        return _closed(held, typed, error)
    try:
        with form_once() as use:
            if use.outcome is None:
                outcomes = _made(held, wanted, looked, end)
                if all(row.state in ("created", "there") for row in outcomes):
                    use.done(url_for("admin.connection_tables", connection_id=held.id))
    except (AskUser, TryLater) as error:
        return refusal_page(error, lambda error: _again(held, typed, wanted, error, end))
    if use.outcome is not None:
        return page_at(use.outcome, _("These tables were published before."))
    return _outcome_page(held, typed, outcomes)


def _made(held: Connection, wanted: Sequence[Typed], looked: Sequence[Looked], end: float) -> list[Outcome]:
    client, caps = portal_client(), capabilities()
    source_id, published = services().portal_sync.ready_source(portal_context(), held)
    known = {row.external_code: row for row in published}
    looked = [_renewed(held, table, known) for table in looked]
    wishes = [Wish(table, row.name or "") for row, table in zip(wanted, looked, strict=True)]
    outcomes = Publication(client, caps, source_id, end).publish(wishes, known)
    for outcome in outcomes:
        if outcome.state == "created" and (table := outcome.wish.looked.table) is not None:
            services().publishing.hold(held, table, outcome.wish.looked.columns)
    return outcomes


def _renewed(held: Connection, looked: Looked, known: Collection[str]) -> Looked:
    """A table with the types that its columns have today, unless it is one of those that are published."""
    if looked.table is None or not looked.columns or external_code(looked.table) in known:
        return looked
    return replace(looked, columns=services().publishing.renewed(held, looked.table, looked.columns))


def _again(
    held: Connection, typed: Sequence[Typed], wanted: Sequence[Typed], error: ApplicationError, end: float
) -> ResponseReturnValue:
    """The review once more, with everything typed; problems of names stand beside them."""
    numbers = {f"name-{number}": f"name-{typed.index(row)}" for number, row in enumerate(wanted)}
    found = failure(error, numbers.keys())
    sentences = {numbers[name]: text for name, text in found.field_errors.items()}
    return _review(held, typed, replace(found, field_errors=sentences), min(LOOK_SECONDS, end - time.monotonic()))


def _outcome_page(held: Connection, typed: Sequence[Typed], outcomes: Sequence[Outcome]) -> ResponseReturnValue:
    done = [row for row in outcomes if row.dataset_id is not None]
    left = [row for row in outcomes if row.dataset_id is None]
    rows, sentences = _left(left)
    rows += (
        [
            Row(row.table, row.table, f"name-{number}", row.name or "", ticked=False)
            for number, row in enumerate(
                (row for row in typed if not row.ticked and row.name is not None), start=len(rows)
            )
        ]
        if left
        else []
    )
    waiting = [row for row in left if row.state == "waiting"]
    general = tuple(dict.fromkeys(_words(row.error) if row.error else _time_is_over() for row in waiting))
    heading = _("%(done)s of %(all)s tables are published", done=len(done), all=len(outcomes))
    later = any(row.state == "waiting" or isinstance(row.error, TryLater) for row in left)
    status = 200 if done else 503 if later else 422
    return _page(held, rows, Failure(sentences, general, status), heading=heading, done=done, again=True)


def _time_is_over() -> str:
    return str(_("The time for one publication was over. Go on with the tables that are left."))


def _left(outcomes: Sequence[Outcome]) -> tuple[list[Row], dict[str, str]]:
    """The tables that were not published as rows to try again, and the sentences beside their names."""
    rows, sentences = [], {}
    for number, outcome in enumerate(outcomes):
        field, looked = f"name-{number}", outcome.wish.looked
        row = Row(looked.asked, title(looked), field, outcome.wish.name, columns=len(looked.columns) or None)
        if isinstance(outcome.error, NameRefused | TooBig):
            # Another try would not change that.
            row = replace(row, field="")
        if outcome.state == "waiting":
            row = replace(row, note=_("Its turn has not come yet."))
        elif (beside := _beside_the_name(outcome.error)) is not None:
            sentences[field] = beside
        else:
            row = replace(row, problem=_words(outcome.error))
        rows.append(row)
    return rows, sentences


def _beside_the_name(error: Exception | None) -> str | None:
    if not isinstance(error, AskUser):
        return None
    return next((sentence(problem) for problem in problems_of(error) if problem.field == "name"), None)


def _words(error: Exception | None) -> str:
    """What went wrong with one table, and what helps."""
    if isinstance(error, TargetError | NameRefused):
        return _described(error.code)
    if isinstance(error, OutcomeUnknown):
        return str(
            _(
                "The portal did not answer in time, so it may have made this dataset or not. Try again: what is there "
                "already is found, and nothing is made twice."
            )
        )
    if isinstance(error, AskUser | TryLater):
        return " ".join(dict.fromkeys(sentence(problem) for problem in problems_of(error)))
    return sentence(FieldProblem("", "PORTAL_DELETED" if isinstance(error, GiveUp) else "EXPIRED_TOKEN"))


def _described(code: str) -> str:
    if code == "unknown_table":
        return str(_("The database has no such table any more. Look at the tables that are there now."))
    if code == "columns":
        return str(_("The table has too many columns. Publish it alone, and untick those that nobody needs."))
    return str(diagnosis(code))


def _page(
    held: Connection,
    rows: Sequence[Row],
    problem: Failure,
    *,
    heading: str,
    done: Sequence[Outcome] = (),
    again: bool = False,
) -> ResponseReturnValue:
    page = render_template(
        "connections/several.html",
        connection=held,
        rows=rows,
        problem=problem,
        heading=heading,
        done=done,
        again=again,
        title_of=title,
    )
    if submitted():
        return same_place(page, problem.status)
    address = url_for("admin.publish_tables", connection_id=held.id, table=[row.table for row in rows])
    return page, problem.status, {"HX-Push-Url": address if len(address) <= LONGEST_ADDRESS else "false"}
