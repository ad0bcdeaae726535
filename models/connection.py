"""Hosted connections: what a portal may read through us, by which keys, and what was asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Moment, new_uid, now
from models.portal import Portal
from models.vault import Sealed


class KeySlots:
    """The keys that open a row, of which only the SHA-256 is stored.

    Keys rotate in two phases (facts/security 4): `next_hash` already opens while the portal is told of it; once it has
    read back, `next_hash` becomes `key_hash`, and the former one opens until `old_until`. The next key itself is kept
    sealed until then: a rotation that ended half-way goes on with the same key, so none that the portal may have got
    is ever lost.
    """

    key_hash: Mapped[str] = mapped_column(String(64))
    next_hash: Mapped[str | None] = mapped_column(String(64), default=None)
    next_key: Mapped[str | None] = mapped_column(Sealed)
    old_hash: Mapped[str | None] = mapped_column(String(64), default=None)
    old_until: Mapped[datetime | None] = mapped_column(Moment, default=None)
    rotating_until: Mapped[datetime | None] = mapped_column(Moment, default=None)
    """Until when one rotation has this row for itself: two at once could lose the key that the portal has."""


class HostedConnectorRow(KeySlots, Base):
    """A connector whose four addresses are ours.

    A portal has one for its connections, whose `driver` is empty, and may have one for each driver whose credentials
    are typed in the portal itself. The key stands in the addresses, which the portal has to be told again whenever the
    connector is registered or compared: so, unlike other keys, it is also kept sealed.
    """

    __tablename__ = "hosted_connectors"
    __table_args__ = (UniqueConstraint("portal_id", "driver"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), default=new_uid, unique=True)
    portal_id: Mapped[int] = mapped_column(ForeignKey("portals.id", ondelete="CASCADE"))
    driver: Mapped[str] = mapped_column(String(32), default="")
    key: Mapped[str | None] = mapped_column(Sealed)
    registered_id: Mapped[int | None] = mapped_column(default=None)
    """The portal's number of this connector, once it is registered there."""
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)

    portal: Mapped[Portal] = relationship()

    def __init__(self, **values: Any) -> None:
        # Secrets are sealed before the row is written, so the identity must be there from the start.
        values.setdefault("uid", new_uid())
        super().__init__(**values)

    def seal_context(self) -> str:
        """A connector's key belongs to its portal and to this very row."""
        return f"{self.portal_id}|{self.uid}"


class ConnectionRow(KeySlots, Base):
    """A driver and its settings, known to the portal by an opaque key only."""

    __tablename__ = "connections"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), default=new_uid, unique=True)
    connector_id: Mapped[int] = mapped_column(ForeignKey("hosted_connectors.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(255))
    driver: Mapped[str] = mapped_column(String(32))
    settings: Mapped[str | None] = mapped_column(Sealed)
    """JSON object of the driver's settings, credentials among them."""
    proven_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    """When these very settings first logged in; changing them clears it."""
    source_id: Mapped[int | None] = mapped_column(default=None)
    """The portal's number of the source that has this connection's key."""
    closed_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    """When the portal removed the app: what it logs in with was deleted then, and its keys open nothing since."""
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)

    connector: Mapped[HostedConnectorRow] = relationship()

    def __init__(self, **values: Any) -> None:
        values.setdefault("uid", new_uid())
        super().__init__(**values)

    def seal_context(self) -> str:
        """Credentials belong to their portal's connector and to this very row."""
        return f"{self.connector_id}|{self.uid}"


class KnownTarget(Base):
    """A server that was asked for through a connector whose credentials are typed in the portal.

    New ones are counted, so that nobody scans networks through the portal's wizard (facts/security 4 layer 4).
    """

    __tablename__ = "known_targets"

    connector_id: Mapped[int] = mapped_column(ForeignKey("hosted_connectors.id", ondelete="CASCADE"), primary_key=True)
    target_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of driver, host and port."""
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class EndpointCall(Base):
    """The record of one call of an endpoint, or of a test: names and numbers, never values (facts/field 5 item 14)."""

    __tablename__ = "endpoint_calls"
    __table_args__ = (
        Index("ix_endpoint_calls_portal", "portal_id", "at"),
        Index("ix_endpoint_calls_table", "connection_id", "table_hash", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(32), unique=True)
    """What the portal is told instead of a reason."""
    at: Mapped[datetime] = mapped_column(Moment, default=now, index=True)
    portal_id: Mapped[int] = mapped_column(ForeignKey("portals.id", ondelete="CASCADE"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), index=True)
    endpoint: Mapped[str] = mapped_column(String(16))
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Table, selected names, keys of the filter and the limit, as far as the endpoint has them."""
    table_hash: Mapped[str | None] = mapped_column(String(64), default=None)
    """`identity_of` the table, since a database cannot index names of any length, nor tell them apart by case."""
    status: Mapped[int]
    code: Mapped[str] = mapped_column(String(64), default="")
    """Why it failed, as a key of a sentence; empty for an answer."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """What the database said, without the connection's secrets; for the portal's own people only."""
    rows: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(default=0)
    milliseconds: Mapped[int] = mapped_column(default=0)
    unshown: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True), default=None)
    """How many values of the answer could not be shown and are null, by the database's names of their columns."""

    @property
    def is_good(self) -> bool:
        """Whether it was answered."""
        return self.status == 200


class Strike(Base):
    """Failures counted against a budget (facts/security 4 layer 4), shared by all processes."""

    __tablename__ = "strikes"

    budget: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of who or what is counted."""
    count: Mapped[int]
    since: Mapped[datetime] = mapped_column(Moment)
