"""Whose wrong passwords refuse whom: guessers are stopped, and nobody is locked out by a stranger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pymysql
import pytest

from services.limits.budgets import FAILED_LOGINS, GUESSED_LOGINS
from tests.databases import own_name
from tests.gateway.hosting import Host, hosting


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as host:
        yield host


@pytest.fixture
def reader() -> Iterator[Mapping[str, str]]:
    """Settings of a login at MariaDB that works."""
    name = own_name("locked")
    with pymysql.connect(host="127.0.0.1", user="root") as server, server.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE USER {name}@'127.0.0.1' IDENTIFIED BY 'right'")
        settings = {"host": "127.0.0.1", "database": "information_schema", "username": name, "tls": "disable"}
        yield {**settings, "password": "right"}
        cursor.execute(f"DROP USER {name}@'127.0.0.1'")


def test_what_a_stranger_guesses_locks_nobody_else_out(host: Host, reader: Mapping[str, str]) -> None:
    """Lock-outs count per portal, and the brake for all portals together falls on those who guess."""
    for stranger in ("stranger-1", "stranger-2"):
        host.services.installations.add_local(stranger)
        for number in range(FAILED_LOGINS.most):
            host.connect("mysql", {**reader, "password": f"guess{number}"}, stranger).call("urlCheck")
    codes = [call.code for call in host.calls()]
    assert codes == ["password"] * 5 + ["password"] * 2 + ["failed_logins"] * 3
    assert host.connect("mysql", {**reader, "password": "a slip"}).call("urlCheck").status_code == 502
    assert host.connect("mysql", reader).call("urlCheck").status_code == 200


def test_a_login_that_works_lifts_the_failures_before_it(host: Host, reader: Mapping[str, str]) -> None:
    for _ in range(2):
        for number in range(FAILED_LOGINS.most - 1):
            assert host.connect("mysql", {**reader, "password": f"slip{number}"}).call("urlCheck").status_code == 502
            # The brake for all portals together is not what is looked at here.
            host.services.budgets.forgive(GUESSED_LOGINS, "127.0.0.1 3306", reader["username"])
        assert host.connect("mysql", reader).call("urlCheck").status_code == 200


def test_a_password_that_was_changed_at_the_server_is_no_guess(host: Host, reader: Mapping[str, str]) -> None:
    """Charts repeat it for hours; whoever types the new one must not wait for them."""
    connected = host.connect("mysql", reader)
    assert connected.call("urlCheck").status_code == 200
    with pymysql.connect(host="127.0.0.1", user="root") as server, server.cursor() as cursor:
        cursor.execute(f"ALTER USER {reader['username']}@'127.0.0.1' IDENTIFIED BY 'new'")
    for _ in range(FAILED_LOGINS.most + 1):
        assert connected.call("urlCheck").status_code == 502
    assert host.services.connection_tester.run(1, "mysql", {**reader, "password": "new", "port": "3306"}).passed
