"""Hosted connections: made, opened by their keys, rotated and removed; and the record of what portals asked.

A portal's connector is entered with the key in its addresses, a connection with the key that stands in the body
(facts/security 4 layers 1 and 3). Keys are 32 random bytes, so their SHA-256 says nothing about them.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from drivers import catalogue
from errors import FieldProblem, InvalidInput
from models import Connection, EndpointCall, HostedConnector, Keyed, Portal, Sessions, Vault, now

ADDRESS_KEY, CONNECTION_KEY = "bxk1_", "bxs1_"
ENDPOINTS = {"urlCheck": "check", "urlTableList": "tables", "urlTableDescription": "description", "urlData": "data"}
OLD_KEY_OPENS = timedelta(hours=24)
CALLS_KEPT = timedelta(days=14)
# Sealed, this stays below what MariaDB's TEXT takes.
MOST_SETTINGS_BYTES = 40_000
LONGEST_TITLE = 255
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Issued:
    """A connection with the key that is shown this once, and the addresses of its portal's connector."""

    id: int
    key: str = field(repr=False)
    urls: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Overview:
    """A connection without anything secret."""

    id: int
    member_id: str
    driver: str
    title: str
    settings: Mapping[str, str]
    created_at: datetime


@dataclass(frozen=True)
class Doorway:
    """A portal's connector that was entered with the right key; `language` is empty where nobody knows it.

    `driver` is empty for connections, and names the driver where credentials are typed in the portal.
    """

    connector_id: int
    portal_id: int
    language: str
    driver: str = ""


@dataclass(frozen=True)
class Opened:
    """A connection that was opened with the right key, or by what was typed in the portal: then it has no `id`.

    `budget` is whose failed connects are counted; empty means those of this very connection.
    """

    id: int | None
    uid: str
    portal_id: int
    language: str
    driver: str
    settings: Mapping[str, str] = field(repr=False)
    proven: bool = False
    budget: str = ""


@dataclass(frozen=True)
class CallRecord:
    """What is kept of one call; see `models.connection.EndpointCall`."""

    ref: str
    portal_id: int
    connection_id: int | None
    endpoint: str
    asked: Mapping[str, Any]
    status: int
    code: str = ""
    reason: str = ""
    rows: int = 0
    bytes: int = 0
    milliseconds: int = 0


