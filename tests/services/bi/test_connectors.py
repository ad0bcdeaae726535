"""facts/biconnector 1.1-1.6 and 2: connectors as functions, against a scripted portal."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import responses

from errors import InUse, InvalidInput, NotFound, OutcomeUnknown, PortalUnreachable
from services.bi import connectors
from services.bi.connectors import Connector, Setting
from services.bi.listing import Listing
from services.portal_api.capabilities import NEWER, OLDER
from tests.services.portal_api.portal import SHAPES, Answer, Portal, batch_answer, commands, inner_error, result

ITEM: dict[str, Any] = {
    "id": 5,
    "title": "SUPER REST CONNECTOR",
    "dateCreate": "2025-03-24 07:25:59",
    "logo": "https://example.com/logo.svg",
    "description": "Connector with token",
    "sort": 100,
    "urlCheck": "http://app.domain/check",
    "settings": [
        {"name": "Login", "code": "login", "type": "STRING"},
        {"name": "Port", "code": "port", "type": "INT"},
    ],
    "urlData": "http://app.domain/data",
    "urlTableList": "http://app.domain/table_list",
    "urlTableDescription": "http://app.domain/table_description",
}
FIELDS: dict[str, Any] = {
    name: ITEM[name]
    for name in ("title", "logo", "description", "urlCheck", "urlData", "urlTableList", "urlTableDescription")
} | {"settings": [{"code": "login", "name": "Login", "type": "STRING"}]}
NOTHING = result([])
LOST = requests.ReadTimeout("no answer")
GONE = inner_error("CONNECTOR_NOT_FOUND", "Connector was not found.")


def portal(*answers: Any) -> Portal:
    return Portal(*answers).listen(responses.mock)


@responses.activate
def test_a_connector_is_read_as_documented() -> None:
    """facts/api 1.3, 2"""
    there = portal(result({"item": ITEM}))
    assert connectors.get(there.client(), 5) == Connector(
        id=5,
        title="SUPER REST CONNECTOR",
        logo="https://example.com/logo.svg",
        description="Connector with token",
        sort=100,
        url_check="http://app.domain/check",
        url_table_list="http://app.domain/table_list",
        url_table_description="http://app.domain/table_description",
        url_data="http://app.domain/data",
        settings=(Setting("login", "Login", "STRING"), Setting("port", "Port", "INT")),
        support_mapping=False,
        source_code="",
        date_create="2025-03-24 07:25:59",
    )
    assert there.calls[0][0] == "biconnector.connector.get"
    assert there.sent == [{"id": 5}]


@responses.activate
def test_strings_for_numbers_nulls_and_unknown_keys_are_no_reason_to_fail() -> None:
    """facts/biconnector 1.6"""
    odd = {**ITEM, "id": "11", "sort": "7", "logo": None, "settings": None, "csvDelimiter": ";", "supportMapping": "Y"}
    connector = connectors.get(portal(result({"item": {**odd, "sourceCode": "mysql"}})).client(), 11)
    assert (connector.id, connector.sort, connector.logo, connector.settings) == (11, 7, "", ())
    assert (connector.support_mapping, connector.source_code) == (True, "mysql")


@pytest.mark.parametrize("answer", [result(True), result({"item": []}), result([])])
@responses.activate
def test_an_answer_without_an_object_is_a_broken_answer(answer: Answer) -> None:
    with pytest.raises(PortalUnreachable):
        connectors.get(portal(answer).client(), 5)


@pytest.mark.parametrize("shape", SHAPES)
@responses.activate
def test_somebody_elses_connector_is_not_found(shape: str) -> None:
    """facts/biconnector 1.8"""
    with pytest.raises(NotFound):
        connectors.get(portal(SHAPES[shape]("CONNECTOR_NOT_FOUND", "Connector was not found.")).client(), 9)


@pytest.mark.parametrize("id_", [4, "4"])
@responses.activate
def test_adding_gives_the_id(id_: Any) -> None:
    """facts/biconnector 1.1"""
    there = portal(NOTHING, result({"id": id_}))
    assert connectors.add(there.client(), OLDER, FIELDS) == 4
    assert there.methods == ["biconnector.connector.list", "biconnector.connector.add"]
    assert there.sent[1:] == [{"fields": FIELDS}]


@responses.activate
def test_nothing_is_sent_when_a_rule_is_broken() -> None:
    there = portal(result({"id": 4}))
    with pytest.raises(InvalidInput):
        connectors.add(there.client(), OLDER, {**FIELDS, "title": ""})
    with pytest.raises(InvalidInput):
        connectors.update(there.client(), OLDER, 5, {"urlData": "nowhere"})
    with pytest.raises(InvalidInput):
        connectors.page(there.client(), Listing(order="colour"))
    assert there.calls == []


@responses.activate
def test_flags_reach_a_newer_portal_as_flags() -> None:
    """facts/biconnector 1.7: a boolean needs a real JSON boolean, which a batch cannot carry"""
    there = portal(NOTHING, result({"id": 4}))
    connectors.add(there.client(), NEWER, {**FIELDS, "supportMapping": True})
    assert there.sent[1]["fields"]["supportMapping"] is True


OLDER_LIKE = {**ITEM, "id": "11"}
LIKE = {**ITEM, "id": "12"}
OTHER_URL = {**ITEM, "id": "13", "urlData": "http://other.domain/data"}


@pytest.mark.parametrize("lost", [LOST, requests.ConnectionError("reset"), Answer("<html>", 504), result(True)])
@responses.activate
def test_an_add_whose_answer_is_lost_is_looked_up_and_not_repeated(lost: Any) -> None:
    """facts/platform 5.1"""
    there = portal(result([OLDER_LIKE]), lost, result([OTHER_URL, LIKE, OLDER_LIKE]))
    assert connectors.add(there.client(), OLDER, FIELDS) == 12
    assert there.methods == ["biconnector.connector.list", "biconnector.connector.add", "biconnector.connector.list"]
    assert there.sent[0] == there.sent[2]
    assert there.sent[2] == {
        "filter": {"=title": ITEM["title"]},
        "select": ["id", "urlCheck", "urlTableList", "urlTableDescription", "urlData"],
        "order": {"id": "DESC"},
        "page": 1,
    }


@pytest.mark.parametrize("found", [[], [OTHER_URL], [OLDER_LIKE], [OTHER_URL, OLDER_LIKE]])
@responses.activate
def test_an_add_that_is_not_found_afterwards_has_an_unknown_outcome(found: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        connectors.add(portal(result([OLDER_LIKE]), LOST, result(found)).client(), OLDER, FIELDS)


@responses.activate
def test_an_add_whose_look_up_fails_too_has_an_unknown_outcome() -> None:
    there = portal(NOTHING, LOST)
    with pytest.raises(OutcomeUnknown):
        connectors.add(there.client(), OLDER, FIELDS)
    assert there.methods.count("biconnector.connector.add") == 1


@responses.activate
def test_an_add_that_was_never_sent_is_simply_unreachable() -> None:
    there = portal(NOTHING, requests.ConnectTimeout("no answer"))
    with pytest.raises(PortalUnreachable):
        connectors.add(there.client(), OLDER, FIELDS)
    assert there.methods.count("biconnector.connector.list") == 1


@responses.activate
def test_an_update_sends_what_changes() -> None:
    there = portal(result(True))
    connectors.update(there.client(), OLDER, 5, {"title": "New", "sort": "7"})
    assert there.calls[0][0] == "biconnector.connector.update"
    assert there.sent == [{"id": 5, "fields": {"title": "New", "sort": 7}}]


@responses.activate
def test_an_update_whose_answer_is_lost_has_an_unknown_outcome() -> None:
    there = portal(LOST)
    with pytest.raises(OutcomeUnknown):
        connectors.update(there.client(), OLDER, 5, {"title": "New"})
    assert len(there.calls) == 1


@responses.activate
def test_a_connector_with_sources_stays() -> None:
    """facts/biconnector 2.4"""
    there = portal(inner_error("CONNECTOR_DELETE_RESTRICTED", "Connector cannot be removed."))
    with pytest.raises(InUse):
        connectors.delete(there.client(), 5)
    assert there.sent == [{"id": 5}]


@responses.activate
def test_a_deletion_whose_answer_is_lost_counts_when_the_connector_is_gone() -> None:
    there = portal(LOST, GONE)
    connectors.delete(there.client(), 5)
    assert there.methods == ["biconnector.connector.delete", "biconnector.connector.get"]
    with pytest.raises(OutcomeUnknown):
        connectors.delete(portal(LOST, result({"item": ITEM})).client(), 5)


def rows(first: int, count: int) -> list[dict[str, Any]]:
    return [{"id": str(number), "title": f"c{number}"} for number in range(first, first + count)]


@pytest.mark.parametrize(
    ("here", "behind", "has_next"), [(0, 0, False), (1, 0, False), (49, 1, False), (50, 0, False), (50, 1, True)]
)
@responses.activate
def test_a_page_knows_whether_another_one_follows(here: int, behind: int, has_next: bool) -> None:
    """facts/biconnector 1.5: no total, no next"""
    there = portal(batch_answer({"c0": rows(1, here), "c1": rows(51, behind)}))
    page = connectors.page(there.client(), Listing(page=3))
    assert (page.number, page.has_next, len(page.items)) == (3, has_next, here)
    assert there.methods == ["batch"]


@responses.activate
def test_a_page_is_searched_filtered_and_sorted_in_the_portals_own_terms() -> None:
    there = portal(batch_answer({"c0": rows(1, 2), "c1": []}))
    listing = Listing("50% off", {">=dateCreate": "2025-03-01", "@sort": [1, 2]}, "title", "ASC", 2)
    page = connectors.page(there.client(), listing)
    assert [connector.id for connector in page.items] == [1, 2]
    (first, asked), (second, ahead) = commands(there.calls[0][1]).values()
    assert first == second == "biconnector.connector.list"
    assert asked == {
        "filter[>=dateCreate]": "2025-03-01",
        "filter[@sort][0]": "1",
        "filter[@sort][1]": "2",
        "filter[%title]": "50% off",
        "order[title]": "ASC",
        "order[id]": "ASC",
        "page": "2",
    }
    assert ahead == {**asked, "select[0]": "id", "page": "3"}


@responses.activate
def test_everything_is_listed_by_title() -> None:
    there = portal(batch_answer({f"c{number}": rows(1, 2) if number == 0 else [] for number in range(4)}))
    assert [connector.title for connector in connectors.everything(there.client())] == ["c1", "c2"]


@responses.activate
def test_a_choice_of_connectors_asks_for_no_logos() -> None:
    """facts/biconnector 1.5: `select`; a logo is up to 87 KB of text, and lists have no end"""
    there = portal(batch_answer({f"c{number}": [] for number in range(4)}))
    connectors.everything(there.client(), "urlCheck")
    asked = commands(there.calls[0][1])["c0"][1]
    assert [text for name, text in asked.items() if name.startswith("select")] == ["id", "title", "urlCheck"]


@responses.activate
def test_what_hangs_below_a_connector_are_its_sources() -> None:
    sources = [{"id": "6", "title": "Shop", "connectorId": "5"}]
    there = portal(batch_answer({f"c{number}": sources if number == 0 else [] for number in range(4)}))
    (source,) = connectors.below(there.client(), 5)
    assert (source.id, source.title, source.connector_id) == (6, "Shop", 5)
    method, asked = commands(there.calls[0][1])["c0"]
    assert (method, asked["filter[=connectorId]"]) == ("biconnector.source.list", "5")


@responses.activate
def test_the_portal_describes_its_fields() -> None:
    row = {"title": "title", "type": "string", "isRequired": True, "isReadOnly": False}
    (fact,) = connectors.fields(portal(result({"fields": [row]})).client())
    assert (fact.title, fact.is_required, fact.is_immutable) == ("title", True, False)
