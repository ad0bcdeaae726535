"""Hosted connectors and connections in our database: found for one portal, changed, and the slots of their keys.

A key is in one of three slots (models.connection.Keyed): `current`, `next` while the portal is told of it, `old` for
another day. What the portal has registered decides which slot a key belongs to (`settle`), never the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from drivers import catalogue
from errors import NotFound
from models import Connection, EndpointCall, HostedConnector, Portal, Sessions, Vault, now
from services.bi.listing import Page
from services.connections.keys import (
    ADDRESS_KEY,
    CONNECTION_KEY,
    ENDPOINTS,
    OLD_KEY_OPENS,
    connector_of,
    key_hash,
    new_key,
    next_key,
    without_secrets,
)

Slot = Literal["current", "next", "old", ""]
KeyedRow = Connection | HostedConnector
KeyedModel = type[Connection] | type[HostedConnector]

ROTATION_TAKES = timedelta(minutes=10)
"""Longer than all portal calls of a rotation together may take."""
PAGE_SIZE = 50
TELLING = (200, 500, 502, 504)
"""Statuses that say something about the connection; the others are about a single call."""


@dataclass(frozen=True)
class Health:
    """How the last call that says something about a connection ended; `code` is empty for a good end."""

    at: datetime
    code: str
    ref: str


@dataclass(frozen=True)
class Held:
    """A connection of a portal, with its settings: not for pages as it is."""

    id: int
    uid: str
    portal_id: int
    connector_id: int
    title: str
    driver: str
    settings: Mapping[str, str] = field(repr=False)
    source_id: int | None
    proven: bool
    created_at: datetime
    health: Health | None
    closed: bool = False
    """Whether the app was removed since: its secrets are deleted, and the portal's source has a key of before."""


@dataclass(frozen=True)
class Hosted:
    """A hosted connector of a portal; `key` and `next_key` stand in its addresses."""

    id: int
    uid: str
    driver: str
    registered_id: int | None
    key: str = field(repr=False)
    next_key: str | None = field(repr=False)


