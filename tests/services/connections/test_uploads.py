"""Uploaded files are deleted by the database that they belong to only, and not before days have passed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from errors import ConfigurationError
from models import Portal, deployment_of
from services import wiring
from services.connections.upload_owner import MARK, Belonging, NotOurs
from services.connections.uploads import Uploads
from tests.doors import lay_tables, settings_for
from tests.services.clocks import Clock

CONTENT = b"a,b\n1,2\n"


def uploads_of(folder: Path, deployment: str = "one", days: int = 14) -> Uploads:
    return Uploads(folder, 1000, lambda: deployment, days)


def keep(uploads: Uploads, portal_id: int = 1, name: str = "sales.csv") -> str:
    return uploads.keep(portal_id, name, io.BytesIO(CONTENT))


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/*/*") if path.is_file())


def test_a_folder_belongs_to_whoever_puts_the_first_file_into_it(tmp_path: Path) -> None:
    one, two = uploads_of(tmp_path / "u"), uploads_of(tmp_path / "u", "two")
    assert one.owner.belonging() is two.owner.belonging() is Belonging.EMPTY
    keep(one)
    assert (one.owner.belonging(), two.owner.belonging()) == (Belonging.OURS, Belonging.FOREIGN)


def test_another_database_neither_adds_nor_deletes(tmp_path: Path) -> None:
    path = keep(uploads_of(tmp_path))
    other = uploads_of(tmp_path, "two")
    with pytest.raises(NotOurs, match="belongs to another database"):
        keep(other)
    for delete in (lambda: other.keep_only(()), lambda: other.erase(1)):
        with pytest.raises(NotOurs, match="belongs to another database"):
            delete()
    other.discard(1, path)
    other.discard_all(1)
    other.purge(1, ())
    assert kept(tmp_path) == ["sales.csv"]
    assert other.trash.files() == []


@pytest.mark.parametrize("broken", [b"", b"\xff\xfe", b"one\ntwo"])
def test_a_mark_that_cannot_be_read_is_nobodys(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / MARK).write_bytes(broken)
    assert uploads_of(tmp_path).owner.belonging() is Belonging.FOREIGN


def test_files_without_a_mark_are_recognised_by_their_random_names_or_left_alone(tmp_path: Path) -> None:
    """Folders of versions before there were marks."""
    uploads = uploads_of(tmp_path)
    path = keep(uploads)
    (tmp_path / MARK).unlink()
    assert uploads.owner.belonging() is Belonging.UNMARKED
    with pytest.raises(NotOurs, match="uploads adopt"):
        uploads.keep_only(())
    assert uploads.recognised({1: {path}, 2: set()})
    assert not uploads.recognised({1: set()})
    assert not uploads.recognised({1: {"upload:" + "0" * 32 + "/sales.csv"}})
    assert not uploads.recognised({2: {path}})
    keep(uploads, portal_id=7)
    assert not uploads.recognised({1: {path}}), "a portal that is not known may be another database's"
    assert kept(tmp_path) == ["sales.csv", "sales.csv"]


def test_what_is_left_over_waits_for_days_before_it_is_deleted(tmp_path: Path) -> None:
    uploads, clock = uploads_of(tmp_path, days=14), Clock()
    uploads.trash.clock = clock
    keep(uploads, 1)
    keep(uploads, 2, "gone.csv")
    foretold = uploads.left_over([1])
    assert uploads.keep_only([1]) == foretold
    (gone,) = foretold
    assert (gone.path.split("/")[0], Path(gone.path).name, gone.bytes) == ("2", "gone.csv", len(CONTENT))
    assert kept(tmp_path) == ["sales.csv"]
    clock.move(days=13)
    assert uploads.trash.due() == uploads.trash.empty() == []
    clock.move(days=1)
    (due,) = uploads.trash.due()
    assert uploads.trash.empty() == [due]
    assert uploads.trash.files() == []
    assert kept(tmp_path) == ["sales.csv"]


def test_a_file_comes_back_by_moving_it_where_it_was(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    path = keep(uploads)
    uploads.discard(1, path)
    (thrown,) = uploads.trash.files()
    back = tmp_path / thrown.path
    target = tmp_path.joinpath(*back.relative_to(tmp_path).parts[2:])
    target.parent.mkdir(parents=True)
    back.rename(target)
    assert (tmp_path / "1" / path.removeprefix("upload:")).read_bytes() == CONTENT


def test_what_others_put_into_the_trash_stays(tmp_path: Path) -> None:
    uploads, clock = uploads_of(tmp_path), Clock()
    uploads.trash.clock = clock
    keep(uploads)
    mine = tmp_path / ".trash" / "mine" / "1"
    mine.mkdir(parents=True)
    clock.move(days=1000)
    assert uploads.trash.empty() == []
    uploads.erase(1)
    assert mine.exists()


def test_a_file_that_cannot_be_moved_is_said_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    uploads = uploads_of(tmp_path)
    path = keep(uploads)
    (tmp_path / ".trash").touch()
    uploads.discard(1, path)
    assert kept(tmp_path) == ["sales.csv"]
    assert "stays where it is" in caplog.text


def test_the_start_refuses_a_folder_of_another_database(tmp_path: Path) -> None:
    """A database that was restored is the same one; a new one, or another's, is not."""
    url, folder = f"sqlite:///{tmp_path / 'app.db'}", tmp_path / "uploads"
    lay_tables(url)
    services = wiring.build(settings_for(url, uploads=folder))
    keep(services.uploads)
    services.engine.dispose()
    wiring.build(settings_for(url, uploads=folder)).engine.dispose()
    lay_tables(f"{url}.new")
    with pytest.raises(ConfigurationError, match=r"^UPLOADS: .* belongs to another database"):
        wiring.build(settings_for(f"{url}.new", uploads=folder))
    mended = wiring.build(settings_for(f"{url}.new", uploads=folder), tolerated={"uploads"})
    mended.uploads.owner.claim()
    mended.engine.dispose()
    wiring.build(settings_for(f"{url}.new", uploads=folder)).engine.dispose()


def test_all_processes_of_a_database_see_one_deployment(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    lay_tables(url)
    one, two = (wiring.build(settings_for(url)) for _ in range(2))
    with one.sessions.begin() as session:
        session.add(Portal(member_id="acme"))
    assert deployment_of(one.sessions).uid == deployment_of(two.sessions).uid
    assert len(deployment_of(one.sessions).uid) == 32
    for each in (one, two):
        each.engine.dispose()


def test_days_in_the_trash_are_a_setting(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    lay_tables(url)
    services = wiring.build(settings_for(url, uploads=tmp_path / "uploads", upload_trash_days=2))
    services.uploads.trash.clock = clock = Clock()
    services.uploads.discard(1, keep(services.uploads))
    clock.move(days=2, seconds=-1)
    assert services.uploads.trash.due() == []
    clock.move(seconds=1)
    assert len(services.uploads.trash.due()) == 1
    services.engine.dispose()
