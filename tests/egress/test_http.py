"""HTTP behind the guard: checked addresses, names in certificates, no proxies (facts/security 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import requests

from egress.errors import TargetRefused, Unreachable
from egress.http import guarded_session
from egress.policy import Policy
from egress.sockets import open_socket
from tests.drivers.servers import Canary, WebServer, web_server
from tests.egress.test_policy import answering
from tests.waiting import HANG


def test_canary_listeners_on_loopback_hear_nothing(canary: Canary) -> None:
    spellings = ["127.0.0.1", "127.0.0.2", "::1", "localhost", "2130706433", "0x7f.1", "::ffff:127.0.0.1", "127.1"]
    for name in ("external-only", "allow-private"):
        for host in spellings:
            with pytest.raises((TargetRefused, Unreachable)):
                open_socket(Policy(name).resolve(host, canary.port), 1)
            session = guarded_session(Policy(name))
            address = f"[{host}]" if ":" in host else host
            for scheme in ("http", "https"):
                with pytest.raises((TargetRefused, requests.RequestException)):
                    session.get(f"{scheme}://{address}:{canary.port}/", timeout=1)
    assert canary.connections == 0


@pytest.fixture(scope="module")
def portal() -> Iterator[WebServer]:
    with web_server("portal.example.com") as server:
        yield server


def test_https_connects_to_the_checked_address_and_keeps_the_name(portal: WebServer) -> None:
    policy = Policy(allow=[f"127.0.0.1:{portal.https_port}"], lookup=answering("127.0.0.1"))
    session = guarded_session(policy)
    answer = session.get(f"https://portal.example.com:{portal.https_port}/x", verify=portal.ca_file, timeout=HANG)
    assert answer.status_code == 200
    assert answer.json()["host"] == f"portal.example.com:{portal.https_port}"
    with pytest.raises(requests.exceptions.SSLError):
        session.get(f"https://other.example.com:{portal.https_port}/x", verify=portal.ca_file, timeout=HANG)
    with pytest.raises(requests.exceptions.SSLError):
        guarded_session(policy).get(f"https://portal.example.com:{portal.https_port}/x", timeout=HANG)


def test_connections_are_pooled(portal: WebServer) -> None:
    asked: list[str] = []

    def lookup(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    session = guarded_session(Policy(allow=[f"127.0.0.1:{portal.https_port}"], lookup=lookup))
    for _ in range(3):
        session.get(f"https://portal.example.com:{portal.https_port}/", verify=portal.ca_file, timeout=HANG)
    assert asked == ["portal.example.com"]


def test_plain_http_is_for_insecure_portals_only(portal: WebServer) -> None:
    address = f"http://127.0.0.1:{portal.http_port}/"
    declared = Policy(insecure_hosts=[f"127.0.0.1:{portal.http_port}"])
    assert guarded_session(declared).get(address, timeout=HANG).status_code == 200
    for session in (
        guarded_session(Policy("allow-all")),
        guarded_session(Policy(allow=[f"127.0.0.1:{portal.http_port}"])),
        guarded_session(declared, "web"),
    ):
        with pytest.raises(TargetRefused) as problem:
            session.get(address, timeout=HANG)
        assert problem.value.code == "plain_http"


def test_proxies_of_the_environment_and_of_the_call_are_ignored(
    portal: WebServer, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = f"http://127.0.0.1:{canary.port}"
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    session = guarded_session(Policy(insecure_hosts=[f"127.0.0.1:{portal.http_port}"]))
    address = f"http://127.0.0.1:{portal.http_port}/"
    assert session.get(address, timeout=HANG, proxies={"http": proxy}).status_code == 200
    assert canary.connections == 0


def test_redirects_are_checked_like_first_requests(portal: WebServer, canary: Canary) -> None:
    session = guarded_session(Policy(insecure_hosts=[f"127.0.0.1:{portal.http_port}"]))
    with pytest.raises(TargetRefused):
        session.get(f"http://127.0.0.1:{portal.http_port}/to/http://127.0.0.2:{canary.port}/", timeout=HANG)
    assert canary.connections == 0


def test_an_unknown_name_is_a_connection_error_for_http_callers() -> None:
    with pytest.raises(requests.ConnectionError):
        guarded_session(Policy(lookup=answering())).get("https://nowhere.example.com/", timeout=HANG)
