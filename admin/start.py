"""The start page: how far the way from permissions to a chart has been gone, and the next step."""

from __future__ import annotations

from dataclasses import dataclass

from flask import render_template
from flask.typing import ResponseReturnValue

from admin import blueprint
from errors import AccessDenied
from services.bi import connectors, datasets, sources
from services.bi.listing import Listing, Page
from web import permissions
from web.session import capabilities, current_session, portal_client, services

NEWEST = Listing(order="id", direction="DESC")
BI_BUILDER = "/bi/table/"
"""The portal's page of tables, where their BI Builder datasets and charts are made."""


@dataclass(frozen=True)
class Progress:
    """What the portal has, each a first page of it; `connections` is how many of them the application keeps."""

    connectors: Page[connectors.Connector]
    sources: Page[sources.Source]
    datasets: Page[datasets.Dataset]
    connections: int = 0
    connection_id: int | None = None
    """The connection that the newest source belongs to, if any does."""

    @property
    def in_builder(self) -> bool:
        """Whether BI Builder has a dataset on top of one of ours (facts/biconnector 4.2)."""
        return any(row.external_id for row in self.datasets.items)

    @property
    def steps_done(self) -> tuple[bool, ...]:
        """For each of the five steps whether it is done; the first is done when the portal answers at all."""
        return True, bool(self.connectors.items), bool(self.sources.items), bool(self.datasets.items), self.in_builder


@blueprint.route("/start", methods=["GET", "POST"])
def start() -> ResponseReturnValue:
    """The first page."""
    return start_page()


def start_page() -> ResponseReturnValue:
    """The first page of the session that has begun; missing rights are told on it and are no error here."""
    try:
        client, caps = portal_client(), capabilities()
        found = sources.page(client, NEWEST)
        owners = services().repository.source_owners(current_session().portal_id)
        owner = next((owners[row.id] for row in found.items if row.id in owners), None)
        titles = services().repository.titles(current_session().portal_id)
        progress = Progress(
            connectors.page(client, NEWEST),
            found,
            datasets.page(client, caps, NEWEST),
            len(titles),
            owner,
        )
    except AccessDenied as error:
        return render_template(
            "start.html", progress=None, causes=permissions.causes(error), closed=0, lost=0, bi_builder=BI_BUILDER
        ), 403
    closed = services().repository.closed(current_session().portal_id)
    return render_template(
        "start.html",
        progress=progress,
        causes=(),
        closed=closed,
        lost=services().repository.lost(current_session().portal_id),
        bi_builder=BI_BUILDER,
        titles=titles,
        failing=services().health.failing(titles),
    )
