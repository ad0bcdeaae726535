"""What portals asked of hosted connections, and what came of it, for the people of one portal.

Every call has one record (`models.connection.EndpointCall`); tests that people make are kept among them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select

from models import EndpointCall, Sessions, identity_of, now
from services.bi.listing import Page
from services.connections.connection import Connection, Credentials

PAGE_SIZE = 50
LONGEST_REASON = 4000
CALLS_KEPT = timedelta(days=14)
GOOD, FAILED = "good", "failed"


class CallLog:
    """The records of all portals."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._clock = sessions, clock

    def record(self, call: EndpointCall, credentials: Credentials | None = None) -> None:
        """Keep a call as of now; its reason loses the secrets of the credentials that it was made with."""
        reason = call.reason or ""
        reason = credentials.hidden_in(reason) if credentials else reason
        call.reason = reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"
        call.at = self._clock()
        with self._sessions.begin() as session:
            session.add(call)

    def note_test(self, connection: Connection, **outcome: Any) -> None:
        """Keep the outcome of a test that somebody made; without `status` it passed."""
        values = {"status": 200, "asked": {}, "portal_id": connection.portal_id, "connection_id": connection.id}
        call = EndpointCall(ref=secrets.token_hex(8), endpoint="test", **(values | outcome))
        if table := call.asked.get("table"):
            call.table_hash = identity_of(table)
        self.record(call, connection)

    def page(
        self,
        portal_id: int,
        *,
        connection_id: int | None = None,
        status: str = "",
        search: str = "",
        number: int = 1,
        size: int = PAGE_SIZE,
    ) -> Page[EndpointCall]:
        """Calls of a portal, newest first; `status` is `good` or `failed`, `search` a reference or its beginning."""
        wanted = select(EndpointCall).where(EndpointCall.portal_id == portal_id)
        if connection_id is not None:
            wanted = wanted.where(EndpointCall.connection_id == connection_id)
        if status in (GOOD, FAILED):
            wanted = wanted.where((EndpointCall.status == 200) == (status == GOOD))
        if search:
            wanted = wanted.where(EndpointCall.ref.startswith(search, autoescape=True))
        wanted = wanted.order_by(EndpointCall.id.desc()).offset((number - 1) * size).limit(size + 1)
        with self._sessions() as session:
            rows = session.scalars(wanted).all()
        return Page(tuple(rows[:size]), number, len(rows) > size)

    def purge(self) -> int:
        """Delete records that are old enough; returns how many."""
        with self._sessions.begin() as session:
            gone: Any = session.execute(delete(EndpointCall).where(self._old()))
            return int(gone.rowcount)

    def count_old(self) -> int:
        """How many records `purge` would delete now."""
        with self._sessions() as session:
            return session.scalar(select(func.count(EndpointCall.id)).where(self._old())) or 0

    def _old(self) -> ColumnElement[bool]:
        return EndpointCall.at < self._clock() - CALLS_KEPT