class ConnectionRepository:
    """The rows of all portals; every look-up names its portal."""

    def __init__(self, sessions: Sessions, vault: Vault, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._vault, self._clock = sessions, vault, clock

    # --- connections

    def page(self, portal_id: int, search: str = "", number: int = 1) -> Page[Held]:
        """Connections by title, 50 at a time; `search` looks into titles."""
        wanted = (
            select(Connection)
            .join(HostedConnector)
            .where(HostedConnector.portal_id == portal_id, Connection.title.icontains(search, autoescape=True))
            .order_by(Connection.title, Connection.id)
            .offset((number - 1) * PAGE_SIZE)
            .limit(PAGE_SIZE + 1)
        )
        with self._sessions() as session:
            rows = session.scalars(wanted).all()
            held = tuple(self._held(session, row) for row in rows[:PAGE_SIZE])
        return Page(held, number, len(rows) > PAGE_SIZE)

    def titles(self, portal_id: int) -> dict[int, str]:
        """Titles of all connections of a portal by their numbers."""
        wanted = select(Connection.id, Connection.title).join(HostedConnector)
        with self._sessions() as session:
            found = session.execute(wanted.where(HostedConnector.portal_id == portal_id).order_by(Connection.title))
            return {row.id: row.title for row in found}

    def get(self, portal_id: int, connection_id: int) -> Held:
        """One connection; raises `NotFound` also for another portal's."""
        with self._sessions() as session:
            return self._held(session, self._mine(session, portal_id, connection_id))

    def change(self, portal_id: int, connection_id: int, title: str, settings: Mapping[str, str]) -> None:
        """Keep another title and other settings, which have yet to be proved; raises `NotFound`."""
        with self._sessions.begin() as session:
            row = self._mine(session, portal_id, connection_id)
            row.title = title
            if dict(settings) != self._settings(row):
                self._vault.put(row, "settings", json.dumps(dict(settings), ensure_ascii=False))
                row.proven_at = None

    def remove(self, portal_id: int, connection_id: int) -> None:
        """Forget a connection with its credentials and records; its keys open nothing from now on."""
        with self._sessions.begin() as session:
            session.delete(self._mine(session, portal_id, connection_id))

    def reopen(self, connection_id: int) -> None:
        """A connection that was closed works with the portal again."""
        self._set(Connection, connection_id, closed_at=None)

    def closed(self, portal_id: int) -> int:
        """How many connections of a portal wait to be connected again."""
        wanted = select(func.count(Connection.id)).join(HostedConnector)
        with self._sessions() as session:
            mine = wanted.where(HostedConnector.portal_id == portal_id, Connection.closed_at.is_not(None))
            return session.scalar(mine) or 0

    def uploads_in_use(self, portal_id: int) -> set[str]:
        """The setting `path` of every connection of a portal that reads a file."""
        readers = [name for name, driver in catalogue.DRIVERS.items() if driver.reads_uploads]
        wanted = select(Connection).join(HostedConnector).where(HostedConnector.portal_id == portal_id)
        with self._sessions() as session:
            rows = session.scalars(wanted.where(Connection.driver.in_(readers)))
            return {self._settings(row).get("path", "") for row in rows}

    def portals(self) -> set[int]:
        """The numbers of all portals that are known."""
        with self._sessions() as session:
            return set(session.scalars(select(Portal.id)))

    def set_source(self, connection_id: int, source_id: int | None) -> None:
        """Remember which source of the portal has the connection's key."""
        self._set(Connection, connection_id, source_id=source_id)

    def by_source(self, portal_id: int) -> dict[int, int]:
        """Connections of a portal by the numbers of their sources."""
        wanted = select(Connection.source_id, Connection.id).join(HostedConnector)
        with self._sessions() as session:
            found = session.execute(wanted.where(HostedConnector.portal_id == portal_id))
            return {row.source_id: row.id for row in found if row.source_id is not None}

    def sources_taken(self, connector_id: int) -> dict[int, int]:
        """Connections by the numbers of their sources."""
        wanted = select(Connection.source_id, Connection.id).where(Connection.connector_id == connector_id)
        with self._sessions() as session:
            return {row.source_id: row.id for row in session.execute(wanted) if row.source_id is not None}

    def owner(self, connector_id: int, key: str) -> int | None:
        """The connection that a key opens, or None."""
        hashed = key_hash(key)
        any_slot = or_(Connection.key_hash == hashed, Connection.next_hash == hashed, Connection.old_hash == hashed)
        with self._sessions() as session:
            return session.scalar(select(Connection.id).where(Connection.connector_id == connector_id, any_slot))

    # --- connectors

    def connector(self, portal_id: int, driver: str = "") -> Hosted:
        """A portal's hosted connector, made if there is none yet."""
        connector_id = connector_of(self._sessions, self._vault, portal_id, driver)
        with self._sessions() as session:
            return self._hosted(session.get_one(HostedConnector, connector_id))

    def set_registered(self, connector_id: int, registered_id: int | None) -> None:
        """Remember the portal's number of a connector."""
        self._set(HostedConnector, connector_id, registered_id=registered_id)

    def registered(self, portal_id: int) -> set[int]:
        """The portal's numbers of all hosted connectors that are registered there."""
        wanted = select(HostedConnector.registered_id).where(HostedConnector.portal_id == portal_id)
        with self._sessions() as session:
            return {number for number in session.scalars(wanted) if number is not None}

    def typed_connectors(self, portal_id: int) -> dict[str, Hosted]:
        """The connectors whose credentials are typed in the portal, by driver."""
        wanted = select(HostedConnector).where(HostedConnector.portal_id == portal_id, HostedConnector.driver != "")
        with self._sessions() as session:
            return {row.driver: self._hosted(row) for row in session.scalars(wanted)}

    def drop_connector(self, portal_id: int, driver: str) -> None:
        """Forget a connector; its addresses open nothing from now on."""
        mine = (HostedConnector.portal_id == portal_id, HostedConnector.driver == driver)
        with self._sessions.begin() as session:
            session.execute(delete(HostedConnector).where(*mine))

    # --- keys

    def claim(self, model: KeyedModel, row_id: int) -> bool:
        """Have the row for one rotation; False while another one runs."""
        moment = self._clock()
        free = or_(model.rotating_until.is_(None), model.rotating_until <= moment)
        claim = update(model).where(model.id == row_id, free).values(rotating_until=moment + ROTATION_TAKES)
        with self._sessions.begin() as session:
            done: Any = session.execute(claim, execution_options={"synchronize_session": False})
            return bool(done.rowcount)

    def release(self, model: KeyedModel, row_id: int) -> None:
        """The rotation is over."""
        self._set(model, row_id, rotating_until=None)

    def mint(self, model: KeyedModel, row_id: int) -> str:
        """The next key, which opens beside the others; only for whoever claimed the row."""
        with self._sessions.begin() as session:
            return next_key(self._vault, _keyed(session, model, row_id))

    def settle(self, model: KeyedModel, row_id: int, registered: str) -> Slot:
        """Let the key that the portal has be the current one; tells in which slot it was.

        The former current key opens for another day. A key in no slot changes nothing.
        """
        with self._sessions.begin() as session:
            row = _keyed(session, model, row_id)
            slot = self._slot(row, registered)
            if slot in ("next", "old"):
                row.old_hash, row.old_until = row.key_hash, self._clock() + OLD_KEY_OPENS
                row.key_hash = key_hash(registered)
                if isinstance(row, HostedConnector):
                    self._vault.put(row, "key", registered)
            if slot == "next":
                row.next_hash = row.next_key = None
            return slot

    def slot(self, model: KeyedModel, row_id: int, key: str) -> Slot:
        """In which slot of the row a key is."""
        with self._sessions() as session:
            row = _keyed(session, model, row_id)
            return self._slot(row, key)

    # --- inside

    def _slot(self, row: KeyedRow, key: str) -> Slot:
        hashed = key_hash(key)
        if hashed == row.key_hash:
            return "current"
        if hashed == row.next_hash:
            return "next"
        is_open = row.old_until is not None and self._clock() < row.old_until
        return "old" if is_open and hashed == row.old_hash else ""

    def _set(self, model: KeyedModel, row_id: int, **values: Any) -> None:
        with self._sessions.begin() as session:
            change = update(model).where(model.id == row_id).values(**values)
            session.execute(change, execution_options={"synchronize_session": False})

    def _mine(self, session: Session, portal_id: int, connection_id: int) -> Connection:
        wanted = select(Connection).join(HostedConnector)
        row = session.scalar(wanted.where(Connection.id == connection_id, HostedConnector.portal_id == portal_id))
        if row is None:
            raise NotFound("connections", "CONNECTION_NOT_FOUND")
        return row

    def _held(self, session: Session, row: Connection) -> Held:
        return Held(
            id=row.id,
            uid=row.uid,
            portal_id=row.connector.portal_id,
            connector_id=row.connector_id,
            title=row.title,
            driver=row.driver,
            settings=self._settings(row),
            source_id=row.source_id,
            proven=row.proven_at is not None,
            created_at=row.created_at,
            health=_health(session, row.id),
            closed=row.closed_at is not None,
        )

    def _hosted(self, row: HostedConnector) -> Hosted:
        key, next_key = self._vault.get(row, "key") or "", self._vault.get(row, "next_key")
        return Hosted(row.id, row.uid, row.driver, row.registered_id, key, next_key)

    def _settings(self, row: Connection) -> dict[str, str]:
        return dict(json.loads(self._vault.get(row, "settings") or "{}"))


def addresses(base_url: str, uid: str, key: str) -> dict[str, str]:
    """The four addresses of a hosted connector, by the API's names."""
    return {name: f"{base_url}/gateway/{uid}/{key}/{part}" for name, part in ENDPOINTS.items()}


def close(session: Session, vault: Vault, portal_id: int, moment: datetime) -> None:
    """Let nothing of a portal be opened or log in any more, and keep the rest (facts/security 1.21)."""
    of_portal = HostedConnector.portal_id == portal_id
    for connector in session.scalars(select(HostedConnector).where(of_portal)):
        _change_lock(vault, connector)
    for row in session.scalars(select(Connection).join(HostedConnector).where(of_portal)):
        _change_lock(vault, row)
        settings = dict(json.loads(vault.get(row, "settings") or "{}"))
        vault.put(row, "settings", json.dumps(without_secrets(row.driver, settings), ensure_ascii=False))
        row.proven_at, row.closed_at = None, row.closed_at or moment


def _change_lock(vault: Vault, row: KeyedRow) -> None:
    """Give a row a key that nobody was told, so that none of the former ones opens it."""
    key = new_key(ADDRESS_KEY if isinstance(row, HostedConnector) else CONNECTION_KEY)
    row.key_hash, row.next_hash, row.next_key = key_hash(key), None, None
    row.old_hash = row.old_until = row.rotating_until = None
    if isinstance(row, HostedConnector):
        vault.put(row, "key", key)


def _keyed(session: Session, model: KeyedModel, row_id: int) -> KeyedRow:
    return cast(KeyedRow, session.get_one(model, row_id))


def _health(session: Session, connection_id: int) -> Health | None:
    telling = (EndpointCall.connection_id == connection_id, EndpointCall.status.in_(TELLING))
    last = session.scalar(select(EndpointCall).where(*telling).order_by(EndpointCall.id.desc()).limit(1))
    return None if last is None else Health(last.at, last.code, last.ref)
