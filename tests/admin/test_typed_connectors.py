"""Connectors whose credentials are typed in the portal: the same guards hold for what arrives with every call."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import select

from drivers import catalogue
from models import EndpointCall, Portal
from services.bi import sources
from services.connections.typed_credentials import can_be_typed, read_typed, setting_codes
from services.limits.budgets import FAILED_LOGINS
from tests.pages import Page, PageClient, opened
from tests.services.hosted import HostedStage

LOCAL = {"host": "127.0.0.1", "port": "5432", "database": "postgres", "username": "postgres", "password": "canary-p"}
TYPED = {**LOCAL, "options": "tls=disable; timezone=Asia/Almaty"}


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    return opened(hosted.stage.app, answer, hosted.stage.portal.url)[0]


@pytest.fixture
def offered(client: PageClient) -> PageClient:
    page = client.submit(client.get("/connections/wizards"), "Offer it (PostgreSQL)")
    assert page.alerts == ["Bitrix24 offers the connector now."]
    return client


def confirmed(client: PageClient, button: str) -> Page:
    """Press a button on the page of PostgreSQL's connector, and say yes to its question."""
    return client.submit(client.follow(client.get("/connections/wizards"), f"{button} (PostgreSQL)"), button)


def ask(hosted: HostedStage, values: Mapping[str, str], part: int = 0, **fields: str) -> int:
    path = hosted.registered_urls(1)[part].removeprefix(hosted.stage.url)
    body = {f"connection[{code}]": value for code, value in values.items()} | fields
    # Buffered, the answer is read and closed as portals do, and the call recorded.
    return hosted.stage.app.test_client().post(path, data=body, buffered=True).status_code


def codes(hosted: HostedStage) -> list[str]:
    with hosted.house.sessions() as session:
        return list(session.scalars(select(EndpointCall.code).order_by(EndpointCall.id)))


def test_the_connector_asks_for_the_drivers_own_settings(hosted: HostedStage, offered: PageClient) -> None:
    connector = hosted.stage.portal.whole().connectors[1]
    assert [setting.code for setting in connector.settings] == [*LOCAL, "options"]
    assert connector.source_code == "bi-connectors-postgresql"
    assert connector.title == "PostgreSQL"


def test_only_servers_can_be_typed_and_never_files(client: PageClient) -> None:
    page = client.get("/connections/wizards")
    assert "SQLite" not in page.text
    assert client.post("/connections/wizards/sqlite/register").heading == "Passwords kept in Bitrix24"
    assert client.post("/connections/wizards/file/register").heading == "Passwords kept in Bitrix24"
    assert "Offered" not in client.get("/connections/wizards").text


def test_a_source_with_typed_credentials_works(hosted: HostedStage, offered: PageClient) -> None:
    fields = {"title": "Typed", "connectorId": 1, "settings": TYPED}
    assert sources.add(hosted.client, hosted.caps, fields) == 1
    assert ask(hosted, TYPED, 1) == 200
    assert codes(hosted) == ["", ""]


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"host": ""}, 502, "required"),
        ({"port": "five"}, 502, "not_a_number"),
        ({"host": "nowhere.invalid"}, 502, "name_not_found"),
        ({"database": "no_such_base"}, 502, "database"),
        ({"options": "path=/etc/passwd"}, 502, "no_such_setting"),
        ({"options": "host=elsewhere"}, 502, "no_such_setting"),
        ({"options": "tls=perhaps"}, 502, "no_such_choice"),
        ({"options": "tls"}, 502, "no_such_setting"),
    ],
)
def test_what_is_typed_is_checked_like_a_form(
    hosted: HostedStage, offered: PageClient, wrong: dict[str, str], status: int, code: str
) -> None:
    assert ask(hosted, {**TYPED, **wrong}) == status
    assert codes(hosted) == [code]


def test_a_connection_key_opens_nothing_there_and_typed_values_open_no_connection(
    hosted: HostedStage, offered: PageClient
) -> None:
    issued = hosted.house.connections.add(hosted.stage.member_id, "sqlite", "Shop", {"path": "shop.sqlite"})
    assert ask(hosted, {"key": issued.key}) == 502
    path = issued.urls["urlCheck"].removeprefix(hosted.stage.url)
    body = {f"connection[{code}]": value for code, value in TYPED.items()}
    assert hosted.stage.app.test_client().post(path, data=body).status_code == 404


