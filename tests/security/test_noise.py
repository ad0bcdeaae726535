"""Noise at both doors is refused, whatever it looks like: no error of ours and no row (facts/security 1 row 17)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import responses
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from app import assemble
from models import Base
from tests.doors import database, settings_for
from tests.fuzz import cases
from tests.security.test_spoof import SERVERS, UNKNOWN

OPENING = ("AUTH_ID", "REFRESH_ID", "member_id", "DOMAIN", "APPLICATION_TOKEN", "SERVER_ENDPOINT", "LANG", "PLACEMENT")
EVENT = (
    "event",
    "ts",
    "auth[member_id]",
    "auth[access_token]",
    "auth[application_token]",
    "data[CLEAN]",
    "data[VERSION]",
)
ODD = ("auth", "auth[", "auth[]", "auth[member_id][x]", "data[access_token]", "_s", "_n", "_view")
NAMES = st.sampled_from((*OPENING, *EVENT, *ODD))
VALUES = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["ONAPPINSTALL", "ONAPPUNINSTALL", "ONAPPUSERREADY", "a" * 32, "\x00", "%00", "\U0001d7d9", "1", "Y", "[]"]
    ),
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """On PostgreSQL, which is stricter about texts than SQLite."""
    folder: Path = tmp_path_factory.mktemp("noise")
    with database("postgresql", folder) as url:
        made = assemble(settings_for(url, public_url="https://bi.example.com"))
        Base.metadata.create_all(made.extensions["services"].engine)
        yield made
        made.extensions["services"].engine.dispose()


@settings(max_examples=cases(300))
@given(
    path=st.sampled_from(["/", "/install/", "/session/renew"]),
    form=st.dictionaries(NAMES, VALUES, max_size=8),
    query=st.dictionaries(NAMES, VALUES, max_size=3),
)
def test_noise_is_refused(app: Flask, path: str, form: dict[str, str], query: dict[str, str]) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as network:
        for server in SERVERS:
            network.post(f"https://{server}/rest/app.info", json=UNKNOWN, status=401)
        answer = app.test_client().post(path, data=form, query_string=query)
    assert 400 <= answer.status_code < 500
    with app.extensions["services"].engine.connect() as connection:
        assert all(connection.execute(table.select()).first() is None for table in Base.metadata.sorted_tables)
