"""What a portal has of our connectors and sources, compared with what is kept here; nothing is changed.

A connector is looked for by its stored number, then by our addresses, `sourceCode` and title; a source by its stored
number, then by its key and title.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from errors import NotFound
from services.bi import connectors, sources
from services.bi.connectors import Connector
from services.bi.datasets import Dataset
from services.bi.sources import Source
from services.connections.connection import Connection, HostedConnector
from services.connections.keys import ConnectionKeys, addresses
from services.connections.repository import ConnectionRepository
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient

SOURCE_CODE = "bi-connectors"
KEY = "key"
"""The code of the one setting that the connector of all connections has."""
COMPARED = ("urlCheck", "urlTableList", "urlTableDescription", "urlData", "settings")
"""What `ours` and `fits` look at, of connectors that come without their logos."""
_ADDRESS = re.compile(r"/gateway/(?P<uid>[0-9a-f]{32})/(?P<key>[^/]+)/check", re.ASCII)
_KEY_IN_ADDRESS = re.compile(r"(/gateway/[0-9a-f]{32}/)[^/]+/", re.ASCII)

T = TypeVar("T")
ConnectorState = Literal["none", "good", "changed", "missing"]
SourceState = Literal["none", "good", "renamed", "key", "off", "missing"]


@dataclass(frozen=True)
class SyncState:
    """How the portal's objects compare with a connection.

    `none` was never made or is forgotten, `missing` was deleted in the portal, `changed` has other addresses or
    settings, `renamed` another title, `key` a key that opens nothing here, `off` is switched off in the portal.
    `portal_source` is the source as the portal has it, `datasets` are those below it.
    """

    connector: ConnectorState
    source: SourceState
    portal_source: Source | None = None
    datasets: tuple[Dataset, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether charts can read through the connection."""
        return self.connector == "good" and self.source in ("good", "renamed")


