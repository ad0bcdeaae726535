"""The application as operators run it: gunicorn with the real configuration, and connections of several portals."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.gateway.bodies import FORM, form_body
from tests.ports import kept_port
from tests.waiting import HANG, eventually

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Hosted:
    """A connection of one portal, as `flask connections add` prints it."""

    key: str
    urls: dict[str, str]
    certificate: str = ""
    """Of the https server that the addresses lead to, as a PEM file."""

    @property
    def place(self) -> tuple[str, int]:
        """Where the server of the addresses listens."""
        return "127.0.0.1", urlsplit(self.urls["urlData"]).port or 0

    def post(self, url: str = "urlData", timeout: float = HANG, **fields: Any) -> requests.Response:
        """Ask one of the endpoints."""
        return requests.post(
            self.urls[url],
            data=self.body(**fields),
            headers={"Content-Type": FORM},
            timeout=timeout,
            verify=self.certificate or True,
        )

    def body(self, **fields: Any) -> bytes:
        """What a portal sends."""
        return form_body({**fields, "connection": {"key": self.key}})

    def connection(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection to the server, from an address of this machine, with little room for what nobody has read."""
        opened = socket.socket()
        opened.settimeout(HANG)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.bind((source, 0))
        opened.connect(self.place)
        if self.certificate:
            return ssl.create_default_context(cafile=self.certificate).wrap_socket(opened, server_hostname="127.0.0.1")
        return opened

    def head(self, length: int) -> bytes:
        """What a call of `urlData` begins with whose body has so many bytes."""
        path = urlsplit(self.urls["urlData"]).path
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n\r\n".encode()

    def half_sent(self, source: str = "127.0.0.1") -> socket.socket:
        """A call of `urlData` whose body never ends."""
        sender = self.connection(source)
        sender.sendall(self.head(1000) + b"table=t")
        return sender

    def slow_reader(self, source: str = "127.0.0.1", **fields: Any) -> socket.socket:
        """A call of `urlData` whose answer nobody reads yet."""
        reader, body = self.connection(source), self.body(**fields)
        reader.sendall(self.head(len(body)) + body)
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
        with contextlib.closing(sqlite3.connect(self.folder / "app.db", timeout=HANG)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM endpoint_calls ORDER BY id")]

    @contextlib.contextmanager
    def recording(self, count: int = 1) -> Iterator[list[dict[str, Any]]]:
        """What is recorded of the block's `count` calls; known when the block is over, in no particular order.

        A call is recorded by a thread of the server once its answer was taken: whoever has the answer may be earlier.
        """
        known = {call["id"] for call in self.calls()}
        recorded: list[dict[str, Any]] = []
        yield recorded

        def new() -> list[dict[str, Any]]:
            return [call for call in self.calls() if call["id"] not in known]

        eventually(lambda: len(new()) >= count, lambda: f"recorded of {count} calls: {new()}\n{self.log()}")
        recorded.extend(new())
        assert len(recorded) == count, recorded

    def workers(self) -> list[int]:
        """The numbers of the worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in children.split()]

    def log(self) -> str:
        """What the server said."""
        return log_of(self.folder, self.environment).read_text()


def log_of(folder: Path, environment: Mapping[str, str]) -> Path:
    """Where a server writes; several may have their database in one folder."""
    return folder / f"log-{environment['PORT']}"


def run_flask(environment: Mapping[str, str], *words: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "flask", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"flask {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def serving(folder: Path, **given: str) -> Iterator[Server]:
    """The application as `make serve` starts it, with a database in `folder`; it may connect to this machine.

    With the SECRET_KEYS of another server of the same folder it has that one's database, too.
    """
    with kept_port() as port:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WEB_")},
            "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
            "SECRET_KEYS": "k1:" + base64.b64encode(os.urandom(32)).decode(),
            "BITRIX24_CLIENT_ID": "app.test",
            "BITRIX24_CLIENT_SECRET": "client-secret",
            "EGRESS_POLICY": "allow-all",
            "PORT": str(port),
            "PUBLIC_URL": "",
            "LOG_LEVEL": "WARNING",
            **given,
        }
        if "SECRET_KEYS" not in given:
            run_flask(environment, "db-upgrade")
        command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "app:create_app()"]
        with log_of(folder, environment).open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        server = Server(process, environment, folder)
        try:
            eventually(lambda: _is_up(server), server.log)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(HANG)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


@contextlib.contextmanager
def serving_too(other: Server, hosted: Hosted, **given: str) -> Iterator[tuple[Server, Hosted]]:
    """Another server with the database of a running one, and a connection of that one as it is called there."""
    workers = {name: value for name, value in other.environment.items() if name.startswith("WEB_")}
    keys = other.environment["SECRET_KEYS"]
    with serving(other.folder, SECRET_KEYS=keys, **{**workers, **given}) as server:
        old, new = (f":{each.environment['PORT']}/" for each in (other, server))
        yield server, Hosted(hosted.key, {name: url.replace(old, new) for name, url in hosted.urls.items()})


def _is_up(server: Server) -> bool:
    assert server.process.poll() is None, server.log()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(server.environment["PORT"]))):
        return True
    return False
