"""Connections tried step by step, on servers of this machine."""

from __future__ import annotations

import base64
import contextlib
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from drivers.base import Guards
from egress.policy import Policy
from models import Base, Sessions, Vault, connect, sessions_for
from services.connections.access import Access
from services.connections.connection_test import ConnectionTester
from services.connections.repository import ConnectionRepository
from services.connections.uploads import Uploads
from services.limits.budgets import FAILED_CONNECTS, GUESSED_LOGINS, Budgets
from tests.services.hosted import shop

SERVER = {"host": "127.0.0.1", "port": "5432", "database": "postgres", "username": "postgres", "tls": "disable"}


MakeTester = Callable[..., ConnectionTester]


@pytest.fixture
def own_database(tmp_path: Path) -> Iterator[Sessions]:
    engine = connect(f"sqlite:///{tmp_path / 'app.db'}")
    Base.metadata.create_all(engine)
    yield sessions_for(engine)
    engine.dispose()


@pytest.fixture
def budgets(own_database: Sessions) -> Budgets:
    return Budgets(own_database)


@pytest.fixture
def tester(own_database: Sessions, budgets: Budgets, tmp_path: Path) -> MakeTester:
    vault = Vault((("k1", SecretStr(base64.b64encode(bytes(32)).decode())),))
    repository = ConnectionRepository(own_database, vault)

    def make(policy: Policy | None = None) -> ConnectionTester:
        guards = Guards(policy or Policy("allow-all"), tmp_path)
        return ConnectionTester(guards, Access(repository, budgets, Uploads(tmp_path / "uploads", 1000, str)))

    return make


def full(**changes: str) -> Mapping[str, str]:
    return {**SERVER, "password": "", "ca": "", "timezone": "UTC", **changes}


def test_every_step_of_a_working_server_is_good(tester: MakeTester) -> None:
    trial = tester().run(1, "postgresql", full())
    assert trial.passed
    assert [step.name for step in trial.steps] == ["address", "name", "port", "login", "tables", "row"]
    assert {step.state for step in trial.steps} <= {"good", "nothing"}


def test_after_the_first_bad_step_nothing_is_reached(tester: MakeTester) -> None:
    trial = tester().run(1, "postgresql", full(port="1", tls="require"))
    assert [step.state for step in trial.steps] == ["good", "good", "bad", *["not reached"] * 4]
    assert (trial.passed, trial.code, trial.field) == (False, "connect_refused", "port")


def test_encryption_and_login_are_told_apart(tester: MakeTester) -> None:
    trial = tester().run(1, "postgresql", full(database="no_such_base"))
    assert [step.name for step in trial.steps if step.state == "bad"] == ["login"]
    assert "no_such_base" in trial.detail


@pytest.mark.parametrize(("host", "code"), [("10.0.0.1", "not_public"), ("169.254.169.254", "metadata")])
def test_the_egress_policy_holds_and_nothing_is_connected(
    budgets: Budgets, tester: MakeTester, monkeypatch: pytest.MonkeyPatch, host: str, code: str
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    trial = tester(Policy("external-only")).run(1, "postgresql", full(host=host))
    assert (trial.code, trial.field) == (code, "host")
    assert budgets.is_spent(FAILED_CONNECTS, "portal 1") is False


def test_a_portal_that_fails_thirty_times_is_not_served_and_another_one_is(tester: MakeTester) -> None:
    """facts/security 4 layer 4."""
    tried = tester()
    for _ in range(30):
        assert tried.run(1, "postgresql", full(port="1")).code == "connect_refused"
    assert tried.run(1, "postgresql", full()).code == "failed_connects"
    assert tried.run(2, "postgresql", full()).passed


def test_failed_logins_of_a_user_are_counted_for_all_portals_together_against_those_who_guess(
    budgets: Budgets, tester: MakeTester
) -> None:
    """facts/security 4; a slip of one's own is no guess."""
    tried = tester()
    for portal in range(5):
        assert tried.run(portal, "postgresql", full(username="nobody_here")).code == "refused"
    assert budgets.is_spent(GUESSED_LOGINS, "127.0.0.1 5432", "nobody_here")
    told = [tried.run(9, "postgresql", full(username="nobody_here")).code for _ in range(3)]
    assert told == ["refused", "refused", "failed_logins"]
    assert tried.run(9, "postgresql", full()).passed


@pytest.mark.parametrize("host", ["LOCALHOST", "localhost", "another-name.example"])
def test_another_spelling_or_name_of_a_server_gives_no_further_guesses(tester: MakeTester, host: str) -> None:
    """facts/security 4 layer 4: failed logins per host, port and user."""
    policy = Policy("allow-all", lookup=lambda name, port: ["127.0.0.1"])
    tried = tester(policy)
    for _ in range(5):
        assert tried.run(9, "postgresql", full(username="nobody_here")).code == "refused"
    trial = tried.run(9, "postgresql", full(username="nobody_here", host=host, port="05432"))
    assert trial.code == "failed_logins"
    assert [step.name for step in trial.steps if step.state == "good"] == ["address", "name"]


def test_a_file_has_steps_of_its_own_and_an_empty_database_passes(tmp_path: Path, tester: MakeTester) -> None:
    shop(tmp_path)
    trial = tester().run(1, "sqlite", {"path": "shop.sqlite", "timezone": "UTC"})
    assert [(step.name, step.state) for step in trial.steps] == [("open", "good"), ("tables", "good"), ("row", "good")]
    with contextlib.closing(sqlite3.connect(tmp_path / "empty.sqlite")) as database:
        database.execute("VACUUM")
    trial = tester().run(1, "sqlite", {"path": "empty.sqlite", "timezone": "UTC"})
    assert (trial.passed, trial.steps[-1].state) == (True, "nothing")
