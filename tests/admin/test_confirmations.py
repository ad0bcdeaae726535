"""What changes keys and addresses asks first; the question's button acts, with and without script."""

from __future__ import annotations

import pytest

from tests.pages import PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(with_shop: PageClient) -> PageClient:
    return with_shop


def secrets_of(hosted: HostedStage) -> tuple[object, ...]:
    return hosted.registered_key(1), hosted.registered_urls(1)


@pytest.mark.parametrize("button", ["Change the key", "Change the addresses"])
def test_keys_and_addresses_change_only_after_a_question(hosted: HostedStage, client: PageClient, button: str) -> None:
    before = secrets_of(hosted)
    page = client.follow(client.get("/connections/1"), button)
    assert page.heading == f"{button}?"
    assert secrets_of(hosted) == before
    assert client.follow(page, "Cancel").heading == "Shop"
    page = client.submit(page, button)
    assert (page.heading, page.place) == ("Shop", "/connections/1")
    assert secrets_of(hosted) != before


@pytest.mark.parametrize("button", ["Let new servers in", "Change the addresses", "Remove"])
def test_a_connector_of_the_portals_wizard_is_changed_only_after_a_question(
    hosted: HostedStage, client: PageClient, button: str
) -> None:
    client.submit(client.get("/connections/wizards"), "Offer it (PostgreSQL)")
    before = hosted.registered_urls(2)
    page = client.follow(client.get("/connections/wizards"), f"{button} (PostgreSQL)")
    assert "PostgreSQL" in page.heading
    assert hosted.registered_urls(2) == before
    assert client.submit(page, button).heading == "Passwords kept in Bitrix24"
    assert (2 in hosted.stage.portal.whole().connectors) == (button != "Remove")


def test_the_page_says_why_servers_are_counted(client: PageClient) -> None:
    assert "at most 20 different servers" in client.get("/connections/wizards").words


def test_a_connector_whose_addresses_open_nothing_can_be_restored(hosted: HostedStage, client: PageClient) -> None:
    """As after the removal and return of the app (facts/security 1 row 21)."""
    client.submit(client.get("/connections/wizards"), "Offer it (PostgreSQL)")
    with hosted.stage.portal.changed() as held:
        held.connectors[2].url_check = held.connectors[2].url_check.replace("bxk1_", "bxk1_x")
    page = client.get("/connections/wizards")
    assert "opens nothing" in page.words
    page = client.submit(page, "Restore it (PostgreSQL)")
    assert "opens nothing" not in page.words
