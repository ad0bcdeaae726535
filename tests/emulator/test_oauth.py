"""The authorization server (facts/platform 3.2-3.4)."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from emulator import tokens
from emulator.records import Grant
from tests.emulator.portals import EmulatedPortal

DAY = 24 * 3600


def exchange(emulated: EmulatedPortal, verb: str = "post", **changes: Any) -> TestResponse:
    """Ask for tokens; a change to None leaves a parameter out."""
    params = {
        "grant_type": "refresh_token",
        "client_id": emulated.config.client_id,
        "client_secret": emulated.config.client_secret,
        **changes,
    }
    given = {name: value for name, value in params.items() if value is not None}
    if verb == "get":
        return emulated.http.get("/oauth/token/", query_string=given)
    return emulated.http.post("/oauth/token/", data=given)


@pytest.mark.parametrize("verb", ["get", "post"])
def test_a_refresh_answers_a_new_pair(emulated: EmulatedPortal, verb: str) -> None:
    """facts/platform 3.2, 3.3"""
    old = emulated.control("token", user="analyst")
    answer = exchange(emulated, verb, refresh_token=old["refresh_token"])
    assert answer.status_code == 200
    new = answer.get_json()
    assert {new["access_token"], new["refresh_token"]}.isdisjoint({old["access_token"], old["refresh_token"]})
    assert {key: value for key, value in new.items() if not key.endswith("_token")} == {
        "expires": int(emulated.clock.now) + 3600,
        "expires_in": 3600,
        "scope": "biconnector,placement,user_brief",
        "domain": "localhost:8001",
        "server_endpoint": "http://localhost:8001/rest/",
        "client_endpoint": "http://localhost:8001/rest/",
        "member_id": emulated.portal.member_id,
        "status": "F",
        "user_id": 2,
    }


def test_a_refresh_token_works_once(emulated: EmulatedPortal) -> None:
    """facts/platform 3.3: rotating"""
    first = emulated.control("token")["refresh_token"]
    second = exchange(emulated, refresh_token=first).get_json()["refresh_token"]
    again = exchange(emulated, refresh_token=first)
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_grant")
    assert exchange(emulated, refresh_token=second).status_code == 200


def test_a_refresh_token_lives_180_days(emulated: EmulatedPortal) -> None:
    """facts/platform 3.3"""
    pair = emulated.control("token")
    emulated.clock.forward(180 * DAY - 1)
    fresh = exchange(emulated, refresh_token=pair["refresh_token"])
    assert fresh.status_code == 200
    emulated.clock.forward(180 * DAY)
    assert exchange(emulated, refresh_token=fresh.get_json()["refresh_token"]).status_code == 400


def test_a_code_works_once_within_thirty_seconds(emulated: EmulatedPortal) -> None:
    """facts/platform 3.2"""
    code = emulated.control("code", user="admin")["code"]
    emulated.clock.forward(29)
    answer = exchange(emulated, grant_type="authorization_code", code=code)
    assert answer.get_json()["user_id"] == 1
    assert exchange(emulated, grant_type="authorization_code", code=code).status_code == 400
    late = emulated.control("code")["code"]
    emulated.clock.forward(30)
    assert exchange(emulated, grant_type="authorization_code", code=late).get_json()["error"] == "invalid_grant"


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"grant_type": None}, 400, "invalid_request"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"client_id": None}, 400, "invalid_request"),
    ({"client_id": "app.unknown.1"}, 200, "wrong_client"),
    ({"client_secret": "wrong"}, 400, "invalid_client"),
    ({"client_secret": None}, 400, "invalid_client"),
    ({"refresh_token": None}, 400, "invalid_request"),
    ({"refresh_token": ""}, 400, "invalid_request"),
    ({"refresh_token": "f" * 70}, 400, "invalid_grant"),
    ({"grant_type": "authorization_code"}, 400, "invalid_request"),
    ({"grant_type": "authorization_code", "code": "x"}, 400, "invalid_grant"),
]


@pytest.mark.parametrize(("changes", "status", "code"), REFUSALS)
def test_refusals(emulated: EmulatedPortal, changes: dict[str, Any], status: int, code: str) -> None:
    """facts/platform 3.4, an unknown `client_id` with status 200 among them."""
    refresh_token = emulated.control("token")["refresh_token"]
    answer = exchange(emulated, **{"refresh_token": refresh_token, **changes})
    assert (answer.status_code, answer.get_json()["error"]) == (status, code)
    assert set(answer.get_json()) == {"error", "error_description"}


def test_an_access_token_is_no_refresh_token(emulated: EmulatedPortal) -> None:
    pair = emulated.control("token")
    assert exchange(emulated, refresh_token=pair["access_token"]).get_json()["error"] == "invalid_grant"


def test_another_applications_refresh_token_is_refused(emulated: EmulatedPortal) -> None:
    emulated.control("token")
    other = emulated.control("token", client_id="app.other.2")
    assert exchange(emulated, refresh_token=other["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_tokens_end_with_the_installation(emulated: EmulatedPortal) -> None:
    """facts/platform 3.4, 8: a reinstallation does not bring old tokens back."""
    pair = emulated.control("token")
    emulated.control("uninstall")
    answer = exchange(emulated, refresh_token=pair["refresh_token"])
    assert (answer.status_code, answer.get_json()["error"]) == (401, "NOT_INSTALLED")
    emulated.control("token")
    assert exchange(emulated, refresh_token=pair["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_an_unpaid_application_gets_no_tokens(emulated: EmulatedPortal) -> None:
    """facts/platform 3.4"""
    pair = emulated.control("token")
    emulated.control("payment", required=True)
    answer = exchange(emulated, refresh_token=pair["refresh_token"])
    assert (answer.status_code, answer.get_json()["error"]) == (401, "PAYMENT_REQUIRED")
    emulated.control("payment", required=False)
    assert exchange(emulated, refresh_token=pair["refresh_token"]).status_code == 200


def test_a_rename_shows_in_the_next_refresh(emulated: EmulatedPortal) -> None:
    """facts/platform 5.6"""
    pair = emulated.control("token")
    emulated.control("rename", origin="https://new.example:444")
    new = exchange(emulated, refresh_token=pair["refresh_token"]).get_json()
    assert new["client_endpoint"] == "https://new.example:444/rest/"
    assert new["server_endpoint"] == "http://localhost:8001/rest/"


def test_faults_of_the_authorization_server_keep_the_refresh_token(emulated: EmulatedPortal) -> None:
    pair = emulated.control("token")
    emulated.control("fail", target="oauth", shape="text")
    assert exchange(emulated, refresh_token=pair["refresh_token"]).status_code == 502
    assert exchange(emulated, refresh_token=pair["refresh_token"]).status_code == 200


def test_the_log_of_refreshes_holds_no_secrets(emulated: EmulatedPortal) -> None:
    pair = emulated.control("token")
    code = emulated.control("code")["code"]
    exchange(emulated, refresh_token=pair["refresh_token"])
    exchange(emulated, "get", grant_type="authorization_code", code=code)
    state = emulated.http.get("/_emulator/state").text
    for secret in (pair["refresh_token"], code, emulated.config.client_secret):
        assert secret not in state


def test_expire_by_control(emulated: EmulatedPortal) -> None:
    pair = emulated.control("token")
    assert emulated.control("expire-tokens") == {"expired": 1}
    assert emulated.http.post("/rest/profile", json={"auth": pair["access_token"]}).status_code == 401
    fresh = exchange(emulated, refresh_token=pair["refresh_token"]).get_json()
    emulated.control("expire-tokens", refresh=True)
    assert exchange(emulated, refresh_token=fresh["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_tokens_of_two_calls_never_repeat(emulated: EmulatedPortal) -> None:
    pairs = [emulated.control("token") for _ in range(20)]
    assert len({pair[name] for pair in pairs for name in ("access_token", "refresh_token")}) == 40
    assert {len(pair["access_token"]) for pair in pairs} == {2 * tokens.TOKEN_BYTES}


def issued(emulated: EmulatedPortal, user: str = "analyst") -> Grant:
    """A pair made the way every opening of the application makes one."""
    return tokens.issue(emulated.portal, emulated.portal.app, emulated.portal.user(user))


def test_any_number_of_openings_leaves_a_bounded_number_of_pairs(emulated: EmulatedPortal) -> None:
    """Every opening and every event issues a pair; the latest of each user work on, whatever others do."""
    administrators = emulated.control("token", user="admin")
    for _ in range(5 * tokens.KEPT):
        latest = issued(emulated)
    assert len(emulated.portal.state.grants) == tokens.KEPT + 1
    assert emulated.http.post("/rest/profile", json={"auth": latest.access_token}).status_code == 200
    assert emulated.http.post("/rest/profile", json={"auth": administrators["access_token"]}).status_code == 200
    assert exchange(emulated, refresh_token=administrators["refresh_token"]).status_code == 200


def test_a_pair_that_can_do_nothing_any_more_is_forgotten_a_day_later(emulated: EmulatedPortal) -> None:
    """facts/platform 3.3, 5.3: until then its access token is told to have expired."""
    old = emulated.control("token")
    exchange(emulated, refresh_token=old["refresh_token"])
    emulated.clock.forward(3600 + DAY - 1)
    issued(emulated)
    answer = emulated.http.post("/rest/profile", json={"auth": old["access_token"]})
    assert answer.get_json()["error"] == "expired_token"
    emulated.clock.forward(1)
    issued(emulated)
    assert len(emulated.portal.state.grants) == 3
    assert (
        emulated.http.post("/rest/profile", json={"auth": old["access_token"]}).get_json()["error"] == "NO_AUTH_FOUND"
    )


def test_an_unused_refresh_token_is_kept_for_all_its_180_days(emulated: EmulatedPortal) -> None:
    """facts/platform 3.3"""
    old = emulated.control("token", user="admin")
    for _ in range(179):
        emulated.clock.forward(DAY)
        issued(emulated)
    assert exchange(emulated, refresh_token=old["refresh_token"]).status_code == 200


def test_codes_that_nobody_exchanged_are_forgotten(emulated: EmulatedPortal) -> None:
    """facts/platform 3.2: they live 30 seconds."""
    for _ in range(3):
        emulated.control("code", user="admin")
        emulated.clock.forward(30)
    emulated.control("code", user="admin")
    assert len(emulated.portal.state.codes) == 1
