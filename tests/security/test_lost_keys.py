"""A key that is lost for good: the app starts again, and says who has to type what (facts/security 1 row 20)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from errors import ApplicationError, TokenDead
from models import HostedConnectorRow, UserToken
from models.revisions import ROOT
from models.vault import sealed_columns
from tests.doors import key
from tests.pages import opened
from tests.services.hosted import HostedStage, hosted_stage
from tests.waiting import HANG


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path) as stage:
        yield stage


def flask(hosted: HostedStage, keys: str, *words: str) -> subprocess.CompletedProcess[str]:
    settings = hosted.house.settings
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "UPLOADS": str(settings.uploads),
        "SECRET_KEYS": keys,
        "BITRIX24_CLIENT_ID": settings.bitrix24_client_id,
        "BITRIX24_CLIENT_SECRET": settings.bitrix24_client_secret.get_secret_value(),
    }
    command = [sys.executable, "-m", "flask", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=HANG)


@pytest.mark.parametrize("new_id", ["k1", "k2"])
def test_the_app_starts_once_the_key_is_forgotten_and_names_everything_that_is_lost(
    hosted: HostedStage, new_id: str
) -> None:
    ring = key(new_id)
    connection = hosted.connection("Shop")
    refused = flask(hosted, ring, "portals", "list")
    assert (refused.returncode, "flask keys forget k1" in refused.stderr) == (1, True)
    foretold = flask(hosted, ring, "keys", "forget", "k1", "--dry-run")
    assert foretold.returncode == 0, foretold.stderr
    assert f"Portal {hosted.stage.member_id}: an administrator has to open the app again" in foretold.stdout
    assert f"Connection {connection.id} “Shop” (sqlite) of portal {hosted.stage.member_id}: all" in foretold.stdout
    assert flask(hosted, ring, "keys", "forget", "k1").returncode == 1, "it asks, and nobody answers"
    assert flask(hosted, ring, "portals", "list").returncode == 1
    forgotten = flask(hosted, ring, "keys", "forget", "k1", "--yes")
    assert (forgotten.returncode, "is forgotten, and with it" in forgotten.stdout) == (0, True), forgotten.stderr
    listed = flask(hosted, ring, "connections", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    (row,) = json.loads(listed.stdout)
    assert (row["title"], row["lost"]) == ("Shop", True)
    assert "1 connections have lost their settings" in listed.stderr
    assert "No stored secret needs this key" in flask(hosted, ring, "keys", "forget", "k1", "--yes").stdout


def test_a_key_that_opens_is_not_forgotten(hosted: HostedStage) -> None:
    hosted.connection()
    before = hosted.stage.rows()
    with pytest.raises(ApplicationError, match="is in SECRET_KEYS and opens"):
        hosted.house.lost_keys.forget("k1")
    assert hosted.stage.rows() == before


def lose_everything(hosted: HostedStage) -> None:
    """As if another key, which nobody has any more, had sealed all secrets."""
    with hosted.house.sessions.begin() as session:
        for model, column in sealed_columns():
            attribute = getattr(model, column)
            session.execute(update(model).values({column: func.replace(attribute, "v1.k1.", "v1.lost.")}))
    hosted.house.lost_keys.forget("lost")


def ask(hosted: HostedStage, url: str, connection_key: str) -> TestResponse:
    """What the portal gets for a chart."""
    fields = {"connection[key]": connection_key, "table": "orders"}
    path = url.removeprefix(hosted.stage.url)
    return hosted.stage.app.test_client().post(path, data=fields, buffered=True)


def test_forms_show_what_is_lost_and_saving_brings_source_and_datasets_back(hosted: HostedStage) -> None:
    connection = hosted.connection("Shop")
    hosted.house.portal_sync.connect(hosted.portal, connection)
    given = hosted.registered_key(connection.id)
    addresses = hosted.registered_urls(connection.id)
    lose_everything(hosted)
    with hosted.house.sessions() as session:
        assert {grant.state for grant in session.scalars(select(UserToken))} == {"needs_reopen"}
    with pytest.raises(TokenDead):
        hosted.house.tokens.tokens(hosted.portal_id, 1).token()
    asked = ask(hosted, addresses[3], given)
    assert asked.status_code == 502, "the key opens, and there is nothing to read with"
    newest = hosted.house.call_log.page(hosted.portal_id).items[0]
    assert (newest.code, newest.connection_id) == ("settings_lost", connection.id)

    hosted.stage.enter("admin")
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    client, start = opened(hosted.stage.app, answer, hosted.stage.portal.url)
    assert "1 connection has lost its settings" in start.text
    page = client.get(f"/connections/{connection.id}")
    assert "The settings of this connection are lost" in page.text
    assert "removed from the portal" not in page.text
    form = client.get(f"/connections/{connection.id}/edit")
    assert "Its settings are lost" in form.text
    saved = client.post(
        f"/connections/{connection.id}/edit", {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite"}
    )
    assert saved.status == 200, saved.alerts
    assert "are lost" not in client.get(f"/connections/{connection.id}").text
    held = hosted.held(connection.id)
    assert (held.lost, held.closed) == (False, False)
    assert ask(hosted, addresses[3], given).status_code == 200
    with hosted.house.sessions() as session:
        row = session.scalars(select(HostedConnectorRow)).one()
        assert str(hosted.house.vault.get(row, "key")) in addresses[0], "learnt again from the portal"


def test_addresses_that_can_no_longer_be_read_are_given_out_anew_beside_the_old_ones(hosted: HostedStage) -> None:
    issued = hosted.house.connections.add(hosted.stage.member_id, "sqlite", "Shop", {"path": "shop.sqlite"})
    lose_everything(hosted)
    hosted.house.repository.change(hosted.held(issued.id), "Shop", {"path": "shop.sqlite"})
    hosted.house.repository.reopen(issued.id)
    other = hosted.house.connections.add(hosted.stage.member_id, "sqlite", "Other", {"path": "shop.sqlite"})
    assert other.urls != issued.urls
    for urls in (issued.urls, other.urls):
        path = urls["urlCheck"].removeprefix(hosted.stage.url)
        body = {"connection[key]": issued.key}
        assert hosted.stage.app.test_client().post(path, data=body).status_code == 200


def test_the_key_of_a_source_outlives_the_key_that_sealed_settings(hosted: HostedStage) -> None:
    connection = hosted.connection("Shop")
    number = hosted.house.portal_sync.connect(hosted.portal, connection)
    registered = hosted.registered_key(connection.id)
    lose_everything(hosted)
    source = hosted.stage.portal.whole().sources[number]
    assert registered in str(source)
    assert hosted.house.connection_keys.slot(hosted.held(connection.id), registered) == "current"
