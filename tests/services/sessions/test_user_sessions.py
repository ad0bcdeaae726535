"""Sessions end, renew and stay apart as facts/security 2.4 says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from errors import Forged, SessionEnded
from models import Base, FormNonce, Portal, Sessions, UserSession, connect, sessions_for
from services.sessions.user_sessions import UserSessions
from tests.services.clocks import Clock


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    engine = connect(f"sqlite:///{tmp_path / 'app.db'}")
    Base.metadata.create_all(engine)
    made = sessions_for(engine)
    with made.begin() as session:
        for name in ("acme", "other"):
            session.add(
                Portal(
                    member_id=name, domain=f"{name}.bitrix24.com", client_endpoint=f"https://{name}.bitrix24.com/rest/"
                )
            )
    yield made
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def user_sessions(sessions: Sessions, clock: Clock) -> UserSessions:
    return UserSessions(sessions, idle=timedelta(minutes=60), longest=timedelta(hours=8), clock=clock)


def opened(user_sessions: UserSessions, portal_id: int = 1, user_id: int = 7) -> str:
    token, _ = user_sessions.open(portal_id, user_id, is_admin=False, language="en")
    return token


def test_only_the_hash_of_a_token_of_32_bytes_is_stored(user_sessions: UserSessions, sessions: Sessions) -> None:
    token = opened(user_sessions)
    assert len(token) >= 43
    with sessions() as session:
        row = session.query(UserSession).one()
        assert token not in {str(value) for value in vars(row).values()}
        assert len(row.token_hash) == 64


def test_an_active_session_names_the_portal_that_was_verified(user_sessions: UserSessions) -> None:
    active = user_sessions.find(opened(user_sessions, portal_id=2))
    assert (active.member_id, active.origin, active.user_id) == ("other", "https://other.bitrix24.com", 7)


@pytest.mark.parametrize("token", ["", "x", "0" * 43, "' OR 1=1 --", "\x00", "я" * 43])
def test_an_unknown_token_is_no_session(user_sessions: UserSessions, token: str) -> None:
    opened(user_sessions)
    with pytest.raises(SessionEnded):
        user_sessions.find(token)


def test_a_session_ends_after_60_idle_minutes_and_use_prolongs_it(user_sessions: UserSessions, clock: Clock) -> None:
    token = opened(user_sessions)
    for _ in range(3):
        clock.move(minutes=59)
        user_sessions.find(token)
    clock.move(minutes=60)
    with pytest.raises(SessionEnded):
        user_sessions.find(token)


def test_a_session_ends_after_8_hours_in_any_case(user_sessions: UserSessions, clock: Clock) -> None:
    token = opened(user_sessions)
    for _ in range(15):
        clock.move(minutes=30)
        user_sessions.find(token)
    clock.move(minutes=30)
    with pytest.raises(SessionEnded):
        user_sessions.find(token)


def test_after_renewal_the_old_token_is_good_for_60_seconds_more(user_sessions: UserSessions, clock: Clock) -> None:
    old = opened(user_sessions)
    new, _ = user_sessions.renew(old, "acme", 7)
    clock.move(seconds=59)
    assert user_sessions.find(old).session_id == user_sessions.find(new).session_id
    clock.move(seconds=1)
    with pytest.raises(SessionEnded):
        user_sessions.find(old)
    user_sessions.find(new)


def test_a_session_that_ended_by_idleness_can_be_renewed_for_a_day_and_then_not(
    user_sessions: UserSessions, clock: Clock
) -> None:
    """A page that was left open over night goes on when its user is proved again."""
    token = opened(user_sessions)
    clock.move(hours=20)
    token, active = user_sessions.renew(token, "acme", 7)
    assert user_sessions.find(token) == active
    clock.move(hours=8 + 24)
    with pytest.raises(SessionEnded):
        user_sessions.renew(token, "acme", 7)


@pytest.mark.parametrize(("member_id", "user_id"), [("other", 7), ("acme", 8), ("", 7)])
def test_a_session_is_renewed_for_its_own_portal_and_user_only(
    user_sessions: UserSessions, member_id: str, user_id: int
) -> None:
    token = opened(user_sessions)
    with pytest.raises(Forged):
        user_sessions.renew(token, member_id, user_id)
    user_sessions.find(token)


def test_a_21st_opening_ends_the_oldest_session_of_this_user_and_no_other(user_sessions: UserSessions) -> None:
    foreign = [opened(user_sessions, portal_id=2), opened(user_sessions, user_id=8)]
    tokens = [opened(user_sessions) for _ in range(21)]
    with pytest.raises(SessionEnded):
        user_sessions.find(tokens[0])
    for token in [*tokens[1:], *foreign]:
        user_sessions.find(token)


def test_the_session_that_was_not_used_for_longest_goes_and_not_the_one_in_use(
    user_sessions: UserSessions, clock: Clock
) -> None:
    used = opened(user_sessions)
    others = []
    for _ in range(40):
        clock.move(seconds=1)
        others.append(opened(user_sessions))
        clock.move(seconds=1)
        user_sessions.find(used)
    for token in others[-19:]:
        user_sessions.find(token)
    with pytest.raises(SessionEnded) as ended:
        user_sessions.find(others[20])
    assert ended.value.cause == "opened_elsewhere"


def test_a_session_that_too_many_others_have_ended_can_be_renewed_and_then_is_the_last_to_go(
    user_sessions: UserSessions, clock: Clock
) -> None:
    first = opened(user_sessions)
    clock.move(minutes=1)
    others = [opened(user_sessions) for _ in range(20)]
    clock.move(minutes=1)
    with pytest.raises(SessionEnded):
        user_sessions.find(first)
    fresh, _ = user_sessions.renew(first, "acme", 7)
    user_sessions.find(fresh)
    with pytest.raises(SessionEnded):
        user_sessions.find(others[0])


def test_openings_without_end_leave_100_rows(user_sessions: UserSessions, sessions: Sessions) -> None:
    for _ in range(130):
        opened(user_sessions)
    with sessions() as session:
        assert session.query(UserSession).count() == 100


def test_why_a_session_is_over_is_known(user_sessions: UserSessions, clock: Clock) -> None:
    with pytest.raises(SessionEnded) as unknown:
        user_sessions.find("invented")
    idle = opened(user_sessions)
    clock.move(minutes=61)
    with pytest.raises(SessionEnded) as over:
        user_sessions.find(idle)
    assert (unknown.value.cause, over.value.cause) == ("unknown", "time")


def test_each_opening_has_a_session_of_its_own(user_sessions: UserSessions) -> None:
    first, second = opened(user_sessions), opened(user_sessions)
    user_sessions.renew(first, "acme", 7)
    assert user_sessions.find(second).session_id != user_sessions.find(first).session_id


def test_a_session_whose_row_is_deleted_ends_with_the_next_request_and_forgets_its_forms(
    user_sessions: UserSessions, sessions: Sessions
) -> None:
    mine, colleague = opened(user_sessions), opened(user_sessions, user_id=8)
    with sessions.begin() as session:
        session.add(FormNonce(nonce_hash="0" * 64, session_id=user_sessions.find(mine).session_id))
    with sessions.begin() as session:
        session.execute(delete(UserSession).where(UserSession.user_id == 7))
    with pytest.raises(SessionEnded):
        user_sessions.find(mine)
    user_sessions.find(colleague)
    with sessions() as session:
        assert session.query(FormNonce).count() == 0


def test_an_ended_session_still_tells_which_portal_may_frame_the_page_that_says_so(
    user_sessions: UserSessions, clock: Clock
) -> None:
    token = opened(user_sessions)
    clock.move(hours=9)
    over = user_sessions.ended(token)
    assert over is not None
    assert over.origin == "https://acme.bitrix24.com"
    assert user_sessions.ended("unknown") is None
