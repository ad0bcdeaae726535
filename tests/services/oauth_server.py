"""An authorization server for tests of tokens: tokens work once, and everything is counted (facts/platform 3)."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

CLIENT_ID = "app.demo0000000000.00000001"
Answer = tuple[int, Mapping[str, Any]]


@dataclass
class OAuthServer:
    """Knows refresh tokens, each of which works once; `next_answers` are given before any honest one."""

    url: str = ""
    delay: float = 0.0
    refreshes: int = 0
    invalid_grants: int = 0
    owners: dict[str, tuple[str, int]] = field(default_factory=dict)
    next_answers: list[Answer | Callable[[], Answer]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    queries: list[bytes] = field(default_factory=list)
    identities: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    endpoint: str = "https://acme.bitrix24.com/rest/"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, member_id: str, user_id: int) -> str:
        """A refresh token that works once."""
        token = f"refresh-{secrets.token_hex(8)}"
        with self.lock:
            self.owners[token] = (member_id, user_id)
        return token

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        with self.lock:
            self.queries.append(request.query_string)
            self.forms.append(dict(request.form))
        status, body = self._identify(request) if request.path == "/rest/app.info" else self._refresh(request)
        return Response(json.dumps(body), status, mimetype="application/json")(environ, start_response)

    def _refresh(self, request: Request) -> Answer:
        time.sleep(self.delay)
        if self.next_answers:
            answer = self.next_answers.pop(0)
            return answer() if callable(answer) else answer
        with self.lock:
            owner = self.owners.pop(request.form["refresh_token"], None)
            if owner is None:
                self.invalid_grants += 1
                return 400, {"error": "invalid_grant", "error_description": "Invalid grant"}
            self.refreshes += 1
        return 200, self.pair(*owner)

    def pair(self, member_id: str, user_id: int) -> dict[str, Any]:
        """A token response (facts/platform 3.3)."""
        return {
            "access_token": f"access-{secrets.token_hex(8)}",
            "refresh_token": self.issue(member_id, user_id),
            "expires": int(time.time()) + 3600,
            "expires_in": 3600,
            "scope": "biconnector",
            "domain": "oauth.bitrix.info",
            "server_endpoint": f"{self.url}/rest/",
            "client_endpoint": self.endpoint,
            "member_id": member_id,
            "status": "F",
            "user_id": user_id,
        }

    def _identify(self, request: Request) -> Answer:
        known = self.identities.get(request.form.get("auth", ""))
        if known is None:
            return 401, {"error": "invalid_client", "error_description": "Invalid client"}
        return 200, {"result": known}

    def knows(self, access_token: str, member_id: str, user_id: int, endpoint: str, **install: Any) -> None:
        """Vouch for an access token."""
        self.identities[access_token] = {
            "client_id": CLIENT_ID,
            "scope": "biconnector",
            "user_id": user_id,
            "install": {
                "installed": True,
                "version": 1,
                "status": "F",
                "scope": "biconnector",
                "domain": endpoint.split("/")[2],
                "client_endpoint": endpoint,
                "member_id": member_id,
                **install,
            },
        }


@contextmanager
def oauth_server() -> Iterator[OAuthServer]:
    """A listening authorization server."""
    server = OAuthServer()
    listener = make_server("127.0.0.1", 0, server, threaded=True)
    server.url = f"http://127.0.0.1:{listener.port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
