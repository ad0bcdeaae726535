"""The four endpoints, called as portals call them (facts/biconnector 5)."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from emulator.config import EmulatorConfig
from emulator.endpoints import BadAnswer, DescribedColumn, NoConnection, Rows, TableItem
from emulator.journal import EndpointCall
from emulator.queries import Condition, DataQuery, DateRange, UnknownColumn
from emulator.records import Column, Connector, ConnectorSetting, Dataset, Source, SourceSetting
from tests.emulator.portals import EmulatedPortal
from tests.waiting import HANG

Form = list[tuple[str, str]]


@dataclass
class Peer:
    """A real local server: answers every POST with what is in `body`, and keeps the forms that came."""

    url: str = ""
    status: int = 200
    body: bytes = b"[]"
    slow: Callable[[], object] | None = None
    forms: list[Form] = field(default_factory=list)
    content_types: list[str] = field(default_factory=list)
    moved: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Paths that answer with a status and a `Location`."""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, value: Any) -> None:
        """Answer this JSON from now on."""
        self.body = json.dumps(value).encode()


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer on a free port."""
    peer = Peer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            peer.forms.append(parse_qsl(body, keep_blank_values=True))
            peer.content_types.append(self.headers["Content-Type"])
            self.answer()

        def do_GET(self) -> None:
            assert "Content-Length" not in self.headers
            self.answer()

        def answer(self) -> None:
            peer.asked.append((self.command, self.path))
            status, place = peer.moved.get(self.path, (peer.status, ""))
            self.send_response(status)
            if place:
                self.send_header("Location", place)
            self.send_header("Content-Length", str(len(peer.body)))
            self.end_headers()
            half = len(peer.body) // 2
            try:
                self.wfile.write(peer.body[:half])
                self.wfile.flush()
                if peer.slow is not None:
                    peer.slow()
                self.wfile.write(peer.body[half:])
            except OSError:
                self.close_connection = True

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    worker = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    worker.start()
    peer.url = f"http://127.0.0.1:{server.server_port}"
    yield peer
    server.shutdown()
    server.server_close()
    worker.join()


@dataclass
class Chain:
    """A portal with a connector, a source and a dataset whose endpoints are the peer's."""

    emulated: EmulatedPortal
    connector: Connector
    source: Source
    dataset: Dataset


@pytest.fixture
def chain(peer: Peer) -> Chain:
    """The chain, with limits of time that nobody meets here."""
    return make_chain(peer, EmulatorConfig(endpoint_answer_seconds=HANG, endpoint_transfer_seconds=HANG))


def make_chain(peer: Peer, config: EmulatorConfig) -> Chain:
    """Connector, source and dataset, put into the portal without asking anybody."""
    emulated = EmulatedPortal(config=config)
    state = emulated.portal.state
    settings = [ConnectorSetting("login", "Login", "STRING"), ConnectorSetting("ключ[1]", "Key", "STRING")]
    state.connectors[1] = Connector(
        id=1,
        client_id=config.client_id,
        title="Peer",
        logo="",
        url_check=f"{peer.url}/check",
        url_data=f"{peer.url}/data",
        url_table_list=f"{peer.url}/tables",
        url_table_description=f"{peer.url}/description",
        settings=settings,
        date_create="",
    )
    values = [
        SourceSetting(1, "login", "Login", "STRING", "us&er=1"),
        SourceSetting(2, "ключ[1]", "Key", "STRING", "ü%"),
    ]
    state.sources[1] = Source(1, 1, "Source", values, "", 2)
    columns = [
        Column(1, "int", "ORDER_ID", "order_id"),
        Column(2, "date", "DAY", "day"),
        Column(3, "datetime", "MOMENT", "moment"),
        Column(4, "string", "STATUS", "status"),
        Column(5, "string", "HIDDEN", "hidden", visible=False),
    ]
    state.datasets[1] = Dataset(1, 1, "orders", "Orders", "public.orders", columns, "", 2)
    return Chain(emulated, state.connectors[1], state.sources[1], state.datasets[1])


