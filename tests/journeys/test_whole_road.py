"""From the market page to a chart: an administrator installs, an analyst connects, the BI hub reads rows."""

from __future__ import annotations

import re
from typing import Any

import requests
from playwright.sync_api import expect

from tests.journeys.conftest import Browser, Desk, Road, sit_down
from tests.waiting import HANG

COLUMNS = [("ORDER_DATE", "date"), ("REGION", "string"), ("AMOUNT", "double")]


def create_connector(desk: Desk, road: Road) -> None:
    desk.app.get_by_role("link", name="Connectors").first.click()
    desk.app.get_by_role("link", name="Add a connector").first.click()
    demo = f"{road.portal}/_demo"
    desk.fill(title="Coffee sales", logo="https://shop.example/logo.png", description="Orders of the shop")
    desk.fill(urlCheck=f"{demo}/check", urlTableList=f"{demo}/tables")
    desk.fill(urlTableDescription=f"{demo}/description", urlData=f"{demo}/data")
    desk.fill(settings__0__code="login", settings__0__name="Login")
    desk.app.locator('[name="_add_settings"]').click()
    desk.fill(settings__1__code="password", settings__1__name="Password")
    desk.app.get_by_role("button", name="Create").click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("Coffee sales")


def create_source(desk: Desk, password: str) -> None:
    desk.app.get_by_role("link", name="Sources").first.click()
    desk.app.get_by_role("link", name="Add a source").first.click()
    desk.fill(title="Shop, live", settings__login="demo", settings__password=password)
    desk.app.get_by_role("button", name="Create").click()


def create_dataset(desk: Desk) -> None:
    desk.app.get_by_role("link", name="Datasets").first.click()
    desk.app.get_by_role("link", name="Add a dataset").first.click()
    desk.fill(name="shop_orders", externalName="Sales orders", externalCode="sales_orders")
    for number, (column, kind) in enumerate(COLUMNS):
        if number:
            desk.app.locator('[name="_add_fields"]').click()
            expect(desk.app.locator(f'[name="fields-{number}-name"]')).to_be_visible()
        prefix = f"fields__{number}__"
        desk.fill(**{f"{prefix}name": column, f"{prefix}externalCode": column, f"{prefix}type": kind})
    desk.app.get_by_role("button", name="Create").click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("shop_orders")


def install(desk: Desk, road: Road) -> None:
    desk.page.goto(road.portal)
    expect(desk.page).to_have_url(re.compile("/market/"))
    desk.page.get_by_role("button", name="Install").click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("From your data to a chart")


def northern_orders_of_2025(road: Road) -> list[dict[str, Any]]:
    """What the report should show, counted here from the whole table."""
    access = {"connection[login]": "demo", "connection[password]": "demo"}
    form = {"table": "sales_orders", **access}
    header, *rows = requests.post(f"{road.portal}/_demo/data", data=form, timeout=HANG).json()
    orders = [dict(zip(header, row, strict=True)) for row in rows]
    found = [one for one in orders if one["REGION"] == "North" and one["ORDER_DATE"].startswith("2025-")]
    assert 0 < len(found) < len(orders)
    return found


