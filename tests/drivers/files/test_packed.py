"""Files packed with gzip, as exports of warehouses and log stores are: their content is the table."""

from __future__ import annotations

import gc
import gzip
from pathlib import Path

import pytest

from drivers.errors import SettingsWrong
from drivers.files import prepared, source
from drivers.query import TableName
from tests.drivers.files.samples import opened, table_of, written
from tests.drivers.files.workbooks import workbook
from tests.suite.databases import read

ROWS = b"id,name\n1,\xd0\x81\xd0\xb6\n2,b\n"
READ = [[1, "\u0401\u0436"], [2, "b"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("orders.csv.gz", ROWS),
        ("orders.CSV.GZ", ROWS),
        ("orders.gz", ROWS),
        ("orders.tsv.gz", ROWS.replace(b",", b"\t")),
        ("orders.jsonl.gz", b'{"id": 1, "name": "\xd0\x81\xd0\xb6"}\n{"id": 2, "name": "b"}\n'),
        ("orders.csv.gz", ROWS.decode().encode("cp1251")),
    ],
)
def test_the_content_of_a_packed_file_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    written(tmp_path, name, gzip.compress(content))
    encoding = "" if b"\xd0" in content else "cp1251"
    names, rows = table_of(tmp_path, "orders", path=name, encoding=encoding)
    assert (list(names), rows) == (["id", "name"], READ)


def test_a_packed_workbook_and_several_packed_parts_are_read(tmp_path: Path) -> None:
    workbook(tmp_path / "plain.xlsx", {"Sheet": [["id"], [7]]})
    written(tmp_path, "a.xlsx.gz", gzip.compress((tmp_path / "plain.xlsx").read_bytes()))
    assert table_of(tmp_path, "Sheet", path="a.xlsx.gz")[1] == [[7]]
    # RFC 1952 2.2: a file may be put together from several packed ones
    written(tmp_path, "parts.csv.gz", gzip.compress(ROWS[:12]) + gzip.compress(ROWS[12:]))
    assert table_of(tmp_path, "parts", path="parts.csv.gz")[1] == READ


def test_packed_files_of_a_folder_are_tables_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    for name, content in (
        ("east.csv.gz", gzip.compress(ROWS)),
        ("west.csv", ROWS),
        ("west.csv.gz", gzip.compress(ROWS)),
        ("broken.csv.gz", gzip.compress(ROWS)[:-9]),
        ("notes.md.gz", gzip.compress(b"no table")),
    ):
        written(tmp_path / "all", name, content)
    with opened(tmp_path, path="all") as session:
        names = [table.name.name for table in session.tables()]
        assert names == ["east", "west.csv", "west.csv.gz", "broken"]
        broken = session.tables()[-1].name
        with pytest.raises(SettingsWrong) as wrong:
            session.describe(broken)
        assert (wrong.value.field, wrong.value.code) == ("path", "packed_broken")
        assert wrong.value.detail.startswith("broken.csv.gz")
        assert all(read(session, TableName("", name), ["id", "name"]) == READ for name in names[:-1])


@pytest.mark.parametrize("damage", ["cut", "changed", "checksum"])
def test_a_damaged_packed_file_is_no_shorter_table(tmp_path: Path, damage: str) -> None:
    """Nothing is cut silently: without its end, half the rows could be missing."""
    packed = gzip.compress(b"id\n" + b"".join(b"%d\n" % number for number in range(100_000)))
    half = len(packed) // 2
    content = {
        "cut": packed[:half],
        "changed": packed[:half] + bytes([packed[half] ^ 0xFF]) + packed[half + 1 :],
        "checksum": packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:],
    }[damage]
    written(tmp_path, "a.csv.gz", content)
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="a.csv.gz")
    assert (wrong.value.field, wrong.value.code) == ("path", "packed_broken")


def test_what_unpacks_to_too_much_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file may unpack to a thousand times its size (facts/security 1 row 16)."""
    monkeypatch.setattr(source, "MOST_BYTES", 3 * source.BLOCK)
    bomb = gzip.compress(b"a\n" + b"1\n" * (2 * source.BLOCK))
    assert len(bomb) < 20_000
    written(tmp_path, "a.csv.gz", bomb)
    folder = Path(prepared.FOLDER)
    before = set(folder.iterdir())
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="a.csv.gz")
    assert (wrong.value.field, wrong.value.code) == ("path", "too_big")
    # What was raised holds what its frames held.
    del wrong
    gc.collect()
    assert set(folder.iterdir()) <= before


def test_a_name_that_promises_packing_and_holds_plain_text_is_read_as_it_is(tmp_path: Path) -> None:
    written(tmp_path, "a.csv.gz", ROWS)
    assert table_of(tmp_path, "a", path="a.csv.gz")[1] == READ
