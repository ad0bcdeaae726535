"""facts/platform 5.5 and facts/biconnector 1.5: batches, and lists by page and by batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from emulator.brackets import decode
from errors import ApplicationError, NotFound, PortalBusy, PortalGone, PortalRefused, PortalUnreachable
from services.portal_api.client import BATCH_LIMIT, php_query, reads, value_of
from services.portal_api.replies import TokenExpired
from tests.services.portal_api.portal import (
    ACCESS,
    FRESH,
    NOW,
    Answer,
    Portal,
    batch_answer,
    commands,
    result,
    root_error,
    run_batch,
)

LIST = "biconnector.connector.list"
GET = "biconnector.connector.get"
BIND = "event.bind"
EXPIRED = {"error": "expired_token", "error_description": "The access token provided has expired."}
LIMITED = {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
ABSENT = {"error": "CONNECTOR_NOT_FOUND", "error_description": "Connector was not found."}


@responses.activate
def test_parameters_that_are_none_are_not_sent() -> None:
    portal = Portal(result([])).listen(responses.mock)
    portal.client().call(LIST, filter=None, page=1)
    assert portal.sent == [{"page": 1}]


@responses.activate
def test_a_batch_gives_each_caller_its_outcome_under_its_own_key() -> None:
    portal = Portal(run_batch(lambda _, params: {"item": params["id"]} if params["id"] != "2" else ABSENT))
    portal.listen(responses.mock)
    found = portal.client().batch({"0": (GET, {"id": 1}), "1": (GET, {"id": 2}), "x y[]&=": (GET, {"id": 3})})
    assert found["0"] == {"item": "1"}
    assert found["x y[]&="] == {"item": "3"}
    assert isinstance(found["1"], NotFound)
    assert found["1"].method == GET
    with pytest.raises(NotFound):
        value_of(found["1"])
    assert portal.methods == ["batch"]


@pytest.mark.parametrize(("count", "trips"), [(0, 0), (1, 1), (50, 1), (51, 2), (100, 2), (101, 3)])
@responses.activate
def test_a_batch_holds_fifty_and_more_go_in_several(count: int, trips: int) -> None:
    """facts/platform 5.5"""
    portal = Portal(run_batch(lambda _, params: int(params["id"]))).listen(responses.mock)
    found = portal.client().batch({f"k{number}": (GET, {"id": number}) for number in range(count)})
    assert list(found.items()) == [(f"k{number}", number) for number in range(count)]
    assert [len(body["cmd"]) for _, body in portal.calls] == [min(50, count - 50 * trip) for trip in range(trips)]
    assert BATCH_LIMIT == 50


@responses.activate
def test_halt_stops_at_the_first_error_and_starts_no_further_round_trip() -> None:
    portal = Portal(batch_answer({"c0": True}, {"c1": ABSENT})).listen(responses.mock)
    found = portal.client().batch({f"k{number}": (GET, {"id": number}) for number in range(60)}, halt=True)
    assert found["k0"] is True
    assert isinstance(found["k1"], NotFound)
    assert set(found) == {"k0", "k1"}
    assert [body["halt"] for _, body in portal.calls] == [1]


@responses.activate
def test_without_halt_a_command_that_has_no_outcome_is_a_broken_answer() -> None:
    portal = Portal(batch_answer({"c0": True})).listen(responses.mock)
    found = portal.client().batch({"a": (GET, {"id": 1}), "b": (GET, {"id": 2})})
    assert found["a"] is True
    assert isinstance(found["b"], PortalUnreachable)


@responses.activate
def test_a_token_that_expires_inside_a_batch_is_renewed_and_only_the_rest_is_repeated() -> None:
    """facts/platform 5.5: scan `result_error`; what was done is not done twice"""
    ran: list[str] = []

    def run(_: str, params: dict[str, str]) -> Any:
        if params["event"] != "A" and len(portal.calls) == 1:
            return EXPIRED
        ran.append(params["event"])
        return True

    portal = Portal(run_batch(run)).listen(responses.mock)
    found = portal.client().batch({name: (BIND, {"event": name}) for name in ("A", "B", "C")})
    assert found == {"A": True, "B": True, "C": True}
    assert ran == ["A", "B", "C"]
    assert portal.tokens.rejected == [ACCESS]
    assert [body["auth"] for _, body in portal.calls] == [ACCESS, FRESH]
    assert [len(body["cmd"]) for _, body in portal.calls] == [3, 2]


@responses.activate
def test_a_rate_limit_inside_a_batch_is_waited_for_and_only_the_rest_is_repeated() -> None:
    portal = Portal(
        batch_answer({"c0": 1}, {"c1": LIMITED}), batch_answer(None, {"c0": LIMITED}), batch_answer({"c0": 2})
    ).listen(responses.mock)
    assert portal.client().batch({"a": (GET, {"id": 1}), "b": (GET, {"id": 2})}) == {"a": 1, "b": 2}
    assert portal.time.slept == [0.5, 1.0]


def operating(seconds: float) -> dict[str, float]:
    return {"operating_reset_at": NOW + seconds}


@pytest.mark.parametrize("place", ["result_time", "result_error"])
@pytest.mark.parametrize(("seconds", "trips"), [(2, 2), (400, 1)])
@responses.activate
def test_the_end_of_an_operating_limit_inside_a_batch_is_found_and_waited_for_if_it_is_near(
    place: str, seconds: int, trips: int
) -> None:
    """facts/platform 5.4, 5.5: commands are charged separately, so each has a time of its own"""
    limited: dict[str, Any] = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}
    limited |= {"time": operating(seconds)} if place == "result_error" else {}
    first = batch_answer({"c0": 1}, {"c1": limited})
    if place == "result_time":
        first.body["result"]["result_time"] = {"c1": operating(seconds)}
    portal = Portal(first, batch_answer({"c0": 2})).listen(responses.mock)
    found = portal.client().batch({"a": (GET, {"id": 1}), "b": (GET, {"id": 2})})
    assert (found["a"], len(portal.calls)) == (1, trips)
    if trips == 2:
        assert found["b"] == 2
        assert portal.time.slept == [seconds]
    else:
        assert isinstance(found["b"], PortalBusy)
        assert found["b"].retry_after == seconds


@pytest.mark.parametrize("values", [{}, {"c0": 1}])
@responses.activate
def test_a_removal_that_only_a_batch_tells_reaches_whoever_keeps_the_tokens(values: dict[str, int]) -> None:
    """facts/platform 5.5, 8: scan `result_error`, and take these codes for the event that may be lost"""
    gone = {"error": "NOT_INSTALLED", "error_description": "Application not installed"}
    errors = {f"c{number}": gone for number in range(len(values), 2)}
    portal = Portal(batch_answer(values, errors)).listen(responses.mock)
    batch = {"a": (GET, {"id": 1}), "b": (GET, {"id": 2})}
    if values:
        found = portal.client().batch(batch)
        assert found["a"] == 1
        assert isinstance(found["b"], PortalGone)
    else:
        with pytest.raises(PortalGone):
            portal.client().batch(batch)
    assert portal.tokens.gone_codes == ["NOT_INSTALLED"]
    assert len(portal.calls) == 1


@responses.activate
def test_outcomes_are_kept_when_the_rest_can_not_be_finished() -> None:
    portal = Portal(batch_answer({"c0": True}, {"c1": LIMITED}), requests.ConnectionError("gone"))
    found = portal.listen(responses.mock).client().batch({"a": (BIND, {"event": "A"}), "b": (BIND, {"event": "B"})})
    assert found["a"] is True
    assert isinstance(found["b"], PortalUnreachable)


@responses.activate
def test_with_halt_the_commands_behind_an_expired_token_are_repeated_too() -> None:
    portal = Portal(batch_answer({"c0": 1}, {"c1": EXPIRED}), batch_answer({"c0": 2, "c1": 3})).listen(responses.mock)
    three = {name: (GET, {"id": name}) for name in ("a", "b", "c")}
    assert portal.client().batch(three, halt=True) == {"a": 1, "b": 2, "c": 3}


@responses.activate
def test_a_dead_token_in_a_batch_is_raised_when_nothing_was_done() -> None:
    portal = Portal(batch_answer(None, {"c0": EXPIRED})).listen(responses.mock)
    with pytest.raises(TokenExpired):
        portal.client().batch({"a": (GET, {"id": 1})})
    assert len(portal.calls) == 2


@responses.activate
def test_a_batch_that_is_refused_as_a_whole_is_raised() -> None:
    portal = Portal(root_error("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded", 400)).listen(responses.mock)
    with pytest.raises(PortalRefused, match="ERROR_BATCH_LENGTH_EXCEEDED"):
        portal.client().batch({"a": (GET, {"id": 1})})


@responses.activate
def test_a_batch_with_a_change_is_not_repeated_after_a_lost_answer() -> None:
    portal = Portal(requests.ReadTimeout("lost")).listen(responses.mock)
    with pytest.raises(PortalUnreachable):
        portal.client().batch({"a": (GET, {"id": 1}), "b": (BIND, {"event": "X"})})
    assert len(portal.calls) == 1


@responses.activate
def test_failed_commands_are_logged_with_method_and_code(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    portal = Portal(batch_answer(None, {"c0": ABSENT})).listen(responses.mock)
    portal.client().batch({"a": (GET, {"id": 1})})
    assert f"batch command {GET} failed: NotFound ({GET}: CONNECTOR_NOT_FOUND)" in caplog.text
    assert f"batch of 1 ({GET}) at acme.bitrix24.com answered 200, ok" in caplog.text


TRICKY = {
    "filter": {">=dateCreate": "2025-03-01 00:00:00", "%title": "50% & more = ü[0]+?#", "@id": [1, 2], "!name": "x y"},
    "order": {"id": "ASC"},
    "select": ["id", "title"],
    "page": 3,
}


def as_portal_reads(query: str) -> dict[str, Any]:
    """Decoded by the emulator's reader of PHP brackets, which knows nothing of this client."""
    return decode(parse_qsl(query, keep_blank_values=True))


