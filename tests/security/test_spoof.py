"""Forged posts change nothing and lead nowhere (facts/security 1 row 2, facts/platform 3.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from flask import Flask

from app import assemble
from models import Base
from tests.doors import CLIENT_ID, FRAME, settings_for

SERVERS = ("oauth.bitrix.info", "oauth.bitrix24.tech")
MEMBER = "a223c6b3710f85df22e9377d6c4f7553"
OTHER_MEMBER = "b223c6b3710f85df22e9377d6c4f7553"
TOKEN = "canary-access-token"
GOOD: Mapping[str, str] = {
    "AUTH_ID": TOKEN,
    "AUTH_EXPIRES": "3600",
    "REFRESH_ID": "canary-refresh-token",
    "SERVER_ENDPOINT": "https://oauth.bitrix.info/rest/",
    "APPLICATION_TOKEN": "canary-application-token",
    "member_id": MEMBER,
    "status": "F",
    "PLACEMENT": "DEFAULT",
}
ADDRESS: Mapping[str, str] = {"DOMAIN": "acme.bitrix24.com", "PROTOCOL": "1", "LANG": "en", "APP_SID": "0" * 32}


def identity(**install: Any) -> dict[str, Any]:
    """What an authorization server says about a genuine token; `install` changes it."""
    top = {key: install.pop(key) for key in ("client_id", "expires", "user_id") if key in install}
    return {
        "result": {
            "client_id": CLIENT_ID,
            "scope": "biconnector",
            "expires": "2100-01-01T00:00:00+00:00",
            "user_id": 1,
            **top,
            "install": {
                "installed": True,
                "version": 1,
                "status": "F",
                "domain": "acme.bitrix24.com",
                "client_endpoint": "https://acme.bitrix24.com/rest/",
                "member_id": MEMBER,
                **install,
            },
        }
    }


UNKNOWN = {"error": "invalid_client", "error_description": "Invalid client"}
EXPIRED = {"error": "expired_token", "error_description": "The access token provided has expired."}

# name: changes of the body, changes of the address, what the authorization servers answer
VARIANTS: Mapping[str, tuple[dict[str, str | None], dict[str, str], dict[str, Any]]] = {
    "token that nobody issued": ({}, {}, UNKNOWN),
    "token of another application": ({}, {}, identity(client_id="app.evil")),
    "stale token": ({}, {}, EXPIRED),
    "token that expired by the server's own word": ({}, {}, identity(expires="2020-01-01T00:00:00+00:00")),
    "member_id of another portal": ({"member_id": OTHER_MEMBER}, {}, identity()),
    "token of another portal": ({}, {}, identity(member_id=OTHER_MEMBER)),
    "foreign domain": ({}, {"DOMAIN": "evil.example"}, identity()),
    "domain with a port": ({}, {"DOMAIN": "acme.bitrix24.com:8443"}, identity()),
    "domain with user information": ({}, {"DOMAIN": "acme.bitrix24.com@evil.example"}, identity()),
    "domain in foreign letters": ({}, {"DOMAIN": "аcme.bitrix24.com"}, identity()),
    "domain that ends like ours": ({}, {"DOMAIN": "evil-acme.bitrix24.com"}, identity()),
    "portal at an address with user information": (
        {},
        {},
        identity(client_endpoint="https://acme.bitrix24.com@evil.example/rest/"),
    ),
    "portal at an address in foreign letters": ({}, {}, identity(client_endpoint="https://аcme.bitrix24.com/rest/")),
    "portal at a plain address": ({}, {}, identity(client_endpoint="http://acme.bitrix24.com/rest/")),
    "portal at an address that breaks a header": (
        {},
        {},
        identity(client_endpoint="https://acme.bitrix24.com; script-src */rest/"),
    ),
    "no token": ({"AUTH_ID": None}, {}, identity()),
    "token with a line break": ({"AUTH_ID": "canary\r\nX: y"}, {}, identity()),
    "no member_id": ({"member_id": None}, {}, identity()),
    "member_id in SQL": ({"member_id": "' OR 1=1 --"}, {}, identity()),
    "authorization server of the attacker": ({"SERVER_ENDPOINT": "https://evil.example/rest/"}, {}, UNKNOWN),
    "authorization server with user information": (
        {"SERVER_ENDPOINT": "https://oauth.bitrix.info@evil.example/rest/"},
        {},
        UNKNOWN,
    ),
    "authorization server at another port": ({"SERVER_ENDPOINT": "https://oauth.bitrix.info:8443/rest/"}, {}, UNKNOWN),
    "authorization server over http": ({"SERVER_ENDPOINT": "http://oauth.bitrix.info/rest/"}, {}, UNKNOWN),
    "nothing but noise from the server": ({}, {}, {"result": []}),
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = assemble(settings_for(f"sqlite:///{tmp_path / 'app.db'}", public_url="https://bi.example.com"))
    Base.metadata.create_all(made.extensions["services"].engine)
    yield made
    made.extensions["services"].engine.dispose()


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    """No request leaves; whatever is not registered fails and is remembered."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def answer_with(network: responses.RequestsMock, body: dict[str, Any]) -> None:
    for server in SERVERS:
        network.post(f"https://{server}/rest/app.info", json=body, status=200 if "result" in body else 401)


def rows(app: Flask) -> dict[str, list[Any]]:
    with app.extensions["services"].engine.connect() as connection:
        return {table.name: list(connection.execute(table.select())) for table in Base.metadata.sorted_tables}


def asked(network: responses.RequestsMock) -> set[str | None]:
    return {urlsplit(str(call.request.url)).netloc for call in network.calls}


