"""nginx as operators are told to run it, in front of gunicorn: slow callers stay there (facts/security 1 row 16)."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from tests.gateway.bodies import FORM
from tests.gateway.databases import STAND_STILL, Source, postgresql, standing
from tests.gateway.production import Hosted, Server, serving, serving_too
from tests.gateway.proxy import Proxy, proxying
from tests.waiting import HANG, eventually

BIG = 12_000_000
THREADS = 8
SLOW = 20 * THREADS
NORMAL = 20


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with postgresql([], tmp_path_factory.mktemp("proxy")) as source:
        with psycopg.connect(database_of(source)) as database:
            database.execute(STAND_STILL)
            database.execute(
                "CREATE VIEW held AS SELECT 1 AS n, stand_still() AS t; CREATE VIEW quick AS SELECT 1 AS n"
            )
            database.execute(
                f"CREATE VIEW big AS SELECT repeat('x', 1000) AS t FROM generate_series(1, {BIG // 1000}) n"
            )
        yield source


def database_of(source: Source) -> str:
    return f"host=127.0.0.1 user=postgres dbname={source.settings['database']}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    given = {"WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS), "TRUSTED_PROXIES": "1", "REQUESTS_PER_MINUTE": "0"}
    with serving(tmp_path_factory.mktemp("app"), **given) as server:
        yield server
    assert "Traceback" not in server.log(), server.log()


@pytest.fixture(scope="module")
def direct(server: Server, source: Source) -> Hosted:
    return server.connect("m", "postgresql", source.settings)


@pytest.fixture(scope="module")
def proxy(direct: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxying(tmp_path_factory.mktemp("nginx"), direct.place[1]) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def hosted(proxy: Proxy, direct: Hosted) -> Hosted:
    return proxy.to(direct)


@contextlib.contextmanager
def hurrying(direct: Hosted, folder: Path, **times: str) -> Iterator[Hosted]:
    """The connection behind another proxy, with shorter times."""
    with proxying(folder, direct.place[1], **times) as proxy:
        yield proxy.to(direct)


def sources(count: int) -> list[str]:
    """Addresses of this machine; the proxy lets only so many connections of one in."""
    return [f"127.0.1.{1 + number % 100}" for number in range(count)]


def answered(hosted: Hosted) -> Counter[int]:
    """Statuses of normal calls, one after the other."""
    return Counter(hosted.post(table="quick").status_code for _ in range(NORMAL))


def drained(reader: socket.socket) -> int:
    """Bytes until the connection ends, in whichever way."""
    total = 0
    with contextlib.suppress(ConnectionError):
        while data := reader.recv(65536):
            total += len(data)
    return total


def test_slow_senders_stop_nobody_and_never_reach_the_application(server: Server, hosted: Hosted) -> None:
    with contextlib.ExitStack() as others, server.recording(NORMAL):
        for source in sources(SLOW):
            others.enter_context(socket.create_connection(hosted.place, source_address=(source, 0)))
            begun = others.enter_context(hosted.connection(source))
            begun.sendall(hosted.head(10)[:-4])
            others.enter_context(hosted.half_sent(source))
        assert answered(hosted) == {200: NORMAL}


def test_slow_readers_stop_nobody_and_hold_no_thread(server: Server, hosted: Hosted) -> None:
    with contextlib.ExitStack() as readers:
        for source in sources(2 * THREADS):
            with server.recording() as calls:
                readers.enter_context(hosted.slow_reader(source, table="big"))
            # The application is through with it, and nobody has read a byte.
            assert [(call["status"], call["code"], call["bytes"] > BIG) for call in calls] == [(200, "", True)]
        assert answered(hosted) == {200: NORMAL}


def test_a_large_answer_arrives_whole(hosted: Hosted) -> None:
    answer = hosted.post(table="big")
    assert len(answer.json()) == 1 + BIG // 1000
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_an_answer_that_nobody_takes_is_ended(direct: Hosted, tmp_path: Path) -> None:
    # facts/security 6: sending takes 55 s at most, in this test one
    with hurrying(direct, tmp_path, send_timeout="1s") as hosted, hosted.slow_reader(table="big") as reader:
        eventually(lambda: reset(reader))
        assert drained(reader) < BIG


def reset(reader: socket.socket) -> bool:
    """Whether the other side has ended the connection; reads nothing."""
    return bool(reader.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_request_that_stops_arriving_is_ended(server: Server, direct: Hosted, tmp_path: Path, part: str) -> None:
    before = len(server.calls())
    with hurrying(direct, tmp_path, **{f"client_{part}_timeout": "1s"}) as hosted, hosted.connection() as sender:
        sender.sendall(hosted.head(1000)[: -4 if part == "header" else None])
        assert drained(sender) < 1000
    assert len(server.calls()) == before


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
    assert [(call["status"], call["code"]) for call in calls] == [(499, "caller_gone")]


def test_a_call_after_one_that_was_too_long_is_answered_on_the_same_connection(hosted: Hosted) -> None:
    # facts/security 1 row 17; a portal that keeps its connection loses nothing
    with requests.Session() as portal:

        def post(**fields: str) -> requests.Response:
            body = hosted.body(table="quick", **fields)
            headers = {"Content-Type": FORM}
            return portal.post(
                hosted.urls["urlData"], data=body, headers=headers, timeout=HANG, verify=hosted.certificate
            )

        for _ in range(5):
            assert post(searchString="x" * 3_000_000).status_code == 413
            assert post().json() == [["N"], [1]]


def test_half_a_body_never_reaches_the_application(server: Server, hosted: Hosted) -> None:
    before = len(server.calls())
    with hosted.half_sent() as sender:
        sender.sendall(hosted.body(table="quick"))
        sender.shutdown(socket.SHUT_WR)
        assert b" 200 " not in sender.recv(1000)
    assert answered(hosted) == {200: NORMAL}
    eventually(lambda: len(server.calls()) == before + NORMAL)


@pytest.mark.parametrize("length", [b"Content-Length: 1000\r\n", b""], ids=["length", "no length"])
def test_an_answer_that_breaks_off_is_no_whole_one(direct: Hosted, tmp_path: Path, length: bytes) -> None:
    # facts/security 6: asked with HTTP/1.0, a server ends an answer without a length like one that breaks off
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                asked = connection.recv(65536)
                is_chunked = not length and b" HTTP/1.1\r\n" in asked
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + length)
                connection.sendall(b"Transfer-Encoding: chunked\r\n\r\n8\r\n" if is_chunked else b"\r\n")
                connection.sendall(b'[["N"],\n' + (b"\r\n" if is_chunked else b""))

        answering = threading.Thread(target=answer)
        answering.start()
        with proxying(tmp_path, listener.getsockname()[1]) as proxy, pytest.raises(requests.RequestException):
            proxy.to(direct).post(table="quick")
        answering.join(HANG)


def test_no_key_stands_in_the_log_of_accesses(proxy: Proxy, hosted: Hosted) -> None:
    # facts/security 1 row 18
    path = urlsplit(hosted.urls["urlData"]).path
    url = f"https://127.0.0.1:{proxy.port}{path}?auth=canary-token"
    assert requests.post(url, data=b"", timeout=HANG, verify=proxy.certificate).status_code == 400
    uid, key = path.split("/")[2:4]
    eventually(lambda: f"/gateway/{uid}/[hidden]/data" in proxy.accesses(), proxy.accesses)
    assert key not in proxy.accesses()
    assert "canary-token" not in proxy.accesses()


def test_workers_that_are_replaced_lose_no_call(server: Server, direct: Hosted, tmp_path: Path) -> None:
    # facts/security 7 "Graceful stop": every worker is replaced after so many requests, here after twenty
    replaced = {"GUNICORN_CMD_ARGS": "--max-requests 20 --max-requests-jitter 0", "REQUESTS_PER_MINUTE": "0"}
    with (
        serving_too(server, direct, **replaced) as (other, behind),
        proxying(tmp_path, behind.place[1]) as proxy,
        ThreadPoolExecutor(6) as callers,
    ):
        hosted, first = proxy.to(behind), other.workers()
        statuses = Counter(callers.map(lambda _: hosted.post(table="quick").status_code, range(120)))
        assert statuses == {200: 120}, other.log()
        assert first != other.workers()
