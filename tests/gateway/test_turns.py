"""Queries take turns, in all processes together, and no portal starves another (facts/security 4 layer 4)."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from gateway.turns import Busy, Turns


def is_free(turns: Turns, tenant: str, connection: str, target: str) -> bool:
    """Whether a turn comes up at once."""
    try:
        with turns.turn(tenant, connection, target):
            return True
    except Busy:
        return False


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "turns"


def test_a_connection_a_target_and_all_together_are_limited(file: Path) -> None:
    turns = Turns(file, per_connection=2, per_target=3, altogether=4, longest_wait=0)
    with turns.turn("a", "c1", "t1"), turns.turn("a", "c1", "t1"):
        assert not is_free(turns, "a", "c1", "t1")
        with turns.turn("a", "c2", "t1"):
            assert not is_free(turns, "b", "c3", "t1")
            with turns.turn("b", "c3", "t2"):
                assert not is_free(turns, "b", "c4", "t3")
            assert is_free(turns, "b", "c4", "t3")
    assert is_free(turns, "a", "c1", "t1")


def test_a_failing_call_gives_its_place_back(file: Path) -> None:
    turns = Turns(file, per_connection=1, longest_wait=0)

    def fail() -> None:
        with turns.turn("a", "c", "t"):
            raise RuntimeError

    for _ in range(3):
        with pytest.raises(RuntimeError):
            fail()
    assert is_free(turns, "a", "c", "t")


def test_a_call_waits_for_its_turn_but_not_for_ever(file: Path) -> None:
    turns = Turns(file, per_connection=1, longest_wait=0.3)
    started = time.monotonic()
    with turns.turn("a", "c", "t"):
        assert not is_free(turns, "a", "c", "t")
        assert 0.3 <= time.monotonic() - started < 2
        waiting = threading.Thread(target=is_free, args=(Turns(file, per_connection=1, longest_wait=5), "a", "c", "t"))
        waiting.start()
    waiting.join(3)
    assert not waiting.is_alive()


def test_the_portal_with_the_fewest_running_queries_is_next(file: Path) -> None:
    turns = Turns(file, per_connection=9, per_target=9, altogether=2, longest_wait=10)
    order: list[str] = []
    first, second = turns.turn("noisy", "n", "t"), turns.turn("noisy", "n", "t")
    first.__enter__()
    second.__enter__()

    def ask(tenant: str) -> None:
        with turns.turn(tenant, tenant, "t"):
            order.append(tenant)
            # Holds its place until the test ends, so that the next one is a decision.
            enough.wait(5)

    enough = threading.Event()
    threads = []
    for number, tenant in enumerate(["noisy", "noisy", "noisy", "quiet"], start=1):
        threads.append(threading.Thread(target=ask, args=(tenant,)))
        threads[-1].start()
        while len(turns._waiting) < number:
            time.sleep(0.005)
    first.__exit__(None, None, None)
    while not order:
        time.sleep(0.005)
    assert order == ["quiet"]
    second.__exit__(None, None, None)
    enough.set()
    for thread in threads:
        thread.join(5)
    assert sorted(order) == ["noisy", "noisy", "noisy", "quiet"]


def hold(file: Path, taken: multiprocessing.synchronize.Event) -> None:
    with Turns(file, per_connection=1).turn("a", "c", "t"):
        taken.set()
        time.sleep(60)


def test_processes_share_the_limits_and_a_killed_one_gives_its_places_back(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    process = context.Process(target=hold, args=(file, taken))
    process.start()
    try:
        assert taken.wait(30)
        turns = Turns(file, per_connection=1, longest_wait=0)
        assert not is_free(turns, "a", "c", "t")
        assert is_free(turns, "a", "other", "t")
    finally:
        process.kill()
        process.join()
    assert is_free(turns, "a", "c", "t")


def test_many_threads_never_exceed_a_limit(file: Path) -> None:
    turns = Turns(file, per_connection=3, longest_wait=20)
    running, most = 0, 0
    lock = threading.Lock()

    def ask() -> None:
        nonlocal running, most
        with turns.turn("a", "c", "t"):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.002)
            with lock:
                running -= 1

    threads = [threading.Thread(target=ask) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == 3
