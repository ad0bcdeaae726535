"""Who sends or reads slowly holds no thread for ever; what was not taken is no success (facts/security 1 row 16)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from gateway.wire import Watch
from tests.gateway.databases import postgresql
from tests.gateway.production import Hosted, Server, serving

BIG = 30_000_000
SMALL = 60_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Hosted]]:
    folder = tmp_path_factory.mktemp("wire")
    with postgresql([], folder) as source:
        with psycopg.connect(f"host=127.0.0.1 user=postgres dbname={source.settings['database']}") as database:
            for name, rows in (("big", BIG // 1000), ("small", SMALL // 1000)):
                database.execute(
                    f"CREATE VIEW {name} AS SELECT repeat('x', 1000) AS t FROM generate_series(1, {rows}) n"
                )
        with serving(folder, "tests/gateway/impatient.py", WEB_CONCURRENCY="1", WEB_THREADS="8") as server:
            yield server, server.connect("m", "postgresql", source.settings)
        assert "Traceback" not in server.log()


def next_call(server: Server, known: int) -> dict[str, Any]:
    """The call that is recorded after the `known` ones."""
    until = time.monotonic() + 15
    while len(server.calls()) <= known:
        assert time.monotonic() < until, "nothing was recorded"
        time.sleep(0.05)
    return server.calls()[known]


def drained(reader: socket.socket, pause: float = 0.0, step: int = 65536) -> int:
    """Bytes until the connection ends, in whichever way."""
    total = 0
    reader.settimeout(20)
    with contextlib.suppress(ConnectionError):
        while data := reader.recv(step):
            total += len(data)
            time.sleep(pause)
    return total


def is_ended(sender: socket.socket) -> bool:
    """Whether the connection ends without an answer that says yes."""
    sender.settimeout(15)
    try:
        return b" 200 " not in sender.recv(1000)
    except ConnectionError:
        return True


def test_an_answer_that_is_taken_is_a_success(served: tuple[Server, Hosted]) -> None:
    server, hosted = served
    known = len(server.calls())
    answer = hosted.post(table="big")
    call = next_call(server, known)
    assert (call["status"], call["code"], call["bytes"]) == (200, "", len(answer.content))


@pytest.mark.parametrize(("pause", "step"), [(30.0, 1), (0.2, 1)], ids=["reads nothing", "reads byte by byte"])
def test_an_answer_that_nobody_takes_is_ended_and_no_success(
    served: tuple[Server, Hosted], pause: float, step: int
) -> None:
    # facts/security 6: sending takes 55 s at most, in this test 2.5
    server, hosted = served
    known, started = len(server.calls()), time.monotonic()
    stop = threading.Event()
    with hosted.slow_reader(table="big") as reader:

        def read() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(pause) and reader.recv(step):
                    pass

        reading = threading.Thread(target=read)
        reading.start()
        call = next_call(server, known)
        assert time.monotonic() - started < 10
        stop.set()
        reading.join(40)
        assert drained(reader) < BIG // 2
    assert (call["status"], call["code"]) == (499, "not_taken")
    taken, total = int(call["reason"].split()[0]), int(call["reason"].split()[2])
    assert 0 <= taken == call["bytes"] < BIG < total
    assert call["rows"] == BIG // 1000


def test_what_only_the_system_took_over_was_not_taken(served: tuple[Server, Hosted]) -> None:
    # The answer fits into the buffers of this machine, so sending it never waits.
    server, hosted = served
    known = len(server.calls())
    with hosted.slow_reader(table="small"):
        call = next_call(server, known)
    assert (call["status"], call["code"]) == (499, "not_taken")
    assert call["bytes"] < SMALL


def test_a_reader_that_hangs_up_has_not_taken_the_answer(served: tuple[Server, Hosted]) -> None:
    server, hosted = served
    known, started = len(server.calls()), time.monotonic()
    with hosted.slow_reader(table="big") as reader:
        assert reader.recv(1000)
    call = next_call(server, known)
    assert (call["status"], call["code"]) == (499, "not_taken")
    assert time.monotonic() - started < 2.4


def test_a_body_that_does_not_end_is_no_call(served: tuple[Server, Hosted]) -> None:
    server, hosted = served
    known, started = len(server.calls()), time.monotonic()
    with hosted.half_sent() as silent, hosted.half_sent() as dripping:
        until = started + 10
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < until:
                dripping.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() < until
        assert is_ended(silent)
    calls = [next_call(server, known), next_call(server, known + 1)]
    assert {(call["status"], call["code"]) for call in calls} == {(400, "body_cut")}


def test_half_a_body_is_never_taken_for_a_whole_one(served: tuple[Server, Hosted]) -> None:
    # a filter that was cut off would give more rows
    server, hosted = served
    known = len(server.calls())
    with hosted.slow_reader(table="small", filter={"=T": "y"}) as whole:
        assert b" 200 " in whole.recv(1000)
        assert next_call(server, known)["code"] == ""
    with hosted.half_sent() as cut:
        cut.sendall(hosted.body(table="small"))
        cut.shutdown(socket.SHUT_WR)
        assert b" 400 " in cut.recv(1000)
    assert next_call(server, known + 1)["code"] == "body_cut"


def test_a_body_that_goes_on_arriving_is_waited_for(served: tuple[Server, Hosted]) -> None:
    # 10,000 bytes a second are enough, however long the whole takes
    _, hosted = served
    body = hosted.body(table="small", limit=1, mapFields={"X" * 40_000: "T"})
    with hosted.half_sent() as other:
        host, port = other.getpeername()
    path = hosted.urls["urlData"].split(str(port), 1)[1]
    with socket.create_connection((host, port)) as sender:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        sender.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), 2_000):
            sender.sendall(body[start : start + 2_000])
            time.sleep(0.1)
        assert b"HTTP/1.1 " in sender.recv(1000)


@pytest.mark.parametrize("beginning", [b"", b"POST / HTTP/1.1\r\nHost: x\r\nX: "], ids=["nothing", "half a head"])
def test_requests_that_do_not_begin_stop_nobody(served: tuple[Server, Hosted], beginning: bytes) -> None:
    server, hosted = served
    place = ("127.0.0.1", int(server.environment["PORT"]))
    with contextlib.ExitStack() as others:
        for _ in range(40):
            other = others.enter_context(socket.create_connection(place))
            other.sendall(beginning)
        started = time.monotonic()
        assert hosted.post(table="small", limit=1, timeout=30).status_code == 200
        # 40 halves of heads on 8 threads take five times 1.5 s; silence takes no thread at all.
        assert time.monotonic() - started < (12 if beginning else 1.4)


def test_connections_that_are_never_closed_stop_nobody(served: tuple[Server, Hosted]) -> None:
    server, hosted = served
    with contextlib.ExitStack() as others:
        for _ in range(16):
            other = others.enter_context(socket.create_connection(("127.0.0.1", int(server.environment["PORT"]))))
            other.sendall(b"GET /nowhere HTTP/1.0\r\n\r\n")
            assert other.recv(100)
        started = time.monotonic()
        assert hosted.post(table="small", limit=1, timeout=60).status_code == 200
        assert time.monotonic() - started < 8


def test_a_term_comes_once_again_as_it_asks_and_never_after_it_was_cancelled() -> None:
    watch, came = Watch(), []
    again = iter([time.monotonic() + 0.2, None])

    def act() -> float | None:
        came.append(time.monotonic())
        return next(again)

    later = watch.after(5.0, lambda: came.append(0.0))
    watch.after(0.1, act)
    never = watch.after(0.15, lambda: came.append(0.0))
    never.cancel()
    later.cancel()
    time.sleep(0.5)
    assert len(came) == 2
    assert came[1] - came[0] == pytest.approx(0.1, abs=0.08)
