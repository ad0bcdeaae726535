"""A form acts once, however often it is sent (facts/security 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from errors import PortalBusy
from models import Base, Portal, UserSession, connect, now, sessions_for
from services.sessions.form_nonces import FormNonces
from tests.services.clocks import Clock

SESSION = 1
OTHER = 2
FORM = "/connectors/new"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def submissions(any_database: str, clock: Clock) -> Iterator[FormNonces]:
    engine = connect(any_database)
    Base.metadata.create_all(engine)
    sessions = sessions_for(engine)
    with sessions.begin() as session:
        session.add(Portal(member_id="acme"))
        session.flush()
        for number in (SESSION, OTHER):
            session.add(
                UserSession(token_hash=str(number), portal_id=1, user_id=number, expires_at=now() + timedelta(hours=1))
            )
            session.flush()
    yield FormNonces(sessions, clock=clock)
    engine.dispose()


def test_a_repeated_form_shows_the_first_outcome(submissions: FormNonces) -> None:
    assert submissions.claim(SESSION, FORM, "nonce") is None
    submissions.finish(SESSION, FORM, "nonce", "/connectors/7")
    assert submissions.claim(SESSION, FORM, "nonce") == "/connectors/7"


def test_while_the_first_use_runs_a_second_one_is_told_to_wait(submissions: FormNonces) -> None:
    submissions.claim(SESSION, FORM, "nonce")
    with pytest.raises(PortalBusy):
        submissions.claim(SESSION, FORM, "nonce")


def test_a_form_that_did_not_act_may_be_sent_again(submissions: FormNonces) -> None:
    submissions.claim(SESSION, FORM, "nonce")
    submissions.release(SESSION, FORM, "nonce")
    assert submissions.claim(SESSION, FORM, "nonce") is None


def test_a_use_that_died_with_its_process_is_given_up_after_5_minutes(submissions: FormNonces, clock: Clock) -> None:
    submissions.claim(SESSION, FORM, "nonce")
    clock.move(minutes=5)
    assert submissions.claim(SESSION, FORM, "nonce") is None


def test_an_outcome_is_never_forgotten_while_the_session_lasts(submissions: FormNonces, clock: Clock) -> None:
    submissions.claim(SESSION, FORM, "nonce")
    submissions.finish(SESSION, FORM, "nonce", "/connectors/7")
    clock.move(hours=7)
    submissions.release(SESSION, FORM, "nonce")
    assert submissions.claim(SESSION, FORM, "nonce") == "/connectors/7"


def test_the_same_nonce_in_another_session_is_another_form(submissions: FormNonces) -> None:
    assert submissions.claim(SESSION, FORM, "nonce") is None
    assert submissions.claim(OTHER, FORM, "nonce") is None


def test_of_20_uses_at_once_exactly_one_acts(submissions: FormNonces) -> None:
    def use(_number: int) -> bool:
        try:
            return submissions.claim(SESSION, FORM, "nonce") is None
        except PortalBusy:
            return False

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(use, range(20))) == 1


def test_the_same_nonce_at_another_path_is_another_form(submissions: FormNonces) -> None:
    assert submissions.claim(SESSION, FORM, "nonce") is None
    submissions.finish(SESSION, FORM, "nonce", "/connectors/7")
    assert submissions.claim(SESSION, "/connectors/7/delete", "nonce") is None
    submissions.release(SESSION, "/connectors/7/delete", "nonce")
    assert submissions.claim(SESSION, FORM, "nonce") == "/connectors/7"
