"""ClickHouse's engine as one of the suite's databases (`tests/drivers/clickhouse_server.py`)."""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import importlib.util
import subprocess
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from drivers.columns import Form
from drivers.query import TableName
from egress.policy import Policy
from tests.suite.databases import Database
from tests.waiting import HANG

SERVER = Path(__file__).parents[1] / "drivers" / "clickhouse_server.py"
IS_HERE = importlib.util.find_spec("chdb") is not None
"""`.ci/run` installs the engine, which is too large for everybody's setup, and fails if it cannot."""
_ADMIN = {"Authorization": "Basic " + base64.b64encode(b"default:").decode()}


class ClickHouseDatabase(Database):
    driver = "clickhouse"
    mark = "\0"
    #: About 5,000 moments its planner thinks for a minute; 5,000 texts to be contained are more than it takes.
    most_conditions = 1000
    uncastable = frozenset({(Form.FLOAT, "string")})
    schema = "suite"
    types = MappingProxyType(
        {
            Form.BOOLEAN: "Nullable(Bool)",
            Form.INTEGER: "Nullable(Int64)",
            Form.EXACT: "Nullable(Decimal(20, 4))",
            Form.FLOAT: "Nullable(Float64)",
            Form.TEXT: "Nullable(String)",
            Form.DATE: "Nullable(Date32)",
            Form.DATETIME: "Nullable(DateTime64(6))",
        }
    )
    endless = "SELECT max(number) AS id, 'x' AS note FROM system.numbers"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(folder / "engine")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        self.policy = Policy(allow=[f"127.0.0.1:{self.port}"])
        self.settings = {
            "host": "127.0.0.1",
            "port": str(self.port),
            "database": self.schema,
            "username": "reader",
            "tls": "disable",
        }
        self.asked(f"CREATE DATABASE {self.schema}")

    def quote(self, name: str) -> str:
        return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"

    def create(self, name: str, columns: dict[str, str], rows: Iterable[Sequence[Any]] = ()) -> TableName:
        declared = ", ".join(f"{self.quote(column)} {kind}" for column, kind in columns.items())
        self.asked(f"CREATE TABLE {self.qualified(name)} ({declared}) ENGINE = MergeTree ORDER BY tuple()")
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
        if values:
            self.asked(f"INSERT INTO {self.qualified(name)} VALUES {values}")
        return self.table(name)

    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        for row in rows:
            pieces = statement.split(self.mark)
            for value in row:
                pieces[0:2] = [pieces[0] + _literal(value) + pieces[1]]
            self.asked(pieces[0])

    def asked(self, statement: str) -> str:
        """What the engine answers to a statement of its owner."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        connection.request("POST", "/", statement.encode("utf-8", "surrogatepass"), _ADMIN)
        response = connection.getresponse()
        said = response.read().decode("utf-8", "replace")
        connection.close()
        assert response.status == 200, said[:500]
        return said

    def running(self, word: str) -> list[Any]:
        found = self.asked("SELECT query FROM system.processes").splitlines()
        return [line for line in found if word in line]

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(HANG)
        self._process.stdout.close()


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return repr(value).lower()
        case Decimal() | dt.date():
            return f"'{value}'"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
