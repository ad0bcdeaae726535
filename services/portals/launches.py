"""Launches: what a browser or an event posts about itself, and the proof that it is true (facts/platform 2, 3.5).

Nothing posted is believed. The access token is shown to an authorization server of our own list, and portal, address
and user are taken from its answer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cachetools import TTLCache

from errors import Forged, PortalUnreachable
from models import now
from services.portal_api.oauth import AuthorizationServers, Identity
from services.portals.languages import portal_language
from services.portals.origins import checked_endpoint, normal_domain

VERIFIED_FOR_SECONDS = 60
ACCESS_TOKEN_LIFE = timedelta(hours=1)

_TOKEN = re.compile(r"[!-~]{1,1024}\Z")
MEMBER_ID = re.compile(r"[0-9A-Za-z_-]{1,64}\Z")
"""What a portal's `member_id` looks like, in launches and in events."""


@dataclass(frozen=True)
class Launch:
    """A launch as it was posted: claims of the browser, fit in form, not yet proved.

    `domain` may be empty; `server_endpoint` is only a hint; `application_token` and `refresh_token` may be empty, since
    older portals send no application token in a frame and a renewed page has no refresh token.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    application_token: str = field(repr=False)
    member_id: str
    domain: str
    server_endpoint: str
    language: str

    @classmethod
    def parse(cls, query: Mapping[str, str], form: Mapping[str, str]) -> Launch:
        """The launch in a POST's address and body. Raises `Forged` for fields that no portal would send."""
        return cls(
            access_token=_shaped(_TOKEN, form.get("AUTH_ID", ""), "AUTH_ID"),
            refresh_token=_shaped(_TOKEN, form.get("REFRESH_ID", ""), "REFRESH_ID", may_lack=True),
            application_token=_shaped(_TOKEN, form.get("APPLICATION_TOKEN", ""), "APPLICATION_TOKEN", may_lack=True),
            member_id=_shaped(MEMBER_ID, form.get("member_id", ""), "member_id"),
            domain=query.get("DOMAIN") or form.get("DOMAIN", ""),
            server_endpoint=form.get("SERVER_ENDPOINT", ""),
            language=portal_language(query.get("LANG") or form.get("LANG", "")),
        )

    @classmethod
    def of_event(cls, fields: Mapping[str, str], application_token: str, language: str) -> Launch:
        """The same claims in the `auth` or `data` part of an event; raises `Forged` likewise."""
        return cls(
            access_token=_shaped(_TOKEN, fields.get("access_token", ""), "access_token"),
            refresh_token=_shaped(_TOKEN, fields.get("refresh_token", ""), "refresh_token", may_lack=True),
            application_token=_shaped(_TOKEN, application_token, "application_token", may_lack=True),
            member_id=_shaped(MEMBER_ID, fields.get("member_id", ""), "member_id"),
            # `data[domain]` of ONAPPUSERREADY is the authorization server's (facts/platform 4).
            domain=urlsplit(fields.get("client_endpoint", "")).netloc,
            server_endpoint=fields.get("server_endpoint", ""),
            language=portal_language(language),
        )


@dataclass(frozen=True)
class Proof:
    """Who an access token belongs to, as an authorization server says.

    `endpoint` is canonical and `domain` is its `host[:port]`; `named_domain` is the server's word for it, which may be
    older or newer while a portal is being renamed.
    """

    member_id: str
    user_id: int
    domain: str
    named_domain: str
    endpoint: str
    oauth_url: str
    status: str
    version: int
    installed: bool
    expires_at: datetime


class Verifier:
    """Turns launches into proofs; remembers each proof for 60 s (facts/security 2.2 step 5)."""

    def __init__(
        self,
        servers: AuthorizationServers,
        *,
        insecure_hosts: Collection[str] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._servers, self._insecure_hosts, self._clock = servers, insecure_hosts, clock
        self._proofs: TTLCache[str, Proof] = TTLCache(
            4096, VERIFIED_FOR_SECONDS, timer=lambda: self._clock().timestamp()
        )
        self._lock = threading.Lock()

    def prove(
        self, launch: Launch, *, earlier_domain: str = "", earlier_server: str = "", remembered: bool = True
    ) -> Proof:
        """The proof behind a launch.

        `earlier_domain` is the address under which we know the portal: after a rename a page may still post it.
        `earlier_server` is the authorization server that vouched for it: renewals and older portals name none.
        `remembered` False asks the server again in any case, which is due before a portal is taken in. Raises `Forged`
        when nobody vouches for the token, or when it is another application's, portal's or address's than posted.
        """
        key = hashlib.sha256(launch.access_token.encode()).hexdigest()
        with self._lock:
            proof = self._proofs.get(key) if remembered else None
        if proof is None:
            identity = self._servers.identify(launch.access_token, launch.server_endpoint, earlier_server)
            proof = self._proof(identity)
            with self._lock:
                self._proofs[key] = proof
        if not hmac.compare_digest(proof.member_id.encode(), launch.member_id.encode()):
            raise Forged("the token belongs to another portal than posted")
        known = {proof.domain, proof.named_domain, normal_domain(earlier_domain)}
        if launch.domain and normal_domain(launch.domain) not in known - {""}:
            raise Forged("the token belongs to another address than posted")
        return proof

    def forget(self) -> None:
        """Ask anew for every token, because a portal was just removed."""
        with self._lock:
            self._proofs.clear()

    def _proof(self, identity: Identity) -> Proof:
        expires_at = identity.expires_at or self._clock() + ACCESS_TOKEN_LIFE
        if expires_at <= self._clock():
            raise Forged("the token has expired")
        endpoint = checked_endpoint(identity.client_endpoint, self._insecure_hosts)
        return Proof(
            member_id=identity.member_id,
            user_id=identity.user_id,
            domain=urlsplit(endpoint).netloc,
            named_domain=normal_domain(identity.domain),
            endpoint=endpoint,
            oauth_url=identity.server_url,
            status=identity.status[:1],
            version=identity.version,
            installed=identity.installed,
            expires_at=expires_at,
        )


class ProvenToken:
    """`services.portal_api`'s source of tokens for questions that come before anything is stored.

    The token was proved a moment ago, so there is nothing to renew and no other address to follow.
    """

    def __init__(self, proof: Proof, access_token: str) -> None:
        self._proof, self._access_token = proof, access_token

    def token(self) -> str:
        """The access token."""
        return self._access_token

    def renew(self, rejected: str) -> str:
        """Raises `Forged`: a portal that rejects a token which its authorization server just vouched for."""
        raise Forged("the portal rejects a proven token")

    def endpoint(self) -> str:
        """Base address of the portal's REST."""
        return self._proof.endpoint

    def moved_to(self, endpoint: str) -> None:
        """Raises `PortalUnreachable`: the authorization server named this address, and no other."""
        raise PortalUnreachable("redirect")

    def gone(self, code: str) -> None:
        """Nothing is stored yet that could be retired."""


def _shaped(pattern: re.Pattern[str], value: str, name: str, *, may_lack: bool = False) -> str:
    if not value and may_lack:
        return ""
    if not pattern.match(value):
        raise Forged(f"{name} is missing or has a foreign form")
    return value
