"""What portals asked of hosted connections, and what came of it, for the people of one portal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from models import EndpointCall, Sessions, now
from services.bi.listing import Page
from services.connections.keys import CallRecord

PAGE_SIZE = 50
LOOKED_BACK = 500
UNKNOWN_TABLE = "unknown_table"
GOOD, FAILED = "good", "failed"


@dataclass(frozen=True)
class LoggedCall:
    """One call; `code` is empty for an answer, else the key of a sentence, and `reason` what the database said."""

    ref: str
    at: datetime
    connection_id: int | None
    endpoint: str
    asked: Mapping[str, Any]
    status: int
    code: str
    reason: str
    rows: int
    bytes: int
    milliseconds: int

    @property
    def is_good(self) -> bool:
        """Whether it was answered."""
        return self.status == 200


class CallLog:
    """Reads the records of calls, and keeps trials among them."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._clock = sessions, clock

    def page(
        self,
        portal_id: int,
        *,
        connection_id: int | None = None,
        status: str = "",
        search: str = "",
        number: int = 1,
        size: int = PAGE_SIZE,
    ) -> Page[LoggedCall]:
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
        return Page(tuple(_call(row) for row in rows[:size]), number, len(rows) > size)

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

    def keep(self, call: CallRecord) -> None:
        """Keep a call that a person made, for example a test."""
        with self._sessions.begin() as session:
            session.add(EndpointCall(at=self._clock(), **vars(call)))


def _call(row: EndpointCall) -> LoggedCall:
    return LoggedCall(
        ref=row.ref,
        at=row.at,
        connection_id=row.connection_id,
        endpoint=row.endpoint,
        asked=row.asked,
        status=row.status,
        code=row.code,
        reason=row.reason,
        rows=row.rows,
        bytes=row.bytes,
        milliseconds=row.milliseconds,
    )
