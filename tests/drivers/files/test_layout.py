"""CSV files whose rows do not fit, and what begins like no table at all (facts/field 3 row 15, 5.24)."""

from __future__ import annotations

import bz2
import codecs
import gzip
from pathlib import Path

import pytest

from drivers.errors import SettingsWrong
from drivers.files.layout import distinct
from tests.drivers.files.samples import opened, table_of, written
from tests.drivers.files.workbooks import workbook


def refused(folder: Path, content: str | bytes, name: str = "t.csv", **settings: str) -> SettingsWrong:
    written(folder, name, content)
    with pytest.raises(SettingsWrong) as wrong:
        opened(folder, path=name, **settings)
    return wrong.value


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id,a,b\n1,2,3\n4,5\n6,7,8\n", ["row 3: 2 cells, other rows have 3"]),
        ("id,a,b\n1,2,3\n4,5,6,7\n6,7,8\n", ["row 3: 4 cells, other rows have 3"]),
        ("id,a,b\n1,2,3\nTotal\n", ["row 3: 1 cells, other rows have 3"]),
        ("id;amount\n1;5\n2;6\nTotal\n", ["row 4: 1 cells, other rows have 2"]),
        ("id,a,b\n4,5\n", ["row 2: 2 cells, other rows have 3"]),
        ("1,2\n3,4,5\n6,7,8\n9,10,11\n", ["row 1: 2 cells, other rows have 3"]),
        ("a,b\n1,2,3\n4,5,6\n", ["row 1: 2 cells, other rows have 3"]),
        ('id,t\n1,5" pipe\n2,6" pipe, long\n', ["row 3: 3 cells, other rows have 2"]),
        ('id,t\n1,"x"\n2,"y" z\n', ["row 3: text beside a quoted text, or a quote without an end"]),
        (
            "id,d,note\n" + "1,2,ok\n" * 3 + "1,2,ok,extra\n" * 56,
            [f"row {row}: 3 cells, other rows have 4" for row in (1, 2, 3, 4)],
        ),
        (
            "a,b\n" + "1,2\n" * 50 + "3\n" * 9,
            [f"row {row}: 1 cells, other rows have 2" for row in range(52, 57)],
        ),
        (
            "a,b\n" + "1,2\n" * 90_000 + "1,2,3\n" * 9,
            [f"row {row}: 3 cells, other rows have 2" for row in range(90_002, 90_007)],
        ),
        ("a,b\n" + "x,y\n" * 90_000 + "z\n", ["row 90002: 1 cells, other rows have 2"]),
    ],
)  # fmt: skip
def test_a_row_with_another_number_of_cells_is_told_and_never_left_out(
    tmp_path: Path, content: str, rows: list[str]
) -> None:
    """facts/field 5.24: first errors with row and column; facts/biconnector 5.7: all rows are wanted."""
    wrong = refused(tmp_path, content)
    assert (wrong.field, wrong.code) == ("path", "file_structure")
    assert wrong.detail.splitlines() == rows


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("Report for 2024\n\nid,name\n1,a\n2,b\n", ["id", "name"], [[1, "a"], [2, "b"]]),
        ("\n\nid,name\n1,a\n\n2,b\n\n", ["id", "name"], [[1, "a"], [2, "b"]]),
        ('"Report\nfor 2024"\nid,name\n1,a\n', ["id", "name"], [[1, "a"]]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"], [[1, 2], [3, 4]]),
        ("a,b\n1,\n2,\n3,x\n", ["a", "b"], [[1, None], [2, None], [3, "x"]]),
        ("id, name\n1, \"b,c\"\n2, \"d\"\n", ["id", "name"], [[1, "b,c"], [2, "d"]]),
        ('a,b\n1,"say \\"hi\\", you"\n2,"x"\n', ["a", "b"], [[1, 'say "hi", you'], [2, "x"]]),
        ("id,t\n1,'a,b'\n2,'c'\n", ["id", "t"], [[1, "a,b"], [2, "c"]]),
        ("a\tb\n1\t\"x\" y\n2\t\"z\n", ["a", "b"], [[1, '"x" y'], [2, '"z']]),
        ("id,t\n1,5\" pipe\n", ["id", "t"], [[1, '5" pipe']]),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ["a", "b"], [[1.5, 2.5], [3.5, 4.5]]),
        ("1,5;2,5\n3,5;4,5\n", ["column0", "column1"], [[1.5, 2.5], [3.5, 4.5]]),
        ("to\nElm 1, Riga\nElm 2, Oslo, NO\nx\n", ["to"], [["Elm 1, Riga"], ["Elm 2, Oslo, NO"], ["x"]]),
        ("n\n1\n2\n", ["n"], [[1], [2]]),
        ("id,name\n", ["id", "name"], []),
        ("2023,2024\n1,2\n", ["column0", "column1"], [[2023, 2024], [1, 2]]),
        ("10:00,a\n11:00,b\n", ["column0", "column1"], [["10:00", "a"], ["11:00", "b"]]),
        (",x\n1,2\n", ["column0", "x"], [[1, 2]]),
        ("a,b\r1,2\r3,4\r", ["a", "b"], [[1, 2], [3, 4]]),
        ("a,b\r\n1,\"x\ny\"\r\n", ["a", "b"], [[1, "x\ny"]]),
    ],
)  # fmt: skip
def test_titles_above_and_ways_of_quoting_are_found_with_every_row(
    tmp_path: Path, content: str, names: list[str], rows: list[list[object]]
) -> None:
    written(tmp_path, "t.csv", content)
    types, found = table_of(tmp_path, "t", path="t.csv")
    assert (list(types), found) == (names, rows)


