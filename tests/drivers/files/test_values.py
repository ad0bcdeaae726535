"""Values of files: digits of CSV, values of JSON, and errors of cells."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.errors import SettingsWrong
from drivers.files import column_types
from drivers.files.layout import Layout
from drivers.query import Comparison
from tests.drivers.files.samples import opened, sent, table_of, written
from tests.drivers.files.workbooks import workbook


@pytest.mark.parametrize(
    ("values", "portal", "shown"),
    [
        (["9223372036854775807", "-9223372036854775808"], "int", "9223372036854775807"),
        (["9223372036854775808", "1"], "string", '"9223372036854775808"'),
        (["1.5e400", "1e5"], "string", '"1.5e400"'),
        (["1.5e-400", "1e5"], "string", '"1.5e-400"'),
        (["0.1234567890123456789012", "1e5"], "string", '"0.1234567890123456789012"'),
        (["12345678901234567.12345678901234567890", "1"], "string", '"12345678901234567.12345678901234567890"'),
        (["1.234567890123456e-05", "0.000", "2500000000000000000000"], "double", "0.00001234567890123456"),
    ],
)
def test_a_number_of_csv_keeps_every_digit_or_its_column_is_text(
    tmp_path: Path, values: list[str], portal: str, shown: str
) -> None:
    """facts/field 5.26: 64-bit integers exact; no value becomes null because its type cannot hold it."""
    written(tmp_path, "t.csv", "v;n\n" + "".join(f"{value};1\n" for value in values))
    assert table_of(tmp_path, "t", path="t.csv")[0]["v"] == portal
    assert sent(tmp_path, "t", ("v",), path="t.csv").split("\n")[0] == f"[{shown}],"


def test_columns_that_the_reader_parses_are_sent_as_those_that_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """facts/performance 2: a faster path gives byte for byte what the general one gives."""
    rows = [
        ["0", "-0", "0.00", "0001-01-01", "-9223372036854775808", '""', "2024-02-29"],
        ["-1", '"7"', "-99999999999999999.999", "9999-12-31", "9223372036854775807", "2", '""'],
        ["", "", "", "", "", "", ""],
        ['"12"', "1000000", '"12345678901234567.1"', '"1969-12-31"', "-1", "3", "2025-01-01"],
        ["42", "5", "-0.5", "2000-02-29", "0", "4", "1883-11-18"],
    ]
    lines = ["a,b,c,d,e,f,g", *map(",".join, rows * 3000)]
    written(tmp_path, "t.csv", "\r\n".join(lines))
    names = ("a", "b", "c", "d", "e", "f", "g")
    seen = []
    source = Layout.source

    def noted(self: Layout, path: Path, types: Mapping[str, str] | None = None) -> str:
        seen.append(types)
        return source(self, path, types)

    monkeypatch.setattr(Layout, "source", noted)
    parsed = sent(tmp_path, "t", names, path="t.csv")
    assert seen[-1] == {
        "a": "BIGINT", "b": "BIGINT", "c": "DECIMAL(21, 3)", "d": "DATE", "e": "BIGINT", "f": "VARCHAR",
        "g": "VARCHAR",
    }  # fmt: skip
    where = Comparison("c", "<", Decimal("-0.5"))
    found = sent(tmp_path, "t", names, where, path="t.csv")
    monkeypatch.setattr(column_types, "_PARSED", {})
    written(tmp_path, "t.csv", "\r\n".join(lines))
    assert sent(tmp_path, "t", names, path="t.csv") == parsed
    assert sent(tmp_path, "t", names, where, path="t.csv") == found
    assert parsed.startswith(
        '[0,0,0.000,"0001-01-01",-9223372036854775808,null,"2024-02-29"],\n'
        '[-1,7,-99999999999999999.999,"9999-12-31",9223372036854775807,2,null],\n'
        "[null,null,null,null,null,null,null],\n"
    )
    assert seen[-1] == dict.fromkeys(names, "VARCHAR")


def test_numbers_of_json_keep_every_digit_as_those_of_csv_do(tmp_path: Path) -> None:
    """facts/field 5.26: the same value always gets the same JSON, whichever way it was read."""
    written(tmp_path, "j.jsonl", '{"v": 12345678901234567.89, "i": 9007199254740993}\n{"v": 0.1, "i": -1}\n')
    written(tmp_path, "c.csv", "v,i\n12345678901234567.89,9007199254740993\n0.1,-1\n")
    text = sent(tmp_path, "j", ("v", "i"), path="j.jsonl")
    assert text == "[12345678901234567.89,9007199254740993],\n[0.10,-1]"
    assert text == sent(tmp_path, "c", ("v", "i"), path="c.csv")
    where = Comparison("v", "=", Decimal("12345678901234567.88"))
    assert sent(tmp_path, "j", ("i",), where, path="j.jsonl") == ""
    written(tmp_path, "b.jsonl", '{"v": 12345678901234567890123}\n{"v": 1e400}\n{"v": 1}\n')
    assert sent(tmp_path, "b", ("v",), path="b.jsonl") == '["12345678901234567890123"],\n["1e400"],\n["1"]'


def test_values_of_json_keep_their_kind(tmp_path: Path) -> None:
    lines = [
        {"code": "007", "digits": "12", "empty": "", "flag": True, "day": "2025-12-31", "mixed": 1,
         "deep": {"a": [1, "я"]}},
        {"code": "8", "digits": "13", "empty": None, "flag": False, "day": "2026-01-01", "mixed": "x",
         "late": "\ud800"},
        {"code": None, "mixed": True, "deep": [1.50], "day": None},
    ]  # fmt: skip
    text = "\n\n".join(json.dumps(line) for line in lines)
    written(tmp_path, "j.json", text.replace("1.5]", "1.50]"))
    types, rows = table_of(tmp_path, "j", path="j.json")
    assert types == {
        "code": "string", "digits": "string", "empty": "string", "flag": "int", "day": "date", "mixed": "string",
        "deep": "string", "late": "string",
    }  # fmt: skip
    assert rows == [
        ["007", "12", "", 1, "2025-12-31", "1", '{"a":[1,"я"]}', None],
        ["8", "13", None, 0, "2026-01-01", "x", None, "\ufffd"],
        [None, None, None, None, None, "true", "[1.50]", None],
    ]
    assert table_of(tmp_path, "j", path="j.json", types="digits: int")[0]["digits"] == "int"


def test_a_list_of_objects_is_a_table(tmp_path: Path) -> None:
    text = json.dumps([{"id": number, "t": "x" * 500} for number in range(9000)], indent=1)
    written(tmp_path, "j.json", "\ufeff " + text)
    types, rows = table_of(tmp_path, "j", path="j.json")
    assert types == {"id": "int", "t": "string"}
    assert rows == [[number, "x" * 500] for number in range(9000)]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ('{"id":1}\n{"id":2}\n{broken\n{"id":4}\n[5]\n', ["row 3: no JSON", "row 5: no object"]),
        ('{"id":1}\n{"id":2', ["row 2: no JSON"]),
        ("1\n2\n", ["row 1: no object", "row 2: no object"]),
        ('[{"id":1},{"id":2}', ["row 2: ] is missing"]),
        ('[{"id":1},{"id":]', ["row 2: no JSON"]),
        ('[{"id":1},2]', ["row 2: no object"]),
        ('[{"id":1}] {"id":2}', ["row 1: something stands behind"]),
        ("[" * 50_000, ["row 1: no object"]),
        ('{"a":' + "[" * 50_000, ["row 1: no JSON"]),
    ],
)
def test_json_that_is_no_table_is_told_with_its_row(tmp_path: Path, content: str, detail: list[str]) -> None:
    written(tmp_path, "j.json", content)
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="j.json")
    assert (wrong.value.field, wrong.value.code) == ("path", "file_structure")
    assert [line[: len(said)] for line, said in zip(wrong.value.detail.splitlines(), detail, strict=True)] == detail


def test_a_cell_with_an_error_is_no_value(tmp_path: Path) -> None:
    """docs/user/drivers.md, "What differs": #DIV/0! beside numbers leaves the column one of numbers."""
    workbook(tmp_path / "plain.xlsx", {"S": [["d", "e"], ["a", 1], ["b", 2]]})
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as plain, zipfile.ZipFile(tmp_path / "err.xlsx", "w") as target:
        for name in plain.namelist():
            text = plain.read(name).decode()
            target.writestr(name, text.replace("<c><v>2</v></c>", '<c t="e"><f>1/0</f><v>#DIV/0!</v></c>'))
    assert table_of(tmp_path, "S", path="err.xlsx") == ({"d": "string", "e": "int"}, [["a", 1], ["b", None]])


