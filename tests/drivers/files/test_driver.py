"""Files: kinds, encodings, delimiters, headers, types, errors with row and column, addresses (facts/field 5.24)."""

from __future__ import annotations

import datetime as dt
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.errors import QueryRefused, SettingsWrong
from drivers.files import conversion, source
from drivers.query import Comparison, TableName, TableQuery
from egress.errors import TargetError, TargetRefused, Unreachable
from egress.policy import Policy
from tests.drivers.files.samples import opened, table_of
from tests.drivers.files.workbooks import workbook
from tests.drivers.servers import Canary, WebServer, web_server
from tests.suite.databases import read

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def test_types_are_found_by_every_value_and_zeros_at_the_front_stay(write: Write, tmp_path: Path) -> None:
    """facts/field 3 row 15: leading zeros lost."""
    write(
        "sales.csv",
        "id,article,amount,score,day,moment,flag,note\n"
        "1,007,1.50,1e3,2025-12-31,2025-12-31 23:59:59,true,a\n"
        "2,010,-0.25,.5,2026-01-01,2026-01-01T00:00,FALSE,\n"
        ',,,,,,,""\n',
    )
    types, rows = table_of(tmp_path, "sales", path="sales.csv")
    assert types == {
        "id": "int",
        "article": "string",
        "amount": "double",
        "score": "double",
        "day": "date",
        "moment": "datetime",
        "flag": "int",
        "note": "string",
    }
    assert rows == [
        [1, "007", 1.5, 1000.0, "2025-12-31", "2025-12-31 23:59:59", 1, "a"],
        [2, "010", -0.25, 0.5, "2026-01-01", "2026-01-01 00:00:00", 0, None],
        [None, None, None, None, None, None, None, ""],
    ]


def test_one_odd_value_far_below_makes_a_column_text_not_an_error(write: Write, tmp_path: Path) -> None:
    numbers = "".join(f"{number},{number}.5\n" for number in range(30_000))
    write("odd.csv", f"id,n\n{numbers}n/a,7\n")
    types, rows = table_of(tmp_path, "odd", path="odd.csv")
    assert types == {"id": "string", "n": "double"}
    assert rows[-1] == ["n/a", 7.0]
    assert len(rows) == 30_001


@pytest.mark.parametrize(("delimiter", "decimal"), [(";", ","), ("\t", "."), ("|", "."), (",", ".")])
def test_delimiters_and_decimal_commas_are_found(write: Write, tmp_path: Path, delimiter: str, decimal: str) -> None:
    lines = [["name", "price", "day"], ["Чай", f"12{decimal}50", "31.12.2025"], ["Кофе", "7", "01.01.2026"]]
    write("prices.csv", "\r\n".join(delimiter.join(line) for line in lines) + "\r\n")
    types, rows = table_of(tmp_path, "prices", path="prices.csv")
    assert types == {"name": "string", "price": "double", "day": "date"}
    assert rows == [["Чай", 12.5, "2025-12-31"], ["Кофе", 7.0, "2026-01-01"]]


def test_exact_decimals_keep_all_digits(write: Write, tmp_path: Path) -> None:
    write("exact.csv", "n,m\n123456789012345678.123456789012345678,1\n0.000000000000000001,2\n")
    with opened(tmp_path, path="exact.csv") as session:
        text = b"".join(chunk.data for chunk in session.rows(TableQuery(TableName("", "exact"), ("n",))))
    assert b"123456789012345678.123456789012345678" in text
    assert b"0.000000000000000001" in text


@pytest.mark.parametrize(
    ("values", "portal", "shown"),
    [
        (["31/12/2025", "01/02/2025"], "date", ["2025-12-31", "2025-02-01"]),
        (["12/31/2025", "01/02/2025"], "date", ["2025-12-31", "2025-01-02"]),
        (["01/02/2025", "03/04/2025"], "string", ["01/02/2025", "03/04/2025"]),
        (["31.12.2025 23:59", "01.01.2026 00:00:01"], "datetime", ["2025-12-31 23:59:00", "2026-01-01 00:00:01"]),
        (["2025-12-31 23:00:00Z", "2025-06-30T22:00+02"], "datetime", ["2026-01-01 00:00:00", "2025-06-30 22:00:00"]),
        (["2025-02-30", "2025-02-28"], "string", ["2025-02-30", "2025-02-28"]),
        (["1,5", "2.5"], "string", ["1,5", "2.5"]),
        (["+7 999 123", "1"], "string", ["+7 999 123", "1"]),
        (["99999999999999999999", "1"], "string", ["99999999999999999999", "1"]),
    ],
)  # fmt: skip
def test_a_column_has_a_type_only_if_it_cannot_be_mistaken(
    write: Write, tmp_path: Path, values: list[str], portal: str, shown: list[Any]
) -> None:
    write("t.csv", "v;n\n" + "".join(f"{value};1\n" for value in values))
    types, rows = table_of(tmp_path, "t", path="t.csv", timezone="Europe/Berlin")
    assert types["v"] == portal
    assert [row[0] for row in rows] == shown


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1251", "koi8-r", "latin-1"])
def test_encodings_are_found_or_said(write: Write, tmp_path: Path, encoding: str) -> None:
    word = "Größe" if encoding == "latin-1" else "Сделка с клиентом и договором поставки"
    write("letters.csv", f"id,name\n1,{word}\n2,{word}\n".encode(encoding))
    given = {"encoding": encoding} if encoding in ("utf-16-le", "latin-1", "koi8-r") else {}
    types, rows = table_of(tmp_path, "letters", path="letters.csv", **given)
    assert types == {"id": "int", "name": "string"}
    assert rows == [[1, word], [2, word]]


