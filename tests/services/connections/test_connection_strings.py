"""Pasted connection strings, as their users copy them."""

from __future__ import annotations

import pytest

from drivers import catalogue
from services.connections.connection_strings import read

READ = [
    (
        "postgresql://ann:p%40ss%2Fw%3A@db.example.com:5433/shop?sslmode=verify-full",
        "postgresql",
        {
            "host": "db.example.com",
            "port": "5433",
            "database": "shop",
            "username": "ann",
            "password": "p@ss/w:",
            "tls": "verify-full",
        },
    ),
    (
        "jdbc:postgresql://db.example.com/shop?user=ann&password=x%26y&ssl=true",
        "postgresql",
        {"host": "db.example.com", "database": "shop", "username": "ann", "password": "x&y", "tls": "require"},
    ),
    ("postgresql+psycopg2://ann@[2001:db8::1]:5432/shop", "postgresql", {"host": "2001:db8::1", "port": "5432"}),
    ("  jdbc:mysql://db:3306/shop?useSSL=false  ", "mysql", {"host": "db", "port": "3306", "tls": "disable"}),
    ("mariadb://db/Магазин", "mysql", {"host": "db", "database": "Магазин"}),
    (
        "jdbc:sqlserver://db.example.com:1433;databaseName=shop;user=ann;password=x=y;encrypt=true",
        "mssql",
        {
            "host": "db.example.com",
            "port": "1433",
            "database": "shop",
            "username": "ann",
            "password": "x=y",
            "tls": "require",
        },
    ),
]


@pytest.mark.parametrize(("text", "driver", "settings"), READ)
def test_a_string_becomes_a_driver_and_its_settings(text: str, driver: str, settings: dict[str, str]) -> None:
    pasted = read(text)
    assert pasted is not None
    assert pasted.driver == driver
    assert settings.items() <= pasted.settings.items()
    assert "" not in pasted.settings.values()


def test_every_scheme_leads_to_one_driver_which_takes_what_was_read() -> None:
    schemes = [scheme for driver in catalogue.DRIVERS.values() for scheme in driver.schemes]
    assert len(schemes) == len(set(schemes))
    for driver in catalogue.DRIVERS.values():
        for scheme in driver.schemes:
            pasted = read(f"{scheme}://ann:secret@db.example.com/shop")
            assert pasted is not None
            assert pasted.driver == driver.name
            assert driver.settings(pasted.settings)["host"] == "db.example.com"


@pytest.mark.parametrize(
    "text", ["", "db.example.com", "ftp://x/y", "https://x/y.csv", "postgresql://host:port/x", "http://[", "://", "\0"]
)
def test_what_is_no_connection_string_is_none(text: str) -> None:
    assert read(text) is None


def test_a_password_stays_out_of_repr() -> None:
    assert "canary" not in repr(read("postgresql://ann:canary@db/shop"))
