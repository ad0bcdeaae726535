"""Keys rotate while the app runs, and a missing one stops the start (facts/security 1 row 20)."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from app import create_app
from errors import ConfigurationError
from models import Base, Portal, UserToken, Vault, VaultBroken, connect, new_uid, now, sessions_for
from services import wiring
from tests.doors import key, lay_tables, settings_for

OLD, NEW = key("old"), key("new")


def vault(*keys: str) -> Vault:
    return Vault(settings_for("sqlite://", secret_keys=",".join(keys)).secret_keys)


def fill(url: str, count: int) -> None:
    engine, old = connect(url), vault(OLD)
    Base.metadata.create_all(engine)
    with sessions_for(engine).begin() as session:
        portal = Portal(member_id="acme")
        old.put(portal, "application_token", "application-secret")
        session.add(portal)
        session.flush()
        for number in range(count):
            grant = UserToken(portal_id=portal.id, user_id=number, expires_at=now())
            old.put(grant, "access_token", f"access-{number}")
            session.add(grant)
    engine.dispose()


def test_rotation_under_load_fails_no_reader_loses_no_writer_and_leaves_no_old_key(any_database: str) -> None:
    fill(any_database, 1000)
    engine = connect(any_database)
    sessions, both = sessions_for(engine), vault(NEW, OLD)
    problems: list[Exception] = []
    done = threading.Event()
    written: dict[int, str] = {}

    def read_and_write(first: int) -> None:
        rounds = 0
        while not done.is_set() or rounds < 3:
            rounds += 1
            for number in range(first, 1000, 97):
                try:
                    with sessions.begin() as session:
                        grant = session.scalars(select(UserToken).where(UserToken.user_id == number)).one()
                        found = both.get(grant, "access_token")
                        assert found == written.get(number, f"access-{number}")
                        if number % 2:
                            both.put(grant, "access_token", f"rewritten-{rounds}")
                    if number % 2:
                        written[number] = f"rewritten-{rounds}"
                except Exception as problem:  # noqa: BLE001 - any problem at all fails the test
                    problems.append(problem)

    threads = [threading.Thread(target=read_and_write, args=(first,)) for first in range(2)]
    for thread in threads:
        thread.start()
    with sessions() as session:
        both.rotate(session)
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    with sessions() as session:
        # Rows that a reader wrote during the rotation carry the new key already.
        assert both.rotate(session) == 0
        only_new = vault(NEW)
        for grant in session.scalars(select(UserToken)):
            assert only_new.get(grant, "access_token") == written.get(grant.user_id, f"access-{grant.user_id}")
        assert only_new.get(session.scalars(select(Portal)).one(), "application_token") == "application-secret"
    engine.dispose()


def test_the_start_refuses_when_a_stored_secret_needs_a_missing_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    fill(url, 1)
    with pytest.raises(ConfigurationError, match=r"SECRET_KEYS lacks old"):
        wiring.build(settings_for(url, secret_keys=NEW))
    with pytest.raises(SystemExit, match=r"SECRET_KEYS lacks old"):
        create_app(settings_for(url, secret_keys=NEW))
    wiring.build(settings_for(url, secret_keys=f"{NEW},{OLD}")).engine.dispose()


def test_another_key_under_a_known_id_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    """facts/security 1 row 24: what it would seal would be lost once the right one is back."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    fill(url, 1)
    other = key("old")
    before_checks = wrong_start(url, other)
    wiring.build(settings_for(url, secret_keys=OLD)).engine.dispose()
    assert wrong_start(url, other) == wrong_start(url, f"{NEW},{other}") == before_checks
    assert before_checks.startswith("SECRET_KEYS: the key under old is not the one that encrypted stored secrets.")
    assert "flask keys forget old" in before_checks
    wiring.build(settings_for(url, secret_keys=f"{NEW},{OLD}")).engine.dispose()


