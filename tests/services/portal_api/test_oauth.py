"""facts/platform 3 and facts/security 2.2: who a token belongs to, and a new pair for an old one."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import responses
from pydantic import SecretStr

from egress.policy import Policy
from errors import (
    AccessDenied,
    ApplicationError,
    ConfigurationError,
    Forged,
    PaymentRequired,
    PortalGone,
    PortalUnreachable,
    TokenDead,
    TryLater,
)
from services.portal_api._transport import Transport
from services.portal_api.oauth import AuthorizationServers, Identity, TokenPair

WEST, EAST = "https://oauth.bitrix.info", "https://oauth.bitrix24.tech"
CLIENT_ID, CLIENT_SECRET = "app.650d2c0b1a2b34.12345678", "canaryclientsecret0123456789"
ACCESS, REFRESH = "canaryaccess0123456789", "canaryrefresh0123456789"
NOW = 1_780_315_782
MEMBER = "d41d8cd98f00b204e9800998ecf8427e"

APP_INFO: dict[str, Any] = {
    "client_id": CLIENT_ID,
    "scope": "biconnector,placement",
    "expires": "2026-06-01T13:09:42+00:00",
    "user_id": 67,
    "install": {
        "installed": True,
        "version": 3,
        "status": "F",
        "scope": "biconnector,placement",
        "domain": "acme.bitrix24.com",
        "uri": "https://acme.bitrix24.com",
        "client_endpoint": "https://acme.bitrix24.com/rest/",
        "member_id": MEMBER,
        "member_type": "portal",
    },
}
PAIR: dict[str, Any] = {
    "access_token": "canarynewaccess",
    "refresh_token": "canarynewrefresh",
    "expires": NOW + 3600,
    "expires_in": 3600,
    "scope": "biconnector,placement",
    "domain": "oauth.bitrix.info",
    "server_endpoint": "https://oauth.bitrix.info/rest/",
    "client_endpoint": "https://acme.bitrix24.com/rest/",
    "member_id": MEMBER,
    "status": "F",
    "user_id": 67,
}


def servers(urls: tuple[str, ...] = (WEST, EAST)) -> AuthorizationServers:
    transport = Transport(Policy(lookup=lambda host, port: ["203.0.113.9"]))
    return AuthorizationServers(transport, urls, CLIENT_ID, SecretStr(CLIENT_SECRET), clock=lambda: float(NOW))


def app_info(server: str, body: Any, status: int = 200) -> None:
    responses.add("POST", f"{server}/rest/app.info", json=body, status=status)


def token(server: str, body: Any, status: int = 200) -> None:
    responses.add("POST", f"{server}/oauth/token/", json=body, status=status)


def called() -> list[str]:
    return [str(call.request.url).removesuffix("/rest/app.info") for call in responses.calls]


def install(**changes: Any) -> dict[str, Any]:
    return {**APP_INFO, "install": {**APP_INFO["install"], **changes}}


@responses.activate
def test_the_answer_of_the_authorization_server_is_the_identity() -> None:
    """facts/platform 3.5 step 4"""
    app_info(WEST, {"result": APP_INFO, "time": {}})
    assert servers().identify(ACCESS) == Identity(
        server_url=WEST,
        client_id=CLIENT_ID,
        member_id=MEMBER,
        user_id=67,
        domain="acme.bitrix24.com",
        client_endpoint="https://acme.bitrix24.com/rest/",
        scope=("biconnector", "placement"),
        status="F",
        version=3,
        installed=True,
        expires_at=datetime(2026, 6, 1, 13, 9, 42, tzinfo=UTC),
    )
    assert responses.calls[0].request.body == f"auth={ACCESS}"
    assert ACCESS not in str(responses.calls[0].request.url)


@pytest.mark.parametrize(
    ("hint", "first"),
    [
        ("", WEST),
        (WEST, WEST),
        (EAST, EAST),
        ("https://oauth.bitrix24.tech/rest/", EAST),
        ("https://oauth.bitrix24.tech:443/rest/", EAST),
        ("http://oauth.bitrix24.tech/rest/", WEST),
        ("https://oauth.bitrix24.tech.evil.example/rest/", WEST),
        ("https://oauth.bitrix24.tech@evil.example/", WEST),
        ("https://evil.example/rest/", WEST),
        ("https://oauth.bitrix24.tech:8443/", WEST),
        ("//oauth.bitrix24.tech/", WEST),
        ("https://[::1", WEST),
        ("not an address", WEST),
    ],
)
@responses.activate
def test_the_posted_server_decides_at_most_who_of_the_list_is_asked_first(hint: str, first: str) -> None:
    """facts/security 1 row 2: no request outside the allowed hosts"""
    for server in (WEST, EAST):
        app_info(server, {"error": "invalid_client", "error_description": ""}, 400)
    with pytest.raises(Forged):
        servers().identify(ACCESS, hint)
    assert called() == [first, EAST if first == WEST else WEST]


@pytest.mark.parametrize(
    ("hints", "order"),
    [
        (("", EAST), [EAST, WEST]),
        ((WEST, EAST), [WEST, EAST]),
        ((EAST, EAST), [EAST, WEST]),
        (("https://evil.example/", EAST), [EAST, WEST]),
        ((EAST, "https://evil.example/"), [EAST, WEST]),
    ],
)
@responses.activate
def test_the_server_that_vouched_earlier_is_asked_next_after_the_posted_one(
    hints: tuple[str, ...], order: list[str]
) -> None:
    """facts/platform 3.1"""
    for server in (WEST, EAST):
        app_info(server, {"error": "invalid_client", "error_description": ""}, 400)
    with pytest.raises(Forged):
        servers().identify(ACCESS, *hints)
    assert called() == order


SILENT: list[Any] = [{"body": "<html>Bad Gateway</html>", "status": 502}, {"body": requests.ReadTimeout("lost")}]
SILENT += [{"json": {"error": "QUERY_LIMIT_EXCEEDED"}, "status": 503}]


@pytest.mark.parametrize("trouble", SILENT)
@responses.activate
def test_a_server_that_is_down_does_not_end_the_search(trouble: Any) -> None:
    """facts/platform 3.1: portals belong to one of two servers, and the other one has nothing to say about them"""
    responses.add("POST", f"{WEST}/rest/app.info", **trouble)
    app_info(EAST, {"result": APP_INFO})
    assert servers().identify(ACCESS).server_url == EAST


@pytest.mark.parametrize("trouble", SILENT)
@pytest.mark.parametrize("down", [WEST, EAST])
@responses.activate
def test_a_token_that_the_answering_servers_do_not_know_is_not_forged_while_one_is_down(
    down: str, trouble: Any
) -> None:
    responses.add("POST", f"{down}/rest/app.info", **trouble)
    app_info(EAST if down == WEST else WEST, {"error": "invalid_client"}, 400)
    with pytest.raises(TryLater):
        servers().identify(ACCESS)
    assert called() == [WEST, EAST]


UNKNOWN = [("invalid_client", 400), ("invalid_client", 401), ("NO_AUTH_FOUND", 401), ("no_auth_found", 200)]
UNKNOWN += [("expired_token", 401), ("invalid_token", 401), ("NOT_INSTALLED", 401), ("wrong_client", 200)]


@pytest.mark.parametrize(("code", "status"), UNKNOWN)
@responses.activate
def test_a_token_that_one_server_does_not_know_is_shown_to_the_next(code: str, status: int) -> None:
    app_info(WEST, {"error": code, "error_description": ""}, status)
    app_info(EAST, {"result": APP_INFO})
    assert servers().identify(ACCESS).server_url == EAST


@pytest.mark.parametrize(("code", "status"), UNKNOWN)
@responses.activate
def test_a_token_that_no_server_knows_is_forged(code: str, status: int) -> None:
    for server in (WEST, EAST):
        app_info(server, {"error": code, "error_description": ""}, status)
    with pytest.raises(Forged) as caught:
        servers().identify(ACCESS)
    assert code in caught.value.reason


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        ({"error": "PAYMENT_REQUIRED"}, 401, PaymentRequired),
        ({"error": "insufficient_scope"}, 403, AccessDenied),
        ({"result": {"ID": "1", "CODE": "app"}}, 200, PortalUnreachable),
        ({"result": {**APP_INFO, "install": []}}, 200, PortalUnreachable),
        ({"result": install(member_id="")}, 200, PortalUnreachable),
        ({"result": {**APP_INFO, "user_id": None}}, 200, PortalUnreachable),
        ({"result": install(client_endpoint="http://acme.bitrix24.com/rest/")}, 200, PortalUnreachable),
        ({"result": install(client_endpoint="")}, 200, PortalUnreachable),
    ],
)
@responses.activate
def test_a_server_that_knows_the_token_is_the_last_one_that_sees_it(
    answer: Any, status: int, kind: type[ApplicationError]
) -> None:
    app_info(WEST, answer, status)
    with pytest.raises(kind):
        servers().identify(ACCESS)
    assert called() == [WEST]


@responses.activate
def test_a_silent_server_is_no_proof_of_forgery() -> None:
    responses.add("POST", f"{WEST}/rest/app.info", body=requests.ReadTimeout())
    with pytest.raises(PortalUnreachable):
        servers().identify(ACCESS)


@pytest.mark.parametrize(
    "info",
    [
        {**APP_INFO, "client_id": "app.000000000000.00000000"},
        {**APP_INFO, "client_id": ""},
        {**APP_INFO, "client_id": CLIENT_ID.upper()},
        {**APP_INFO, "expires": "2026-06-01T12:09:41+00:00"},
        {**APP_INFO, "expires": NOW - 1},
    ],
)
@responses.activate
def test_a_token_of_another_application_or_of_the_past_is_forged(info: Any) -> None:
    """facts/platform 3.5 step 3, facts/security 2.2"""
    app_info(WEST, {"result": info})
    with pytest.raises(Forged):
        servers().identify(ACCESS)


@responses.activate
def test_the_union_of_both_app_infos_and_strings_for_numbers_are_understood() -> None:
    """facts/platform 3.5: the emulator is portal and authorization server in one"""
    info = {**install(version="12", installed="Y", scope="biconnector placement"), "user_id": "67", "ID": "1"}
    app_info(WEST, {"result": {**info, "expires": str(NOW + 60), "INSTALLED": False}})
    identity = servers().identify(ACCESS)
    assert (identity.version, identity.installed, identity.user_id) == (12, True, 67)
    assert identity.scope == ("biconnector", "placement")
    assert identity.expires_at == datetime.fromtimestamp(NOW + 60, UTC)


@pytest.mark.parametrize("expires", [None, "", "soon", [], "9" * 15])
@responses.activate
def test_a_lifetime_that_is_not_told_is_unknown(expires: Any) -> None:
    app_info(WEST, {"result": {**APP_INFO, "expires": expires}})
    assert servers().identify(ACCESS).expires_at is None


@responses.activate
def test_a_refresh_is_a_post_whose_secrets_stand_in_the_body() -> None:
    """facts/platform 3.2"""
    token(WEST, PAIR)
    assert servers().refresh(WEST, REFRESH) == TokenPair(
        access_token="canarynewaccess",
        refresh_token="canarynewrefresh",
        expires_at=datetime.fromtimestamp(NOW + 3600, UTC),
        member_id=MEMBER,
        user_id=67,
        client_endpoint="https://acme.bitrix24.com/rest/",
        server_url=WEST,
        status="F",
        scope=("biconnector", "placement"),
    )
    request = responses.calls[0].request
    assert (request.method, request.url) == ("POST", f"{WEST}/oauth/token/")
    assert parse_qs(str(request.body)) == {
        "grant_type": ["refresh_token"],
        "client_id": [CLIENT_ID],
        "client_secret": [CLIENT_SECRET],
        "refresh_token": [REFRESH],
    }


@responses.activate
def test_the_lifetime_does_not_depend_on_the_servers_clock() -> None:
    """facts/security 3: clock skew"""
    token(WEST, {**PAIR, "expires": NOW + 86_400})
    assert servers().refresh(WEST, REFRESH).expires_at == datetime.fromtimestamp(NOW + 3600, UTC)


@pytest.mark.parametrize(
    ("told", "lifetime"),
    [
        ({"expires": NOW + 1800}, 1800),
        ({"expires": str(NOW + 1800)}, 1800),
        ({"expires_in": "1800"}, 1800),
        ({}, 3600),
        ({"expires_in": 10**12}, 86_400),
        ({"expires": 10**14}, 3600),
    ],
)
@responses.activate
def test_a_lifetime_may_be_told_in_either_way_or_not_at_all(told: dict[str, Any], lifetime: int) -> None:
    pair = {name: value for name, value in PAIR.items() if name not in ("expires", "expires_in")}
    token(WEST, {**pair, **told})
    assert servers().refresh(WEST, REFRESH).expires_at == datetime.fromtimestamp(NOW + lifetime, UTC)


@responses.activate
def test_a_portal_that_moved_to_the_other_server_is_followed_within_the_list_only() -> None:
    for endpoint, expected in (("https://oauth.bitrix24.tech/rest/", EAST), ("https://evil.example/rest/", WEST)):
        responses.reset()
        token(WEST, {**PAIR, "server_endpoint": endpoint})
        assert servers().refresh(WEST, REFRESH).server_url == expected


@responses.activate
def test_a_pair_is_kept_even_if_its_portal_may_not_be_called() -> None:
    """The old pair is dead already (facts/platform 3.3)."""
    token(WEST, {**PAIR, "client_endpoint": "http://acme.bitrix24.com/rest/"})
    pair = servers().refresh(WEST, REFRESH)
    assert (pair.refresh_token, pair.client_endpoint) == ("canarynewrefresh", "")


@pytest.mark.parametrize("server", ["", "https://evil.example", "https://oauth.bitrix.info.evil.example", "nonsense"])
@responses.activate
def test_the_client_secret_goes_to_listed_servers_only(server: str) -> None:
    """facts/platform 3.1"""
    with pytest.raises(ConfigurationError, match="BITRIX24_OAUTH_URLS"):
        servers().refresh(server, REFRESH)
    assert len(responses.calls) == 0


ERRORS: list[tuple[str, int, type[ApplicationError]]] = [
    ("invalid_request", 400, TokenDead),
    ("invalid_client", 400, TokenDead),
    ("invalid_client", 401, TokenDead),
    ("wrong_client", 200, ConfigurationError),
    ("invalid_grant", 400, TokenDead),
    ("NO_AUTH_FOUND", 401, TokenDead),
    ("NOT_INSTALLED", 401, PortalGone),
    ("insufficient_scope", 401, AccessDenied),
    ("invalid_scope", 403, AccessDenied),
    ("PAYMENT_REQUIRED", 401, PaymentRequired),
    ("SOMETHING_NEW", 400, PortalUnreachable),
]


@pytest.mark.parametrize(("code", "status", "kind"), ERRORS)
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
@responses.activate
def test_every_error_of_platform_3_4_is_told_by_its_code_in_any_case(
    code: str, status: int, kind: type[ApplicationError], spelling: Any
) -> None:
    token(WEST, {"error": spelling(code), "error_description": "text"}, status)
    with pytest.raises(ApplicationError) as caught:
        servers().refresh(WEST, REFRESH)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, '{"error": "invalid_grant"}'),
        (502, "<html>Bad Gateway</html>"),
        (404, "<html>Not Found</html>"),
        (400, "{}"),
        (302, ""),
        (200, "<html>maintenance</html>"),
        (200, "{}"),
        (200, '{"access_token": "a", "refresh_token": ""}'),
    ],
)
@responses.activate
def test_trouble_of_the_server_never_costs_the_refresh_token(status: int, body: str) -> None:
    """facts/platform 3.4, last row: retry later, which only `TryLater` allows"""
    responses.add("POST", f"{WEST}/oauth/token/", body=body, status=status)
    with pytest.raises(PortalUnreachable):
        servers().refresh(WEST, REFRESH)


HOSTILE: list[Any] = [
    {"json": {"error": REFRESH, "error_description": f"{REFRESH} {CLIENT_SECRET}"}, "status": 400},
    {"json": {"error": "invalid_grant", "error_description": f"{REFRESH} {CLIENT_SECRET}"}, "status": 400},
    {"body": f"<html>{REFRESH} {CLIENT_SECRET} {ACCESS}</html>", "status": 502},
    {"status": 302, "headers": {"Location": f"https://x.example/?client_secret={CLIENT_SECRET}&auth={ACCESS}"}},
    {"body": requests.ReadTimeout(f"/oauth/token/?client_secret={CLIENT_SECRET}&refresh_token={REFRESH}")},
    {"body": requests.ConnectionError(f"auth={ACCESS}&client_secret={CLIENT_SECRET}&refresh_token={REFRESH}")},
    {"body": requests.exceptions.SSLError(f"auth={ACCESS}&client_secret={CLIENT_SECRET}&refresh_token={REFRESH}")},
]


@pytest.mark.parametrize("answer", HOSTILE)
@responses.activate
def test_secrets_are_in_no_exception_traceback_or_log_at_debug(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """facts/security 1 row 18"""
    caplog.set_level(logging.DEBUG)
    responses.add("POST", f"{WEST}/oauth/token/", **answer)
    responses.add("POST", f"{WEST}/rest/app.info", **answer)
    shown = ""
    for ask in (lambda: servers((WEST,)).refresh(WEST, REFRESH), lambda: servers((WEST,)).identify(ACCESS)):
        with pytest.raises(ApplicationError) as caught:
            ask()
        shown += "".join(traceback.format_exception(caught.value))
    for secret in (ACCESS, REFRESH, CLIENT_SECRET):
        assert secret not in shown + caplog.text


def test_a_pair_does_not_show_its_tokens() -> None:
    pair = TokenPair("canary1", "canary2", datetime.now(UTC), MEMBER, 67, "", WEST, "F", ())
    assert "canary" not in repr(pair)
    assert "canary" not in json.dumps(repr(servers()))
