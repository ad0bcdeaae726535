"""One connector of ours and a source for each connection, on an emulated portal that calls back while we wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from errors import AccessDenied, ApplicationError, InUse, NotFound, PortalRefused, PortalUnreachable
from services.bi import connectors, datasets
from services.connections.portal_comparison import SOURCE_CODE
from services.portal_api.capabilities import probe
from tests.services.hosted import LABEL, HostedStage, hosted_stage, lost_after, lost_before


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path) as stage:
        yield stage


def connectors_of(hosted: HostedStage) -> dict[int, str]:
    return {number: connector.title for number, connector in hosted.stage.portal.whole().connectors.items()}


def sources_of(hosted: HostedStage) -> list[str]:
    return [source.title for source in hosted.stage.portal.whole().sources.values()]


def test_a_connection_becomes_a_connector_and_a_source_whose_key_opens_it(hosted: HostedStage) -> None:
    held = hosted.connection()
    number = hosted.connect(held)
    assert hosted.held(held.id).source_id == number
    assert hosted.opens(1, hosted.registered_key(number))
    connector = connectors.get(hosted.client, 1)
    assert [(setting.code, setting.type) for setting in connector.settings] == [("key", "STRING")]
    assert connector.source_code == SOURCE_CODE
    assert connector.logo.startswith("data:image/svg+xml;base64,")
    assert hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id)).in_step


def test_an_older_portal_gets_no_source_code(hosted: HostedStage) -> None:
    """facts/biconnector 2.1: on older portals the field is an unknown parameter."""
    hosted.stage.control("generation", generation="older")
    held = hosted.connection()
    caps = probe(hosted.client)
    number = hosted.house.portal_sync.connect(replace(hosted.portal, caps=caps), held)
    assert hosted.opens(1, hosted.registered_key(number))


def test_two_connections_share_the_connector_and_open_different_things(hosted: HostedStage) -> None:
    first, second = hosted.connection("One"), hosted.connection("Two")
    keys = {hosted.registered_key(hosted.connect(held)) for held in (first, second)}
    assert len(keys) == 2
    assert list(connectors_of(hosted)) == [1]


def test_connecting_again_makes_nothing_new(hosted: HostedStage) -> None:
    held = hosted.connection()
    number = hosted.connect(held)
    key = hosted.registered_key(number)
    assert hosted.connect(hosted.held(held.id)) == number
    assert (list(connectors_of(hosted)), sources_of(hosted)) == ([1], ["Shop"])
    assert hosted.registered_key(number) == key


def test_our_own_check_that_says_no_makes_no_source(hosted: HostedStage) -> None:
    """facts/biconnector 3.1."""
    held = hosted.connection(path="missing.sqlite")
    with pytest.raises(PortalRefused) as refusal:
        hosted.connect(held)
    assert refusal.value.code == "SOURCE_CREATE_CONNECTION_ERROR"
    assert (sources_of(hosted), hosted.held(held.id).source_id) == ([], None)
    assert hosted.house.health.connections([held.id])[held.id].code == "not_found"
    (hosted.folder / "missing.sqlite").write_bytes((hosted.folder / "shop.sqlite").read_bytes())
    assert hosted.connect(held) == 1


@pytest.mark.parametrize("method", ["biconnector.connector.list", "batch"])
def test_a_list_that_fails_never_means_add(hosted: HostedStage, method: str) -> None:
    held = hosted.connection()
    hosted.wire.trick = lost_before(method) if method == "batch" else lost_before("batch", method)
    with pytest.raises(PortalUnreachable):
        hosted.connect(held)
    assert connectors_of(hosted) == {}
    hosted.stage.control("fail", target="rest", times=3, code="ACCESS_DENIED", status=403)
    hosted.wire.trick = lambda method, post: post()
    with pytest.raises(AccessDenied):
        hosted.connect(held)
    assert connectors_of(hosted) == {}


@pytest.mark.parametrize("method", ["biconnector.connector.add", "biconnector.source.add"])
def test_a_lost_answer_to_add_makes_no_twin(hosted: HostedStage, method: str) -> None:
    """facts/platform 5.1: REST has no protection against doing a thing twice."""
    held = hosted.connection()
    hosted.wire.trick = lost_after(method)
    number = hosted.connect(held)
    hosted.wire.trick = lambda method, post: post()
    assert hosted.connect(hosted.held(held.id)) == number
    assert (list(connectors_of(hosted)), sources_of(hosted)) == ([1], ["Shop"])


def test_a_lost_answer_does_not_take_another_connections_source_for_ours(hosted: HostedStage) -> None:
    """The look-up knows titles only, and titles are not unique."""
    first, second = hosted.connection("Shop"), hosted.connection("Shop")
    number = hosted.connect(first)
    hosted.wire.trick = lost_before("biconnector.source.add")
    with pytest.raises(ApplicationError):
        hosted.connect(second)
    assert hosted.held(second.id).source_id is None
    hosted.wire.trick = lambda method, post: post()
    assert hosted.connect(hosted.held(second.id)) != number
    assert hosted.opens(1, hosted.registered_key(number))


@pytest.mark.parametrize("lost", ["number", "source code", "everything but the title"])
def test_a_connector_of_an_earlier_database_is_found_again(hosted: HostedStage, lost: str) -> None:
    """By our addresses, then `sourceCode`, then title (facts/field 5.28)."""
    held = hosted.connection()
    hosted.connect(held)
    hosted_row = hosted.house.repository.connector(hosted.portal_id)
    hosted.house.repository.set_registered(hosted_row.id, None)
    with hosted.stage.portal.changed() as portal:
        connector = portal.connectors[1]
        if lost != "number":
            for name in ("url_check", "url_table_list", "url_table_description", "url_data"):
                setattr(connector, name, getattr(connector, name).replace(hosted_row.uid, "0" * 32))
        if lost == "everything but the title":
            connector.source_code = ""
    assert hosted.connect(hosted.held(held.id)) == 1
    assert list(connectors_of(hosted)) == [1]
    assert hosted.opens(1, hosted.registered_key(1))


def test_a_connector_of_the_same_title_that_is_not_hosted_stays_as_it_is(hosted: HostedStage) -> None:
    address = "https://example.com/bi"
    urls = {name: f"{address}/{name}" for name in connectors.URLS}
    foreign = {
        "title": LABEL.title,
        "logo": "x",
        "settings": [{"code": "key", "name": "Key", "type": "STRING"}],
        **urls,
    }
    connectors.add(hosted.client, hosted.caps, foreign)
    hosted.connect(hosted.connection())
    assert list(connectors_of(hosted)) == [1, 2]
    assert connectors.get(hosted.client, 1).url_check == f"{address}/urlCheck"


def test_what_was_deleted_in_the_portal_is_told_and_made_again(hosted: HostedStage) -> None:
    held = hosted.connection()
    hosted.connect(held)
    hosted.stage.portal.clear("sources")
    sync_state = hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id))
    assert (sync_state.connector, sync_state.source, sync_state.in_step) == ("good", "missing", False)
    hosted.stage.portal.clear("connectors")
    sync_state = hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id))
    assert (sync_state.connector, sync_state.source) == ("missing", "missing")
    number = hosted.house.portal_sync.restore(hosted.portal, hosted.held(held.id))
    assert hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id)).in_step
    assert hosted.opens(next(iter(hosted.stage.portal.whole().connectors)), hosted.registered_key(number))


def test_what_was_deleted_can_be_forgotten(hosted: HostedStage) -> None:
    held = hosted.connection()
    hosted.connect(held)
    hosted.stage.portal.clear("sources")
    hosted.house.portal_sync.forget(hosted.held(held.id))
    assert hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id)).source == "none"


def test_a_source_that_was_renamed_in_the_portal_can_be_adopted_or_written_back(hosted: HostedStage) -> None:
    held = hosted.connection()
    number = hosted.connect(held)
    hosted.stage.portal.rename_source(number, "Lager")
    sync_state = hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id))
    assert (sync_state.source, sync_state.in_step) == ("renamed", True)
    hosted.house.portal_sync.adopt(hosted.client, hosted.held(held.id))
    assert hosted.held(held.id).title == "Lager"
    hosted.stage.portal.rename_source(number, "Lager 2")
    hosted.house.portal_sync.restore(hosted.portal, hosted.held(held.id))
    assert hosted.stage.portal.whole().sources[number].title == "Lager"


def test_a_source_whose_key_was_overwritten_is_told_and_gets_its_key_back(hosted: HostedStage) -> None:
    held = hosted.connection()
    number = hosted.connect(held)
    with hosted.stage.portal.changed() as portal:
        portal.sources[number].settings[0].value = "bxs1_typed_by_somebody"
    assert hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id)).source == "key"
    hosted.house.portal_sync.restore(hosted.portal, hosted.held(held.id))
    assert hosted.opens(1, hosted.registered_key(number))


def test_addresses_that_were_edited_in_the_portal_are_told_and_written_back(hosted: HostedStage) -> None:
    held = hosted.connection()
    hosted.connect(held)
    with hosted.stage.portal.changed() as portal:
        portal.connectors[1].url_data = "https://example.com/elsewhere"
    sync_state = hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id))
    assert (sync_state.connector, sync_state.in_step) == ("changed", False)
    hosted.house.portal_sync.restore(hosted.portal, hosted.held(held.id))
    assert hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(held.id)).in_step


def test_a_connection_with_datasets_is_not_removed_and_without_them_leaves_nothing_behind(
    hosted: HostedStage,
) -> None:
    """facts/biconnector 3.4."""
    held = hosted.connection()
    number = hosted.connect(held)
    key = hosted.registered_key(number)
    columns = [{"name": "ID", "externalCode": "ID", "type": "int"}]
    table = {"name": "orders", "externalName": "orders", "externalCode": "orders", "sourceId": number}
    made = datasets.add(hosted.client, hosted.caps, {**table, "fields": columns})
    with pytest.raises(InUse):
        hosted.house.portal_sync.remove(hosted.client, hosted.held(held.id))
    assert hosted.opens(1, key)
    datasets.delete(hosted.client, hosted.caps, made)
    hosted.house.portal_sync.remove(hosted.client, hosted.held(held.id))
    assert sources_of(hosted) == []
    assert not hosted.opens(1, key)
    with pytest.raises(NotFound):
        hosted.held(held.id)


def test_a_connection_whose_source_is_gone_can_be_removed(hosted: HostedStage) -> None:
    held = hosted.connection()
    hosted.connect(held)
    hosted.stage.portal.clear("sources")
    hosted.house.portal_sync.remove(hosted.client, hosted.held(held.id))
    assert hosted.house.repository.page(hosted.portal_id).items == ()


def test_another_portals_connections_are_not_found(hosted: HostedStage) -> None:
    held = hosted.connection()
    with pytest.raises(NotFound):
        hosted.house.repository.get(hosted.portal_id + 1, held.id)
    with pytest.raises(NotFound):
        hosted.house.repository.remove(hosted.portal_id + 1, held.id)
    assert hosted.house.repository.page(hosted.portal_id + 1).items == ()
