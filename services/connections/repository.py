"""Hosted connectors and connections in our database: added, found for one portal, changed and removed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from drivers import catalogue
from errors import NotFound
from models import ConnectionRow, HostedConnectorRow, Portal, Sessions, Vault, now
from services.bi.listing import Page
from services.connections.connection import Connection, HostedConnector, without_logins
from services.connections.keys import replace_key, update_row

PAGE_SIZE = 50
Ts = TypeVarTuple("Ts")


class ConnectionRepository:
    """The rows of all portals; every look-up names its portal, but for those of operators."""

    def __init__(self, sessions: Sessions, vault: Vault, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._vault, self._clock = sessions, vault, clock

    # --- connections

    def add(
        self,
        portal_id: int,
        driver: str,
        title: str,
        settings: Mapping[str, str],
        *,
        proven: bool = False,
        source_id: int | None = None,
    ) -> tuple[Connection, str]:
        """A new connection, and the key that opens it; the key itself is not kept.

        `proven`: the settings have just logged in.
        """
        row = ConnectionRow(
            connector_id=self.connector(portal_id).id,
            title=title,
            driver=driver,
            source_id=source_id,
            proven_at=self._clock() if proven else None,
        )
        key = replace_key(self._vault, row)
        self._vault.put(row, "settings", _json(settings))
        with self._sessions.begin() as session:
            session.add(row)
            session.flush()
            return Connection.of_row(row, self._vault), key

    def page(self, portal_id: int, search: str = "", number: int = 1) -> Page[Connection]:
        """Connections by title, 50 at a time; `search` looks into titles."""
        wanted = (
            _of_portal(select(ConnectionRow), portal_id)
            .where(ConnectionRow.title.icontains(search, autoescape=True))
            .order_by(ConnectionRow.title, ConnectionRow.id)
            .offset((number - 1) * PAGE_SIZE)
            .limit(PAGE_SIZE + 1)
        )
        found = self._connections(wanted)
        return Page(tuple(found[:PAGE_SIZE]), number, len(found) > PAGE_SIZE)

    def get(self, portal_id: int, connection_id: int) -> Connection:
        """One connection; raises `NotFound` also for another portal's."""
        with self._sessions() as session:
            return Connection.of_row(_row(session, portal_id, connection_id), self._vault)

    def of_source(self, portal_id: int, source_id: int) -> Connection | None:
        """The connection whose key a source of the portal has, or None."""
        return self._first(_of_portal(select(ConnectionRow), portal_id, ConnectionRow.source_id == source_id))

    def of_all_portals(self) -> list[Connection]:
        """Every connection in the order of their numbers, for operators."""
        return self._connections(select(ConnectionRow).order_by(ConnectionRow.id))

    def of_any_portal(self, connection_id: int) -> Connection | None:
        """A connection by its number alone, for operators; None if there is none."""
        return self._first(select(ConnectionRow).where(ConnectionRow.id == connection_id))

    def titles(self, portal_id: int) -> dict[int, str]:
        """Titles of all connections of a portal by their numbers."""
        wanted = _of_portal(select(ConnectionRow.id, ConnectionRow.title), portal_id).order_by(ConnectionRow.title)
        with self._sessions() as session:
            return {row.id: row.title for row in session.execute(wanted)}

    def source_owners(self, portal_id: int) -> dict[int, int]:
        """Connections of a portal by the numbers of their sources."""
        has_source = ConnectionRow.source_id.is_not(None)
        wanted = _of_portal(select(ConnectionRow.source_id, ConnectionRow.id), portal_id, has_source)
        with self._sessions() as session:
            return {row.source_id: row.id for row in session.execute(wanted)}

    def closed(self, portal_id: int) -> int:
        """How many connections of a portal wait to be connected again since it removed the app."""
        return self._count(portal_id, ConnectionRow.closed_at.is_not(None), ConnectionRow.settings.is_not(None))

    def lost(self, portal_id: int) -> int:
        """How many connections of a portal wait for their settings, since the key that sealed them is lost."""
        return self._count(portal_id, ConnectionRow.settings.is_(None))

    def uploads_in_use(self, portal_id: int) -> set[str]:
        """The setting `path` of every connection of a portal that reads a file."""
        readers = [name for name, driver in catalogue.DRIVERS.items() if driver.reads_uploads]
        of_files = _of_portal(select(ConnectionRow), portal_id, ConnectionRow.driver.in_(readers))
        return {connection.settings.get("path", "") for connection in self._connections(of_files)}

    def change(
        self, connection: Connection, title: str, settings: Mapping[str, str], *, proven: bool = False
    ) -> Connection:
        """Keep another title and other settings, which have yet to be proved unless they have just logged in.

        Raises `NotFound` for a removed connection.
        """
        with self._sessions.begin() as session:
            row = _row(session, connection.portal_id, connection.id)
            row.title = title
            if dict(settings) != Connection.of_row(row, self._vault).settings:
                self._vault.put(row, "settings", _json(settings))
                row.proven_at = None
            if proven:
                row.proven_at = self._clock()
            return Connection.of_row(row, self._vault)

    def prove(self, connection_id: int) -> None:
        """Remember that the connection's settings have logged in."""
        update_row(self._sessions, ConnectionRow, connection_id, proven_at=self._clock())

    def set_source(self, connection_id: int, source_id: int | None) -> None:
        """Remember which source of the portal has the connection's key."""
        update_row(self._sessions, ConnectionRow, connection_id, source_id=source_id)

    def reopen(self, connection_id: int) -> None:
        """A connection that was closed works with the portal again."""
        update_row(self._sessions, ConnectionRow, connection_id, closed_at=None)

    def remove(self, portal_id: int, connection_id: int) -> None:
        """Forget a connection with its credentials and records; its keys open nothing from now on."""
        with self._sessions.begin() as session:
            session.delete(_row(session, portal_id, connection_id))

    # --- connectors

    def connector(self, portal_id: int, driver: str = "") -> HostedConnector:
        """A portal's hosted connector, made if there is none yet, by whichever process comes first."""
        known = self._connectors(portal_id, HostedConnectorRow.driver == driver)
        if not known:
            row = HostedConnectorRow(portal_id=portal_id, driver=driver)
            replace_key(self._vault, row)
            # Another process may make it at the same moment; whatever else is wrong shows in the next line.
            with contextlib.suppress(IntegrityError), self._sessions.begin() as session:
                session.add(row)
            known = self._connectors(portal_id, HostedConnectorRow.driver == driver)
        return known[driver]

    def typed_connectors(self, portal_id: int) -> dict[str, HostedConnector]:
        """The connectors whose credentials are typed in the portal, by driver."""
        return self._connectors(portal_id, HostedConnectorRow.driver != "")

    def registered(self, portal_id: int) -> set[int]:
        """The portal's numbers of all hosted connectors that are registered there."""
        wanted = select(HostedConnectorRow.registered_id).where(HostedConnectorRow.portal_id == portal_id)
        with self._sessions() as session:
            return {number for number in session.scalars(wanted) if number is not None}

    def set_registered(self, connector_id: int, registered_id: int | None) -> None:
        """Remember the portal's number of a connector."""
        update_row(self._sessions, HostedConnectorRow, connector_id, registered_id=registered_id)

    def remove_connector(self, portal_id: int, driver: str) -> None:
        """Forget a connector; its addresses open nothing from now on."""
        mine = (HostedConnectorRow.portal_id == portal_id, HostedConnectorRow.driver == driver)
        with self._sessions.begin() as session:
            session.execute(delete(HostedConnectorRow).where(*mine))

    # --- portals

    def portals(self) -> set[int]:
        """The numbers of all portals that are known."""
        with self._sessions() as session:
            return set(session.scalars(select(Portal.id)))

    def portal(self, member_id: str) -> int | None:
        """The number of a portal that has the app, for operators."""
        wanted = select(Portal.id).where(Portal.member_id == member_id, Portal.state != "uninstalled")
        with self._sessions() as session:
            return session.scalar(wanted)

    # --- inside

    def _count(self, portal_id: int, *which: ColumnElement[bool]) -> int:
        with self._sessions() as session:
            return session.scalar(_of_portal(select(func.count(ConnectionRow.id)), portal_id, *which)) or 0

    def _connections(self, wanted: Select[ConnectionRow]) -> list[Connection]:
        with self._sessions() as session:
            return [Connection.of_row(row, self._vault) for row in session.scalars(wanted)]

    def _first(self, wanted: Select[ConnectionRow]) -> Connection | None:
        return next(iter(self._connections(wanted)), None)

    def _connectors(self, portal_id: int, which: ColumnElement[bool]) -> dict[str, HostedConnector]:
        wanted = select(HostedConnectorRow).where(HostedConnectorRow.portal_id == portal_id, which)
        with self._sessions() as session:
            return {row.driver: HostedConnector.of_row(row, self._vault) for row in session.scalars(wanted)}


