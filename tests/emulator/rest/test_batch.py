"""`batch` (facts/platform 5.5)."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.emulator.portals import EmulatedPortal


def test_results_keep_their_keys_and_empty_maps_are_lists(emulated: EmulatedPortal) -> None:
    """facts/platform 5.2: PHP writes an empty map as `[]`."""
    answer = emulated.call("batch", cmd={"me": "profile", "fields": "biconnector.source.fields.json"})
    assert set(answer["result"]) == {"me", "fields"}
    assert (answer["result_error"], answer["result_total"], answer["result_next"]) == ([], [], [])
    assert set(answer["result_time"]) == {"me", "fields"}


def test_a_list_of_commands_is_answered_with_a_list(emulated: EmulatedPortal) -> None:
    answer = emulated.call("batch", cmd=["profile", "user.admin"])
    assert answer["result"][1] is False
    answer = emulated.call("batch", cmd=["nothing", "user.admin"])
    assert answer["result"] == {"1": False}
    assert answer["result_error"][0]["error"] == "ERROR_METHOD_NOT_FOUND"


@pytest.mark.parametrize("commands", [{}, [], None, "profile"])
def test_nothing_to_do(emulated: EmulatedPortal, commands: object) -> None:
    assert emulated.call("batch", cmd=commands)["result"] == []


def test_fifty_calls_are_the_most(emulated: EmulatedPortal) -> None:
    assert len(emulated.call("batch", cmd=["profile"] * 50)["result"]) == 50
    assert emulated.fault("batch", cmd=["profile"] * 51) == (400, "ERROR_BATCH_LENGTH_EXCEEDED")


@pytest.mark.parametrize("inner", ["batch?cmd[a]=profile", "BATCH", "batch.json"])
def test_batches_do_not_nest(emulated: EmulatedPortal, inner: str) -> None:
    errors = emulated.call("batch", cmd={"inner": inner})["result_error"]
    assert errors["inner"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


def test_commands_are_run_in_order_and_may_use_earlier_results(emulated: EmulatedPortal) -> None:
    title = quote("Sales & more = 100% [x]")
    urls = "&".join(f"fields[{name}]=http://e.test/" for name in ("urlCheck", "urlData", "urlTableList"))
    settings = "fields[settings][0][code]=a&fields[settings][0][name]=A&fields[settings][0][type]=STRING"
    command = f"biconnector.connector.add?fields[title]={title}&fields[logo]=x&{urls}&{settings}"
    answer = emulated.call(
        "batch",
        cmd={
            "add": f"{command}&fields[urlTableDescription]=http://e.test/",
            "get": "biconnector.connector.get?id=$result[add][id]",
            "list": "biconnector.connector.list?filter[@id][]=$result[add][id]",
            "again": "biconnector.connector.get?id=$result[list][0][id]",
        },
    )
    assert answer["result"]["get"]["item"]["title"] == "Sales & more = 100% [x]"
    assert answer["result"]["list"][0]["id"] == "1"
    assert answer["result"]["again"] == answer["result"]["get"]


def test_a_reference_to_nothing_is_an_empty_value(emulated: EmulatedPortal) -> None:
    answer = emulated.call("batch", cmd={"get": "biconnector.connector.get?id=$result[missing][id]"})
    assert answer["result"]["get"]["error"]["error"] == "VALIDATION_INVALID_ID_FORMAT"


def test_module_errors_stay_inside_result(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.3 inside facts/platform 5.5"""
    answer = emulated.call("batch", cmd={"get": "biconnector.connector.get"})
    error = {"error": "VALIDATION_ID_NOT_PROVIDED", "error_description": "ID is missing."}
    assert answer["result"] == {"get": {"error": error}}
    emulated.control("error-shape", shape="root")
    answer = emulated.call("batch", cmd={"get": "biconnector.connector.get"})
    assert (answer["result"], answer["result_error"]) == ([], {"get": error})


@pytest.mark.parametrize(("halt", "done"), [(0, ["a", "c"]), ("0", ["a", "c"]), (1, ["a"]), (True, ["a"])])
def test_halt_stops_at_the_first_error(emulated: EmulatedPortal, halt: object, done: list[str]) -> None:
    answer = emulated.call("batch", halt=halt, cmd={"a": "profile", "b": "nothing", "c": "profile"})
    assert list(answer["result"]) == done


def test_faults_inside_a_batch_show_up_in_result_error_only(emulated: EmulatedPortal) -> None:
    """facts/platform 5.5: the batch itself is always 200."""
    emulated.control("fail", target="user.admin", code="expired_token")
    answer = emulated.call("batch", cmd={"a": "profile", "b": "user.admin"})
    assert list(answer["result"]) == ["a"]
    assert answer["result_error"]["b"]["error"] == "expired_token"
