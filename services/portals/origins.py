"""Origins: which site a browser's request comes from, and the canonical address of a portal.

Header values come in as plain text, so that both doors judge them alike (facts/security 1 rows 4 to 6, 2.2).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from config import DEFAULT_PORTS, origin_of
from errors import Forged

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/rest/\Z")


def is_own_request(fetch_site: str | None, origin: str | None, own: Collection[str]) -> bool:
    """Whether a request that changes something was sent by one of our own pages.

    `fetch_site` is the header Sec-Fetch-Site; where a browser does not send it, `origin` must be one of `own`. A
    request with neither comes from no browser, so no victim's session can ride on it (facts/security 1 row 4).
    """
    if fetch_site is not None:
        return fetch_site == "same-origin"
    return origin is None or origin in own


def is_framed(fetch_destination: str | None) -> bool:
    """Whether a browser loads the answer into a frame; a client that does not say so is believed.

    Keeps an attacker from opening his own portal's session in the victim's window (facts/security 1 row 5).
    """
    return fetch_destination in (None, "iframe")


def normal_domain(domain: str) -> str:
    """A portal's address as posted in DOMAIN, lower case and without a default port (facts/platform 2)."""
    return re.sub(r":(80|443)\Z", "", domain.strip().lower())


def checked_endpoint(endpoint: str, insecure_hosts: Collection[str]) -> str:
    """The canonical base address of a portal's REST, ending in `/rest/`.

    `http` only for `host:port` entries of `insecure_hosts`. Only plain hosts pass, so that the address can stand in a
    header. Raises `Forged` for everything else: user names, international names outside their ASCII form, queries.
    """
    try:
        parts = urlsplit(endpoint.strip())
        port = parts.port
    except ValueError:
        raise Forged("endpoint cannot be read") from None
    _check_host(parts)
    path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
    if parts.query or parts.fragment or not _PATH.match(path):
        raise Forged("endpoint has a foreign form")
    if parts.scheme not in DEFAULT_PORTS:
        raise Forged("endpoint is not https")
    if parts.scheme == "http" and f"{parts.hostname}:{port or 80}" not in insecure_hosts:
        raise Forged("endpoint is not https")
    return origin_of(endpoint.strip()) + path


def _check_host(parts: SplitResult) -> None:
    host = parts.hostname or ""
    if "@" in parts.netloc or "\\" in parts.netloc or not (_HOST.match(host) or re.fullmatch(r"[0-9a-f:.]+", host)):
        raise Forged("endpoint has a foreign host")
