"""The emulator as a listening server: cheroot, threaded, on request with TLS.

Threads matter: while `source.add` waits for `urlCheck`, that endpoint may be our own demo endpoint or an application
that calls REST in turn (facts/biconnector 3.1).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from flask import Flask

from emulator.application import create_emulator
from emulator.config import EmulatorConfig
from emulator.context import EXTENSION, Emulator

THREADS = 32
LOOPBACK_TWINS = {"127.0.0.1": "::1", "::1": "127.0.0.1"}
"""`localhost` may mean either of the two, so listening on one of them means listening on both."""


class Gateway(wsgi.Gateway_10):
    """Hands the client's socket to the application, so that a fault can drop the connection."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override] # cheroot's stub says None, it is a dict
        """The WSGI environment with the socket in `emulator.socket`."""
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call] # same stub
        environ["emulator.socket"] = self.req.conn.socket
        return environ


@dataclass
class RunningServer:
    """An emulator that listens in threads of its own; a context manager that stops it."""

    app: Flask
    config: EmulatorConfig
    listeners: list[wsgi.Server]
    threads: list[threading.Thread]

    @property
    def emulator(self) -> Emulator:
        """The running parts: portal, deliveries and the rest."""
        emulator: Emulator = self.app.extensions[EXTENSION]
        return emulator

    @property
    def url(self) -> str:
        """The public address, without a trailing slash."""
        return self.config.public_url

    def stop(self) -> None:
        """Stop listening and wait for the threads."""
        for listener in self.listeners:
            listener.stop()
        for thread in self.threads:
            thread.join(timeout=10)

    def wait(self) -> None:
        """Return when the server was stopped."""
        for thread in self.threads:
            thread.join()

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(config: EmulatorConfig) -> RunningServer:
    """Start an emulator; with port 0 the system chooses one and `public_url` follows it.

    Returns when the server accepts connections. Raises `OSError` when the address is taken and `UnreadableState` when
    the state file is not one.
    """
    listeners = [_listener(config, config.host, config.port)]
    try:
        port = int(listeners[0].bind_addr[1])
        if config.port == 0:
            scheme = "https" if config.certificate else "http"
            config = replace(config, port=port, public_url=f"{scheme}://{_authority(config.host, port)}")
        twin = LOOPBACK_TWINS.get(config.host)
        if twin is not None:
            with contextlib.suppress(OSError):  # a machine without IPv6 has one loopback only
                listeners.append(_listener(config, twin, port))
        app = create_emulator(config)
    except BaseException:
        for listener in listeners:
            listener.stop()
        raise
    threads = []
    for listener in listeners:
        listener.wsgi_app = app
        thread = threading.Thread(target=listener.serve, name=f"emulator:{port}", daemon=True)
        thread.start()
        threads.append(thread)
    return RunningServer(app, config, listeners, threads)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listener(config: EmulatorConfig, host: str, port: int) -> wsgi.Server:
    """A prepared server. Raises `OSError` when the address is taken or does not exist."""
    _insist_on_free_address(host, port)
    server = wsgi.Server((host, port), None, numthreads=THREADS, server_name="emulator", timeout=300)
    server.gateway = Gateway
    if config.certificate and config.private_key:
        server.ssl_adapter = BuiltinSSLAdapter(str(config.certificate), str(config.private_key))
    server.prepare()
    return server


def _insist_on_free_address(host: str, port: int) -> None:
    """Try the address with a socket of our own: cheroot leaves its socket open when it cannot bind."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
