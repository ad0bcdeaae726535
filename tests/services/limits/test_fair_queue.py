"""Queries take queue, in all processes together, and no portal starves another (facts/security 4 layer 4)."""

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
from services.limits import shared_memory
from services.limits.concurrency import ConcurrencyLimit
from services.limits.fair_queue import PER_PORTAL, SLOW_AFTER, Busy, FairQueue
from services.limits.shared_memory import Places, SharedMemory
from tests.waiting import HANG, eventually


def is_free(queue: FairQueue, tenant: str, connection: str, target: str) -> bool:
    """Whether a turn comes up at once."""
    try:
        with queue.slot(tenant, connection, target):
            return True
    except Busy:
        return False


@pytest.fixture
def memory() -> SharedMemory:
    return SharedMemory()


def test_a_connection_a_target_and_all_together_are_limited(memory: SharedMemory) -> None:
    queue = FairQueue(memory, per_connection=2, per_target=3, altogether=4, longest_wait=0)
    with queue.slot("a", "c1", "t1"), queue.slot("a", "c1", "t1"):
        assert not is_free(queue, "a", "c1", "t1")
        with queue.slot("a", "c2", "t1"):
            assert not is_free(queue, "b", "c3", "t1")
            with queue.slot("b", "c3", "t2"):
                assert not is_free(queue, "b", "c4", "t3")
            assert is_free(queue, "b", "c4", "t3")
    assert is_free(queue, "a", "c1", "t1")


def test_one_portal_never_has_all_turns(memory: SharedMemory) -> None:
    # facts/security 7 "Fairness": a quarter of each common limit is kept for portals that have nothing running
    queue = FairQueue(memory, longest_wait=0)
    with contextlib.ExitStack() as held:
        noisy = 0
        with contextlib.suppress(Busy):
            for number in range(100):
                held.enter_context(queue.slot("noisy", f"c{number}", f"t{number}"))
                noisy += 1
        assert noisy == PER_PORTAL
        with queue.slot("noisy too", "x", "tx"), queue.slot("noisy too", "x", "tx"), queue.slot("noisy too", "x", "tx"):
            assert not is_free(queue, "noisy too", "y", "ty")
            assert is_free(queue, "calm", "z", "tz")


def test_one_portal_never_has_all_turns_at_a_server_that_others_use_too(memory: SharedMemory) -> None:
    queue = FairQueue(memory, longest_wait=0)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Busy):
            for number in range(100):
                held.enter_context(queue.slot("noisy", f"c{number}", "t"))
        assert is_free(queue, "calm", "c", "t")


def test_a_place_that_noise_leaves_is_not_taken_by_noise_while_somebody_calm_waits(memory: SharedMemory) -> None:
    # The queues of two processes know nothing of each other; the calm portal's call is in the other one.
    ours, theirs = FairQueue(memory, altogether=4), FairQueue(memory, altogether=4)
    with ours.slot("noisy", "n", "t"), ours.slot("noisy", "n", "t"), ours.slot("noisy", "n", "t"):
        with theirs.slot("calm", "c", "t"):
            assert not is_free(FairQueue(memory, altogether=4, longest_wait=0), "noisy", "n", "t")
        assert not is_free(FairQueue(memory, altogether=4, longest_wait=0), "noisy", "n", "t")
        assert is_free(FairQueue(memory, altogether=4, longest_wait=0), "calm", "c", "t")


def test_many_waiting_calls_look_for_a_place_no_oftener_than_one(
    memory: SharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def counted(self: SharedMemory) -> Places:
        nonlocal looked
        looked += 1
        return places(self)

    queue = FairQueue(memory, per_connection=1, longest_wait=10 * HANG)
    places = SharedMemory.places
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.append(is_free(queue, "a", "c", "t")), daemon=True) for _ in range(40)
    ]

    def all_wait() -> tuple[float, int] | None:
        # Who has the lock while all are in the queue knows that none of them is on its way to look.
        with queue._lock:
            return (time.monotonic(), looked) if len(queue._waiting) == 40 else None

    with queue.slot("a", "c", "t"):
        monkeypatch.setattr(SharedMemory, "places", counted)
        for thread in threads:
            thread.start()
        since, before = eventually(all_wait) or (0.0, 0)
        eventually(lambda: looked >= before + 10)
        with queue._lock:
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


def test_the_memory_has_no_name_that_others_could_take_and_nothing_is_left_of_it() -> None:
    memory = SharedMemory()
    inode = os.fstat(memory._file.fileno()).st_ino
    assert links_to(inode)
    assert all(link.endswith("(deleted)") for link in links_to(inode))
    del memory
    gc.collect()
    assert links_to(inode) == []


def test_a_moment_is_known_until_it_is_over(memory: SharedMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    present = 1000.0
    monkeypatch.setattr(shared_memory, "time", SimpleNamespace(monotonic=lambda: present))
    assert memory.moment("a") == 0.0
    assert memory.change("a", lambda _: 1000.2) == 1000.2
    assert (memory.moment("a"), memory.moment("b")) == (1000.2, 0.0)
    present = 1000.2
    assert memory.moment("a") == 0.0


def test_moments_are_changed_one_after_the_other(memory: SharedMemory) -> None:
    far = time.monotonic() + 1000.0
    memory.change("a", lambda _: far)
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=add, args=(memory, 200)) for _ in range(2)]
    for other in others:
        other.start()
    add(memory, 200)
    for other in others:
        other.join(HANG)
    assert [other.exitcode for other in others] == [0, 0]
    assert memory.moment("a") == far + 600


def add(memory: SharedMemory, times: int) -> None:
    for _ in range(times):
        memory.change("a", lambda moment: moment + 1)


