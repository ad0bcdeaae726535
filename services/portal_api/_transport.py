"""First ring: one POST over a pooled, guarded connection, and one log line about it.

Tokens and secrets travel in bodies only; exceptions of the HTTP libraries quote requests, so none of them gets out of
here: each becomes `PortalUnreachable` without a cause (facts/security 1 row 18).
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from egress.deadline import Deadline
from egress.errors import TargetRefused, Timeout
from egress.http import body_of, guarded_session
from egress.policy import Policy
from errors import ApplicationError, PortalUnreachable

log = logging.getLogger(__name__)
T = TypeVar("T")

USER_AGENT = "bi-connectors/0.1"
BODY_LIMIT = 16 * 1024 * 1024
POOLED_HOSTS = 64
POOLED_CONNECTIONS = 16


@dataclass(frozen=True)
class TimeLimits:
    """Time limits of one call, in seconds: to connect, and from then to the last byte of the answer."""

    connect: float
    answer: float


REST_TIMEOUT = TimeLimits(connect=3, answer=65)
"""A portal ends its own work on a request after 60 s (facts/platform 5.4)."""
OAUTH_TIMEOUT = TimeLimits(connect=3, answer=7)
"""Shorter than the lease under which tokens are renewed (facts/security 3)."""


@dataclass(frozen=True)
class Reply:
    """What came back: HTTP status, headers under their lower-case names, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends POST requests to portals and authorization servers; one per process, used by all threads."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        # Pools are per host, so their number is the number of portals that keep a warm connection.
        self._session = guarded_session(
            policy, "portal", pool_connections=POOLED_HOSTS, pool_maxsize=POOLED_CONNECTIONS
        )
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.headers.update({"Accept": "application/json", "User-Agent": USER_AGENT})

    def post(
        self,
        url: str,
        *,
        json: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        timeout: TimeLimits = REST_TIMEOUT,
    ) -> Reply:
        """Send `json` or `form` to `url` and read the whole answer, whatever its status; redirects are not followed.

        Raises `PortalUnreachable`: `refused` when the address or its scheme is not allowed, `too-large` for an answer
        over 16 MiB, `tls`, `timeout` or `connection` otherwise; `sent` tells whether the request may have arrived.
        """
        self._check(url)
        deadline = Deadline(timeout.connect + timeout.answer)
        arrived = True
        try:
            with (
                deadline,
                self._session.post(
                    url,
                    json=json,
                    data=form,
                    timeout=(timeout.connect, timeout.answer),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                headers = {name.lower(): value for name, value in response.headers.items()}
                body = body_of(response, BODY_LIMIT, deadline)
            if len(body) > BODY_LIMIT:
                raise PortalUnreachable("too-large")
            return Reply(response.status_code, headers, body)
        except TargetRefused:
            reason, arrived = "refused", False
        except (requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
            reason, arrived = "timeout", False
        except (Timeout, requests.Timeout, urllib3.exceptions.TimeoutError):
            reason = "timeout"
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError):
            reason, arrived = "timeout" if deadline.is_over else "tls", False
        except (requests.RequestException, urllib3.exceptions.HTTPError) as problem:
            reason, arrived = "timeout" if deadline.is_over else "connection", not _never_connected(problem)
        # Raised outside the handlers, so that no library exception stays attached as its context.
        raise PortalUnreachable(reason, sent=arrived)

    def is_allowed(self, url: str) -> bool:
        """Whether `url` is an absolute address that may be called: `https`, or declared insecure by the operator."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return False
        if not host or parts.username is not None or parts.password is not None or not url.isprintable():
            return False
        if parts.scheme == "https":
            return True
        return parts.scheme == "http" and self._policy.is_insecure(host, 80 if port is None else port)

    def _check(self, url: str) -> None:
        if not self.is_allowed(url):
            raise PortalUnreachable("refused", sent=False)


def exchange(
    transport: Transport,
    method: str,
    url: str,
    judge: Callable[[Reply], T],
    *,
    json: Mapping[str, Any] | None = None,
    form: Mapping[str, str] | None = None,
    timeout: TimeLimits = REST_TIMEOUT,
) -> T:
    """Post, judge the reply, and write the one log line that every call leaves (facts/platform 9 D1).

    The line names method, host, HTTP status, the portal's code, milliseconds and an id; never parameters or values.
    Raises whatever `Transport.post` and `judge` raise.
    """
    call = secrets.token_hex(6)
    host, started, status, outcome = urlsplit(url).netloc, time.monotonic(), 0, "ok"
    try:
        reply = transport.post(url, json=json, form=form, timeout=timeout)
        status = reply.status
        return judge(reply)
    except ApplicationError as problem:
        outcome = f"{type(problem).__name__} ({problem})"
        raise
    finally:
        spent = round((time.monotonic() - started) * 1000)
        log.info("call %s: %s at %s answered %s, %s, %s ms", call, method, host, status or "-", outcome, spent)


def _never_connected(problem: Exception) -> bool:
    reason = getattr(problem.args[0], "reason", None) if problem.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
