"""Pages of sources: settings of the connector, secrets that are never shown, checks by the portal."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from errors import PortalUnreachable
from tests.admin.conftest import Control, Enter
from tests.doors import Stage
from tests.pages import PageClient
from web import error_pages, typed_secrets

CANARY = "canary-8f2e-Passwort"


@pytest.fixture
def with_connector(client: PageClient, connector: dict[str, str]) -> PageClient:
    """A client whose portal has one connector."""
    assert client.post("/connectors/new", connector).status == 200
    return client


def filled(**changes: str) -> dict[str, str]:
    """The fields of a source of the first connector."""
    return {
        "title": "Shop, live",
        "connectorId": "1",
        "settings-login": "demo",
        "settings-password": "demo",
        **changes,
    }


def test_a_source_is_made_changed_and_deleted(with_connector: PageClient) -> None:
    client = with_connector
    page = client.follow(client.get("/connectors/1"), "Add a source")
    assert page.path == "/sources/new?connectorId=1"
    page = client.submit(page, "Check and create", {k: v for k, v in filled().items() if k != "connectorId"})
    assert (page.heading, page.alerts, page.place) == ("Shop, live", ["The source was created."], "/sources/1")

    page = client.follow(page, "Edit")
    page = client.submit(page, "Save and check", {"title": "Shop", "description": "All orders"})
    assert (page.heading, page.alerts) == ("Shop", ["The source was changed."])

    page = client.submit(client.follow(page, "Delete"), "Delete")
    assert (page.heading, page.place) == ("Sources", "/sources/")
    assert client.get("/sources/1").status == 404


@pytest.fixture
def open_to_all() -> Iterator[str]:
    """The address of an endpoint that says yes to whoever asks."""
    server = make_server("127.0.0.1", 0, Response("yes"), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_connector_that_asks_for_nothing_gets_its_source(
    with_connector: PageClient, installed: Stage, open_to_all: str
) -> None:
    """Such a connector's own page says that its sources have nothing to fill in."""
    client = with_connector
    with installed.portal.changed() as held:
        held.connectors[1].settings.clear()
        held.connectors[1].url_check = open_to_all
    page = client.get("/sources/new?connectorId=1")
    assert "This connector asks for nothing." in page.text
    page = client.submit(page, "Check and create", {"title": "Open data"})
    assert (page.status, page.heading, page.alerts) == (200, "Open data", ["The source was created."])
    page = client.submit(client.follow(page, "Edit"), "Save and check", {"title": "Open data, renamed"})
    assert (page.heading, page.alerts) == ("Open data, renamed", ["The source was changed."])


def test_a_source_without_a_connector_is_told_about_sources(client: PageClient, connector: dict[str, str]) -> None:
    client.post("/connectors/new", connector)
    page = client.post("/sources/new", {"title": "Shop", "connectorId": ""})
    assert (page.status, page.sentences()) == (422, {"connectorId": "Choose one of the connectors."})
    assert page.alerts == [
        "A source needs the values of its connector's parameters. Choose the connector, then fill them in."
    ]


def test_settings_that_the_portal_misses_are_told_about_sources(with_connector: PageClient, control: Control) -> None:
    missing = {"code": "VALIDATION_REQUIRED_FIELD_MISSING", "message": 'Field "settings" is required.'}
    control("fail", target="biconnector.source.add", shape="result", status=200, **missing)
    page = with_connector.post("/sources/new", filled())
    assert page.alerts[0].startswith("A source needs the values of its connector's parameters.")


def test_sources_can_be_listed_and_made_on_a_portal_with_hundreds_of_large_logos(
    installed: Stage, client: PageClient, demo: Any
) -> None:
    logo = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64 * 1024 - 8)).decode()
    with installed.portal.changed() as held:
        (demo_connector,) = held.connectors.values()
        for number in range(2, 250):
            changes = {"id": number, "title": f"Connector {number}", "logo": logo}
            held.connectors[number] = vars(demo_connector) | changes
    assert client.get("/sources/").status == 200
    page = client.get("/sources/new?connectorId=249")
    assert page.status == 200
    assert page.has_control("settings-login")


def test_an_answer_that_is_too_large_is_told_as_such(installed: Stage) -> None:
    with installed.app.test_request_context("/sources/"):
        answer = installed.app.make_response(error_pages.try_later(PortalUnreachable("too-large")))
    assert "Its answer is larger than the application takes." in answer.get_data(as_text=True)


def test_the_connector_decides_which_settings_are_asked_for(client: PageClient, connector: dict[str, str]) -> None:
    client.post("/connectors/new", connector)
    other = {k: v for k, v in connector.items() if not k.startswith("settings-1")}
    client.post("/connectors/new", {**other, "title": "Other", "settings-0-code": "host"})
    page = client.get("/sources/new")
    assert not page.has_control("settings-login")
    assert "They appear when a connector is chosen." in page.text
    page = client.submit(page, "Show parameters", {"connectorId": "2", "title": "Typed before"})
    assert page.has_control("settings-host")
    assert page.value("title") == "Typed before"
    assert not client.submit(page, "Show parameters", {"connectorId": "1"}).has_control("settings-host")