class PortalComparison:
    """Compares; `base_url` is where portals reach us. Everything that asks a portal raises its errors."""

    def __init__(self, repository: ConnectionRepository, keys: ConnectionKeys, base_url: str) -> None:
        self._repository, self._keys, self._base_url = repository, keys, base_url

    # --- what the portal has of all connections

    def ours(self, listed: Iterable[Connector], portal_id: int) -> Mapping[int, bool]:
        """The numbers of those of the portal's connectors that this application keeps, and whether they take a key.

        One that takes none asks for server and password in the portal.
        """
        registered, start = self._repository.registered(portal_id), f"{self._base_url}/gateway/"
        kept = [row for row in listed if row.url_check.startswith(start) or row.id in registered]
        return {row.id: [setting.code for setting in row.settings] == [KEY] for row in kept}

    def sources(self, client: PortalClient, portal_id: int) -> Mapping[int, Source]:
        """The sources of our connector by number; also of one that an earlier installation made."""
        registered = self._repository.connector(portal_id).registered_id
        numbers = [registered]
        if registered is None:
            ours = self.ours(connectors.everything(client, *COMPARED), portal_id)
            numbers = [number for number, takes_key in ours.items() if takes_key]
        return {row.id: row for number in numbers if number for row in sources.of_connector(client, number)}

    def strays(self, client: PortalClient, portal_id: int) -> tuple[Source, ...]:
        """Sources of our connector that no connection here opens."""
        owners = self._repository.source_owners(portal_id)
        return tuple(row for row in self.sources(client, portal_id).values() if row.id not in owners)

    # --- what it has of one

    def state(self, client: PortalClient, caps: Capabilities, connection: Connection) -> SyncState:
        """How the portal's objects compare with a connection."""
        connector = self._connector_state(client, connection.connector)
        if connection.source_id is None:
            return SyncState(connector, "none")
        source = none_if_missing(partial(sources.get, client, connection.source_id))
        if source is None:
            return SyncState(connector, "missing")
        return SyncState(
            connector, self._source_state(connection, source), source, sources.below(client, caps, source.id)
        )

    def fits(self, hosted: HostedConnector, portals: Connector) -> bool:
        """Whether a connector in the portal has our addresses with a key that opens, and the settings they want."""
        key = self.key_in(hosted, portals)
        first = "host" if hosted.driver else KEY
        has_settings = first in {setting.code for setting in portals.settings}
        return bool(key and self._keys.slot(hosted, key)) and has_settings

    def key_in(self, hosted: HostedConnector, portals: Connector) -> str:
        """The key in a connector's addresses if all four are ours, else an empty text."""
        match = _ADDRESS.search(portals.url_check)
        if match is None or match["uid"] != hosted.uid:
            return ""
        ours = addresses(self._base_url, hosted.uid, match["key"])
        theirs = (portals.url_check, portals.url_table_list, portals.url_table_description, portals.url_data)
        return match["key"] if tuple(ours.values()) == theirs else ""

    def connector(self, client: PortalClient, hosted: HostedConnector, title: str) -> Connector | None:
        """The portal's connector for a hosted one, which may have our addresses or others; None if there is none."""
        if hosted.registered_id is not None:
            known = none_if_missing(partial(connectors.get, client, hosted.registered_id))
            if known is not None:
                return known
        listed = connectors.everything(client, "urlCheck")
        numbers = [row.id for row in listed if _ADDRESS.search(row.url_check)]
        read = [none_if_missing(partial(connectors.get, client, number)) for number in numbers]
        candidates = [row for row in read if row is not None]
        signs: tuple[Callable[[Connector], bool], ...] = (
            lambda row: f"/gateway/{hosted.uid}/" in row.url_check,
            lambda row: row.source_code == source_code(hosted),
            lambda row: row.title == title,
        )
        return next((row for sign in signs for row in candidates if sign(row)), None)

    def source(self, client: PortalClient, connection: Connection, connector_id: int) -> Source | None:
        """The connection's source: the stored one, the one with its key, or a stray one of its title."""
        if connection.source_id is not None:
            known = none_if_missing(partial(sources.get, client, connection.source_id))
            if known is not None and known.connector_id == connector_id:
                return known
        owners = self._repository.source_owners(connection.portal_id)
        listed = sources.of_connector(client, connector_id)
        read = [sources.get(client, row.id) for row in listed if owners.get(row.id, connection.id) == connection.id]
        for row in read:
            if self._keys.slot(connection, key_of(row)):
                return row
        for row in read:
            if row.title == connection.title and self._keys.owner(connection.connector.id, key_of(row)) is None:
                return row
        return None

    # --- inside

    def _connector_state(self, client: PortalClient, hosted: HostedConnector) -> ConnectorState:
        if hosted.registered_id is None:
            return "none"
        portals = none_if_missing(partial(connectors.get, client, hosted.registered_id))
        if portals is None:
            return "missing"
        return "good" if self.fits(hosted, portals) else "changed"

    def _source_state(self, connection: Connection, source: Source) -> SourceState:
        if not self._keys.slot(connection, key_of(source)):
            return "key"
        if not source.active:
            return "off"
        return "good" if source.title == connection.title else "renamed"


def source_code(hosted: HostedConnector) -> str:
    """The `sourceCode` under which a hosted connector is registered, where the portal takes one."""
    return f"{SOURCE_CODE}-{hosted.driver}" if hosted.driver else SOURCE_CODE


def key_of(source: Source) -> str:
    """The key that a source has, or an empty text."""
    return next((setting.value for setting in source.settings if setting.code == KEY), "")


def without_key(address: str) -> str:
    """An address of ours without the key that opens it; any other as it is."""
    return _KEY_IN_ADDRESS.sub(r"\1…/", address)


def none_if_missing(ask: Callable[[], T]) -> T | None:
    """What `ask` gives, or None where the portal has no such object."""
    try:
        return ask()
    except NotFound:
        return None
