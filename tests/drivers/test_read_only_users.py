"""Statements for a user who may only read: the form's are the documentation's."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.catalogue import DRIVERS

DOCUMENTED = (Path(__file__).resolve().parents[2] / "docs" / "user" / "drivers.md").read_text(encoding="utf-8")
SPEAK_SQL = [name for name, driver in DRIVERS.items() if driver.read_only_user]


@pytest.mark.parametrize("driver", SPEAK_SQL)
def test_the_form_shows_what_the_documentation_shows(driver: str) -> None:
    assert f"```sql\n{DRIVERS[driver].read_only_user_of()}\n```" in DOCUMENTED


def test_every_server_whose_rights_are_statements_has_them() -> None:
    assert SPEAK_SQL == ["postgresql", "mysql", "clickhouse", "mssql"]


@pytest.mark.parametrize(
    ("driver", "database", "shown"),
    [
        ("postgresql", "sales", "DATABASE sales TO"),
        ("postgresql", 'My "DB"', 'DATABASE "My ""DB""" TO'),
        ("mysql", "my-shop", "ON `my-shop`.* TO"),
        ("mssql", "Sales DB", "USE [Sales DB];"),
        ("clickhouse", "", "ON shop.* TO"),
    ],
)
def test_the_typed_database_stands_in_the_statements(driver: str, database: str, shown: str) -> None:
    assert shown in DRIVERS[driver].read_only_user_of(database)
