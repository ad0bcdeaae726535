"""Token refresh: a new pair of tokens by lease and compare-and-swap (facts/security 3).

No transaction is open while an authorization server is asked, so a slow server holds no connection of the database.
Of all callers in all processes one wins a lease in the user's row and asks; the others wait until the row has a new
token. A winner that dies leaves a lease that ends by itself.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, update

from errors import ApplicationError, PaymentRequired, PortalBusy, PortalGone, TokenDead
from models import UserToken, new_uid
from services.portal_api.oauth import AuthorizationServers, TokenPair
from services.portals.token_repository import REST, RESTING, TokenRepository
from services.portals.uninstallations import SIGNS

log = logging.getLogger(__name__)
security_log = logging.getLogger("security")

LEASE = timedelta(seconds=15)
"""Longer than one answer of an authorization server may take (3 s to connect and 7 s to read)."""
WAIT_SECONDS = 12.0
POLL_SECONDS = (0.05, 0.15)
FIRST_RETRY = timedelta(seconds=2)
COOL_DOWN = timedelta(seconds=30)
LONGEST_COOL_DOWN = timedelta(minutes=30)
MOST_SWAPS = 8


class RemovalTold(PortalGone):
    """The authorization server says that the app is not installed: one of `SIGNS`, with the old pair kept."""


@dataclass(frozen=True)
class _Lease:
    """The right to renew the tokens of one user, and what was read when it was won."""

    row: UserToken
    owner: str
    tokens: tuple[str, ...] = field(repr=False)
    """Refresh tokens to try in their order: the proven one, then the candidate."""


class TokenRefresh:
    """Renews tokens, those of one user at most once at a time."""

    def __init__(
        self,
        rows: TokenRepository,
        servers: AuthorizationServers,
        *,
        sleep: Callable[[float], None] = time.sleep,
        wait_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows, self._servers = rows, servers
        self._sleep, self._wait_clock = sleep, wait_clock
        self._flights: dict[int, Future[str]] = {}
        self._flights_lock = threading.Lock()

    def renew(self, portal_id: int, user_id: int, rejected: str) -> str:
        """An access token that is not `rejected`: the one another caller got meanwhile, or a new one.

        Callers in this process share one attempt. Raises `TokenDead`, `PaymentRequired`, `PortalGone` (`RemovalTold` by
        the authorization server itself); `PortalBusy` while that gets a rest; `PortalUnreachable` when it was silent.
        """
        row = self._rows.usable(portal_id, user_id)
        token = self._rows.secret(row, "access_token")
        if token is not None and token != rejected:
            return token
        with self._flights_lock:
            flight = self._flights.get(row.id)
            if leads := flight is None:
                flight = self._flights[row.id] = Future()
        assert flight is not None  # noqa: S101 - narrows the type, it was just made
        if not leads:
            shared = _landed(flight)
            return shared if shared != rejected else self.renew(portal_id, user_id, rejected)
        try:
            flight.set_result(self._renew_or_wait(portal_id, user_id, rejected))
        except BaseException as problem:
            flight.set_exception(problem)
            raise
        finally:
            with self._flights_lock:
                del self._flights[row.id]
        return flight.result()

    def _renew_or_wait(self, portal_id: int, user_id: int, rejected: str) -> str:
        give_up = self._wait_clock() + WAIT_SECONDS
        while self._wait_clock() < give_up:
            row = self._rows.usable(portal_id, user_id)
            token = self._rows.secret(row, "access_token")
            if token is not None and token != rejected:
                return token
            rest = (row.retry_after - self._rows.clock()).total_seconds() if row.retry_after else 0
            if rest > 0:
                raise PortalBusy("REFRESH_RESTS", retry_after=rest)
            lease = self._win(row)
            if lease is not None:
                return self._ask(lease)
            self._sleep(random.uniform(*POLL_SECONDS))
        raise PortalBusy("REFRESH_UNDER_WAY", retry_after=2)

    def _win(self, row: UserToken) -> _Lease | None:
        moment, owner = self._rows.clock(), new_uid()
        free = or_(UserToken.lease_until.is_(None), UserToken.lease_until < moment)
        take = update(UserToken).where(UserToken.id == row.id, UserToken.version == row.version, free)
        if not self._rows.change(take.values(lease_owner=owner, lease_until=moment + LEASE)):
            return None
        both = (self._rows.secret(row, "refresh_token"), self._rows.secret(row, "candidate_token"))
        return _Lease(row, owner, tuple(dict.fromkeys(token for token in both if token)))

    def _ask(self, lease: _Lease) -> str:
        """Ask the authorization server with one refresh token after the other; the lease is ours."""
        try:
            for refresh_token in lease.tokens:
                if not self._extend(lease):
                    break
                pair = self._pair(lease.row, refresh_token)
                if pair is not None:
                    return self._store(lease, pair, refresh_token)
        except PaymentRequired:
            self._end(lease, {"state": "unpaid", "retry_after": self._rows.clock() + REST})
            raise
        except PortalGone as problem:
            if problem.code.lower() not in SIGNS:
                self._rows.rest(lease.row.portal_id, problem.code)
                raise
            self._rest(lease)
            raise RemovalTold(problem.code) from None
        except ApplicationError:
            self._rest(lease)
            raise
        return self._without_pair(lease)

    def _extend(self, lease: _Lease) -> bool:
        return self._rows.change(_held(lease).values(lease_until=self._rows.clock() + LEASE))

    def _pair(self, row: UserToken, refresh_token: str) -> TokenPair | None:
        """The answer to one refresh token; None if it is dead or somebody else's."""
        portal = self._rows.portal(row.portal_id)
        try:
            pair = self._servers.refresh(portal.oauth_url, refresh_token)
        except TokenDead:
            return None
        # `user_id` is missing in some answers (facts/platform 3.3); the portal never is.
        if pair.member_id != portal.member_id or (pair.user_id and pair.user_id != row.user_id):
            security_log.warning("a refresh token of portal %s belongs to somebody else: dropped", portal.member_id)
            return None
        return pair

    def _store(self, lease: _Lease, pair: TokenPair, used: str) -> str:
        """Write the new pair in one statement; a row that moved meanwhile keeps the later pair (step 4).

        A launch may have moved it: then the lease is still ours, and the pair that was just proved goes in.
        """
        for _ in range(MOST_SWAPS):
            current = self._rows.again(lease.row)
            taken_over = current.lease_owner != lease.owner
            if taken_over and current.expires_at is not None and current.expires_at >= pair.expires_at:
                log.warning("the tokens %s were renewed by another process as well; its later pair stays", current.id)
                return self._rows.secret(current, "access_token") or pair.access_token
            spent = used == self._rows.secret(current, "candidate_token")
            values = self._rows.sealed(current, access_token=pair.access_token, refresh_token=pair.refresh_token)
            values |= {"candidate_token": None} if spent else {}
            values |= {"expires_at": pair.expires_at, "state": "valid", "fail_count": 0, "retry_after": None}
            if self._rows.swap(current, values | {"lease_owner": None, "lease_until": None}):
                self._rows.follow(current.portal_id, pair.client_endpoint, pair.server_url)
                if lease.row.state in RESTING:
                    self._rows.wake(current.portal_id)
                return pair.access_token
        raise PortalBusy("GRANT_UNDER_CHANGE", retry_after=1)

    def _without_pair(self, lease: _Lease) -> str:
        """No token was accepted: use what another caller stored meanwhile, else the user has to open the app."""
        dead = {"state": "needs_reopen", "access_token": None, "refresh_token": None, "candidate_token": None}
        if self._end(lease, dead):
            log.warning("the tokens %s need their user to open the app", lease.row.id)
            raise TokenDead("no refresh token of this user is accepted any more")
        token = self._rows.secret(self._rows.again(lease.row), "access_token")
        if token is None:
            raise TokenDead("no refresh token of this user is accepted any more")
        return token

    def _rest(self, lease: _Lease) -> None:
        """No new pair, and the old one is not dead: it stays, with 2 s, 30 s, 60 s ... 30 min between attempts."""
        fails = lease.row.fail_count + 1
        pause = FIRST_RETRY if fails == 1 else min(COOL_DOWN * 2 ** min(fails - 2, 10), LONGEST_COOL_DOWN)
        again = self._rows.clock() + pause
        self._end(lease, {"state": "uncertain", "fail_count": fails, "retry_after": again})

    def _end(self, lease: _Lease, values: dict[str, Any]) -> bool:
        """End the lease, with an outcome unless the row moved meanwhile; whether the outcome was written."""
        over = {"lease_owner": None, "lease_until": None}
        still = _held(lease).where(UserToken.version == lease.row.version)
        if self._rows.change(still.values(values | over | {"version": lease.row.version + 1})):
            return True
        self._rows.change(_held(lease).values(over))
        return False


def _held(lease: _Lease) -> Any:
    return update(UserToken).where(UserToken.id == lease.row.id, UserToken.lease_owner == lease.owner)


def _landed(flight: Future[str]) -> str:
    try:
        return flight.result(timeout=3 * WAIT_SECONDS)
    except FutureTimeout:
        raise PortalBusy("REFRESH_UNDER_WAY", retry_after=2) from None
