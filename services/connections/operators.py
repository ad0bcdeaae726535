"""Connections by operators on the command line: without a portal's REST, and named by their number alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from errors import FieldProblem, InvalidInput
from services.connections.connection import Connection, checked_settings
from services.connections.keys import ConnectionKeys, addresses
from services.connections.repository import ConnectionRepository


@dataclass(frozen=True)
class IssuedKey:
    """A connection's key, which is shown this once, and the addresses of its portal's connector; `id` is its number."""

    id: int
    key: str = field(repr=False)
    urls: Mapping[str, str] = field(repr=False)


class OperatorConnections:
    """The connections of all portals; `base_url` is where portals reach us."""

    def __init__(self, repository: ConnectionRepository, keys: ConnectionKeys, base_url: str) -> None:
        self._repository, self._keys, self._base_url = repository, keys, base_url

    def add(self, member_id: str, driver: str, title: str, settings: Mapping[str, str]) -> IssuedKey:
        """A new connection of a portal; raises `InvalidInput`."""
        checked = checked_settings(driver, title, settings)
        portal_id = self._repository.portal(member_id)
        if portal_id is None:
            raise InvalidInput([FieldProblem("portal", "UNKNOWN_PORTAL")])
        return self._issued(*self._repository.add(portal_id, driver, title.strip(), checked))

    def all(self) -> list[Connection]:
        """Every connection of every portal."""
        return self._repository.of_all_portals()

    def get(self, connection_id: int) -> Connection:
        """One connection, of whichever portal; raises `InvalidInput`."""
        return self._connection(connection_id)

    def mint(self, connection_id: int) -> IssuedKey:
        """A next key for a connection, which opens at once beside the present one.

        One that was minted before and never confirmed, here or in the app, is the next one still. Raises
        `InvalidInput`, also for a connection whose source was made in the portal: its key is changed there first
        (`ConnectionKeys.rotate`), or the source would stand before a closed door a day later.
        """
        connection = self._connection(connection_id)
        if connection.source_id is not None:
            raise InvalidInput([FieldProblem("id", "KEY_IN_PORTAL")])
        return self._issued(connection, self._keys.mint(connection))

    def confirm(self, issued: IssuedKey) -> None:
        """Make a minted key the present one; the former one then opens for another day. Raises `InvalidInput`.

        Only for whoever knows that the key has arrived where it is needed: before, nothing is revoked.
        """
        self._keys.settle(self._connection(issued.id), issued.key)

    def remove(self, connection_id: int) -> None:
        """Forget a connection, its credentials and its keys at once; raises `InvalidInput`."""
        self._repository.remove(self._connection(connection_id).portal_id, connection_id)

    def _connection(self, connection_id: int) -> Connection:
        found = self._repository.of_any_portal(connection_id)
        if found is None:
            raise InvalidInput([FieldProblem("id", "UNKNOWN_CONNECTION")])
        return found

    def _issued(self, connection: Connection, key: str) -> IssuedKey:
        connector = connection.connector
        return IssuedKey(connection.id, key, addresses(self._base_url, connector.uid, self._keys.known(connector)))
