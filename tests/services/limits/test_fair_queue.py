"""Queries take turns, in all processes together, and no portal starves another (facts/security 4 layer 4)."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.limits import fair_queue as turns_module
from services.limits import shared_memory as board_module
from services.limits.concurrency import ConcurrencyLimit
from services.limits.fair_queue import PER_PORTAL, Busy, FairQueue
from services.limits.shared_memory import Places, SharedMemory
from tests.waiting import HANG, eventually


def is_free(turns: FairQueue, tenant: str, connection: str, target: str) -> bool:
    """Whether a turn comes up at once."""
    try:
        with turns.turn(tenant, connection, target):
            return True
    except Busy:
        return False


@pytest.fixture
def board() -> SharedMemory:
    return SharedMemory()


def test_a_connection_a_target_and_all_together_are_limited(board: SharedMemory) -> None:
    turns = FairQueue(board, per_connection=2, per_target=3, altogether=4, longest_wait=0)
    with turns.turn("a", "c1", "t1"), turns.turn("a", "c1", "t1"):
        assert not is_free(turns, "a", "c1", "t1")
        with turns.turn("a", "c2", "t1"):
            assert not is_free(turns, "b", "c3", "t1")
            with turns.turn("b", "c3", "t2"):
                assert not is_free(turns, "b", "c4", "t3")
            assert is_free(turns, "b", "c4", "t3")
    assert is_free(turns, "a", "c1", "t1")


def test_one_portal_never_has_all_turns(board: SharedMemory) -> None:
    # facts/security 7 "Fairness": a quarter of each common limit is kept for portals that have nothing running
    turns = FairQueue(board, longest_wait=0)
    with contextlib.ExitStack() as held:
        noisy = 0
        with contextlib.suppress(Busy):
            for number in range(100):
                held.enter_context(turns.turn("noisy", f"c{number}", f"t{number}"))
                noisy += 1
        assert noisy == PER_PORTAL
        with turns.turn("noisy too", "x", "tx"), turns.turn("noisy too", "x", "tx"), turns.turn("noisy too", "x", "tx"):
            assert not is_free(turns, "noisy too", "y", "ty")
            assert is_free(turns, "calm", "z", "tz")


def test_one_portal_never_has_all_turns_at_a_server_that_others_use_too(board: SharedMemory) -> None:
    turns = FairQueue(board, longest_wait=0)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Busy):
            for number in range(100):
                held.enter_context(turns.turn("noisy", f"c{number}", "t"))
        assert is_free(turns, "calm", "c", "t")


def test_a_place_that_noise_leaves_is_not_taken_by_noise_while_somebody_calm_waits(board: SharedMemory) -> None:
    # The queues of two processes know nothing of each other; the calm portal's call is in the other one.
    ours, theirs = FairQueue(board, altogether=4), FairQueue(board, altogether=4)
    with ours.turn("noisy", "n", "t"), ours.turn("noisy", "n", "t"), ours.turn("noisy", "n", "t"):
        with theirs.turn("calm", "c", "t"):
            assert not is_free(FairQueue(board, altogether=4, longest_wait=0), "noisy", "n", "t")
        assert not is_free(FairQueue(board, altogether=4, longest_wait=0), "noisy", "n", "t")
        assert is_free(FairQueue(board, altogether=4, longest_wait=0), "calm", "c", "t")


def test_many_waiting_calls_look_for_a_place_no_oftener_than_one(
    board: SharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def counted(self: SharedMemory) -> Places:
        nonlocal looked
        looked += 1
        return holding(self)

    turns = FairQueue(board, per_connection=1, longest_wait=10 * HANG)
    holding = SharedMemory.holding
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.append(is_free(turns, "a", "c", "t")), daemon=True) for _ in range(40)
    ]

    def all_wait() -> tuple[float, int] | None:
        # Who has the lock while all are in the queue knows that none of them is on its way to look.
        with turns._changed:
            return (time.monotonic(), looked) if len(turns._waiting) == 40 else None

    with turns.turn("a", "c", "t"):
        monkeypatch.setattr(SharedMemory, "holding", counted)
        for thread in threads:
            thread.start()
        since, before = eventually(all_wait) or (0.0, 0)
        eventually(lambda: looked >= before + 10)
        with turns._changed:
            took, looks = time.monotonic() - since, looked - before
    # One that looks, pauses, and looks again; on a slow machine it looks less often.
    assert 10 <= looks <= took / turns_module._LOOK_AGAIN + 1
    for thread in threads:
        thread.join(HANG)
    assert found == [True] * 40


def test_there_is_always_room_for_the_first_call_of_another_portal() -> None:
    hall = ConcurrencyLimit(60)

    def fill(tenant: str) -> int:
        for number in range(100):
            try:
                hall.enter(tenant)
            except Busy:
                return number
        raise AssertionError("no limit")

    assert [fill(tenant) for tenant in ("noisy", "second", "third", "calm")] == [40, 14, 4, 2]
    for _ in range(40):
        hall.leave("noisy")
    hall.enter("noisy")


def links_to(inode: int) -> list[str]:
    """What the descriptors of this process that lead to a file are called."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if descriptor.stat().st_ino == inode:
                links.append(str(descriptor.readlink()))
    return links


def test_a_board_has_no_name_that_others_could_take_and_nothing_is_left_of_it() -> None:
    board = SharedMemory()
    inode = os.fstat(board._file).st_ino
    assert links_to(inode)
    assert all("memfd:board" in link and link.endswith("(deleted)") for link in links_to(inode))
    del board
    gc.collect()
    assert [link for link in links_to(inode) if "memfd:board" in link] == []


