"""Tables in JSON in all the shapes that programs give them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.files.samples import assert_table, assert_wrong, table_of, written


@pytest.mark.parametrize(
    ("content", "settings", "types", "rows", "names"),
    [
        ('{"a":1}\n{"a":2} {"a":3}\n', {'name': 't.json'}, ['int'], [[1], [2], [3]], None),
        ('{\n "a":1\n}\n{\n "a":2\n}\n', {'name': 't.json'}, ['int'], [[1], [2]], None),
        ('[["id","d"],[1,"2026-01-02"],[2,null]]', {'name': 't.json'}, ['int', 'date'],
         [[1, '2026-01-02'], [2, None]], ['id', 'd']),
        ('[[1,"a"],[2,"b"]]', {'name': 't.json'}, ['int', 'string'], [[1, 'a'], [2, 'b']], None),
        ('{"data":{"items":[{"id":1},{"id":2}],"total":2}}', {'name': 't.json'}, ['int'], [[1], [2]], None),
        ('{"result":[{"ID":"1","N":5}],"next":50,"total":1,"time":{"start":1.5}}', {'name': 't.json'},
         ['string', 'int'], [['1', 5]], None),
        ('{\n  "items": [\n    {"id": 1, "n": "a"},\n    {"id": 2, "n": "b"}\n  ]\n}\n', {'name': 't.json'},
         ['int', 'string'], [[1, 'a'], [2, 'b']], None),
        ('{"columns":["id","n"],"rows":[[1,"a"],[2,"b"]]}', {'name': 't.json'}, ['int', 'string'],
         [[1, 'a'], [2, 'b']], ['id', 'n']),
        ('{"meta":[{"name":"id"},{"name":"n"}],"data":[{"id":1,"n":"a"}]}', {'name': 't.json'}, ['int', 'string'],
         [[1, 'a']], ['id', 'n']),
        ('{"data":{"rows":[[1,"a"]],"cols":[{"name":"id"},{"name":"n"}]}}', {'name': 't.json'}, ['int', 'string'],
         [[1, 'a']], ['id', 'n']),
        ('[{"id": 1, "n": "a"}]', {'name': 't.txt'}, ['int', 'string'], [[1, 'a']], ['id', 'n']),
        ('{"id":1,"n":"a"}\n{"id":2,"n":"b"}\n', {'name': 't.txt'}, ['int', 'string'], [[1, 'a'], [2, 'b']], None),
        ('{x};b\n1;2\n', {'name': 't.txt'}, ['int', 'int'], [[1, 2]], ['{x}', 'b']),
        ('{"values":[["id","n"],[1,"a"]]}', {'name': 't.json'}, ['int', 'string'], [[1, 'a']], None),
        ('{"items":[{"x":1}],"errors":[]}', {'name': 't.json'}, ['int'], [[1]], None),
        ('{"id":1,"tags":["a","b"]}', {'name': 't.json'}, ['int', 'string'], [[1, '["a","b"]']], None),
        ('{"id":1,"o":{"x":2}}', {'name': 't.json'}, ['int', 'string'], [[1, '{"x":2}']], None),
        ('["id","n"]\n[1,"a"]\n[2,"b"]\n', {'name': 't.jsonl'}, ['int', 'string'], [[1, 'a'], [2, 'b']], None),
        ('[{"a":1,"d":"2026-01-01"},{"a":"N/A","d":"-"},{"a":"NULL","d":"0000-00-00"}]', {'name': 't.json'},
         ['int', 'date'], [[1, '2026-01-01'], [None, None], [None, None]], None),
        ('[{"d":"31.12.2026"},{"d":"01.01.2026"}]', {'name': 't.json'}, ['date'], [['2026-12-31'], ['2026-01-01']],
         None),
        ('[{"d":"1 234,50"},{"d":"5%"}]', {'name': 't.json'}, ['string'], None, None),
        ('[{"d":"1 234,50"},{"d":"5"}]', {'types': 'd: double', 'name': 't.json'}, ['double'], [[1234.5], [5]], None),
        ('[{"d":"01/02/2026"}]', {'day_first': 'yes', 'name': 't.json'}, ['date'], [['2026-02-01']], None),
        ('[{"d":"01/02/2026"}]', {'day_first': 'no', 'name': 't.json'}, ['date'], [['2026-01-02']], None),
        ('[{"x":1.234,"y":5}]', {'decimal': ',', 'name': 't.json'}, ['double', 'int'], [[1.234, 5]], None),
        ('[{"x":1},{"x":""}]', {'name': 't.json'}, ['int'], [[1], [None]], None),
        ('[{"x":1e5},{"x":2E3}]', {'name': 't.json'}, ['double'], [[100000.0], [2000.0]], None),
        (b'[{"x":"\xcf\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0"}]', {'name': 't.json'}, ['string'], [['Привет мир']], None),
        ('[{"a":{"b":"x\\r\\ny"}}]', {'name': 't.json'}, ['string'], [['{"b":"x\\r\\ny"}']], None),
        ('{"items":[]}', {'name': 't.json'}, ['string'], [['[]']], None),
        ('[{"x":123456789012345678901234567890}]', {'name': 't.json'}, ['string'], None, None),
        ('[{"a":1,"a":2}]', {'name': 't.json'}, ['int'], [[2]], None),
        ('[{"a":null},{"a":null}]', {'name': 't.json'}, ['string'], [[None], [None]], None),
        ('[["id","n"]]', {'name': 't.json'}, None, [], ['id', 'n']),
    ],
)  # fmt: skip
def test_rows_are_found_wherever_json_holds_them(
    tmp_path: Path,
    content: str | bytes,
    settings: Mapping[str, str],
    types: list[str] | None,
    rows: list[list[Any]] | None,
    names: list[str] | None,
) -> None:
    """Objects or lists, in lists, lines, or within an object."""
    assert_table(tmp_path, content, settings, types, rows, names)


@pytest.mark.parametrize(
    ("content", "settings", "told"),
    [
        ('[["id","n"],[1,2],[3]]', {'name': 't.json'}, 'row 3: 1 cells'),
        ('{"a":[{"x":1}],"b":[{"y":1}]}', {'name': 't.json'}, 'several'),
        ('{"a":1', {'name': 't.json'}, 'no JSON'),
        ('[1,2]', {'name': 't.json'}, 'no object'),
    ],
)  # fmt: skip
def test_json_without_one_table_is_told(
    tmp_path: Path, content: str | bytes, settings: Mapping[str, str], told: str
) -> None:
    assert_wrong(tmp_path, content, settings, told)


@pytest.mark.parametrize("around", ['{{"n": 1, "items": [{}], "end": 12345}}', '{{"r": {{"items": [{}]}}}}', "[{}]"])
def test_a_list_that_no_memory_holds_is_read_row_by_row(tmp_path: Path, around: str) -> None:
    rows = ",".join(f'{{"id":{number},"t":"{"x" * 100}"}}' for number in range(60_000))
    written(tmp_path, "t.json", around.format(rows))
    types, found = table_of(tmp_path, "t", path="t.json")
    assert (list(types), len(found), found[-1][0]) == (["id", "t"], 60_000, 59_999)


def test_a_description_of_columns_names_more_rows_than_memory_holds(tmp_path: Path) -> None:
    """As ClickHouse answers in its format JSONCompact; whatever else stands beside the rows is a second table."""
    rows = ",\n".join(f'[{number}, "{"x" * 60}"]' for number in range(70_000))
    text = '{"meta": [{"name": "id"}, {"name": "t"}], "data": [' + rows + "]}"
    written(tmp_path, "t.json", text)
    types, read = table_of(tmp_path, "t", path="t.json")
    assert (types, len(read), read[-1]) == ({"id": "int", "t": "string"}, 70_000, [69_999, "x" * 60])
    assert_wrong(tmp_path, text.replace('{"name": "t"}', '{"x": "t"}'), {"name": "u.json"}, "several lists")
