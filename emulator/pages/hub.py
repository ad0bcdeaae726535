"""The BI hub: connectors, sources and tables of the portal."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request

from emulator.context import current_emulator
from emulator.pages.access import for_analysts
from emulator.records import Connector, Dataset, Source

blueprint = Blueprint("hub", __name__, url_prefix="/bi")
for_analysts(blueprint)

VIEWS = ("tables", "sources", "connectors")


@dataclass(frozen=True)
class Listing:
    """Everything the hub shows, each thing with what it hangs on and how much hangs on it."""

    connectors: list[tuple[Connector, int]]
    sources: list[tuple[Source, Connector, int]]
    tables: list[tuple[Dataset, Source, Connector]]


@blueprint.get("/")
@blueprint.get("/table/")
def show() -> str:
    """Tables, sources and connectors; `view` chooses which."""
    view = request.args.get("view", "tables")
    return render_template("portal/hub.html", listing=_listing(), view=view if view in VIEWS else "tables")


def _listing() -> Listing:
    portal = current_emulator().portal
    with portal.lock:
        connectors = {connector.id: connector for connector in portal.connectors()}
        sources = {source.id: source for source in portal.sources()}
        tables = portal.datasets()
    return Listing(
        [(one, sum(source.connector_id == one.id for source in sources.values())) for one in connectors.values()],
        [
            (source, connectors[source.connector_id], sum(table.source_id == source.id for table in tables))
            for source in sources.values()
        ],
        [
            (table, sources[table.source_id], connectors[sources[table.source_id].connector_id])
            for table in reversed(tables)
        ],
    )
