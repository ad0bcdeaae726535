"""A MariaDB server of the tests' own, as strict and as strange as its options allow."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.drivers.servers import certificates
from tests.ports import kept_port
from tests.waiting import HANG, eventually

PROGRAM = "/usr/sbin/mariadbd"
_SYSTEM = [Path(f"/usr/share/mysql/mysql_system_tables{part}.sql") for part in ("", "_data")]
IS_HERE = Path(PROGRAM).exists() and all(map(Path.exists, _SYSTEM))
_SMALL = (
    *(
        "--no-defaults",
        *(["--user=root"] if os.geteuid() == 0 else []),
        "--skip-log-bin",
        "--innodb-flush-method=nosync",
        "--innodb-log-file-size=4M",
    ),
    *("--innodb-buffer-pool-size=8M", "--key-buffer-size=1M", "--innodb-fast-shutdown=3", "--performance-schema=OFF"),
)
_OPTIONS = (
    "--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,ALLOW_INVALID_DATES",
    "--lower-case-table-names=1",
    "--max-allowed-packet=1M",
    "--character-set-server=cp1251",
    "--plugin-load-add=auth_ed25519",
    "--plugin-maturity=unknown",
)


@dataclass(frozen=True)
class MariaDBServer:
    """Where it listens, and the authority of its certificate, which is that of `localhost`."""

    port: int
    ca: str

    def administrator(self, **options: Any) -> pymysql.Connection:
        """A connection of its administrator, to no database unless `options` name one."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="administrator",
            password="pw",
            charset="utf8mb4",
            autocommit=True,
            **options,
        )


@contextlib.contextmanager
def own_mariadb() -> Iterator[MariaDBServer]:
    """A server that speaks cp1251 and SQL's own quotes, takes days that do not exist and small packets only."""
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    data = folder / "data"
    (data / "mysql").mkdir(parents=True)
    try:
        tables = "USE mysql;\n" + "\n".join(path.read_text() for path in _SYSTEM)
        subprocess.run(
            [PROGRAM, *_SMALL, "--bootstrap", f"--datadir={data}"],
            input=tables.encode(),
            capture_output=True,
            check=True,
            timeout=HANG,
        )
        files, first = certificates(folder, "localhost"), folder / "first.sql"
        first.write_text(
            "CREATE USER administrator@'%' IDENTIFIED BY 'pw';\n"
            "GRANT ALL ON *.* TO administrator@'%' WITH GRANT OPTION;\n"
        )
        with kept_port() as port, (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [
                    *(PROGRAM, *_SMALL, *_OPTIONS, f"--datadir={data}", f"--init-file={first}"),
                    *(f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"),
                    *(f"--ssl-cert={files.cert_file}", f"--ssl-key={files.key_file}", f"--pid-file={folder / 'pid'}"),
                ],
                stdout=log,
                stderr=log,
            )
            try:
                own = MariaDBServer(port, Path(files.ca_file).read_text())
                eventually(lambda: _answers(own), lambda: (folder / "log").read_text()[-2000:])
                yield own
            finally:
                server.kill()
                server.wait(HANG)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(own: MariaDBServer) -> bool:
    with contextlib.suppress(pymysql.Error):
        own.administrator().close()
        return True
    return False
