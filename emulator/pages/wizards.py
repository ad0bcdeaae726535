"""The hub's own wizards: a new source through a connector, a new table from a source.

They ask the connector's endpoints as portals do: `urlCheck` before a source is kept (facts/biconnector 3.1); for a
table `urlTableList`, `urlTableDescription` and `urlData` for a preview, and `urlCheck` again before it is kept
(facts/api 5).
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from emulator.context import current_emulator
from emulator.endpoints import EndpointFailure, TableItem, values_of
from emulator.pages import creation
from emulator.pages.access import for_analysts
from emulator.pages.layout import page_address
from emulator.pages.outcome import preview_of
from emulator.pages.report import NUMBER_TYPES
from emulator.records import Connector, Source

blueprint = Blueprint("wizards", __name__, url_prefix="/bi")
for_analysts(blueprint)


@dataclass(frozen=True)
class Offer:
    """What `urlTableList` answered, or the reason why it did not."""

    tables: list[TableItem]
    reason: str = ""


@blueprint.get("/source/new")
def new_source() -> str:
    """Choose a connector, then (`connector`) fill in its settings."""
    portal = current_emulator().portal
    chosen = request.args.get("connector", type=int)
    if chosen is None:
        return render_template("portal/source_connector.html", connectors=portal.connectors())
    return _source_form(portal.connector(chosen), creation.SourceForm.empty(portal.connector(chosen)))


@blueprint.post("/source/new")
def create_source() -> AnyResponse | tuple[str, int]:
    """Check the connection and keep the source; the form comes back with what is wrong."""
    emulator = current_emulator()
    connector = emulator.portal.connector(request.form.get("connector", 0, type=int))
    form = creation.read_source(request.form, connector)
    if not form.valid:
        return _source_form(connector, form), 422
    try:
        emulator.endpoints.check(connector, form.values)
    except EndpointFailure as problem:
        return _source_form(connector, form, str(problem)), 422
    source = creation.keep_source(emulator.portal, connector, form)
    return redirect(page_address("pages.hub.show", view="sources", created=source.id), 303)


@blueprint.get("/table/new")
def new_table() -> str:
    """Choose a source, then (`source`) one of its tables, then (`table`) its name and columns."""
    portal = current_emulator().portal
    chosen = request.args.get("source", type=int)
    if chosen is None:
        with portal.lock:
            sources = [(source, portal.connector(source.connector_id)) for source in portal.sources()]
        return render_template("portal/table_source.html", sources=sources)
    source = portal.source(chosen)
    table = request.args.get("table")
    if table:
        return _described(source, table, request.args.get("title", table))
    search = request.args.get("search", "")
    return render_template("portal/table_choice.html", source=source, search=search, offer=_offer(source, search))


@blueprint.post("/table/new")
def create_table() -> AnyResponse | tuple[str, int]:
    """Keep the table with the columns that its source describes now."""
    emulator = current_emulator()
    source = emulator.portal.source(request.form.get("source", 0, type=int))
    code = request.form.get("table", "")
    try:
        emulator.endpoints.check(emulator.portal.connector(source.connector_id), values_of(source), source.id)
        described = emulator.endpoints.description(source, code)
    except EndpointFailure as problem:
        return _columns_page(source, code, None, str(problem)), 422
    form = creation.read_table(request.form, described, emulator.portal)
    if not form.valid:
        return _columns_page(source, code, form), 422
    dataset = creation.keep_table(emulator.portal, source, code, form)
    return redirect(page_address("pages.table.show", table_id=dataset.id), 303)


def _source_form(connector: Connector, form: creation.SourceForm, reason: str = "") -> str:
    return render_template("portal/source_form.html", connector=connector, form=form, reason=reason)


def _offer(source: Source, search: str) -> Offer:
    try:
        return Offer(current_emulator().endpoints.tables(source, search))
    except EndpointFailure as problem:
        return Offer([], str(problem))


def _described(source: Source, code: str, title: str) -> str:
    emulator = current_emulator()
    try:
        form = creation.suggest_table(code, title, emulator.endpoints.description(source, code), emulator.portal)
    except EndpointFailure as problem:
        return _columns_page(source, code, None, str(problem))
    return _columns_page(source, code, form)


def _columns_page(source: Source, code: str, form: creation.TableForm | None, reason: str = "") -> str:
    """The last step with the table's first rows, or the reason why there is none."""
    return render_template(
        "portal/table_columns.html",
        source=source,
        code=code,
        form=form,
        reason=reason,
        outcome=None if form is None else preview_of(source, code, [column.name for column in form.columns]),
        types={} if form is None else {column.code: column.type for column in form.columns},
        number_types=NUMBER_TYPES,
    )
