"""Lists: pages, order, filters, select (facts/biconnector 1.4-1.6, 1.9)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.portals import EmulatedPortal

TITLES = ["Alpha", "beta", "Gamma 100%", "delta_1", "Épsilon", "molten", "mo"]


@pytest.fixture
def named(emulated: EmulatedPortal) -> EmulatedPortal:
    """Connectors with telling titles, their `sort` counting up in tens, every second with a description."""
    for number, title in enumerate(TITLES, start=1):
        extra = {"description": f"about {title}"} if number % 2 else {}
        emulated.add_connector(title=title, sort=number * 10, **extra)
    return emulated


def ids(portal: EmulatedPortal, **params: Any) -> list[int]:
    """Ids found, in order."""
    found = portal.call("biconnector.connector.list", **{"order": {"id": "ASC"}, **params})
    return [int(item["id"]) for item in found]


def test_pages_have_fifty_items_and_only_a_short_page_tells_the_end(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.5"""
    for number in range(120):
        emulated.add_connector(title=f"Connector {number}")
    pages = [ids(emulated, page=page) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [50, 50, 20, 0]
    assert [one for page in pages for one in page] == list(range(1, 121))
    body = emulated.post("biconnector.connector.list").get_json()
    assert set(body) == {"result", "time"}


@pytest.mark.parametrize("page", [0, -3, "zero", "", None, "1", 1.9, [2]])
def test_a_page_that_makes_no_sense_is_page_one(named: EmulatedPortal, page: Any) -> None:
    """facts/biconnector 1.5"""
    assert ids(named, page=page) == [1, 2, 3, 4, 5, 6, 7]


def test_start_means_nothing(named: EmulatedPortal) -> None:
    """facts/biconnector 1.5"""
    assert ids(named, start=50) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("direction", ["UPWARDS", "", "1", 5, None])
def test_a_wrong_direction_fails_in_the_root_with_400(named: EmulatedPortal, direction: Any) -> None:
    """facts/biconnector 1.4"""
    answer = named.post("biconnector.connector.list", order={"id": direction})
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "ERROR_ARGUMENT"
    assert answer.get_json()["error_description"] == f'Invalid order "{str(direction).upper()}"'


def test_order_by_several_fields_in_any_case_of_direction(named: EmulatedPortal) -> None:
    """facts/biconnector 1.4"""
    assert ids(named, order={"title": "asc"}) == [1, 2, 4, 3, 7, 6, 5]
    assert ids(named, order={"dateCreate": "DESC", "sort": "dEsC"}) == [7, 6, 5, 4, 3, 2, 1]


FILTERS: list[tuple[Any, list[int]]] = [
    ({"title": "Alpha"}, [1]),
    # facts/biconnector 1.5e: LIKE without a prefix, exact with `=`
    ({"title": "alpha"}, [1]),
    ({"title": "_l%"}, [1]),
    ({"=title": "alpha"}, []),
    ({"=id": [1, 7]}, [1, 7]),
    ({"!title": "Alpha"}, [2, 3, 4, 5, 6, 7]),
    ({"!=title": "Alpha"}, [2, 3, 4, 5, 6, 7]),
    ({"@id": [1, 7, 100]}, [1, 7]),
    ({"!@id": [1, "2", 3]}, [4, 5, 6, 7]),
    ({"%title": "MO"}, [6, 7]),
    ({"%title": "0%"}, [3]),
    ({"%title": "a_1"}, [4]),
    ({"!%title": "mo"}, [1, 2, 3, 4, 5]),
    ({"=%title": "mol%"}, [6]),
    ({"%=title": "%ta"}, [2]),
    ({"=%title": "%mol%"}, [6]),
    ({"%=title": "_eta"}, [2]),
    ({"=%title": "Alpha.*"}, []),
    ({">sort": 50}, [6, 7]),
    ({">=sort": "50"}, [5, 6, 7]),
    ({"<sort": 20}, [1]),
    ({"<=sort": 20}, [1, 2]),
    ({">sort": "9"}, [1, 2, 3, 4, 5, 6, 7]),
    ({"><sort": [20, 40]}, [2, 3, 4]),
    ({">=sort": 20, "<sort": 40}, [2, 3]),
    ({"id": "5"}, [5]),
    ({"!description": ""}, [1, 3, 5, 7]),
    ({"description": ""}, [2, 4, 6]),
    ({"logic": "OR", "title": "mo", ">sort": 60}, [7]),
    ({"logic": "or", "title": "Alpha", "sort": 20}, [1, 2]),
    ([{"title": "Alpha"}, {"sort": 10}], [1]),
    ({"0": {"logic": "OR", "0": {"sort": 10}, "1": {"sort": 20}}, "!title": "beta"}, [1]),
    ({"0": {"logic": "OR", "title": "beta", "sort": 30}}, [2, 3]),
    ({"supportMapping": False, "sort": 10}, [1]),
    ({"supportMapping": True}, []),
    ({"id": []}, [1, 2, 3, 4, 5, 6, 7]),
    ({}, [1, 2, 3, 4, 5, 6, 7]),
]


@pytest.mark.parametrize(("condition", "expected"), FILTERS)
def test_filters(named: EmulatedPortal, condition: Any, expected: list[int]) -> None:
    """facts/api 1.4, facts/biconnector 1.9"""
    assert ids(named, filter=condition) == expected


@pytest.mark.parametrize("key", ["<>title", "=!title", "LOGIC", "Title", " title", "title "])
def test_filter_keys_that_no_portal_knows(named: EmulatedPortal, key: str) -> None:
    code, _ = named.error("biconnector.connector.list", filter={key: "Alpha"})
    assert code == "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER"


@pytest.mark.parametrize("sign", ["", "=", "@", "!@", "!"])
def test_a_list_of_texts_is_checked_as_if_it_were_a_group(named: EmulatedPortal, sign: str) -> None:
    """facts/biconnector 1.5a"""
    refused = named.error("biconnector.connector.list", filter={f"{sign}title": ["Alpha", "mo"]})
    assert refused == ("VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER", 'Field "0" is not allowed in the "filter".')


@pytest.mark.parametrize(
    ("language", "day", "expected"),
    [
        ("ru", "02.03.2025", [2, 3]),
        ("en", "03/02/2025", [2, 3]),
        ("ru", "2025-03-02", [1, 2, 3]),
        ("en", "2025-03-02 00:00:00", [1, 2, 3]),
    ],
)
def test_dates_in_filters_are_read_in_the_portals_site_format(
    emulated: EmulatedPortal, language: str, day: str, expected: list[int]
) -> None:
    """facts/biconnector 1.5b: another format becomes an empty text, and every date is beyond that"""
    emulated.control("language", language=language)
    for number in (1, 2, 3):
        emulated.add_connector(title=f"Of day {number}")
        emulated.portal.connector(number).date_create = f"2025-03-0{number} 12:00:00"
    assert ids(emulated, filter={">=dateCreate": day}) == expected


def test_ids_are_strings_in_lists_and_numbers_in_get(named: EmulatedPortal) -> None:
    """facts/biconnector 1.6"""
    listed = named.call("biconnector.connector.list", filter={"id": 3})
    assert listed[0]["id"] == "3"
    assert named.call("biconnector.connector.get", id="3")["item"]["id"] == 3


def test_select_narrows_the_keys(named: EmulatedPortal) -> None:
    selected = named.call("biconnector.connector.list", select=["title", "id"], filter={"id": 1})
    assert selected == [{"id": "1", "title": "Alpha"}]
    assert named.call("biconnector.connector.list", select=["*"], filter={"id": 1})[0]["urlData"]
    assert named.call("biconnector.connector.list", select=[], filter={"id": 1})[0]["settings"]


def test_settings_of_sources_and_fields_of_datasets_are_ignored(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.9"""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    for method, name in (("biconnector.source.list", "settings"), ("biconnector.table.list", "fields")):
        found = emulated.call(method, filter={f"%{name}": "no such thing"}, order={name: "sideways", "id": "ASC"})
        assert [item["id"] for item in found] == ["1"]


def test_select_of_fields_has_no_effect_in_dataset_lists(emulated: EmulatedPortal) -> None:
    """facts/api 1.4"""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    assert emulated.call("biconnector.dataset.list", select=["name", "fields"]) == [{"name": "orders"}]


LISTS = [f"biconnector.{kind}.list" for kind in ("connector", "source", "dataset", "table")]


@pytest.mark.parametrize("method", LISTS)
def test_the_four_parameters_of_lists_may_be_written_in_any_case(emulated: EmulatedPortal, method: str) -> None:
    """facts/api 1.4: of the examples those in cURL send SELECT, FILTER and ORDER."""
    for number in (1, 2, 3):
        source = emulated.add_source(emulated.add_connector())
        emulated.add_dataset(source, name=f"orders_{number}")
    wanted: dict[str, Any] = {"SELECT": ["id"], "Filter": {"@id": [1, 3]}, "ORDER": {"id": "DESC"}}
    assert emulated.call(method, **wanted) == [{"id": "3"}, {"id": "1"}]
    assert emulated.call(method, **wanted, PAGE=2) == []
    assert emulated.error(method, SELECT="id")[0] == "VALIDATION_SELECT_TYPE"
    batched = emulated.call("batch", cmd=[f"{method}?SELECT[]=id&FILTER[id]=2"])
    assert batched["result"] == [[{"id": "2"}]]


def test_what_is_inside_the_parameters_keeps_its_case(named: EmulatedPortal) -> None:
    assert named.error("biconnector.connector.list", SELECT=["ID"])[0] == "VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT"


def test_other_methods_want_their_parameters_as_documented(named: EmulatedPortal) -> None:
    assert named.error("biconnector.connector.get", ID=1)[0] == "VALIDATION_ID_NOT_PROVIDED"
    assert named.error("biconnector.connector.add", FIELDS={"title": "x"})[0] == "VALIDATION_FIELDS_NOT_PROVIDED"


def test_the_documented_spelling_wins_over_others(named: EmulatedPortal) -> None:
    spellings: list[dict[str, Any]] = [
        {"select": ["id"], "SELECT": ["title"]},
        {"SELECT": ["title"], "select": ["id"]},
    ]
    for given in spellings:
        assert named.call("biconnector.connector.list", filter={"id": 1}, **given) == [{"id": "1"}]


def test_parameters_come_in_brackets_too(named: EmulatedPortal) -> None:
    """facts/platform 5.1: form and query are read like PHP reads them."""
    token = named.token()
    form = {"auth": token, "filter[@id][0]": "2", "filter[@id][1]": "6", "order[id]": "DESC", "select[]": "id"}
    answer = named.http.post("/rest/biconnector.connector.list.json", data=form)
    assert answer.get_json()["result"] == [{"id": "6"}, {"id": "2"}]
    query = f"/rest/biconnector.connector.list?auth={token}&filter%5B%25title%5D=alp&select[0]=title"
    assert named.http.get(query).get_json()["result"] == [{"title": "Alpha"}]
