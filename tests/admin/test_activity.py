"""The page of calls: listed, filtered, found by their reference."""

from __future__ import annotations

import pytest

from models import EndpointCall
from tests.admin.shops import made, shop, watched
from tests.pages import Page, PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    return watched(hosted)


def calls(page: Page) -> list[list[str]]:
    """The cells of calls; the rows between them hold one cell each, with details."""
    return [row for row in page.rows() if len(row) > 1]


def test_calls_are_listed_filtered_and_found_by_reference(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    client.post("/connections/new", shop(title="Second"))
    assert not hosted.opens(1, "wrong key")
    page = client.get("/activity/")
    assert len(calls(page)) == 5, "a saved test of each, both checks by the portal, and what was refused"
    assert calls(page)[0][1] == "Check"
    failed = client.submit(page, "Apply", {"status": "failed"})
    assert len(calls(failed)) == 1
    assert "The source has a key that opens nothing." in calls(failed)[0][3]
    assert failed.place == "/activity/?status=failed"
    assert [row[1] for row in calls(client.get("/activity/?connection=2"))] == ["Check", "Manual test"]
    reference = page.all("dd code")[0].text
    assert len(calls(client.submit(page, "Find", {"search": reference}))) == 1


def test_details_of_a_call_lie_in_a_row_as_wide_as_the_table(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    assert not hosted.opens(1, "wrong key")
    for path, columns in (("/activity/", 6), ("/connections/1", 5)):
        page = client.get(path)
        details = page.all("tr.more td")
        assert [cell["colspan"] for cell in details] == [str(columns)] * len(calls(page))
        assert all(len(row) == columns for row in calls(page))
    refused = next(cell.text for cell in client.get("/activity/").all("tr.more td") if "404" in cell.text)
    assert "What helps" in refused
    assert "Size" not in refused


def test_another_portals_calls_are_not_listed(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    hosted.house.installations.add_local("another-portal")
    other = hosted.house.installations.find("another-portal")
    assert other is not None
    with hosted.house.sessions.begin() as session:
        session.query(EndpointCall).update({"portal_id": other.id})
    assert "Nothing asked yet" in client.get("/activity/").text


@pytest.mark.parametrize(("language", "rows"), [("en", "1,234,567"), ("ru", "1 234 567")])
def test_numbers_of_calls_are_grouped_as_in_the_readers_language(
    hosted: HostedStage, client: PageClient, language: str, rows: str
) -> None:
    # facts/platform 7: pages speak the user's language, and write his numbers
    made(client)
    with hosted.house.sessions.begin() as session:
        session.query(EndpointCall).update({"endpoint": "tables", "status": 200, "code": "", "rows": 1234567})
    hosted.stage.control("language", language=language)
    assert {call[4] for call in calls(watched(hosted).get("/activity/"))} == {rows}
