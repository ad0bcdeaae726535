"""The list of drivers. A new driver is one line here."""

from __future__ import annotations

from drivers.base import Driver
from drivers.clickhouse import ClickHouse
from drivers.file import File
from drivers.mssql import SQLServer
from drivers.mysql import MySQL
from drivers.postgresql import PostgreSQL
from drivers.sqlite import SQLite
from drivers.trino import Trino

DRIVERS: dict[str, Driver] = {
    driver.name: driver for driver in (PostgreSQL(), MySQL(), SQLite(), File(), ClickHouse(), SQLServer(), Trino())
}
