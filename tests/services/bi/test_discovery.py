"""What sources offer: asked as portals ask, read with suspicion, and never a secret outside the request."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl

import pytest
import responses

from egress.policy import Policy
from services.bi.connectors import Connector
from services.bi.discovery import BODY_LIMIT, DiscoveredColumn, DiscoveredTable, Discovery, NotDiscovered
from services.bi.sources import Source, SourceSetting
from services.contract.names import dataset_code
from services.portal_api import Transport
from services.portal_api.capabilities import NEWER, OLDER
from tests.waiting import HANG

SECRET = "s&cret=[1]"
LISTED = "https://data.example/tables"
DESCRIBED = "https://data.example/description"


def source() -> Source:
    """A source with two settings, one of them with a code that needs quoting."""
    given = {"login": "user", "pass word": SECRET}
    settings = tuple(SourceSetting(code, code, "STRING", value, 1) for code, value in given.items())
    return Source(1, "Shop", "", "", "", True, 2, settings, "", "", 1, 1)


def connector(listed: str = LISTED, described: str = DESCRIBED) -> Connector:
    """A connector with these two addresses."""
    return Connector(2, "Shop", "", "", 100, "", listed, described, "", (), False, "", "")


def offers(policy: Policy | None = None, **times: float) -> Discovery:
    """Offers behind the strictest policy, whose resolver knows one public address."""
    policy = policy or Policy(lookup=lambda host, port: ["203.0.113.9"])
    return Discovery(policy, Transport(policy), **times)


def listed(answer: Any, status: int = 200) -> tuple[DiscoveredTable, ...]:
    """What becomes of an answer of `urlTableList`."""
    with responses.RequestsMock() as wire:
        wire.post(LISTED, body=answer if isinstance(answer, str | bytes) else json.dumps(answer), status=status)
        return offers().tables(source(), connector())


def described(answer: Any, types: tuple[str, ...] = NEWER.column_types) -> tuple[DiscoveredColumn, ...]:
    """What becomes of an answer of `urlTableDescription`."""
    with responses.RequestsMock() as wire:
        wire.post(DESCRIBED, body=json.dumps(answer))
        return offers().columns(source(), connector(), "sales", types)


def refusal(act: Callable[[], Any]) -> str:
    """The code of the refusal, which says no secret however it is printed."""
    with pytest.raises(NotDiscovered) as caught:
        act()
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert "s%26cret" not in told
    assert caught.value.__cause__ is None
    return caught.value.code


def _take(connection: socket.socket) -> None:
    """Read the whole request: what stays unread would reset the connection."""
    request = b""
    while b"pass%20word" not in request or not request.endswith(b"%5D"):
        request += connection.recv(65536)


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server for one connection that writes what it likes; gives its host and port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def run() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with closing(connection):
                try:
                    _take(connection)
                    serve(connection)
                except OSError:
                    return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        # Whoever gave up before connecting leaves nobody to wait for.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RD)
        thread.join(HANG)
        assert not thread.is_alive()


def test_the_request_is_a_bracketed_form_with_plain_settings() -> None:
    """facts/biconnector 5.1, 5.5, 5.6."""
    with responses.RequestsMock() as wire:
        wire.post(LISTED, json=[])
        wire.post(DESCRIBED, json=[{"code": "ID", "name": "Id", "type": "int"}])
        offers().tables(source(), connector(), "Заказы & co")
        offers().columns(source(), connector(), "sales", OLDER.column_types)
        sent = [dict(parse_qsl(str(call.request.body))) for call in wire.calls]
        kinds = {call.request.headers["Content-Type"] for call in wire.calls}
    settings = {"connection[login]": "user", "connection[pass word]": SECRET}
    assert sent == [{"searchString": "Заказы & co", **settings}, {"table": "sales", **settings}]
    assert kinds == {"application/x-www-form-urlencoded"}


def test_an_id_becomes_the_external_code_and_numbers_count_as_words() -> None:
    """facts/biconnector 5.5."""
    answer = [{"code": "sales", "title": " Sales\n orders ", "id": "public.sales", "more": {}}, {"code": 7, "title": 8}]
    assert listed(answer) == (DiscoveredTable("sales", "Sales orders", "public.sales"), DiscoveredTable("7", "8", "7"))


@pytest.mark.parametrize(("given", "kept"), [("0", "0"), (0, "0"), (None, "a"), ("", "a")])
def test_an_id_counts_as_soon_as_it_says_anything(given: Any, kept: str) -> None:
    """facts/biconnector 5.5a; with an empty one portals keep nothing to ask for, so the code is taken."""
    assert listed([{"code": "a", "title": "A", "id": given}]) == (DiscoveredTable("a", "A", kept),)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "not json",
        "{}",
        '{"error": "no"}',
        "[" * 100_000,
        "9" * 5_000,
        b"\xff\xfe[]",
        [None],
        ["sales"],
        [{"code": "sales"}],
        [{"code": "", "title": "Sales"}],
        [{"code": " ", "title": "Sales"}],
        [{"code": "0", "title": "Sales"}],
        [{"code": "sales", "title": 0}],
        [{"code": "sales", "title": " \n"}],
        [{"code": "sales", "title": "Sales"}, {"code": ["x"], "title": "Sales"}],
        [{"code": True, "title": "Sales"}],
        [{"code": "a\u0000b", "title": "Sales"}],
        [{"code": "sales", "title": "\ud800"}],
        [{"code": " sales", "title": "Sales"}],
        [{"code": "sales", "title": "Sales", "id": {"a": 1}}],
    ],
)
def test_a_list_that_portals_refuse_or_pages_cannot_show_is_refused_whole(answer: Any) -> None:
    """facts/biconnector 5.2, 5.5."""
    assert refusal(lambda: listed(answer)) == ("endpoint_status" if answer == "" else "endpoint_bad_answer")


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        [{"code": "ID", "name": "0", "type": "int"}],
        [{"code": "ID", "name": "Id"}],
        [{"code": "ID", "name": "", "type": "int"}],
        [[]],
    ],
)
def test_a_description_without_complete_columns_is_refused(answer: Any) -> None:
    """facts/biconnector 5.6."""
    assert refusal(lambda: described(answer)) == "endpoint_bad_answer"


def test_types_are_read_in_any_case_and_unknown_ones_are_text() -> None:
    """facts/biconnector 4.7."""
    answer = [{"code": f"C{n}", "name": "x", "type": kind} for n, kind in enumerate(["INT", "Money", "blob"])]
    assert [column.type for column in described(answer)] == ["int", "money", "string"]
    assert [column.type for column in described(answer, OLDER.column_types)] == ["int", "string", "string"]


def test_names_of_columns_are_valid_unique_and_codes_stay_as_they_are() -> None:
    """facts/biconnector 4.6."""
    codes = ["Дата заказа", "data_zakaza", "x" * 40, "x" * 41, "2nd", "logic", "<b>"]
    found = described([{"code": code, "name": "n", "type": "string"} for code in codes])
    assert [column.code for column in found] == codes
    assert [column.name for column in found] == [
        "DATA_ZAKAZA",
        "DATA_ZAKAZA_2",
        "X" * 32,
        "X" * 30 + "_2",
        "C_2ND",
        "LOGIC_2",
        "B_",
    ]


def test_a_dataset_s_name_is_numbered_past_those_that_are_taken() -> None:
    assert dataset_code("Заказы 2026") == "zakazy_2026"
    assert dataset_code("Sales", ["sales", "sales_2"]) == "sales_3"
    assert dataset_code("s" * 300, ["s" * 230]) == "s" * 228 + "_2"


@pytest.mark.parametrize("status", [201, 204, 300, 304, 403, 500])
def test_anything_but_200_is_no_answer_also_with_a_place_to_go_to(status: int) -> None:
    """facts/biconnector 5.2."""
    with responses.RequestsMock() as wire:
        wire.post(LISTED, json=[], status=status, headers={"Location": "https://elsewhere.example/"})
        assert refusal(lambda: offers().tables(source(), connector())) == "endpoint_status"
        assert len(wire.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_as_portals_follow_them(status: int) -> None:
    """facts/biconnector 5.2a: 302 and 303 by a GET that carries nothing, the others by the same POST."""
    moved = "https://elsewhere.example/list"
    with responses.RequestsMock() as wire:
        wire.post(LISTED, status=status, headers={"Location": moved})
        wire.add("GET" if status in (302, 303) else "POST", moved, json=[{"code": "a", "title": "A"}])
        assert offers().tables(source(), connector()) == (DiscoveredTable("a", "A", "a"),)
        first, second = (call.request for call in wire.calls)
    assert (second.body or "") == ("" if status in (302, 303) else first.body)


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("http://data.example/tables", "endpoint_refused"),
        ("https://127.0.0.1/", "endpoint_refused"),
        ("https://user:pw@data.example/", "endpoint_refused"),
        ("https://[::1", "endpoint_unreachable"),
        ("", "endpoint_status"),
    ],
)
def test_a_redirect_leads_to_no_address_that_the_app_may_not_call(place: str, code: str) -> None:
    """facts/security 5.1 holds for every step; nothing is asked there."""
    with responses.RequestsMock() as wire:
        wire.post(LISTED, status=307, headers={"Location": place})
        wire.add_passthru("https://127.0.0.1/")
        assert refusal(lambda: offers().tables(source(), connector())) == code
        assert len(wire.calls) == 1


@pytest.mark.parametrize(("hops", "calls"), [(5, 6), (6, 6)])
def test_five_redirects_and_no_more_are_followed(hops: int, calls: int) -> None:
    """facts/biconnector 5.2a"""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        for number in range(hops):
            here = LISTED if not number else f"{LISTED}/{number}"
            wire.post(here, status=307, headers={"Location": f"/tables/{number + 1}"})
        wire.post(f"{LISTED}/{hops}", json=[])
        if hops > 5:
            assert refusal(lambda: offers().tables(source(), connector())) == "endpoint_status"
        else:
            assert offers().tables(source(), connector()) == ()
        assert len(wire.calls) == calls


@pytest.mark.parametrize(
    ("url", "policy"),
    [
        ("http://data.example/tables", Policy(lookup=lambda host, port: ["203.0.113.9"])),
        ("https://user:pw@data.example/", Policy(lookup=lambda host, port: ["203.0.113.9"])),
        ("ftp://data.example/", Policy()),
        ("https://[::1", Policy()),
        ("", Policy()),
        ("https://127.0.0.1/", Policy()),
        ("https://169.254.169.254/", Policy("allow-all")),
        ("https://data.example/", Policy(lookup=lambda host, port: ["10.0.0.1"])),
        ("https://data.example/", Policy(lookup=lambda host, port: ["8.8.8.8", "10.0.0.1"])),
    ],
)
def test_addresses_that_the_app_may_not_call_are_refused(url: str, policy: Policy) -> None:
    """facts/security 5.1."""
    assert refusal(lambda: offers(policy).tables(source(), connector(url))) == "endpoint_refused"


def test_an_answer_beyond_two_mebibytes_is_refused_even_packed() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n\r\n")
        connection.sendall(gzip.compress(b" " * (BODY_LIMIT + 1)))

    with server(serve) as host:
        asked = offers(Policy(insecure_hosts=[host]))
        assert refusal(lambda: asked.tables(source(), connector(f"http://{host}/"))) == "endpoint_too_big"


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"]
)
def test_a_server_that_dribbles_is_cut_off_when_the_time_is_over(beginning: bytes) -> None:
    """A time limit for each byte would let a stranger hold the page for hours."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(beginning)
        connection.settimeout(0.05)
        for _ in range(int(HANG / 0.05)):
            connection.sendall(b" ")
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue
        raise AssertionError("the connection outlived its time")

    with server(serve) as host:
        asked = offers(Policy(insecure_hosts=[host]), connect=0.2, read=0.4)
        started = time.monotonic()
        assert refusal(lambda: asked.tables(source(), connector(f"http://{host}/"))) == "endpoint_timeout"
        # The server would go on for two minutes.
        assert time.monotonic() - started < HANG / 2


def test_a_port_that_nobody_listens_on_is_unreachable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
    asked = offers(Policy(insecure_hosts=[host]))
    assert refusal(lambda: asked.tables(source(), connector(f"http://{host}/"))) == "endpoint_unreachable"


def test_log_lines_name_the_host_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with responses.RequestsMock() as wire:
        wire.post(f"{LISTED}?key=hidden", body="no", status=500)
        refusal(lambda: offers().tables(source(), connector(f"{LISTED}?key=hidden")))
    assert "asked the endpoint of a source at data.example: endpoint_status" in caplog.text
    assert not [word for word in (SECRET, "s%26cret", "hidden", "user") if word in caplog.text]