def test_an_encoding_that_does_not_fit_is_said_with_its_place(write: Write, tmp_path: Path) -> None:
    write("letters.csv", b"id,name\n1,\xff\xfe\xfa\n")
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="letters.csv", encoding="utf-8-sig")
    assert (wrong.value.field, wrong.value.code) == ("encoding", "does_not_fit")
    assert "position" in wrong.value.detail
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="letters.csv", encoding="klingon")
    assert wrong.value.code == "no_such_encoding"


@pytest.mark.parametrize(
    ("header", "names", "count"), [("auto", ["city", "country"], 2), ("yes", ["city", "country"], 2), ("no", None, 3)]
)
def test_a_header_above_texts_is_found_and_can_be_denied(
    write: Write, tmp_path: Path, header: str, names: list[str] | None, count: int
) -> None:
    write("cities.csv", "city,country\nRiga,LV\nOslo,NO\n")
    types, rows = table_of(tmp_path, "cities", path="cities.csv", header=header)
    assert names is None or list(types) == names
    assert len(rows) == count


def test_types_can_be_chosen(write: Write, tmp_path: Path) -> None:
    write("t.csv", "zip,n,d\n12345,1,01/02/2025\n54321,2,31/01/2025\n")
    types, rows = table_of(tmp_path, "t", path="t.csv", types="zip: string\nn: double\n")
    assert types == {"zip": "string", "n": "double", "d": "date"}
    assert rows[0][:2] == ["12345", 1]


def test_a_chosen_type_that_does_not_fit_names_row_and_column(write: Write, tmp_path: Path) -> None:
    """facts/field 5.24: first errors with row and column."""
    write(
        "t.csv",
        "id,n\n" + "".join(f"{row},{'x' + str(row) if row in (3, 7000, 9000) else row}\n" for row in range(1, 9999)),
    )
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="t.csv", types="n: int")
    assert (wrong.value.field, wrong.value.code) == ("types", "value_type")
    assert wrong.value.detail.splitlines() == [
        "row 3, column n: 'x3' is no int",
        "row 7000, column n: 'x7000' is no int",
        "row 9000, column n: 'x9000' is no int",
    ]
    for line in ("nothing", "n: money", "unknown: int"):
        with pytest.raises(SettingsWrong) as wrong:
            opened(tmp_path, path="t.csv", types=line)
        assert wrong.value.code == "line_not_understood"


def test_a_row_with_too_many_cells_is_an_error_with_its_line(write: Write, tmp_path: Path) -> None:
    write("t.csv", "a,b\n" + "1,2\n" * 30_000 + "1,2,3,4\n")
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="t.csv")
    assert (wrong.value.field, wrong.value.code) == ("path", "file_structure")
    assert "30002" in wrong.value.detail


def test_quotes_line_breaks_and_delimiters_inside_cells_survive(write: Write, tmp_path: Path) -> None:
    cells = ['say "hi"', "a,b;c\td", "two\nlines", "back\\slash", " padded ", "'single'", "😀", "100%"]
    content = "id,text\n" + "".join(
        f'{number},"{cell.replace(chr(34), chr(34) * 2)}"\n' for number, cell in enumerate(cells)
    )
    write("t.csv", content)
    _, rows = table_of(tmp_path, "t", path="t.csv")
    assert rows == [[number, cell] for number, cell in enumerate(cells)]


def test_a_changed_file_is_read_anew(write: Write, tmp_path: Path) -> None:
    path = write("t.csv", "a,b\n1,2\n")
    assert table_of(tmp_path, "t", path="t.csv")[1] == [[1, 2]]
    write("t.csv", "a,b\nx,2\n")
    os.utime(path, ns=(1, 1))
    assert table_of(tmp_path, "t", path="t.csv") == ({"a": "string", "b": "int"}, [["x", 2]])


