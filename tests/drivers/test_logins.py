"""Failed logins and hostile servers: what each failure means; no secret leaves (facts/security 1 rows 10, 11)."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from drivers.base import Description, Guards, Limits
from drivers.catalogue import DRIVERS
from drivers.columns import Column, Form
from drivers.errors import Broken, LoginFailed, SettingsWrong, TooBig
from drivers.query import TableName, TableQuery
from egress.errors import TargetError, TargetRefused, Unreachable
from egress.policy import Policy
from tests.databases import POSTGRESQL, mariadb_administrator, mariadb_database, postgresql_database
from tests.drivers.servers import certificates
from tests.ports import kept_port
from tests.suite.databases import POLICY
from tests.waiting import HANG, eventually

PASSWORD = "s3cret-canary-password"
FAST = Limits(connect_seconds=2, seconds=3)
"""For servers that must be given up."""
PATIENT = Limits(connect_seconds=HANG, seconds=HANG)
"""For servers that say what is wrong, however long a loaded machine takes."""
NOISE = [random.Random(seed).randbytes(256) for seed in range(3)]
DESCRIBED = Description(TableName("a", "t"), (Column("c", Form.TEXT, "text"),))


def settings(driver: str, port: int, **more: str) -> dict[str, str]:
    return {
        "host": "127.0.0.1",
        "port": str(port),
        "database": "test",
        "username": "reader",
        "password": PASSWORD,
        "tls": "disable",
        **more,
    }


def failure(driver: str, port: int, limits: Limits = PATIENT, /, **more: str) -> TargetError:
    guards = Guards(Policy(allow=[f"127.0.0.1:{port}"]), limits=limits)
    with pytest.raises(TargetError) as problem, DRIVERS[driver].open(settings(driver, port, **more), guards) as session:
        session.check()
    assert PASSWORD not in str(problem.value) + problem.value.detail
    return problem.value


class Rogue:
    """A server that plays a script with each caller and keeps what it was told."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self.heard = b""
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(caller,), daemon=True).start()

    def _play(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError):
            caller.settimeout(HANG)
            self._script(caller)

    def listen(self, caller: socket.socket, seconds: float = HANG) -> bytes:
        caller.settimeout(seconds)
        try:
            said = caller.recv(65536)
        except TimeoutError:
            said = b""
        self.heard += said
        return said

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def rogue() -> Iterator[Callable[[Callable[[Rogue, socket.socket], None]], Rogue]]:
    opened: list[Rogue] = []

    def start(script: Callable[[Rogue, socket.socket], None]) -> Rogue:
        server = Rogue(lambda caller: script(server, caller))
        opened.append(server)
        return server

    yield start
    for server in opened:
        server.close()


Start = Callable[[Callable[[Rogue, socket.socket], None]], Rogue]


def packet(payload: bytes, number: int = 0) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def greeting(plugin: bytes = b"mysql_native_password", tls: bool = False) -> bytes:
    capabilities = 0x00FFFFFF if tls else 0x00FFF7FF
    low, high = capabilities & 0xFFFF, capabilities >> 16 | 0x0008
    return packet(
        b"\x0a8.0.99\0" + struct.pack("<I", 7) + b"a" * 8 + b"\0" + struct.pack("<H", low) + b"\x2d"
        + struct.pack("<HH", 2, high) + b"\x15" + b"\0" * 10 + b"b" * 12 + b"\0" + plugin + b"\0"
    )  # fmt: skip


# --- what an honest server's refusal means


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_nobody_listening_is_unreachable(driver: str) -> None:
    with kept_port() as port:
        assert (problem := failure(driver, port)).code == "connect_refused"
    assert isinstance(problem, Unreachable)


