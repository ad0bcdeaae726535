"""Several tables of a connection published at once: chosen in the list, reviewed on one page, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from admin import blueprint
from admin.access import analysts_only
from admin.batch_rows import ReviewRow, TableChoice, planned_row, remaining_rows, sent_row, table_choices, why
from admin.connections import portal_context
from admin.tables import tables_page
from egress.errors import TargetError
from errors import ApplicationError, AskUser, TryLater
from sentences.lookup import diagnosis
from services.connections.connection import Connection
from services.publishing.batches import LOOK_SECONDS, MOST_TABLES, WORK_SECONDS, Outcome
from web.answers import page_at, same_place
from web.session import current_session, form_once, limit_portal_time, services, submitted
from web.submission import NOTHING_WRONG, Failure, failure, refusal_page

LONGEST_ADDRESS = 2000
"""Servers and proxies take some 4,000 characters of a request's first line."""


@blueprint.route("/connections/<int:connection_id>/publish-tables", methods=["GET", "POST"])
@analysts_only
def publish_tables(connection_id: int) -> ResponseReturnValue:
    """Ask once more how the chosen tables shall be published, make their datasets, and tell what became of each."""
    connection = services().repository.get(current_session().portal_id, connection_id)
    choices = table_choices()
    ticked = [row.table for row in choices if row.ticked]
    refusal = _refusal(len(ticked)) if choices or "_list" in request.form else ""
    if submitted() and choices and not ticked:
        return _review(connection, choices, Failure(form_errors=(refusal,), status=422))
    if not ticked or refusal:
        return tables_page(connection, refusal=refusal, ticked=ticked, status=422 if refusal else 200)
    if not submitted():
        return _review(connection, choices)
    return _publish(connection, choices)


def _refusal(count: int) -> str:
    if count > MOST_TABLES:
        most = _("At most %(most)s tables can be published at once. Untick some of the %(count)s.")
        return str(most % {"most": MOST_TABLES, "count": count})
    return "" if count else str(_("Tick the tables that shall be published."))


def _review(
    connection: Connection,
    choices: Sequence[TableChoice],
    problem: Failure = NOTHING_WRONG,
    seconds: float = LOOK_SECONDS,
) -> ResponseReturnValue:
    try:
        plans = services().batch_publishing.plan(portal_context(), connection, [row.table for row in choices], seconds)
    except TargetError as error:
        return _unopened(connection, choices, error)
    rows = [planned_row(number, *row) for number, row in enumerate(zip(choices, plans, strict=True))]
    return _page(connection, rows, problem, _publish_heading(sum(row.can_be_published for row in rows)))


def _unopened(connection: Connection, choices: Sequence[TableChoice], error: TargetError) -> ResponseReturnValue:
    """The connection does not open: why, over the list with its ticks, or over the review as it was typed."""
    reason = str(diagnosis(error.code))
    if not submitted():
        return tables_page(connection, refusal=reason, ticked=[row.table for row in choices], status=422)
    rows = [sent_row(number, choice) for number, choice in enumerate(choices)]
    return _page(connection, rows, Failure(form_errors=(reason,), status=422), _publish_heading(len(rows)))


def _publish_heading(count: int) -> str:
    if not count:
        return str(_("Nothing to publish"))
    return str(ngettext("Publish %(num)s table", "Publish %(num)s tables", count))


def _publish(connection: Connection, choices: Sequence[TableChoice]) -> ResponseReturnValue:
    end = time.monotonic() + WORK_SECONDS
    limit_portal_time(end)
    names = {row.table: row.name or "" for row in choices if row.ticked}
    outcomes: Sequence[Outcome] = ()
    try:
        with form_once() as use:
            if use.outcome is None:
                outcomes = services().batch_publishing.publish(portal_context(), connection, names, end)
                if all(row.dataset_id is not None for row in outcomes):
                    use.done(url_for("admin.connection_tables", connection_id=connection.id))
    except TargetError as error:
        return _unopened(connection, choices, error)
    except (AskUser, TryLater) as error:
        return refusal_page(error, lambda error: _review_again(connection, choices, error, end))
    if use.outcome is not None:
        return page_at(use.outcome, _("These tables were published before."))
    return _outcome_page(connection, choices, outcomes)


def _review_again(
    connection: Connection, choices: Sequence[TableChoice], error: ApplicationError, end: float
) -> ResponseReturnValue:
    """The review once more, with everything typed; problems of names stand beside them."""
    ticked = [number for number, row in enumerate(choices) if row.ticked]
    inputs = {f"name-{number}": f"name-{row}" for number, row in enumerate(ticked)}
    problem = failure(error, inputs.keys())
    beside_names = {inputs[name]: text for name, text in problem.field_errors.items()}
    seconds = min(LOOK_SECONDS, end - time.monotonic())
    return _review(connection, choices, replace(problem, field_errors=beside_names), seconds)


def _outcome_page(
    connection: Connection, choices: Sequence[TableChoice], outcomes: Sequence[Outcome]
) -> ResponseReturnValue:
    done = [row for row in outcomes if row.dataset_id is not None]
    rows, beside_names = remaining_rows(outcomes, choices)
    waiting = [row for row in outcomes if row.state == "waiting"]
    time_is_over = _("The time for one publication was over. Go on with the tables that are left.")
    reasons = tuple(dict.fromkeys(why(row.error) if row.error else time_is_over for row in waiting))
    later = waiting or any(isinstance(row.error, TryLater) for row in outcomes)
    status = 200 if done else 503 if later else 422
    heading = _("%(done)s of %(all)s tables are published", done=len(done), all=len(outcomes))
    return _page(connection, rows, Failure(beside_names, reasons, status), heading, done=done, again=True)


def _page(
    connection: Connection,
    rows: Sequence[ReviewRow],
    problem: Failure,
    heading: str,
    *,
    done: Sequence[Outcome] = (),
    again: bool = False,
) -> ResponseReturnValue:
    page = render_template(
        "connections/several.html",
        connection=connection,
        rows=rows,
        problem=problem,
        heading=heading,
        done=done,
        again=again,
    )
    if submitted():
        return same_place(page, problem.status)
    address = url_for("admin.publish_tables", connection_id=connection.id, table=[row.table for row in rows])
    return page, problem.status, {"HX-Push-Url": address if len(address) <= LONGEST_ADDRESS else "false"}
