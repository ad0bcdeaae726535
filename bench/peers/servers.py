"""The peers that a store has, each as a server of its own."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import deals
from bench.processes import Asked, Server, free_port, serving
from bench.stores import DATABASE, Csv, MariaDB, Parquet, PostgreSQL, SQLite, Store

ROOT = Path(__file__).parent.parent.parent
COMMANDS = Path(sys.executable).parent
IN_MEMORY, STREAMED, DATASETTE = "everything in memory + json", "SQLAlchemy stream + json", "Datasette, JSON arrays"
PEERS: dict[type[Store], tuple[str, ...]] = {
    PostgreSQL: (IN_MEMORY, STREAMED),
    MariaDB: (IN_MEMORY, STREAMED),
    SQLite: (STREAMED, DATASETTE),
    Parquet: (IN_MEMORY,),
    Csv: (IN_MEMORY,),
}


@dataclass(frozen=True)
class Peer:
    """A running peer."""

    name: str
    server: Server
    asked: Asked
    preview: Asked


@contextlib.contextmanager
def running(name: str, store: Store, rows: int, folder: Path) -> Iterator[Peer]:
    """The peer `name` of `PEERS` on `store`, which holds `rows` rows; its log is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = {variable: os.environ[variable] for variable in ("PATH", "HOME", "LANG") if variable in os.environ}
    address = f"http://127.0.0.1:{port}/"
    if name == DATASETTE:
        limits = ["--setting", "max_returned_rows", str(rows + 1), "--setting", "sql_time_limit_ms", "600000"]
        file = str(store.folder / SQLite.settings["path"])
        command = [str(COMMANDS / "datasette"), "serve", file, "--port", str(port), *limits]
        processes = 0
        statement = f"select+*+from+{deals.TABLE}"
        address += f"deals.json?_shape=arrays&sql={statement}"
        preview = f"{address}+limit+20"
    else:
        environment |= {"PEER_STORE": _address(store), "PYTHONPATH": str(ROOT)}
        program = "in_memory" if name == IN_MEMORY else "streamed"
        gunicorn = ["-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "4", "-t", "600"]
        command = [str(COMMANDS / "gunicorn"), *gunicorn, f"bench.peers.programs:{program}"]
        processes = 1
        preview = f"{address}?limit=20"
    with serving(command, port, environment, folder, folder / "log.txt", processes) as server:
        yield Peer(name, server, Asked(address), Asked(preview))


def _address(store: Store) -> str:
    match store:
        case PostgreSQL():
            return f"postgresql+psycopg://postgres@127.0.0.1:5432/{DATABASE}?sslmode=disable"
        case MariaDB():
            return f"mysql+pymysql://root@127.0.0.1:3306/{DATABASE}?charset=utf8mb4"
        case SQLite():
            return f"sqlite:///{store.folder / store.settings['path']}"
        case Csv():
            return str(store.source)
    return str(store.folder / store.settings["path"])