def silent(self: Rogue, caller: socket.socket) -> None:
    while self.listen(caller):
        pass


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_server_that_never_speaks_is_given_up_in_time(driver: str, rogue: Start) -> None:
    server = rogue(silent)
    started = time.monotonic()
    problem = failure(driver, server.port, FAST)
    assert isinstance(problem, Unreachable)
    assert problem.code == "connect_timeout"
    assert time.monotonic() - started < HANG / 2


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_server_that_speaks_something_else_is_a_failure_of_ours_not_a_crash(driver: str, rogue: Start) -> None:
    for noise in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"\xff" * 64, *NOISE, b""):

        def play(self: Rogue, caller: socket.socket, noise: bytes = noise) -> None:
            caller.sendall(noise)
            # Then it hangs up, since whoever waits for more would wait for ever.
            self.listen(caller, 0.5)

        assert isinstance(failure(driver, rogue(play).port), Unreachable | Broken | LoginFailed)


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_handshake_without_end_is_given_up_in_time(driver: str, rogue: Start) -> None:
    def drip(self: Rogue, caller: socket.socket) -> None:
        for byte in greeting() + b"x" * 1000:
            caller.sendall(bytes([byte]))
            time.sleep(0.2)

    started = time.monotonic()
    assert isinstance(failure(driver, rogue(drip).port, FAST), Unreachable | Broken)
    # To its end it would take 200 s.
    assert time.monotonic() - started < HANG / 2


def test_postgresql_tells_a_missing_database_from_a_missing_user() -> None:
    known = {"username": "postgres", "password": ""}
    assert failure("postgresql", 5432, database="no such database", **known).code == "database"
    assert failure("postgresql", 5432, username="nobody here").code in ("refused", "password")
    assert isinstance(failure("postgresql", 5432, username="nobody here"), LoginFailed)


def test_text_that_looks_like_connection_options_is_only_a_name() -> None:
    """facts/security 1 row 10: host and database never become a second host or a URL."""
    for name in ("host=10.0.0.1", "postgresql://10.0.0.1/test", "test host=10.0.0.1", "test' user='postgres"):
        assert failure("postgresql", 5432, database=name, username="postgres").code == "database"
    for host in ("127.0.0.1,10.0.0.1", "/var/run/postgresql", "127.0.0.1\0x"):
        with pytest.raises((TargetRefused, SettingsWrong)):
            DRIVERS["postgresql"].open(settings("postgresql", 5432, host=host), Guards(POLICY))


@pytest.fixture
def mariadb_user() -> Iterator[str]:
    """A user who may read the database of the same name and no other."""
    with (
        mariadb_database("logins") as name,
        contextlib.closing(mariadb_administrator()) as server,
        server.cursor() as cursor,
    ):
        cursor.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'")
        try:
            cursor.execute(f"GRANT SELECT ON {name}.* TO '{name}'@'%'")
            yield name
        finally:
            cursor.execute(f"DROP USER '{name}'@'%'")


def test_mariadb_tells_a_wrong_password_from_a_missing_database(mariadb_user: str) -> None:
    """facts/field 0.5: a wrong password has to fail the check."""
    assert failure("mysql", 3306, username=mariadb_user, database=mariadb_user, password="wrong").code == "password"
    assert failure("mysql", 3306, username=mariadb_user, database="mysql").code == "database"
    given = settings("mysql", 3306, username=mariadb_user, database=mariadb_user)
    with DRIVERS["mysql"].open(given, Guards(POLICY)) as session:
        server = session.check()
    assert (server.product, server.encrypted) == ("MariaDB", False)


# --- the environment of the process does not matter


def test_libpq_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGHOST": "10.0.0.1", "PGHOSTADDR": "10.0.0.1", "PGOPTIONS": "-c default_transaction_read_only=off",
        "PGSSLMODE": "verify-full", "PGPASSWORD": "from environment", "PGREQUIREAUTH": "scram-sha-256",
        "PGCONNECT_TIMEOUT": "1", "PGAPPNAME": "x", "PGTARGETSESSIONATTRS": "standby", "PGSSLNEGOTIATION": "direct",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    guards = Guards(POLICY)
    given = settings("postgresql", 5432, database="postgres", username="postgres", password="")
    with DRIVERS["postgresql"].open(given, guards) as session:
        assert session.check().product == "PostgreSQL"


