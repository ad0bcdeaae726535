"""`flask portals`: what operators see and add."""

from __future__ import annotations

import io
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from models import EndpointCall, Portal, UserSession, UserToken, note_care, now
from services.connections.upload_owner import MARK, Belonging
from tests.doors import Stage, staged
from tests.services.clocks import Clock


def test_the_list_tells_everything_but_secrets(installed: Stage) -> None:
    told = installed.app.test_cli_runner().invoke(args=["portals", "list", "--json"])
    assert told.exit_code == 0
    (row,) = json.loads(told.stdout)
    assert (row["member_id"], row["state"], row["version"]) == (installed.member_id, "active", 1)
    assert installed.portal.application().application_token not in told.output
    assert "v1." not in told.output
    assert installed.member_id in installed.app.test_cli_runner().invoke(args=["portals", "list"]).output


def test_an_empty_list_is_valid_json(stage: Stage) -> None:
    assert json.loads(stage.app.test_cli_runner().invoke(args=["portals", "list", "--json"]).stdout) == []


def test_a_portal_without_rest_is_added_once(stage: Stage) -> None:
    add = ["portals", "add-local", "--member-id", "head-office"]
    assert stage.app.test_cli_runner().invoke(args=add).exit_code == 0
    again = stage.app.test_cli_runner().invoke(args=add)
    assert again.exit_code == 1
    assert "already" in again.output
    with stage.services.sessions() as session:
        portal = session.query(Portal).one()
        assert (portal.member_id, portal.state, portal.client_endpoint) == ("head-office", "local", "")
        assert portal.language == ""


def test_the_language_of_a_portal_without_rest_can_be_told(stage: Stage) -> None:
    add = ["portals", "add-local", "--member-id", "head-office", "--language"]
    assert stage.app.test_cli_runner().invoke(args=[*add, "klingon"]).exit_code == 2
    assert stage.app.test_cli_runner().invoke(args=[*add, "br"]).exit_code == 0
    with stage.services.sessions() as session:
        assert session.query(Portal).one().language == "br"


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 65, "a;b", "я"])
def test_a_name_that_no_portal_could_have_is_refused(stage: Stage, name: str) -> None:
    told = stage.app.test_cli_runner().invoke(args=["portals", "add-local", "--member-id", name])
    assert told.exit_code == 1
    assert "member_id" in told.output


def test_daily_care_counts_what_it_did(installed: Stage) -> None:
    with installed.services.sessions.begin() as session:
        session.query(UserSession).update({"expires_at": now() - timedelta(days=2)})
    told = installed.app.test_cli_runner().invoke(args=["portals", "tend"])
    assert (told.exit_code, told.stdout) == (
        0,
        "0 grants renewed, 0 failed; 0 dead grants, 1 ended sessions and data of 0 portals deleted.\n",
    )


def test_everything_of_a_portal_is_erased_at_once_by_its_member_id(installed: Stage) -> None:
    erase = ["portals", "erase"]
    unknown = installed.app.test_cli_runner().invoke(args=[*erase, "nobody"])
    assert (unknown.exit_code, "no portal" in unknown.output) == (1, True)
    told = installed.app.test_cli_runner().invoke(args=[*erase, installed.member_id])
    assert (told.exit_code, told.stdout) == (0, "All data of the portal are deleted.\n")
    rows = installed.rows()
    assert rows["portals"] == rows["grants"] == rows["user_sessions"] == rows["lifecycle_events"] == []


def test_daily_care_says_how_many_portals_left_without_telling(installed: Stage) -> None:
    installed.control("uninstall", lost=True)
    with installed.services.sessions.begin() as session:
        session.query(Portal).update({"doubted_at": now() - timedelta(minutes=1)})
    told = installed.app.test_cli_runner().invoke(args=["portals", "tend"])
    assert told.stdout.startswith("1 portals have removed the app without telling.\n")
    assert installed.record().state == "uninstalled"


def file_of(stage: Stage, portal_id: int, name: str) -> str:
    return stage.services.uploads.keep(portal_id, name, io.BytesIO(b"a\n1\n"))


def tend(stage: Stage, *words: str) -> Result:
    return stage.app.test_cli_runner().invoke(args=["portals", "tend", *words])


def age_portal(stage: Stage) -> None:
    """The portal looks as if nobody had opened the app for longer than 180 days."""
    with stage.services.sessions.begin() as session:
        session.query(Portal).update({"created_at": now() - timedelta(days=181)})
        session.query(UserToken).delete()