def test_tsv_json_lines_and_parquet(write: Write, tmp_path: Path) -> None:
    write("t.tsv", "a\tb\n1\tx, y\n")
    assert table_of(tmp_path, "t", path="t.tsv")[1] == [[1, "x, y"]]
    lines = [
        {"id": 9007199254740993, "name": "я", "day": "2025-12-31", "tags": ["a", 'b"'], "deep": {"k": None}},
        {"id": 2, "name": None, "day": "2026-01-01", "tags": None, "deep": None},
    ]
    write("j.jsonl", "\n".join(json.dumps(line) for line in lines))
    types, rows = table_of(tmp_path, "j", path="j.jsonl")
    assert types == {"id": "int", "name": "string", "day": "date", "tags": "string", "deep": "string"}
    assert rows[0] == [9007199254740993, "я", "2025-12-31", '["a","b\\""]', '{"k":null}']
    assert rows[1] == [2, None, "2026-01-01", None, None]
    duckdb.execute(
        "COPY (SELECT 12345678901234567890.12::DECIMAL(38,2) AS d, 'NaN'::DOUBLE AS nan, 'infinity'::DATE AS inf, "
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID AS u, [1, NULL] AS l, {'a': 1} AS s, '\\x00\\xFF'::BLOB AS b, "
        "TIME '10:11:12' AS t, INTERVAL 1 DAY AS i, 18446744073709551615::UBIGINT AS big, TIMESTAMPTZ "
        "'2025-12-31 23:00:00+00' AS z, TIMESTAMP '1883-11-18 12:00:00' AS old, 1.5::FLOAT AS f, true AS y) "
        f"TO '{tmp_path}/p.parquet'"
    )
    types, rows = table_of(tmp_path, "p", path="p.parquet", timezone="Europe/Berlin")
    assert dict(zip(types, rows[0], strict=True)) == {
        "d": 12345678901234567890.12, "nan": None, "inf": None, "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "l": "[1,null]", "s": '{"a":1}', "b": "00ff", "t": "10:11:12", "i": "P1D", "big": 18446744073709551615,
        "z": "2026-01-01 00:00:00", "old": None, "f": 1.5, "y": 1,
    }  # fmt: skip


def test_each_sheet_of_a_workbook_is_a_table(tmp_path: Path) -> None:
    moment = dt.datetime(2025, 12, 31, 23, 59, 58)  # noqa: DTZ001 - cells know no zones
    workbook(
        tmp_path / "book.xlsx",
        {
            "Продажи": [
                ["Товар", "Цена", "Дата", "Время", "Есть", "Код"],
                ["Чай", 12.5, dt.date(2025, 12, 31), moment, True, "007"],
                ["Кофе", 7, dt.date(2026, 1, 1), moment, False, "010"],
                [None, None, None, None, None, None],
            ],
            "Empty": [],
            "Second": [["a", "b"], [1, "x"]],
        },
    )
    with opened(tmp_path, path="book.xlsx") as session:
        assert [table.name.name for table in session.tables()] == ["Second", "Продажи"]
    types, rows = table_of(tmp_path, "Продажи", path="book.xlsx")
    assert list(types.values()) == ["string", "double", "date", "datetime", "int", "string"]
    assert rows == [
        ["Чай", 12.5, "2025-12-31", "2025-12-31 23:59:58", 1, "007"],
        ["Кофе", 7.0, "2026-01-01", "2025-12-31 23:59:58", 0, "010"],
    ]
    with opened(tmp_path, path="book.xlsx", sheet="Second") as session:
        assert [table.name.name for table in session.tables()] == ["Second"]
        assert read(session, TableName("", "Second"), ["b"], Comparison("a", "=", 1)) == [["x"]]
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="book.xlsx", sheet="Third")
    assert (wrong.value.field, wrong.value.code) == ("sheet", "no_such_sheet")