def test_commands_reach_the_portal_as_they_were_meant() -> None:
    """facts/platform 5.5"""
    assert as_portal_reads(php_query(TRICKY)) == {
        "filter": {
            ">=dateCreate": "2025-03-01 00:00:00",
            "%title": "50% & more = ü[0]+?#",
            "@id": ["1", "2"],
            "!name": "x y",
        },
        "order": {"id": "ASC"},
        "select": ["id", "title"],
        "page": "3",
    }


@pytest.mark.parametrize(
    ("value", "text"), [(True, "a=1"), (False, "a=0"), (None, ""), ([], ""), ({}, ""), ("", "a="), (0, "a=0")]
)
def test_values_are_written_as_php_does(value: Any, text: str) -> None:
    assert php_query({"a": value}) == text


@given(st.dictionaries(st.text("abcXYZ09_", min_size=1, max_size=5), st.text(max_size=20), max_size=5))
def test_no_value_breaks_out_of_its_place(values: Mapping[str, str]) -> None:
    query = php_query({"filter": {f"%{name}": value for name, value in values.items()}})
    expected = {"filter": {f"%{name}": value for name, value in values.items()}} if values else {}
    assert as_portal_reads(query) == expected


@pytest.mark.parametrize(
    ("method", "reading"),
    [
        ("biconnector.connector.list", True),
        ("biconnector.source.get", True),
        ("biconnector.dataset.fields", True),
        ("profile", True),
        ("user.admin", True),
        ("app.info", True),
        ("method.get", True),
        ("biconnector.dataset.fields.update", False),
        ("biconnector.table.delete", False),
        ("event.bind", False),
        ("biconnector.connector.add", False),
        ("something.unknown", False),
    ],
)
def test_only_methods_known_to_read_count_as_reading(method: str, reading: bool) -> None:
    assert reads(method) is reading


