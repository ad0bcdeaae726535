"""Characters that nobody sees, in fields, searches and addresses: cleaned, and never an error of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doors import OWN, Stage, database, staged
from tests.pages import PageClient, opened

UNSEEN = ["\0", "\ufeff", "\u200b", "\u2060"]
LISTS = ["connectors", "sources", "datasets", "connections"]


@pytest.fixture
def client(installed: Stage) -> PageClient:
    return opened(installed.app, installed.enter("analyst"), installed.portal.url)[0]


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_a_search_finds_what_it_looks_like(client: PageClient, installed: Stage, unseen: str) -> None:
    settings = {"path": "shop.sqlite"}
    installed.services.connections.add(installed.member_id, "sqlite", "Orders", settings)
    for name in LISTS:
        page = client.get(f"/{name}/?search={unseen}Or{unseen}ders{unseen}&sort={unseen}&page={unseen}1")
        assert page.status == 200
        assert page.value("search") == "Orders"
    assert "Orders" in page.rows()[0][0]


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_what_is_typed_is_saved_as_it_looks(client: PageClient, installed: Stage, unseen: str) -> None:
    fields = {"driver": "postgresql", "title": f"{unseen}CRM{unseen}", "settings-host": f"{unseen}db.exa{unseen}mple"}
    page = client.post("/connections/new", fields)
    assert (page.status, page.value("title"), page.value("settings-host")) == (422, "CRM", "db.example")


def test_joiners_that_words_need_stay(client: PageClient) -> None:
    title = "क्\u200dष \U0001f469\u200d\U0001f4bb a\u200cb"
    assert client.post("/connections/new", {"driver": "postgresql", "title": title}).value("title") == title


def test_on_postgresql_no_field_search_or_address_is_an_error_of_ours(tmp_path: Path) -> None:
    """PostgreSQL keeps no U+0000 in texts."""
    with database("postgresql", tmp_path) as url, staged(url) as stage:
        stage.be_installed()
        client = opened(stage.app, stage.enter("analyst"), stage.portal.url)[0]
        for unseen in UNSEEN:
            addresses = [f"/{name}/?search=a{unseen}b" for name in LISTS]
            addresses += [f"/connections/new?driver={unseen}", f"/connections/new?driver=postgresql&source={unseen}"]
            addresses += [
                f"/activity/?connection={unseen}",
                f"/{unseen}",
                f"/connections/{unseen}",
                f"/datasets/{unseen}",
            ]
            for address in addresses:
                assert client.get(address).status in (200, 404), address
            for path in ("/connectors/new", "/sources/new", "/datasets/new", "/connections/new"):
                sent = dict.fromkeys(("title", "name", "description", "driver", "_n", "sourceId"), f"x{unseen}")
                answer = stage.app.test_client().post(path, data=sent | {"_s": client.token}, headers=OWN)
                assert answer.status_code < 500, path
