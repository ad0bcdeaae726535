"""Installation check: whether a portal still has the app, asked of its authorization server (facts/platform 3.4, 8).

Neither an event nor an answer of the portal proves that the app was removed: every user's frame is posted with the
application token (facts/platform 4), and a portal that cannot ask its authorization server says `ERROR_OAUTH`. The
tokens that users left here know better, since they die with the installation.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from enum import Enum
from typing import NoReturn

from errors import ApplicationError, Forged, PortalBusy, PortalGone, TokenDead
from models import UserToken
from services.portal_api.oauth import AuthorizationServers
from services.portals.token_refresh import RemovalTold, TokenRefresh
from services.portals.token_repository import TokenRepository
from services.portals.uninstallations import Uninstallations

log = logging.getLogger(__name__)

DOUBT = timedelta(seconds=5)
"""How much later than the first sign the question is put that decides: a hiccup of the portal is over by then."""
DOUBT_LASTS = timedelta(hours=1)
"""A sign that comes later than this is a first one again."""
MOST_ASKED = 3
"""Users whose tokens are shown to the server for one answer; an event should be answered within seconds."""


class Standing(Enum):
    """What the authorization server says of an installation."""

    INSTALLED = "installed"
    REMOVED = "removed"
    REJECTED = "no token is accepted any more"
    UNKNOWN = "no answer"


class InstallationCheck:
    """Asks, and ends the installations that are proved to be over."""

    def __init__(
        self,
        rows: TokenRepository,
        refresh: TokenRefresh,
        servers: AuthorizationServers,
        uninstallations: Uninstallations,
    ) -> None:
        self._rows, self._refresh, self._servers = rows, refresh, servers
        self._uninstallations = uninstallations

    def standing(self, portal_id: int, user_id: int | None = None, *, told: bool = False) -> Standing:
        """Whether the app is installed, by the first token that the authorization server does not reject.

        The tokens of `user_id`, which raised the question, come last; `told`: the server has answered already that the
        app is not installed when it was shown them.
        """
        rows = self._rows.latest(portal_id)
        others = [row for row in rows if row.user_id != user_id]
        for row in others[: MOST_ASKED - 1] + [row for row in rows if row.user_id == user_id]:
            if told and row.user_id == user_id:
                return Standing.REMOVED
            answer = self._answer(row)
            if answer is not Standing.REJECTED:
                return answer
        return Standing.REJECTED if rows else Standing.UNKNOWN

    def heard(self, portal_id: int, user_id: int, code: str, *, by_server: bool) -> NoReturn:
        """A sign (`uninstallations.SIGNS`) came for a user's token, of the portal or (`by_server`) of its server.

        Nothing ends by the first one. A later one has the server asked, and only its word ends the installation. Raises
        `PortalGone` then, and `PortalBusy` in all other cases.
        """
        moment, since = self._rows.clock(), self._rows.doubted_at(portal_id)
        if since is None or moment - since > DOUBT_LASTS:
            self._rows.doubt(portal_id, moment)
            log.warning("portal %s answers %s: its authorization server will be asked", portal_id, code)
        elif moment - since >= DOUBT and self._is_over(portal_id, code, user_id, told=by_server):
            raise PortalGone(code)
        raise PortalBusy("INSTALLATION_DOUBTED", retry_after=DOUBT.total_seconds())

    def contradicts(self, portal_id: int) -> Standing:
        """What the server says of a removal that an event tells; one that it contradicts is looked at once more later.

        A server that has not heard of the removal yet must not keep a portal's data for ever.
        """
        standing = self.standing(portal_id)
        if standing is Standing.INSTALLED:
            self._rows.doubt(portal_id, self._rows.clock())
        return standing

    def settle(self) -> int:
        """Ask about every portal in doubt; returns how many installations were over."""
        doubted = self._rows.doubted_before(self._rows.clock() - DOUBT)
        return sum(self._is_over(portal_id, "no application") for portal_id in doubted)

    def _is_over(self, portal_id: int, sign: str, user_id: int | None = None, *, told: bool = False) -> bool:
        standing = self.standing(portal_id, user_id, told=told)
        if standing is Standing.INSTALLED:
            self._rows.doubt(portal_id, None)
            log.warning("portal %s answered %s, its authorization server says that the app is there", portal_id, sign)
        over = standing in (Standing.REMOVED, Standing.REJECTED)
        if over:
            self._uninstallations.end_by_sign(portal_id, sign, confirmed=standing is Standing.REMOVED)
        return over

    def _answer(self, row: UserToken) -> Standing:
        token = self._rows.secret(row, "access_token") or ""
        try:
            if token and row.expires_at is not None and row.expires_at > self._rows.clock():
                with suppress(Forged):
                    return self._of_living(row, token)
            self._refresh.renew(row.portal_id, row.user_id, token)
        except TokenDead:
            return Standing.REJECTED
        except RemovalTold:
            return Standing.REMOVED
        except ApplicationError:
            return Standing.UNKNOWN
        return Standing.INSTALLED

    def _of_living(self, row: UserToken, token: str) -> Standing:
        portal = self._rows.portal(row.portal_id)
        identity = self._servers.identify(token, portal.oauth_url)
        vouched = identity.installed and identity.member_id == portal.member_id
        return Standing.INSTALLED if vouched else Standing.UNKNOWN
