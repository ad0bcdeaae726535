"""Connectors of a portal: `biconnector.connector.*` as functions (facts/biconnector 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.bi import rules, sources
from services.bi.listing import Listing, Page, boolean, id_of, integer, item_of, read_page, text
from services.bi.lost_answers import added, deleted, updated
from services.portal_api.capabilities import Capabilities, FieldFact, field_facts
from services.portal_api.client import PortalClient, as_page

LIST = "biconnector.connector.list"
URLS = ("urlCheck", "urlTableList", "urlTableDescription", "urlData")


@dataclass(frozen=True)
class Setting:
    """A parameter that every source of the connector fills in; `type` is `STRING` or, on newer portals, `INT`."""

    code: str
    name: str
    type: str = "STRING"


@dataclass(frozen=True)
class Connector:
    """A connector as the portal tells it; fields that were not selected are empty. `date_create` is in portal time."""

    id: int
    title: str
    logo: str
    description: str
    sort: int
    url_check: str
    url_table_list: str
    url_table_description: str
    url_data: str
    settings: tuple[Setting, ...]
    support_mapping: bool
    source_code: str
    date_create: str


def page(client: PortalClient, listing: Listing) -> Page[Connector]:
    """One page of the portal's connectors that this application made; `search` looks into titles.

    Raises `InvalidInput` for a field that lists do not know, and the portal's errors.
    """
    rules.listing("connector", listing)
    return read_page(client, LIST, listing, "title", _parse)


def everything(client: PortalClient, *more: str) -> tuple[Connector, ...]:
    """All connectors by title, for choosing one: their ids and titles, and `more` fields of them.

    A whole connector carries its logo, of which thousands would be a very large answer.
    """
    found = client.everything(LIST, select=["id", "title", *more], order={"title": "ASC", "id": "ASC"})
    return tuple(_parse(item) for item in found)


def get(client: PortalClient, connector_id: int) -> Connector:
    """One connector. Raises `NotFound` and the portal's other errors."""
    return _parse(item_of(client.call("biconnector.connector.get", id=connector_id)))


def add(client: PortalClient, caps: Capabilities, fields: Mapping[str, Any]) -> int:
    """Make a connector from fields under the API's names and give back its id.

    Raises `InvalidInput` before any call if a rule is broken, `OutcomeUnknown` if the answer is lost and no new
    connector like it is found, and the portal's errors.
    """
    clean = rules.connector(caps, fields)
    return added(
        lambda: id_of(client.call("biconnector.connector.add", fields=clean)), lambda: _newest_like(client, clean)
    )


def update(client: PortalClient, caps: Capabilities, connector_id: int, fields: Mapping[str, Any]) -> None:
    """Change the given fields of a connector. Raises like `add`, and `NotFound`."""
    clean = rules.connector(caps, fields, updating=True)
    updated(lambda: client.call("biconnector.connector.update", id=connector_id, fields=clean))


def delete(client: PortalClient, connector_id: int) -> None:
    """Delete a connector. Raises `InUse` while sources exist (facts/biconnector 2.4), `NotFound`, `OutcomeUnknown`."""
    deleted(lambda: client.call("biconnector.connector.delete", id=connector_id), lambda: get(client, connector_id))


def fields(client: PortalClient) -> tuple[FieldFact, ...]:
    """How the portal describes the fields of connectors."""
    return field_facts(client.call("biconnector.connector.fields"))


def below(client: PortalClient, connector_id: int) -> tuple[sources.Source, ...]:
    """All sources of a connector, which must be deleted before it."""
    return sources.of_connector(client, connector_id)


def _newest_like(client: PortalClient, wanted: Mapping[str, Any]) -> int:
    same = {"=title": wanted["title"]}
    found = as_page(client.call(LIST, filter=same, select=["id", *URLS], order={"id": "DESC"}, page=1))
    for item in found:
        if all(text(item.get(url)) == wanted[url] for url in URLS):
            return integer(item.get("id"))
    return 0


def _parse(item: Mapping[str, Any]) -> Connector:
    given = item.get("settings")
    settings = given if isinstance(given, list) else []
    return Connector(
        id=integer(item.get("id")),
        title=text(item.get("title")),
        logo=text(item.get("logo")),
        description=text(item.get("description")),
        sort=integer(item.get("sort")),
        url_check=text(item.get("urlCheck")),
        url_table_list=text(item.get("urlTableList")),
        url_table_description=text(item.get("urlTableDescription")),
        url_data=text(item.get("urlData")),
        settings=tuple(
            Setting(text(row.get("code")), text(row.get("name")), text(row.get("type")) or "STRING")
            for row in settings
            if isinstance(row, Mapping)
        ),
        support_mapping=boolean(item.get("supportMapping")),
        source_code=text(item.get("sourceCode")),
        date_create=text(item.get("dateCreate")),
    )
