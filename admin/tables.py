"""Tables of a connection: searched, looked at with their first rows, and published."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.access import analysts_only
from admin.connections import portal_context
from admin.discovery import free_name
from admin.drafts import TEST, DraftRow, check_answers, draft_rows, names_of, wanted_types
from admin.forms import PUBLICATION
from admin.listing import list_answer, list_state
from egress.errors import TargetError
from errors import AskUser, TryLater
from sentences.lookup import diagnosis
from services.bi.datasets import Dataset
from services.connections.connection import Connection
from services.contract.names import NameRefused
from services.publishing.tables import DatasetChoice, external_code, published_datasets, title_of
from web.answers import page_at, same_place
from web.forms import PageForm
from web.session import capabilities, current_session, form_once, portal_client, services, submitted
from web.submission import NOTHING_WRONG, Failure, failure, refusal_page

DATASET_NAME = "datasetName"
FORM_NAMES = {"name": DATASET_NAME, "fields": "columns"}
"""What the API calls them, and this form: its `name` is the table's."""


@blueprint.route("/connections/<int:connection_id>/tables", methods=["GET", "POST"])
@analysts_only
def connection_tables(connection_id: int) -> ResponseReturnValue:
    """Tables and views that can be published, those that are published marked."""
    return tables_page(services().repository.get(current_session().portal_id, connection_id))


def tables_page(
    connection: Connection, *, refusal: str = "", ticked: Collection[str] = (), status: int = 200
) -> tuple[str, int, dict[str, str]]:
    """A page of a connection's tables, with the boxes of `ticked` ones ticked; `refusal` says why none was made."""
    state = list_state("admin.connection_tables", ("name",), path={"connection_id": connection.id})
    found, problem = None, None
    try:
        found = services().publishing.tables(
            connection, state.search, state.page, fresh=bool(request.values.get("refresh"))
        )
    except TargetError as error:
        problem = error
    html = render_template(
        "connections/tables.html",
        connection=connection,
        state=state,
        page=found.page if found else None,
        read_at=found.at if found else None,
        hidden=found.hidden if found else None,
        problem=problem,
        below=below(connection),
        external_code=external_code,
        refusal=refusal,
        ticked=ticked,
        ticks_all="_all" in request.form,
    )
    html, _status, headers = list_answer(html, state)
    return html, status, headers


@blueprint.route("/connections/<int:connection_id>/table", methods=["GET", "POST"])
@analysts_only
def connection_table(connection_id: int) -> ResponseReturnValue:
    """One table: its columns as they would be published, and its first rows."""
    connection = services().repository.get(current_session().portal_id, connection_id)
    return _table_page(connection, request.values.get("name", ""))


@blueprint.route("/connections/<int:connection_id>/publish", methods=["GET", "POST"])
@analysts_only
def publish_table(connection_id: int) -> ResponseReturnValue:
    """Ask how a table shall be published, since names stay for good, and make its dataset.

    Of a table that is published already, its dataset is shown.
    """
    connection = services().repository.get(current_session().portal_id, connection_id)
    name = request.values.get("name", "")
    if not submitted():
        return _publish_page(connection, name)
    notice = _("The table was published. Make charts of it in BI Builder.")
    rows: Sequence[DraftRow] = ()
    try:
        choice = _choice()
        if choice is not None:
            rows = _tested_rows(connection, name, choice.columns)
            if TEST in request.form:
                return _publish_page(connection, name, rows=rows)
            check_answers(rows)
            choice = replace(choice, choices={row.code: row.choice for row in rows if row.ticked and row.choice})
        with form_once() as use:
            if use.outcome is None:
                dataset_id, is_new = services().publishing.publish(portal_context(), connection, name, choice)
                notice = notice if is_new else _("The table was published before: this is its dataset.")
                use.done(url_for("admin.dataset", dataset_id=dataset_id))
    except (TargetError, NameRefused) as error:
        return _table_page(connection, name, str(diagnosis(error.code)))
    except (AskUser, TryLater) as error:
        fields = {"name", "externalName", "description", "fields"} | names_of(rows)
        return refusal_page(error, lambda error: _publish_page(connection, name, failure(error, fields), rows))
    return page_at(use.outcome or use.path or "/", notice)


def _choice() -> DatasetChoice | None:
    """What the form says, or None if nobody was asked."""
    if DATASET_NAME not in request.form:
        return None
    form = PageForm(PUBLICATION)
    return DatasetChoice(form[DATASET_NAME], form["description"], form["columns"], form["externalName"])


def _tested_rows(connection: Connection, name: str, ticked: Collection[str]) -> list[DraftRow]:
    """The columns as the form says them, with what a test of the chosen types has found."""
    draft = services().drafts.draft(connection, name)
    rows = draft_rows(draft, ticked)
    wanted = wanted_types(rows)
    tests = services().drafts.tested(connection, draft, wanted) if wanted else {}
    return [replace(row, test=tests.get(row.code)) for row in rows]


def _publish_page(
    connection: Connection, name: str, problem: Failure = NOTHING_WRONG, rows: Sequence[DraftRow] = ()
) -> ResponseReturnValue:
    try:
        draft = services().drafts.draft(connection, name)
    except (TargetError, NameRefused):
        return _table_page(connection, name)
    table, codes = draft.table, [row.column.code for row in draft.columns]
    if problem == NOTHING_WRONG and external_code(table) in below(connection):
        return _table_page(connection, name)
    choice = _choice() or DatasetChoice(free_name(table.code), "", codes, title_of(table))
    sentences = {FORM_NAMES.get(field, field): text for field, text in problem.field_errors.items()}
    page = render_template(
        "connections/publish.html",
        connection=connection,
        table=table,
        rows=rows or draft_rows(draft, choice.columns),
        unshown=services().publishing.unshown(connection, table),
        dataset_name=choice.name,
        dataset_title=choice.title,
        description=choice.description,
        problem=replace(problem, field_errors=sentences),
    )
    return same_place(page, problem.status)


def _table_page(connection: Connection, name: str, refusal: str = "") -> ResponseReturnValue:
    view, problem = None, None
    try:
        view = services().publishing.table(connection, name)
    except (TargetError, NameRefused) as error:
        problem = error
    published = below(connection)
    dataset = published.get(name)
    if view is not None:
        dataset = published.get(external_code(view.table))
    page = render_template(
        "connections/table.html",
        connection=connection,
        name=name,
        view=view,
        problem=problem,
        refusal=refusal,
        dataset=dataset,
    )
    status = 422 if refusal else 404 if isinstance(problem, NameRefused) else 200
    return same_place(page, status)


def below(connection: Connection) -> dict[str, Dataset]:
    """What is published of a connection, by the codes that the datasets keep of their tables."""
    return published_datasets(portal_client(), capabilities(), connection)
