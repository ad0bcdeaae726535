"""Tokens of users as rows, read and changed in short transactions; every change is one statement (facts/security 3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from errors import Forged, GiveUp, PaymentRequired, PortalGone, TokenDead
from models import Portal, Sessions, UserToken, Vault, now
from services.portals.origins import checked_endpoint

log = logging.getLogger(__name__)
security_log = logging.getLogger("security")

RESTING: Mapping[str, Callable[[], GiveUp]] = {
    "unpaid": lambda: PaymentRequired("PAYMENT_REQUIRED"),
    "closed": lambda: PortalGone("PORTAL_DELETED"),
}
"""States of tokens that are not used for a while, and what is raised meanwhile."""
REST = timedelta(hours=1)
"""How long such tokens are left alone between two tries: "pause, probe rarely" (facts/platform 3.4)."""


class TokenRepository:
    """Tokens of users, and the addresses of their portals, as the database keeps them."""

    def __init__(
        self,
        sessions: Sessions,
        vault: Vault,
        *,
        insecure_hosts: tuple[str, ...] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._sessions, self._vault = sessions, vault
        self._insecure_hosts, self.clock = insecure_hosts, clock

    def find(self, portal_id: int, user_id: int) -> UserToken | None:
        """The tokens of one user of a portal."""
        with self._sessions() as session:
            return session.scalar(_of(portal_id, user_id))

    def again(self, row: UserToken) -> UserToken:
        """The same row as it is now; raises `PortalGone` if it was deleted, as uninstalling does."""
        with self._sessions() as session:
            current = session.get(UserToken, row.id)
        if current is None:
            raise PortalGone("NOT_INSTALLED")
        return current

    def usable(self, portal_id: int, user_id: int) -> UserToken:
        """The row, unless it is known that no token of it works.

        Raises `TokenDead`, `PaymentRequired` or `PortalGone`, so that nobody is asked in vain. A rest that is over is
        no obstacle: the answer to the next call tells whether it goes on.
        """
        row = self.find(portal_id, user_id)
        with self._sessions() as session:
            portal_state = session.scalar(select(Portal.state).where(Portal.id == portal_id))
        if portal_state is None or portal_state == "uninstalled":
            raise PortalGone("NOT_INSTALLED")
        if row is None:
            raise TokenDead("this user never opened the app")
        if row.state == "needs_reopen":
            raise TokenDead("the user has to open the app again")
        if row.state in RESTING and row.retry_after is not None and row.retry_after > self.clock():
            raise RESTING[row.state]()
        return row

    def is_present(self, portal_id: int) -> bool:
        """Whether a portal counts as having the app, closed for a while or not."""
        with self._sessions() as session:
            return session.scalar(select(Portal.state).where(Portal.id == portal_id)) in ("active", "closed")

    def latest(self, portal_id: int) -> list[UserToken]:
        """The tokens of all users of a portal, those first that live longest."""
        of_all = select(UserToken).where(UserToken.portal_id == portal_id)
        with self._sessions() as session:
            return list(session.scalars(of_all.order_by(UserToken.expires_at.desc(), UserToken.id)))

    def doubted_at(self, portal_id: int) -> datetime | None:
        """Since when it is in doubt whether the app is still installed on a portal."""
        with self._sessions() as session:
            return session.scalar(select(Portal.doubted_at).where(Portal.id == portal_id))

    def doubt(self, portal_id: int, since: datetime | None) -> None:
        """Remember a doubt, or that there is none any more."""
        self.change(update(Portal).where(Portal.id == portal_id).values(doubted_at=since))

    def doubted_before(self, moment: datetime) -> list[int]:
        """Portals whose doubt is older and whose tokens can still be asked with."""
        living = Portal.state.in_(("active", "closed"))
        with self._sessions() as session:
            return list(session.scalars(select(Portal.id).where(living, Portal.doubted_at <= moment)))

    def due(self, renewed_before: datetime) -> list[UserToken]:
        """Tokens for background work that were not renewed since about `renewed_before`, or whose rest is over."""
        query = select(UserToken).join(UserToken.portal)
        serving = UserToken.user_id == Portal.background_user_id
        old = and_(UserToken.state.in_(("valid", "uncertain")), UserToken.expires_at < renewed_before)
        rested = and_(UserToken.state.in_(RESTING), UserToken.retry_after <= self.clock())
        with self._sessions() as session:
            return list(session.scalars(query.where(serving, or_(old, rested))))

    def wake(self, portal_id: int) -> None:
        """Use all resting tokens of a portal again, since one of its users has just got or proved a token."""
        resting = update(UserToken).where(UserToken.portal_id == portal_id, UserToken.state.in_(RESTING))
        closed = update(Portal).where(Portal.id == portal_id, Portal.state == "closed")
        with self._sessions.begin() as session:
            session.execute(resting.values(state="valid", retry_after=None))
            session.execute(closed.values(state="active"))

    def forget(self, ended_before: datetime) -> int:
        """Delete the tokens of users whose access token ended before then; returns how many.

        A portal whose background was served by one of them has nobody for that, until an administrator comes.
        """
        serving = select(UserToken.id).where(
            UserToken.portal_id == Portal.id, UserToken.user_id == Portal.background_user_id
        )
        lost = update(Portal).where(Portal.background_user_id.is_not(None), ~serving.exists())
        options = {"synchronize_session": False}
        with self._sessions.begin() as session:
            ended: Any = session.execute(delete(UserToken).where(UserToken.expires_at < ended_before))
            session.execute(lost.values(background_user_id=None), execution_options=options)
            return int(ended.rowcount)

    def count_ended(self, ended_before: datetime) -> int:
        """How many users' tokens `forget` would delete."""
        ended = select(func.count(UserToken.id)).where(UserToken.expires_at < ended_before)
        with self._sessions() as session:
            return session.scalar(ended) or 0

    def create(self, portal_id: int, user_id: int, expires_at: datetime, **secrets_: str | None) -> bool:
        """A new row; False if another launch of the same user was faster."""
        row = UserToken(portal_id=portal_id, user_id=user_id, expires_at=expires_at)
        self.sealed(row, **secrets_)
        try:
            with self._sessions.begin() as session:
                session.add(row)
        except IntegrityError:
            return False
        return True

    def secret(self, row: UserToken, column: str) -> str | None:
        """An opened secret of a row."""
        return self._vault.get(row, column)

    def sealed(self, row: UserToken, **secrets_: str | None) -> dict[str, Any]:
        """Secrets as values of an UPDATE, sealed for this very row."""
        for column, secret in secrets_.items():
            self._vault.put(row, column, secret)
        return {column: getattr(row, column) for column in secrets_}

    def swap(self, row: UserToken, values: dict[str, Any]) -> bool:
        """Change a row unless its version moved since it was read; the version moves on."""
        same = update(UserToken).where(UserToken.id == row.id, UserToken.version == row.version)
        return self.change(same.values(version=row.version + 1, **values))

    def change(self, statement: Any) -> bool:
        """Run one UPDATE in a transaction of its own; whether it changed a row."""
        with self._sessions.begin() as session:
            result: Any = session.execute(statement, execution_options={"synchronize_session": False})
            return bool(result.rowcount)

    def portal(self, portal_id: int) -> Portal:
        """The portal of a row; raises `PortalGone` if we do not know it any more."""
        with self._sessions() as session:
            portal = session.get(Portal, portal_id)
        if portal is None or not portal.client_endpoint:
            raise PortalGone("NOT_INSTALLED")
        return portal

    def follow(self, portal_id: int, endpoint: str, server_url: str) -> None:
        """Keep the address that an authorization server named, which is how a renamed portal is found again."""
        if not endpoint:
            return
        try:
            address = self.checked(endpoint)
        except Forged:
            security_log.warning("portal %s got an address that cannot be used; the old one stays", portal_id)
            return
        domain = address.partition("://")[2].partition("/")[0]
        changed = or_(Portal.client_endpoint != address, Portal.oauth_url != server_url)
        moved = update(Portal).where(Portal.id == portal_id, changed)
        if self.change(moved.values(client_endpoint=address, domain=domain, oauth_url=server_url)):
            log.info("portal %s is now at %s", portal_id, domain)

    def checked(self, endpoint: str) -> str:
        """A canonical REST address; raises `Forged`."""
        return checked_endpoint(endpoint, self._insecure_hosts)

    def rest(self, portal_id: int, code: str) -> None:
        """The portal says that it is closed: it keeps its tokens and is asked again after a rest (facts/platform 5.3).

        As soon as one of its users opens the app, the rest is over for all.
        """
        asleep = {"state": "closed", "retry_after": self.clock() + REST}
        asleep |= {"version": UserToken.version + 1, "lease_owner": None, "lease_until": None}
        alive = update(UserToken).where(UserToken.portal_id == portal_id, UserToken.state != "needs_reopen")
        open_ = update(Portal).where(Portal.id == portal_id, Portal.state == "active")
        with self._sessions.begin() as session:
            session.execute(alive.values(asleep))
            session.execute(open_.values(state="closed"))
        log.warning("portal %s answers %s: its tokens are not used for a while", portal_id, code)


def _of(portal_id: int, user_id: int) -> Select[UserToken]:
    return select(UserToken).where(UserToken.portal_id == portal_id, UserToken.user_id == user_id)
