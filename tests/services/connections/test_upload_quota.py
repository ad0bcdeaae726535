"""What uploaded files may take of the disk: the quota of a portal, files never saved, and a disk that is full."""

from __future__ import annotations

import errno
import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from errors import InvalidInput
from services.connections.uploads import Uploads
from tests.services.clocks import Clock
from tests.small_disk import FILLING, fill, small_disk

MEGABYTE = 1024 * 1024


def uploads_of(folder: Path, quota: int | None = 3 * MEGABYTE) -> Uploads:
    return Uploads(folder, 2 * MEGABYTE, lambda: "one", quota_bytes=quota)


def keep(
    uploads: Uploads, size: int = MEGABYTE, *, name: str = "a.csv", portal: int = 1, session: int = 7, former: str = ""
) -> str:
    return uploads.keep(portal, name, io.BytesIO(b"x" * size), session_id=session, instead_of=former)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("[0-9]*/*/*"))


def notes(folder: Path) -> int:
    return len(list((folder / ".unsaved").glob("*")))


def problem(error: pytest.ExceptionInfo[InvalidInput]) -> tuple[str, str, dict[str, str]]:
    (found,) = error.value.problems
    return found.field, found.code, dict(found.details)


def age(folder: Path, seconds: float) -> None:
    """Let every file and note be older."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def nobody(_: set[int]) -> set[int]:
    return set()


def everybody(sessions: set[int]) -> set[int]:
    return sessions


def unused(_: int) -> set[str]:
    return set()


def test_a_file_beyond_the_quota_is_refused_with_what_is_taken_and_allowed(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    keep(uploads, name="saved.csv")
    keep(uploads, 2 * MEGABYTE - 1, name="unsaved.csv")
    keep(uploads, 1, name="last.csv")
    with pytest.raises(InvalidInput) as error:
        keep(uploads, 1, name="beyond.csv")
    assert problem(error) == ("upload", "UPLOAD_QUOTA", {"used": "3", "allowed": "3"})
    assert kept(tmp_path) == ["last.csv", "saved.csv", "unsaved.csv"]
    assert notes(tmp_path) == 3
    keep(uploads, portal=2, name="of another portal.csv")


def test_files_that_come_at_once_never_go_beyond_the_quota_together(tmp_path: Path) -> None:
    def one(number: int) -> bool:
        try:
            keep(uploads_of(tmp_path), name=f"{number}.csv")
        except InvalidInput:
            return False
        return True

    keep(uploads_of(tmp_path), name="first.csv")
    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(one, range(16)))
    assert taken <= 2
    assert len(kept(tmp_path)) == taken + 1


def test_a_file_that_another_one_takes_the_place_of_does_not_count_and_ends_if_it_was_not_saved(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    keep(uploads, name="other.csv")
    first = keep(uploads, 2 * MEGABYTE, name="first.csv")
    second = keep(uploads, 2 * MEGABYTE, name="second.csv", former=first)
    assert kept(tmp_path) == ["other.csv", "second.csv"]
    with pytest.raises(InvalidInput):
        uploads.keep(1, "empty.csv", io.BytesIO(b""), session_id=7, instead_of=second)
    assert kept(tmp_path) == ["other.csv", "second.csv"], "a file that is refused takes no place"
    uploads.save(1, second)
    keep(uploads, 2 * MEGABYTE, name="third.csv", former=second)
    assert kept(tmp_path) == ["other.csv", "second.csv", "second.csv"], "a saved file goes when the new one is saved"
    uploads.discard(1, second)
    assert kept(tmp_path) == ["other.csv", "second.csv"]


def test_the_place_of_a_file_of_somebody_elses_form_is_not_taken(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    path = keep(uploads, session=7)
    keep(uploads, session=8, former=path, name="b.csv")
    assert kept(tmp_path) == ["a.csv", "b.csv"]


def test_what_was_never_saved_ends_with_its_session(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    keep(uploads, name="unsaved.csv")
    uploads.save(1, keep(uploads, name="saved.csv"))
    age(tmp_path, 4000)
    keep(uploads, name="young.csv", session=9)
    assert uploads.delete_unsaved(everybody, unused) == []
    foretold = uploads.unsaved(nobody)
    assert [Path(file.path).name for file in foretold] == ["unsaved.csv"]
    assert uploads.delete_unsaved(nobody, unused) == foretold
    assert kept(tmp_path) == ["saved.csv", "young.csv"]
    assert uploads.trash.files() == []
    age(tmp_path, 4000)
    uploads.delete_unsaved(lambda sessions: sessions - {9}, unused)
    assert (kept(tmp_path), notes(tmp_path)) == (["saved.csv"], 0)


def test_a_form_that_names_a_file_again_holds_it(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    path = keep(uploads, session=7)
    age(tmp_path, 4000)
    assert uploads.still_holds(1, path, 7)
    assert uploads.delete_unsaved(nobody, unused) == []
    age(tmp_path, 4000)
    assert uploads.still_holds(1, path, 8), "the session of its form was renewed"
    age(tmp_path, 4000)
    assert uploads.delete_unsaved(lambda sessions: sessions & {8}, unused) == []
    assert len(uploads.delete_unsaved(nobody, unused)) == 1
    assert not uploads.still_holds(1, path, 8)
    assert not uploads.still_holds(2, keep(uploads), 7), "of another portal"


def test_no_file_that_a_connection_uses_is_deleted_for_a_note(tmp_path: Path) -> None:
    """A folder from a backup may hold notes of files that were saved since."""
    uploads = uploads_of(tmp_path)
    path = keep(uploads)
    age(tmp_path, 4000)
    assert uploads.delete_unsaved(nobody, lambda portal: {path} if portal == 1 else set()) == []
    assert (kept(tmp_path), notes(tmp_path)) == (["a.csv"], 0)


def test_another_database_deletes_no_unsaved_file(tmp_path: Path) -> None:
    keep(uploads_of(tmp_path))
    age(tmp_path, 4000)
    other = Uploads(tmp_path, 1, lambda: "two")
    with pytest.raises(Exception, match="belongs to another database"):
        other.delete_unsaved(nobody, unused)
    assert kept(tmp_path) == ["a.csv"]


def test_what_a_portal_replaced_takes_no_more_of_the_trash_than_the_quota(tmp_path: Path) -> None:
    uploads, clock = uploads_of(tmp_path), Clock()
    uploads.trash.clock = clock
    uploads.discard(2, keep(uploads, portal=2, name="of another portal.csv"))
    for number in range(5):
        clock.move(days=1)
        uploads.discard(1, keep(uploads, name=f"{number}.csv"))
    assert [Path(file.path).name for file in uploads.trash.files()] == [
        *("of another portal.csv", "2.csv", "3.csv", "4.csv")
    ]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


def test_a_full_disk_is_told_beside_the_file_of_which_nothing_stays(disk: Path) -> None:
    uploads = uploads_of(disk, None)
    keep(uploads, 1000, name="before.csv")
    for is_filled in (False, True):
        if is_filled:
            fill(disk)
        with pytest.raises(InvalidInput) as error:
            keep(uploads, MEGABYTE)
        assert problem(error) == ("upload", "DISK", {})
        assert (kept(disk), notes(disk)) == (["before.csv"], 1)
    (disk / FILLING).unlink()
    keep(uploads, 1000, name="after.csv")
    assert kept(disk) == ["after.csv", "before.csv"]


def test_a_full_disk_keeps_nobody_from_naming_and_saving_a_file_that_is_there(disk: Path) -> None:
    uploads = uploads_of(disk, None)
    path = keep(uploads, 1000)
    fill(disk)
    assert uploads.still_holds(1, path, 7)
    assert uploads.still_holds(1, path, 8)
    uploads.save(1, path)
    assert (kept(disk), notes(disk)) == (["a.csv"], 0)


def test_another_error_of_the_disk_is_not_told_as_a_full_one(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        uploads.keep(1, "a.csv", Failing(b"1"))
    assert (kept(tmp_path), notes(tmp_path)) == ([], 0)


def test_nothing_is_noted_any_more_of_a_portal_whose_files_are_erased(tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    keep(uploads)
    assert notes(tmp_path) == 1
    uploads.erase(1)
    assert (kept(tmp_path), notes(tmp_path)) == ([], 0)


def test_a_newer_file_keeps_the_name_of_the_saved_one_and_has_an_ending_of_its_own(tmp_path: Path) -> None:
    """Its name is that of its table, under which datasets ask; exports often carry a date in theirs."""
    uploads = uploads_of(tmp_path)
    first = keep(uploads, 10, name="sales 2026-11.csv")
    assert keep(uploads, 10, name="sales 2026-12.csv", former=first).endswith("/sales 2026-12.csv"), "not saved yet"
    uploads.save(1, saved := keep(uploads, 10, name="sales 2026-11.csv"))
    assert keep(uploads, 10, name="sales 2026-12.xlsx", former=saved).endswith("/sales 2026-11.xlsx")
    assert keep(uploads, 10, name="other.csv.gz", former=saved).endswith("/sales 2026-11.csv.gz")
    assert keep(uploads, 10, name="without", former=saved).endswith("/sales 2026-11")
    uploads.save(1, dotted := keep(uploads, 10, name="report.v2.csv"))
    assert keep(uploads, 10, name="report.v3.csv", former=dotted).endswith("/report.v2.csv")
    assert keep(uploads, 10, name="report.v3.csv.GZ", former=dotted).endswith("/report.v2.csv.GZ")
