"""`make run`: the app and the emulated portal side by side, so that a newcomer sees the whole road at once.

Both are programs of their own and know each other by address only. What the demo creates lies in `instance/` and
survives the next start; deleting that folder starts afresh.
"""

from __future__ import annotations

import argparse
import base64
import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 10
SQLITE_TYPES = {"int": "INTEGER", "double": "NUMERIC", "date": "DATE", "datetime": "TIMESTAMP"}
DEMO_CLIENT = {
    "BITRIX24_CLIENT_ID": "app.demo0000000000.00000001",
    "BITRIX24_CLIENT_SECRET": "demo-client-secret",
}


LOCAL_PORTS = (5432, 3306, 8123, 1433, 8080)
"""Where databases listen on a developer's machine: PostgreSQL, MySQL, ClickHouse, SQL Server, Trino."""


class DemoFailed(Exception):
    """The demo cannot start; the text says why and what to do."""


def main() -> int:
    """Start both programs, install the app on the portal, print the addresses and wait for Ctrl+C."""
    parser = argparse.ArgumentParser(prog="python -m cli.demo", description=__doc__)
    parser.add_argument("--instance", type=Path, default=ROOT / "instance", help="folder of everything that is kept")
    parser.add_argument("--empty", action="store_true", help="leave the portal without the app and without demo data")
    options = parser.parse_args()
    app_port, portal_port = os.environ.get("PORT") or "8000", os.environ.get("EMULATOR_PORT") or "8001"
    # Two sites on purpose: in real life the portal and the app never share one, and cookies must not matter.
    app_url, portal_url = f"http://127.0.0.1:{app_port}", f"http://localhost:{portal_port}"
    options.instance.mkdir(parents=True, exist_ok=True)
    environment = _environment(options.instance, app_port, app_url, portal_port, portal_url)
    emulator = [sys.executable, "-m", "emulator", "--port", portal_port]
    emulator += ["--state", str(options.instance / "portal.json")]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _running(emulator, environment) as portal, _running_app(environment) as app:
            for name, url, process in (("emulator", portal_url, portal), ("app", app_url, app)):
                _wait_until_up(name, url, process)
            _write_files(portal_url, options.instance / "files")
            if not options.empty:
                _prepare_portal(portal_url)
            print(f"\nApp      {app_url}\nPortal   {portal_url}   (Ctrl+C stops both)", flush=True)  # noqa: T201 - the point of it
            return _wait_for_either(portal, app)
    except KeyboardInterrupt:
        return 0
    except DemoFailed as failure:
        print(failure, file=sys.stderr)  # noqa: T201 - a command speaks to its caller
        return 1


def _environment(instance: Path, app_port: str, app_url: str, portal_port: str, portal_url: str) -> dict[str, str]:
    files = instance.resolve() / "files"
    files.mkdir(exist_ok=True)
    defaults = {
        **DEMO_CLIENT,
        "EGRESS_ALLOW": ",".join(f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in LOCAL_PORTS),
        "LOCAL_FILES": str(files),
        "SECRET_KEYS": _demo_key(instance / "demo.key"),
        "DATABASE_URL": f"sqlite:///{instance.resolve() / 'app.db'}",
        "UPLOADS": str(instance.resolve() / "uploads"),
    }
    addresses = {
        "PORT": app_port,
        "PUBLIC_URL": app_url,
        "APP_URL": app_url,
        "EMULATOR_PORT": portal_port,
        "BITRIX24_OAUTH_URLS": portal_url,
        # Both names of the portal: it can be renamed from one to the other.
        "BITRIX24_INSECURE_HOSTS": f"localhost:{portal_port},127.0.0.1:{portal_port}",
        "BITRIX24_JS_URL": f"{portal_url}/api/v1/",
    }
    return {**defaults, **os.environ, **addresses}


def _demo_key(kept: Path) -> str:
    """The key of earlier runs, or a new one: stored secrets must open again after a restart."""
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(f"demo:{base64.b64encode(os.urandom(32)).decode()}")
    return kept.read_text().strip()


@contextmanager
def _running_app(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    flask = [sys.executable, "-m", "flask", "--no-debug"]
    upgrade = subprocess.run([*flask, "db-upgrade"], cwd=ROOT, env=environment, check=False)  # noqa: S603 - our own command
    if upgrade.returncode:
        raise DemoFailed("The app's database could not be prepared; the lines above say why.")
    # One process with threads, which runs on every system; production has another server (gunicorn.conf.py).
    with _running([*flask, "run", "--port", environment["PORT"]], environment) as process:
        yield process


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603 - our own programs
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(name: str, url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoFailed(f"The {name} ended at once. Is its port free? PORT and EMULATOR_PORT change the ports.")
        try:
            requests.head(url, timeout=5)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise DemoFailed(f"The {name} did not answer at {url} within {START_SECONDS} seconds.")


def _prepare_portal(portal_url: str) -> None:
    """Install the app as an administrator would, and on the first run let the analyst create the demo objects."""
    state = _control(portal_url, "state", method="GET")
    if not state["application"]["finished"]:
        _control(portal_url, "install")
    if not state["connectors"]:
        _control(portal_url, "demo")


def _write_files(portal_url: str, folder: Path) -> None:
    """The portal's invented sales once more, as a SQLite database and as CSV files, to connect to."""
    if (folder / "sales.sqlite").exists():
        return
    login = {"connection[login]": "demo", "connection[password]": "demo"}

    def ask(part: str, **more: str) -> Any:
        answer = requests.post(f"{portal_url}/_demo/{part}", data={**login, **more}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    unfinished = folder / "sales.part"
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as database, database:
        for table in (str(item["code"]) for item in ask("tables")):
            kinds = {
                column["code"]: SQLITE_TYPES.get(column["type"], "TEXT") for column in ask("description", table=table)
            }
            header, *rows = ask("data", table=table)
            columns = ", ".join(f'"{name.lower()}" {kinds[name]}' for name in header)
            database.execute(f'CREATE TABLE "{table}" ({columns})')
            marks = ", ".join("?" * len(header))
            database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)  # noqa: S608 - the emulator's own names
            with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([[name.lower() for name in header], *rows])
    unfinished.rename(folder / "sales.sqlite")


def _control(portal_url: str, name: str, method: str = "POST") -> Any:
    body: dict[str, Any] | None = {} if method == "POST" else None
    answer = requests.request(method, f"{portal_url}/_emulator/{name}", json=body, timeout=60)
    if not answer.ok:
        raise DemoFailed(f"The emulated portal refused `{name}`: {answer.text}")
    return answer.json()


def _wait_for_either(*processes: subprocess.Popen[bytes]) -> int:
    while True:
        for process in processes:
            if process.poll() is not None:
                raise DemoFailed("One of the two programs ended; the other was stopped with it.")
        time.sleep(0.3)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
