"""What the list of drivers declares, and that the page for users says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.base import Driver
from drivers.catalogue import DRIVERS

PAGE = (Path(__file__).parents[2] / "docs" / "user" / "drivers.md").read_text()
SERVERS = {"postgresql", "mysql", "clickhouse", "mssql", "trino"}


def test_the_names_are_those_that_stay() -> None:
    """Stored connections name their driver."""
    assert set(DRIVERS) == SERVERS | {"sqlite", "file"}
    assert all(name == driver.name for name, driver in DRIVERS.items())


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=list(DRIVERS))
def test_the_page_says_whether_a_driver_is_proven_and_names_its_settings(driver: Driver) -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    ((_, _, _, proven, _),) = (row for row in rows if len(row) == 5 and row[1] == f"`{driver.name}`")
    assert proven == ("yes" if driver.proven else "unproven")
    for field in driver.fields:
        assert f"`{field.code}`" in PAGE, field.code


def test_the_page_says_which_drivers_have_a_setting() -> None:
    table = PAGE.partition("## Settings")[2].partition("\n\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    told: dict[str, set[str]] = {}
    for settings, drivers, _ in rows:
        named = set(re.findall(r"`(\w+)`", drivers)) & set(DRIVERS)
        groups = SERVERS if "all servers" in drivers else set(DRIVERS) if drivers == "all" else set()
        told |= dict.fromkeys(re.findall(r"`(\w+)`", settings), named | groups)
    codes = {field.code for driver in DRIVERS.values() for field in driver.fields}
    have = {
        code: {name for name, one in DRIVERS.items() if code in {field.code for field in one.fields}} for code in codes
    }
    assert told == have


def test_what_an_analyst_has_to_ask_for_says_whom() -> None:
    """facts/field 5.2: whoever sees the form for the first time does not know where a server's name stands."""
    for name in SERVERS:
        (host,) = (field for field in DRIVERS[name].fields if field.code == "host")
        assert host.hint
        assert host.example


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_servers_have_the_settings_that_stay_and_ask_for_encryption(name: str) -> None:
    fields = {field.code: field for field in DRIVERS[name].fields}
    assert list(fields) == ["host", "port", "database", "username", "password", "tls", "ca", "timezone"]
    assert fields["tls"].default == "verify-full"
    assert fields["timezone"].default == "UTC"
    assert fields["password"].kind == "secret"
    assert f" {fields['port'].default}" in PAGE
