"""Authorization servers: who does a token belong to, and a new pair for an old one (facts/platform 3).

`client_secret` goes to the configured servers only, whatever a post or an answer names. Everything is sent as a form
body, so that neither tokens nor the secret stand in an address.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from pydantic import SecretStr

from errors import (
    AccessDenied,
    ApplicationError,
    ConfigurationError,
    Forged,
    PaymentRequired,
    PortalBusy,
    PortalGone,
    PortalUnreachable,
    TokenDead,
    TryLater,
)
from services.portal_api import replies
from services.portal_api._transport import OAUTH_TIMEOUT, Reply, Transport, exchange

# A server that does not know a token answers one of these; another server of the list may know it.
TOKEN_UNKNOWN = frozenset(
    {"invalid_client", "no_auth_found", "invalid_token", "expired_token", "invalid_grant", "authorization_error"}
    | {"not_installed", "application_not_found", "error_oauth", "wrong_client", "invalid_request"}
)

USUAL_LIFETIME = 3600
"""Seconds that an access token lives, for answers that do not say (facts/platform 3.3)."""
LONGEST_LIFETIME = 86400


@dataclass(frozen=True)
class Identity:
    """What an authorization server says about an access token: the only truth about who is calling.

    `domain` and `client_endpoint` are the portal's, `server_url` is the server of our list that answered, `status` is
    the licence (`F`, `P`, `L`, ...), `installed` whether the installer was finished, `expires_at` None if not said.
    """

    server_url: str
    client_id: str
    member_id: str
    user_id: int
    domain: str
    client_endpoint: str
    scope: tuple[str, ...]
    status: str
    version: int
    installed: bool
    expires_at: datetime | None


@dataclass(frozen=True)
class TokenPair:
    """A fresh pair of tokens; the old pair is worth nothing from now on (facts/platform 3.3)."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    member_id: str
    user_id: int
    client_endpoint: str
    server_url: str
    status: str
    scope: tuple[str, ...]