def test_a_moment_is_known_until_it_is_over(board: SharedMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    present = 1000.0
    monkeypatch.setattr(board_module, "time", SimpleNamespace(monotonic=lambda: present))
    assert board.moment("a") == 0.0
    assert board.change("a", lambda _: 1000.2) == 1000.2
    assert (board.moment("a"), board.moment("b")) == (1000.2, 0.0)
    present = 1000.2
    assert board.moment("a") == 0.0


def test_moments_are_changed_one_after_the_other(board: SharedMemory) -> None:
    far = time.monotonic() + 1000.0
    board.change("a", lambda _: far)
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=add, args=(board, 200)) for _ in range(2)]
    for other in others:
        other.start()
    add(board, 200)
    for other in others:
        other.join(HANG)
    assert [other.exitcode for other in others] == [0, 0]
    assert board.moment("a") == far + 600


def add(board: SharedMemory, times: int) -> None:
    for _ in range(times):
        board.change("a", lambda moment: moment + 1)


def test_thousands_of_moments_have_room_and_too_many_do_no_harm(board: SharedMemory) -> None:
    far = time.monotonic() + 1000.0
    for number in range(4000):
        board.change(str(number), lambda _: far)
    assert {board.moment(str(number)) for number in range(4000)} == {far}
    for number in range(30_000):
        board.change(str(number), lambda _: far)
    assert board.moment("0") == far


def test_a_failing_call_gives_its_place_back(board: SharedMemory) -> None:
    turns = FairQueue(board, per_connection=1, longest_wait=0)

    def fail() -> None:
        with turns.turn("a", "c", "t"):
            raise RuntimeError

    for _ in range(3):
        with pytest.raises(RuntimeError):
            fail()
    assert is_free(turns, "a", "c", "t")


def test_a_call_waits_for_its_turn_but_not_for_ever(board: SharedMemory) -> None:
    turns = FairQueue(board, per_connection=1, longest_wait=0.3)
    found: list[bool] = []
    patient = FairQueue(board, per_connection=1, longest_wait=10 * HANG)
    waiting = threading.Thread(target=lambda: found.append(is_free(patient, "a", "c", "t")), daemon=True)
    with turns.turn("a", "c", "t"):
        started = time.monotonic()
        assert not is_free(turns, "a", "c", "t")
        assert time.monotonic() - started >= 0.3
        waiting.start()
        eventually(lambda: patient._waiting)
        assert found == []
    waiting.join(HANG)
    assert found == [True]


def test_the_portal_with_the_fewest_running_queries_is_next(board: SharedMemory) -> None:
    turns = FairQueue(board, per_connection=9, per_target=9, altogether=2, longest_wait=10 * HANG)
    order: list[str] = []
    first, second = turns.turn("noisy", "n", "t"), turns.turn("noisy", "n", "t")
    first.__enter__()
    second.__enter__()

    def ask(tenant: str) -> None:
        with turns.turn(tenant, tenant, "t"):
            order.append(tenant)
            # Holds its place until the test ends, so that the next one is a decision.
            enough.wait(10 * HANG)

    enough = threading.Event()
    threads: list[threading.Thread] = []
    try:
        for number, tenant in enumerate(["noisy", "noisy", "noisy", "quiet"], start=1):
            threads.append(threading.Thread(target=ask, args=(tenant,), daemon=True))
            threads[-1].start()
            eventually(lambda number=number: len(turns._waiting) >= number)  # type: ignore[misc]
        first.__exit__(None, None, None)
        eventually(lambda: order)
        assert order == ["quiet"]
        second.__exit__(None, None, None)
    finally:
        enough.set()
    for thread in threads:
        thread.join(HANG)
    assert sorted(order) == ["noisy", "noisy", "noisy", "quiet"]


def hold(board: SharedMemory, taken: multiprocessing.synchronize.Event) -> None:
    with FairQueue(board, per_connection=1).turn("a", "c", "t"):
        taken.set()
        time.sleep(10 * HANG)


def test_processes_share_the_limits_and_a_killed_one_gives_its_places_back(board: SharedMemory) -> None:
    # as gunicorn.conf.py forks workers from the application that it loaded
    context = multiprocessing.get_context("fork")
    taken = context.Event()
    process = context.Process(target=hold, args=(board, taken))
    process.start()
    try:
        assert taken.wait(HANG)
        turns = FairQueue(board, per_connection=1, longest_wait=0)
        assert not is_free(turns, "a", "c", "t")
        assert is_free(turns, "a", "other", "t")
    finally:
        process.kill()
        process.join()
    assert is_free(turns, "a", "c", "t")


def test_many_threads_never_exceed_a_limit(board: SharedMemory) -> None:
    turns = FairQueue(board, per_connection=3, longest_wait=10 * HANG)
    running, most = 0, 0
    lock, three = threading.Lock(), threading.Event()

    def ask() -> None:
        nonlocal running, most
        with turns.turn("a", "c", "t"):
            with lock:
                running += 1
                most = max(most, running)
                if running == 3:
                    three.set()
            # The first ones wait for each other: that as many as may run do run is no chance.
            three.wait(HANG)
            time.sleep(0.002)
            with lock:
                running -= 1

    threads = [threading.Thread(target=ask) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert (most, running) == (3, 0)