def test_files_of_portals_that_are_not_known_wait_in_the_trash_and_each_is_named(installed: Stage) -> None:
    file_of(installed, installed.record().id, "kept.csv")
    file_of(installed, 999, "gone.csv")
    before = sorted(installed.services.settings.uploads.rglob("*"))
    foretold = tend(installed, "--dry-run")
    assert (foretold.exit_code, foretold.stdout.count(".csv")) == (0, 1)
    assert "Would be moved to the trash: 999/" in foretold.stdout
    assert sorted(installed.services.settings.uploads.rglob("*")) == before
    told = tend(installed)
    assert told.exit_code == 0
    assert "Moved to the trash: 999/" in told.stdout
    assert [Path(file.path).name for file in installed.services.uploads.trash.files()] == ["gone.csv"]
    clock = Clock()
    clock.move(days=14)
    installed.services.uploads.trash.clock = clock
    assert "Would be deleted from the trash: .trash/" in tend(installed, "--dry-run").stdout
    assert "Deleted from the trash: .trash/" in tend(installed).stdout
    assert "kept.csv" in {path.name for path in installed.services.settings.uploads.rglob("*")}


def test_an_empty_database_takes_no_file_for_left_over(installed: Stage, tmp_path: Path) -> None:
    """A wrong or restored database knows no portal; nothing is deleted, and the exit code tells the timer."""
    file_of(installed, installed.record().id, "deals.csv")
    folder = installed.services.settings.uploads
    with staged(f"sqlite:///{tmp_path / 'empty.db'}", uploads=tmp_path / "mounted") as empty:
        folder = shutil.copytree(folder, tmp_path / "mounted")
        before = sorted(folder.rglob("*"))
        assert "No file would be touched" in tend(empty, "--dry-run").stdout
        told = tend(empty)
        assert told.exit_code == 1
        assert "belongs to another database" in told.stderr
        assert "0 grants renewed" in told.stdout
        # A folder of a version before there were marks says nothing.
        (folder / MARK).rename(tmp_path / "mark")
        told = tend(empty)
        assert (told.exit_code, "uploads adopt" in told.stderr) == (1, True)
        (tmp_path / "mark").rename(folder / MARK)
        assert sorted(folder.rglob("*")) == before


def test_a_folder_of_before_there_were_marks_is_recognised_by_a_connections_file(installed: Stage) -> None:
    path = file_of(installed, installed.record().id, "deals.csv")
    installed.services.connections.add(installed.member_id, "file", "Deals", {"path": path})
    mark = installed.services.settings.uploads / MARK
    mark.unlink()
    assert tend(installed).exit_code == 0
    assert mark.exists()


def test_adopting_a_folder_says_whose_files_it_does_not_know(installed: Stage) -> None:
    file_of(installed, 999, "gone.csv")
    mark = installed.services.settings.uploads / MARK
    mark.write_text("another")
    run = installed.app.test_cli_runner()
    told = run.invoke(args=["uploads", "adopt"])
    assert (told.exit_code, "1 files in it are of portals that it lacks" in told.stdout) == (0, True)
    assert installed.services.uploads.owner.belonging() is Belonging.OURS
    assert "already" in run.invoke(args=["uploads", "adopt"]).stdout


@pytest.mark.parametrize("since", [None, timedelta(days=4), timedelta(days=-1)])
def test_after_a_pause_of_care_nothing_of_portals_is_deleted_by_age(installed: Stage, since: timedelta | None) -> None:
    """A clock that jumped, a timer that stood still and a restored database all look like a pause."""
    age_portal(installed)
    if since is not None:
        note_care(installed.services.sessions, now() - since)
    told = tend(installed)
    assert (told.exit_code, "nothing of portals is deleted this time" in told.stdout) == (0, True)
    assert len(installed.rows()["portals"]) == 1
    assert f"Would be deleted: portal {installed.member_id}, 0 uploaded files" in tend(installed, "--dry-run").stdout
    assert len(installed.rows()["portals"]) == 1
    assert "data of 1 portals deleted" in tend(installed).stdout
    assert installed.rows()["portals"] == []


def test_the_files_of_a_portal_that_left_without_a_word_can_be_brought_back(installed: Stage) -> None:
    file_of(installed, installed.record().id, "deals.csv")
    age_portal(installed)
    note_care(installed.services.sessions, now())
    assert f"Deleted: portal {installed.member_id}, 1 uploaded files (no sign of life" in tend(installed).stdout
    assert [Path(file.path).name for file in installed.services.uploads.trash.files()] == ["deals.csv"]


def test_a_portal_whose_charts_ask_for_data_is_alive_whoever_opens_the_app(installed: Stage) -> None:
    age_portal(installed)
    note_care(installed.services.sessions, now())
    call = {"endpoint": "data", "asked": {}, "status": 200, "at": now() - timedelta(days=13)}
    with installed.services.sessions.begin() as session:
        session.add(EndpointCall(ref="r", portal_id=installed.record().id, **call))
    assert "data of 0 portals deleted" in tend(installed).stdout
    assert len(installed.rows()["portals"]) == 1


def test_a_portal_is_not_erased_where_its_files_could_not_be(installed: Stage) -> None:
    file_of(installed, installed.record().id, "deals.csv")
    (installed.services.settings.uploads / MARK).write_text("another")
    told = installed.app.test_cli_runner().invoke(args=["portals", "erase", installed.member_id])
    assert (told.exit_code, "belongs to another database" in told.output) == (1, True)
    assert len(installed.rows()["portals"]) == 1
