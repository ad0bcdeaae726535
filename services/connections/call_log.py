"""What portals asked of hosted connections, and what came of it, for the people of one portal.

Every call has one record (`models.connection.EndpointCall`); tests that people make are kept among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from models import EndpointCall, Sessions, now
from services.bi.listing import Page
from services.connections.connection import Credentials

PAGE_SIZE = 50
LOOKED_BACK = 500
LONGEST_REASON = 4000
CALLS_KEPT = timedelta(days=14)
UNKNOWN_TABLE = "unknown_table"
GOOD, FAILED = "good", "failed"
TELLING = (200, 500, 502, 504)
"""Statuses that say something about the connection; the others are about a single call."""


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

    def health(self, connection_ids: Collection[int]) -> dict[int, EndpointCall]:
        """The last call of each connection that says something about it; one without such a call is missing."""
        telling = (EndpointCall.connection_id.in_(connection_ids), EndpointCall.status.in_(TELLING))
        last = select(func.max(EndpointCall.id)).where(*telling).group_by(EndpointCall.connection_id)
        with self._sessions() as session:
            rows = session.scalars(select(EndpointCall).where(EndpointCall.id.in_(last)))
            return {row.connection_id: row for row in rows if row.connection_id is not None}

    def gone_tables(self, portal_id: int, connection_id: int) -> frozenset[str]:
        """The tables of a connection that were not there any more when they were last asked for."""
        wanted = (
            select(EndpointCall.asked, EndpointCall.code)
            .where(EndpointCall.portal_id == portal_id, EndpointCall.connection_id == connection_id)
            .order_by(EndpointCall.id.desc())
            .limit(LOOKED_BACK)
        )
        last: dict[str, str] = {}
        with self._sessions() as session:
            for asked, code in session.execute(wanted):
                if table := asked.get("table"):
                    last.setdefault(str(table), code)
        return frozenset(table for table, code in last.items() if code == UNKNOWN_TABLE)

    def purge(self) -> int:
        """Delete records that are old enough; returns how many."""
        with self._sessions.begin() as session:
            gone: Any = session.execute(delete(EndpointCall).where(EndpointCall.at < self._clock() - CALLS_KEPT))
            return int(gone.rowcount)
