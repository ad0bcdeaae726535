"""The keys of hosted connectors and connections: minted, compared, and rotated in two phases (facts/security 4).

A portal's connector is entered with the key in its addresses, a connection is opened with the key that stands in the
body. Keys are 32 random bytes, so their SHA-256 says nothing about them. A key is in one of three slots
(`models.connection.KeySlots`): `current`, `next` while the portal is told of it, `old` for another day. What the portal
has registered decides which slot a key belongs to (`settle`), never the other way round. A rotation:

    1  read what the portal has            a failure ends here: nothing was changed
    2  let that key be the current one     an earlier rotation may have ended half-way
    3  mint the next key                   it opens from now on, beside the current one
    4  write it to the portal              whatever comes of this, both keys open
    5  read what the portal has
    6  let that key be the current one     the former one opens for another day

Only what was read back moves a key, so wherever a portal fails or lies, the key that it has registered opens.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, cast

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from errors import ApplicationError, PortalBusy, PortalRefused
from models import ConnectionRow, HostedConnectorRow, KeySlots, Sessions, Vault, now
from services.connections.connection import Connection, HostedConnector

Slot = Literal["current", "next", "old", ""]
KeyHolder: TypeAlias = Connection | HostedConnector
KeyHolderRow: TypeAlias = ConnectionRow | HostedConnectorRow
KeyHolderModel: TypeAlias = type[ConnectionRow] | type[HostedConnectorRow]

ADDRESS_KEY, CONNECTION_KEY = "bxk1_", "bxs1_"
"""What keys begin with: it tells secret scanners and people what they open."""
ENDPOINTS = {"urlCheck": "check", "urlTableList": "tables", "urlTableDescription": "description", "urlData": "data"}
NOT_TAKEN = "KEY_NOT_TAKEN"
OLD_KEY_OPENS = timedelta(hours=24)
ROTATION_TAKES = timedelta(minutes=10)
"""Longer than all portal calls of a rotation together may take."""
_NOBODY = hashlib.sha256(b"").hexdigest()


class ConnectionKeys:
    """The keys of all portals."""

    def __init__(self, sessions: Sessions, vault: Vault, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._vault, self._clock = sessions, vault, clock

    # --- opening

    def enter(self, uid: str, key: str) -> HostedConnector | None:
        """The connector of these addresses, or None: unknown, wrong and revoked are all alike and cost the same."""
        with self._sessions() as session:
            row = session.scalar(select(HostedConnectorRow).where(HostedConnectorRow.uid == uid))
            is_open = bool(self._slot(row, key))
            if not is_open or row is None or row.portal.state == "uninstalled":
                return None
            return HostedConnector.of_row(row, self._vault)

    def open(self, connector: HostedConnector, key: str) -> Connection | None:
        """The connection with this key behind the connector, or None."""
        with self._sessions() as session:
            row = session.scalar(select(ConnectionRow).where(*_with_key(connector.id, key)))
            is_open = bool(self._slot(row, key))
            return Connection.of_row(row, self._vault, connector) if is_open and row is not None else None

    def owner(self, connector_id: int, key: str) -> int | None:
        """The connection behind a connector that a key opens, or opened last; None for a key of nobody."""
        with self._sessions() as session:
            return session.scalar(select(ConnectionRow.id).where(*_with_key(connector_id, key)))

    def slot(self, holder: KeyHolder, key: str) -> Slot:
        """In which slot a key is that opens the holder now; empty for one that does not."""
        with self._sessions() as session:
            return self._slot(_row(session, holder), key)

    # --- rotation

    def rotate(self, holder: KeyHolder, read: Callable[[], str], write: Callable[[str], None]) -> None:
        """Give the holder another key; `read` tells which one the portal has (empty for none), `write` tells it one.

        Raises `PortalBusy` while another rotation of the holder runs, `PortalRefused` (`KEY_NOT_TAKEN`) if the portal
        still has another key, and what `read` and `write` raise.
        """
        with self.claim(holder):
            self.settle(holder, read())
            key = self.mint(holder)
            problem: ApplicationError = PortalRefused("rotation", NOT_TAKEN)
            try:
                write(key)
            except ApplicationError as refused:
                # The answer may be lost while the key arrived: what the portal has decides.
                problem = refused
            try:
                registered = read()
            except ApplicationError as lost:
                raise problem from lost
            self.settle(holder, registered)
            if registered != key:
                raise problem

    @contextlib.contextmanager
    def claim(self, holder: KeyHolder) -> Iterator[None]:
        """Have the holder for one rotation; raises `PortalBusy` while another one runs."""
        model, moment = _model(holder), self._clock()
        free = or_(model.rotating_until.is_(None), model.rotating_until <= moment)
        if not update_row(self._sessions, model, holder.id, free, rotating_until=moment + ROTATION_TAKES):
            raise PortalBusy("ROTATION_UNDER_WAY", retry_after=10)
        try:
            yield
        finally:
            update_row(self._sessions, model, holder.id, rotating_until=None)

    def mint(self, holder: KeyHolder) -> str:
        """The next key, which opens beside the others.

        A key that was minted before and never settled is the next one still: the portal may have got it.
        """
        with self._sessions.begin() as session:
            row = _row(session, holder)
            pending = self._vault.get(row, "next_key")
            if pending is not None and key_hash(pending) == row.next_hash:
                return pending
            key = _new_key(row)
            row.next_hash = key_hash(key)
            self._vault.put(row, "next_key", key)
            return key

    def known(self, connector: HostedConnector) -> str:
        """A key that opens a connector: its own, or the next one where that can no longer be read."""
        return connector.key or self.mint(connector)

    def settle(self, holder: KeyHolder, registered: str) -> Slot:
        """Let the key that the portal has be the current one; tells in which slot it was.

        The former current key opens for another day. A key in no slot changes nothing.
        """
        with self._sessions.begin() as session:
            row = _row(session, holder)
            slot = self._slot(row, registered)
            if slot in ("next", "old"):
                row.old_hash, row.old_until = row.key_hash, self._clock() + OLD_KEY_OPENS
                row.key_hash = key_hash(registered)
            # The current one may be learnt again where what sealed it is lost.
            if isinstance(row, HostedConnectorRow) and slot and (slot != "current" or row.key is None):
                self._vault.put(row, "key", registered)
            if slot == "next":
                row.next_hash = row.next_key = None
            return slot

    # --- inside

    def _slot(self, row: KeySlots | None, key: str) -> Slot:
        """All slots are compared, whichever fits, and also where there is no row."""
        given = key_hash(key)
        is_old_open = row is not None and row.old_until is not None and self._clock() < row.old_until
        slots: tuple[tuple[Slot, str | None], ...] = (
            ("current", row.key_hash if row else None),
            ("next", row.next_hash if row else None),
            ("old", row.old_hash if row and is_old_open else None),
        )
        fits = [(slot, hmac.compare_digest(given, known or _NOBODY) and known is not None) for slot, known in slots]
        return next((slot for slot, fit in fits if fit), "")


def replace_key(vault: Vault, row: KeyHolderRow) -> str:
    """Give a row a new key at once, so that none of the former ones opens it; returns it."""
    key = _new_key(row)
    row.key_hash, row.next_hash, row.next_key = key_hash(key), None, None
    row.old_hash = row.old_until = row.rotating_until = None
    if isinstance(row, HostedConnectorRow):
        vault.put(row, "key", key)
    return key


def update_row(sessions: Sessions, model: KeyHolderModel, row_id: int, *which: Any, **values: Any) -> bool:
    """Write values to a row if it is one of `which`, in one statement; whether it was."""
    change = update(model).where(model.id == row_id, *which).values(**values)
    with sessions.begin() as session:
        done: Any = session.execute(change, execution_options={"synchronize_session": False})
        return bool(done.rowcount)


def addresses(base_url: str, uid: str, key: str) -> dict[str, str]:
    """The four addresses of a hosted connector, by the API's names."""
    return {name: f"{base_url}/gateway/{uid}/{key}/{part}" for name, part in ENDPOINTS.items()}


def key_hash(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _new_key(row: KeyHolderRow) -> str:
    return (ADDRESS_KEY if isinstance(row, HostedConnectorRow) else CONNECTION_KEY) + secrets.token_urlsafe(32)


def _with_key(connector_id: int, key: str) -> tuple[Any, ...]:
    hashed = key_hash(key)
    slots = (ConnectionRow.key_hash, ConnectionRow.next_hash, ConnectionRow.old_hash)
    return ConnectionRow.connector_id == connector_id, or_(*(slot == hashed for slot in slots))


def _model(holder: KeyHolder) -> KeyHolderModel:
    return HostedConnectorRow if isinstance(holder, HostedConnector) else ConnectionRow


def _row(session: Session, holder: KeyHolder) -> KeyHolderRow:
    return cast(KeyHolderRow, session.get_one(_model(holder), holder.id))
