"""A portal and what belongs to it: tokens of its users, their sessions, its lifecycle events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Moment, new_uid, now
from models.vault import Sealed


class Portal(Base):
    """One Bitrix24 account, keyed by `member_id` and never by its address, which its owner can change."""

    __tablename__ = "portals"

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[str] = mapped_column(String(64), unique=True)
    domain: Mapped[str] = mapped_column(String(255), default="")
    client_endpoint: Mapped[str] = mapped_column(String(512), default="")
    """Base address of REST calls, ends in `/rest/`; empty for a portal that was added by hand."""
    oauth_url: Mapped[str] = mapped_column(String(255), default="")
    """The authorization server of the configured list that vouched for this portal."""
    language: Mapped[str] = mapped_column(String(8), default="en")
    status: Mapped[str] = mapped_column(String(1), default="")
    version: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default="active")
    """`active`, `uninstalled`, `closed` (for a while or deleted, PORTAL_DELETED) or `local` (by hand, no REST)."""
    capabilities: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    """What the portal's generation knows, as `services.portal_api.capabilities` probed it."""
    application_token: Mapped[str | None] = mapped_column(Sealed)
    background_user_id: Mapped[int | None] = mapped_column(default=None)
    """Whose grant serves work without a person: the system user's if there is one, else the installer's."""
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    uninstalled_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    erasure_asked_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    """When a removal asked to delete all data (`CLEAN=1`), which happens after a quarantine."""
    doubted_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    """Since when answers say that the app is not installed, which its authorization server has not confirmed."""

    grants: Mapped[list[UserToken]] = relationship(
        back_populates="portal", cascade="all, delete-orphan", passive_deletes=True
    )

    def seal_context(self) -> str:
        """A portal's secrets belong to its `member_id`."""
        return self.member_id


class UserToken(Base):
    """The tokens of one user of a portal.

    Refreshing works by lease and compare-and-swap on `version` (facts/security 3): no transaction is open during the
    call to the authorization server. `candidate_token` is a refresh token that a browser posted: nobody vouches for it
    until the authorization server answers to it with the same portal and user.
    """

    __tablename__ = "grants"
    __table_args__ = (UniqueConstraint("portal_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), default=new_uid, unique=True)
    portal_id: Mapped[int] = mapped_column(ForeignKey("portals.id", ondelete="CASCADE"))
    user_id: Mapped[int]
    access_token: Mapped[str | None] = mapped_column(Sealed)
    refresh_token: Mapped[str | None] = mapped_column(Sealed)
    candidate_token: Mapped[str | None] = mapped_column(Sealed)
    expires_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    version: Mapped[int] = mapped_column(default=1)
    lease_owner: Mapped[str | None] = mapped_column(String(32), default=None)
    lease_until: Mapped[datetime | None] = mapped_column(Moment, default=None)
    fail_count: Mapped[int] = mapped_column(default=0)
    retry_after: Mapped[datetime | None] = mapped_column(Moment, default=None)
    """Nobody tries this grant before then, unless its user opens the app."""
    state: Mapped[str] = mapped_column(String(16), default="valid")
    """`valid`, `uncertain` (a refresh got no answer), `needs_reopen`, `unpaid` or `closed` (like its portal)."""
    updated_at: Mapped[datetime] = mapped_column(Moment, default=now, onupdate=now)

    portal: Mapped[Portal] = relationship(back_populates="grants")

    def __init__(self, **values: Any) -> None:
        # Secrets are sealed before the row is written, so the identity must be there from the start.
        values.setdefault("uid", new_uid())
        super().__init__(**values)

    def seal_context(self) -> str:
        """A grant's secrets belong to its portal and to this very row."""
        return f"{self.portal_id}|{self.uid}"


class UserSession(Base):
    """One opening of the app by one user; the token itself is never stored, only its SHA-256."""

    __tablename__ = "user_sessions"
    __table_args__ = (Index("ix_user_sessions_owner", "portal_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    previous_hash: Mapped[str | None] = mapped_column(String(64), default=None, index=True)
    """The token before the last renewal; valid until `previous_until`, for requests that were under way."""
    previous_until: Mapped[datetime | None] = mapped_column(Moment, default=None)
    portal_id: Mapped[int] = mapped_column(ForeignKey("portals.id", ondelete="CASCADE"))
    user_id: Mapped[int]
    is_admin: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str] = mapped_column(String(8), default="en")
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    seen_at: Mapped[datetime] = mapped_column(Moment, default=now)
    expires_at: Mapped[datetime] = mapped_column(Moment)

    portal: Mapped[Portal] = relationship()


class FormNonce(Base):
    """A form that was sent once; sending the same form again shows the first outcome instead of acting twice."""

    __tablename__ = "form_uses"

    nonce_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("user_sessions.id", ondelete="CASCADE"))
    outcome: Mapped[str | None] = mapped_column(Text, default=None)
    """Path of the page that the action led to; None while it runs."""
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class LifecycleEvent(Base):
    """An event that was accepted, so that a repetition changes nothing."""

    __tablename__ = "lifecycle_events"
    __table_args__ = (UniqueConstraint("member_id", "event", "ts"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[str] = mapped_column(String(64))
    event: Mapped[str] = mapped_column(String(64))
    ts: Mapped[str] = mapped_column(String(20))
    received_at: Mapped[datetime] = mapped_column(Moment, default=now)
