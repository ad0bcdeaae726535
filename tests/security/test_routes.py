"""What every route says to browsers and refuses from other sites (facts/security 1 rows 4 to 6, 17 and 25, 2.6)."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.doors import FRAME, OWN, Stage, staged
from tests.waiting import HANG

OPEN_TO_OTHER_SITES = {("/", "POST"), ("/install/", "POST")}
"""Pinned: whoever adds a route that other sites may post to changes this line too."""
CALLED_BY_PORTALS = "gateway."

PAGE_HEADERS = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self' {portal}; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors {ancestors}"
)


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """An installed application and the token of an analyst's session."""
    folder: Path = tmp_path_factory.mktemp("routes")
    with staged(f"sqlite:///{folder / 'app.db'}") as stage:
        stage.be_installed()
        yield stage, token_of(stage.enter("analyst"))


def token_of(page: TestResponse) -> str:
    found = re.search(r'<meta name="app-session" content="([^"]+)">', page.text)
    assert found is not None, page.text
    return found[1]


def routes(stage: Stage) -> list[tuple[str, str, str]]:
    """Endpoint, address and method of every route, with `1` for every number and name."""
    found = []
    for rule in stage.app.url_map.iter_rules():
        address = re.sub(r"<[^>]+>", "1", rule.rule)
        found += [(rule.endpoint, address, method) for method in sorted((rule.methods or set()) - {"OPTIONS"})]
    return found


def browser_routes(stage: Stage) -> list[tuple[str, str, str]]:
    return [route for route in routes(stage) if not route[0].startswith(CALLED_BY_PORTALS)]


def ask(stage: Stage, address: str, method: str, token: str = "", **headers: str) -> TestResponse:
    sent = {**headers, **({"X-App-Session": token} if token else {})}
    return stage.app.test_client().open(address, method=method, headers=sent, buffered=True)


def test_no_route_ever_sets_a_cookie(entered: tuple[Stage, str]) -> None:
    """facts/security 1 row 1."""
    stage, token = entered
    answers = [stage.install(), stage.enter(), stage.enter("viewer")]
    for _, address, method in routes(stage):
        answers += [ask(stage, address, method), ask(stage, address, method, token, **OWN)]
    assert [answer.request.path for answer in answers if "Set-Cookie" in answer.headers] == []


def test_every_change_from_another_site_is_refused_even_with_a_good_token(entered: tuple[Stage, str]) -> None:
    stage, token = entered
    changing = [route for route in browser_routes(stage) if route[2] not in ("GET", "HEAD")]
    assert len(changing) > 10
    foreign: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": stage.url},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": f"{stage.url}.evil.example"},
    ]
    taken = set()
    for _, address, method in changing:
        for headers in foreign:
            for given in (token, ""):
                if ask(stage, address, method, given, **headers).status_code != 403:
                    taken.add((address, method))
    assert taken <= OPEN_TO_OTHER_SITES


def test_pages_that_need_a_session_answer_401_without_one(entered: tuple[Stage, str]) -> None:
    stage, _ = entered
    for endpoint, address, method in browser_routes(stage):
        if endpoint.startswith("admin.") and endpoint != "admin.static":
            assert ask(stage, address, method).status_code == 401, address
            assert ask(stage, address, method, "0" * 43, **OWN).status_code == 401, address


