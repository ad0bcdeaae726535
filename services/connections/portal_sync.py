"""Hosted connections in the portal: one connector of ours, one source for each connection, both kept in step.

Nothing is ever added twice: a connector is looked for by its stored number, then by our addresses, `sourceCode` and
title; a source by its stored number, then by its key and title. A list that fails never means "add". The portal calls
`urlCheck` back while we wait for `source.add` and `source.update`, so no session of our database is open meanwhile.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

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
#: What `PortalSync.ours` and `PortalSync.fits` look at, of connectors that come without their logos.
OWN_SIGNS = ("urlCheck", "urlTableList", "urlTableDescription", "urlData", "settings")
_ADDRESS = re.compile(r"/gateway/(?P<uid>[0-9a-f]{32})/(?P<key>[^/]+)/check", re.ASCII)
_KEY_IN_ADDRESS = re.compile(r"(/gateway/[0-9a-f]{32}/)[^/]+/", re.ASCII)
_DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" rx="11" fill="#0b63ce"/>'
    '<ellipse cx="19" cy="14" rx="10" ry="4" fill="#fff"/>'
    '<path d="M9 18c0 5 20 5 20 0v6c0 5-20 5-20 0z" fill="#cfe4ff"/>'
    '<path d="M9 28c0 5 20 5 20 0v6c0 5-20 5-20 0z" fill="#9cc8ff"/><path d="M33 38V26M38 38V20M28 38v-1" '
    'stroke="#fff" stroke-width="3.4" stroke-linecap="round"/></svg>'
)
LOGO = "data:image/svg+xml;base64," + base64.b64encode(_DRAWING.encode()).decode()

T = TypeVar("T")
ConnectorState = Literal["none", "good", "changed", "missing"]
SourceState = Literal["none", "good", "renamed", "key", "off", "missing"]


@dataclass(frozen=True)
class Label:
    """What analysts read about the connector in the portal, in their language; `names` are its settings' by code."""

    title: str
    description: str
    names: Mapping[str, str]

    @property
    def settings(self) -> list[dict[str, str]]:
        """The settings as the portal takes them."""
        return [{"code": code, "name": name, "type": "STRING"} for code, name in self.names.items()]


