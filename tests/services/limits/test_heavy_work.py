"""Large answers are made one after another in a process, and pause for the call of a portal that has no other one."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import pytest

from services.limits import heavy_work
from services.limits.heavy_work import HEAVY_BYTES, HeavyWork
from tests.waiting import HANG, eventually


def in_thread(work: HeavyWork, pieces: int = 1, seconds: float = 0.0) -> tuple[threading.Thread, list[int]]:
    """A large answer of another call, and its pieces so far."""
    made: list[int] = []

    def make() -> None:
        with work.answer(is_only=False) as answer:
            for piece in range(pieces):
                answer.grow(HEAVY_BYTES)
                made.append(piece)
                time.sleep(seconds)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    return thread, made


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn is overdue, unless a test says so."""
    monkeypatch.setattr(heavy_work, "OVERDUE", 10 * HANG)


def test_a_small_answer_waits_for_no_large_one() -> None:
    work = HeavyWork()
    with work.answer(is_only=False) as large:
        large.grow(HEAVY_BYTES)
        with work.answer(is_only=False) as small:
            small.grow(HEAVY_BYTES - 1)


def test_one_large_answer_at_a_time_is_made() -> None:
    work = HeavyWork()
    with work.answer(is_only=False) as large:
        large.grow(HEAVY_BYTES)
        thread, made = in_thread(work)
        eventually(lambda: len(work._turns) == 2)
        assert made == []
    thread.join(HANG)
    assert made == [0]


def test_large_answers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy_work, "SLICE", 0.0)
    monkeypatch.setattr(heavy_work, "IDLE", 0.0)
    work = HeavyWork()
    with work.answer(is_only=False) as large:
        large.grow(HEAVY_BYTES)
        thread, made = in_thread(work, pieces=3)
        for pieces in ([0], [0, 1], [0, 1, 2]):
            eventually(lambda: len(work._turns) == 2)
            large.grow(HEAVY_BYTES)
            assert made == pieces
    thread.join(HANG)


def test_an_answer_that_fails_gives_its_turn_back() -> None:
    work = HeavyWork()
    with contextlib.suppress(ZeroDivisionError), work.answer(is_only=True) as large:
        large.grow(HEAVY_BYTES)
        raise ZeroDivisionError
    with work.answer(is_only=False) as large:
        large.grow(HEAVY_BYTES)
    assert (work._only, len(work._turns)) == (0, 0)


def test_a_turn_whose_holder_waits_for_its_database_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy_work, "OVERDUE", 0.01)
    work = HeavyWork()
    with work.answer(is_only=False) as silent:
        silent.grow(HEAVY_BYTES)
        threads = [in_thread(work)[0] for _ in range(3)]
        for thread in threads:
            thread.join(HANG)
            assert not thread.is_alive()
        silent.grow(HEAVY_BYTES)
    assert len(work._turns) == 0


def test_a_large_answer_pauses_for_an_only_call_until_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy_work, "SLICE", 10 * HANG)
    monkeypatch.setattr(heavy_work, "PAUSES", 1000.0 * HANG)
    work = HeavyWork()
    thread, made = in_thread(work, pieces=1000, seconds=0.001)
    eventually(lambda: made)
    with work.answer(is_only=True):
        time.sleep(0.05)
        before = len(made)
        time.sleep(0.05)
        assert len(made) == before
    eventually(lambda: len(made) > before)
    monkeypatch.setattr(heavy_work, "PAUSES", 0.0)
    thread.join(HANG)


def test_pauses_take_no_more_than_their_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A portal that asks without end does not stop the others."""
    monkeypatch.setattr(heavy_work, "IDLE", 0.0)
    work = HeavyWork()
    with work.answer(is_only=True):
        started = time.monotonic()
        thread, _ = in_thread(work, pieces=40, seconds=0.005)
        thread.join(HANG)
        took = time.monotonic() - started
    assert not thread.is_alive()
    assert took < 10 * 40 * 0.005


def test_nobody_pauses_for_a_large_answer() -> None:
    work = HeavyWork()
    with work.answer(is_only=True) as own:
        own.grow(HEAVY_BYTES)
        assert work._only == 0
    assert work._only == 0


def test_an_answer_that_is_slow_in_coming_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy_work, "SLICE", 0.02)
    monkeypatch.setattr(heavy_work, "SLOW_FOR", 10 * HANG)
    work = HeavyWork()
    with work.answer(is_only=False) as slow:
        slow.grow(HEAVY_BYTES)
        monkeypatch.setattr(time, "process_time", lambda: 0.0)
        time.sleep(0.03)
        slow.grow(HEAVY_BYTES)
        with work.answer(is_only=False) as large:
            large.grow(HEAVY_BYTES)
            slow.grow(HEAVY_BYTES)
            assert list(work._turns) == [large]


def test_an_answer_that_is_woken_too_late_for_its_turn_goes_on_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    work = HeavyWork()

    def turns_pass(is_past: Callable[[], bool], _: float) -> bool:
        # As if this thread slept: its own turn came, was overdue, was passed on, and all the others are over.
        work._turns.clear()
        return is_past()

    with work.answer(is_only=False) as first, work.answer(is_only=False) as late:
        first.grow(HEAVY_BYTES)
        monkeypatch.setattr(work._changed, "wait_for", turns_pass)
        late.grow(HEAVY_BYTES)
    assert len(work._turns) == 0