def close(session: Session, vault: Vault, portal_id: int, moment: datetime) -> None:
    """Let nothing of a portal be opened or log in any more, and keep the rest (facts/security 1.21)."""
    for connector in session.scalars(select(HostedConnectorRow).where(HostedConnectorRow.portal_id == portal_id)):
        replace_key(vault, connector)
    for row in session.scalars(_of_portal(select(ConnectionRow), portal_id)):
        replace_key(vault, row)
        settings = json.loads(vault.get(row, "settings") or "{}")
        vault.put(row, "settings", _json(without_logins(row.driver, settings)))
        row.proven_at, row.closed_at = None, row.closed_at or moment


def _of_portal(wanted: Select[*Ts], portal_id: int, *which: ColumnElement[bool]) -> Select[*Ts]:
    return wanted.join(HostedConnectorRow).where(HostedConnectorRow.portal_id == portal_id, *which)


def _row(session: Session, portal_id: int, connection_id: int) -> ConnectionRow:
    wanted = _of_portal(select(ConnectionRow), portal_id, ConnectionRow.id == connection_id)
    row = session.scalars(wanted).one_or_none()
    if row is None:
        raise NotFound("connections", "CONNECTION_NOT_FOUND")
    return row


def _json(settings: Mapping[str, str]) -> str:
    return json.dumps(dict(settings), ensure_ascii=False)
