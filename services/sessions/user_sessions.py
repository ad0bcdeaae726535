"""Sessions of users who opened the app, without cookies (facts/security 2.2 to 2.4).

A session is a row; its token is 32 random bytes that only the page holds, the database keeps its SHA-256. Deleting the
row ends the session with the next request.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from config import origin_of
from errors import Forged, SessionEnded
from models import Portal, Sessions, UserSession, now

MOST_PER_USER = 20
OVERLAP = timedelta(seconds=60)
"""How long a token stays good after its renewal, for requests that are under way."""
RENEWABLE = timedelta(hours=24)
"""How long an ended session can still be renewed by its user: a page may be left open over night."""
TOUCH = timedelta(seconds=60)
"""A session's last use is written no more often than this, unless its user has used another one since."""
MOST_KEPT = 100
"""Sessions of one user, those that ended and can be renewed among them."""

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class ActiveSession:
    """Who is looking at our pages: portal and user as an authorization server named them.

    `domain` is for display; `origin` is the portal's verified origin (`https://acme.bitrix24.com`); `language` is the
    portal's code; `is_admin` is what the portal said when the session was opened (docs/decisions/0006).
    """

    session_id: int
    portal_id: int
    member_id: str
    domain: str
    origin: str
    user_id: int
    is_admin: bool
    language: str


