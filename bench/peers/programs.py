"""Two small programs that answer `GET /` with the whole table as a JSON array of arrays, header first.

`in_memory` fetches all rows and turns them into one text, as the public connectors do (facts/field 1); `streamed` goes
through SQLAlchemy with a server-side cursor and writes row by row. gunicorn runs them; `PEER_STORE` is a SQLAlchemy
address, or the path of a file for DuckDB; `?limit=N` limits the rows.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

import duckdb
import sqlalchemy as sa

from bench.deals import NAMES, TABLE

Start = Callable[[str, list[tuple[str, str]]], object]
Program = Callable[[dict[str, Any], Start], Iterable[bytes]]
_HEADER = [("Content-Type", "application/json")]


def in_memory(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Everything at once."""
    body = json.dumps([NAMES, *_all_rows(_statement(environ))], default=_plain, ensure_ascii=False).encode()
    start("200 OK", [*_HEADER, ("Content-Length", str(len(body)))])
    return [body]


def streamed(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Row by row."""
    start("200 OK", _HEADER)
    return _lines(_statement(environ))


def _lines(statement: str) -> Iterator[bytes]:
    yield b"[" + json.dumps(NAMES).encode()
    with _engine().connect() as connection:
        found = connection.execution_options(stream_results=True).execute(sa.text(statement))
        for block in found.partitions(1000):
            rows = (json.dumps(list(row), default=_plain, ensure_ascii=False) for row in block)
            yield (",\n" + ",\n".join(rows)).encode()
    yield b"]"


def _statement(environ: dict[str, Any]) -> str:
    limit = parse_qs(environ["QUERY_STRING"]).get("limit")
    source = TABLE if "://" in os.environ["PEER_STORE"] else f"'{os.environ['PEER_STORE']}'"
    return f"SELECT {', '.join(NAMES)} FROM {source}" + (f" LIMIT {int(limit[0])}" if limit else "")  # noqa: S608 - our own environment


def _all_rows(statement: str) -> list[Any]:
    if "://" not in os.environ["PEER_STORE"]:
        with duckdb.connect() as database:
            return database.execute(statement).fetchall()
    with _engine().connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement)).all()]


@functools.cache
def _engine() -> sa.Engine:
    return sa.create_engine(os.environ["PEER_STORE"])


def _plain(value: Any) -> Any:
    return float(value) if hasattr(value, "as_tuple") else str(value)
