"""Tokens: the tokens of a portal's users, as launches bring them and as calls need them (facts/security 3).

Tokens are renewed when a portal rejects one, never by the clock (facts/platform 3.3): `token_refresh` does that.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from errors import ApplicationError, Forged, PortalBusy
from models import Sessions, Vault, now
from services.portal_api.oauth import AuthorizationServers
from services.portals.installation_check import InstallationCheck
from services.portals.token_refresh import MOST_SWAPS, RemovalTold, TokenRefresh
from services.portals.token_repository import TokenRepository
from services.portals.uninstallations import SIGNS, Uninstallations

log = logging.getLogger(__name__)

KEEP_ALIVE_AFTER = timedelta(days=120)
KEEP_ALIVE_SPREAD = timedelta(days=20)
"""Portals that came on one day are not all renewed on one day."""
REFRESH_TOKEN_LIVES = timedelta(days=180)
"""From its issue, which was an hour before its access token ended (facts/platform 3.3)."""


class Tokens:
    """Keeps the tokens of users and hands them out."""

    def __init__(
        self,
        sessions: Sessions,
        vault: Vault,
        servers: AuthorizationServers,
        uninstallations: Uninstallations,
        *,
        insecure_hosts: tuple[str, ...] = (),
        clock: Callable[[], datetime] = now,
        sleep: Callable[[float], None] = time.sleep,
        wait_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers, self._clock = servers, clock
        self._rows = TokenRepository(sessions, vault, insecure_hosts=insecure_hosts, clock=clock)
        self._refresh = TokenRefresh(self._rows, servers, sleep=sleep, wait_clock=wait_clock)
        self.check = InstallationCheck(self._rows, self._refresh, servers, uninstallations)

    def tokens(self, portal_id: int, user_id: int) -> UserTokens:
        """The tokens of one user, as the REST client asks for them."""
        return UserTokens(self, portal_id, user_id)

    def keep(
        self, portal_id: int, user_id: int, access_token: str, expires_at: datetime, candidate: str | None
    ) -> None:
        """Keep a verified access token, and the refresh token that came with it as an unproven candidate.

        Heals tokens in any state (facts/security 3 step 6): whatever kept them from being renewed, its user is here. So
        the portal is open and paid for, and its other users' tokens are used again as well. Without a candidate the
        earlier one stays.
        """
        self._write(portal_id, user_id, access_token, expires_at, candidate)
        self._rows.wake(portal_id)

    def _write(
        self, portal_id: int, user_id: int, access_token: str, expires_at: datetime, candidate: str | None
    ) -> None:
        secrets_ = {"access_token": access_token} | ({"candidate_token": candidate} if candidate else {})
        for attempt in range(MOST_SWAPS):
            row = self._rows.find(portal_id, user_id)
            if row is None:
                if self._rows.create(portal_id, user_id, expires_at, **secrets_):
                    return
                continue
            if attempt and row.state == "valid" and row.expires_at and row.expires_at >= expires_at:
                # Another launch of the same moment was faster, and its token lives as long.
                return
            values = self._rows.sealed(row, **secrets_)
            values |= {"expires_at": expires_at, "state": "valid", "fail_count": 0, "retry_after": None}
            if self._rows.swap(row, values):
                return
        raise PortalBusy("GRANT_UNDER_CHANGE", retry_after=1)

    def access_token(self, portal_id: int, user_id: int) -> str:
        """The stored access token, valid or not: only the portal decides that.

        Raises `TokenDead`, `PaymentRequired` or `PortalGone` for a row that is known to be unusable.
        """
        token = self._rows.secret(self._rows.usable(portal_id, user_id), "access_token")
        return token if token is not None else self.renew(portal_id, user_id, "")

    def renew(self, portal_id: int, user_id: int, rejected: str) -> str:
        """An access token that is not `rejected`; raises like `TokenRefresh.renew`, and `PortalBusy` in doubt."""
        try:
            return self._refresh.renew(portal_id, user_id, rejected)
        except RemovalTold as problem:
            self.gone(portal_id, user_id, problem.code, by_server=True)
            raise

    def endpoint(self, portal_id: int) -> str:
        """Base address of the portal's REST; raises `PortalGone` if there is none."""
        return self._rows.portal(portal_id).client_endpoint

    def confirm_move(self, portal_id: int, user_id: int, endpoint: str) -> None:
        """Follow a portal to its new address, if the authorization server names it too (facts/platform 5.6).

        Raises `Forged` if it does not, or if the token is another portal's.
        """
        portal = self._rows.portal(portal_id)
        identity = self._servers.identify(self.access_token(portal_id, user_id), portal.oauth_url)
        named = self._rows.checked(identity.client_endpoint)
        if identity.member_id != portal.member_id or named != self._rows.checked(endpoint):
            raise Forged("the authorization server does not confirm the portal's new address")
        self._rows.follow(portal_id, named, identity.server_url)

    def gone(self, portal_id: int, user_id: int, code: str, *, by_server: bool = False) -> None:
        """An answer to a user's token says that the app is not installed, or that the portal is closed.

        Raises like `InstallationCheck.heard`; nothing if the portal is closed, whose tokens rest then.
        """
        if not self._rows.is_present(portal_id):
            return
        if code.lower() in SIGNS:
            self.check.heard(portal_id, user_id, code, by_server=by_server)
        self._rows.rest(portal_id, code)

    def keep_alive(self) -> tuple[int, int]:
        """Renew tokens that were not renewed for about 120 days, before their refresh token dies at 180.

        Also tries those that rest because their portal was closed or not paid for. One user of a portal is enough, the
        one that serves the background. Returns how many were renewed and how many failed; a portal that was removed
        without telling is found out here (facts/security 3 step 7).
        """
        due = self._rows.due(self._clock() - KEEP_ALIVE_AFTER - random.random() * KEEP_ALIVE_SPREAD)
        failed = 0
        for row in due:
            try:
                self.renew(row.portal_id, row.user_id, self._rows.secret(row, "access_token") or "")
            except ApplicationError as problem:
                failed += 1
                log.warning("the tokens %s could not be kept alive: %s", row.id, problem)
        return len(due) - failed, failed

    def forget_dead(self) -> int:
        """Delete tokens whose refresh token has died of age, as those of users who are gone; returns how many."""
        return self._rows.forget(self._clock() - REFRESH_TOKEN_LIVES)

    def count_dead(self) -> int:
        """How many tokens `forget_dead` would delete now."""
        return self._rows.count_ended(self._clock() - REFRESH_TOKEN_LIVES)


class UserTokens:
    """`services.portal_api`'s source of tokens: one user of one portal."""

    def __init__(self, tokens: Tokens, portal_id: int, user_id: int) -> None:
        self._tokens, self._portal_id, self._user_id = tokens, portal_id, user_id

    def token(self) -> str:
        """The access token to use now."""
        return self._tokens.access_token(self._portal_id, self._user_id)

    def renew(self, rejected: str) -> str:
        """A token that is not `rejected`."""
        return self._tokens.renew(self._portal_id, self._user_id, rejected)

    def endpoint(self) -> str:
        """Base address of REST calls."""
        return self._tokens.endpoint(self._portal_id)

    def moved_to(self, endpoint: str) -> None:
        """Follow the portal to `endpoint` once the authorization server confirms it."""
        self._tokens.confirm_move(self._portal_id, self._user_id, endpoint)

    def gone(self, code: str) -> None:
        """The portal says that the app is not installed, or that it is closed; raises like `Tokens.gone`."""
        self._tokens.gone(self._portal_id, self._user_id, code)
