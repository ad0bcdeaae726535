"""A silent server is asked whether it computes before it is given up, by a thread that keeps nobody waiting."""

from __future__ import annotations

import threading

import pytest

from drivers.limits import Limits, SilenceLimit
from egress.errors import Unreachable
from egress.silence import Silence
from tests.waiting import HANG, eventually


class Asked:
    """A server whose answers the test decides."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers, self.begun = list(answers), list[bool]()

    def __call__(self, begun: bool) -> bool:
        self.begun.append(begun)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ends(patience: SilenceLimit, seconds: float, begun: bool = False) -> bool:
    """Whether patience is at its end, once whoever asks the server is done."""
    patience.is_passed(Silence(seconds, begun))
    eventually(lambda: patience._asking is None)
    return patience.is_passed(Silence(seconds, begun))


def test_a_server_that_still_computes_is_waited_for_and_asked_again() -> None:
    server = Asked(True, True, False)
    patience = SilenceLimit(Limits(silence=20), server)
    assert [ends(patience, seconds) for seconds in (5, 19.9, 20, 39.9, 40, 59.9)] == [False] * 6
    assert ends(patience, 60)
    assert server.begun == [False] * 3


def test_a_server_that_cannot_be_asked_is_given_up() -> None:
    assert ends(SilenceLimit(Limits(silence=20), Asked(Unreachable("connect_timeout"))), 20)
    assert ends(SilenceLimit(Limits(silence=20), Asked(RuntimeError("a fault of ours"))), 20)


def test_it_is_told_whether_the_answer_had_begun() -> None:
    server = Asked(False)
    assert ends(SilenceLimit(Limits(silence=20), server), 21, begun=True)
    assert server.begun == [True]


def test_whoever_speaks_again_is_waited_for_as_long_as_before() -> None:
    patience = SilenceLimit(Limits(silence=20), Asked(True, False))
    assert [ends(patience, seconds) for seconds in (20, 39, 0.1, 19.9)] == [False] * 4
    assert ends(patience, 20)


def test_nobody_waits_for_the_question() -> None:
    answers = threading.Event()
    patience = SilenceLimit(Limits(silence=20), lambda begun: answers.wait(HANG))
    assert not patience.is_passed(Silence(20, False))
    assert not patience.is_passed(Silence(300, False))
    answers.set()


@pytest.mark.parametrize("seconds", [0.5, 3.0, 25.0])
def test_the_silence_is_told(seconds: float) -> None:
    told: list[float] = []
    SilenceLimit(Limits(is_silent=told.append), lambda begun: True).is_passed(Silence(seconds, False))
    assert told == [seconds]
