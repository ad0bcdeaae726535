"""The REST server itself: tokens, scopes, refusals, shapes, faults (facts/platform 5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.portals import CONNECTOR, EmulatedPortal

TIME_KEYS = {"start", "finish", "duration", "processing", "date_start", "date_finish", "operating"}


@pytest.mark.parametrize("path", ["/rest/profile", "/rest/profile.json", "/rest/PROFILE", "/rest/profile/"])
def test_a_method_has_several_addresses(emulated: EmulatedPortal, path: str) -> None:
    """facts/platform 5.1"""
    assert emulated.http.post(path, json={"auth": emulated.token()}).get_json()["result"]["ID"] == "2"


def test_the_token_comes_in_query_form_or_json(emulated: EmulatedPortal) -> None:
    """facts/platform 5.1"""
    token = emulated.token()
    for answer in (
        emulated.http.get("/rest/profile", query_string={"auth": token}),
        emulated.http.post("/rest/profile", query_string={"auth": token}),
        emulated.http.post("/rest/profile", data={"auth": token}),
        emulated.http.post("/rest/profile", json={"auth": token}),
        emulated.http.post("/rest/profile", query_string={"auth": "stale"}, json={"auth": token}),
    ):
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "{}"])
def test_a_body_that_is_no_object_carries_no_token(emulated: EmulatedPortal, body: str) -> None:
    answer = emulated.http.post("/rest/profile", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["error"]) == (401, "NO_AUTH_FOUND")


@pytest.mark.parametrize("token", ["", "nonsense", "f" * 70, None, 5, ["a"], {"a": "b"}])
def test_an_unknown_token_is_refused(emulated: EmulatedPortal, token: Any) -> None:
    """facts/platform 5.3"""
    answer = emulated.http.post("/rest/profile", json={"auth": token})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "NO_AUTH_FOUND")
    assert answer.get_json()["error_description"] == "Wrong authorization data"


def test_access_tokens_live_an_hour(emulated: EmulatedPortal) -> None:
    """facts/platform 3.3, 5.3"""
    token = emulated.token()
    emulated.clock.forward(3599)
    assert emulated.http.post("/rest/profile", json={"auth": token}).status_code == 200
    emulated.clock.forward(1)
    answer = emulated.http.post("/rest/profile", json={"auth": token})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "expired_token")


def test_refusals_that_have_a_state(emulated: EmulatedPortal) -> None:
    """facts/platform 5.3"""
    token = emulated.token("analyst")

    def refused() -> tuple[int, str]:
        answer = emulated.http.post("/rest/profile", json={"auth": token})
        return answer.status_code, answer.get_json().get("error", "")

    emulated.control("access", users=["admin"])
    assert refused() == (403, "user_access_error")
    emulated.control("access", users=None)
    emulated.control("rights", user="analyst", active=False)
    assert refused() == (401, "authorization_error")
    emulated.control("rights", user="analyst", active=True)
    emulated.control("payment", required=True)
    assert refused() == (401, "PAYMENT_REQUIRED")
    emulated.control("payment", required=False)
    emulated.control("plan", rest=False)
    assert refused() == (403, "ACCESS_DENIED")
    emulated.control("plan", rest=True)
    assert refused() == (200, "")
    emulated.control("uninstall")
    assert refused() == (401, "ERROR_OAUTH")


def test_scopes_open_methods(emulated: EmulatedPortal) -> None:
    """facts/platform 5.1: a call needs the scope and the user's rights."""
    emulated.portal.app.scope = ["placement"]
    assert emulated.fault("biconnector.connector.list") == (403, "insufficient_scope")
    assert emulated.fault("user.current") == (403, "insufficient_scope")
    assert emulated.post("profile").status_code == 200


def test_unknown_methods(emulated: EmulatedPortal, older: EmulatedPortal) -> None:
    """facts/biconnector 4.1"""
    assert emulated.fault("biconnector.connector.remove") == (404, "ERROR_METHOD_NOT_FOUND")
    assert older.fault("biconnector.table.list") == (404, "ERROR_METHOD_NOT_FOUND")
    assert older.post("biconnector.table.list").get_json()["error_description"] == "Method not found!"


