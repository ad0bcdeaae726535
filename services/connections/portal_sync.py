"""Hosted connections in the portal: one connector of ours, one source for each connection, both kept in step.

Nothing is ever added twice: what may be there is looked for first (`portal_comparison`), and a list that fails never
means "add". The portal calls `urlCheck` back while we wait for `source.add` and `source.update`, so no session of our
database is open meanwhile; and what an answer has told is written down before the next question, since any answer may
be lost. That is why connecting goes to and fro between the portal and our database instead of visiting each once.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from errors import NotFound
from services.bi import connectors, sources
from services.bi.datasets import Dataset
from services.bi.sources import Source
from services.connections.connection import Connection, HostedConnector
from services.connections.keys import ConnectionKeys, addresses
from services.connections.portal_comparison import KEY, PortalComparison, key_of, none_if_missing, source_code
from services.connections.repository import ConnectionRepository
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient

_DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" rx="11" fill="#0b63ce"/>'
    '<ellipse cx="19" cy="14" rx="10" ry="4" fill="#fff"/>'
    '<path d="M9 18c0 5 20 5 20 0v6c0 5-20 5-20 0z" fill="#cfe4ff"/>'
    '<path d="M9 28c0 5 20 5 20 0v6c0 5-20 5-20 0z" fill="#9cc8ff"/><path d="M33 38V26M38 38V20M28 38v-1" '
    'stroke="#fff" stroke-width="3.4" stroke-linecap="round"/></svg>'
)
LOGO = "data:image/svg+xml;base64," + base64.b64encode(_DRAWING.encode()).decode()


@dataclass(frozen=True)
class ConnectorTexts:
    """What analysts read about a hosted connector in the portal, in its language; `setting_names` are by code."""

    title: str
    description: str
    setting_names: Mapping[str, str]

    @property
    def settings(self) -> list[dict[str, str]]:
        """The settings as the portal takes them."""
        return [{"code": code, "name": name, "type": "STRING"} for code, name in self.setting_names.items()]


@dataclass(frozen=True)
class PortalContext:
    """What a change in a portal needs: its REST through one of its users, what its generation knows, and our texts."""

    client: PortalClient
    caps: Capabilities
    texts: ConnectorTexts


class PortalSync:
    """Registers, connects, rotates and removes; `base_url` is where portals reach us."""

    def __init__(
        self, repository: ConnectionRepository, keys: ConnectionKeys, comparison: PortalComparison, base_url: str
    ) -> None:
        self._repository, self._keys, self._comparison, self._base_url = repository, keys, comparison, base_url

    # --- connectors

    def register(self, portal: PortalContext, portal_id: int, driver: str = "") -> int:
        """The portal's number of the hosted connector, which now has our addresses.

        With a `driver` it is the connector whose credentials are typed in the portal. Raises the portal's errors and
        `OutcomeUnknown`.
        """
        hosted = self._repository.connector(portal_id, driver)
        there = self._comparison.connector(portal.client, hosted, portal.texts.title)
        if there is None:
            number = connectors.add(portal.client, portal.caps, self._fields(portal, hosted))
            self._repository.set_registered(hosted.id, number)
            return number
        if there.id != hosted.registered_id:
            self._repository.set_registered(hosted.id, there.id)
        if not self._comparison.fits(hosted, there):
            fields = {**self._addresses(hosted), "settings": portal.texts.settings}
            connectors.update(portal.client, portal.caps, there.id, fields)
        elif not hosted.key:
            self._keys.settle(hosted, self._comparison.key_in(hosted, there))
        return there.id

    def rotate_addresses(self, portal: PortalContext, portal_id: int, driver: str = "") -> None:
        """Give a hosted connector other addresses, all four in one call; raises like `rotate`."""
        hosted = self._repository.connector(portal_id, driver)
        number = hosted.registered_id
        if number is None:
            raise NotFound("biconnector.connector.get", "CONNECTOR_NOT_FOUND")

        def read() -> str:
            return self._comparison.key_in(hosted, connectors.get(portal.client, number))

        def write(key: str) -> None:
            connectors.update(portal.client, portal.caps, number, addresses(self._base_url, hosted.uid, key))

        self._keys.rotate(hosted, read, write)

    def unregister(self, client: PortalClient, portal_id: int, driver: str) -> None:
        """Delete the connector of a driver here and in the portal. Raises `InUse` while sources use it."""
        known = self._repository.typed_connectors(portal_id).get(driver)
        if known is not None and known.registered_id is not None:
            none_if_missing(partial(connectors.delete, client, known.registered_id))
        self._repository.remove_connector(portal_id, driver)

    # --- sources

    def connect(self, portal: PortalContext, connection: Connection) -> int:
        """The portal's number of the connection's source, which now has its key; registers the connector if need be.

        Raises the portal's errors: `SOURCE_CREATE_CONNECTION_ERROR` if our own `urlCheck` said no.
        """
        connector_id = self.register(portal, connection.portal_id)
        source = self._comparison.source(portal.client, connection, connector_id)
        if source is None:
            number = self._added(portal, connection, connector_id)
        else:
            number = self._taken_over(portal, connection, source)
        self._repository.reopen(connection.id)
        return number

    def ready_source(self, portal: PortalContext, connection: Connection) -> tuple[int, tuple[Dataset, ...]]:
        """The number of the connection's source and the datasets below it; connects first unless all is in step."""
        state = self._comparison.state(portal.client, portal.caps, connection)
        if state.portal_source is not None and state.in_step:
            return state.portal_source.id, state.datasets
        number = self.connect(portal, connection)
        # A source that was found again may have datasets.
        return number, sources.below(portal.client, portal.caps, number)

    def restore(self, portal: PortalContext, connection: Connection) -> int:
        """Make the portal's objects again, or write ours over what was changed; gives back the source's number."""
        number = self.connect(portal, connection)
        if sources.get(portal.client, number).title != connection.title:
            sources.update(portal.client, portal.caps, number, {"title": connection.title})
        return number

    def rotate(self, portal: PortalContext, connection: Connection) -> None:
        """Give a connection's source another key; raises what `ConnectionKeys.rotate` raises, and `NotFound`."""
        self._rotate(portal, connection, _source_id(connection))

    def rename(self, portal: PortalContext, connection: Connection) -> None:
        """Give the source the connection's title; the portal calls `urlCheck` for it. Nothing without a source."""
        if connection.source_id is not None:
            sources.update(portal.client, portal.caps, connection.source_id, {"title": connection.title})

    def adopt(self, client: PortalClient, connection: Connection) -> None:
        """Take over what was changed in the portal: the source's title. Raises `NotFound`."""
        source = sources.get(client, _source_id(connection))
        self._repository.change(connection, source.title, connection.settings)

    def forget(self, connection: Connection) -> None:
        """Have nothing to do with the source any more; the portal keeps it, if it is still there."""
        self._repository.set_source(connection.id, None)

    def remove(self, client: PortalClient, connection: Connection) -> None:
        """Delete a connection here and its source in the portal. Raises `InUse` while datasets read through it."""
        if connection.source_id is not None:
            none_if_missing(partial(sources.delete, client, connection.source_id))
        self._repository.remove(connection.portal_id, connection.id)

    # --- inside

    def _added(self, portal: PortalContext, connection: Connection, connector_id: int) -> int:
        numbers: list[int] = []

        def read() -> str:
            return key_of(sources.get(portal.client, numbers[0])) if numbers else ""

        def write(key: str) -> None:
            fields = {"title": connection.title, "connectorId": connector_id, "settings": {KEY: key}, "active": True}
            numbers.append(sources.add(portal.client, portal.caps, fields, (KEY,)))

        # Its number is kept once the key was read back: another source of this title may have been taken for ours.
        self._keys.rotate(connection, read, write)
        self._repository.set_source(connection.id, numbers[0])
        return numbers[0]

    def _taken_over(self, portal: PortalContext, connection: Connection, source: Source) -> int:
        self._repository.set_source(connection.id, source.id)
        if not self._keys.settle(connection, key_of(source)):
            self._rotate(portal, connection, source.id)
        return source.id

    def _rotate(self, portal: PortalContext, connection: Connection, source_id: int) -> None:
        def read() -> str:
            return key_of(sources.get(portal.client, source_id))

        def write(key: str) -> None:
            fields = {"title": connection.title, "settings": {KEY: key}}
            sources.update(portal.client, portal.caps, source_id, fields, (KEY,))

        self._keys.rotate(connection, read, write)

    def _addresses(self, hosted: HostedConnector) -> dict[str, str]:
        return addresses(self._base_url, hosted.uid, self._keys.known(hosted))

    def _fields(self, portal: PortalContext, hosted: HostedConnector) -> Mapping[str, Any]:
        texts = portal.texts
        fields = {"title": texts.title, "description": texts.description, "logo": LOGO, "settings": texts.settings}
        code = {"sourceCode": source_code(hosted)} if portal.caps.source_code else {}
        return fields | self._addresses(hosted) | code


def _source_id(connection: Connection) -> int:
    if connection.source_id is None:
        raise NotFound("biconnector.source.get", "SOURCE_NOT_FOUND")
    return connection.source_id
