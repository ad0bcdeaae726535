"""An emulated portal without a network, seen the way an application sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from emulator import installations, tokens
from emulator.application import create_emulator, wire
from emulator.config import EmulatorConfig
from emulator.context import EXTENSION, Emulator
from emulator.portal import Portal
from emulator.records import Connector, Dataset, Source

NOON = 1_795_521_600.0
"""2026-11-24 12:00:00 UTC."""

CONNECTOR = {
    "title": "Warehouse",
    "logo": "data:image/svg+xml;base64,PHN2Zy8+",
    "urlCheck": "http://endpoint.test/check",
    "urlTableList": "http://endpoint.test/tables",
    "urlTableDescription": "http://endpoint.test/description",
    "urlData": "http://endpoint.test/data",
    "settings": [
        {"code": "login", "name": "Login", "type": "STRING"},
        {"code": "password", "name": "Password", "type": "STRING"},
    ],
}
COLUMNS = [
    {"name": "ID", "externalCode": "id", "type": "int"},
    {"name": "CITY", "externalCode": "city", "type": "string"},
]
DATASET = {"name": "orders", "externalName": "Orders", "externalCode": "public.orders", "fields": COLUMNS}


IDLE: list[Flask] = []
"""Applications that no test uses; their routes take longer to make than most tests."""


@contextmanager
def fresh_application(config: EmulatorConfig, clock: Callable[[], float]) -> Iterator[Flask]:
    """An emulator like a new one, whose application others had and others get; it keeps no state file."""
    app = IDLE.pop() if IDLE else create_emulator(config)
    app.extensions[EXTENSION] = wire(config, clock)
    yield app
    app.testing = False
    IDLE.append(app)


@contextmanager
def emulated_portal() -> Iterator[EmulatedPortal]:
    """A fresh portal with an application as `fresh_application` gives it."""
    config, clock = EmulatorConfig(), Clock()
    with fresh_application(config, clock) as app:
        yield EmulatedPortal(clock, config, app)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass
class EmulatedPortal:
    """A portal, a clock and a client; `call` and `error` speak REST as a user, by default the analyst."""

    clock: Clock = field(default_factory=Clock)
    config: EmulatorConfig = field(default_factory=EmulatorConfig)
    given: Flask | None = None

    def __post_init__(self) -> None:
        self.app: Flask = self.given or create_emulator(self.config, self.clock)
        self.http: FlaskClient = self.app.test_client(use_cookies=False)
        self._tokens: dict[tuple[str, str], str] = {}

    @property
    def emulator(self) -> Emulator:
        """The running parts."""
        emulator = self.app.extensions[EXTENSION]
        assert isinstance(emulator, Emulator)
        return emulator

    @property
    def portal(self) -> Portal:
        """The portal's state."""
        return self.emulator.portal

    def token(self, user: str = "analyst", client_id: str | None = None) -> str:
        """An access token, the same one for the same user and application as long as it is valid."""
        key = (user, client_id or self.config.client_id)
        known = tokens.find(self.portal, self._tokens.get(key, ""))
        if known is None or known.revoked or known.expires_at <= self.clock():
            order = {"user": user, "client_id": client_id} if client_id else {"user": user}
            self._tokens[key] = self.control("token", **order)["access_token"]
        return self._tokens[key]

    def post(self, method: str, user: str = "analyst", client_id: str | None = None, **params: Any) -> TestResponse:
        """The whole answer of a call with a JSON body."""
        return self.http.post(f"/rest/{method}", json={**params, "auth": self.token(user, client_id)})

    def call(self, method: str, user: str = "analyst", client_id: str | None = None, **params: Any) -> Any:
        """The `result` of a call that succeeds."""
        answer = self.post(method, user, client_id, **params)
        assert answer.status_code == 200, answer.text
        body = answer.get_json()
        assert "error" not in body, body
        result = body["result"]
        assert not (isinstance(result, dict) and "error" in result), result
        return result

    def error(self, method: str, user: str = "analyst", client_id: str | None = None, **params: Any) -> tuple[str, str]:
        """Code and text of a call that the module refuses: HTTP 200 and inside `result` (facts/biconnector 1.3)."""
        answer = self.post(method, user, client_id, **params)
        assert answer.status_code == 200, answer.text
        error = answer.get_json()["result"]["error"]
        return error["error"], error["error_description"]

    def fault(self, method: str, user: str = "analyst", **params: Any) -> tuple[int, str]:
        """Status and code of a call that the REST server refuses, in the root (facts/platform 5.3)."""
        answer = self.post(method, user, **params)
        return answer.status_code, answer.get_json()["error"]

    def control(self, name: str, **order: Any) -> dict[str, Any]:
        """What a control answers."""
        answer = self.http.post(f"/_emulator/{name}", json=order)
        assert answer.status_code == 200, answer.text
        body = answer.get_json()
        assert isinstance(body, dict)
        return body

    def install(self) -> None:
        """The application installed by the administrator and finished."""
        installations.register(self.portal, self.portal.app, self.portal.user("admin"))
        self.portal.app.finished = True

    # Objects, made without asking endpoints

    def add_connector(self, client_id: str | None = None, **changes: Any) -> Connector:
        """A connector made over REST."""
        fields = {**CONNECTOR, **changes}
        return self.portal.connector(self.call("biconnector.connector.add", client_id=client_id, fields=fields)["id"])

    def add_source(self, connector: Connector, **changes: Any) -> Source:
        """A source put beside its connector without the check."""
        portal = self.portal
        source = Source(
            id=portal.next_id("source"),
            connector_id=connector.id,
            title=changes.pop("title", "Main"),
            settings=[],
            date_create=portal.timestamp(),
            created_by_id=2,
            **changes,
        )
        portal.state.sources[source.id] = source
        return source

    def add_dataset(
        self, source: Source, family: str = "table", client_id: str | None = None, **changes: Any
    ) -> Dataset:
        """A dataset made over REST."""
        fields: Mapping[str, Any] = {**DATASET, "sourceId": source.id, **changes}
        return self.portal.dataset(self.call(f"biconnector.{family}.add", client_id=client_id, fields=fields)["id"])
