"""Pages of hosted connections, driven as by a browser without script; the portal really calls the endpoints back."""

from __future__ import annotations

import pytest

from tests.admin.shops import made, shop, watched
from tests.pages import PageClient, opened
from tests.services.hosted import HostedStage

NEW = "/connections/new?driver=sqlite"


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    return watched(hosted)


def test_the_gallery_offers_every_driver_in_groups_and_searches(client: PageClient) -> None:
    page = client.follow(client.get("/connections/"), "Add a connection")
    assert page.heading == "What do you want to connect?"
    assert [group.text for group in page.all("h2")][:2] == ["Databases", "Files"]
    page = client.submit(page, "Find", {"search": "postgre"})
    assert [group.text for group in page.all("h2")] == ["Databases"]
    assert "Nothing found" in client.post("/connections/new", {"_view": "1", "search": "no such thing"}).text


def test_one_click_saves_registers_and_makes_the_source(hosted: HostedStage, client: PageClient) -> None:
    page = client.get(NEW)
    page = client.submit(page, "Save and connect", {"title": "Shop", "settings-path": "shop.sqlite"})
    assert (page.status, page.heading, page.place) == (200, "Shop", "/connections/1")
    assert page.alerts == ["The connection works and was saved."]
    assert page.links()["Shop"] == "/sources/1"
    assert hosted.opens(1, hosted.registered_key(1))
    assert hosted.registered_key(1) not in page.text
    page = client.get("/connections/")
    assert page.rows()[0][1:3] == ["SQLite", page.rows()[0][2]]
    assert page.rows()[0][2].startswith("Works")


def test_a_failed_test_stands_beside_the_field_that_caused_it_and_nothing_is_saved(
    hosted: HostedStage, client: PageClient
) -> None:
    page = client.submit(client.get(NEW), "Save and connect", {"title": "Shop", "settings-path": "shoop.sqlite"})
    assert page.status == 422
    assert page.sentences() == {
        "settings-path": "There is no such file. Check the path, capital letters included.",
    }
    assert page.all(".ticks li")[0].text.startswith("File can be read")
    assert page.value("title") == "Shop"
    assert hosted.house.repository.page(hosted.portal_id).items == ()


def test_a_test_saves_nothing_and_shows_a_time_for_every_step(hosted: HostedStage, client: PageClient) -> None:
    page = client.submit(client.get(NEW), "Test the connection", {"settings-path": "shop.sqlite"})
    assert (page.status, page.place) == (200, "false")
    ticks = [item.text for item in page.all(".ticks li.good")]
    assert [" ".join(tick.split()[:2]) for tick in ticks] == ["File can", "List of", "One row"]
    assert all(tick.endswith(" ms") for tick in ticks)
    assert hosted.house.repository.page(hosted.portal_id).items == ()


def test_a_title_is_needed_to_save(client: PageClient) -> None:
    page = client.post("/connections/new", shop(title=" "))
    assert page.status == 422
    assert list(page.sentences()) == ["title"]


def test_everything_that_is_wrong_is_told_at_once(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "postgresql", "settings-port": "x", "settings-timezone": "Mars"})
    assert page.status == 422
    assert page.sentences() == {
        "title": "The connection needs a title. Fill in this field.",
        "settings-host": "This is needed to connect. Fill it in.",
        "settings-port": "This is no whole number. Enter digits only, for example 5432.",
        "settings-database": "This is needed to connect. Fill it in.",
        "settings-username": "This is needed to connect. Fill it in.",
        "settings-timezone": "There is no such time zone. Write it like Europe/Berlin or Asia/Almaty.",
    }
    assert client.post("/connections/new", shop(title="x" * 256)).sentences() == {
        "title": "A title has at most 255 characters. Shorten it."
    }


def test_a_wrong_zone_is_told_beside_it_and_the_fold_is_open(client: PageClient) -> None:
    page = client.post("/connections/new", shop(**{"settings-timezone": "Mars/Olympus"}))
    assert page.sentences() == {
        "settings-timezone": "There is no such time zone. Write it like Europe/Berlin or Asia/Almaty."
    }
    assert "open" in page.one("details.fold")


