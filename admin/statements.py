"""The statements that make a user who may only read, for each kind of server; docs/user/drivers.md tells the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

EXAMPLE = "shop"
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_QUOTES: Mapping[str, tuple[str, str]] = {
    "postgresql": ('"', '"'),
    "mysql": ("`", "`"),
    "clickhouse": ("`", "`"),
    "mssql": ("[", "]"),
}
_STATEMENTS: Mapping[str, str] = {
    "postgresql": """CREATE ROLE bi_reader LOGIN PASSWORD '...';
GRANT CONNECT ON DATABASE {database} TO bi_reader;
GRANT USAGE ON SCHEMA public TO bi_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO bi_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO bi_reader;""",
    "mysql": """CREATE USER 'bi_reader'@'%' IDENTIFIED BY '...';
GRANT SELECT, SHOW VIEW ON {database}.* TO 'bi_reader'@'%';""",
    "clickhouse": """CREATE USER bi_reader IDENTIFIED WITH sha256_password BY '...' SETTINGS readonly = 2;
GRANT SELECT ON {database}.* TO bi_reader;""",
    "mssql": """CREATE LOGIN bi_reader WITH PASSWORD = '...';
USE {database};
CREATE USER bi_reader FOR LOGIN bi_reader;
ALTER ROLE db_datareader ADD MEMBER bi_reader;""",
}


def of_reader(driver: str, database: str = "") -> str:
    """Statements for the database that was typed, or for an example; empty where a kind of server has none."""
    statements = _STATEMENTS.get(driver, "")
    return statements.replace("{database}", _quoted(driver, database or EXAMPLE)) if statements else ""


def _quoted(driver: str, name: str) -> str:
    start, end = _QUOTES[driver]
    return name if _PLAIN.fullmatch(name) else f"{start}{name.replace(end, end * 2)}{end}"
