"""facts/biconnector 1.1-1.4 and 3.2, facts/platform 5.2, 5.3 and 5.5: what an answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from errors import (
    AccessDenied,
    ApplicationError,
    InUse,
    NotFound,
    PaymentRequired,
    PortalBusy,
    PortalGone,
    PortalRefused,
    PortalUnreachable,
    TokenDead,
)
from services.portal_api._transport import Reply
from services.portal_api.replies import TokenExpired, judge, outcomes
from tests.fuzz import cases
from tests.services.portal_api.portal import SHAPES, Answer, batch_answer, inner_error, result, root_error

SYSTEM_ERRORS: list[tuple[int, str, type[ApplicationError]]] = [
    (500, "INTERNAL_SERVER_ERROR", PortalUnreachable),
    (500, "ERROR_UNEXPECTED_ANSWER", PortalUnreachable),
    (503, "QUERY_LIMIT_EXCEEDED", PortalBusy),
    (503, "OVERLOAD_LIMIT", PortalRefused),
    (429, "OPERATION_TIME_LIMIT", PortalBusy),
    (405, "ERROR_BATCH_METHOD_NOT_ALLOWED", PortalRefused),
    (400, "ERROR_BATCH_LENGTH_EXCEEDED", PortalRefused),
    (400, "INVALID_REQUEST", PortalRefused),
    (401, "NO_AUTH_FOUND", TokenDead),
    (401, "expired_token", TokenExpired),
    (403, "ACCESS_DENIED", AccessDenied),
    (403, "INVALID_CREDENTIALS", AccessDenied),
    (401, "INVALID_CREDENTIALS", AccessDenied),
    (403, "insufficient_scope", AccessDenied),
    (403, "user_access_error", AccessDenied),
    (404, "ERROR_MANIFEST_IS_NOT_AVAILABLE", PortalRefused),
    (500, "PORTAL_DELETED", PortalGone),
    (410, "PORTAL_DELETED", PortalGone),
    (401, "invalid_token", TokenDead),
    (401, "authorization_error", TokenDead),
    (401, "APPLICATION_NOT_FOUND", PortalGone),
    (401, "ERROR_OAUTH", PortalGone),
    (401, "PAYMENT_REQUIRED", PaymentRequired),
    (403, "ALLOWED_ONLY_INTRANET_USER", AccessDenied),
    (403, "WRONG_AUTH_TYPE", AccessDenied),
    (401, "METHOD_CONFIRM_WAITING", AccessDenied),
    (403, "METHOD_CONFIRM_DENIED", AccessDenied),
    (404, "ERROR_METHOD_NOT_FOUND", PortalRefused),
]
OBJECT_ERRORS: list[tuple[str, str, type[PortalRefused]]] = [
    ("biconnector.connector.get", "CONNECTOR_NOT_FOUND", NotFound),
    ("biconnector.source.get", "SOURCE_NOT_FOUND", NotFound),
    ("biconnector.table.get", "DATASET_NOT_FOUND", NotFound),
    ("biconnector.connector.delete", "CONNECTOR_DELETE_RESTRICTED", InUse),
    ("biconnector.source.delete", "BX_ERROR", InUse),
    ("biconnector.source.add", "BX_ERROR", PortalRefused),
    ("biconnector.connector.list", "ACCESS_DENIED", AccessDenied),
    ("biconnector.dataset.add", "DATASET_ALREADY_EXIST", PortalRefused),
    ("biconnector.dataset.add", "NAME_EXISTS", PortalRefused),
    ("biconnector.source.update", "", PortalRefused),
]


def verdict(method: str, answer: Answer) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        judge(method, answer.reply())
    return caught.value


@pytest.mark.parametrize(("status", "code", "kind"), SYSTEM_ERRORS)
@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_every_system_error_of_platform_5_3_is_told_by_its_code_in_any_case(
    status: int, code: str, kind: type[ApplicationError], spelling: Any
) -> None:
    assert type(verdict("biconnector.connector.list", root_error(spelling(code), "text", status))) is kind


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("method", "code", "kind"), OBJECT_ERRORS)
def test_errors_in_the_root_and_inside_result_are_the_same_errors(
    shape: str, method: str, code: str, kind: type[PortalRefused]
) -> None:
    """facts/biconnector 1.3 and 3.2"""
    error = verdict(method, SHAPES[shape](code, "All the fields are required."))
    assert type(error) is kind
    assert isinstance(error, PortalRefused)
    assert (error.method, error.code, error.description) == (method, code, "All the fields are required.")


@pytest.mark.parametrize("value", [{"id": 4}, [], [{"id": "11"}], True, False, None, 0, "", {"item": {"error": "x"}}])
def test_a_success_is_whatever_stands_in_result(value: Any) -> None:
    """facts/biconnector 1.1"""
    assert judge("biconnector.connector.add", result(value).reply()) == value


def test_a_result_with_a_field_named_error_alone_is_no_error() -> None:
    assert judge("profile", result({"error": "a word"}).reply()) == {"error": "a word"}


def test_an_order_direction_of_its_own_is_refused_with_400_in_the_root() -> None:
    """facts/biconnector 1.4"""
    error = verdict("biconnector.source.list", root_error("ERROR_ARGUMENT", "wrong order", 400))
    assert isinstance(error, PortalRefused)
    assert error.code == "ERROR_ARGUMENT"


def test_an_error_without_any_code_is_still_an_error() -> None:
    """facts/api 6.1: the code `-`"""
    error = verdict("biconnector.dataset.add", Answer({"error_description": "Error adding dataset"}))
    assert isinstance(error, PortalRefused)
    assert (error.code, error.description) == ("", "Error adding dataset")


def test_the_error_shape_of_rest_3_is_understood() -> None:
    error = verdict("app.info", Answer({"error": {"code": "ACCESS_DENIED", "message": "no"}}, 403))
    assert isinstance(error, AccessDenied)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, PortalUnreachable),
        (502, PortalUnreachable),
        (429, PortalBusy),
        (401, AccessDenied),
        (403, AccessDenied),
        (410, PortalGone),
        (400, PortalRefused),
        (200, PortalRefused),
    ],
)
def test_the_status_decides_about_codes_that_nobody_documented(status: int, kind: type[ApplicationError]) -> None:
    assert type(verdict("biconnector.table.list", root_error("SOMETHING_NEW", "", status))) is kind


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (302, b"", "redirect"),
        (403, b"<html>Forbidden</html>", "status"),
        (500, b"Fatal error: Allowed memory size", "status"),
        (502, b"<html>Bad Gateway</html>", "status"),
        (200, b"<html>maintenance</html>", "not-json"),
        (200, b"", "not-json"),
        (200, b'{"result":', "not-json"),
        (200, b"[1, 2]", "not-json"),
        (200, b'"text"', "not-json"),
        (200, b"{}", "not-json"),
        (200, b'{"time": {}}', "not-json"),
        (200, b"\xff\xfe\x00\x01", "not-json"),
        (200, b"[" * 100_000, "not-json"),
        (200, b'{"result": ' + b"9" * 5000 + b"}", "not-json"),
        (500, b'{"result": true}', "status"),
    ],
)
def test_what_is_no_answer_of_bitrix24_is_an_unreachable_portal(status: int, body: bytes, reason: str) -> None:
    """facts/platform 5.3: 302/403/500 with a non-JSON body"""
    with pytest.raises(PortalUnreachable) as caught:
        judge("profile", Reply(status, {}, body))
    assert caught.value.reason == reason
    assert caught.value.status == status


@pytest.mark.parametrize("code", ["x" * 65, "b7c51f63 canary", "line\nbreak", "<script>", "код", "b7c51f63006f4a13"])
def test_a_code_that_is_no_code_is_replaced_since_codes_are_logged(code: str) -> None:
    error = verdict("profile", root_error(code, "description"))
    assert isinstance(error, PortalRefused)
    assert error.code == "UNREADABLE_CODE"
    assert code not in str(error)


def test_the_operating_limit_tells_how_long_to_wait() -> None:
    """facts/platform 5.2, 5.3: `operating_reset_at` is a moment"""
    body = {"error": "OPERATION_TIME_LIMIT", "time": {"operating_reset_at": 1_700_000_300}}
    with pytest.raises(PortalBusy) as caught:
        judge("biconnector.source.list", Answer(body, 429).reply(), now=lambda: 1_700_000_000.0)
    assert caught.value.retry_after == 300


@pytest.mark.parametrize(("headers", "expected"), [({}, None), ({"retry-after": "30"}, 30.0)])
def test_other_limits_do_not_wait_for_the_operating_limit(headers: dict[str, str], expected: float | None) -> None:
    """facts/platform 5.4: the rate limit is another one, and its `time` tells the moment as well"""
    body = {"error": "QUERY_LIMIT_EXCEEDED", "time": {"operating_reset_at": 1_700_000_300}}
    reply = Reply(503, headers, json.dumps(body).encode())
    with pytest.raises(PortalBusy) as caught:
        judge("biconnector.source.list", reply, now=lambda: 1_700_000_000.0)
    assert caught.value.retry_after == expected


@pytest.mark.parametrize("moment", ["NaN", "Infinity", "-Infinity", "1e400", "true", '"soon"'])
def test_a_moment_that_is_none_tells_nothing(moment: str) -> None:
    body = f'{{"error": "OPERATION_TIME_LIMIT", "time": {{"operating_reset_at": {moment}}}}}'
    with pytest.raises(PortalBusy) as caught:
        judge("biconnector.source.list", Reply(429, {}, body.encode()))
    assert caught.value.retry_after is None


def test_a_retry_after_header_is_understood_and_nonsense_in_it_is_not() -> None:
    for header, expected in (("30", 30.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-5", None)):
        answer = root_error("QUERY_LIMIT_EXCEEDED", "", 503)
        with pytest.raises(PortalBusy) as caught:
            judge("profile", Reply(503, {"retry-after": header}, answer.text.encode()))
        assert caught.value.retry_after == expected


METHODS = {"good": "profile", "bad": "biconnector.connector.get", "inner": "biconnector.source.get", "late": "scope"}


def batch_result(answer: Answer) -> Any:
    return judge("batch", answer.reply())


def test_each_command_of_a_batch_has_an_outcome_of_its_own() -> None:
    """facts/platform 5.5, facts/biconnector 1.3 inside a batch"""
    inner = json.loads(inner_error("SOURCE_NOT_FOUND", "Source was not found.").text)["result"]
    errors = {"bad": {"error": "CONNECTOR_NOT_FOUND", "error_description": "Connector was not found."}}
    found = outcomes(METHODS, batch_result(batch_answer({"good": {"ID": "1"}, "inner": inner, "late": []}, errors)))
    assert found["good"] == {"ID": "1"}
    assert found["late"] == []
    assert [type(found[key]) for key in ("bad", "inner")] == [NotFound, NotFound]
    assert found["inner"].method == "biconnector.source.get"


def test_a_command_that_was_not_run_has_no_outcome() -> None:
    found = outcomes(METHODS, batch_result(batch_answer({"good": True}, {"bad": {"error": "X"}})))
    assert set(found) == {"good", "bad"}


def test_php_writes_maps_as_lists_when_it_likes() -> None:
    """facts/platform 5.2"""
    assert outcomes({"0": "profile", "1": "scope"}, batch_result(batch_answer([{"ID": 1}, ["biconnector"]]))) == {
        "0": {"ID": 1},
        "1": ["biconnector"],
    }


def test_an_expired_token_can_show_up_in_result_error_only() -> None:
    """facts/platform 5.5"""
    error = {"error": "expired_token", "error_description": "The access token provided has expired."}
    found = outcomes(METHODS, batch_result(batch_answer(None, {"good": error})))
    assert isinstance(found["good"], TokenExpired)


@pytest.mark.parametrize("value", [True, None, [], "text", 5])
def test_an_answer_without_outcomes_is_no_answer_to_a_batch(value: Any) -> None:
    with pytest.raises(PortalUnreachable):
        outcomes(METHODS, value)


KEYS = st.sampled_from(["result", "error", "error_description", "time", "result_error", "operating_reset_at", "c0"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
STATUS = st.sampled_from([200, 302, 400, 401, 403, 404, 429, 500, 503])


@settings(max_examples=cases(1000))
@given(st.dictionaries(KEYS, JSON, max_size=4), STATUS)
@example({"error": {"error": {"error": "x"}}}, 200)
@example({"error": "QUERY_LIMIT_EXCEEDED", "time": {"operating_reset_at": float("nan")}}, 503)
def test_whatever_a_portal_answers_is_a_result_or_an_error_of_the_tree(answer: dict[str, Any], status: int) -> None:
    """facts/security 7: bad portal answers of both error shapes"""
    try:
        result = judge("batch", Reply(status, {}, json.dumps(answer).encode()))
        found = outcomes({"c0": "profile"}, result)
    except ApplicationError:
        return
    assert set(found) <= {"c0"}
