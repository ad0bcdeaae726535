"""Whoever was reached is compared with whom was checked, after connecting (facts/security 5.1)."""

from __future__ import annotations

import pytest

from drivers.base import Limits
from drivers.postgresql.connection import connect
from drivers.postgresql.driver import PostgreSQL
from egress.errors import Unreachable
from egress.policy import Target
from tests.waiting import HANG

SETTINGS = PostgreSQL().settings(
    {"host": "127.0.0.1", "database": "postgres", "username": "postgres", "password": "", "tls": "disable"}
)


def test_a_postgresql_server_at_another_address_than_the_checked_one_is_left_at_once() -> None:
    # The system connects whoever asks for "any address" with this machine.
    with pytest.raises(Unreachable) as refused:
        connect(SETTINGS, Target("db.example.com", 5432, ("0.0.0.0",)), Limits(connect_seconds=HANG))
    assert refused.value.detail == "connected to another address than the checked one"


def test_the_checked_address_itself_is_taken() -> None:
    connect(SETTINGS, Target("db.example.com", 5432, ("127.0.0.1",)), Limits(connect_seconds=HANG)).close()