def test_every_page_of_a_session_may_be_framed_by_its_portal_and_nobody_else(entered: tuple[Stage, str]) -> None:
    stage, token = entered
    policy = PAGE_POLICY.format(portal=stage.portal.url, ancestors=stage.portal.url)
    pages = 0
    for endpoint, address, method in browser_routes(stage):
        if not endpoint.startswith("admin."):
            continue
        answer = ask(stage, address, method, token, **OWN)
        assert answer.mimetype == "text/html", address
        assert answer.headers["Content-Security-Policy"] == policy, address
        assert {name: answer.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS, address
        assert "X-Frame-Options" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
        pages += 1
    assert pages > 20


@pytest.mark.parametrize("address", ["/", "/install/", "/connectors/", "/nowhere"])
def test_a_page_without_session_may_be_framed_by_nobody(entered: tuple[Stage, str], address: str) -> None:
    stage, _ = entered
    answer = ask(stage, address, "GET")
    assert answer.headers["Content-Security-Policy"] == PAGE_POLICY.format(portal=stage.portal.url, ancestors="'none'")
    assert {name: answer.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS


def test_data_that_is_no_page_allows_nothing(entered: tuple[Stage, str]) -> None:
    stage, _ = entered
    for answer in (
        ask(stage, "/install/static/finish.js", "GET"),
        stage.tell({"event": "ONAPPUNINSTALL", "auth[member_id]": "x"}),
    ):
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "domain",
    [
        "acme.bitrix24.com; script-src *",
        "acme.bitrix24.com\r\nSet-Cookie: a=b",
        "acme.bitrix24.com\nX: y",
        "*",
        "*.bitrix24.com",
        "acme.bitrix24.com https://evil.example",
        "'unsafe-inline'",
        "acme.bitrix24.com,evil.example",
        "data:",
        "acme.bitrix24.com%0d%0aX:y",
        "\x00",
    ],
)
def test_a_posted_domain_never_reaches_a_header(entered: tuple[Stage, str], domain: str) -> None:
    """facts/security 1 row 6."""
    stage, _ = entered
    for path in ("/", "/install/"):
        answer = stage.post(path, stage.opening("analyst"), query={"DOMAIN": domain})
        assert answer.status_code == 403
        assert answer.headers["Content-Security-Policy"] == PAGE_POLICY.format(
            portal=stage.portal.url, ancestors="'none'"
        )
        assert "Set-Cookie" not in answer.headers
        assert "X" not in answer.headers


@pytest.mark.parametrize("domain", ["", "acme.bitrix24.com", "127.0.0.1", None])
def test_a_portals_number_does_not_tell_its_address(entered: tuple[Stage, str], domain: str | None) -> None:
    """Only who names the address finds it among the answer's headers, so that its own page can show what is wrong."""
    stage, _ = entered
    opening = stage.opening("analyst")
    opening = replace(opening, fields={**opening.fields, "AUTH_ID": "made-up"})
    named = urlsplit(stage.portal.url).netloc if domain is None else domain
    for path in ("/", "/install/"):
        answer = stage.post(path, opening, query={"DOMAIN": named})
        assert answer.status_code in (403, 503)
        ancestors = answer.headers["Content-Security-Policy"].partition("frame-ancestors ")[2]
        assert ancestors == (stage.portal.url if domain is None else "'none'")


def test_the_token_is_read_from_header_or_body_and_never_from_the_address(entered: tuple[Stage, str]) -> None:
    """facts/security 2.3."""
    stage, token = entered
    client = stage.app.test_client()
    assert client.get("/start", headers={"X-App-Session": token}).status_code == 200
    assert client.post("/start", data={"_s": token, "_view": "1"}, headers=OWN).status_code == 200
    assert client.get("/start", query_string={"_s": token}).status_code == 401
    assert client.get("/start", query_string={"X-App-Session": token}).status_code == 401
    client.set_cookie("_s", token)
    client.set_cookie("X-App-Session", token)
    assert client.get("/start").status_code == 401


def test_two_different_tokens_are_refused(entered: tuple[Stage, str]) -> None:
    stage, token = entered
    other = token_of(stage.enter("admin"))
    post = stage.app.test_client().post
    headers = {**OWN, "X-App-Session": token}
    assert post("/start", data={"_s": other, "_view": "1"}, headers=headers).status_code == 400
    assert post("/start", data={"_s": token, "_view": "1"}, headers=headers).status_code == 200
    assert post("/start", data={"_s": [token, other], "_view": "1"}, headers=OWN).status_code == 400


def test_an_opening_outside_a_frame_is_refused(entered: tuple[Stage, str]) -> None:
    """facts/security 1 row 5: an attacker opens his own portal's session in the victim's window."""
    stage, _ = entered
    for destination in ("document", "empty", "object", "embed", ""):
        headers = {**FRAME, "Sec-Fetch-Dest": destination}
        assert stage.post("/", stage.opening(), headers=headers).status_code == 403
    assert stage.post("/", stage.opening(), headers={}).status_code == 200


@pytest.mark.parametrize(
    ("path", "limit"), [("/", 64), ("/install/", 64), ("/session/renew", 64), ("/connectors/new", 256)]
)
def test_bodies_have_a_limit_whether_or_not_their_length_is_told(
    entered: tuple[Stage, str], path: str, limit: int
) -> None:
    """facts/security 1 row 17; Flask has no limit of its own for encoded forms, and cuts those of unknown length."""
    stage, token = entered
    body = f"_s={token}&filler=".encode() + b"x" * (limit * 1024)
    headers = {**OWN, "Sec-Fetch-Dest": "iframe", "Content-Type": "application/x-www-form-urlencoded"}
    client = stage.app.test_client()
    assert client.post(path, data=body, headers=headers).status_code == 413
    assert client.post(path, data=body[: limit * 1024 - 1], headers=headers).status_code != 413
    # Refused for its head alone: whoever still sends while the server hangs up may never see the answer.
    connection = http.client.HTTPConnection(urlsplit(stage.url).netloc, timeout=HANG)
    connection.request("POST", path, headers={**headers, "Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 411
    connection.close()
