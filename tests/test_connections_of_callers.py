"""A connection that callers were promised, or that was accepted, gets an answer (facts/security 7 "Graceful stop")."""

from __future__ import annotations

import runpy
import selectors
import socket
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from gateway.wire import LEFTOVER_BYTES
from tests.doors import key

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A worker of the server that was told to stop, as every one is after some ten thousand requests."""
    for name, value in {"SECRET_KEYS": key("k1"), "BITRIX24_CLIENT_ID": "a", "BITRIX24_CLIENT_SECRET": "s"}.items():
        monkeypatch.setenv(name, value)
    made = object.__new__(runpy.run_path(str(ROOT / "gunicorn.conf.py"))["worker_class"])
    made.alive, made.nr_conns = False, 1
    made.pending_conns, made.keepalived_conns = deque(), deque()
    with selectors.DefaultSelector() as made.poller:
        yield made


def test_a_worker_that_stops_waits_for_a_connection_of_which_nothing_has_come_yet(worker: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = TConn(SimpleNamespace(keepalive=5), ours, ("192.0.2.1", 1), ("192.0.2.2", 2))
        looked: Future[Any] = Future()
        looked.set_result(_DEFER)
        worker.finish_request(connection, looked)
        assert list(worker.pending_conns) == [connection]
        theirs.sendall(b"POST")
        assert [event.fileobj for event, _ in worker.poller.select(10)] == [ours]


@pytest.mark.parametrize(
    ("headers", "closes"),
    [
        ([], False),
        ([("CONTENT-LENGTH", str(LEFTOVER_BYTES))], False),
        ([("CONTENT-LENGTH", str(LEFTOVER_BYTES + 1))], True),
        ([("TRANSFER-ENCODING", "chunked")], True),
    ],
)
def test_an_answer_to_a_body_that_may_not_be_read_says_that_the_connection_ends(
    worker: Any, monkeypatch: pytest.MonkeyPatch, headers: list[tuple[str, str]], closes: bool
) -> None:
    told: list[str] = []
    request = SimpleNamespace(headers=headers, force_close=lambda: told.append("close"))
    monkeypatch.setattr(ThreadWorker, "handle_request", lambda *_: told.append("answered"))
    worker.handle_request(request, SimpleNamespace(head=SimpleNamespace(cancel=lambda: None)))
    assert told == (["close"] if closes else []) + ["answered"]