class Connections:
    """All hosted connections of the application."""

    def __init__(self, sessions: Sessions, vault: Vault, base_url: str, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._vault, self._base_url, self._clock = sessions, vault, base_url, clock

    # --- for operators

    def add(self, member_id: str, driver: str, title: str, settings: Mapping[str, str]) -> Issued:
        """A new connection of a portal; raises `InvalidInput`."""
        clean = self._checked(driver, title, settings)
        connector_id = connector_of(self._sessions, self._vault, self._portal(member_id))
        key = new_key(CONNECTION_KEY)
        with self._sessions.begin() as session:
            row = Connection(connector_id=connector_id, title=title.strip(), driver=driver, key_hash=key_hash(key))
            self._vault.put(row, "settings", clean)
            session.add(row)
            session.flush()
            return self._issued(session, row, key)

    def all(self) -> list[Overview]:
        """Every connection, without its secrets."""
        with self._sessions() as session:
            rows = session.scalars(select(Connection).order_by(Connection.id)).all()
            return [self._overview(row) for row in rows]

    def mint(self, connection_id: int) -> Issued:
        """A next key for a connection, which opens at once beside the present one.

        One that was minted before and never confirmed, here or in the app, is the next one still. Raises
        `InvalidInput`, also for a connection whose source was made in the portal: its key is changed there first
        (`services.connections.key_rotation`), or the source would stand before a closed door a day later.
        """
        with self._sessions.begin() as session:
            row = _existing(session, connection_id)
            if row.source_id is not None:
                raise InvalidInput([FieldProblem("id", "KEY_IN_PORTAL")])
            return self._issued(session, row, next_key(self._vault, row))

    def confirm(self, connection_id: int) -> None:
        """Make the next key the present one, which then opens for another day; raises `InvalidInput`.

        Only for whoever knows that the next key has arrived where it is needed: before, nothing is revoked.
        """
        with self._sessions.begin() as session:
            row = _existing(session, connection_id)
            if row.next_hash is not None:
                row.old_hash, row.old_until = row.key_hash, self._clock() + OLD_KEY_OPENS
                row.key_hash, row.next_hash, row.next_key = row.next_hash, None, None

    def remove(self, connection_id: int) -> None:
        """Forget a connection, its credentials and its keys at once; raises `InvalidInput`."""
        with self._sessions.begin() as session:
            session.delete(_existing(session, connection_id))

    def checked(self, driver: str, title: str, settings: Mapping[str, str]) -> dict[str, str]:
        """The settings of a connection as they would be kept, all codes with their defaults; raises `InvalidInput`."""
        return dict(json.loads(self._checked(driver, title, settings)))

    def _checked(self, driver: str, title: str, settings: Mapping[str, str]) -> str:
        if driver not in catalogue.DRIVERS:
            raise InvalidInput([FieldProblem("driver", "UNKNOWN_DRIVER", {"known": ", ".join(catalogue.DRIVERS)})])
        clean, faults = catalogue.DRIVERS[driver].judged(settings)
        problems = [FieldProblem(f"settings-{fault.field}", fault.code.upper()) for fault in faults]
        if not 0 < len(title.strip()) <= LONGEST_TITLE:
            code = "TITLE_LENGTH" if title.strip() else "TITLE_MISSING"
            problems.insert(0, FieldProblem("title", code, {"most": str(LONGEST_TITLE)}))
        if problems:
            raise InvalidInput(problems)
        text = json.dumps(clean, ensure_ascii=False)
        if len(text.encode()) > MOST_SETTINGS_BYTES:
            raise InvalidInput([FieldProblem("settings", "TOO_LONG")])
        return text

    def _portal(self, member_id: str) -> int:
        with self._sessions() as session:
            portal = session.scalar(select(Portal).where(Portal.member_id == member_id))
            if portal is None or portal.state == "uninstalled":
                raise InvalidInput([FieldProblem("portal", "UNKNOWN_PORTAL")])
            return portal.id

    def _issued(self, session: Session, row: Connection, key: str) -> Issued:
        connector = session.get_one(HostedConnector, row.connector_id)
        address = f"{self._base_url}/gateway/{connector.uid}/{self._vault.get(connector, 'key')}"
        return Issued(row.id, key, {name: f"{address}/{part}" for name, part in ENDPOINTS.items()})

    def _overview(self, row: Connection) -> Overview:
        settings = self._settings(row)
        secret = secret_settings(row.driver)
        shown = {code: value for code, value in settings.items() if value and code not in secret}
        return Overview(row.id, row.connector.portal.member_id, row.driver, row.title, shown, row.created_at)

    def _settings(self, row: Connection) -> dict[str, str]:
        return dict(json.loads(self._vault.get(row, "settings") or "{}"))

    # --- for the gateway

    def enter(self, uid: str, key: str) -> Doorway | None:
        """The connector of these addresses, or None: unknown, wrong and revoked are all alike and cost the same."""
        with self._sessions() as session:
            row = session.scalar(select(HostedConnector).where(HostedConnector.uid == uid))
            portal = session.get(Portal, row.portal_id if row else 0)
            fits = self._fits(row, key)
            if not fits or row is None or portal is None or portal.state == "uninstalled":
                return None
            return Doorway(row.id, portal.id, portal.language, row.driver)

    def open(self, doorway: Doorway, key: str) -> Opened | None:
        """The connection with this key behind the connector, or None."""
        wanted = key_hash(key)
        any_key = or_(Connection.key_hash == wanted, Connection.next_hash == wanted, Connection.old_hash == wanted)
        with self._sessions() as session:
            row = session.scalar(select(Connection).where(Connection.connector_id == doorway.connector_id, any_key))
            if not self._fits(row, key) or row is None:
                return None
            settings, proven = self._settings(row), row.proven_at is not None
            return Opened(row.id, row.uid, doorway.portal_id, doorway.language, row.driver, settings, proven)

    def _fits(self, row: Keyed | None, key: str) -> bool:
        """Whether `key` is one that opens `row` now; all are compared, whichever fits."""
        given, moment = key_hash(key), self._clock()
        old = row.old_hash if row and row.old_until and moment < row.old_until else None
        hashes = (row.key_hash if row else None, row.next_hash if row else None, old)
        fits = [hmac.compare_digest(given, known or _NOBODY) and known is not None for known in hashes]
        return any(fits)

    def prove(self, connection_id: int) -> None:
        """Remember that the connection's settings have logged in."""
        with self._sessions.begin() as session:
            session.execute(
                update(Connection).where(Connection.id == connection_id).values(proven_at=self._clock()),
                execution_options={"synchronize_session": False},
            )

    def record(self, call: CallRecord) -> None:
        """Keep what a call asked and how it ended."""
        with self._sessions.begin() as session:
            session.add(EndpointCall(at=self._clock(), **vars(call)))

    def purge(self) -> int:
        """Delete records of calls that are old enough; returns how many."""
        with self._sessions.begin() as session:
            gone: Any = session.execute(delete(EndpointCall).where(EndpointCall.at < self._clock() - CALLS_KEPT))
            return int(gone.rowcount)


def secret_settings(driver: str) -> frozenset[str]:
    """Codes of a driver's settings that are never shown."""
    return frozenset(declared.code for declared in catalogue.DRIVERS[driver].fields if declared.kind == "secret")


def without_secrets(driver: str, settings: Mapping[str, str]) -> dict[str, str]:
    """What may be kept of settings after the app was removed (facts/security 1.21): nothing that logs in anywhere."""
    if driver not in catalogue.DRIVERS:
        return {}
    secret = secret_settings(driver)
    kept = {code: "" if code in secret else value for code, value in settings.items()}
    return kept | ({"url": _without_login(kept["url"])} if kept.get("url") else {})


def _without_login(url: str) -> str:
    """An address without user, password and query, each of which may open what it leads to; empty if unreadable."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _existing(session: Session, connection_id: int) -> Connection:
    row = session.get(Connection, connection_id)
    if row is None:
        raise InvalidInput([FieldProblem("id", "UNKNOWN_CONNECTION")])
    return row


def new_key(prefix: str) -> str:
    """A key that nobody can guess; `prefix` tells secret scanners and people what it opens."""
    return prefix + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def next_key(vault: Vault, row: Connection | HostedConnector) -> str:
    """The next key of a row, which opens beside the others.

    A key that was minted before and never settled is the next one still: the portal may have got it.
    """
    pending = vault.get(row, "next_key")
    if pending is not None and key_hash(pending) == row.next_hash:
        return pending
    key = new_key(ADDRESS_KEY if isinstance(row, HostedConnector) else CONNECTION_KEY)
    row.next_hash = key_hash(key)
    vault.put(row, "next_key", key)
    return key


def connector_of(sessions: Sessions, vault: Vault, portal_id: int, driver: str = "") -> int:
    """The number of a portal's hosted connector, made if there is none yet, by whichever process comes first."""
    mine = select(HostedConnector.id).where(HostedConnector.portal_id == portal_id, HostedConnector.driver == driver)
    with sessions() as session:
        if (found := session.scalar(mine)) is not None:
            return found
    key = new_key(ADDRESS_KEY)
    row = HostedConnector(portal_id=portal_id, driver=driver, key_hash=key_hash(key))
    vault.put(row, "key", key)
    # Another process may make it at the same moment; whatever else is wrong shows in the next line.
    with contextlib.suppress(IntegrityError), sessions.begin() as session:
        session.add(row)
    with sessions() as session:
        return session.scalars(mine).one()
