"""A portal without a network for most tests, and a source with invented orders behind a real local server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from flask.testing import FlaskClient

from emulator.config import EmulatorConfig
from emulator.context import EXTENSION, Emulator
from emulator.records import Column, Connector, ConnectorSetting, Dataset, Source, SourceSetting
from tests.emulator.portals import fresh_application

COLUMNS = [
    ("id", "ID", "int"),
    ("ordered_on", "ORDERED_ON", "date"),
    ("status", "STATUS", "string"),
    ("amount", "AMOUNT", "double"),
]
ROWS: list[list[Any]] = [
    [1, "2025-01-15", "won", 100.5],
    [2, "2025-01-20", "new", "49.5"],
    [3, "2025-03-02", "won", 1000],
    [4, "2025-03-03", None, None],
    [5, "2025-03-04", '<b>"lost" & found</b>', 7],
]


@dataclass
class StubEndpoint:
    """The four endpoints of a source. `answers` may be replaced; `forms` are the bodies as they came."""

    url: str
    answers: dict[str, tuple[int, Any]]
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def last(self, endpoint: str) -> dict[str, str]:
        """The latest form that this endpoint received."""
        return next(form for path, form in reversed(self.forms) if path == endpoint)

    def count(self, endpoint: str) -> int:
        """How often this endpoint was called."""
        return sum(path == endpoint for path, _ in self.forms)


@pytest.fixture
def endpoint() -> Iterator[StubEndpoint]:
    """A server on a free port, alive for one test."""
    stub = StubEndpoint(
        "",
        {
            "check": (200, {"status": "ok"}),
            "tables": (200, [{"code": "orders", "title": "Orders"}, {"code": "Staff list", "title": "Staff"}]),
            "description": (200, [{"code": code, "name": code.title(), "type": kind} for code, _, kind in COLUMNS]),
            "data": (200, [[code for code, _, _ in COLUMNS], *ROWS]),
        },
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            name = self.path.strip("/")
            stub.forms.append((name, dict(parse_qsl(body, keep_blank_values=True))))
            status, answer = stub.answers[name]
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app() -> Iterator[Flask]:
    """An emulator whose application lives on another site."""
    with fresh_application(EmulatorConfig(app_url="http://app.example:8000"), time.time) as app:
        app.testing = True
        yield app


@pytest.fixture
def emulator(app: Flask) -> Emulator:
    """The parts behind the pages."""
    parts: Emulator = app.extensions[EXTENSION]
    return parts


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A browser without cookies, as the administrator."""
    return app.test_client(use_cookies=False)


@pytest.fixture
def make_connector(emulator: Emulator, endpoint: StubEndpoint) -> Callable[[], Connector]:
    """Adds a connector whose endpoints are the stub's."""

    def make() -> Connector:
        portal = emulator.portal
        connector = Connector(
            id=portal.next_id("connector"),
            client_id=portal.app.client_id,
            title="Warehouse <DB>",
            logo="",
            url_check=f"{endpoint.url}/check",
            url_data=f"{endpoint.url}/data",
            url_table_list=f"{endpoint.url}/tables",
            url_table_description=f"{endpoint.url}/description",
            settings=[ConnectorSetting("login", "Login", "STRING"), ConnectorSetting("port", "Port", "INT")],
            date_create="2025-03-24 07:25:59",
        )
        portal.state.connectors[connector.id] = connector
        return connector

    return make


@pytest.fixture
def table(emulator: Emulator, make_connector: Callable[[], Connector]) -> Dataset:
    """A table of orders whose source is the stub."""
    portal, connector = emulator.portal, make_connector()
    source = Source(
        id=portal.next_id("source"),
        connector_id=connector.id,
        title="Warehouse",
        settings=[
            SourceSetting(1, "login", "Login", "STRING", "reader"),
            SourceSetting(2, "port", "Port", "INT", "5432"),
        ],
        date_create="2025-03-24 07:30:00",
        created_by_id=2,
    )
    dataset = Dataset(
        id=portal.next_id("dataset"),
        source_id=source.id,
        name="orders",
        external_name="Orders",
        external_code="orders",
        columns=[Column(number, kind, name, code) for number, (code, name, kind) in enumerate(COLUMNS, start=1)],
        date_create="2025-03-24 07:31:00",
        created_by_id=2,
    )
    portal.state.sources[source.id] = source
    portal.state.datasets[dataset.id] = dataset
    return dataset
