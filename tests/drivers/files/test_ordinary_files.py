"""Files as they come from banks, accounting, databases and people, each small enough to be seen at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.files.samples import assert_table, assert_wrong


@pytest.mark.parametrize(
    ("content", "settings", "types", "rows", "names"),
    [
        ('d;n\n2026-1-5;1\n2026-12-31;2\n', {}, ['date', 'int'], [['2026-01-05', 1], ['2026-12-31', 2]], None),
        ('d;n\n2026-1-5 9:05;1\n2026-12-31 10:00:01;2\n', {}, ['datetime', 'int'],
         [['2026-01-05 09:05:00', 1], ['2026-12-31 10:00:01', 2]], None),
        ('d;n\n31/12/2025 1:05 p.m.;1\n01/01/2026 12:00 a.m.;2\n', {}, ['datetime', 'int'],
         [['2025-12-31 13:05:00', 1], ['2026-01-01 00:00:00', 2]], None),
        ('d;n\n12/31/2025 1:05PM;1\n', {}, ['datetime', 'int'], [['2025-12-31 13:05:00', 1]], None),
        ('d;n\n31.12.2025;1\n2025-12-31;2\n', {}, ['string', 'int'], None, None),
        ('a;b\nx;-\ny;-\n', {}, ['string', 'string'], None, None),
        ('"a";"b"\n"1";"2,5"\n"3";"4,5"\n', {}, ['int', 'double'], [[1, 2.5], [3, 4.5]], None),
        ('a,b\n"NULL",1\n"5",2\n', {}, ['int', 'int'], [[None, 1], [5, 2]], None),
        ('a;b\n-0;1\n5;2\n', {}, ['int', 'int'], [[0, 1], [5, 2]], None),
        ('n;q\nA;1 234\nB;56,5\n', {}, ['string', 'double'], [['A', 1234], ['B', 56.5]], None),
        ('n;q\nA;1,234,567.89\nB;0.5\n', {}, ['string', 'double'], [['A', 1234567.89], ['B', 0.5]], None),
        ("n;q\nA;CHF 1'234.50\nB;CHF 5.00\n", {}, ['string', 'double'], [['A', 1234.5], ['B', 5]], None),
        ('n;q\nA;1 500 ₸\nB;20 ₸\n', {}, ['string', 'double'], [['A', 1500], ['B', 20]], None),
        ('n;q\nA;5 шт\nB;7 шт\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;1.01\nB;1.10\n', {}, ['string', 'double'], None, None),
        ('k;n\n62.01.1;a\n01.11.2;b\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;123-456-789 00\n', {}, ['string', 'string'], None, None),
        ('a;\nb;\nc;d\n', {'header': 'no'}, ['string', 'string'], [['a', None], ['b', None], ['c', 'd']], None),
        ('x;y\na;b\n', {'header': 'yes'}, ['string', 'string'], [['a', 'b']], None),
        ('Дата;Сумма\n01.12.2026;5\n', {}, ['date', 'int'], [['2026-12-01', 5]], None),
        ('a;b\n', {}, None, [], ['a', 'b']),
        ('a;b\n1;"x;y"\n2;ООО "Ромашка"\n', {}, ['int', 'string'], [[1, 'x;y'], [2, 'ООО "Ромашка"']], None),
        ('a;b\n1;"ООО ""Ромашка"""\n', {}, ['int', 'string'], [[1, 'ООО "Ромашка"']], None),
        ('a,b\n1,"say \\"hi\\", you"\n2,"c:\\\\x"\n', {}, ['int', 'string'], [[1, 'say "hi", you'], [2, 'c:\\x']],
         None),
        ('a,b\n1,"c:\\x\\"\n2,"d"\n', {}, ['int', 'string'], [[1, 'c:\\x\\'], [2, 'd']], None),
        ('a\tb\n1\t"x" y\n2\t"z\n', {}, ['int', 'string'], [[1, '"x" y'], [2, '"z']], None),
        ('a\tb\n1\t\\N\n\\N\tx\n', {'name': 't.tsv'}, ['int', 'string'], [[1, None], [None, 'x']], None),
        ('a;b;c\n1;;x\n2;;y\n', {}, ['int', 'string', 'string'], [[1, None, 'x'], [2, None, 'y']], None),
        ('a;a\n1;2\n', {}, ['int', 'int'], [[1, 2]], None),
        ('a;b\n😀;1\n', {}, ['string', 'int'], [['😀', 1]], None),
        ('Отчет за год\nСчет;n\n123;1\n', {'types': 'Счет: string'}, ['string', 'int'], [['123', 1]], None),
        ('a\tb\n1\t2\n', {'delimiter': '\\t'}, ['int', 'int'], [[1, 2]], None),
        ('a;b\n1;2\n', {'delimiter': ','}, ['string'], None, None),
        ('t;n\n10:00;1\n11:30;2\n', {}, ['string', 'int'], [['10:00', 1], ['11:30', 2]], None),
        ('a|b\n1|2,5\n3|4,25\n', {}, ['int', 'double'], [[1, 2.5], [3, 4.25]], None),
        ('a;b\n1;2\n', {'name': 't.txt'}, ['int', 'int'], [[1, 2]], None),
        ('Год;Сумма\n2023;5\n2024;6\n', {}, ['int', 'int'], [[2023, 5], [2024, 6]], None),
        ('Регион;2023;2024\nA;да;нет\nB;нет;да\n', {}, ['string', 'string', 'string'],
         [['A', 'да', 'нет'], ['B', 'нет', 'да']], ['Регион', '2023', '2024']),
        ('Регион;2023;2024\nA;;5\nB;;6\n', {}, None, [['A', None, 5], ['B', None, 6]], ['Регион', '2023', '2024']),
        ('Иванов;1985;5\nПетров;1990;6\n', {}, ['string', 'int', 'int'], [['Иванов', 1985, 5], ['Петров', 1990, 6]],
         None),
        ('a;b\n1.5;x\n2.25;y\n', {'decimal': '.'}, ['double', 'string'], None, None),
        ('a;b\n1.5;x\n2.25;y\n', {'decimal': ','}, ['string', 'string'], None, None),
        ('a;b\n1 234;x\n5;y\n', {'thousands': 'none'}, ['string', 'string'], None, None),
        ('a;b\n1 234;x\n5;y\n', {'thousands': 'space'}, ['int', 'string'], [[1234, 'x'], [5, 'y']], None),
        ('a;b\n1 234;x\n5;y\n', {'thousands': ' '}, ['int', 'string'], [[1234, 'x'], [5, 'y']], None),
        ('Отчет\n;;\na;b;c\n1;2;3\n', {'header_row': '3'}, ['int', 'int', 'int'], [[1, 2, 3]], ['a', 'b', 'c']),
        ('a;b\n12,5;x\n5;y\n', {'thousands': 'none'}, ['double', 'string'], [[12.5, 'x'], [5, 'y']], None),
        ('a;b\n1,234;x\n5,5;y\n', {'thousands': 'none'}, ['double', 'string'], [[1.234, 'x'], [5.5, 'y']], None),
        ('a;b\n12,5;x\n5;y\n', {'thousands': '.'}, ['double', 'string'], [[12.5, 'x'], [5, 'y']], None),
        ('a;b\n1 234;x\n5;y\n', {'thousands': '.'}, ['string', 'string'], None, None),
        ("a;b\n1'234;x\n5;y\n", {'thousands': "'"}, ['int', 'string'], [[1234, 'x'], [5, 'y']], None),
        ('a;b\n1 234,5;x\n5;y\n', {'thousands': 'space', 'decimal': ','}, ['double', 'string'],
         [[1234.5, 'x'], [5, 'y']], None),
        ('a;b\n12,5%;x\n5%;y\n', {'thousands': 'none'}, ['double', 'string'], [[0.125, 'x'], [0.05, 'y']], None),
    ],
)  # fmt: skip
def test_an_ordinary_file_is_read_as_it_is_meant(
    tmp_path: Path,
    content: str | bytes,
    settings: Mapping[str, str],
    types: list[str] | None,
    rows: list[list[Any]] | None,
    names: list[str] | None,
) -> None:
    """No kind of writing spoils another one."""
    assert_table(tmp_path, content, settings, types, rows, names)


