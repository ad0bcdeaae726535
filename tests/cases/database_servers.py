"""The servers that the cases of `databases/` run on, each opened when the first case needs it.

Setups and cases spell everything that a server holds for all of its databases, and the databases themselves, with
`databases_` before it; here each process puts a name of its own in its place.
"""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import apsw
import psycopg
import pymysql
from pymysql.constants import CLIENT

from tests.databases import POSTGRESQL, mariadb_administrator, own_name
from tests.drivers.old_clickhouse import PROGRAM, old_clickhouse
from tests.mariadb_server import IS_HERE as MARIADB_IS_HERE
from tests.mariadb_server import own_mariadb
from tests.postgresql_server import PASSWORD, PGBOUNCER, SPEAKS_RUSSIAN, own_postgresql, pgbouncer
from tests.suite.clickhouse_engine import IS_HERE, ClickHouseDatabase

FOLDER = Path(__file__).parent / "databases"
SHARED = "databases_"


class Server(ABC):
    """One kind of server, ready for the setups of its cases."""

    driver: ClassVar[str]
    #: Settings that a case leaves out.
    usual: ClassVar[Mapping[str, str]]

    def __init__(self, folder: Path) -> None:
        self.folder, self.prefix = folder, own_name("cases") + "_"

    def own(self, text: str) -> str:
        """A text with this process's names."""
        return text.replace(SHARED, self.prefix)

    def settings(self, name: str, case: Mapping[str, Any]) -> dict[str, str]:
        """The connection's settings."""
        return {code: self.own(value) for code, value in {**self.usual, **case.get("settings", {})}.items()}

    @abstractmethod
    def run(self, name: str, case: Mapping[str, Any], statements: str) -> AbstractContextManager[None]:
        """Run statements as the owner of the case's database; within the block their session stays open."""

    def said(self, name: str, case: Mapping[str, Any], statement: str) -> str:
        """What another program of the customer's, connected as we are, gets for a statement."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """Remove everything."""


class PostgreSQL(Server):
    """The databases `databases_pg`, in UTF-8, and those that are named for their encodings."""

    driver = "postgresql"
    usual: ClassVar[Mapping[str, str]] = {
        "host": "127.0.0.1",
        "tls": "disable",
        "database": "databases_pg",
        "username": "postgres",
    }
    _ENCODINGS: ClassVar = {"databases_latin1": "LATIN1", "databases_ascii": "SQL_ASCII"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._admin = psycopg.connect(f"{POSTGRESQL} dbname=postgres", autocommit=True)
        self._made: set[str] = set()

    @contextlib.contextmanager
    def run(self, name: str, case: Mapping[str, Any], statements: str) -> Iterator[None]:
        database = {**self.usual, **case.get("settings", {})}["database"]
        own = self.own(database)
        if own not in self._made:
            encoding = self._ENCODINGS.get(database, "UTF8")
            locale = "" if encoding == "UTF8" else "LOCALE 'C'"
            self._admin.execute(f"CREATE DATABASE {own} TEMPLATE template0 ENCODING '{encoding}' {locale}".encode())
            self._made.add(own)
        with psycopg.connect(f"{POSTGRESQL} dbname={own} client_encoding=utf8", autocommit=True) as session:
            session.execute(self.own(statements).encode())
            yield

    def close(self) -> None:
        for database in self._made:
            self._admin.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())
        roles = self._admin.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", (self.prefix,))
        for (role,) in roles.fetchall():
            self._admin.execute(f"DROP ROLE {role}".encode())
        self._admin.close()


class Pooled(PostgreSQL):
    """The same behind PgBouncer in transaction mode, where `databases_pgb` is a customer's own program as well."""

    usual: ClassVar[Mapping[str, str]] = {**PostgreSQL.usual, "username": "databases_pgb"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._opening = contextlib.ExitStack()
        self._port = self._opening.enter_context(pgbouncer(self.own("databases_pgb")))

    def settings(self, name: str, case: Mapping[str, Any]) -> dict[str, str]:
        return {**super().settings(name, case), "port": str(self._port)}

    def said(self, name: str, case: Mapping[str, Any], statement: str) -> str:
        """What the program's own statement gives through the pooler: its only value, or what was done."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=self.own("databases_pgb"),
            dbname=self.own(self.usual["database"]),
            autocommit=True,
            prepare_threshold=None,
        ) as session:
            done = session.execute(statement.encode())
            row = done.fetchone() if done.description else None
            return str(row[0]) if row else str(done.statusmessage)

    def close(self) -> None:
        self._opening.close()
        super().close()


class OwnPostgreSQL(Server):
    """A server that speaks Russian and takes nobody but with TLS and SCRAM."""

    driver = "postgresql"
    usual: ClassVar[Mapping[str, str]] = {
        "host": "127.0.0.1",
        "tls": "require",
        "database": "postgres",
        "username": "postgres",
        "password": PASSWORD,
    }

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._opening = contextlib.ExitStack()
        self._server = self._opening.enter_context(own_postgresql())

    def settings(self, name: str, case: Mapping[str, Any]) -> dict[str, str]:
        given = {**super().settings(name, case), "port": str(self._server.port)}
        return {**given, "ca": self._server.ca} if given["tls"].startswith("verify") else given

    @contextlib.contextmanager
    def run(self, name: str, case: Mapping[str, Any], statements: str) -> Iterator[None]:
        with psycopg.connect(f"{self._server.administrator} dbname=postgres", autocommit=True) as session:
            session.execute(self.own(statements).encode())
            yield

    def close(self) -> None:
        self._opening.close()


class MariaDB(Server):
    """The database `databases_my`, which `databases_reader` may read."""

    driver = "mysql"
    usual: ClassVar[Mapping[str, str]] = {
        "host": "127.0.0.1",
        "tls": "disable",
        "database": "databases_my",
        "username": "databases_reader",
        "password": "pw",
    }

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._admin = self._session()
        self._execute(
            f"CREATE DATABASE {self.prefix}my CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
            f"CREATE USER {self.prefix}reader@'%' IDENTIFIED BY 'pw'",
            f"GRANT SELECT, SHOW VIEW ON {self.prefix}my.* TO {self.prefix}reader@'%'",
        )

    def _session(self, **options: Any) -> pymysql.Connection:
        return mariadb_administrator(**options)

    def _execute(self, *statements: str) -> list[tuple[Any, ...]]:
        with self._admin.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @contextlib.contextmanager
    def run(self, name: str, case: Mapping[str, Any], statements: str) -> Iterator[None]:
        session = self._session(database=self.own("databases_my"), client_flag=CLIENT.MULTI_STATEMENTS)
        with contextlib.closing(session), session.cursor() as cursor:
            cursor.execute(self.own(statements))
            while cursor.nextset():
                pass
            yield

    def close(self) -> None:
        users = self._execute(f"SELECT user FROM mysql.user WHERE user LIKE '{self.prefix}%'")
        self._execute(f"DROP DATABASE {self.prefix}my", *(f"DROP USER {user}@'%'" for (user,) in users))
        self._admin.close()


class OwnMariaDB(MariaDB):
    """The same on a server of its own (`tests/mariadb_server.py`), which may be asked for encryption."""

    def __init__(self, folder: Path) -> None:
        self._opening = contextlib.ExitStack()
        self._server = self._opening.enter_context(own_mariadb())
        super().__init__(folder)

    def settings(self, name: str, case: Mapping[str, Any]) -> dict[str, str]:
        given = {**super().settings(name, case), "port": str(self._server.port)}
        return {**given, "ca": self._server.ca, "host": "localhost"} if given["tls"].startswith("verify") else given

    def _session(self, **options: Any) -> pymysql.Connection:
        return self._server.administrator(**options)

    def close(self) -> None:
        self._opening.close()


class SQLite(Server):
    """A file for each case."""

    driver = "sqlite"
    usual: ClassVar[Mapping[str, str]] = {}

    def settings(self, name: str, case: Mapping[str, Any]) -> dict[str, str]:
        return {**super().settings(name, case), "path": f"{name}.sqlite"}

    @contextlib.contextmanager
    def run(self, name: str, case: Mapping[str, Any], statements: str) -> Iterator[None]:
        path = self.folder / f"{name}.sqlite"
        with contextlib.closing(apsw.Connection(str(path))) as session:
            list(session.execute(statements))
            path.chmod(int(case.get("mode", "644"), 8))
            yield

    def close(self) -> None:
        pass


class ClickHouse(Server):
    """The engine's database `databases`."""

    driver = "clickhouse"
    usual: ClassVar[Mapping[str, str]] = {"database": "databases"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._engine = ClickHouseDatabase(folder)
        self._engine.asked("CREATE DATABASE databases")

    def settings(self, name: str, case: Mapping[str, Any]) -> dict[str, str]:
        return {**self._engine.settings, **super().settings(name, case)}

    @contextlib.contextmanager
    def run(self, name: str, case: Mapping[str, Any], statements: str) -> Iterator[None]:
        for statement in statements.split(";\n"):
            if statement.strip("; \n"):
                self._engine.asked(statement.strip("; \n"))
        yield

    def close(self) -> None:
        self._engine.close()


class OldClickHouse(Server):
    """ClickHouse 18.16, which holds nothing."""

    driver = "clickhouse"
    usual: ClassVar[Mapping[str, str]] = {}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._running = contextlib.ExitStack()
        self._settings = self._running.enter_context(old_clickhouse(folder / "old_clickhouse"))

    def settings(self, name: str, case: Mapping[str, Any]) -> dict[str, str]:
        return {**self._settings, **super().settings(name, case)}

    def run(self, name: str, case: Mapping[str, Any], statements: str) -> AbstractContextManager[None]:
        raise NotImplementedError

    def close(self) -> None:
        self._running.close()


KINDS: Mapping[str, type[Server]] = {
    "pg": PostgreSQL,
    "my": MariaDB,
    **({"my_own": OwnMariaDB} if MARIADB_IS_HERE else {}),
    "sqlite": SQLite,
    **({"ch": ClickHouse} if IS_HERE else {}),
    **({"ch_old": OldClickHouse} if PROGRAM else {}),
    **({"pg_own": OwnPostgreSQL} if SPEAKS_RUSSIAN else {}),
    **({"pgbouncer": Pooled} if PGBOUNCER.exists() else {}),
}
"""By the word that stands as `server` in a case; what `.ci/run` installs may be missing elsewhere."""


def case_of(name: str) -> dict[str, Any]:
    """What a case asks and expects."""
    return dict(json.loads((FOLDER / name / "case.json").read_text()))


def setup_of(name: str) -> str:
    """The statements that a case begins with, if any."""
    path = FOLDER / name / "setup.sql"
    return path.read_text() if path.exists() else ""
