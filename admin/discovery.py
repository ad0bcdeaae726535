"""The panel "Tables of the source" on the form of a dataset: asked for by a button, fills the form by another.

Every button submits the whole form, so what was typed stays, with and without script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request
from flask_babel import gettext as _
from flask_babel import ngettext

from egress.errors import TargetError
from errors import AccessDenied, AskUser, NotFound, TryLater
from sentences.lookup import all_sentences, of_code
from services.bi import connectors, datasets, sources
from services.bi.connectors import Connector
from services.bi.discovery import DiscoveredColumn, DiscoveredTable, NotDiscovered
from services.bi.listing import Listing
from services.bi.sources import Source
from services.connections.connection import Connection
from services.contract.names import NameRefused, PublishedTable, dataset_code
from services.publishing.tables import external_code, title_of
from web.forms import MOST_ROWS, PageForm, number_in
from web.session import capabilities, current_session, portal_client, services
from web.submission import problems_of

MOST_SHOWN = 50
ASK, USE, SEARCH, SEARCHED = "_ask", "_use", "_search", "_searched"


@dataclass(frozen=True)
class Panel:
    """What the panel shows: `tables` is None if the source was not asked, `hidden` counts those that are left out;
    `problem` and `done` are sentences.
    """

    search: str = ""
    tables: Sequence[DiscoveredTable] | None = None
    hidden: int = 0
    problem: str = ""
    done: str = ""
    connection: Connection | None = None
    """The connection whose source the form names, if it is one of this application's."""
    more: bool = False
    """Whether a connection has further tables, which nobody counted."""


def search_text() -> str:
    """What was typed into the panel's search."""
    return request.form.get(SEARCH, "").strip()


def is_asked() -> bool:
    """Whether the source shall be asked; Enter in the search presses no button of ours, so another word says so too."""
    return ASK in request.form or USE in request.form or search_text() != request.form.get(SEARCHED, "").strip()


def panel_for(form: PageForm) -> Panel:
    """Ask the source that the form names; where a table was chosen, fill the form from it."""
    table_id = request.form.get(USE)
    # A table was chosen from the list that the page shows, whatever has been typed into the search since.
    search = search_text() if table_id is None else request.form.get(SEARCHED, "").strip()
    try:
        source = _source(form)
        connection = connection_of(form)
        if table_id is None:
            return _list_tables(source, connection, search)
        table, columns = _describe_table(source, connection, search, table_id)
        if len(columns) > MOST_ROWS:
            raise NotDiscovered("too_many_columns")
        _fill(form, table, columns)
    except NotDiscovered as problem:
        return Panel(search, problem=_by_hand(of_code(problem.code)))
    except NameRefused:
        return Panel(search, problem=_by_hand(of_code("table_gone")))
    except TargetError as problem:
        return Panel(search, problem=_by_hand(of_code(problem.code)))
    except AccessDenied:
        raise
    except (AskUser, TryLater) as error:
        return Panel(search, problem=_by_hand(all_sentences(problems_of(error))))
    count = len(columns)
    done = ngettext(
        "“%(title)s” was filled in with %(num)s column. Check the names: they stay for good.",
        "“%(title)s” was filled in with %(num)s columns. Check the names, and remove columns that nobody needs.",
        count,
        title=table.title,
    )
    return Panel(search, done=done)


def connection_of(form: PageForm) -> Connection | None:
    """The connection whose source the form names, or None for a source of somebody else's endpoints."""
    return services().repository.of_source(current_session().portal_id, number_in(form["sourceId"]) or 0)


def _list_tables(source: Source, connection: Connection | None, search: str) -> Panel:
    if connection is not None:
        # Our own endpoints are read directly: egress rightly keeps the application from calling itself.
        page = services().publishing.tables(connection, search).page
        tables = [_as_discovered(row.table) for row in page.items]
        return Panel(search, tables[:MOST_SHOWN], more=page.has_next)
    found = services().discovery.tables(source, _connector(source), search)
    return Panel(search, found[:MOST_SHOWN], len(found[MOST_SHOWN:]))


def _describe_table(
    source: Source, connection: Connection | None, search: str, table_id: str
) -> tuple[DiscoveredTable, Sequence[DiscoveredColumn]]:
    if connection is not None:
        published, listed_columns = services().publishing.describe(connection, table_id)
        columns = [row.column for row in listed_columns]
        return _as_discovered(published), [
            DiscoveredColumn(column.code, column.code, column.type) for column in columns
        ]
    connector = _connector(source)
    table = next(
        (r for r in services().discovery.tables(source, connector, search) if r.external_code == table_id), None
    )
    if table is None:
        raise NotDiscovered("table_gone")
    return table, services().discovery.columns(source, connector, table_id, capabilities().column_types)


def _as_discovered(table: PublishedTable) -> DiscoveredTable:
    return DiscoveredTable(table.code, title_of(table), external_code(table))


def _source(form: PageForm) -> Source:
    source_id = number_in(form["sourceId"])
    if not source_id:
        raise NotDiscovered("no_source")
    return sources.get(portal_client(), source_id)


def _connector(source: Source) -> Connector:
    if not source.connector_id:
        raise NotDiscovered("foreign_connector")
    try:
        return connectors.get(portal_client(), source.connector_id)
    except NotFound:
        raise NotDiscovered("foreign_connector") from None


def _fill(form: PageForm, table: DiscoveredTable, columns: Sequence[DiscoveredColumn]) -> None:
    form["externalCode"], form["externalName"], form["name"] = table.external_code, table.title, free_name(table.code)
    form["fields"] = [{"name": row.name, "externalCode": row.code, "type": row.type} for row in columns]


def free_name(code: str) -> str:
    """A name for the dataset that none of those which the portal tells about has."""
    name = dataset_code(code)
    alike = datasets.page(portal_client(), capabilities(), Listing(search=name))
    return dataset_code(code, [row.name for row in alike.items])


def _by_hand(reason: str) -> str:
    by_hand = _("You can type the table and its columns by hand.")
    return f"{reason} {by_hand}"