# --- a server that wants the password


def test_mysql_gives_no_clear_password_without_encryption(rogue: Start) -> None:
    """facts/security 1 row 11: PyMySQL alone gives it away."""
    for plugin in (b"mysql_clear_password", b"dialog", b"sha256_password", b"caching_sha2_password"):

        def ask(self: Rogue, caller: socket.socket, plugin: bytes = plugin) -> None:
            caller.sendall(greeting())
            self.listen(caller)
            caller.sendall(packet(b"\xfe" + plugin + b"\0" + b"c" * 20 + b"\0", 2))
            self.listen(caller)
            caller.sendall(packet(b"\x01\x04", 4))
            self.listen(caller)
            caller.sendall(packet(b"\x01" + public_key(), 6))
            self.listen(caller)

        server = rogue(ask)
        problem = failure("mysql", server.port)
        assert isinstance(problem, LoginFailed | Broken | Unreachable)
        assert PASSWORD.encode() not in server.heard
        assert len(server.heard) < 512  # no RSA block of 256 bytes beside the login packet


def public_key() -> bytes:
    key = rsa.generate_private_key(65537, 2048).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_mysql_sends_no_login_to_a_server_without_encryption_when_it_is_required(rogue: Start) -> None:
    def play(self: Rogue, caller: socket.socket) -> None:
        caller.sendall(greeting(b"mysql_clear_password"))
        self.listen(caller)

    for mode in ("require", "verify-ca", "verify-full"):
        server = rogue(play)
        problem = failure("mysql", server.port, tls=mode)
        assert (problem.code, getattr(problem, "field", "")) == ("not_offered", "tls")
        assert b"reader" not in server.heard


def test_postgresql_sends_no_login_to_a_server_without_encryption_when_it_is_required(rogue: Start) -> None:
    def play(self: Rogue, caller: socket.socket) -> None:
        self.listen(caller)
        caller.sendall(b"N")
        self.listen(caller)

    for mode in ("require", "verify-ca", "verify-full"):
        server = rogue(play)
        problem = failure("postgresql", server.port, tls=mode)
        assert (problem.code, getattr(problem, "field", "")) == ("not_offered", "tls")
        assert b"reader" not in server.heard


def test_postgresql_gives_no_clear_password_without_encryption(rogue: Start) -> None:
    def ask(self: Rogue, caller: socket.socket) -> None:
        self.listen(caller)
        caller.sendall(b"R" + struct.pack(">II", 8, 3))
        self.listen(caller)

    server = rogue(ask)
    assert failure("postgresql", server.port).code == "unsafe_method"
    assert PASSWORD.encode() not in server.heard