CONNECTION = [("connection[login]", "us&er=1"), ("connection[ключ[1]]", "ü%")]


def test_check_is_a_bracketed_form(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.1"""
    chain.emulated.emulator.endpoints.check(chain.connector, {"login": "us&er=1", "ключ[1]": "ü%"})
    assert peer.forms == [CONNECTION]
    assert peer.content_types == ["application/x-www-form-urlencoded"]


@pytest.mark.parametrize("body", [b"x", b'{"status": "ERROR"}', b"<html>", b"0"])
def test_any_body_of_a_200_is_a_success(chain: Chain, peer: Peer, body: bytes) -> None:
    """facts/biconnector 5.2"""
    peer.body = body
    chain.emulated.emulator.endpoints.check(chain.connector, {})


@pytest.mark.parametrize(
    ("status", "body"), [(200, b""), (201, b"ok"), (204, b""), (302, b"x"), (403, b"x"), (500, b"x")]
)
def test_everything_else_is_no_connection(chain: Chain, peer: Peer, status: int, body: bytes) -> None:
    """facts/biconnector 5.2"""
    peer.status, peer.body = status, body
    with pytest.raises(NoConnection):
        chain.emulated.emulator.endpoints.check(chain.connector, {})
    assert chain.emulated.portal.journal.endpoint_calls[-1].status == status


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://", "no address", "ftp://127.0.0.1/"])
def test_nobody_there_is_no_connection(chain: Chain, url: str) -> None:
    chain.connector.url_check = url
    with pytest.raises(NoConnection, match="could not be reached"):
        chain.emulated.emulator.endpoints.check(chain.connector, {})


@dataclass(frozen=True)
class Slow:
    """How a server lingers: what it sends at once, and then one of `more` every twentieth of a second."""

    at_once: bytes = b""
    more: bytes = b""


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LIMIT = 0.3
"""A limit in tests, in seconds; what a test waits for would take `PATIENCE` without it."""
PATIENCE = HANG


@contextmanager
def lingering(slow: Slow) -> Iterator[str]:
    """A server that takes much longer than any limit; gives its host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(slow.at_once)
            for _ in range(int(PATIENCE / 0.05)):
                if over.wait(0.05):
                    return
                connection.sendall(slow.more)

    worker = threading.Thread(target=serve)
    worker.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        # Whoever gave up before connecting leaves nobody to wait for.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        worker.join()


def asked(address: str, scheme: str = "http", **limits: float) -> tuple[str, EndpointCall]:
    """What the portal makes of a lingering `urlTableList`, in time."""
    config = EmulatorConfig(**{"endpoint_answer_seconds": PATIENCE, "endpoint_transfer_seconds": PATIENCE, **limits})  # type: ignore[arg-type] # only numbers are given
    chain = make_chain(Peer(url=f"{scheme}://{address}"), config)
    begin = time.monotonic()
    with pytest.raises(NoConnection) as caught:
        chain.emulated.emulator.endpoints.tables(chain.source)
    assert time.monotonic() - begin < PATIENCE / 2
    return str(caught.value), chain.emulated.portal.journal.endpoint_calls[-1]


@pytest.mark.parametrize(
    ("slow", "scheme"),
    [
        (Slow(), "http"),
        (Slow(at_once=HEAD), "http"),
        (Slow(at_once=HEAD, more=b"X-A: b\r\n"), "http"),
        (Slow(at_once=b"HTTP/1.1 200 ", more=b"O"), "http"),
        (Slow(), "https"),
    ],
    ids=["silence", "half a head", "dripping head", "dripping status", "silent handshake"],
)
def test_an_endpoint_has_limited_time_to_connect_and_answer(slow: Slow, scheme: str) -> None:
    """facts/biconnector 5.3: 250 seconds in all, here a part of one; every byte would begin a socket's limit anew."""
    with lingering(slow) as address:
        told, call = asked(address, scheme, endpoint_answer_seconds=LIMIT)
    assert told == call.failure == "The endpoint did not answer in time."
    assert call.status == 0


@pytest.mark.parametrize(
    "slow",
    [
        Slow(at_once=HEAD + b"Content-Length: 1000\r\n\r\n["),
        Slow(at_once=HEAD + b"Content-Length: 1000\r\n\r\n[", more=b" "),
        Slow(at_once=HEAD + b"\r\n[", more=b" "),
        Slow(at_once=HEAD + b"\r\n[]"),
        Slow(at_once=HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", more=b"1\r\n \r\n"),
    ],
    ids=["stall", "drip", "drip without a length", "never closed", "dripping chunks"],
)
def test_the_body_has_a_limit_of_its_own(slow: Slow) -> None:
    """facts/biconnector 5.3: 60 seconds for the whole transfer, here a part of one."""
    with lingering(slow) as address:
        told, call = asked(address, endpoint_transfer_seconds=LIMIT)
    assert told == call.failure == "The transfer of the body took too long."


@pytest.mark.parametrize("slow", [Slow(at_once=HEAD, more=b"X-A: b\r\n"), Slow(at_once=HEAD + b"\r\n", more=b" ")])
def test_a_handler_that_drips_loses_its_event_and_holds_up_no_other(slow: Slow) -> None:
    """facts/platform 4: no answer in time, and the event is lost; the next one in the queue is sent."""
    emulated = EmulatedPortal(config=EmulatorConfig(delivery_seconds=LIMIT))
    deliveries = emulated.emulator.deliveries
    begin = time.monotonic()
    with lingering(slow) as first, lingering(slow) as second:
        for address in (first, second):
            deliveries.send(f"http://{address}/", deliveries.event("ONAPPTEST", {}, {}))
        deliveries.wait()
    assert time.monotonic() - begin < PATIENCE / 2
    assert [(one.status, one.failure) for one in emulated.portal.journal.deliveries] == [(0, "TooSlow")] * 2


def test_the_time_for_the_answer_is_not_taken_from_the_body(peer: Peer) -> None:
    """facts/biconnector 5.3: two limits; a body may take longer than what was left of the first."""
    chain = make_chain(peer, EmulatorConfig(endpoint_answer_seconds=6.0, endpoint_transfer_seconds=PATIENCE))
    peer.slow = lambda: time.sleep(6.5)
    peer.answer([{"code": "a", "title": "A"}])
    assert chain.emulated.emulator.endpoints.tables(chain.source) == [TableItem("a", "A", "a")]


def test_every_address_of_a_host_shares_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """facts/biconnector 5.3: 250 seconds to connect in all, not for each of the host's addresses."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [_connecting(address) for _ in range(4)]
        # One after the other they would take twice as long as the test bears.
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)] * int(PATIENCE / LIMIT)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_more: found)
        told, _call = asked("host.test:80", endpoint_answer_seconds=LIMIT)
        for one in waiting:
            one.close()
    assert told == "The endpoint did not answer in time."


def _connecting(address: Any) -> socket.socket:
    """A connection under way, which takes a place in the queue of a server that accepts none."""
    made = socket.socket()
    made.setblocking(False)
    made.connect_ex(address)
    return made


def test_defaults_are_the_documented_limits() -> None:
    """facts/biconnector 5.3"""
    assert EmulatorConfig().endpoint_answer_seconds == 250
    assert EmulatorConfig().endpoint_transfer_seconds == 60


@pytest.mark.parametrize(
    ("search", "sent"), [(None, []), ("", [("searchString", "")]), ("sa les", [("searchString", "sa les")])]
)
def test_the_search_string_may_be_missing_or_empty(chain: Chain, peer: Peer, search: str | None, sent: Form) -> None:
    """facts/biconnector 5.5"""
    assert chain.emulated.emulator.endpoints.tables(chain.source, search) == []
    assert peer.forms[-1] == [*sent, *CONNECTION]


def test_an_optional_id_becomes_the_external_code(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.5"""
    peer.answer([{"code": "a", "title": "A"}, {"code": "b", "title": "B", "id": 7, "more": True}])
    tables = chain.emulated.emulator.endpoints.tables(chain.source)
    assert tables == [TableItem("a", "A", "a"), TableItem("b", "B", "7")]


@pytest.mark.parametrize(("given", "kept"), [("0", "0"), (0, "0"), ("", ""), (None, "a")])
def test_an_id_counts_as_soon_as_it_is_there(chain: Chain, peer: Peer, given: Any, kept: str) -> None:
    """facts/biconnector 5.5a"""
    peer.answer([{"code": "a", "title": "A", "id": given}])
    assert chain.emulated.emulator.endpoints.tables(chain.source) == [TableItem("a", "A", kept)]


BAD_LISTS: list[Any] = [
    {"code": "a", "title": "A"},
    "text",
    [["a", "A"]],
    ["a"],
    [{"code": "a"}],
    [{"code": "", "title": "A"}],
    [{"code": "0", "title": "A"}],
    [{"code": "a", "title": "0"}],
    [{"code": {}, "title": "A"}],
    [{"code": "a", "title": "A"}, {"code": "b", "title": None}],
]


@pytest.mark.parametrize("answer", BAD_LISTS)
def test_one_bad_item_spoils_the_list(chain: Chain, peer: Peer, answer: Any) -> None:
    """facts/biconnector 5.5, 5.5a: "0" counts as empty."""
    peer.answer(answer)
    with pytest.raises(BadAnswer):
        chain.emulated.emulator.endpoints.tables(chain.source)
    assert chain.emulated.portal.journal.endpoint_calls[-1].failure


def test_a_description_is_asked_for_by_table(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.6, 4.7: any case of the type, unknown ones are strings."""
    peer.answer(
        [
            {"code": "a", "name": "A", "type": "DateTime"},
            {"code": "b", "name": "B", "type": "uuid"},
            {"code": "c", "name": "C", "type": "money"},
        ]
    )
    columns = chain.emulated.emulator.endpoints.description(chain.source, "public.orders")
    assert peer.forms[-1] == [("table", "public.orders"), *CONNECTION]
    assert columns == [
        DescribedColumn("a", "A", "datetime"),
        DescribedColumn("b", "B", "string"),
        DescribedColumn("c", "C", "money"),
    ]
    chain.emulated.control("generation", generation="older")
    assert chain.emulated.emulator.endpoints.description(chain.source, "x")[2].type == "string"


BAD_DESCRIPTIONS: list[Any] = [
    [],
    {"a": 1},
    [{"code": "a", "name": "A"}],
    [{"code": "a", "name": "", "type": "int"}],
    [{"code": "0", "name": "A", "type": "int"}],
    [{"code": "a", "name": "A", "type": "int"}, "b"],
]


@pytest.mark.parametrize("answer", BAD_DESCRIPTIONS)
def test_bad_descriptions_are_refused(chain: Chain, peer: Peer, answer: Any) -> None:
    """facts/biconnector 5.6"""
    peer.answer(answer)
    with pytest.raises(BadAnswer):
        chain.emulated.emulator.endpoints.description(chain.source, "t")


def test_a_preview_sends_a_limit_only_and_is_kept_for_an_hour(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.8"""
    peer.answer([["order_id"], *[[number] for number in range(30)]])
    endpoints = chain.emulated.emulator.endpoints
    preview = endpoints.preview(chain.source, "public.orders")
    assert (preview.header, len(preview.rows)) == (["order_id"], 20)
    assert peer.forms == [[("limit", "20"), *CONNECTION, ("table", "public.orders")]]
    peer.answer([["order_id"], [99]])
    chain.emulated.clock.forward(3599)
    assert endpoints.preview(chain.source, "public.orders") == preview
    chain.emulated.clock.forward(1)
    assert endpoints.preview(chain.source, "public.orders").rows == [[99]]
    assert len(peer.forms) == 2


def test_previews_that_are_too_old_are_forgotten(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.8: whoever looks at ever new tables fills no memory."""
    peer.answer([["a"]])
    endpoints = chain.emulated.emulator.endpoints
    for number in range(3):
        endpoints.preview(chain.source, f"table_{number}")
        chain.emulated.clock.forward(1800)
    endpoints.preview(chain.source, "another")
    assert endpoints.kept_previews == 2


@pytest.mark.parametrize(
    ("status", "answer"), [(500, "out of order"), (200, [["a"], [1, 2]]), (200, [["a", "b"], [1]]), (200, {"a": 1})]
)
def test_a_failed_preview_is_kept_for_an_hour_as_one_without_rows(
    chain: Chain, peer: Peer, status: int, answer: Any
) -> None:
    """facts/biconnector 5.8a: removing the cause shows nothing for an hour, and no error either."""
    endpoints = chain.emulated.emulator.endpoints
    peer.status = status
    peer.answer(answer)
    with pytest.raises((NoConnection, BadAnswer)):
        endpoints.preview(chain.source, "t", ["A"])
    peer.status = 200
    peer.answer([["a"], [7]])
    chain.emulated.clock.forward(3599)
    assert endpoints.preview(chain.source, "t", ["A"]) == Rows(["A"], [])
    assert endpoints.preview(chain.source, "t", ["A", "B"]).rows == [[7]], "other columns have a preview of their own"
    chain.emulated.clock.forward(1)
    assert endpoints.preview(chain.source, "t", ["A"]) == Rows(["a"], [[7]])


def test_an_empty_list_makes_an_empty_preview(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.8a"""
    peer.answer([])
    assert chain.emulated.emulator.endpoints.preview(chain.source, "t").rows == []
    with pytest.raises(BadAnswer):
        chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery())


@pytest.mark.parametrize(
    ("status", "method"), [(301, "POST"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_redirects_are_followed(chain: Chain, peer: Peer, status: int, method: str) -> None:
    """facts/biconnector 5.2a: some send the POST again, others turn it into a GET without a body."""
    peer.answer([{"code": "a", "title": "A"}])
    peer.moved = {"/tables": (status, "/there")}
    assert chain.emulated.emulator.endpoints.tables(chain.source) == [TableItem("a", "A", "a")]
    assert peer.asked == [("POST", "/tables"), (method, "/there")]
    assert peer.forms == [CONNECTION, *([CONNECTION] if method == "POST" else [])]
    assert chain.emulated.portal.journal.endpoint_calls[-1].status == 200


@pytest.mark.parametrize(("hops", "is_found"), [(5, True), (6, False)])
def test_five_redirects_and_no_more_are_followed(chain: Chain, peer: Peer, hops: int, is_found: bool) -> None:
    """facts/biconnector 5.2a"""
    peer.moved = {"/check": (307, "/1")} | {f"/{number}": (307, f"/{number + 1}") for number in range(1, hops)}
    endpoints = chain.emulated.emulator.endpoints
    if is_found:
        endpoints.check(chain.connector, {})
    else:
        with pytest.raises(NoConnection, match="status 307"):
            endpoints.check(chain.connector, {})
    assert len(peer.asked) == 6


@pytest.mark.parametrize(("generation", "sent"), [("newer", ["order_id", "status"]), ("older", ["ORDER_ID", "STATUS"])])
def test_the_generation_decides_which_names_are_selected(
    chain: Chain, peer: Peer, generation: str, sent: list[str]
) -> None:
    """facts/biconnector 5.7a: filter keys are column names on both."""
    chain.emulated.control("generation", generation=generation)
    peer.answer([sent, [1, "new"]])
    query = DataQuery(select=["ORDER_ID", "STATUS"], groups=[[Condition("STATUS", "EQUALS", ["new"])]], limit=5)
    rows = chain.emulated.emulator.endpoints.data(chain.dataset, query)
    assert rows == Rows(["ORDER_ID", "STATUS"], [[1, "new"]])
    assert rows.records() == [{"ORDER_ID": 1, "STATUS": "new"}]
    assert peer.forms[-1] == [
        ("select[0]", sent[0]),
        ("select[1]", sent[1]),
        ("filter[0][LOGIC]", "OR"),
        ("filter[0][0][=STATUS][0]", "new"),
        ("limit", "5"),
        *CONNECTION,
        ("table", "public.orders"),
    ]


def test_mapfields_comes_along_where_the_connector_supports_it(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.7a"""
    chain.connector.support_mapping = True
    peer.answer([["status"], ["new"]])
    chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery(select=["STATUS"]))
    assert [pair for pair in peer.forms[-1] if "mapFields" in pair[0]] == [("mapFields[status]", "STATUS")]


def test_without_selection_the_whole_table_is_wanted(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.7: no `select`, no `filter`, no `limit`; hidden columns are left out afterwards."""
    peer.answer([["hidden", "status", "moment", "day", "order_id"], [0, "new", None, "2025-01-02", 5]])
    rows = chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery())
    assert rows == Rows(["ORDER_ID", "DAY", "MOMENT", "STATUS"], [[5, "2025-01-02", None, "new"]])
    assert peer.forms[-1] == [*CONNECTION, ("table", "public.orders")]


BAD_ROWS: list[bytes] = [
    b"[]",
    b"{}",
    b"nothing",
    b'[["order_id"],',
    b'[{"order_id": 1}]',
    b'[["order_id"], [1, 2]]',
    b'[["order_id"], []]',
    b'[["order_id"], {"order_id": 1}]',
    b'[["order_id"], [NaN]]',
    b'[["order_id"], [-Infinity]]',
    b'[["other"], [1]]',
    b'[["order_id"], [1]]\xff',
    b'\xef\xbb\xbf[["order_id"], [1]]',
    '[["order_id"], [1]]'.encode("utf-16"),
    b'[["order_id"], ["\\ud83d"]]',
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", BAD_ROWS)
def test_bad_rows_are_refused(chain: Chain, peer: Peer, body: bytes) -> None:
    """facts/biconnector 5.7, 5.12: header first, every row as long as the header, JSON without NaN, as PHP reads it."""
    peer.body = body
    with pytest.raises(BadAnswer):
        chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery(select=["ORDER_ID"]))


def test_escaped_pairs_are_letters_like_any_other(chain: Chain, peer: Peer) -> None:
    peer.body = b'[["order_id"], ["\\ud83d\\ude00 \\u00e4"]]'
    rows = chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery(select=["ORDER_ID"]))
    assert rows.rows == [["\U0001f600 ä"]]


def test_an_inactive_source_is_not_asked(chain: Chain, peer: Peer) -> None:
    chain.source.active = False
    with pytest.raises(NoConnection, match="not active"):
        chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery())
    assert peer.forms == []


def test_a_query_may_only_name_columns_of_the_dataset(chain: Chain) -> None:
    for query in (
        DataQuery(select=["order_id"]),
        DataQuery(date_range=DateRange("NOTHING", date(2025, 1, 1))),
        DataQuery(groups=[[Condition("NOTHING", "IS_NULL")]]),
    ):
        with pytest.raises(UnknownColumn):
            chain.emulated.emulator.endpoints.data(chain.dataset, query)


SITE_FORMATS = [
    ("ru", "01.02.2025", "31.12.2025 23:59:59"),
    ("en", "02/01/2025", "12/31/2025 11:59:59 pm"),
    ("br", "01/02/2025", "31/12/2025 23:59:59"),
    ("ja", "2025-02-01", "2025-12-31 23:59:59"),
]


@pytest.mark.parametrize(("language", "first", "last"), SITE_FORMATS)
def test_a_date_range_is_written_in_the_sites_format(
    chain: Chain, peer: Peer, language: str, first: str, last: str
) -> None:
    """facts/biconnector 5.10: at the top level, the upper bound with the last second of its day."""
    chain.emulated.control("language", language=language)
    peer.answer([["day"]])
    query = DataQuery(select=["DAY"], date_range=DateRange("DAY", date(2025, 2, 1), date(2025, 12, 31)))
    chain.emulated.emulator.endpoints.data(chain.dataset, query)
    assert peer.forms[-1][1:3] == [("filter[>=DAY]", first), ("filter[<=DAY]", last)]


CONDITIONS: list[tuple[Condition, Form]] = [
    (Condition("STATUS", "EQUALS", ["new"]), [("=STATUS][0", "new")]),
    (Condition("STATUS", "IN_LIST", ["new", "won"]), [("=STATUS][0", "new"), ("=STATUS][1", "won")]),
    (Condition("STATUS", "CONTAINS", ["e%"]), [("%STATUS][0", "e%")]),
    (Condition("ORDER_ID", "BETWEEN", ["1", "5"]), [("><ORDER_ID][0", "1"), ("><ORDER_ID][1", "5")]),
    (Condition("ORDER_ID", "NUMERIC_GREATER_THAN", ["5"]), [(">ORDER_ID][0", "5")]),
    (Condition("ORDER_ID", "NUMERIC_GREATER_THAN_OR_EQUAL", ["5"]), [(">=ORDER_ID][0", "5")]),
    (Condition("ORDER_ID", "NUMERIC_LESS_THAN", ["5"]), [("<ORDER_ID][0", "5")]),
    (Condition("ORDER_ID", "NUMERIC_LESS_THAN_OR_EQUAL", ["5"], exclude=True), [("!<=ORDER_ID][0", "5")]),
    (Condition("STATUS", "IS_NULL"), [("=STATUS", "0")]),
    (Condition("STATUS", "IS_NULL", exclude=True), [("!=STATUS", "0")]),
    (Condition("STATUS", "EQUALS", ["new"], exclude=True), [("!=STATUS][0", "new")]),
    (Condition("DAY", "EQUALS", ["2025-12-31"]), [("=DAY][0", "12/31/2025")]),
    (Condition("MOMENT", "EQUALS", ["2025-12-31 09:05:00"]), [("=MOMENT][0", "12/31/2025 09:05:00 am")]),
]


@pytest.mark.parametrize(("condition", "sent"), CONDITIONS)
def test_conditions_of_a_chart(chain: Chain, peer: Peer, condition: Condition, sent: Form) -> None:
    """facts/biconnector 5.11: lists even for one value, a scalar false for IS NULL."""
    peer.answer([["status"]])
    chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery(select=["STATUS"], groups=[[condition]]))
    assert peer.forms[-1][1] == ("filter[0][LOGIC]", "OR")
    got = [pair for pair in peer.forms[-1] if pair[0].startswith("filter[0][0]")]
    assert got == [(f"filter[0][0][{name}]", value) for name, value in sent]


def test_groups_are_numbered_and_empty_ones_disappear(chain: Chain, peer: Peer) -> None:
    """facts/biconnector 5.11"""
    peer.answer([["status"]])
    groups = [
        [Condition("STATUS", "IS_NULL")],
        [],
        [Condition("ORDER_ID", "EQUALS", ["1"]), Condition("DAY", "IS_NULL")],
    ]
    chain.emulated.emulator.endpoints.data(chain.dataset, DataQuery(select=["STATUS"], groups=groups))
    assert [name for name, _ in peer.forms[-1] if name.startswith("filter")] == [
        "filter[0][LOGIC]",
        "filter[0][0][=STATUS]",
        "filter[1][LOGIC]",
        "filter[1][0][=ORDER_ID][0]",
        "filter[1][1][=DAY]",
    ]


def test_the_journal_masks_credentials(chain: Chain, peer: Peer) -> None:
    peer.answer([])
    chain.emulated.emulator.endpoints.tables(chain.source, "x")
    call = chain.emulated.portal.journal.endpoint_calls[-1]
    assert dict(call.form) == {"searchString": "x", "connection[login]": "***", "connection[ключ[1]]": "***"}
    assert (call.endpoint, call.source_id, call.size, call.failure) == ("urlTableList", 1, 2, "")
