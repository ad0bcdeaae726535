"""Two portals with equal object ids never see each other (facts/security 1 rows 7 and 22)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.query import TableName
from models import Portal, UserToken, VaultBroken
from services.contract.names import PublishedTable
from tests.doors import OWN, Stage, staged
from tests.portals import ListeningPortal
from tests.security.test_routes import token_of


def furnish(portal: ListeningPortal, mark: str) -> None:
    """One connector, source and dataset, all with id 1, named after their portal."""
    portal.control("demo")
    with portal.changed() as held:
        held.connectors[1].title = held.sources[1].title = f"{mark} 1"
        held.datasets[1].name = f"{mark}_1".lower()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Stage, str, str]]:
    """Two furnished portals of one application, and the token of an analyst of each."""
    folder: Path = tmp_path_factory.mktemp("tenants")
    with staged(f"sqlite:///{folder / 'app.db'}", portals_count=2) as first:
        second = first.others[0]
        tokens = []
        for stage, mark in ((first, "Northwind"), (second, "Contoso")):
            stage.register()
            assert stage.install().status_code == 200
            stage.finish()
            furnish(stage.portal, mark)
            tokens.append(token_of(stage.enter("analyst")))
        # The second portal has more objects, so that some ids exist there only.
        furnish(second.portal, "Contoso")
        yield first, second, tokens[0], tokens[1]


def addresses(stage: Stage, number: int) -> list[str]:
    """Every page of the analysts' door, with `number` for every id."""
    rules = [rule for rule in stage.app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    pages = [rule for rule in rules if rule.methods and "GET" in rule.methods]
    return sorted({re.sub(r"<[^>]+>", str(number), rule.rule) for rule in pages})


def test_every_page_shows_its_own_portals_objects_and_none_of_the_other(two: tuple[Stage, Stage, str, str]) -> None:
    first, _, mine, theirs = two
    client, seen = first.app.test_client(), {"Northwind": 0, "Contoso": 0}
    for address in addresses(first, 1):
        for token, own, foreign in ((mine, "Northwind", "Contoso"), (theirs, "Contoso", "Northwind")):
            text = client.get(address, headers={"X-App-Session": token}).text.lower()
            assert foreign.lower() not in text, address
            seen[own] += own.lower() in text
    assert min(seen.values()) >= 9


def test_an_id_of_the_other_portal_is_not_found_for_reading_or_changing(two: tuple[Stage, Stage, str, str]) -> None:
    first, second, mine, theirs = two
    client, compared, before = first.app.test_client(), 0, str(second.portal.whole().connectors)
    for stage in (first, second):
        first.services.connections.add(stage.member_id, "sqlite", "Shop", {"path": "shop.sqlite"})
    owner = first.services.repository.get(second.record().id, 2).ledger_owner
    table = PublishedTable("2", "2", TableName("", "2"), plain=True)
    first.services.table_lists.ledger.describe(owner, table, [("ID", "int")])
    for address in (address for address in addresses(first, 2) if "/2" in address):
        compared += 1
        assert client.get(address, headers={"X-App-Session": theirs}).status_code == 200, address
        assert client.get(address, headers={"X-App-Session": mine}).status_code == 404, address
        posted = client.post(address, headers={"X-App-Session": mine, **OWN}, data={"title": "taken over"})
        assert posted.status_code in (404, 422), address
    assert compared == 18
    assert str(second.portal.whole().connectors) == before


def test_the_session_of_one_portal_is_not_renewed_by_the_tokens_of_another(two: tuple[Stage, Stage, str, str]) -> None:
    first, second, mine, _ = two
    fields = second.opening("analyst").fields
    answer = first.app.test_client().post(
        "/session/renew",
        data={"AUTH_ID": fields["AUTH_ID"], "member_id": fields["member_id"]},
        headers={**OWN, "X-App-Session": mine},
    )
    assert answer.status_code == 403
    assert first.app.test_client().get("/start", headers={"X-App-Session": mine}).status_code == 200


@pytest.mark.parametrize("column", ["access_token", "candidate_token"])
def test_a_ciphertext_moved_to_another_portals_row_does_not_open(
    two: tuple[Stage, Stage, str, str], column: str
) -> None:
    first, second, _, _ = two
    house = first.services
    with house.sessions() as session:
        mine, theirs = (
            session.query(UserToken).join(Portal).filter(Portal.member_id == stage.member_id).first()
            for stage in (first, second)
        )
        assert mine is not None
        assert theirs is not None
        setattr(mine, column, getattr(theirs, column))
        with pytest.raises(VaultBroken):
            house.vault.get(mine, column)
        session.rollback()


def test_a_ciphertext_moved_to_another_column_of_its_row_does_not_open(two: tuple[Stage, Stage, str, str]) -> None:
    first, *_ = two
    house = first.services
    with house.sessions() as session:
        grant = session.query(UserToken).first()
        assert grant is not None
        grant.refresh_token = grant.access_token
        with pytest.raises(VaultBroken):
            house.vault.get(grant, "refresh_token")
        session.rollback()
