"""HTTP over checked addresses: connections and sessions whose certificates and `Host` keep the name (facts/security 5).

Every socket comes from the guard, and the deadlines of the surrounding blocks hold it, new or used again.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from egress.addresses import normal_host
from egress.deadline import Deadline, held
from egress.errors import TargetRefused, Unreachable
from egress.policy import Policy, Purpose
from egress.sockets import CONNECT_SECONDS, open_socket

Dial = Callable[[HTTPConnection], socket.socket]

# Its lines below this level quote addresses, in which parameters travel.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class _Plain(HTTPConnection):
    """A connection whose socket comes from `dial`."""

    def __init__(self, *arguments: Any, dial: Dial, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self)

    def request(self, *arguments: Any, **options: Any) -> None:
        if self.sock is not None:
            held(self.sock)
        super().request(*arguments, **options)


class _Secure(_Plain, HTTPSConnection):
    """The same with TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def pinned_connection(host: str, port: int, tls: ssl.SSLContext | None, dial: Dial) -> HTTPConnection:
    """A connection to one server on sockets of `dial`, with TLS as the context says, or without."""
    if tls is None:
        return _Plain(host, port, dial=dial)
    # Without `False` urllib3 would compare the name itself where the context does not.
    return _Secure(host, port, dial=dial, ssl_context=tls, assert_hostname=None if tls.check_hostname else False)


class PinnedAdapter(HTTPAdapter):
    """A transport for `requests` that connects to checked addresses only; names stay in SNI, `Host` and certificates.

    Connections are pooled; proxies, from the environment or given, are ignored, since they would resolve for us. Plain
    HTTP is for `insecure_hosts` and the purpose `portal`. Raises `TargetRefused` from `send`, as it is.
    """

    def __init__(self, policy: Policy, purpose: Purpose = "portal", **options: Any) -> None:
        self._policy, self._purpose = policy, purpose
        super().__init__(**options)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Build the pool of connections, called by `HTTPAdapter`."""
        self.poolmanager = urllib3.PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_PlainPool, dial=self._dialled),
            "https": partial(_SecurePool, dial=self._dialled),
        }

    def _dialled(self, connection: HTTPConnection) -> socket.socket:
        host, port = connection._dns_host, connection.port
        is_declared = self._purpose == "portal" and self._policy.is_insecure(normal_host(host), port)
        if not isinstance(connection, HTTPSConnection) and not is_declared:
            raise TargetRefused("plain_http")
        limit = float(connection.timeout) if isinstance(connection.timeout, int | float) else CONNECT_SECONDS
        try:
            return open_socket(self._policy.resolve(host, port, self._purpose), min(limit, CONNECT_SECONDS))
        except Unreachable as problem:
            if problem.code.endswith("_timeout"):
                raise ConnectTimeoutError(connection, f"{problem.code} {host}") from problem
            raise NewConnectionError(connection, f"{problem.code} {host}") from problem

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request directly, without any proxy."""
        return super().send(request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=None)


def body_of(response: requests.Response, most: int, deadline: Deadline) -> bytes:
    """The body, unpacked; of one that is longer than `most` bytes, a little more than those. Raises `Timeout`."""
    body = bytearray()
    while len(body) <= most and (chunk := response.raw.read1(64 * 1024, decode_content=True)):
        body += chunk
    # A connection that was cut looks like the end of an answer without a length.
    deadline.check()
    return bytes(body)


def guarded_session(policy: Policy, purpose: Purpose = "portal", **options: Any) -> requests.Session:
    """A `requests` session behind the guard, deaf to the environment (proxies, `.netrc`, certificate bundles)."""
    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    for scheme in ("https://", "http://"):
        session.mount(scheme, PinnedAdapter(policy, purpose, **options))
    return session