@pytest.fixture
def own_certificate(tmp_path: Path) -> ssl.SSLContext:
    """TLS as anybody can offer it: the certificate is of an authority of his own."""
    files = certificates(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    return context


@pytest.mark.parametrize("tls", ["require", "verify-ca"])
@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog"])
def test_mysql_gives_no_clear_password_to_a_server_that_is_not_verified(
    rogue: Start, own_certificate: ssl.SSLContext, plugin: bytes, tls: str
) -> None:
    """facts/security 1 row 11: encryption alone does not tell who reads what was encrypted."""

    def ask(self: Rogue, caller: socket.socket) -> None:
        caller.sendall(greeting(tls=True))
        caller.recv(36)
        with own_certificate.wrap_socket(caller, server_side=True) as secure:
            self.listen(secure)
            secure.sendall(packet(b"\xfe" + plugin + b"\0" + b"c" * 20 + b"\0", 3))
            self.listen(secure)
            secure.sendall(packet(b"\x01Password: ", 5))
            self.listen(secure)

    server = rogue(ask)
    assert failure("mysql", server.port, tls=tls).code in ("unsafe_method", "certificate_refused")
    assert PASSWORD.encode() not in server.heard
    assert (b"reader" in server.heard) is (tls == "require")


@pytest.mark.parametrize("tls", ["require", "verify-ca"])
def test_postgresql_gives_no_clear_password_to_a_server_that_is_not_verified(
    rogue: Start, own_certificate: ssl.SSLContext, tls: str
) -> None:
    def ask(self: Rogue, caller: socket.socket) -> None:
        caller.recv(8)
        caller.sendall(b"S")
        with own_certificate.wrap_socket(caller, server_side=True) as secure:
            self.listen(secure)
            secure.sendall(b"R" + struct.pack(">II", 8, 3))
            self.listen(secure)

    server = rogue(ask)
    assert failure("postgresql", server.port, tls=tls).code in ("unsafe_method", "certificate_refused")
    assert PASSWORD.encode() not in server.heard
    assert (b"reader" in server.heard) is (tls == "require")


def test_mysql_tells_its_own_login_to_a_server_over_tls_that_was_chosen_without_verification(
    rogue: Start, own_certificate: ssl.SSLContext
) -> None:
    """`caching_sha2_password`, the usual login of MySQL 8, asks for the password inside of TLS when it knows none."""

    def ask(self: Rogue, caller: socket.socket) -> None:
        caller.sendall(greeting(b"caching_sha2_password", tls=True))
        caller.recv(36)
        with own_certificate.wrap_socket(caller, server_side=True) as secure:
            self.listen(secure)
            secure.sendall(packet(b"\x01\x04", 3))
            self.listen(secure)

    server = rogue(ask)
    failure("mysql", server.port, tls="require")
    assert PASSWORD.encode() in server.heard


@pytest.mark.parametrize(
    "driver", [driver.name for driver in DRIVERS.values() if "tls" in {f.code for f in driver.fields}]
)
def test_servers_are_verified_unless_somebody_chooses_otherwise(driver: str) -> None:
    given = {"host": "db.example.com", "database": "shop", "username": "reader"}
    assert DRIVERS[driver].settings(given)["tls"] == "verify-full"


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_certificate_of_another_name_or_authority_is_refused(driver: str, rogue: Start, tmp_path: Path) -> None:
    files = certificates(tmp_path, "other.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)

    def play(self: Rogue, caller: socket.socket) -> None:
        if driver == "mysql":
            caller.sendall(greeting(tls=True))
            caller.recv(36)
        else:
            caller.recv(8)
            caller.sendall(b"S")
        with context.wrap_socket(caller, server_side=True) as secure:
            self.listen(secure)

    authority = Path(files.ca_file).read_text()
    for more in ({"tls": "verify-full", "ca": authority}, {"tls": "verify-ca"}, {"tls": "verify-full"}):
        server = rogue(play)
        problem = failure(driver, server.port, **more)
        lacks = "certificate_name" if "ca" in more else "certificate_refused"
        assert (problem.code, getattr(problem, "field", "")) == (lacks, "tls"), problem.detail
        assert b"reader" not in server.heard
    server = rogue(play)
    failure(driver, server.port, tls="verify-ca", ca=authority)
    assert b"reader" in server.heard


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_an_authority_that_is_none_is_the_settings_fault(driver: str, rogue: Start) -> None:
    def play(self: Rogue, caller: socket.socket) -> None:
        if driver == "mysql":
            caller.sendall(greeting(tls=True))
        self.listen(caller)
        caller.sendall(b"S")
        self.listen(caller)

    problem = failure(driver, rogue(play).port, tls="verify-full", ca="-----BEGIN NONSENSE-----")
    assert (problem.code, getattr(problem, "field", "")) == ("not_readable", "ca")


# --- a server that wants our files or our memory


def mysql_login(self: Rogue, caller: socket.socket) -> None:
    """Let the caller in, and answer its first statements with OK and its `SELECT` with what follows."""
    caller.sendall(greeting())
    self.listen(caller)
    caller.sendall(packet(b"\0\0\0\2\0\0\0", 2))


def column(number: int) -> bytes:
    fields = b"".join(bytes([len(part)]) + part for part in (b"def", b"s", b"t", b"t", b"c", b"c"))
    return packet(fields + b"\x0c" + struct.pack("<HIBHB", 45, 1000, 253, 0, 0) + b"\0\0", number)


def test_mysql_reads_no_local_file_for_a_server(rogue: Start) -> None:
    def play(self: Rogue, caller: socket.socket) -> None:
        mysql_login(self, caller)
        for _ in range(8):
            if not self.listen(caller):
                return
            caller.sendall(packet(b"\xfb/etc/passwd", 1))

    server = rogue(play)
    failure("mysql", server.port)
    assert b"root:" not in server.heard


@pytest.mark.parametrize("shape", ["endless rows", "one endless row", "100,000 columns", "huge answer to SET"])
def test_a_mysql_server_that_sends_without_end_costs_little_memory_and_time(rogue: Start, shape: str) -> None:
    def play(self: Rogue, caller: socket.socket) -> None:
        mysql_login(self, caller)
        while said := self.listen(caller):
            if b"SELECT CONCAT" not in said and shape != "huge answer to SET":
                caller.sendall(packet(b"\0\0\0\2\0\0\0", 1))
                continue
            flood(caller)

    def flood(caller: socket.socket) -> None:
        full = b"\xff\xff\xff"
        if shape == "100,000 columns":
            caller.sendall(packet(b"\xfd" + struct.pack("<I", 100_000)[:3], 1))
            for number in range(100_000):
                caller.sendall(column((number + 2) % 256))
            return
        caller.sendall(packet(b"\1", 1) + column(2) + packet(b"\xfe\0\0\2\0", 3))
        number = 4
        while True:
            if shape == "endless rows":
                row = b"\xfc\xf0\x00" + b'["' + b"x" * 236 + b'"]'
                caller.sendall(b"".join(packet(row, (number + offset) % 256) for offset in range(1000)))
            else:
                caller.sendall(full + bytes([number % 256]) + b"\xfe" + b"x" * 0xFFFFFE)
            number += 1000 if shape == "endless rows" else 1

    server = rogue(play)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = Limits(connect_seconds=HANG, seconds=4, bytes=20_000_000)
    guards = Guards(Policy(allow=[f"127.0.0.1:{server.port}"]), limits=limits)
    started = time.monotonic()
    with (
        pytest.raises((TooBig, Broken, TargetError)),
        DRIVERS["mysql"].open(settings("mysql", server.port), guards) as session,
    ):
        for _ in session.rows(TableQuery(TableName("a", "t"), ("c",)), DESCRIBED):
            pass
    assert time.monotonic() - started < HANG
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024


def spoken(kind: bytes, body: bytes) -> bytes:
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack(">I", len(body) + 4) + body


#: A login that succeeds, as PostgreSQL tells it.
WELCOME = spoken(b"R", struct.pack(">I", 0)) + b"".join(
    spoken(b"S", name + b"\0" + value + b"\0")
    for name, value in ((b"server_version", b"15.0"), (b"client_encoding", b"UTF8"))
)
READY = spoken(b"K", struct.pack(">II", 1, 2)) + spoken(b"Z", b"I")
#: The answer to `drivers.postgresql.statements.BEGIN`, with which every transaction begins.
COLUMN = b"c\0" + struct.pack(">IhIhih", 0, 0, 25, -1, -1, 0)
SHAPED = spoken(b"C", b"BEGIN\0") + spoken(b"T", struct.pack(">h", 12) + COLUMN * 12)
CELLS = [b"on", b"UTC", b"1", b"ISO", b"iso", b"1", b"on", b"10s", b"1", b"2000", b"UTF8", b'pg_catalog."default"']
ROW = spoken(b"D", struct.pack(">h", 12) + b"".join(struct.pack(">i", len(cell)) + cell for cell in CELLS))
ANSWERED = SHAPED + ROW + spoken(b"C", b"SELECT 1\0") + spoken(b"Z", b"T")
COPYING = spoken(b"H", struct.pack(">bhh", 0, 1, 0))


@pytest.mark.parametrize("tls", ["disable", "require"])
@pytest.mark.parametrize(
    "shape",
    ["parameters without end", "rows without end", "one endless row", "data without end", "one endless line of data"],
)
def test_a_postgresql_server_that_sends_without_end_costs_little_memory_and_time(
    rogue: Start, shape: str, tls: str, tmp_path: Path
) -> None:
    files = certificates(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)

    def play(self: Rogue, caller: socket.socket) -> None:
        if tls == "disable":
            return speak(self, caller)
        caller.recv(8)
        caller.sendall(b"S")
        with context.wrap_socket(caller, server_side=True) as secure:
            return speak(self, secure)

    def speak(self: Rogue, caller: socket.socket) -> None:
        self.listen(caller)
        caller.sendall(WELCOME)
        if shape == "parameters without end":
            for number in range(10**9):
                caller.sendall(spoken(b"S", b"p%d\0" % number + b"x" * 20_000 + b"\0"))
        caller.sendall(READY)
        self.listen(caller)
        if shape in ("rows without end", "one endless row"):
            caller.sendall(SHAPED)
            flood(caller, ROW * 200 if shape == "rows without end" else b"", b"D")
        caller.sendall(ANSWERED)
        while b"COPY" not in self.listen(caller):
            caller.sendall(ANSWERED)
        caller.sendall(COPYING)
        flood(caller, spoken(b"d", b"x" * 200 + b"\n") * 200 if shape == "data without end" else b"", b"d")

    def flood(caller: socket.socket, block: bytes, kind: bytes) -> None:
        if not block:
            caller.sendall(kind + struct.pack(">I", 2**31 - 1))
        while True:
            caller.sendall(block or b"x" * 65536)

    server = rogue(play)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    limits = Limits(connect_seconds=HANG, seconds=HANG, bytes=100_000_000)
    guards = Guards(Policy(allow=[f"127.0.0.1:{server.port}"]), limits=limits)
    with (
        pytest.raises((Broken, TooBig)),
        DRIVERS["postgresql"].open(settings("postgresql", server.port, tls=tls), guards) as session,
    ):
        list(map(len, (chunk.data for chunk in session.rows(TableQuery(DESCRIBED.table, ("c",)), DESCRIBED))))
    assert time.monotonic() - started < HANG
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 64


def test_a_backend_that_dies_half_way_is_broken_not_finished() -> None:
    """facts/security 6: a cut answer must never look whole."""
    with (
        postgresql_database("logins") as name,
        psycopg.connect(f"{POSTGRESQL} dbname={name}", autocommit=True) as admin,
        DRIVERS["postgresql"].open(
            settings("postgresql", 5432, database=name, username="postgres", password=""), Guards(POLICY)
        ) as session,
    ):
        admin.execute("CREATE TABLE dying AS SELECT i AS n, repeat('x', 1000) AS t FROM generate_series(1, 100000) i")
        chunks = session.rows(TableQuery(TableName("public", "dying"), ("n", "t")))
        next(chunks)
        # The one that reads this table: others at this server copy, too.
        reading = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND query LIKE 'COPY%%'"
        eventually(lambda: admin.execute(reading, (name,)).fetchall())
        with pytest.raises(Broken) as problem:
            for _ in chunks:
                pass
        assert problem.value.code == "connection_lost"
