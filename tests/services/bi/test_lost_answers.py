"""facts/platform 5.1: a changing call whose answer got lost is looked up, never repeated."""

from __future__ import annotations

from typing import Any

import pytest

from errors import AccessDenied, NotFound, OutcomeUnknown, PortalBusy, PortalRefused, PortalUnreachable
from services.bi.lost_answers import added, deleted, settled, updated

LOST = PortalUnreachable("timeout")
NEVER_SENT = PortalUnreachable("connection", sent=False)


class Calls:
    """A call that raises or gives what it is told, and counts."""

    def __init__(self, outcome: Any) -> None:
        self.outcome, self.count = outcome, 0

    def __call__(self) -> Any:
        self.count += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def test_an_answer_needs_no_look_up() -> None:
    look_up = Calls(9)
    assert settled(Calls(4), look_up) == 4
    assert look_up.count == 0


def test_a_lost_answer_is_looked_up_once() -> None:
    change, look_up = Calls(LOST), Calls(9)
    assert settled(change, look_up) == 9
    assert (change.count, look_up.count) == (1, 1)


@pytest.mark.parametrize("found", [None, PortalBusy("QUERY_LIMIT_EXCEEDED"), AccessDenied("x.list", "ACCESS_DENIED")])
def test_what_the_look_up_cannot_tell_is_unknown(found: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        settled(Calls(LOST), Calls(found))


@pytest.mark.parametrize("problem", [NEVER_SENT, PortalBusy("X"), PortalRefused("x.add", "NAME_EXISTS")])
def test_what_certainly_did_not_happen_is_told_as_it_is(problem: Exception) -> None:
    look_up = Calls(9)
    with pytest.raises(type(problem)) as caught:
        settled(Calls(problem), look_up)
    assert caught.value is problem
    assert look_up.count == 0


def test_a_lost_addition_gives_what_is_newer_than_everything_like_it() -> None:
    found = iter([8, 9])
    assert added(Calls(LOST), lambda: next(found)) == 9


@pytest.mark.parametrize("newest", [[0, 0], [8, 8], [8, 7]])
def test_what_looked_the_same_before_a_lost_addition_was_not_made_by_it(newest: list[int]) -> None:
    found = iter(newest)
    with pytest.raises(OutcomeUnknown):
        added(Calls(LOST), lambda: next(found))


def test_nothing_is_added_when_it_is_unknown_what_was_there_before() -> None:
    add = Calls(4)
    with pytest.raises(PortalBusy):
        added(add, Calls(PortalBusy("QUERY_LIMIT_EXCEEDED")))
    assert add.count == 0


@pytest.mark.parametrize("answer", [True, False, None, 0])
def test_an_update_that_was_answered_is_done_whatever_the_answer(answer: Any) -> None:
    update = Calls(answer)
    updated(update)
    assert update.count == 1


def test_a_lost_update_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown):
        updated(Calls(LOST))


def test_a_lost_deletion_is_done_when_the_object_is_gone() -> None:
    delete, look = Calls(LOST), Calls(NotFound("x.get", "SOURCE_NOT_FOUND"))
    deleted(delete, look)
    assert (delete.count, look.count) == (1, 1)


@pytest.mark.parametrize("read", [{"item": {}}, PortalBusy("X")])
def test_a_lost_deletion_is_unknown_otherwise(read: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        deleted(Calls(LOST), Calls(read))
