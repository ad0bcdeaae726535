"""A listening emulator and the application's own client to it, renewing and identifying tokens for real."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from egress.policy import Policy
from errors import Forged
from services.portal_api import Patience, Transport
from services.portal_api.client import PortalClient
from services.portal_api.oauth import AuthorizationServers, Identity
from tests.portals import ListeningPortal
from tests.waiting import HANG

EAGER = Patience(first_delay=0.05, growth=1.5, budget=HANG)


class EmulatedPortal(ListeningPortal):
    """One user of the application on an emulated portal, seen through the real client."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.port = urlsplit(url).port
        hosts = [f"127.0.0.1:{self.port}", f"localhost:{self.port}"]
        self.transport = Transport(Policy(insecure_hosts=hosts))
        application = self.application()
        self.servers = AuthorizationServers(
            self.transport, [url], application.client_id, SecretStr(application.client_secret)
        )

    def tokens(self, user: str = "analyst", **order: Any) -> LiveTokens:
        """A fresh pair of tokens of a user."""
        return LiveTokens(self.servers, self.control("token", user=user, **order), self.url)

    def client(self, user: str = "analyst", tokens: LiveTokens | None = None) -> PortalClient:
        """The client of a user."""
        return PortalClient(self.transport, tokens or self.tokens(user), patience=EAGER)


class LiveTokens:
    """A token source that keeps its pair in memory and asks the emulator's authorization server."""

    def __init__(self, servers: AuthorizationServers, pair: Mapping[str, Any], server_url: str) -> None:
        self.servers, self.server_url = servers, server_url
        self.access, self.refresh = str(pair["access_token"]), str(pair["refresh_token"])
        self.address = str(pair["client_endpoint"])
        self.renewals = 0
        self.gone_codes: list[str] = []

    def token(self) -> str:
        return self.access

    def renew(self, rejected: str) -> str:
        assert rejected == self.access
        pair = self.servers.refresh(self.server_url, self.refresh)
        self.access, self.refresh = pair.access_token, pair.refresh_token
        self.renewals += 1
        return self.access

    def endpoint(self) -> str:
        return self.address

    def moved_to(self, endpoint: str) -> None:
        if self.identity().client_endpoint != endpoint:
            raise Forged("the authorization server names another address")
        self.address = endpoint

    def gone(self, code: str) -> None:
        self.gone_codes.append(code)

    def identity(self) -> Identity:
        return self.servers.identify(self.access, self.server_url)


class LosingProxy:
    """Passes calls on to the emulator and hangs up instead of answering when the method matches `loses`."""

    def __init__(self, target: str, loses: str) -> None:
        lost = re.compile(loses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {"Content-Type": self.headers["Content-Type"]}
                answer = requests.post(f"{target}{self.path}", data=body, headers=headers, timeout=HANG)
                if lost.search(self.path):
                    with suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests speak for themselves."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}/rest/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> LosingProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        with closing(self._server.socket):
            self._thread.join(HANG)
