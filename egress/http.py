"""HTTP over checked addresses: sessions whose certificate checks and `Host` keep the name (facts/security 5)."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from egress.addresses import normal_host
from egress.deadline import held
from egress.errors import TargetRefused, Unreachable
from egress.policy import Policy, Purpose
from egress.sockets import CONNECT_SECONDS, open_socket


class _Pinned:
    """How both connection classes below open their socket."""

    policy: Policy
    purpose: Purpose

    @classmethod
    def dial(cls, connection: HTTPConnection, secure: bool) -> socket.socket:
        host, port = connection._dns_host, connection.port
        if not secure and not (cls.purpose == "portal" and cls.policy.is_insecure(normal_host(host), port)):
            raise TargetRefused("plain_http")
        timeout = connection.timeout
        limit = float(timeout) if isinstance(timeout, int | float) else CONNECT_SECONDS
        try:
            return open_socket(cls.policy.resolve(host, port, cls.purpose), min(limit, CONNECT_SECONDS))
        except Unreachable as problem:
            if problem.code.endswith("_timeout"):
                raise ConnectTimeoutError(connection, f"{problem.code} {host}") from problem
            raise NewConnectionError(connection, f"{problem.code} {host}") from problem


class PinnedAdapter(HTTPAdapter):
    """A transport for `requests` that connects to checked addresses only; names stay in SNI, `Host` and certificates.

    Connections are pooled; proxies, from the environment or given, are ignored, since they would resolve for us. Plain
    HTTP is for `insecure_hosts` and the purpose `portal`. Raises `TargetRefused` from `send`, as it is.
    """

    def __init__(self, policy: Policy, purpose: Purpose = "portal", **options: Any) -> None:
        pinned = type("_Dial", (_Pinned,), {"policy": policy, "purpose": purpose})
        self._pools = _pool_classes(pinned)
        super().__init__(**options)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Build the pool of connections, called by `HTTPAdapter`."""
        self.poolmanager = urllib3.PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

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


def _pool_classes(pinned: type[_Pinned]) -> dict[str, type[HTTPConnectionPool]]:
    class PlainConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return pinned.dial(self, secure=False)

        def request(self, *args: Any, **options: Any) -> None:
            if self.sock is not None:
                held(self.sock)
            super().request(*args, **options)

    class SecureConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return pinned.dial(self, secure=True)

        def request(self, *args: Any, **options: Any) -> None:
            if self.sock is not None:
                held(self.sock)
            super().request(*args, **options)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": PlainPool, "https": SecurePool}


def guarded_session(policy: Policy, purpose: Purpose = "portal", **options: Any) -> requests.Session:
    """A `requests` session behind the guard, deaf to the environment (proxies, `.netrc`, certificate bundles)."""
    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    for scheme in ("https://", "http://"):
        session.mount(scheme, PinnedAdapter(policy, purpose, **options))
    return session