def test_sending_the_form_twice_makes_one_connection(hosted: HostedStage, client: PageClient) -> None:
    once = shop(_n="one-and-the-same")
    assert client.post("/connections/new", once).place == "/connections/1"
    assert client.post("/connections/new", once).place == "/connections/1"
    assert len(hosted.house.repository.page(hosted.portal_id).items) == 1


def test_a_portal_that_refuses_leaves_the_connection_and_says_why(hosted: HostedStage, client: PageClient) -> None:
    hosted.stage.control("fail", target="biconnector.connector.add", code="ACCESS_DENIED")
    page = client.post("/connections/new", shop())
    assert (page.status, page.place) == (200, "/connections/1")
    assert "You may not work with BI data in this portal." in page.alerts[0]
    assert "Bitrix24 has no source for this connection yet" in page.alerts[1]
    page = client.submit(page, "Create the source")
    assert page.alerts == ["The portal has the connection as it is here."]
    assert hosted.opens(1, hosted.registered_key(1))


def test_our_own_refusal_is_told_where_the_portal_only_says_no_connection(
    hosted: HostedStage, client: PageClient
) -> None:
    """facts/field 0.5: the only place where a human can see why is our page."""
    made(client)
    hosted.stage.portal.clear("sources")
    (hosted.folder / "shop.sqlite").unlink()
    page = client.submit(client.get("/connections/1"), "Make it again")
    assert page.alerts[0] == (
        "The portal asked for the connection, and it did not work. "
        "There is no such file. Check the path, capital letters included."
    )


