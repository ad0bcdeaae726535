"""Keys that are lost: what they sealed is given up, and named, so that people type it again.

Nothing else is lost: whoever has a key of a connection or of addresses keeps it, since those are compared by hash.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from errors import ApplicationError
from models import ConnectionRow, HostedConnectorRow, KeyCheck, Portal, Sessions, UserToken, Vault, now
from models.vault import sealed_columns, sealed_with

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LostConnection:
    """A connection whose settings have to be typed again."""

    id: int
    title: str
    driver: str
    member_id: str


@dataclass(frozen=True)
class LostSecrets:
    """What a lost key sealed: the portals (`member_id`) that have to open the app again, and connections."""

    secrets: int
    portals: tuple[str, ...]
    connections: tuple[LostConnection, ...]


class LostKeys:
    """Looks at what a key sealed that nobody has any more, and forgets it."""

    def __init__(self, sessions: Sessions, vault: Vault, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._vault, self._clock = sessions, vault, clock

    def lost(self, key_id: str) -> LostSecrets:
        """What `forget` would give up; raises like it."""
        with self._sessions() as session:
            return self._named(session, self._unopened(session, key_id))

    def forget(self, key_id: str) -> LostSecrets:
        """Give up every stored secret that names the key and does not open; tells what that was.

        Raises `ApplicationError` if the key is in the ring and opens them.
        """
        with self._sessions.begin() as session:
            unopened = self._unopened(session, key_id)
            named = self._named(session, unopened)
            for row, column in unopened:
                setattr(row, column, None)
            for row in {id(row): row for row, _ in unopened}.values():
                self._settle(row)
            session.execute(delete(KeyCheck).where(KeyCheck.key_id == key_id))
        log.warning("key %s is forgotten, and with it %s stored secrets", key_id, named.secrets)
        return named

    def waiting(self) -> int:
        """How many connections wait for their settings since a key was lost."""
        with self._sessions() as session:
            wanted = select(func.count(ConnectionRow.id)).where(ConnectionRow.settings.is_(None))
            return session.scalar(wanted) or 0

    def _unopened(self, session: Session, key_id: str) -> list[tuple[Any, str]]:
        named = [
            (row, column) for model, column in sealed_columns() for row in sealed_with(session, model, column, key_id)
        ]
        unopened = [(row, column) for row, column in named if not self._vault.opens(row, column)]
        if named and not unopened:
            raise ApplicationError(
                f"The key {key_id} is in SECRET_KEYS and opens what it sealed. To replace it put another one in front, "
                "and run `flask keys rotate`."
            )
        return unopened

    def _settle(self, row: Any) -> None:
        """Let a row that lost a secret say so."""
        if isinstance(row, UserToken) and not (row.refresh_token or row.candidate_token):
            row.access_token, row.state = None, "needs_reopen"
            row.lease_owner = row.lease_until = None
            row.version += 1
        if isinstance(row, ConnectionRow) and row.settings is None:
            row.proven_at, row.closed_at = None, row.closed_at or self._clock()

    def _named(self, session: Session, unopened: list[tuple[Any, str]]) -> LostSecrets:
        portals = {row.id for row, _ in unopened if isinstance(row, Portal)}
        portals |= {row.portal_id for row, _ in unopened if isinstance(row, UserToken)}
        lost = [row.id for row, column in unopened if isinstance(row, ConnectionRow) and column == "settings"]
        members = session.scalars(select(Portal.member_id).where(Portal.id.in_(portals)).order_by(Portal.id))
        rows = session.execute(
            select(ConnectionRow.id, ConnectionRow.title, ConnectionRow.driver, Portal.member_id)
            .join(HostedConnectorRow, ConnectionRow.connector_id == HostedConnectorRow.id)
            .join(Portal, HostedConnectorRow.portal_id == Portal.id)
            .where(ConnectionRow.id.in_(lost))
            .order_by(ConnectionRow.id)
        )
        return LostSecrets(len(unopened), tuple(members), tuple(LostConnection(*row) for row in rows))