def wrong_start(url: str, keys: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        wiring.build(settings_for(url, secret_keys=keys))
    return str(refused.value)


def test_a_key_is_known_before_it_has_sealed_anything_and_after_its_secrets_have_gone(tmp_path: Path) -> None:
    """Two machines that were given different keys under one id are told apart by the second start."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    lay_tables(url)
    wiring.build(settings_for(url, secret_keys=OLD)).engine.dispose()
    assert "under old is not" in wrong_start(url, key("old"))
    assert "under old is not" in wrong_start(url, f"{NEW},{key('old')}")


def test_of_a_database_of_before_the_right_key_is_known_by_any_secret_that_it_opens(tmp_path: Path) -> None:
    """It may hold values that another key has sealed under the same id, which nobody noticed then."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    fill(url, 3)
    engine, other = connect(url), vault(key("old"))
    with sessions_for(engine).begin() as session:
        other.put(session.query(UserToken).filter_by(user_id=1).one(), "access_token", "sealed with another key")
    engine.dispose()
    wiring.build(settings_for(url, secret_keys=OLD)).engine.dispose()


def test_each_step_of_a_rotation_on_several_machines_lets_each_read_what_the_others_write(tmp_path: Path) -> None:
    """docs/operate/settings.md "Keys": a machine is at one step, any other at the same, the one before or after."""
    steps = ((OLD,), (OLD, NEW), (NEW, OLD), (NEW,))
    url = f"sqlite:///{tmp_path / 'app.db'}"
    fill(url, 20)
    engine = connect(url)
    sessions = sessions_for(engine)

    def all_start_and_read(*rings: tuple[str, ...]) -> None:
        for ring in rings:
            wiring.build(settings_for(url, secret_keys=",".join(ring))).engine.dispose()
        for writer in rings:
            with sessions.begin() as session:
                vault(*writer).put(session.query(UserToken).filter_by(user_id=7).one(), "access_token", "written")
            for reader in rings:
                with sessions() as session:
                    for grant in session.scalars(select(UserToken)):
                        assert vault(*reader).get(grant, "access_token")

    for before, after in pairwise(steps[:3]):
        all_start_and_read(before, after)
    all_start_and_read(steps[2])
    with sessions() as session:
        assert vault(*steps[2]).rotate(session) == 21 - 1  # one was written with the new key
        assert vault(*steps[2]).rotate(session) == 0
    all_start_and_read(steps[2], steps[3])
    engine.dispose()


def test_a_key_that_seals_before_all_machines_have_it_closes_secrets_to_the_others() -> None:
    """Why a new key is added behind the others first."""
    grant = UserToken(portal_id=1, user_id=1, expires_at=now())
    vault(NEW, OLD).put(grant, "access_token", "token")
    with pytest.raises(VaultBroken):
        vault(OLD).get(grant, "access_token")


def test_a_rotation_leaves_what_does_not_open_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    fill(url, 450)
    app = create_app(settings_for(url, secret_keys=f"{NEW},{OLD}"))
    with app.extensions["services"].sessions.begin() as session:
        broken = session.query(UserToken).filter_by(user_id=200).one()
        vault(key("old")).put(broken, "access_token", "sealed with another key")
    told = app.test_cli_runner().invoke(args=["keys", "rotate"])
    assert told.exit_code == 1
    assert "450 stored secrets are now encrypted" in told.output
    assert "1 do not open" in told.output
    assert f"access_token of row {broken.id} of grants does not open" in caplog.text
    with app.extensions["services"].sessions() as session:
        left = session.scalars(select(UserToken).where(UserToken.access_token.startswith("v1.old."))).all()
        assert [row.access_token for row in left] == [broken.access_token]
    app.extensions["services"].engine.dispose()


def test_a_key_under_a_known_id_with_other_bytes_fails_loudly(tmp_path: Path) -> None:
    """facts/security 1 row 24: a wrong key must not look like an empty secret."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    fill(url, 1)
    engine = connect(url)
    with sessions_for(engine)() as session, pytest.raises(VaultBroken):
        vault(key("old")).get(session.scalars(select(UserToken)).one(), "access_token")
    engine.dispose()


def test_the_command_rotates_and_says_how_many(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    fill(url, 3)
    app = create_app(settings_for(url, secret_keys=f"{NEW},{OLD}"))
    told = app.test_cli_runner().invoke(args=["keys", "rotate"])
    assert told.exit_code == 0
    assert "4 stored secrets" in told.output
    assert "0 stored secrets" in app.test_cli_runner().invoke(args=["keys", "rotate"]).output
    app.extensions["services"].engine.dispose()
    wiring.build(settings_for(url, secret_keys=NEW)).engine.dispose()


def test_a_sealed_text_names_its_key_and_never_repeats(tmp_path: Path) -> None:
    old = vault(OLD)
    texts = set()
    for _ in range(50):
        grant = UserToken(portal_id=1, user_id=1, uid=new_uid(), expires_at=now() + timedelta(hours=1))
        old.put(grant, "access_token", "the same secret")
        assert str(grant.access_token).startswith("v1.old.")
        texts.add(grant.access_token)
    assert len(texts) == 50