class Shelf:
    """A portal with `count` connectors behind `*.list`, alone and in batches; ids are strings."""

    def __init__(self, count: int) -> None:
        self.ids = list(range(1, count + 1))
        self.asked: list[Mapping[str, Any]] = []

    def page(self, number: Any) -> list[dict[str, Any]]:
        start = 50 * (max(int(number), 1) - 1)
        return [{"id": str(id_), "title": f"c{id_}"} for id_ in self.ids[start : start + 50]]

    def answer(self, body: Mapping[str, Any]) -> Answer:
        if "cmd" not in body:
            self.asked.append(body)
            return result(self.page(body["page"]))
        self.asked += [params for _, params in commands(body).values()]
        return batch_answer({key: self.page(params["page"]) for key, (_, params) in commands(body).items()})


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 250, 1000, 1201])
@responses.activate
def test_all_objects_are_listed_page_by_page_until_one_is_not_full(count: int) -> None:
    """facts/biconnector 1.5"""
    shelf = Shelf(count)
    portal = Portal(shelf.answer).listen(responses.mock)
    pages = list(portal.client().pages(LIST, filter={"%title": "c"}))
    assert [int(item["id"]) for page in pages for item in page] == shelf.ids
    assert len(portal.calls) == count // 50 + 1
    assert all(body["order"] == {"id": "ASC"} for body in shelf.asked)


