"""What is understood of a file before it is saved: names, titles, types, and the values that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from drivers.base import Guards
from drivers.catalogue import DRIVERS
from drivers.errors import SettingsWrong
from drivers.files import preview
from drivers.previews import Preview, PreviewRequest
from egress.policy import Policy
from tests.drivers.files.samples import opened, written
from tests.drivers.files.workbooks import workbook
from tests.suite.databases import read


def look(folder: Path, asked: PreviewRequest | None = None, **settings: str) -> Preview:
    guards = Guards(Policy(), local_files=folder)
    return DRIVERS["file"].preview(settings, guards, asked or PreviewRequest())


def types(shown: Preview) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in shown.columns]


def test_titles_and_the_row_of_names_carry_the_numbers_that_the_file_gives_them(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "Sales of May\n\nBy region\nRegion;Sum\nNorth;1,5\nSouth;2\n")
    shown = look(tmp_path, path="t.csv")
    assert (shown.titles, shown.header_row) == (((1, "Sales of May"), (3, "By region")), 4)
    assert types(shown) == [("Region", "string"), ("Sum", "double")]
    assert shown.rows == [["North", "1.5"], ["South", "2.0"]]
    assert (shown.seen, shown.is_whole) == (2, True)
    assert look(tmp_path, path="t.csv", skip_rows="3").header_row == 4
    assert look(tmp_path, path="t.csv", header="no").header_row == 0


def test_sheets_are_told_by_name_and_one_of_them_is_shown(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {
        "Plan": [["Report"], [], ["day", "sum"], ["a", 1]],
        "Fact": [["day", "sum"], ["b", 2]],
    }
    workbook(tmp_path / "t.xlsx", sheets)
    first, second = look(tmp_path, path="t.xlsx"), look(tmp_path, PreviewRequest(table="Fact"), path="t.xlsx")
    assert (first.tables, first.table, first.header_row, first.titles) == (
        ("Plan", "Fact"),
        "Plan",
        3,
        ((1, "Report"),),
    )
    assert (second.table, second.header_row, second.rows) == ("Fact", 1, [["b", "2"]])


def test_values_that_keep_a_column_from_a_type_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "n;s;d\n1;x;01.02.2026\n2;y;soon\n3;z;03.02.2026\nn/d;w;04.02.2026\nn/d;v;05.02.2026\n")
    number, text, date = look(tmp_path, path="t.csv").columns
    assert number.misfits
    assert (number.type, number.misfits.type) == ("string", "int")
    assert (number.misfits.count, number.misfits.row, number.misfits.value) == (2, 4, "n/d")
    assert text.misfits is None
    assert date.misfits
    assert (date.misfits.type, date.misfits.count, date.misfits.row) == ("date", 1, 2)


def test_a_chosen_type_that_does_not_fit_is_counted_where_an_answer_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "n;s\n1;x\n2;y\nn/d;z\n")
    number, text = look(tmp_path, path="t.csv", types="n: double\ns: date").columns
    assert number.misfits
    assert (number.chosen, number.misfits.count, number.misfits.row) == ("double", 1, 3)
    assert text.misfits
    assert (text.chosen, text.misfits.count, text.misfits.row) == ("date", 3, 1)
    with pytest.raises(SettingsWrong) as refused:
        opened(tmp_path, path="t.csv", types="n: double")
    assert "row 3" in refused.value.detail
    shown = look(tmp_path, path="t.csv", types="n: double", nulls="n/d")
    assert types(shown)[0] == ("n", "double")
    assert shown.columns[0].misfits is None


def test_what_can_be_read_in_two_ways_is_told(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "d\tn\tt\n01/02/2026\t1,234\tx\n03/04/2026\t2,345\ty\n")
    assert [column.doubt for column in look(tmp_path, path="t.csv").columns] == ["order", "marks", None]
    settled = look(tmp_path, path="t.csv", day_first="yes", thousands=",")
    assert [column.type for column in settled.columns] == ["date", "int", "string"]
    assert [column.doubt for column in settled.columns] == [None, None, None]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_of_a_large_file_the_first_rows_are_told_and_all_of_them_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(preview, "SMALL_BYTES", 100)
    monkeypatch.setattr(preview, "MOST_ROWS", 50)
    text = "число;слово\n" + "".join(f"{n};слово\n" for n in range(199)) + "нет;слово\n"
    written(tmp_path, "t.csv", text.encode(encoding))
    first = look(tmp_path, path="t.csv")
    assert (first.seen, first.is_whole, first.columns[0].type) == (50, False, "int")
    whole = look(tmp_path, PreviewRequest(whole=True), path="t.csv")
    assert (whole.seen, whole.is_whole, whole.columns[0].type) == (200, True, "string")
    misfits = whole.columns[0].misfits
    assert misfits
    assert (misfits.count, misfits.row, misfits.value) == (1, 200, "нет")


def test_the_rows_of_a_preview_are_those_of_an_answer(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "when,n,x\n2026-01-31T10:00:00Z,00012,1.50\n2026-02-28T23:59:59Z,00034,-2.25\n")
    shown = look(tmp_path, path="t.csv", timezone="Asia/Almaty")
    with opened(tmp_path, path="t.csv", timezone="Asia/Almaty") as session:
        answered = read(session, session.tables()[0].name, [column.name for column in shown.columns])
    assert [[str(cell) for cell in row] for row in shown.rows] == [[str(cell) for cell in row] for row in answered]


def test_what_keeps_a_file_from_being_read_is_told_as_on_opening(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "a;b\n1;2\n")
    for settings, field, code in (
        ({"encoding": "klingon"}, "encoding", "no_such_encoding"),
        ({"header_row": "9"}, "header_row", "no_such_row"),
        ({"types": "c: int"}, "types", "line_not_understood"),
        ({"format": "xlsx"}, "path", "not_a_workbook"),
    ):
        with pytest.raises(SettingsWrong) as wrong:
            look(tmp_path, None, path="t.csv", **settings)
        assert (wrong.value.field, wrong.value.code) == (field, code)


def test_parquet_tells_its_own_types_and_takes_none(tmp_path: Path) -> None:
    duckdb.execute(f"COPY (SELECT 1 AS n, 'x' AS s) TO '{tmp_path / 't.parquet'}' (FORMAT parquet)")
    shown = look(tmp_path, path="t.parquet")
    assert (shown.types_settable, shown.header_row, types(shown)) == (False, None, [("n", "int"), ("s", "string")])


def test_a_folder_shows_one_file_at_a_time(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "n;m\n1;2\n")
    written(tmp_path, "b.csv", "s;t\nx;y\n")
    assert look(tmp_path, path=".").files == ("a", "b")
    assert types(look(tmp_path, PreviewRequest(file="b"), path="."))[0] == ("s", "string")


def test_a_type_is_chosen_for_a_column_of_one_sheet_or_with_a_line_end_in_its_name(tmp_path: Path) -> None:
    workbook(tmp_path / "t.xlsx", {"A": [["code", "x"], ["a", 1]], "B": [["sum", "y"], [5, "b"]]})
    with opened(tmp_path, path="t.xlsx", types="sum: string") as session:
        assert session.describe(session.tables()[1].name).columns[0].type == "string"
    written(tmp_path, "t.csv", '"Price\nper unit";b\n5;6\n')
    with opened(tmp_path, path="t.csv", types="Price per unit: string") as session:
        assert session.describe(session.tables()[0].name).columns[0].type == "string"


@pytest.mark.parametrize(
    ("last", "totals"),
    [
        ("Итого;4,5", 3),
        ("Grand total;4,5", 3),
        ("Totalitarianism;4,5", 0),
        ("South;4,5", 0),
        (";4,5", 0),
    ],
)
def test_a_last_row_that_sums_the_others_up_is_told(tmp_path: Path, last: str, totals: int) -> None:
    written(tmp_path, "t.csv", f"Region;Sum\nNorth;1,5\nSouth;3\n{last}\n")
    assert look(tmp_path, path="t.csv").totals == totals