def test_thousands_of_moments_have_room_and_too_many_do_no_harm(memory: SharedMemory) -> None:
    far = time.monotonic() + 1000.0
    for number in range(4000):
        memory.change(str(number), lambda _: far)
    assert {memory.moment(str(number)) for number in range(4000)} == {far}
    for number in range(30_000):
        memory.change(str(number), lambda _: far)
    assert memory.moment("0") == far


def test_a_failing_call_gives_its_place_back(memory: SharedMemory) -> None:
    queue = FairQueue(memory, per_connection=1, longest_wait=0)

    def fail() -> None:
        with queue.slot("a", "c", "t"):
            raise RuntimeError

    for _ in range(3):
        with pytest.raises(RuntimeError):
            fail()
    assert is_free(queue, "a", "c", "t")


def test_a_call_waits_for_its_turn_but_not_for_ever(memory: SharedMemory) -> None:
    queue = FairQueue(memory, per_connection=1, longest_wait=0.3)
    found: list[bool] = []
    patient = FairQueue(memory, per_connection=1, longest_wait=10 * HANG)
    waiting = threading.Thread(target=lambda: found.append(is_free(patient, "a", "c", "t")), daemon=True)
    with queue.slot("a", "c", "t"):
        started = time.monotonic()
        assert not is_free(queue, "a", "c", "t")
        assert time.monotonic() - started >= 0.3
        waiting.start()
        eventually(lambda: patient._waiting)
        assert found == []
    waiting.join(HANG)
    assert found == [True]


def test_the_portal_with_the_fewest_running_queries_is_next(memory: SharedMemory) -> None:
    queue = FairQueue(memory, per_connection=9, per_target=9, altogether=2, longest_wait=10 * HANG)
    order: list[str] = []
    first, second = queue.slot("noisy", "n", "t"), queue.slot("noisy", "n", "t")
    first.__enter__()
    second.__enter__()

    def ask(tenant: str) -> None:
        with queue.slot(tenant, tenant, "t"):
            order.append(tenant)
            # Holds its place until the test ends, so that the next one is a decision.
            enough.wait(10 * HANG)

    enough = threading.Event()
    threads: list[threading.Thread] = []
    try:
        for number, tenant in enumerate(["noisy", "noisy", "noisy", "quiet"], start=1):
            threads.append(threading.Thread(target=ask, args=(tenant,), daemon=True))
            threads[-1].start()
            eventually(lambda number=number: len(queue._waiting) >= number)  # type: ignore[misc]
        first.__exit__(None, None, None)
        eventually(lambda: order)
        assert order == ["quiet"]
        second.__exit__(None, None, None)
    finally:
        enough.set()
    for thread in threads:
        thread.join(HANG)
    assert sorted(order) == ["noisy", "noisy", "noisy", "quiet"]


def hold(memory: SharedMemory, taken: multiprocessing.synchronize.Event) -> None:
    with FairQueue(memory, per_connection=1).slot("a", "c", "t"):
        taken.set()
        time.sleep(10 * HANG)


def test_processes_share_the_limits_and_a_killed_one_gives_its_places_back(memory: SharedMemory) -> None:
    # as gunicorn.conf.py forks workers from the application that it loaded
    context = multiprocessing.get_context("fork")
    taken = context.Event()
    process = context.Process(target=hold, args=(memory, taken))
    process.start()
    try:
        assert taken.wait(HANG)
        queue = FairQueue(memory, per_connection=1, longest_wait=0)
        assert not is_free(queue, "a", "c", "t")
        assert is_free(queue, "a", "other", "t")
    finally:
        process.kill()
        process.join()
    assert is_free(queue, "a", "c", "t")


def test_many_threads_never_exceed_a_limit(memory: SharedMemory) -> None:
    queue = FairQueue(memory, per_connection=3, longest_wait=10 * HANG)
    running, most = 0, 0
    lock, three = threading.Lock(), threading.Event()

    def ask() -> None:
        nonlocal running, most
        with queue.slot("a", "c", "t"):
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


def test_queries_of_silent_servers_hold_no_place_of_those_that_answer(memory: SharedMemory) -> None:
    queue = FairQueue(memory, altogether=4, slow=4, longest_wait=0)
    with contextlib.ExitStack() as held:
        slots = [held.enter_context(queue.slot(f"hung {n}", f"c{n}", f"t{n}")) for n in range(4)]
        for slot in slots:
            slot.is_silent(SLOW_AFTER - 0.1)
        assert not is_free(queue, "calm", "c", "t")
        for slot in slots:
            slot.is_silent(SLOW_AFTER)
            slot.is_silent(SLOW_AFTER + 1)
        with contextlib.ExitStack() as calm:
            for number in range(4):
                calm.enter_context(queue.slot(f"calm {number}", f"a{number}", "answers"))
        # More of a silent server begin apart, and there is no place left.
        assert not is_free(queue, "late", "c", "t0")
    assert is_free(queue, "late", "c", "t0")
    assert is_free(FairQueue(memory, altogether=1, longest_wait=0), "other", "c", "t"), "all places were given back"


def test_a_query_of_a_silent_server_stays_where_no_place_apart_is_free(memory: SharedMemory) -> None:
    queue = FairQueue(memory, altogether=2, slow=1, longest_wait=0)
    with queue.slot("a", "c1", "t1") as first, queue.slot("b", "c2", "t2") as second:
        first.is_silent(SLOW_AFTER)
        second.is_silent(SLOW_AFTER)
        assert is_free(queue, "c", "c3", "t3")
        with queue.slot("c", "c3", "t3"):
            assert not is_free(queue, "d", "c4", "t4")
    first.is_silent(SLOW_AFTER)
    with queue.slot("a", "c1", "t1"):
        assert not is_free(queue, "b", "c2", "t2")
