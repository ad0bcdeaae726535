"""Keys rotate while the app runs, and a missing one stops the start (facts/security 1 row 20)."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app import create_app
from errors import ConfigurationError
from models import Base, Portal, UserToken, Vault, VaultBroken, connect, new_uid, now, sessions_for
from services import wiring
from tests.doors import key, settings_for

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
