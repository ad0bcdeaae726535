"""A removal that comes while the app's own database is away is carried out later, since it comes only once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from services.portals import lifecycle, postponed_removals
from services.portals.postponed_removals import PostponedRemoval
from tests.doors import Stage
from tests.install.test_events import after, bare_auth, flat, uninstalling
from tests.waiting import eventually


@contextmanager
def database_away(stage: Stage) -> Iterator[None]:
    """Nobody gets a connection to the application's own database."""

    def refuse(*_: object) -> None:
        raise OperationalError("connect", {}, Exception("gone"))

    stage.services.engine.dispose()
    event.listen(stage.services.engine, "do_connect", refuse)
    try:
        yield
    finally:
        event.remove(stage.services.engine, "do_connect", refuse)


@pytest.fixture(autouse=True)
def _nobody_retries_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "RETRY_SECONDS", 3600.0)


def kept(stage: Stage) -> list[str]:
    return [path.read_text() for path in stage.services.settings.uploads.glob(".removals/*")]


def told_while_away(stage: Stage, told: dict[str, str]) -> int:
    with database_away(stage):
        return stage.tell(told).status_code


def test_a_removal_with_clean_is_carried_out_by_the_next_event_or_opening(installed: Stage) -> None:
    """facts/platform 4, 8: events are not repeated, and with `CLEAN=1` all data of the portal go."""
    told = uninstalling(installed, clean=1)
    installed.control("uninstall", lost=True, clean=True)
    assert told_while_away(installed, told) == 200
    (text,) = kept(installed)
    assert installed.portal.application().application_token not in text
    assert installed.member_id not in text
    assert installed.record().state == "active"
    installed.tell(flat("ONAPPUPDATE", bare_auth(installed), {}))
    assert (installed.record().state, kept(installed)) == ("uninstalled", [])
    installed.services.uninstallations.clock = after(hours=48)
    assert installed.services.uninstallations.purge() == 1
    assert installed.rows()["portals"] == []


def test_daily_care_carries_it_out_where_nobody_comes(installed: Stage) -> None:
    told = uninstalling(installed, clean=1)
    installed.control("uninstall", lost=True, clean=True)
    for _ in range(3):
        assert told_while_away(installed, told) == 200
    assert len(kept(installed)) == 1, "the same claim is kept once"
    tended = installed.app.test_cli_runner().invoke(args=["portals", "tend"])
    assert tended.stdout.startswith("1 removals that came while the database was away are carried out.\n")
    assert (installed.record().state, kept(installed)) == ("uninstalled", [])


def test_the_process_itself_tries_until_the_database_answers(installed: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "RETRY_SECONDS", 0.05)
    told = uninstalling(installed, clean=0)
    installed.control("uninstall", lost=True)
    assert told_while_away(installed, told) == 200
    eventually(lambda: installed.record().state == "uninstalled", lambda: f"still {installed.record().state}")
    eventually(lambda: kept(installed) == [], lambda: f"kept {kept(installed)}")


def test_it_is_proved_like_any_other(installed: Stage) -> None:
    """The server says that the app is installed, as after a reinstallation; or the token is not the portal's."""
    assert told_while_away(installed, uninstalling(installed, clean=1)) == 200
    assert told_while_away(installed, uninstalling(installed, clean=1, application_token="wrong")) == 200
    assert len(kept(installed)) == 2
    assert installed.services.lifecycle.catch_up() == 0
    assert (installed.record().state, kept(installed)) == ("active", [])


def test_while_the_database_is_away_it_goes_on_waiting(installed: Stage) -> None:
    told = uninstalling(installed, clean=1)
    assert told_while_away(installed, told) == 200
    with database_away(installed):
        assert installed.services.lifecycle.catch_up() == 0
    assert len(kept(installed)) == 1


def test_nobody_fills_the_disk_with_removals(installed: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postponed_removals, "MOST_KEPT", 2)
    for number in range(2):
        assert told_while_away(installed, uninstalling(installed, application_token=f"{number}")) == 200
    assert told_while_away(installed, uninstalling(installed, application_token="one more")) >= 500
    assert len(kept(installed)) == 2
    installed.services.lifecycle.catch_up()
    assert told_while_away(installed, uninstalling(installed, application_token="x" * 513)) >= 500


def test_other_events_are_not_kept_since_the_next_opening_tells_the_same(installed: Stage) -> None:
    assert told_while_away(installed, flat("ONAPPUPDATE", bare_auth(installed), {"VERSION": 2})) >= 500
    assert kept(installed) == []


def test_one_that_does_not_open_is_said_and_stays(installed: Stage, caplog: pytest.LogCaptureFixture) -> None:
    assert told_while_away(installed, uninstalling(installed, clean=1)) == 200
    (path,) = installed.services.settings.uploads.glob(".removals/*")
    path.write_text("v1.gone.AAAA")
    assert installed.services.lifecycle.catch_up() == 0
    assert path.exists()
    assert "does not open" in caplog.text


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(PostponedRemoval("acme", "secret", True, "1"))
