"""Files as people have them: each case of `files/` is read by the driver and filtered as portals filter.

A case is a folder: the file, and `case.json` with `settings` of the driver, what to `expect` (`types` and `names` of
the columns, `rows`, or `count` and `last`, or `error`: a word of the refusal's reason) and `filters` (`col` is the
number of a column, `rows` the numbers of the rows that have to come; of a case with a `count` only the first ones are
named). Its `sources` are the public reports behind it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Description, Session
from drivers.errors import SettingsWrong
from drivers.query import Condition, TableQuery
from gateway.filters import read_filter
from services.contract.names import PublishedColumns, table_code
from tests.drivers.files.samples import opened

FOLDER = Path(__file__).parent / "files"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/case.json"))


def case_of(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / name / "case.json").read_text(), parse_float=Decimal))


READ = [name for name in CASES if "expect" in case_of(name)]


def rows_of(session: Session, description: Description, where: Condition | None = None) -> list[list[Any]]:
    names = tuple(column.name for column in description.columns)
    text = b",".join(chunk.data for chunk in session.rows(TableQuery(description.table, names, where), description))
    return list(json.loads(b"[" + text + b"]", parse_float=Decimal))


def published(description: Description) -> PublishedColumns:
    return PublishedColumns([(column.name, column.type) for column in description.columns])


def condition_of(columns: PublishedColumns, asked: Mapping[str, Any]) -> Condition | None:
    """The condition that a portal's form means: lists have numbered keys there, and all values are texts."""
    value = asked["value"]
    tree = {str(number): item for number, item in enumerate(value)} if isinstance(value, list) else value
    return read_filter({asked["op"] + columns.all[asked["col"]].code: tree}, columns.resolve, "ru")


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_as_it_is_meant(name: str) -> None:
    case = case_of(name)
    expected = case["expect"]
    settings = {"path": case["file"], **case["settings"]}
    if "error" in expected:
        with pytest.raises(SettingsWrong) as refused:
            opened(FOLDER / name, **settings)
        assert expected["error"].lower() in f"{refused.value.code} {refused.value.detail}".lower()
        return
    with opened(FOLDER / name, **settings) as session:
        tables = session.tables()
        assert [table_code(table) for table in tables] == expected.get("tables", [table_code(tables[0])])
        description = session.describe(tables[0].name)
        columns = published(description)
        assert [column.type for column in columns.all] == expected.get("types", [c.type for c in columns.all])
        assert [column.name for column in columns.all] == expected.get("names", [c.name for c in columns.all])
        rows = rows_of(session, description)
        assert rows == expected.get("rows", rows)
        assert len(rows) == expected.get("count", len(rows))
        assert rows[-1:] == ([expected["last"]] if "last" in expected else rows[-1:])
        for asked in case["filters"]:
            found = rows_of(session, description, condition_of(columns, asked))
            named = [rows[number] for number in asked["rows"]]
            assert (found[: len(named)] if "count" in expected else found) == named, asked