def test_from_the_market_page_to_a_chart(road: Road, browser: Browser) -> None:
    """facts/platform 1.2 and 2, facts/biconnector 5: every step as people take it, in a cross-site frame."""
    context = browser()
    desk = sit_down(context)
    install(desk, road)
    assert road.state()["application"]["finished"] is True

    create_connector(desk, road)

    # facts/biconnector 3.1: the portal asks the endpoint at once, so a wrong password saves nothing.
    create_source(desk, password="wrong")
    expect(desk.app.locator("[role=alert], .problem").first).to_be_visible()
    expect(desk.app.locator('[name="title"]')).to_have_value("Shop, live")
    assert road.state()["counts"]["sources"] == 0
    desk.fill(settings__password="demo")
    desk.app.get_by_role("button", name="Create").click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("Shop, live")

    create_dataset(desk)

    desk.page.goto(f"{road.portal}/bi/")
    desk.page.get_by_role("link", name="Sales orders").click()
    expect(desk.page.get_by_role("heading", name="Preview")).to_be_visible()
    desk.page.get_by_role("link", name="Report").click()
    expect(desk.page).to_have_url(re.compile("view=report"))
    desk.page.wait_for_load_state()
    desk.page.locator("[name=date_column]").select_option("ORDER_DATE")
    desk.page.locator("[name=date_from]").fill("2025-01-01")
    desk.page.locator("[name=date_to]").fill("2025-12-31")
    desk.page.locator("[name=filter-0-column]").select_option("REGION")
    desk.page.get_by_label("Values, one per line").fill("North")
    desk.page.locator("[name=dimension]").select_option("ORDER_DATE")
    desk.page.locator("[name=grain]").select_option("month")
    desk.page.locator("[name=measure]").select_option("AMOUNT")
    desk.page.locator("[name=aggregation]").select_option("sum")
    desk.page.get_by_role("button", name="Apply").last.click()
    # The page before has a chart as well.
    expect(desk.page).to_have_url(re.compile("grain=month"))
    expect(desk.page.locator("svg[role=img]")).to_be_visible()
    desk.page.wait_for_load_state()
    wanted = northern_orders_of_2025(road)
    assert desk.page.locator("[data-row-count]").get_attribute("data-row-count") == str(len(wanted))
    assert desk.page.locator(".chart-bar").count() == len({order["ORDER_DATE"][:7] for order in wanted})

    # The browser reports the refused password's 422 and nothing else: no script error, no CSP report.
    assert [complaint for complaint in desk.complaints if "status of 422" not in complaint] == []
    assert len(desk.complaints) == 1
    assert [cookie for cookie in context.cookies() if "127.0.0.1" in cookie["domain"]] == []


def test_the_app_needs_no_script_and_no_cookie(road: Road, browser: Browser) -> None:
    """facts/security 2.3: without scripts links are forms, and every step but the installer's end still works."""
    road.control("install")
    context = browser(java_script_enabled=False)
    desk = sit_down(context)
    desk.page.goto(f"{road.portal}/marketplace/app/")
    desk.page.get_by_role("button").filter(has_text=re.compile("open", re.IGNORECASE)).first.click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("From your data to a chart")
    create_connector(desk, road)
    create_source(desk, password="demo")
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("Shop, live")
    create_dataset(desk)
    assert road.state()["counts"] | {"connectors": 1, "sources": 1, "datasets": 1} == road.state()["counts"]
    desk.app.get_by_role("link", name="Delete").click()
    desk.app.get_by_role("button", name="Delete").click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("Datasets")
    assert road.state()["counts"]["datasets"] == 0


def test_an_open_page_outlives_its_access_token(road: Road, browser: Browser) -> None:
    """facts/security 2.4, facts/platform 6: an expired access token is renewed, and the click is not lost."""
    road.control("install")
    desk = sit_down(browser())
    desk.page.goto(f"{road.portal}/marketplace/app/")
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("From your data to a chart")
    road.control("expire-tokens")
    desk.app.get_by_role("link", name="Connectors").first.click()
    expect(desk.app.get_by_role("heading", level=1)).to_have_text("Connectors")


def test_uninstalling_with_the_tick_leaves_nothing(road: Road, browser: Browser) -> None:
    """facts/platform 8: after removal the app asks to be installed again, and installing again works."""
    desk = sit_down(browser())
    install(desk, road)
    desk.page.goto(f"{road.portal}/market/")
    desk.page.get_by_role("checkbox").check()
    desk.page.get_by_role("button", name="Uninstall").click()
    expect(desk.page.get_by_role("button", name="Install")).to_be_visible()
    install(desk, road)
    assert road.state()["application"]["finished"] is True
