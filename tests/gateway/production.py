"""The application as operators run it: gunicorn with the real configuration, and connections of several portals."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.gateway.bodies import FORM, form_body

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Hosted:
    """A connection of one portal, as `flask connections add` prints it."""

    key: str
    urls: dict[str, str]

    def post(self, url: str = "urlData", timeout: float = 120.0, **fields: Any) -> requests.Response:
        """Ask one of the endpoints."""
        return requests.post(self.urls[url], data=self.body(**fields), headers={"Content-Type": FORM}, timeout=timeout)

    def body(self, **fields: Any) -> bytes:
        """What a portal sends."""
        return form_body({**fields, "connection": {"key": self.key}})

    def half_sent(self) -> socket.socket:
        """A call of `urlData` whose body never ends."""
        address = urlsplit(self.urls["urlData"])
        sender = socket.create_connection(("127.0.0.1", address.port or 0))
        sender.sendall(
            f"POST {address.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
            "Content-Length: 1000\r\n\r\ntable=t".encode()
        )
        return sender

    def slow_reader(self, **fields: Any) -> socket.socket:
        """A call of `urlData` whose answer nobody reads yet."""
        address = urlsplit(self.urls["urlData"])
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", address.port or 0))
        body = self.body(**fields)
        head = f"POST {address.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
        reader.sendall(head.encode() + body)
        return reader


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    environment: Mapping[str, str]
    folder: Path
    portals: set[str] = field(default_factory=set)

    def connect(self, portal: str, driver: str, settings: Mapping[str, str]) -> Hosted:
        """A connection of a portal, which is made if it is not known."""
        if portal not in self.portals:
            self.flask("portals", "add-local", "--member-id", portal)
            self.portals.add(portal)
        given = [word for pair in settings.items() for word in ("--set", "=".join(pair))]
        issued = json.loads(
            self.flask("connections", "add", "--portal", portal, "--driver", driver, "--title", "t", *given)
        )
        return Hosted(issued["key"], issued["urls"])

    def flask(self, *words: str) -> str:
        """What a command prints."""
        return run_flask(self.environment, *words)

    def calls(self) -> list[dict[str, Any]]:
        """What was recorded, oldest first."""
        with contextlib.closing(sqlite3.connect(self.folder / "app.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM endpoint_calls ORDER BY id")]

    def workers(self) -> list[int]:
        """The numbers of the worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in children.split()]

    def log(self) -> str:
        """What the server said."""
        return (self.folder / "log").read_text()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run_flask(environment: Mapping[str, str], *words: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "flask", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def serving(folder: Path, configuration: str = "gunicorn.conf.py", **given: str) -> Iterator[Server]:
    """The application as `make serve` starts it, with a database in `folder`; it may connect to this machine."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WEB_")},
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "SECRET_KEYS": "k1:" + base64.b64encode(os.urandom(32)).decode(),
        "BITRIX24_CLIENT_ID": "app.test",
        "BITRIX24_CLIENT_SECRET": "client-secret",
        "EGRESS_POLICY": "allow-all",
        "PORT": str(free_port()),
        "PUBLIC_URL": "",
        "LOG_LEVEL": "WARNING",
        **given,
    }
    run_flask(environment, "db-upgrade")
    command = [sys.executable, "-m", "gunicorn", "--config", configuration, "app:create_app()"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    server = Server(process, environment, folder)
    try:
        _wait_until_up(server)
        yield server
    finally:
        process.terminate()
        process.wait(90)


def _wait_until_up(server: Server) -> None:
    until = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(server.environment["PORT"]))):
            return
        assert time.monotonic() < until, server.log()
        time.sleep(0.1)