def test_a_connection_is_changed_and_its_source_renamed(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    page = client.follow(client.get("/connections/1"), "Edit")
    assert (page.value("title"), page.value("settings-path")) == ("Shop", "shop.sqlite")
    page = client.submit(page, "Test and save", {"title": "Store", "settings-timezone": "Asia/Almaty"})
    assert (page.heading, page.place) == ("Store", "/connections/1")
    assert hosted.stage.portal.whole().sources[1].title == "Store"
    assert hosted.held(1).settings["timezone"] == "Asia/Almaty"
    assert hosted.held(1).proven


def test_a_change_that_does_not_work_changes_nothing(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    page = client.post("/connections/1/edit", shop(title="Store", **{"settings-path": "gone.sqlite"}))
    assert page.status == 422
    assert (hosted.held(1).title, hosted.held(1).settings["path"]) == ("Shop", "shop.sqlite")


def test_a_connection_is_deleted_with_its_source(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    key = hosted.registered_key(1)
    page = client.submit(client.follow(client.get("/connections/1"), "Delete"), "Delete")
    assert (page.heading, page.place) == ("Connections", "/connections/")
    assert hosted.stage.portal.whole().sources == {}
    assert not hosted.opens(1, key)
    assert client.get("/connections/1").status == 404


def test_datasets_keep_a_connection_from_being_deleted(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    client.post("/connections/1/publish", {"name": "orders"})
    page = client.get("/connections/1/delete")
    assert page.alerts == ["The connection cannot be deleted: 1 dataset reads through it. Delete the dataset first."]
    assert page.links()["orders"] == "/datasets/1"
    assert client.post("/connections/1/delete").status == 422
    assert hosted.opens(1, hosted.registered_key(1))


def test_the_key_is_changed_by_a_button_and_never_shown(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    before = hosted.registered_key(1)
    page = client.submit(client.follow(client.get("/connections/1"), "Change the key"), "Change the key")
    assert page.alerts == ["The source has a new key. The former one opens for another day."]
    after = hosted.registered_key(1)
    assert after != before
    assert not any(key in page.text for key in (before, after))


def test_the_addresses_are_changed_by_a_button_and_the_former_ones_open_for_a_day(
    hosted: HostedStage, client: PageClient
) -> None:
    made(client)
    former = hosted.registered_urls(1)
    page = client.submit(client.follow(client.get("/connections/1"), "Change the addresses"), "Change the addresses")
    assert page.alerts == ["The connector has new addresses. The former ones open for another day."]
    assert not set(former) & set(hosted.registered_urls(1))
    assert hosted.opens(1, hosted.registered_key(1))
    path = former[0].removeprefix(hosted.stage.url)
    body = {"connection[key]": hosted.registered_key(1)}
    assert hosted.stage.app.test_client().post(path, data=body).status_code == 200


def test_a_connection_is_checked_by_hand_and_its_health_is_kept(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    (hosted.folder / "shop.sqlite").rename(hosted.folder / "moved.sqlite")
    page = client.submit(client.get("/connections/1"), "Check now")
    assert "There is no such file." in page.one(".ticks li.bad").text
    assert client.get("/connections/").rows()[0][2].startswith("Failing")
    (hosted.folder / "moved.sqlite").rename(hosted.folder / "shop.sqlite")
    client.submit(client.get("/connections/1"), "Check now")
    assert client.get("/connections/").rows()[0][2].startswith("Works")


@pytest.mark.parametrize(
    ("change", "told", "button", "mended"),
    [
        ("delete", "The source was deleted in the portal", "Make it again", True),
        ("delete", "The source was deleted in the portal", "Forget it", False),
        ("rename", "The source has another title in the portal", "Take it over", True),
        ("rename", "The source has another title in the portal", "Write ours back", True),
        ("key", "The source in the portal has another key", "Restore it", True),
        ("connector", "The connector was deleted in the portal", "Make it again", True),
    ],
)
def test_drift_is_told_and_mended(
    hosted: HostedStage, client: PageClient, change: str, told: str, button: str, mended: bool
) -> None:
    """facts/field 5.53."""
    made(client)
    with hosted.stage.portal.changed() as held:
        if change in ("delete", "connector"):
            held.sources.clear()
        if change == "connector":
            held.connectors.clear()
        if change == "rename":
            held.sources[1].title = "Магазин"
        if change == "key":
            held.sources[1].settings[0].value = "typed"
    page = client.get("/connections/1")
    assert told in page.alerts[0]
    page = client.submit(page, button)
    assert len(page.alerts) == (1 if mended else 2)
    assert hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(1)).in_step is mended


def test_a_deleted_source_is_told_in_the_list(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    hosted.stage.portal.clear("sources")
    assert client.get("/connections/").rows()[0][3] == "Deleted in the portal"


def test_other_portals_connections_do_not_exist(hosted: HostedStage, client: PageClient) -> None:
    house = hosted.house
    house.installations.add_local("another-portal")
    foreign = house.connections.add("another-portal", "sqlite", "Foreign", {"path": "shop.sqlite"})
    for path in ("", "/edit", "/delete", "/tables", "/table?name=orders"):
        assert client.get(f"/connections/{foreign.id}{path}").status == 404
    for path in ("/rotate", "/restore", "/forget", "/publish", "/delete", "/edit"):
        assert client.post(f"/connections/{foreign.id}{path}").status == 404
    assert "Foreign" not in client.get("/connections/").text
    assert [overview.title for overview in house.connections.all()] == ["Foreign"]


def test_who_has_no_right_to_bi_data_sees_no_connection(hosted: HostedStage, client: PageClient) -> None:
    """Our own database must not tell what the portal would not."""
    made(client)
    viewer = opened(hosted.stage.app, hosted.stage.enter("viewer"), hosted.stage.portal.url)[0]
    for path in ("/connections/", "/connections/1", "/connections/1/tables", "/connections/new", "/activity/"):
        page = viewer.get(path)
        assert page.status == 403
        assert "Shop" not in page.text


def test_the_number_of_an_ended_session_gives_nobody_the_rights_of_its_user(
    hosted: HostedStage, client: PageClient
) -> None:
    """The portal decides who may (docs/decisions/0006); a database may give the number of a deleted row again."""
    assert client.get("/connections/new").status == 200
    numbers = [row["id"] for row in hosted.stage.rows()["user_sessions"]]
    hosted.stage.end_sessions()
    viewers = [
        opened(hosted.stage.app, hosted.stage.enter("viewer"), hosted.stage.portal.url)[0] for _ in range(max(numbers))
    ]
    assert {row["id"] for row in hosted.stage.rows()["user_sessions"]} >= set(numbers)
    assert {viewer.get("/connections/new").status for viewer in viewers} == {403}


def test_every_page_speaks_russian(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    hosted.stage.control("language", language="ru")
    russian = opened(hosted.stage.app, hosted.stage.enter("analyst"), hosted.stage.portal.url)[0]
    assert russian.get("/connections/").heading == "Подключения"
    assert russian.get("/activity/").heading == "Журнал"
    assert "Метка" not in russian.get("/connections/1").text
