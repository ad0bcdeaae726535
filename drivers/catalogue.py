"""The list of drivers. A new driver is one line here."""

from __future__ import annotations

from drivers.base import Driver
from drivers.clickhouse.driver import ClickHouse
from drivers.files.driver import File
from drivers.mssql.driver import SQLServer
from drivers.mysql.driver import MySQL
from drivers.postgresql.driver import PostgreSQL
from drivers.sqlite.driver import SQLite
from drivers.trino.driver import Trino

DRIVERS: dict[str, Driver] = {
    driver.name: driver for driver in (PostgreSQL(), MySQL(), SQLite(), File(), ClickHouse(), SQLServer(), Trino())
}