@pytest.mark.parametrize("code", ["a b", "päss/wört", 'q"uote', "[x][y]", "-", "__index__", "0", "<b>", "a.20.b"])
def test_codes_of_settings_may_hold_any_character(client: PageClient, connector: dict[str, str], code: str) -> None:
    client.post(
        "/connectors/new", {**connector, "settings-2-code": code, "settings-2-name": "Odd", "settings-2-type": "STRING"}
    )
    page = client.get("/sources/new?connectorId=1")
    assert page.has_control(f"settings-{code}")
    page = client.submit(
        page,
        "Check and create",
        {"title": "Odd", "settings-login": "demo", "settings-password": "demo", f"settings-{code}": "value"},
    )
    assert page.heading == "Odd"


def test_a_failed_check_keeps_everything_typed_and_no_secret_in_the_page(with_connector: PageClient) -> None:
    client = with_connector
    client.secrets = [CANARY]
    page = client.submit(
        client.get("/sources/new"),
        "Check and create",
        {"title": "Kept", "description": "as well", "settings-login": "demo", "settings-password": CANARY},
    )
    assert page.status == 422
    assert page.alerts[0].startswith("The portal could not connect, so nothing was saved.")
    assert [page.value(name) for name in ("title", "description", "settings-login")] == ["Kept", "as well", "demo"]
    assert page.value("settings-password") == ""
    assert "Typed just now and kept. Leave blank to use it." in page.text


def test_a_secret_that_was_typed_before_the_failure_is_still_used(with_connector: PageClient) -> None:
    client = with_connector
    page = client.submit(
        client.get("/sources/new"),
        "Check and create",
        {"title": "", "settings-login": "demo", "settings-password": "demo"},
    )
    assert page.sentences() == {"title": "Fill in this field."}
    assert client.submit(page, "Check and create", {"title": "Now it fits"}).heading == "Now it fits"


def test_a_sealed_secret_opens_in_its_own_session_and_field_only(with_connector: PageClient, enter: Enter) -> None:
    client = with_connector
    page = client.post("/sources/new", filled(title="", **{"settings-password": "demo"}))
    sealed = page.one("input[name=_kept-password]")["value"]
    stranger = enter("admin")[0]
    assert (
        stranger.post("/sources/new", {**filled(**{"settings-password": ""}), "_kept-password": sealed}).status == 422
    )
    moved = {**filled(**{"settings-password": ""}), "_kept-login": sealed, "_kept-password": sealed[:-4]}
    assert client.post("/sources/new", moved).status == 422


def test_stored_secrets_are_never_shown_and_a_blank_one_is_kept(with_connector: PageClient) -> None:
    client = with_connector
    client.post("/sources/new", filled())
    page = client.get("/sources/1")
    assert "••••••••" in page.text
    page = client.get("/sources/1/edit")
    assert page.value("settings-login") == "demo"
    assert page.value("settings-password") == ""
    assert page.control("settings-password")["type"] == "password"
    assert client.submit(page, "Save and check", {"title": "Other title"}).heading == "Other title"
    page = client.get("/sources/1/edit")
    assert client.submit(page, "Save and check", {"settings-password": "wrong"}).status == 422
    assert client.submit(client.get("/sources/1/edit"), "Save and check").status == 200


@pytest.mark.parametrize(
    ("code", "value", "secret"),
    [
        ("password", "x", True),
        ("api_key", "x", True),
        ("dsn", "x", True),
        ("пароль", "x", True),
        ("anything", "x", True),
        ("", "x", True),
        ("host", "db.example.com", False),
        ("dbHost", "db.example.com", False),
        ("host2", "db.example.com", False),
        ("host", "user:pass@db.example.com", True),
        ("userPassword", "x", True),
    ],
)
def test_a_setting_is_a_secret_unless_its_code_is_known_to_be_harmless(code: str, value: str, secret: bool) -> None:
    assert typed_secrets.is_secret(code, value) is secret


def test_wrong_input_is_told_beside_its_field(with_connector: PageClient) -> None:
    client = with_connector
    assert client.post("/sources/new", filled(title="")).sentences() == {"title": "Fill in this field."}
    page = client.post("/sources/new", filled(connectorId="99", title="Kept"))
    assert page.sentences() == {
        "connectorId": "There is no such connector, or another application made it. Choose one from the list."
    }
    assert (page.value("title"), page.value("settings-login")) == ("Kept", "demo")
    assert client.post("/sources/new", filled(connectorId="")).sentences() == {
        "connectorId": "Choose one of the connectors."
    }


def test_a_portal_that_switches_a_new_source_on_is_told_about_and_asked_once(
    with_connector: PageClient, installed: Stage
) -> None:
    """facts/biconnector 3.3a"""
    client = with_connector
    assert client.post("/sources/new", filled()).alerts == ["The source was created."]
    page = client.submit(
        client.get("/sources/new"),
        "Check and create",
        {"title": "Off", "active": ["0"], "settings-login": "demo", "settings-password": "demo"},
    )
    assert [badge.text for badge in page.all(".head .badge")] == ["Active"]
    assert "does not let applications switch sources on or off" in page.alerts[0]
    with installed.portal.changed() as held:
        assert [source.title for source in held.sources.values()] == ["Shop, live", "Off"]