@dataclass(frozen=True)
class Inspection:
    """What the portal has of a connection.

    `connector` and `source` tell how that compares with ours: `none` was never made or is forgotten, `missing` was
    deleted in the portal, `changed` has other addresses or settings, `renamed` another title, `key` a key that opens
    nothing here, `off` is switched off in the portal.
    """

    connector: ConnectorState
    source: SourceState
    found: Source | None = None
    datasets: tuple[Dataset, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether charts can read through the connection."""
        return self.connector == "good" and self.source in ("good", "renamed")


class PortalSync:
    """Registers, compares, rotates and removes; `base_url` is where portals reach us."""

    def __init__(self, repository: ConnectionRepository, keys: ConnectionKeys, base_url: str) -> None:
        self._rows, self._keys, self._base_url = repository, keys, base_url

    # --- registering

    def register(self, client: PortalClient, caps: Capabilities, portal_id: int, label: Label, driver: str = "") -> int:
        """The portal's number of the hosted connector, which now has our addresses.

        With a `driver` it is the connector whose credentials are typed in the portal. Raises the portal's errors and
        `OutcomeUnknown`.
        """
        hosted = self._rows.connector(portal_id, driver)
        found = self._registered(client, hosted, label)
        if found is None:
            made = connectors.add(client, caps, self._fields(caps, hosted, label))
            self._rows.set_registered(hosted.id, made)
            return made
        if found.id != hosted.registered_id:
            self._rows.set_registered(hosted.id, found.id)
        if not self.fits(hosted, found):
            fields = {**self._urls(hosted), "settings": label.settings}
            connectors.update(client, caps, found.id, fields)
        return found.id

    def connect(self, client: PortalClient, caps: Capabilities, connection: Connection, label: Label) -> int:
        """The portal's number of the connection's source, which now has its key; registers the connector if need be.

        Raises the portal's errors: `SOURCE_CREATE_CONNECTION_ERROR` if our own `urlCheck` said no.
        """
        connector_id = self.register(client, caps, connection.portal_id, label)
        found = self._source(client, connection, connector_id)
        if found is not None:
            self._rows.set_source(connection.id, found.id)
            if self._keys.settle(connection, _key_of(found)) == "":
                self.rotate(client, caps, connection, source_id=found.id)
            self._rows.reopen(connection.id)
            return found.id
        made: list[int] = []

        def write(key: str) -> None:
            fields = {"title": connection.title, "connectorId": connector_id, "settings": {KEY: key}, "active": True}
            made.append(sources.add(client, caps, fields, (KEY,)))

        def read() -> str:
            return _key_of(sources.get(client, made[0])) if made else ""

        # Its number is kept once the key was read back: another source of this title may have been taken for ours.
        self._keys.rotate(connection, read, write)
        self._rows.set_source(connection.id, made[0])
        self._rows.reopen(connection.id)
        return made[0]

    def rotate(
        self, client: PortalClient, caps: Capabilities, connection: Connection, *, source_id: int | None = None
    ) -> None:
        """Give a connection's source another key (`key_rotation`); raises what that raises, and `NotFound`."""
        number = self._source_id(connection) if source_id is None else source_id

        def read() -> str:
            return _key_of(sources.get(client, number))

        def write(key: str) -> None:
            sources.update(client, caps, number, {"title": connection.title, "settings": {KEY: key}}, (KEY,))

        self._keys.rotate(connection, read, write)

    def rotate_addresses(self, client: PortalClient, caps: Capabilities, portal_id: int, driver: str = "") -> None:
        """Give a hosted connector other addresses, all four in one call; raises like `rotate`."""
        hosted = self._rows.connector(portal_id, driver)
        number = hosted.registered_id
        if number is None:
            raise NotFound("biconnector.connector.get", "CONNECTOR_NOT_FOUND")

        def read() -> str:
            return self._key_in(hosted, connectors.get(client, number))

        def write(key: str) -> None:
            connectors.update(client, caps, number, addresses(self._base_url, hosted.uid, key))

        self._keys.rotate(hosted, read, write)

    # --- comparing

    def ours(self, found: Iterable[Connector], portal_id: int) -> Mapping[int, bool]:
        """The numbers of those of the portal's connectors that this application keeps, and whether they take a key.

        One that takes none asks for server and password in the portal.
        """
        registered, start = self._rows.registered(portal_id), f"{self._base_url}/gateway/"
        kept = [row for row in found if row.url_check.startswith(start) or row.id in registered]
        return {row.id: [setting.code for setting in row.settings] == [KEY] for row in kept}

    def sources(self, client: PortalClient, portal_id: int) -> Mapping[int, Source]:
        """The sources of our connector by number; also of one that an earlier installation made."""
        registered = self._rows.connector(portal_id).registered_id
        numbers = [registered] if registered is not None else self._left_behind(client, portal_id)
        return {row.id: row for number in numbers for row in sources.of_connector(client, number)}

    def strays(self, client: PortalClient, portal_id: int) -> tuple[Source, ...]:
        """Sources of our connector that no connection here opens."""
        taken = self._rows.source_owners(portal_id)
        return tuple(row for row in self.sources(client, portal_id).values() if row.id not in taken)

    def fits(self, hosted: HostedConnector, found: Connector) -> bool:
        """Whether a connector in the portal has our addresses with a key that opens, and the settings they want."""
        key = self._key_in(hosted, found)
        first = "host" if hosted.driver else KEY
        has_settings = first in {setting.code for setting in found.settings}
        return bool(key and self._keys.slot(hosted, key)) and has_settings

    def inspect(self, client: PortalClient, caps: Capabilities, connection: Connection) -> Inspection:
        """How the portal's objects compare with a connection; raises the portal's errors."""
        hosted = self._rows.connector(connection.portal_id)
        connector: ConnectorState = "none"
        if hosted.registered_id is not None:
            known = _or_none(lambda: connectors.get(client, hosted.registered_id or 0))
            connector = "missing" if known is None else "good" if self.fits(hosted, known) else "changed"
        if connection.source_id is None:
            return Inspection(connector, "none")
        found = _or_none(lambda: sources.get(client, connection.source_id or 0))
        if found is None:
            return Inspection(connector, "missing")
        below = sources.below(client, caps, found.id)
        return Inspection(connector, self._source_state(connection, found), found, below)

    def adopt(self, client: PortalClient, connection: Connection) -> None:
        """Take over what was changed in the portal: the source's title. Raises `NotFound`."""
        found = sources.get(client, self._source_id(connection))
        self._rows.change(connection, found.title, connection.settings)

    def restore(self, client: PortalClient, caps: Capabilities, connection: Connection, label: Label) -> int:
        """Make the portal's objects again, or write ours over what was changed; gives back the source's number."""
        number = self.connect(client, caps, connection, label)
        found = sources.get(client, number)
        if found.title != connection.title:
            sources.update(client, caps, number, {"title": connection.title})
        return number

    def rename(self, client: PortalClient, caps: Capabilities, connection: Connection) -> None:
        """Give the source the connection's title; the portal calls `urlCheck` for it. Nothing without a source."""
        if connection.source_id is not None:
            sources.update(client, caps, connection.source_id, {"title": connection.title})

    def forget(self, connection: Connection) -> None:
        """Have nothing to do with the source any more; the portal keeps it, if it is still there."""
        self._rows.set_source(connection.id, None)

    def remove(self, client: PortalClient, connection: Connection) -> None:
        """Delete a connection here and its source in the portal. Raises `InUse` while datasets read through it."""
        if connection.source_id is not None:
            number = connection.source_id
            _or_none(lambda: sources.delete(client, number))
        self._rows.remove(connection.portal_id, connection.id)

    def unregister(self, client: PortalClient, portal_id: int, driver: str) -> None:
        """Delete the connector of a driver here and in the portal. Raises `InUse` while sources use it."""
        known = self._rows.typed_connectors(portal_id).get(driver)
        if known is not None and known.registered_id is not None:
            number = known.registered_id
            _or_none(lambda: connectors.delete(client, number))
        self._rows.remove_connector(portal_id, driver)

    # --- inside

    def _left_behind(self, client: PortalClient, portal_id: int) -> list[int]:
        ours = self.ours(connectors.everything(client, *OWN_SIGNS), portal_id)
        return [number for number, takes_key in ours.items() if takes_key]

    def _registered(self, client: PortalClient, hosted: HostedConnector, label: Label) -> Connector | None:
        if hosted.registered_id is not None:
            known = _or_none(lambda: connectors.get(client, hosted.registered_id or 0))
            if known is not None:
                return known
        listed = connectors.everything(client, "urlCheck")
        numbers = [row.id for row in listed if _ADDRESS.search(row.url_check)]
        read = [_or_none(partial(connectors.get, client, number)) for number in numbers]
        ours = [row for row in read if row is not None]
        signs: tuple[Callable[[Connector], bool], ...] = (
            lambda row: f"/gateway/{hosted.uid}/" in row.url_check,
            lambda row: row.source_code == _source_code(hosted),
            lambda row: row.title == label.title,
        )
        return next((row for sign in signs for row in ours if sign(row)), None)

    def _source(self, client: PortalClient, connection: Connection, connector_id: int) -> Source | None:
        """The connection's source: the stored one, the one with its key, or a stray one of its title."""
        if connection.source_id is not None:
            known = _or_none(lambda: sources.get(client, connection.source_id or 0))
            if known is not None and known.connector_id == connector_id:
                return known
        taken = self._rows.source_owners(connection.portal_id)
        strays = [
            row
            for row in sources.of_connector(client, connector_id)
            if taken.get(row.id, connection.id) == connection.id
        ]
        read = [sources.get(client, row.id) for row in strays]
        for row in read:
            if self._keys.slot(connection, _key_of(row)):
                return row
        for row in read:
            if row.title == connection.title and self._keys.owner(connection.connector.id, _key_of(row)) is None:
                return row
        return None

    def _source_state(self, connection: Connection, found: Source) -> SourceState:
        if not self._keys.slot(connection, _key_of(found)):
            return "key"
        if not found.active:
            return "off"
        return "good" if found.title == connection.title else "renamed"

    def _source_id(self, connection: Connection) -> int:
        if connection.source_id is None:
            raise NotFound("biconnector.source.get", "SOURCE_NOT_FOUND")
        return connection.source_id

    def _key_in(self, hosted: HostedConnector, found: Connector) -> str:
        """The key in a connector's addresses, if all four are ours."""
        match = _ADDRESS.search(found.url_check)
        if match is None or match["uid"] != hosted.uid:
            return ""
        ours = addresses(self._base_url, hosted.uid, match["key"])
        theirs = (found.url_check, found.url_table_list, found.url_table_description, found.url_data)
        return match["key"] if tuple(ours.values()) == theirs else ""

    def _urls(self, hosted: HostedConnector) -> dict[str, str]:
        return addresses(self._base_url, hosted.uid, hosted.key)

    def _fields(self, caps: Capabilities, hosted: HostedConnector, label: Label) -> Mapping[str, Any]:
        fields = {
            "title": label.title,
            "description": label.description,
            "logo": LOGO,
            "settings": label.settings,
            **self._urls(hosted),
        }
        return fields | ({"sourceCode": _source_code(hosted)} if caps.source_code else {})


def without_key(address: str) -> str:
    """An address of ours without the key that opens it; any other as it is."""
    return _KEY_IN_ADDRESS.sub(r"\1…/", address)


def _source_code(hosted: HostedConnector) -> str:
    return f"{SOURCE_CODE}-{hosted.driver}" if hosted.driver else SOURCE_CODE


def _key_of(source: Source) -> str:
    return next((setting.value for setting in source.settings if setting.code == KEY), "")


def _or_none(ask: Callable[[], T]) -> T | None:
    """What `ask` gives, or None where the portal has no such object."""
    try:
        return ask()
    except NotFound:
        return None