@pytest.mark.parametrize(
    ("content", "settings", "told"),
    [
        ('a;b\n1;2\n3\n4;5\n', {}, 'row 3: 1 cells'),
        (b'\xe8\xec\xff;b\n\xff;2\n3\n', {}, 'row 3: 1 cells'),
        ('a, b\n1, 2\n3\n', {}, 'row 3: 1 cells'),
        ('a;b\r\n"x\ny";2\r\n3\r\n', {}, 'row 3: 1 cells'),
        ('a;b\r\n"x\ny";2\r\n3;4;5\r\n', {}, 'row 3: 3 cells'),
        ('a,b\n1,"x"\n2,"y" z\n', {}, 'row 3: text beside'),
        (b'\xe8\xec\xff;b\n1;"\xff"\n2;"\xff" z\n', {}, 'row 3: text beside'),
        ('a;b\n1;2\n', {'decimal': 'x'}, 'no_such_choice'),
        ('a;b\n1;2\n', {'skip_rows': 'x'}, 'not_a_number'),
    ],
)  # fmt: skip
def test_a_row_or_a_setting_that_fits_nowhere_is_told(
    tmp_path: Path, content: str | bytes, settings: Mapping[str, str], told: str
) -> None:
    assert_wrong(tmp_path, content, settings, told)