def test_a_workbook_that_unpacks_without_end_or_is_none_is_refused(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("fake.xlsx", "PK\x03\x04 no workbook")
    with zipfile.ZipFile(tmp_path / "zip.xlsx", "w") as archive:
        archive.writestr("a.txt", "x")
    for name in ("fake.xlsx", "zip.xlsx"):
        with pytest.raises(SettingsWrong) as wrong:
            opened(tmp_path, path=name)
        assert wrong.value.code == "not_a_workbook"
    monkeypatch.setattr(conversion, "MOST_UNPACKED_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * 20_000)
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="bomb.xlsx")
    assert wrong.value.code == "too_big"


def test_local_paths_stay_below_the_operators_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "open", tmp_path / "closed"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.csv").write_text("a,b\n1,2\n")
    (inside / "link.csv").symlink_to(outside / "secret.csv")
    for path in ("../closed/secret.csv", "link.csv", str(outside / "secret.csv"), "/etc/passwd", "../nothing", "/"):
        for driver in ("file", "sqlite"):
            with pytest.raises(SettingsWrong) as wrong:
                DRIVERS[driver].open({"path": path}, Guards(Policy(), local_files=inside))
            assert (wrong.value.field, wrong.value.code) == ("path", "outside_folder")
    for path in ("nothing.csv", "a\0b", "x" * 5000):
        with pytest.raises(SettingsWrong) as wrong:
            opened(inside, path=path)
        assert wrong.value.code in ("not_found", "not_readable")
    for driver in ("file", "sqlite"):
        with pytest.raises(SettingsWrong) as wrong:
            DRIVERS[driver].open({"path": "link.csv"}, Guards(Policy()))
        assert wrong.value.code == "local_files_off"


def test_the_name_of_a_file_is_no_pattern_for_others(write: Write, tmp_path: Path) -> None:
    write("a*.csv", "id,n\n1,2\n")
    write("abc.csv", "id,n\n3,4\n")
    assert table_of(tmp_path, "a*", path="a*.csv")[1] == [[1, 2]]


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_a_file_without_content_is_an_error_not_an_empty_table(write: Write, tmp_path: Path, content: str) -> None:
    write("empty.csv", content)
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="empty.csv")
    assert wrong.value.code == "empty_file"


def test_either_a_path_or_an_address_is_needed(tmp_path: Path) -> None:
    both = {"path": "a.csv", "url": "https://example.com/a.csv"}
    for given, code in (({}, "path_or_url"), (both, "path_and_url")):
        with pytest.raises(SettingsWrong) as wrong:
            opened(tmp_path, **given)
        assert wrong.value.code == code


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    files = {"/sales%20report.csv": b"id,name\n1,x\n", "/cut.csv": b"id,name\n1,x\n"}
    with web_server("files.example.com", files=files) as server:
        yield server


def fetched(web: WebServer, path: str, **policy: Any) -> Session:
    guards = Guards(
        Policy(**{"allow": [f"127.0.0.1:{web.https_port}"], "lookup": lambda host, port: ["127.0.0.1"], **policy})
    )
    address = f"https://files.example.com:{web.https_port}{path}"
    return DRIVERS["file"].open({"url": address, "ca": Path(web.ca_file).read_text()}, guards)


def test_a_file_at_an_https_address_is_read_and_kept_for_a_while(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fetched(web, "/sales%20report.csv") as session:
        assert [table.name.name for table in session.tables()] == ["sales report"]
        assert read(session, TableName("", "sales report"), ["id", "name"]) == [[1, "x"]]
    before = len(web.asked)
    with fetched(web, "/sales%20report.csv") as session:
        session.check()
    assert len(web.asked) == before
    monkeypatch.setattr(source, "FRESH_SECONDS", -1.0)
    with fetched(web, "/sales%20report.csv") as session:
        session.check()
    assert len(web.asked) == before + 1


def test_addresses_are_guarded_like_every_other_target(web: WebServer) -> None:
    with Canary(["127.0.0.1"]) as canary:
        with pytest.raises(TargetRefused):
            fetched(web, "/guarded.csv", allow=[])
        with pytest.raises(TargetRefused):
            fetched(web, f"/to/https://127.0.0.1:{canary.port}/a.csv")
        with pytest.raises(TargetRefused):
            fetched(web, f"/to/http://127.0.0.1:{canary.port}/a.csv", allow=[f"127.0.0.1:{web.https_port}"])
        assert canary.connections == 0
    for address, code in (
        ("http://files.example.com/a.csv", "https_only"),
        ("file:///etc/passwd", "https_only"),
        ("ftp://files.example.com/a.csv", "https_only"),
    ):
        with pytest.raises(SettingsWrong) as wrong:
            DRIVERS["file"].open({"url": address}, Guards(Policy()))
        assert (wrong.value.field, wrong.value.code) == ("url", code)


def test_an_address_without_a_file_is_the_settings_fault(web: WebServer) -> None:
    with pytest.raises(SettingsWrong) as wrong:
        fetched(web, "/nothing-here.csv")
    assert (wrong.value.field, wrong.value.code) == ("url", "no_file_there")
    with pytest.raises(Unreachable):
        fetched(web, "/x.csv", lookup=lambda host, port: [])


def test_a_file_that_grew_too_big_is_refused(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_BYTES", 5)
    with pytest.raises(TargetError) as problem:
        fetched(web, "/cut.csv")
    assert problem.value.code == "bytes"


def test_an_unknown_table_of_a_file_is_refused(write: Write, tmp_path: Path) -> None:
    write("t.csv", "a,b\n1,2\n")
    with opened(tmp_path, path="t.csv") as session, pytest.raises(QueryRefused):
        session.describe(TableName("", "duckdb_settings"))
