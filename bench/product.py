"""The product as an operator runs it: gunicorn, portals added by hand, a hosted connection of each."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench import deals
from bench.processes import Asked, Server, free_port, serving
from bench.stores import Store

ROOT = Path(__file__).parent.parent
COMMANDS = Path(sys.executable).parent
PROCESSES = 2


@dataclass(frozen=True)
class Connection:
    """A hosted connection: its key and its four addresses, by the names that portals know them by."""

    key: str
    urls: dict[str, str]

    def asked(self, names: Sequence[str] = (), limit: int | None = None) -> Asked:
        """A call of `urlData` as portals make it; no names means all columns."""
        more = [(f"select[{position}]", name.upper()) for position, name in enumerate(names)]
        return self.called("urlData", *more, *([] if limit is None else [("limit", str(limit))]))

    def called(self, url: str, *more: tuple[str, str]) -> Asked:
        """A call of one of the four endpoints."""
        fields = [("connection[key]", self.key), ("table", deals.TABLE), *more]
        return Asked(self.urls[url], urlencode(fields).encode())


@dataclass(frozen=True)
class Application:
    """A running application and its command line."""

    server: Server
    flask: Callable[..., bytes]

    def connect(self, member_id: str, store: Store) -> Connection:
        """A new portal with a connection to `store`."""
        self.flask("portals", "add-local", "--member-id", member_id)
        settings = [part for name, value in store.settings.items() for part in ("--set", f"{name}={value}")]
        names = ["--portal", member_id, "--driver", store.driver, "--title", store.name]
        issued = json.loads(self.flask("connections", "add", *names, *settings))
        return Connection(issued["key"], issued["urls"])


@contextlib.contextmanager
def running(files: Path, folder: Path) -> Iterator[Application]:
    """The application, in production form, with `files` open to it; its own database is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / "log.txt"
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "SECRET_KEYS": "bench:" + base64.b64encode(os.urandom(32)).decode(),
        "BITRIX24_CLIENT_ID": "bench",
        "BITRIX24_CLIENT_SECRET": "bench",
        "EGRESS_ALLOW": "127.0.0.1/32:5432,127.0.0.1/32:3306",
        "LOCAL_FILES": str(files),
        "PORT": str(port),
        "WEB_CONCURRENCY": str(PROCESSES),
        "REQUESTS_PER_MINUTE": "0",
    }

    def flask(*arguments: str) -> bytes:
        command = [str(COMMANDS / "flask"), *arguments]
        with log.open("ab") as said:
            run = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=said)
        return run.stdout

    flask("db-upgrade")
    gunicorn = [str(COMMANDS / "gunicorn"), "--config", "gunicorn.conf.py", "app:create_app()"]
    with serving(gunicorn, port, environment, ROOT, log, PROCESSES) as server:
        yield Application(server, flask)
