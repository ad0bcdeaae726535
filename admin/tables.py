"""Tables of a connection: searched, looked at with their first rows, and published by one click."""

from __future__ import annotations

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.analysts import analysts_only
from admin.connections import label
from admin.diagnoses import diagnosis
from admin.listing import listed, shown
from admin.rendering import acted, page_at, stays
from admin.saving import problems_of, told
from admin.sentences import sentence
from admin.session import capabilities, form_once, portal_client, services, submitted, visit
from drivers.errors import DriverError
from errors import ApplicationError, AskUser, TryLater
from services import datasets
from services.datasets import Dataset
from services.hosted_rows import Held
from services.names import NameRefused
from services.publishing import external_code


@blueprint.route("/connections/<int:connection_id>/tables", methods=["GET", "POST"])
@analysts_only
def connection_tables(connection_id: int) -> ResponseReturnValue:
    """Tables and views that can be published, those that are published marked."""
    held = services().hosted.get(visit().portal_id, connection_id)
    part = shown("admin.connection_tables", ("name",), path={"connection_id": connection_id})
    page, problem = None, None
    try:
        page = services().publishing.tables(held, part.search, part.page)
    except DriverError as error:
        problem = error
    html = render_template(
        "connections/tables.html",
        connection=held,
        shown=part,
        page=page,
        problem=problem,
        below={row.external_code: row for row in _below(held)},
        external_code=external_code,
        diagnosis=diagnosis,
    )
    return listed(html, part)


@blueprint.route("/connections/<int:connection_id>/table", methods=["GET", "POST"])
@analysts_only
def connection_table(connection_id: int) -> ResponseReturnValue:
    """One table: its columns as they would be published, and its first rows."""
    held = services().hosted.get(visit().portal_id, connection_id)
    return _table_page(held, request.values.get("name", ""))


@blueprint.route("/connections/<int:connection_id>/publish", methods=["POST"])
@analysts_only
def publish_table(connection_id: int) -> ResponseReturnValue:
    """Make a dataset of a table; of one that is published already, show the dataset."""
    held = services().hosted.get(visit().portal_id, connection_id)
    name = request.form.get("name", "")
    if not submitted():
        return _table_page(held, name)
    notice = _("The table was published. Make charts of it in BI Builder.")
    try:
        with form_once() as use:
            if use.outcome is None:
                made, is_new = _published(held, name)
                notice = notice if is_new else _("The table was published before: this is its dataset.")
                use.done(url_for("admin.dataset", dataset_id=made))
    except (DriverError, NameRefused) as error:
        return _table_page(held, name, str(diagnosis(error.code)))
    except (AskUser, TryLater) as error:
        return told(error, lambda error: _table_page(held, name, in_one_line(error)))
    return page_at(use.outcome or use.path or "/", notice)


def in_one_line(error: ApplicationError) -> str:
    """A refusal as the sentences of its problems."""
    return " ".join(dict.fromkeys(sentence(problem) for problem in problems_of(error)))


def _published(held: Held, name: str) -> tuple[int, bool]:
    client, caps = portal_client(), capabilities()
    inspection = services().hosting.inspect(client, caps, held)
    number = held.source_id
    if number is None or not inspection.in_step:
        number = services().hosting.connect(client, caps, held, label())
    return services().publishing.publish(client, caps, held, number, name)


def _table_page(held: Held, name: str, refusal: str = "") -> ResponseReturnValue:
    view, problem = None, None
    try:
        view = services().publishing.table(held, name)
    except (DriverError, NameRefused) as error:
        problem = error
    dataset = None
    if view is not None:
        code = external_code(view.table)
        dataset = next((row for row in _below(held) if row.external_code == code), None)
    page = render_template(
        "connections/table.html",
        connection=held,
        name=name,
        view=view,
        problem=problem,
        told=refusal,
        dataset=dataset,
        diagnosis=diagnosis,
    )
    status = 422 if refusal else 404 if isinstance(problem, NameRefused) else 200
    return page if acted() else stays(page, status)


def _below(held: Held) -> tuple[Dataset, ...]:
    if held.source_id is None:
        return ()
    return datasets.of_source(portal_client(), capabilities(), held.source_id)