@pytest.mark.parametrize("path", ["/", "/install/"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_forged_opening_is_refused_writes_no_row_and_calls_nobody_else(
    app: Flask, network: responses.RequestsMock, variant: str, path: str
) -> None:
    fields, address, body = VARIANTS[variant]
    answer_with(network, body)
    posted = {name: value for name, value in {**GOOD, **fields}.items() if value is not None}
    answer = app.test_client().post(path, query_string={**ADDRESS, **address}, data=posted, headers=FRAME)
    assert answer.status_code in (403, 503)
    assert "app-session" not in answer.text
    assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
    assert "canary" not in answer.text
    assert asked(network) <= set(SERVERS)
    assert {name for name, found in rows(app).items() if found} == set()


@pytest.mark.parametrize("name", ["ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUSERREADY", "ONAPPUNINSTALL"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_forged_event_is_refused_writes_no_row_and_calls_nobody_else(
    app: Flask, network: responses.RequestsMock, variant: str, name: str
) -> None:
    fields, address, body = VARIANTS[variant]
    answer_with(network, body)
    posted = {**GOOD, **fields}
    domain = {**ADDRESS, **address}["DOMAIN"]
    auth = {
        "access_token": posted["AUTH_ID"],
        "refresh_token": posted["REFRESH_ID"],
        "application_token": posted["APPLICATION_TOKEN"],
        "member_id": posted["member_id"],
        "domain": domain,
        "client_endpoint": f"https://{domain}/rest/",
        "server_endpoint": posted["SERVER_ENDPOINT"],
    }
    event = {"event": name, "ts": "1", "data[VERSION]": "1", "data[CLEAN]": "1"}
    event |= {f"auth[{key}]": value for key, value in auth.items() if value is not None}
    event |= {f"data[{key}]": value for key, value in auth.items() if value is not None}
    answer = app.test_client().post("/install/", data=event)
    assert answer.status_code in (403, 503)
    assert asked(network) <= set(SERVERS)
    assert {table for table, found in rows(app).items() if found} == set()


def test_the_same_opening_unforged_is_taken(app: Flask, network: responses.RequestsMock) -> None:
    """The variants above fail for their own reason, not because everything fails."""
    answer_with(network, identity())
    network.post("https://acme.bitrix24.com/rest/user.admin", json={"result": True, "time": {}})
    for outcomes in ({"c0": [], "c1": {"isExisting": True}}, dict.fromkeys(("c0", "c1", "c2"), True)):
        network.post("https://acme.bitrix24.com/rest/batch", json={"result": {"result": outcomes, "result_error": []}})
    answer = app.test_client().post("/install/", query_string=ADDRESS, data=GOOD, headers=FRAME)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors https://acme.bitrix24.com")
    assert len(rows(app)["portals"]) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/install/"])
def test_an_opening_by_get_opens_nothing(app: Flask, network: responses.RequestsMock, path: str, method: str) -> None:
    answer_with(network, identity())
    answer = app.test_client().open(path, method=method, query_string={**ADDRESS, **GOOD}, headers=FRAME)
    assert answer.status_code == 200
    assert "app-session" not in answer.text
    assert asked(network) == set()


@pytest.mark.parametrize("path", ["/", "/install/"])
def test_tokens_in_the_address_are_not_read(app: Flask, network: responses.RequestsMock, path: str) -> None:
    answer_with(network, identity())
    answer = app.test_client().post(path, query_string={**ADDRESS, **GOOD}, headers=FRAME)
    assert answer.status_code == 403
    assert asked(network) == set()


def test_an_app_that_is_not_installed_there_is_not_opened(app: Flask, network: responses.RequestsMock) -> None:
    answer_with(network, identity(installed=False))
    answer = app.test_client().post("/", query_string=ADDRESS, data=GOOD, headers=FRAME)
    assert answer.status_code == 403
    assert {table for table, found in rows(app).items() if found} == set()


@pytest.mark.parametrize("path", ["/", "/install/"])
def test_authorization_servers_that_do_not_answer_are_told_with_503(
    app: Flask, network: responses.RequestsMock, path: str
) -> None:
    for server in SERVERS:
        network.post(f"https://{server}/rest/app.info", body=requests.ConnectionError("canary"))
    answer = app.test_client().post(path, query_string=ADDRESS, data=GOOD, headers=FRAME)
    assert answer.status_code == 503
    assert {table for table, found in rows(app).items() if found} == set()


def test_the_posted_server_only_decides_who_is_asked_first(app: Flask, network: responses.RequestsMock) -> None:
    answer_with(network, UNKNOWN)
    for endpoint, first in (
        ("https://oauth.bitrix24.tech/rest/", "oauth.bitrix24.tech"),
        ("https://oauth.bitrix.info/rest/", "oauth.bitrix.info"),
        ("https://evil.example/rest/", "oauth.bitrix.info"),
        ("", "oauth.bitrix.info"),
    ):
        network.calls.reset()
        app.test_client().post("/", query_string=ADDRESS, data={**GOOD, "SERVER_ENDPOINT": endpoint}, headers=FRAME)
        order = [urlsplit(str(call.request.url)).netloc for call in network.calls]
        assert (order[0], set(order)) == (first, set(SERVERS))


def test_the_token_is_shown_to_authorization_servers_in_the_body(app: Flask, network: responses.RequestsMock) -> None:
    answer_with(network, UNKNOWN)
    app.test_client().post("/", query_string=ADDRESS, data=GOOD, headers=FRAME)
    for call in network.calls:
        assert urlsplit(str(call.request.url)).query == ""
        assert parse_qs(str(call.request.body)) == {"auth": [TOKEN]}
