"""OAuth tokens of the authorization server: issued, refreshed, expired.

Access tokens live an hour, refresh tokens 180 days, authorization codes 30 seconds; every refresh answers a new pair
and the old refresh token is dead at once (facts/platform 3.2, 3.3).
"""

from __future__ import annotations

import secrets

from emulator.portal import Portal
from emulator.records import Application, AuthorizationCode, Grant, PortalState, User

ACCESS_SECONDS = 3600
REFRESH_SECONDS = 180 * 24 * 3600
CODE_SECONDS = 30
REMEMBERED_SECONDS = 24 * 3600
"""How long after its end a pair is still told to have expired; afterwards nobody knows it any more."""
KEPT = 100
"""Pairs of one user of one application; the oldest are forgotten, as every opening and every event issues one more."""
TOKEN_BYTES = 35


class InvalidGrant(Exception):
    """The refresh token or the code is unknown, used, expired, revoked or not this application's."""


def issue(portal: Portal, application: Application, user: User) -> Grant:
    """A fresh pair of tokens. The application must be registered at the portal."""
    now = portal.clock()
    grant = Grant(
        access_token=secrets.token_hex(TOKEN_BYTES),
        refresh_token=secrets.token_hex(TOKEN_BYTES),
        client_id=application.client_id,
        user_id=user.id,
        scope=list(application.scope),
        issued_at=now,
        expires_at=now + ACCESS_SECONDS,
        refresh_expires_at=now + REFRESH_SECONDS,
    )
    with portal.lock:
        portal.state.grants.append(grant)
        _forget_old(portal.state, grant, now)
    return grant


def issue_code(portal: Portal, application: Application, user: User) -> AuthorizationCode:
    """A code that can be exchanged once for a pair of tokens."""
    code = AuthorizationCode(
        code=secrets.token_hex(TOKEN_BYTES),
        client_id=application.client_id,
        user_id=user.id,
        expires_at=portal.clock() + CODE_SECONDS,
    )
    with portal.lock:
        portal.state.codes = [known for known in portal.state.codes if known.expires_at > portal.clock()]
        portal.state.codes.append(code)
    return code


def _forget_old(state: PortalState, latest: Grant, now: float) -> None:
    """Drop pairs that can do nothing any more, and the oldest of the latest one's user beyond `KEPT`."""

    def is_over(grant: Grant) -> bool:
        usable_until = grant.expires_at if grant.used or grant.revoked else grant.refresh_expires_at
        return max(usable_until, grant.expires_at) + REMEMBERED_SECONDS <= now

    state.grants = [grant for grant in state.grants if not is_over(grant)]
    own = [one for one in state.grants if (one.client_id, one.user_id) == (latest.client_id, latest.user_id)]
    surplus = {one.access_token for one in own[:-KEPT]}
    state.grants = [grant for grant in state.grants if grant.access_token not in surplus]


def find(portal: Portal, access_token: str) -> Grant | None:
    """The pair that `access_token` belongs to, whether it is still valid or not."""
    with portal.lock:
        return next((grant for grant in portal.state.grants if grant.access_token == access_token), None)


def refresh(portal: Portal, client_id: str, refresh_token: str) -> Grant:
    """A new pair for the user of an old one, whose refresh token dies. Raises `InvalidGrant`."""
    with portal.lock:
        for grant in portal.state.grants:
            if grant.refresh_token == refresh_token and grant.client_id == client_id:
                break
        else:
            raise InvalidGrant
        if grant.used or grant.revoked or grant.refresh_expires_at <= portal.clock():
            raise InvalidGrant
        grant.used = True
        return issue(portal, portal.application(client_id), portal.user(grant.user_id))


def exchange(portal: Portal, client_id: str, code: str) -> Grant:
    """A pair for an authorization code, which is used up by it. Raises `InvalidGrant`."""
    with portal.lock:
        for known in portal.state.codes:
            if known.code == code and known.client_id == client_id:
                break
        else:
            raise InvalidGrant
        portal.state.codes.remove(known)
        if known.expires_at <= portal.clock():
            raise InvalidGrant
        return issue(portal, portal.application(client_id), portal.user(known.user_id))


def expire(portal: Portal, *, refresh_tokens: bool = False) -> int:
    """Let every valid access token expire now, on request the refresh tokens too; answers how many pairs."""
    now = portal.clock()
    with portal.lock:
        living = [grant for grant in portal.state.grants if grant.expires_at > now or refresh_tokens]
        for grant in living:
            grant.expires_at = min(grant.expires_at, now)
            if refresh_tokens:
                grant.refresh_expires_at = min(grant.refresh_expires_at, now)
        return len(living)