class AuthorizationServers:
    """The configured authorization servers, asked as this application."""

    def __init__(
        self,
        transport: Transport,
        urls: Sequence[str],
        client_id: str,
        client_secret: SecretStr,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock

    def identify(self, access_token: str, *hints: str) -> Identity:
        """Who `access_token` belongs to. `hints` are servers that may know it; they only decide who is asked first.

        A server that does not know the token or does not answer leaves the others to be asked. Raises `Forged` if none
        knows the token or if it was issued for another application, `PaymentRequired`, and `TryLater` if none knows it
        but one did not answer (facts/platform 3.1, 3.5).
        """
        problem: ApplicationError = Forged("no authorization server is configured")
        for url in self._in_order(hints):
            try:
                result = exchange(
                    self._transport,
                    "app.info",
                    f"{url}/rest/app.info",
                    _judge_identity,
                    form={"auth": access_token},
                    timeout=OAUTH_TIMEOUT,
                )
            except (Forged, TryLater) as unknown:
                problem = problem if isinstance(problem, TryLater) else unknown
                continue
            return self._identity(url, result)
        raise problem

    def refresh(self, server_url: str, refresh_token: str) -> TokenPair:
        """A new pair for `refresh_token`, from the server that issued it.

        Raises `TokenDead`, `PortalGone`, `PaymentRequired`, `AccessDenied` (scope), `TryLater` when the server is in
        trouble and the old pair must be kept, `ConfigurationError` when the app's own settings are wrong
        (facts/platform 3.4).
        """
        url = self._listed(server_url)
        if url is None:
            raise ConfigurationError(
                f"BITRIX24_OAUTH_URLS does not list {urlsplit(server_url).netloc or 'the server'} any more, "
                "which issued tokens that are stored here."
            )
        form = {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "client_secret": self._client_secret.get_secret_value(),
            "refresh_token": refresh_token,
        }
        answer = exchange(
            self._transport, "oauth.token", f"{url}/oauth/token/", _judge_pair, form=form, timeout=OAUTH_TIMEOUT
        )
        return self._pair(url, answer)

    def _in_order(self, hints: Sequence[str]) -> tuple[str, ...]:
        first = (url for url in map(self._listed, hints) if url is not None)
        return tuple(dict.fromkeys((*first, *self._urls)))

    def _listed(self, address: str) -> str | None:
        """The server of the list with the origin of `address`."""
        return next((url for url in self._urls if _origin(url) == _origin(address)), None)

    def _identity(self, url: str, result: Mapping[str, Any]) -> Identity:
        install = result.get("install")
        if not isinstance(install, Mapping) or not isinstance(result.get("client_id"), str):
            raise PortalUnreachable("not-json", status=200)
        if result["client_id"] != self._client_id:
            raise Forged("the token was issued for another application")
        expires_at = _moment(result.get("expires"))
        if expires_at is not None and expires_at.timestamp() <= self._clock():
            raise Forged("the token has expired")
        identity = Identity(
            server_url=url,
            client_id=self._client_id,
            member_id=_text(install.get("member_id")),
            user_id=_number(result.get("user_id")),
            domain=_text(install.get("domain")),
            client_endpoint=self._endpoint(install.get("client_endpoint")),
            scope=_words(install.get("scope") or result.get("scope")),
            status=_text(install.get("status")),
            version=_number(install.get("version")),
            installed=install.get("installed") in (True, 1, "1", "Y", "true"),
            expires_at=expires_at,
        )
        if not identity.member_id or not identity.user_id:
            raise PortalUnreachable("not-json", status=200)
        if not identity.client_endpoint:
            # The server vouches for the portal, but the operator did not allow plain HTTP to it.
            raise PortalUnreachable("refused", sent=False)
        return identity

    def _pair(self, url: str, answer: Mapping[str, Any]) -> TokenPair:
        access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        if not (isinstance(access_token, str) and access_token and isinstance(refresh_token, str) and refresh_token):
            raise PortalUnreachable("not-json", status=200)
        # Lifetime first: it does not depend on the two clocks agreeing.
        lifetime = _number(answer.get("expires_in"))
        told = None if lifetime else _at(_number(answer.get("expires")))
        lived = int(self._clock()) + min(lifetime or USUAL_LIFETIME, LONGEST_LIFETIME)
        return TokenPair(
            access_token=access_token,
            refresh_token=refresh_token,
            expires_at=told or datetime.fromtimestamp(lived, UTC),
            member_id=_text(answer.get("member_id")),
            user_id=_number(answer.get("user_id")),
            client_endpoint=self._endpoint(answer.get("client_endpoint")),
            server_url=self._listed(_text(answer.get("server_endpoint"))) or url,
            status=_text(answer.get("status")),
            scope=_words(answer.get("scope")),
        )

    def _endpoint(self, value: Any) -> str:
        """A portal's REST address, ends in a slash; empty if it is missing or may not be called.

        A pair of tokens is never thrown away because of its address: the old pair is dead already.
        """
        return f"{_text(value).rstrip('/')}/" if self._transport.is_allowed(_text(value)) else ""


def _judge_identity(reply: Reply) -> Mapping[str, Any]:
    code = _code(reply)
    if code is not None and code.lower() in TOKEN_UNKNOWN:
        raise Forged(f"the authorization server answered {code}")
    result = replies.judge("app.info", reply)
    if not isinstance(result, Mapping):
        raise PortalUnreachable("not-json", status=reply.status)
    return result


def _judge_pair(reply: Reply) -> Mapping[str, Any]:
    code = _code(reply)
    if code is not None:
        _refuse(code, reply.status)
    if reply.status != 200:
        raise PortalUnreachable("redirect" if 300 <= reply.status < 400 else "status", status=reply.status)
    return replies.parse(reply)


def _refuse(code: str, status: int) -> NoReturn:
    """Raise what an error of the token address means (facts/platform 3.4); the status is not reliable, the code is."""
    known: Mapping[str, Callable[[], ApplicationError]] = {
        "invalid_grant": lambda: TokenDead(code),
        "invalid_client": lambda: TokenDead(code),
        "invalid_request": lambda: TokenDead(code),
        "no_auth_found": lambda: TokenDead(code),
        "expired_token": lambda: TokenDead(code),
        "invalid_token": lambda: TokenDead(code),
        "authorization_error": lambda: TokenDead(code),
        "wrong_client": lambda: ConfigurationError(
            "BITRIX24_CLIENT_ID is unknown to the authorization server; compare it with the vendor's console."
        ),
        "insufficient_scope": lambda: AccessDenied("oauth.token", code),
        "invalid_scope": lambda: AccessDenied("oauth.token", code),
        "not_installed": lambda: PortalGone(code),
        "application_not_found": lambda: PortalGone(code),
        "error_oauth": lambda: PortalGone(code),
        "portal_deleted": lambda: PortalGone(code),
        "payment_required": lambda: PaymentRequired(code),
        "query_limit_exceeded": lambda: PortalBusy(code),
    }
    # Unknown codes must not cost a grant: the refresh token is kept and tried again later.
    raise known.get(code.lower(), lambda: PortalUnreachable("status", status=status))()


def _code(reply: Reply) -> str | None:
    """The error code of an authorization server's answer, fit to be logged, or None."""
    if reply.status in range(300, 400) or reply.status >= 500:
        return None
    error = replies.parse(reply).get("error")
    return None if error is None else replies.readable(str(error))


def _origin(address: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in ("http", "https"):
        return None
    return parts.scheme, host, port or {"http": 80, "https": 443}[parts.scheme]


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _number(value: Any) -> int:
    text = _text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _words(value: Any) -> tuple[str, ...]:
    """Scopes; pages show commas, one shows spaces (facts/platform 4)."""
    return tuple(re.findall(r"[^\s,]+", value)) if isinstance(value, str) else ()


def _at(timestamp: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp, UTC) if timestamp else None
    except (ValueError, OverflowError, OSError):
        return None


def _moment(value: Any) -> datetime | None:
    if _number(value):
        return _at(_number(value))
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
