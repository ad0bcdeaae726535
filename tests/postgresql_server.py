"""A PostgreSQL server of the tests' own: it speaks Russian, takes TLS and SCRAM, and pools behind PgBouncer."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.drivers.servers import certificates
from tests.ports import kept_port
from tests.waiting import HANG, eventually

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
PGBOUNCER = Path("/usr/sbin/pgbouncer")
SPEAKS_RUSSIAN = bool(_PROGRAMS) and all(
    map(Path.exists, [Path("/usr/share/i18n/locales/ru_RU"), Path("/usr/share/locale/ru/LC_MESSAGES")])
)
"""Whether the server is installed, and what makes the language known to it."""
# Neither program runs as root.
_USER = "postgres" if os.geteuid() == 0 else None
PASSWORD = "pw"
_OPTIONS = ("--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync")


@dataclass(frozen=True)
class OwnServer:
    """Where it listens, and the authority of its certificate."""

    port: int
    ca: str

    @property
    def administrator(self) -> str:
        """How the administrator connects, for libpq; a database's name has to follow."""
        return f"host=127.0.0.1 port={self.port} user=postgres password={PASSWORD} sslmode=require client_encoding=utf8"


@contextlib.contextmanager
def own_postgresql() -> Iterator[OwnServer]:
    """A server with `lc_messages = ru_RU.UTF-8` to which everybody has to come encrypted, by SCRAM."""
    with _folder() as folder, kept_port() as port:
        locales = folder / "locales"
        locales.mkdir()
        # In a folder of its own: the machine need not know the language.
        _run(["localedef", "-f", "UTF-8", "-i", "ru_RU", str(locales / "ru_RU.UTF-8")], {})
        secret, data = folder / "password", folder / "data"
        secret.write_text(PASSWORD)
        environment = {"LOCPATH": str(locales), "LC_ALL": "C", "PATH": os.environ["PATH"]}
        _own(folder)
        programs = _PROGRAMS[-1]
        _run(
            [str(programs / "initdb"), f"--pgdata={data}", f"--pwfile={secret}", *_OPTIONS],
            environment,
        )
        files = certificates(folder, "localhost")
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        (data / "postgresql.auto.conf").write_text(
            f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\n"
            f"ssl = on\nssl_cert_file = '{files.cert_file}'\nssl_key_file = '{files.key_file}'\n"
            "lc_messages = 'ru_RU.UTF-8'\nshared_buffers = 16MB\nmax_connections = 20\n"
        )
        _own(folder)
        Path(files.key_file).chmod(0o600)
        server = _started([str(programs / "postgres"), "-D", str(data)], folder, environment)
        try:
            own = OwnServer(port, Path(files.ca_file).read_text())
            eventually(lambda: _answers(own.administrator + " dbname=postgres"), lambda: _said(folder))
            yield own
        finally:
            _stopped(server)


@contextlib.contextmanager
def pgbouncer(*users: str, settings: str = "") -> Iterator[int]:
    """The port of a pooler in transaction mode before the usual server, with `settings` beside those of Debian."""
    with _folder() as folder, kept_port() as port:
        file, known = folder / "pgbouncer.ini", folder / "users"
        known.write_text("".join(f'"{user}" ""\n' for user in users))
        file.write_text(
            "[databases]\n* = host=127.0.0.1 port=5432\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {known}\npool_mode = transaction\ndefault_pool_size = 3\n{settings}\n"
        )
        _own(folder)
        pooler = _started([str(PGBOUNCER), str(file)], folder, {})
        try:
            eventually(lambda: _listens(port), lambda: _said(folder))
            yield port
        finally:
            _stopped(pooler)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that another user may look into, as pytest's own may not be."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path) -> None:
    """Give everything in the folder to the user of the servers."""
    for path in (folder, *folder.rglob("*")):
        if _USER:
            shutil.chown(path, _USER)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=environment or None, user=_USER if environment else None, capture_output=True, timeout=HANG
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def _started(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, env=environment or None, user=_USER, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _stopped(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(timeout=HANG)


def _said(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _answers(where: str) -> bool:
    try:
        psycopg.connect(where, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