def test_names_of_columns_are_made_different_as_before() -> None:
    """A published column keeps its name, which DuckDB gave until the layout was ours."""
    assert distinct(["a", "a", "", "A"]) == ("a", "a_1", "column2", "A_2")
    assert distinct(["a", "a", "a_1", " x ", "", "a_1"]) == ("a", "a_1", "a_1_1", "x", "column4", "a_1_2")
    assert distinct(["column0", "", "column1", ""]) == ("column0", "column1", "column1_1", "column3")
    assert distinct([""] * 12)[:2] == ("column00", "column01")


OTHER_KINDS = {
    "doc.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "page.csv": b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>Login, please</body></html>\n",
    "feed.txt": b'<?xml version="1.0"?>\n<a>1,2</a>\n',
    "old.xls": codecs.decode("D0CF11E0A1B11AE1", "hex") + bytes(600) + b"abc,def\n",
    "a.csv.bz2": bz2.compress(b"a,b\n1,2\n"),
    "twice.csv.gz": gzip.compress(gzip.compress(b"a,b\n1,2\n")),
    "folder.tar": b"orders.csv".ljust(257, b"\0") + b"ustar\00000" + bytes(1000),
    "shop.sqlite": b"SQLite format 3\0" + bytes(84),
    "p.parquet": b"a,b\n1,2\n",
    "noise.csv": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_a_file_of_another_kind_is_refused_and_not_read_as_csv(tmp_path: Path, name: str) -> None:
    wrong = refused(tmp_path, OTHER_KINDS[name], name)
    assert (wrong.field, wrong.code) == ("path", "other_kind")


def test_what_is_asked_to_be_csv_is_looked_at_all_the_same(tmp_path: Path) -> None:
    assert refused(tmp_path, OTHER_KINDS["doc.pdf"], format="csv").code == "other_kind"


@pytest.mark.parametrize("encoding", ["hex", "rot13", "base64", "undefined", "zlib"])
def test_an_encoding_that_is_none_of_texts_is_told(tmp_path: Path, encoding: str) -> None:
    wrong = refused(tmp_path, "a,b\n1,2\n", encoding=encoding)
    assert (wrong.field, wrong.code) == ("encoding", "no_such_encoding")


def test_a_delimiter_is_one_character(tmp_path: Path) -> None:
    for given in (";;", '"'):
        assert refused(tmp_path, "a,b\n1,2\n", delimiter=given).field == "delimiter"


def test_files_of_a_folder_with_equal_names_are_all_there(tmp_path: Path) -> None:
    for name, column in (("north", "x"), ("south", "y")):
        workbook(tmp_path / f"{name}.xlsx", {"Sheet1": [[column], [1]], f"Only {name}": [["z"], [2]]})
    for name in ("A.csv", "a.csv"):
        written(tmp_path, name, f"{'upper' if name[0] == 'A' else 'lower'},b\n1,2\n")
    found = {}
    with opened(tmp_path, path=".") as session:
        for table in session.tables():
            found[table.name.name] = [column.name for column in session.describe(table.name).columns]
    assert found == {
        "A.csv": ["upper", "b"],
        "a.csv (2)": ["lower", "b"],
        "Only north": ["z"],
        "Only south": ["z"],
        "north Sheet1": ["x"],
        "south Sheet1": ["y"],
    }


def test_a_file_of_a_folder_that_cannot_be_read_leaves_the_others_alone_and_says_why(tmp_path: Path) -> None:
    written(tmp_path, "ok.csv", "x,y\n1,2\n")
    written(tmp_path, "empty.csv", "")
    written(tmp_path, "bad.csv", "a,b,c\n1,2,3\n1,2\n")
    for _ in range(2):
        assert table_of(tmp_path, "ok", path=".")[1] == [[1, 2]]
        with opened(tmp_path, path=".") as session:
            tables = session.tables()
            assert [table.name.name for table in tables] == ["ok", "bad", "empty"]
            for table, code, detail in zip(
                tables[1:], ("file_structure", "empty_file"), ("bad.csv\nrow 3: 2 cells", "empty.csv"), strict=True
            ):
                with pytest.raises(SettingsWrong) as wrong:
                    session.describe(table.name)
                assert (wrong.value.code, wrong.value.detail[: len(detail)]) == (code, detail)
    (tmp_path / "ok.csv").unlink()
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path=".")
    assert wrong.value.code == "file_structure"
