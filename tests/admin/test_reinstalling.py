"""Hosted connections over the removal of the app and its return (facts/security 1 row 21)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from models import Portal, now
from services.portals.uninstallations import KEPT_AFTER_UNINSTALL
from tests.admin.shops import PASSWORD
from tests.admin.test_connections_servers import database, server
from tests.doors import Stage
from tests.pages import PageClient, opened
from tests.services.hosted import HostedStage, hosted_stage

__all__ = ["database"]


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path, uploads=tmp_path / "uploads") as stage:
        yield stage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    return analyst(hosted.stage)


def analyst(stage: Stage) -> PageClient:
    answer = stage.enter("analyst")
    stage.app.testing = True
    return opened(stage.app, answer, stage.portal.url, secrets=[PASSWORD])[0]


def reinstalled(stage: Stage, *, clean: bool) -> PageClient:
    """Remove the app, install it again once nothing is in quarantine any more, and open it."""
    stage.control("uninstall", clean=clean)
    with stage.services.sessions.begin() as session:
        session.query(Portal).update({"uninstalled_at": now() - timedelta(hours=48)})
    stage.register()
    assert stage.install().status_code == 200
    stage.finish()
    return analyst(stage)


def published(client: PageClient, table: str) -> None:
    assert client.post("/connections/1/publish", {"name": table}).place == "/datasets/1"


def test_removing_the_app_keeps_connections_but_nothing_that_logs_in_or_opens(
    hosted: HostedStage, client: PageClient, database: str
) -> None:
    client.post("/connections/new", server(database))
    key, old = hosted.registered_key(1), hosted.held(1)
    hosted.stage.control("uninstall", clean=False)
    held = hosted.held(1)
    assert (held.title, held.driver, held.closed, held.proven) == ("CRM", "postgresql", True, False)
    assert held.settings == {**old.settings, "password": ""}
    assert old.settings["password"] == PASSWORD
    reinstalled(hosted.stage, clean=False)
    assert not hosted.opens(1, key)


def test_what_an_address_of_a_file_may_log_in_with_goes_too(hosted: HostedStage) -> None:
    url = "https://user:pass@files.example.com/daily.csv?token=secret"
    issued = hosted.house.connections.add(hosted.stage.member_id, "file", "Daily", {"url": url})
    hosted.stage.control("uninstall", clean=False)
    assert hosted.held(issued.id).settings["url"] == "https://files.example.com/daily.csv"


def test_after_a_reinstallation_the_password_is_asked_for_and_the_same_source_works_again(
    hosted: HostedStage, client: PageClient, database: str
) -> None:
    client.post("/connections/new", server(database))
    published(client, "deals")
    client = reinstalled(hosted.stage, clean=False)
    assert "Not connected" in client.get("/connections/").rows()[0][2]
    page = client.get("/connections/1")
    assert "The application was removed from the portal meanwhile" in page.alerts[0]
    page = client.follow(page, "Connect again")
    assert page.value("settings-host") == "127.0.0.1"
    assert "Type it again" in page.alerts[0]
    page = client.submit(page, "Test and save", {"settings-password": PASSWORD})
    assert page.alerts == ["The connection works and was saved."]
    assert [row[0] for row in page.rows()[:1]] == ["deals"]
    assert list(hosted.stage.portal.whole().sources) == [1]
    assert hosted.opens(1, hosted.registered_key(1))


def test_an_uploaded_file_outlives_the_removal_and_is_connected_again_by_one_click(
    hosted: HostedStage, client: PageClient
) -> None:
    sent = {"driver": "file", "title": "Daily", "upload": (io.BytesIO(b"day,amount\n2026-01-02,3\n"), "daily.csv")}
    assert client.post("/connections/new", sent).place == "/connections/1"
    published(client, "daily")
    client = reinstalled(hosted.stage, clean=False)
    page = client.submit(client.get("/connections/1"), "Connect again")
    assert page.alerts == ["The portal has the connection as it is here."]
    assert hosted.opens(1, hosted.registered_key(1))


def test_a_closed_connection_asks_nobody(hosted: HostedStage, client: PageClient, database: str) -> None:
    """A login without its password would count as a failed one."""
    client.post("/connections/new", server(database))
    client = reinstalled(hosted.stage, clean=False)
    page = client.get("/connections/1/tables")
    assert page.alerts[0].startswith("What this connection logs in with was deleted")
    assert "Check now" not in client.get("/connections/1").words
    assert hosted.stage.rows()["strikes"] == []


def test_the_start_page_tells_of_connections_that_wait(hosted: HostedStage, client: PageClient) -> None:
    client.post("/connections/new", {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite"})
    client = reinstalled(hosted.stage, clean=False)
    page = client.get("/start")
    assert page.alerts[0].startswith("1 connection waits to be connected again")
    assert client.follow(page, "Look at the connections").heading == "Connections"


def test_after_a_clean_removal_the_sources_left_in_the_portal_are_listed_and_can_be_connected_again(
    hosted: HostedStage, client: PageClient
) -> None:
    client.post("/connections/new", {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite"})
    published(client, "orders")
    client = reinstalled(hosted.stage, clean=True)
    page = client.get("/connections/")
    assert "No connections yet" in page.words
    assert page.rows()[0][0] == "Shop"
    page = client.follow(page, "Connect Shop again")
    assert page.heading == "What do you want to connect?"
    page = client.get("/connections/new?driver=sqlite&source=1")
    assert page.value("title") == "Shop"
    page = client.submit(page, "Save and connect", {"title": "Store", "settings-path": "shop.sqlite"})
    assert (page.heading, page.rows()[0][0]) == ("Store", "orders")
    sources = hosted.stage.portal.whole().sources
    assert [source.title for source in sources.values()] == ["Store"]
    client = analyst(hosted.stage)
    assert "Sources without a connection" not in client.get("/connections/").words


def test_another_connections_source_is_no_stray(hosted: HostedStage, client: PageClient) -> None:
    for title in ("Shop", "Second"):
        client.post("/connections/new", {"driver": "sqlite", "title": title, "settings-path": "shop.sqlite"})
    third = {"driver": "sqlite", "title": "Third", "settings-path": "shop.sqlite", "source": "1"}
    client.post("/connections/new", third)
    client = analyst(hosted.stage)
    assert [hosted.held(number).source_id for number in (1, 2, 3)] == [1, 2, 3]


def test_thirty_days_after_the_removal_connections_and_files_are_gone(hosted: HostedStage, client: PageClient) -> None:
    sent = {"driver": "file", "title": "Daily", "upload": (io.BytesIO(b"day,amount\n2026-01-02,3\n"), "daily.csv")}
    client.post("/connections/new", sent)
    hosted.stage.control("uninstall", clean=False)
    runner = hosted.stage.app.test_cli_runner()
    folder = hosted.house.settings.uploads
    assert runner.invoke(args=["portals", "tend"]).exit_code == 0
    assert len(hosted.stage.rows()["connections"]) == len(list(folder.rglob("daily.csv"))) == 1
    long_ago = now() - KEPT_AFTER_UNINSTALL - timedelta(hours=1)
    with hosted.house.sessions.begin() as session:
        session.query(Portal).update({"uninstalled_at": long_ago})
    assert runner.invoke(args=["portals", "tend"]).exit_code == 0
    assert hosted.stage.rows()["connections"] == []
    assert list(folder.rglob("daily.csv")) == []