def test_every_answer_has_the_time(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.3, facts/platform 5.2"""
    for answer in (
        emulated.post("profile"),
        emulated.post("biconnector.connector.get"),
        emulated.post("nothing"),
        emulated.post("biconnector.connector.list", order={"id": "x"}),
    ):
        assert set(answer.get_json()["time"]) >= TIME_KEYS


def test_errors_of_the_module_move_to_the_root_on_request(emulated: EmulatedPortal) -> None:
    """facts/api 1.2, facts/biconnector 1.3"""
    emulated.control("error-shape", shape="root")
    answer = emulated.post("biconnector.connector.get")
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["error"], body["error_description"]) == ("VALIDATION_ID_NOT_PROVIDED", "ID is missing.")
    assert set(body) == {"error", "error_description", "time"}


def test_the_rate_limit_is_a_leaky_bucket_per_address(emulated: EmulatedPortal) -> None:
    """facts/platform 5.4"""
    emulated.control("rate-limit", per_second=2, capacity=5)
    token = emulated.token()

    def status(address: str = "10.0.0.1") -> int:
        environ = {"REMOTE_ADDR": address}
        return emulated.http.post("/rest/profile", json={"auth": token}, environ_overrides=environ).status_code

    assert [status() for _ in range(7)] == [200] * 5 + [503, 503]
    assert status("10.0.0.2") == 200
    emulated.clock.forward(1)
    assert [status() for _ in range(3)] == [200, 200, 503]
    emulated.control("rate-limit", enabled=False)
    assert {status() for _ in range(60)} == {200}


def test_a_batch_counts_as_one_call(emulated: EmulatedPortal) -> None:
    """facts/platform 5.4"""
    emulated.control("rate-limit", capacity=1)
    commands = {str(number): "profile" for number in range(50)}
    assert emulated.call("batch", cmd=commands)["result_error"] == []
    assert emulated.fault("batch", cmd=commands) == (503, "QUERY_LIMIT_EXCEEDED")


def test_a_renamed_portal_redirects_and_keeps_its_identity(emulated: EmulatedPortal) -> None:
    """facts/platform 5.6"""
    token, member_id = emulated.token(), emulated.portal.member_id
    emulated.control("rename", origin="http://127.0.0.1:8001")
    answer = emulated.http.post("/rest/profile?a=1", json={"auth": token}, base_url="http://localhost:8001")
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:8001/rest/profile?a=1")
    assert not answer.is_json
    new = "http://127.0.0.1:8001"
    assert emulated.http.post("/rest/profile", json={"auth": token}, base_url=new).status_code == 200
    info = emulated.http.get(f"/rest/app.info?auth={token}", base_url="http://localhost:8001").get_json()["result"]
    assert info["install"]["client_endpoint"] == "http://127.0.0.1:8001/rest/"
    assert info["install"]["member_id"] == member_id


def test_a_rename_back_redirects_the_other_way(emulated: EmulatedPortal) -> None:
    emulated.control("rename", origin="http://127.0.0.1:8001")
    emulated.control("rename", origin="http://localhost:8001")
    answer = emulated.http.post("/rest/profile", base_url="http://127.0.0.1:8001")
    assert answer.headers["Location"] == "http://localhost:8001/rest/profile"
    assert emulated.http.post("/rest/profile", base_url="http://localhost:8001").status_code == 401


def test_faults_meet_the_next_calls_only(emulated: EmulatedPortal) -> None:
    emulated.control("fail", code="QUERY_LIMIT_EXCEEDED", times=2)
    emulated.control("fail", target="profile", shape="text")
    assert emulated.fault("biconnector.connector.list") == (503, "QUERY_LIMIT_EXCEEDED")
    assert emulated.fault("profile") == (503, "QUERY_LIMIT_EXCEEDED")
    nonsense = emulated.post("profile")
    assert (nonsense.status_code, nonsense.mimetype) == (502, "text/html")
    assert emulated.post("profile").status_code == 200


def test_faults_of_one_method_leave_the_others_alone(emulated: EmulatedPortal) -> None:
    """facts/platform 5.4: other methods go on when one is blocked."""
    emulated.control("fail", target="Biconnector.Connector.List", code="OPERATION_TIME_LIMIT", times=3)
    assert emulated.post("profile").status_code == 200
    assert emulated.fault("biconnector.connector.list") == (429, "OPERATION_TIME_LIMIT")


def test_the_portal_fails_without_its_authorization_server(emulated: EmulatedPortal) -> None:
    token = emulated.token()
    emulated.control("fail", target="rest", times=1)
    assert emulated.http.get(f"/rest/app.info?auth={token}").status_code == 200
    emulated.control("fail", target="oauth", status=503, code="", message="")
    assert emulated.http.get(f"/rest/app.info?auth={token}").status_code == 503


def test_the_call_log_holds_no_secrets(emulated: EmulatedPortal) -> None:
    emulated.call("biconnector.connector.add", fields=CONNECTOR)
    fields = {"title": "s", "connectorId": 1, "settings": {"password": "s3cr3t-word"}}
    emulated.post("biconnector.source.add", fields=fields)
    emulated.post("batch", cmd=["biconnector.source.add?fields[settings][password]=s3cr3t-word"])
    state = emulated.http.get("/_emulator/state")
    calls = state.get_json()["calls"]
    assert [call["method"] for call in calls] == [
        "biconnector.connector.add",
        "biconnector.source.add",
        "biconnector.source.add",
        "batch",
    ]
    assert calls[0]["parameters"]["fields"]["settings"] == CONNECTOR["settings"]
    assert calls[1]["parameters"]["fields"]["settings"] == {"password": "***"}
    assert calls[3]["parameters"]["cmd"] == {"0": "biconnector.source.add"}
    for secret in ("s3cr3t-word", emulated.token(), emulated.config.client_secret):
        assert secret not in state.text


@pytest.mark.parametrize("path", ["/rest/99/code/profile", "/rest/nobody/code/profile"])
def test_webhooks_belong_to_users(emulated: EmulatedPortal, path: str) -> None:
    assert emulated.http.post(path).status_code == 401
    assert emulated.http.post("/rest/1/code/profile").get_json()["result"]["ADMIN"] is True