def test_five_new_servers_an_hour_and_then_no_name_is_looked_up(
    hosted: HostedStage, offered: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """facts/security 4 layer 4."""
    for number in range(5):
        assert ask(hosted, {**TYPED, "host": f"new-{number}.invalid"}) == 502
    looked_up: list[str] = []

    def lookup(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return []

    monkeypatch.setattr(hosted.house.policy, "lookup", lookup)
    assert ask(hosted, {**TYPED, "host": "new-5.invalid"}) == 503
    assert codes(hosted)[-1] == "new_targets"
    assert looked_up == []
    page = confirmed(offered, "Let new servers in")
    assert page.alerts == ["New servers are let in."]
    monkeypatch.undo()
    assert ask(hosted, TYPED) == 200


def test_a_known_server_is_asked_however_many_new_ones_came(hosted: HostedStage, offered: PageClient) -> None:
    assert ask(hosted, TYPED) == 200
    for number in range(6):
        ask(hosted, {**TYPED, "host": f"new-{number}.invalid"})
    assert ask(hosted, TYPED) == 200


def test_failed_logins_and_connects_are_counted(hosted: HostedStage, offered: PageClient) -> None:
    for _ in range(5):
        hosted.house.budgets.strike(FAILED_LOGINS, str(hosted.portal_id), "127.0.0.1 5432", "postgres")
    assert ask(hosted, TYPED) == 503
    assert codes(hosted) == ["failed_logins"]


def test_the_typed_password_is_kept_nowhere(hosted: HostedStage, offered: PageClient) -> None:
    ask(hosted, TYPED)
    ask(hosted, {**TYPED, "database": "canary-p"})
    assert "canary-p" not in str({name: rows for name, rows in hosted.stage.rows().items() if name != "endpoint_calls"})
    assert "canary-p" not in str([row["reason"] for row in hosted.stage.rows()["endpoint_calls"]])


def test_a_connector_is_removed_unless_sources_use_it(hosted: HostedStage, offered: PageClient) -> None:
    """facts/biconnector 2.4."""
    sources.add(hosted.client, hosted.caps, {"title": "Typed", "connectorId": 1, "settings": TYPED})
    page = confirmed(offered, "Remove")
    assert page.status == 422
    assert "The connector still has sources" in page.alerts[0]
    assert ask(hosted, TYPED) == 200
    path = hosted.registered_urls(1)[0].removeprefix(hosted.stage.url)
    sources.delete(hosted.client, 1)
    page = confirmed(offered, "Remove")
    assert page.alerts == ["The connector was removed."]
    assert hosted.stage.portal.whole().connectors == {}
    assert hosted.stage.app.test_client().post(path, data={}).status_code == 404


def test_offering_twice_makes_one_connector(hosted: HostedStage, offered: PageClient) -> None:
    offered.post("/connections/wizards/postgresql/register")
    assert list(hosted.stage.portal.whole().connectors) == [1]


def test_its_addresses_are_changed_and_the_former_ones_open_for_a_day(hosted: HostedStage, offered: PageClient) -> None:
    former = hosted.registered_urls(1)[0].removeprefix(hosted.stage.url)
    page = confirmed(offered, "Change the addresses")
    assert page.alerts == ["The connector has new addresses. The former ones open for another day."]
    assert ask(hosted, TYPED) == 200
    assert hosted.registered_urls(1)[0].removeprefix(hosted.stage.url) != former
    body = {f"connection[{code}]": value for code, value in TYPED.items()}
    assert hosted.stage.app.test_client().post(former, data=body).status_code == 200


@pytest.mark.parametrize("language", ["en", "ru"])
def test_texts_that_stay_in_the_portal_are_in_its_language_whoever_makes_them(
    hosted: HostedStage, language: str
) -> None:
    """facts/platform 7: a user's language is not the portal's, and everybody reads a connector."""
    with hosted.house.sessions.begin() as session:
        session.query(Portal).update({"language": language})
    hosted.stage.control("language", language="en" if language == "ru" else "ru")
    client = opened(hosted.stage.app, hosted.stage.enter("analyst"), hosted.stage.portal.url)[0]
    client.post("/connections/new", {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite"})
    client.post("/connections/wizards/postgresql/register")
    made = hosted.stage.portal.whole().connectors
    titles = {"en": "Databases and files", "ru": "Базы данных и файлы"}
    assert made[1].title == titles[language]
    assert made[2].settings[0].name == {"en": "Server", "ru": "Сервер"}[language]


def test_a_hyphen_stands_for_no_password_and_no_options(hosted: HostedStage, offered: PageClient) -> None:
    """Portals want a value in every field of a source."""
    names = [setting.name for setting in hosted.stage.portal.whole().connectors[1].settings]
    assert names[4] == "Password (type - if there is none)"
    assert names[5].startswith("Options (type - for none")
    assert read_typed(catalogue.DRIVERS["postgresql"], {**LOCAL, "password": "-", "options": " - "})["password"] == ""
    options = "tls=disable"
    assert ask(hosted, {**LOCAL, "password": "-", "options": options}, 1) == 200


@pytest.mark.parametrize("name", [name for name, driver in catalogue.DRIVERS.items() if can_be_typed(driver)])
def test_every_setting_takes_something_that_portals_do_not_count_as_left_empty(name: str) -> None:
    """facts/biconnector 3.3c: every setting is mandatory in the portal's own form, and `0` counts as left empty."""
    driver = catalogue.DRIVERS[name]
    optional = {field.code for field in driver.fields if not field.required}
    typed = {code: "-" if code in optional or code == "options" else "x" for code in setting_codes(driver)}
    assert not {"", "0"} & set(typed.values())
    assert read_typed(driver, typed) == driver.settings({code: "x" for code, value in typed.items() if value == "x"})


def test_typed_values_are_tried_as_the_portal_keeps_them() -> None:
    """facts/biconnector 3.1a: checked as they were typed, kept trimmed; a check must not pass what fails ever after."""
    padded = {code: f" {value}\n" for code, value in TYPED.items()}
    assert read_typed(catalogue.DRIVERS["postgresql"], padded) == read_typed(catalogue.DRIVERS["postgresql"], TYPED)
    kept = "\u00a0p"
    assert read_typed(catalogue.DRIVERS["postgresql"], {**TYPED, "password": kept})["password"] == kept
