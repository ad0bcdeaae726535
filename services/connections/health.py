"""How connections and their tables are: what their last calls say about them (facts/field 3 item 5).

A connection fails while its last call or test failed. A question about a table that was refused, such as one for a
column that is gone, stands beside whatever else is answered: until the very same question is answered, the table is
tested, or a day has passed without it. So one broken chart among many is seen, and a chart that nobody asks for any
more is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import EndpointCall, Sessions, identity_of, now

BROKEN = (500, 502, 504)
"""Statuses that say that a connection does not work; others are about a single call."""
REFUSED = (400, 404, 507)
"""Statuses that say that a question about a table cannot be answered."""
STANDS = timedelta(days=1)
MOST_CALLS = 500
"""Refusals, and answers that may have come after them, that are looked at; the newest."""
PREVIEWS_KEPT = timedelta(hours=1)
"""For how long a portal keeps a preview, also one that failed (facts/biconnector 5.8a)."""
GONE = frozenset({"unknown_table", "published_table_gone"})


@dataclass(frozen=True)
class TableHealth:
    """The calls that tell how tables are, of some connections."""

    calls: Mapping[tuple[int, str], EndpointCall] = field(default_factory=dict)

    def of(self, connection_id: int | None, table: str) -> EndpointCall | None:
        """The call that tells how a dataset's table is, by its external code; None if nobody asked for it yet."""
        return self.calls.get((connection_id, identity_of(table))) if connection_id else None

    def is_gone(self, connection_id: int | None, table: str) -> bool:
        """Whether the table was not there any more when it was last asked for."""
        call = self.of(connection_id, table)
        return call is not None and call.code in GONE


class Health:
    """Reads the health of connections from the records of their calls, in few queries for however many of them."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._clock = sessions, clock

    def connections(self, connection_ids: Collection[int]) -> dict[int, EndpointCall]:
        """The call that tells how each connection is; one that was never asked is missing."""
        telling = (EndpointCall.connection_id.in_(connection_ids), EndpointCall.status.in_((200, *BROKEN)))
        with self._sessions() as session:
            found = {call.connection_id: call for call in _newest(session, telling, EndpointCall.connection_id)}
            refused = self._standing(session, connection_ids)
        health = {number: call for number, call in found.items() if number is not None}
        for call in refused:  # the newest last
            if call.connection_id is not None and not getattr(found.get(call.connection_id), "code", ""):
                health[call.connection_id] = call
        return health

    def tables(self, connection_ids: Collection[int]) -> TableHealth:
        """How the tables of connections are that were asked for by name."""
        telling = (
            EndpointCall.connection_id.in_(connection_ids),
            EndpointCall.table_hash.is_not(None),
            EndpointCall.status.in_((200, *BROKEN, *REFUSED)),
        )
        with self._sessions() as session:
            last = _newest(session, telling, EndpointCall.connection_id, EndpointCall.table_hash)
            refused = self._standing(session, connection_ids)
        calls = {_place(call): call for call in last}
        for call in refused:  # the newest last
            if not calls[_place(call)].code:
                calls[_place(call)] = call
        return TableHealth(calls)

    def failing(self, connection_ids: Collection[int]) -> tuple[EndpointCall, ...]:
        """What fails today, the newest first: calls of connections that do not work, and one for each refused table."""
        telling = (EndpointCall.connection_id.in_(connection_ids), EndpointCall.status.in_((200, *BROKEN)))
        with self._sessions() as session:
            broken = [call for call in _newest(session, telling, EndpointCall.connection_id) if call.code]
            refused = {_place(call): call for call in self._standing(session, connection_ids)}
        down = {call.connection_id for call in broken}
        tables = [call for call in refused.values() if call.connection_id not in down]
        return tuple(sorted((*broken, *tables), key=lambda call: -call.id))

    def failed_preview(self, connection_id: int, table: str) -> bool:
        """Whether a preview of the table failed that the portal may be showing still (facts/biconnector 5.8a)."""
        wanted = select(EndpointCall.asked).where(
            EndpointCall.connection_id == connection_id,
            EndpointCall.table_hash == identity_of(table),
            EndpointCall.endpoint == "data",
            EndpointCall.status != 200,
            EndpointCall.at > self._clock() - PREVIEWS_KEPT,
        )
        with self._sessions() as session:
            asked = session.scalars(wanted.order_by(EndpointCall.id.desc()).limit(MOST_CALLS)).all()
        return any(one.get("limit") and not one.get("select") and not one.get("filter") for one in asked)

    def _standing(self, session: Session, connection_ids: Collection[int]) -> list[EndpointCall]:
        """Refused questions of the last day that were not answered since, the newest last."""
        about_tables = (EndpointCall.connection_id.in_(connection_ids), EndpointCall.table_hash.is_not(None))
        recent = EndpointCall.at > self._clock() - STANDS
        wanted = select(EndpointCall).where(*about_tables, recent, EndpointCall.status.in_(REFUSED))
        refused = session.scalars(wanted.order_by(EndpointCall.id.desc()).limit(MOST_CALLS)).all()
        if not refused:
            return []
        answered = select(EndpointCall).where(
            *about_tables,
            EndpointCall.table_hash.in_({call.table_hash for call in refused}),
            EndpointCall.status == 200,
            EndpointCall.id > refused[-1].id,
        )
        later: dict[Any, int] = {}
        for call in session.scalars(answered.order_by(EndpointCall.id.desc()).limit(MOST_CALLS)):
            later.setdefault(_question(call), call.id)
        tested = {place: at for (place, question), at in later.items() if question == "test"}
        standing = [
            call
            for call in refused
            if call.id > later.get(_question(call), 0) and call.id > tested.get(_place(call), 0)
        ]
        return standing[::-1]


def _newest(session: Session, telling: Collection[ColumnElement[bool]], *by: Any) -> Collection[EndpointCall]:
    last = select(func.max(EndpointCall.id)).where(*telling).group_by(*by)
    return session.scalars(select(EndpointCall).where(EndpointCall.id.in_(last))).all()


def _place(call: EndpointCall) -> tuple[int, str]:
    return call.connection_id or 0, call.table_hash or ""


def _question(call: EndpointCall) -> tuple[tuple[int, str], str]:
    """What was asked of which table: the same for the same chart, or the word of a test."""
    return _place(call), "test" if call.endpoint == "test" else f"{call.endpoint} {sorted(call.asked.items())}"
