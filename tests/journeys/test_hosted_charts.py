"""A PostgreSQL table, a MariaDB view and an XLSX file become charts of the portal's hub, as people make them."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import expect

from tests.databases import POSTGRESQL, mariadb_administrator, mariadb_database, postgresql_database
from tests.drivers.files.workbooks import workbook
from tests.journeys.conftest import Browser, Desk, Road, sit_down

FROM, UNTIL = dt.date(2025, 2, 10), dt.date(2025, 8, 20)
REGIONS = ("North", "Süd-West", 'Ost "neu"', "Север", "")
CHOSEN = ("North", "Süd-West", "Север")
LEAST = Decimal("120")

Order = tuple[int, str | None, Decimal | None, dt.date | None]


def orders() -> list[Order]:
    """Rows on both sides of every bound, with NULL in each column that is asked for."""
    made: list[Order] = []
    for number in range(400):
        day = dt.date(2025, 1, 1) + dt.timedelta(days=number % 300)
        made.append(
            (
                number,
                None if number % 41 == 0 else REGIONS[number * 7 % 5],
                None if number % 29 == 0 else Decimal(number * 977 % 40_000) / 100,
                None if number % 37 == 0 else day,
            )
        )
    return made


def wanted() -> tuple[dict[str, Decimal], Counter[str]]:
    """Sum and number of rows by region, reckoned here from all rows."""
    sums: dict[str, Decimal] = {}
    rows: Counter[str] = Counter()
    for _, region, amount, day in orders():
        if region in CHOSEN and amount is not None and amount >= LEAST and day is not None and FROM <= day <= UNTIL:
            sums[region] = sums.get(region, Decimal()) + amount
            rows[region] += 1
    assert set(sums) == set(CHOSEN)
    return sums, rows


@dataclass(frozen=True)
class Place:
    """Where the orders are: the driver's tile, what its form asks for, and how the table is called there."""

    tile: str
    settings: dict[str, str]
    table: str
    upload: Path | None = None


@contextlib.contextmanager
def postgresql_table(folder: Path) -> Iterator[Place]:
    with postgresql_database("journey") as own:
        with psycopg.connect(f"{POSTGRESQL} dbname={own}") as database:
            database.execute(
                'CREATE TABLE "Sales Orders" (id bigint, "Region" text, amount numeric(10,2), ordered_on date)'
            )
            database.cursor().executemany('INSERT INTO "Sales Orders" VALUES (%s, %s, %s, %s)', orders())
        given = {"host": "127.0.0.1", "database": own, "username": "postgres", "tls": "disable"}
        yield Place("PostgreSQL", given, "Sales Orders")


@contextlib.contextmanager
def mariadb_view(folder: Path) -> Iterator[Place]:
    with mariadb_database("journey") as own:
        with contextlib.closing(mariadb_administrator()) as server, server.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {own}.kept (id bigint, r varchar(40), a decimal(10,2), d date)")
            cursor.executemany(f"INSERT INTO {own}.kept VALUES (%s, %s, %s, %s)", orders())
            cursor.execute(
                f"CREATE VIEW {own}.sales AS SELECT id, r AS region, a AS amount, d AS ordered_on FROM {own}.kept"
            )
        given = {"host": "127.0.0.1", "database": own, "username": "root", "tls": "disable"}
        yield Place("MySQL", given, "sales")


@contextlib.contextmanager
def xlsx_file(folder: Path) -> Iterator[Place]:
    path = folder / "sales.xlsx"
    rows = [
        (number, region, None if amount is None else float(amount), day) for number, region, amount, day in orders()
    ]
    workbook(path, {"Orders": [("id", "region", "amount", "ordered_on"), *rows]})
    yield Place("CSV", {}, "Orders", path)


PLACES: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "postgresql-table": postgresql_table,
    "mariadb-view": mariadb_view,
    "xlsx-file": xlsx_file,
}


def connect(desk: Desk, place: Place) -> None:
    desk.app.get_by_role("link", name="Connect a database or file").click()
    desk.app.get_by_role("link", name=place.tile).first.click()
    desk.fill(title="Shop")
    if place.upload:
        desk.app.locator('[name="upload"]').set_input_files(place.upload)
    desk.fill(**{f"settings__{code}": value for code, value in place.settings.items()})
    desk.app.get_by_role("button", name="Save and connect").click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("Shop")


def publish(desk: Desk, place: Place) -> None:
    desk.app.get_by_role("link", name="Look at the tables").or_(
        desk.app.get_by_role("link", name="Tables")
    ).first.click()
    desk.app.get_by_role("link", name=f"Publish {place.table}").click()
    desk.fill(datasetName="shop_sales")
    desk.app.get_by_role("button", name="Publish").click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("shop_sales")


def ask(desk: Desk) -> None:
    """A date range, a list of values and a bound, as the report's form puts them to the portal."""
    page = desk.page
    page.locator("select[name=date_column]").select_option("ORDERED_ON")
    page.locator("input[type=date][name=date_from]").fill(FROM.isoformat())
    page.locator("input[type=date][name=date_to]").fill(UNTIL.isoformat())
    page.locator("select[name=filter-0-column]").select_option("REGION")
    page.locator("[name=filter-0-value]:not([disabled])").fill("\n".join(CHOSEN))
    page.get_by_role("button", name="Add a condition").click()
    page.locator("select[name=filter-1-column]").select_option("AMOUNT")
    page.locator("select[name=filter-1-operator]").select_option("at_least")
    page.locator("[name=filter-1-value]:not([disabled])").fill(str(LEAST))
    page.locator("select[name=dimension]").select_option("REGION")
    page.locator("select[name=measure]").select_option("AMOUNT")
    page.locator("select[name=aggregation]").select_option("sum")
    page.get_by_role("button", name="Apply").last.click()
    # The page before has a chart as well.
    expect(page).to_have_url(re.compile("dimension=REGION"))
    expect(page.get_by_role("heading", name="Sum of AMOUNT by REGION")).to_be_visible()
    page.wait_for_load_state()


def charted(desk: Desk) -> dict[str, tuple[Decimal, int]]:
    """What the chart is drawn from."""
    rows: list[list[str]] = desk.page.locator("#chart-data tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return {label: (Decimal(value.replace(",", "")), int(count.replace(",", ""))) for label, value, count in rows}


@pytest.mark.parametrize("kind", PLACES)
def test_the_hub_charts_exactly_the_rows_that_were_asked_for(
    kind: str, road: Road, browser: Browser, tmp_path: Path
) -> None:
    """Issue 3: right charts for a PostgreSQL table, a MariaDB view and an XLSX file, with date range and filters."""
    road.control("install")
    sums, rows = wanted()
    with PLACES[kind](tmp_path) as place:
        desk = sit_down(browser())
        desk.page.goto(f"{road.portal}/marketplace/app/")
        connect(desk, place)
        publish(desk, place)
        desk.page.goto(f"{road.portal}/bi/")
        desk.page.get_by_role("link", name=place.table).first.click()
        desk.page.get_by_role("link", name="Report").click()
        expect(desk.page).to_have_url(re.compile("view=report"))
        desk.page.wait_for_load_state()
        everything: Any = desk.page.locator("[data-row-count]").get_attribute("data-row-count")
        assert int(everything) == len(orders())
        ask(desk)
        assert desk.page.locator("[data-row-count]").get_attribute("data-row-count") == str(rows.total())
        assert charted(desk) == {region: (sums[region], rows[region]) for region in CHOSEN}
        assert desk.page.locator(".chart-bar").count() == len(CHOSEN)
        assert desk.complaints == []
