"""What becomes of a connection that is created, changed, checked or deleted, here and in the portal."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from errors import PortalUnreachable
from services.bi import datasets
from services.connections.connection import Connection, checked_settings
from services.connections.lifecycle import ConnectionTestFailed, PortalRefusal
from tests.services.hosted import HostedStage, honest, hosted_stage, instead, lost_before

SHOP = {"path": "shop.sqlite", "timezone": "UTC"}
CHECK_FAILED = {"error": {"error": "SOURCE_CREATE_CONNECTION_ERROR", "error_description": ""}}


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path) as stage:
        yield stage


def create(
    hosted: HostedStage, settings: Mapping[str, str] = SHOP, *, driver: str = "sqlite", stray: int | None = None
) -> tuple[Connection, PortalRefusal | None]:
    return hosted.house.connection_lifecycle.create(hosted.portal, hosted.portal_id, driver, "Shop", settings, stray)


def change(hosted: HostedStage, connection: Connection, title: str, **settings: str) -> PortalRefusal | None:
    changed = {**connection.settings, **settings}
    return hosted.house.connection_lifecycle.change(hosted.portal, connection, title, changed)


def kept(hosted: HostedStage) -> list[Any]:
    return [(row.title, row.proven) for row in hosted.house.repository.page(hosted.portal_id).items]


def test_a_connection_that_works_is_kept_as_proven_and_its_source_opens_it(hosted: HostedStage) -> None:
    created, refusal = create(hosted)
    assert (refusal, kept(hosted)) == (None, [("Shop", True)])
    source_id = hosted.held(created.id).source_id
    assert source_id is not None
    assert hosted.opens(1, hosted.registered_key(source_id))


def test_a_connection_that_does_not_work_is_not_kept_and_the_portal_not_asked(hosted: HostedStage) -> None:
    before = list(hosted.wire.methods)
    with pytest.raises(ConnectionTestFailed) as failed:
        create(hosted, {**SHOP, "path": "missing.sqlite"})
    assert (failed.value.test.code, failed.value.test.field) == ("not_found", "path")
    assert (kept(hosted), hosted.wire.methods) == ([], before)


def test_a_portal_that_does_not_answer_leaves_the_connection_here(hosted: HostedStage) -> None:
    hosted.wire.trick = lost_before("biconnector.connector.list", "batch")
    created, refusal = create(hosted)
    assert refusal is not None
    assert (type(refusal.error), refusal.test) == (PortalUnreachable, None)
    assert (kept(hosted), created.source_id) == ([("Shop", True)], None)
    hosted.wire.trick = honest
    sync = hosted.house.portal_sync
    retry = hosted.house.connection_lifecycle.attempt(created, lambda: sync.connect(hosted.portal, created))
    assert retry is None
    assert hosted.held(created.id).source_id is not None


def test_where_the_portal_says_that_our_check_failed_a_test_from_here_says_more(hosted: HostedStage) -> None:
    """facts/field 0 item 5: a portal shows no reason."""
    hosted.wire.trick = instead({"biconnector.source.add": CHECK_FAILED})
    _, refusal = create(hosted)
    assert refusal is not None
    assert refusal.test is not None
    assert refusal.test.passed


def test_a_new_connection_opens_a_source_that_was_left_in_the_portal(hosted: HostedStage) -> None:
    former, _ = create(hosted)
    hosted.house.repository.remove(hosted.portal_id, former.id)
    (stray,) = hosted.house.portal_comparison.strays(hosted.client, hosted.portal_id)
    created, refusal = create(hosted, stray=stray.id)
    assert refusal is None
    assert hosted.held(created.id).source_id == stray.id
    assert list(hosted.stage.portal.whole().sources) == [stray.id]
    assert hosted.opens(1, hosted.registered_key(stray.id))


def test_settings_that_do_not_work_replace_nothing(hosted: HostedStage) -> None:
    created, _ = create(hosted)
    with pytest.raises(ConnectionTestFailed):
        change(hosted, created, "Lager", path="missing.sqlite")
    assert kept(hosted) == [("Shop", True)]
    assert hosted.held(created.id).settings["path"] == "shop.sqlite"


def test_another_title_is_told_to_the_portal_and_other_settings_alone_are_not(hosted: HostedStage) -> None:
    created, _ = create(hosted)
    connection = hosted.held(created.id)
    before = len(hosted.wire.methods)
    assert change(hosted, connection, "Shop", timezone="Europe/Berlin") is None
    assert len(hosted.wire.methods) == before
    assert change(hosted, hosted.held(created.id), "Lager") is None
    assert [source.title for source in hosted.stage.portal.whole().sources.values()] == ["Lager"]
    assert kept(hosted) == [("Lager", True)]


def test_a_check_that_fails_is_the_connections_health_without_its_secrets(hosted: HostedStage) -> None:
    # facts/security 1 row 7
    given = {"host": "127.0.0.1", "database": "no_such_base", "username": "postgres", "password": "no_such_base"}
    settings = checked_settings("postgresql", "Server", {**given, "tls": "disable"})
    connection, _key = hosted.house.repository.add(hosted.portal_id, "postgresql", "Server", settings)
    assert not hosted.house.connection_lifecycle.check(hosted.client, hosted.caps, connection).passed
    last = hosted.house.health.connections([connection.id])[connection.id]
    assert (last.endpoint, last.status, last.code) == ("test", 502, "database")
    assert "[hidden]" in last.reason
    assert "no_such_base" not in last.reason


def test_a_check_notes_published_tables_that_are_gone_and_those_that_came_back(hosted: HostedStage) -> None:
    created, _ = create(hosted)
    connection, check = hosted.held(created.id), hosted.house.connection_lifecycle.check
    columns = [{"name": "ID", "externalCode": "ID", "type": "int"}]
    table = {"name": "orders", "externalName": "orders", "externalCode": "orders", "sourceId": connection.source_id}
    datasets.add(hosted.client, hosted.caps, {**table, "fields": columns})
    for name, other, gone in (("orders", "away", {"orders"}), ("away", "orders", set())):
        with sqlite3.connect(hosted.folder / "shop.sqlite") as database:
            database.execute(f"ALTER TABLE {name} RENAME TO {other}")
        database.close()
        assert check(hosted.client, hosted.caps, connection).passed
        health = hosted.house.health.tables([connection.id])
        assert {name for name in ("orders", "away") if health.is_gone(connection.id, name)} == gone


def test_an_uploaded_file_goes_with_the_last_connection_that_reads_it(hosted: HostedStage) -> None:
    lifecycle = hosted.house.connection_lifecycle
    path = lifecycle.keep_upload(hosted.portal_id, "sales.csv", io.BytesIO(b"a,b\n1,2\n"))
    settings = checked_settings("file", "Sales", {"path": path})
    first, second = (create(hosted, settings, driver="file")[0] for _ in range(2))
    uploads = hosted.house.settings.uploads
    lifecycle.delete(hosted.client, hosted.held(first.id))
    assert list(uploads.glob("*/*/sales.csv"))
    lifecycle.delete(hosted.client, hosted.held(second.id))
    assert not list(uploads.glob("*/*/sales.csv"))
    assert [file.path.rpartition("/")[2] for file in hosted.house.uploads.trash.files()] == ["sales.csv"]
