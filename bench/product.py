"""The product as an operator runs it: gunicorn, a portal added by hand, one hosted connection."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench import deals
from bench.processes import Asked, Server, free_port, serving
from bench.stores import Store

ROOT = Path(__file__).parent.parent
COMMANDS = Path(sys.executable).parent
MEMBER_ID = "bench"
PROCESSES = 2


@dataclass(frozen=True)
class Product:
    """A running application with one connection."""

    server: Server
    key: str
    url: str

    def asked(self, names: Sequence[str] = (), limit: int | None = None) -> Asked:
        """A call of `urlData` as portals make it; no names means all columns."""
        fields = [("connection[key]", self.key), ("table", deals.TABLE)]
        fields += [(f"select[{position}]", name.upper()) for position, name in enumerate(names)]
        if limit is not None:
            fields.append(("limit", str(limit)))
        return Asked(self.url, urlencode(fields).encode())


@contextlib.contextmanager
def running(store: Store, folder: Path) -> Iterator[Product]:
    """The application, in production form, connected to `store`; its own database is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / "log.txt"
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "SECRET_KEYS": "bench:" + base64.b64encode(os.urandom(32)).decode(),
        "BITRIX24_CLIENT_ID": "bench",
        "BITRIX24_CLIENT_SECRET": "bench",
        "EGRESS_ALLOW": "127.0.0.1/32:5432,127.0.0.1/32:3306",
        "LOCAL_FILES": str(store.folder),
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
    flask("portals", "add-local", "--member-id", MEMBER_ID)
    settings = [part for name, value in store.settings.items() for part in ("--set", f"{name}={value}")]
    names = ["--portal", MEMBER_ID, "--driver", store.driver, "--title", store.name]
    issued = json.loads(flask("connections", "add", *names, *settings))
    gunicorn = [str(COMMANDS / "gunicorn"), "--config", "gunicorn.conf.py", "app:create_app()"]
    with serving(gunicorn, port, environment, ROOT, log, PROCESSES) as server:
        yield Product(server, issued["key"], issued["urls"]["urlData"])