@pytest.mark.parametrize(
    ("lines", "settings", "portal"),
    [
        # Accounts of 1C stand beside amounts with a comma: 10.1 is another account than 10.10.
        (["v;sum", "60.01;1,50", "10.10;2,25", "41.02;3,75"], {}, "string"),
        (["v;sum", "60.01;1,50", "10.10;2,25", "41.02;3,75"], {"types": "v: double"}, "double"),
        # Two of them differ by a zero alone: as numbers they would be one.
        (["v;n", "60.1;1", "60.10;2", "60.2;3"], {}, "string"),
        (["v;n", "1.9;1", "1.10;2", "1.1;3"], {}, "string"),
        (["v;n", "60.1;1", "60.10;2", "60.2;3"], {"decimal": "."}, "double"),
        # Amounts are numbers, with as many decimals each or with fewer.
        (["v;n", "10.50;1", "10.25;2", "7.00;3"], {}, "double"),
        (["v;n", "10.5;1", "10.25;2", "7;3"], {}, "double"),
        (["v;sum", "10,50;1,50", "10,25;2,25", "7,00;3,75"], {}, "double"),
    ],
)
def test_codes_with_a_point_are_no_numbers(
    tmp_path: Path, lines: list[str], settings: dict[str, str], portal: str
) -> None:
    written(tmp_path, "t.csv", "\n".join(lines) + "\n")
    assert table_of(tmp_path, "t", path="t.csv", **settings)[0]["v"] == portal