@pytest.mark.parametrize(
    ("count", "trips"), [(0, 1), (1, 1), (49, 1), (50, 1), (199, 1), (200, 2), (1000, 2), (1249, 2), (1250, 3)]
)
@responses.activate
def test_all_objects_are_listed_by_batch_in_few_round_trips(count: int, trips: int) -> None:
    """facts/performance 4 and 5: 1,000 objects in two round trips instead of twenty"""
    shelf = Shelf(count)
    portal = Portal(shelf.answer).listen(responses.mock)
    found = portal.client().everything(LIST, filter={"%title": "c"})
    assert [int(item["id"]) for item in found] == shelf.ids
    assert portal.methods == ["batch"] * trips
    assert all(params["order[id]"] == "ASC" for params in shelf.asked)
    assert all(params["filter[%title]"] == "c" for params in shelf.asked)


@responses.activate
def test_lists_can_be_walked_in_an_order_of_the_caller() -> None:
    shelf = Shelf(3)
    portal = Portal(shelf.answer).listen(responses.mock)
    portal.client().everything(LIST, order={"title": "DESC", "id": "ASC"})
    list(portal.client().pages(LIST, order={"title": "DESC"}))
    assert shelf.asked[0]["order[title]"] == "DESC"
    assert shelf.asked[-1]["order"] == {"title": "DESC"}


@responses.activate
def test_an_object_that_moved_to_the_next_page_meanwhile_is_told_once() -> None:
    shelf = Shelf(60)
    shelf.ids.insert(49, 50)
    portal = Portal(shelf.answer).listen(responses.mock)
    assert [int(item["id"]) for item in portal.client().everything(LIST)] == list(range(1, 61))


@responses.activate
def test_objects_without_an_id_are_all_kept() -> None:
    portal = Portal(run_batch(lambda _, params: [{"title": "same"}] * 2 if params["page"] == "1" else []))
    assert portal.listen(responses.mock).client().everything(LIST, select=["title"]) == [{"title": "same"}] * 2


@responses.activate
def test_a_portal_that_ignores_the_page_is_found_out() -> None:
    """facts/biconnector 1.5: a wrong parameter silently means page 1"""
    full = [{"id": str(number)} for number in range(50)]
    portal = Portal(run_batch(lambda *_: full)).listen(responses.mock)
    with pytest.raises(PortalUnreachable):
        portal.client().everything(LIST)
    assert len(portal.calls) == 2


@responses.activate
def test_what_goes_wrong_behind_the_last_page_does_not_matter() -> None:
    portal = Portal(run_batch(lambda _, params: [{"id": "1"}] if params["page"] == "1" else ABSENT))
    assert portal.listen(responses.mock).client().everything(LIST) == [{"id": "1"}]


@responses.activate
def test_what_goes_wrong_on_a_page_that_is_needed_is_raised() -> None:
    full = [{"id": str(number)} for number in range(50)]
    portal = Portal(run_batch(lambda _, params: full if params["page"] == "1" else ABSENT)).listen(responses.mock)
    with pytest.raises(NotFound):
        portal.client().everything(LIST)


@pytest.mark.parametrize("value", [True, None, {"items": []}, ["11"], "text"])
@responses.activate
def test_a_list_that_is_no_list_is_a_broken_answer(value: Any) -> None:
    portal = Portal(result(value)).listen(responses.mock)
    with pytest.raises(PortalUnreachable):
        list(portal.client().pages(LIST))


@responses.activate
def test_a_batch_waits_for_the_portal_as_a_single_call_does() -> None:
    portal = Portal(root_error("QUERY_LIMIT_EXCEEDED", "", 503), batch_answer({"c0": 1})).listen(responses.mock)
    assert portal.client().batch({"a": (GET, {"id": 1})}) == {"a": 1}
    assert portal.time.slept == [0.5]


@responses.activate
def test_the_operating_limit_of_one_method_is_the_outcome_of_its_commands_alone() -> None:
    """facts/platform 5.4: inner calls are charged separately"""
    busy = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}
    portal = Portal(batch_answer({"c0": 1}, {"c1": busy})).listen(responses.mock)
    found = portal.client().batch({"a": (GET, {"id": 1}), "b": (LIST, {})})
    assert found["a"] == 1
    assert isinstance(found["b"], PortalBusy)
    assert isinstance(found["b"], ApplicationError)
