"""Files that drivers write on their way to the rows: where the disk has no room for them, that is what is said."""

from __future__ import annotations

import contextlib
import gc
import gzip
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.base import Guards
from drivers.catalogue import DRIVERS
from drivers.errors import NoRoom
from drivers.files import prepared
from drivers.previews import PreviewRequest
from drivers.query import TableName
from egress.policy import Policy
from gateway.problems import problem_of
from tests.drivers.files.workbooks import workbook
from tests.drivers.servers import web_server
from tests.small_disk import FILLING, fill, small_disk
from tests.suite.databases import read

ROWS = 30_000


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where drivers keep what they make: too small for it."""
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setattr(prepared, "FOLDER", str(disk))
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        monkeypatch.setenv("SQLITE_TMPDIR", str(disk))
        yield disk


def code_of(look: Callable[[], object]) -> str:
    """The code of the refusal that a look ends with; nothing of its traceback stays, which holds files."""
    try:
        look()
    except NoRoom as problem:
        return problem.code
    return ""


def packed(folder: Path) -> str:
    (folder / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 200_000))
    return "t.csv.gz"


def sheets(folder: Path) -> str:
    rows: list[list[int | str]] = [[number, "text of a cell"] for number in range(ROWS)]
    workbook(folder / "t.xlsx", {"t": [["a", "b"], *rows]})
    return "t.xlsx"


def recoded(folder: Path) -> str:
    text = "имя;город\n" + "Анна;Москва\n" * ROWS
    (folder / "t.csv").write_bytes(text.encode("cp1251"))
    return "t.csv"


def objects(folder: Path) -> str:
    (folder / "t.json").write_text(
        '{"rows": [' + ",".join(f'{{"a": {number}, "b": "text of a value"}}' for number in range(ROWS)) + "]}"
    )
    return "t.json"


@pytest.mark.parametrize("make", [packed, sheets, recoded, objects])
@pytest.mark.parametrize("is_filled", [False, True], ids=["too small", "full"])
def test_a_file_that_needs_room_says_that_there_is_none(
    tmp_path: Path, disk: Path, make: Callable[[Path], str], is_filled: bool
) -> None:
    settings, guards = {"path": make(tmp_path)}, Guards(Policy(), local_files=tmp_path)
    if is_filled:
        fill(disk)
    looks: list[Callable[[], object]] = [
        lambda: DRIVERS["file"].open(settings, guards),
        lambda: DRIVERS["file"].preview(settings, guards, PreviewRequest("", "", True)),
    ]
    assert [code_of(look) for look in looks] == ["disk", "disk"]
    gc.collect()
    assert [path.name for path in disk.iterdir()] == [FILLING] * is_filled


@pytest.mark.usefixtures("disk")
def test_a_file_that_is_fetched_needs_room() -> None:
    with web_server("files.example.com", files={"/t.csv": b"a,b\n" + b"1,2\n" * 200_000}) as server:
        allow = [f"127.0.0.1:{server.https_port}"]
        guards = Guards(Policy(allow=allow, lookup=lambda host, port: ["127.0.0.1"]))
        address = f"https://files.example.com:{server.https_port}/t.csv"
        settings = {"url": address, "ca": Path(server.ca_file).read_text()}
        assert code_of(lambda: DRIVERS["file"].open(settings, guards)) == "disk"


def test_a_certificate_authority_that_cannot_be_told_to_libpq_is_no_fault_of_the_server(disk: Path) -> None:
    fill(disk)
    settings = {"host": "127.0.0.1", "username": "postgres", "database": "postgres", "tls": "verify-full", "ca": "x"}
    with pytest.raises(NoRoom):
        DRIVERS["postgresql"].open(settings, Guards(Policy(allow=["127.0.0.1/32:5432"])))


def test_rows_that_sqlite_sorts_on_the_disk_need_room(tmp_path: Path, disk: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "t.db")) as database:
        database.execute("CREATE TABLE t(n INTEGER, s TEXT)")
        database.executemany(
            "INSERT INTO t VALUES (?, ?)", ((n, f"{n * 7919 % 100_003:06}" * 40) for n in range(20_000))
        )
        database.execute("CREATE VIEW sorted AS SELECT s FROM t ORDER BY s")
        database.commit()
    fill(disk)
    with (
        pytest.raises(NoRoom),
        DRIVERS["sqlite"].open({"path": "t.db"}, Guards(Policy(), local_files=tmp_path)) as session,
    ):
        read(session, TableName("", "sorted"), ["s"])


def test_portals_are_told_that_the_disk_is_full_and_nothing_about_a_size() -> None:
    failure = problem_of(NoRoom("disk"))
    assert (failure.status, failure.word, failure.code) == (507, "disk_full", "disk")
