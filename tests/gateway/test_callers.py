"""Half a body is no call, an answer that was not taken is no success, and nobody's query runs on (facts/security 6)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import psycopg
import pytest

from gateway.callers import is_waiting
from tests.gateway.databases import STAND_STILL, Source, postgresql, standing
from tests.gateway.production import Hosted, Server, serving
from tests.waiting import eventually

BIG = 30_000_000
SMALL = 60_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with postgresql([], tmp_path_factory.mktemp("callers")) as source:
        with psycopg.connect(database_of(source)) as database:
            database.execute(STAND_STILL)
            database.execute("CREATE VIEW held AS SELECT 1 AS n, stand_still() AS t")
            for name, rows in (("big", BIG // 1000), ("small", SMALL // 1000)):
                database.execute(
                    f"CREATE VIEW {name} AS SELECT repeat('x', 1000) AS t FROM generate_series(1, {rows}) n"
                )
        yield source


def database_of(source: Source) -> str:
    return f"host=127.0.0.1 user=postgres dbname={source.settings['database']}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("callers"), WEB_CONCURRENCY="1", WEB_THREADS="8") as server:
        yield server
    assert "Traceback" not in server.log(), server.log()


@pytest.fixture(scope="module")
def hosted(server: Server, source: Source) -> Hosted:
    return server.connect("m", "postgresql", source.settings)


def test_an_answer_that_is_taken_is_a_success(server: Server, hosted: Hosted) -> None:
    with server.recording() as calls:
        answer = hosted.post(table="big")
    assert [(call["status"], call["code"], call["bytes"]) for call in calls] == [(200, "", len(answer.content))]


def test_a_reader_that_hangs_up_has_not_taken_the_answer(server: Server, hosted: Hosted) -> None:
    with server.recording() as calls, hosted.slow_reader(table="big") as reader:
        assert reader.recv(1000)
    (call,) = calls
    assert (call["status"], call["code"], call["rows"]) == (499, "not_taken", BIG // 1000), call
    taken, total = int(call["reason"].split()[0]), int(call["reason"].split()[2])
    assert 0 <= taken == call["bytes"] < BIG < total


def test_the_query_of_a_caller_who_hung_up_ends(server: Server, hosted: Hosted, source: Source) -> None:
    with (
        psycopg.connect(database_of(source), autocommit=True) as owner,
        # It would stand still until the end of this block.
        standing(owner) as count,
        server.recording() as calls,
    ):
        with hosted.slow_reader(table="held"):
            eventually(lambda: count() == 1, server.log)
        eventually(lambda: count() == 0, server.log)
    assert [(call["status"], call["code"], call["bytes"]) for call in calls] == [(499, "caller_gone", 0)]


def test_half_a_body_is_never_taken_for_a_whole_one(server: Server, hosted: Hosted) -> None:
    # a filter that was cut off would give more rows
    with server.recording() as whole, hosted.slow_reader(table="small", filter={"=T": "y"}) as reader:
        assert b" 200 " in reader.recv(1000)
    with server.recording() as cut, hosted.half_sent() as sender:
        sender.sendall(hosted.body(table="small"))
        sender.shutdown(socket.SHUT_WR)
        assert b" 400 " in sender.recv(1000)
    assert [call["code"] for call in whole + cut] == ["", "body_cut"]


@pytest.mark.parametrize(("size", "status"), [(10, 200), (3_000_000, 413)])
def test_each_answer_says_that_its_connection_ends(server: Server, hosted: Hosted, size: int, status: int) -> None:
    # A caller that was promised more would lose its next call where a body was not read to its end.
    with server.recording():
        answer = hosted.post(table="small", limit=1, searchString="x" * size)
    assert (answer.status_code, answer.headers["Connection"]) == (status, "close")


@pytest.mark.parametrize("name", ["gunicorn.socket", "werkzeug.socket"])
def test_a_caller_waits_until_it_hangs_up(name: str) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            assert is_waiting({name: ours})
        assert not is_waiting({name: ours})
    assert not is_waiting({name: ours})


def test_what_a_caller_sends_meanwhile_is_left_to_the_server() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"GET")
        assert is_waiting({"gunicorn.socket": ours})
        assert ours.recv(10) == b"GET"


def test_where_a_server_hands_no_socket_over_every_caller_waits() -> None:
    assert is_waiting({})