class UserSessions:
    """Opens, finds, renews and ends sessions."""

    def __init__(self, sessions: Sessions, *, idle: timedelta, longest: timedelta, clock: Clock = now) -> None:
        self._sessions = sessions
        self._idle, self._longest, self._clock = idle, longest, clock

    def open(self, portal_id: int, user_id: int, *, is_admin: bool, language: str) -> tuple[str, ActiveSession]:
        """A new session's token, and who it is; of more than 20 sessions of this user the longest unused one ends."""
        token, moment = secrets.token_urlsafe(32), self._clock()
        with self._sessions.begin() as session:
            session.add(
                UserSession(
                    token_hash=_hash(token),
                    portal_id=portal_id,
                    user_id=user_id,
                    is_admin=is_admin,
                    language=language,
                    created_at=moment,
                    seen_at=moment,
                    expires_at=moment + self._longest,
                )
            )
            session.flush()
            self._end_unused(session, portal_id, user_id, moment)
        return token, self.find(token)

    def find(self, token: str) -> ActiveSession:
        """The session that a token stands for; marks it as used.

        Raises `SessionEnded` when the token is unknown, replaced more than 60 s ago, unused for the idle limit, or
        older than the absolute limit.
        """
        moment = self._clock()
        row, portal = self._load(token, moment)
        if row.expires_at <= row.seen_at:
            raise SessionEnded("too many newer sessions", cause="opened_elsewhere")
        if row.expires_at <= moment or row.seen_at + self._idle <= moment:
            raise SessionEnded("expired session", cause="time")
        if moment - row.seen_at >= TOUCH or self._another_was_used(row):
            with self._sessions.begin() as session:
                session.execute(update(UserSession).where(UserSession.id == row.id).values(seen_at=moment))
        return _active(row, portal)

    def still_open(self, session_ids: set[int]) -> set[int]:
        """Which of these sessions are not over."""
        moment = self._clock()
        is_open = and_(UserSession.expires_at > moment, UserSession.seen_at > moment - self._idle)
        with self._sessions() as session:
            return set(session.scalars(select(UserSession.id).where(UserSession.id.in_(session_ids), is_open)))

    def ended(self, token: str) -> ActiveSession | None:
        """The session that a token stood for, if it is over but not forgotten yet; it gives no right.

        Lets the page that says so be shown in the portal's frame, in its user's language.
        """
        try:
            row, portal = self._load(token, self._clock())
        except SessionEnded:
            return None
        return _active(row, portal)

    def renew(self, token: str, member_id: str, user_id: int) -> tuple[str, ActiveSession]:
        """A new token for the session of `token`, which stays good for 60 s; both time limits start anew.

        The caller has verified that `member_id` and `user_id` are who asks. Raises `SessionEnded` when there is no
        such session any more, `Forged` when it is somebody else's.
        """
        row = self._renewable(token, member_id, user_id)
        moment, fresh = self._clock(), secrets.token_urlsafe(32)
        with self._sessions.begin() as session:
            swap = update(UserSession).where(UserSession.id == row.id, UserSession.token_hash == row.token_hash)
            swapped = session.execute(
                swap.values(
                    token_hash=_hash(fresh),
                    previous_hash=row.token_hash,
                    previous_until=moment + OVERLAP,
                    seen_at=moment,
                    expires_at=moment + self._longest,
                )
            )
            if swapped.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has it
                raise SessionEnded("renewed by another request, or ended meanwhile")
            self._end_unused(session, row.portal_id, row.user_id, moment)
        return fresh, self.find(fresh)

    def forget_ended(self) -> int:
        """Delete sessions that can no longer be renewed, with what belongs to them; returns how many there were."""
        with self._sessions.begin() as session:
            gone = session.execute(delete(UserSession).where(self._over()))
            return int(gone.rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it

    def count_ended(self) -> int:
        """How many sessions `forget_ended` would delete now."""
        with self._sessions() as session:
            return session.scalar(select(func.count(UserSession.id)).where(self._over())) or 0

    def _over(self) -> ColumnElement[bool]:
        return UserSession.expires_at <= self._clock() - RENEWABLE

    def _load(self, token: str, moment: datetime) -> tuple[UserSession, Portal]:
        digest = _hash(token)
        replaced = and_(UserSession.previous_hash == digest, UserSession.previous_until > moment)
        query = select(UserSession, Portal).join(UserSession.portal)
        with self._sessions() as session:
            found = session.execute(query.where(or_(UserSession.token_hash == digest, replaced))).first()
        if found is None:
            raise SessionEnded("unknown session")
        return found[0], found[1]

    def _renewable(self, token: str, member_id: str, user_id: int) -> UserSession:
        moment = self._clock()
        row, portal = self._load(token, moment)
        if row.expires_at + RENEWABLE <= moment:
            raise SessionEnded("expired long ago", cause="time")
        if (portal.member_id, row.user_id) != (member_id, user_id):
            raise Forged("the session belongs to another portal or user")
        return row

    def _another_was_used(self, row: UserSession) -> bool:
        """Whether the user has used another session since this one: then the order in which they were used counts."""
        later = select(UserSession.id).where(_own(row.portal_id, row.user_id), UserSession.seen_at >= row.seen_at)
        with self._sessions() as session:
            return session.scalar(later.where(UserSession.id != row.id).limit(1)) is not None

    def _end_unused(self, session: Session, portal_id: int, user_id: int, moment: datetime) -> None:
        """End the longest unused of too many sessions, and forget those that cannot be renewed.

        One that ends so is known by ending no later than it was used; no session is used after its end.
        """
        own = _own(portal_id, user_id)
        latest_first = select(UserSession.id).where(own).order_by(UserSession.seen_at.desc(), UserSession.id.desc())
        surplus = session.scalars(latest_first.where(UserSession.expires_at > moment).offset(MOST_PER_USER)).all()
        ends = update(UserSession).where(UserSession.id.in_(surplus)).values(expires_at=UserSession.seen_at)
        session.execute(ends, execution_options={"synchronize_session": False})
        oldest = session.scalars(latest_first.offset(MOST_KEPT)).all()
        ended = and_(own, UserSession.expires_at <= moment - RENEWABLE)
        session.execute(delete(UserSession).where(or_(UserSession.id.in_(oldest), ended)))


def _own(portal_id: int, user_id: int) -> ColumnElement[bool]:
    return and_(UserSession.portal_id == portal_id, UserSession.user_id == user_id)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _active(row: UserSession, portal: Portal) -> ActiveSession:
    return ActiveSession(
        session_id=row.id,
        portal_id=portal.id,
        member_id=portal.member_id,
        domain=portal.domain,
        origin=origin_of(portal.client_endpoint),
        user_id=row.user_id,
        is_admin=row.is_admin,
        language=row.language,
    )
