"""Connections from their creation to their removal: what operators and analysts do with them, one call each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers import catalogue
from errors import FieldProblem, InvalidInput
from services.connections.connection import Connection
from services.connections.keys import ConnectionKeys, addresses
from services.connections.repository import ConnectionRepository

# Sealed, this stays below what MariaDB's TEXT takes.
MOST_SETTINGS_BYTES = 40_000
LONGEST_TITLE = 255


@dataclass(frozen=True)
class IssuedKey:
    """A connection's key, which is shown this once, and the addresses of its portal's connector; `id` is its number."""

    id: int
    key: str = field(repr=False)
    urls: Mapping[str, str] = field(repr=False)


class Connections:
    """The connections of all portals; `base_url` is where portals reach us."""

    def __init__(self, repository: ConnectionRepository, keys: ConnectionKeys, base_url: str) -> None:
        self._repository, self._keys, self._base_url = repository, keys, base_url

    # --- by operators, who name a connection by its number alone

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

    # --- inside

    def _connection(self, connection_id: int) -> Connection:
        found = self._repository.of_any_portal(connection_id)
        if found is None:
            raise InvalidInput([FieldProblem("id", "UNKNOWN_CONNECTION")])
        return found

    def _issued(self, connection: Connection, key: str) -> IssuedKey:
        connector = connection.connector
        return IssuedKey(connection.id, key, addresses(self._base_url, connector.uid, connector.key))


def checked_settings(driver: str, title: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The settings of a connection as they would be kept, all codes with their defaults.

    Raises `InvalidInput` with everything that is wrong, the title among it.
    """
    if driver not in catalogue.DRIVERS:
        raise InvalidInput([FieldProblem("driver", "UNKNOWN_DRIVER", {"known": ", ".join(catalogue.DRIVERS)})])
    checked, faults = catalogue.DRIVERS[driver].judged(settings)
    problems = [FieldProblem(f"settings-{fault.field}", fault.code.upper()) for fault in faults]
    if not 0 < len(title.strip()) <= LONGEST_TITLE:
        code = "TITLE_LENGTH" if title.strip() else "TITLE_MISSING"
        problems.insert(0, FieldProblem("title", code, {"most": str(LONGEST_TITLE)}))
    if problems:
        raise InvalidInput(problems)
    if len(json.dumps(checked, ensure_ascii=False).encode()) > MOST_SETTINGS_BYTES:
        raise InvalidInput([FieldProblem("settings", "TOO_LONG")])
    return checked