def test_a_portal_that_reads_the_tick_is_told_nothing_of(with_connector: PageClient, installed: Stage) -> None:
    """facts/api 3.2: the documentation has `active` among what can be written."""

    def read_it() -> None:
        with installed.portal.changed() as held:
            held.sources[1].active = False

    installed.portal.before("biconnector.source.get", read_it)
    page = with_connector.post("/sources/new", filled(active="0"))
    assert page.alerts == ["The source was created."]
    assert [badge.text for badge in page.all(".head .badge")] == ["Off"]


def add_region(client: PageClient) -> None:
    """Give the connector a third parameter, in its form."""
    page = client.follow(client.get("/connectors/1"), "Edit")
    changes = {"settings-2-code": "region", "settings-2-name": "Region", "settings-2-type": "STRING"}
    page = client.submit(client.submit(page, "Add a parameter"), "Save", changes)
    assert page.status == 200


def test_after_a_change_of_parameters_the_connectors_page_lists_the_sources_that_need_a_value(
    with_connector: PageClient,
) -> None:
    """facts/biconnector 3.3d"""
    client = with_connector
    for title in ("North", "South"):
        client.post("/sources/new", filled(title=title))
    add_region(client)
    page = client.get("/connectors/1")
    assert page.alerts[0].startswith("Sources that need a value")
    assert "North : Region South : Region" in page.alerts[0]
    page = client.follow(page, "Edit North")
    assert page.path == "/sources/1/edit"
    client.submit(page, "Save and check", {"settings-region": "n"})
    assert "North : Region" not in client.get("/connectors/1").alerts[0]
    client.submit(client.get("/sources/2/edit"), "Save and check", {"settings-region": "s"})
    assert client.get("/connectors/1").alerts == []


def test_a_parameter_that_is_removed_tells_whose_values_go_and_how_to_keep_them(with_connector: PageClient) -> None:
    """facts/biconnector 3.3d: gone at the next save, and not before."""
    client = with_connector
    client.post("/sources/new", filled())
    gone = {"settings-1-code": "", "settings-1-name": ""}
    page = client.submit(client.follow(client.get("/connectors/1"), "Edit"), "Save", gone)
    assert page.alerts[1].startswith("Sources that lose a value")
    assert "Shop, live : Password" in page.alerts[1]
    assert "demo" not in page.alerts[1]
    again = {"settings-1-code": "password", "settings-1-name": "Password", "settings-1-type": "STRING"}
    page = client.submit(client.submit(client.follow(page, "Edit"), "Add a parameter"), "Save", again)
    assert page.alerts == ["The connector was changed."]
    page = client.submit(client.get("/sources/1/edit"), "Save and check")
    assert page.alerts == ["The source was changed."]


def test_a_value_for_a_new_parameter_that_the_portal_does_not_keep_is_told(
    with_connector: PageClient, installed: Stage
) -> None:
    """facts/biconnector 3.3d: a parameter that a connector gains does not come into its sources by itself."""
    client = with_connector
    client.post("/sources/new", filled())
    add_region(client)

    def lose_it() -> None:
        with installed.portal.changed() as held:
            held.sources[1].settings = held.sources[1].settings[:2]

    page = client.get("/sources/1/edit")
    look = "biconnector.source.get"
    installed.portal.before("biconnector.source.update", lambda: installed.portal.before(look, lose_it))
    told = client.submit(page, "Save and check", {"title": "Lost", "settings-region": "north"})
    assert told.status == 422
    assert "the portal did not keep this value" in told.sentences()["settings-region"]
    assert told.value("settings-region") == "north"
    kept = client.submit(told, "Save and check", {"title": "Kept"})
    assert (kept.heading, kept.alerts) == ("Kept", ["The source was changed."])


def test_a_source_with_datasets_tells_what_hangs_below_and_stays(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.get("/sources/1/delete")
    assert page.alerts == ["The source cannot be deleted: it has 1 dataset. Delete the dataset first."]
    assert page.links()["sales_orders"] == "/datasets/1"
    page = client.post("/sources/1/delete")
    assert (page.status, client.get("/sources/1").status) == (422, 200)
    assert "The source still has datasets, perhaps made in the portal itself. Delete them first." in page.alerts[0]


def test_a_portal_without_connectors_says_what_comes_first(client: PageClient) -> None:
    page = client.get("/sources/new")
    assert page.links()["Add a connector"] == "/connectors/new"
    assert not page.has_control("title")


def test_an_outage_while_saving_keeps_the_form(with_connector: PageClient, control: Control) -> None:
    client = with_connector
    control("fail", target="biconnector.source.add", times=20, shape="text", status=502)
    page = client.post("/sources/new", filled(title="Kept"))
    assert page.status == 503
    assert page.value("title") == "Kept"
