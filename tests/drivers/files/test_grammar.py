"""Numbers, dates and words for nothing as people write them, and identifiers that are none of these."""

# ruff: noqa: RUF001 - these letters and signs are meant

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.files.samples import assert_table, assert_wrong, table_of, written


@pytest.mark.parametrize(
    ("content", "settings", "types", "rows", "names"),
    [
        ('n;q\nA;1\xa0234\nB;56\n', {}, ['string', 'int'], [['A', 1234], ['B', 56]], None),
        ('n;q\nA;1\u202f234,5\nB;56\n', {}, ['string', 'double'], [['A', 1234.5], ['B', 56]], None),
        ('n,q\nA,"1,234,567"\nB,"1,234"\n', {}, ['string', 'int'], [['A', 1234567], ['B', 1234]], None),
        ('n,q\nA,"(1,234.50)"\nB,"12.00"\n', {}, ['string', 'double'], [['A', -1234.5], ['B', 12]], None),
        ('n;q;p\nA;1.234;1,5\nB;12.000;2,5\n', {}, ['string', 'int', 'double'],
         [['A', 1234, 1.5], ['B', 12000, 2.5]], None),
        ('n;q\nA;1.234\nB;12.000\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;1.234\nB;12.000\n', {'thousands': '.'}, ['string', 'int'], [['A', 1234], ['B', 12000]], None),
        ('n;q\nA;1.234\nB;12.000\n', {'decimal': '.'}, ['string', 'double'], [['A', 1.234], ['B', 12]], None),
        ('n;q\nA;1,234\nB;5,678\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;1,234\nB;5,678\n', {'decimal': ','}, ['string', 'double'], [['A', 1.234], ['B', 5.678]], None),
        ('n;q\nA;1,234\nB;5,678\n', {'thousands': ','}, ['string', 'int'], [['A', 1234], ['B', 5678]], None),
        ('n;q\nA;0,125\nB;5,678\n', {}, ['string', 'double'], [['A', 0.125], ['B', 5.678]], None),
        ('n;q;w\nA;1,5;1,234\nB;2,25;5,678\n', {}, ['string', 'double', 'double'],
         [['A', 1.5, 1.234], ['B', 2.25, 5.678]], None),
        ('n,q\nA,1.234\nB,5.678\n', {}, ['string', 'double'], [['A', 1.234], ['B', 5.678]], None),
        ("n;q\nA;1'234.50\nB;12'000\n", {}, ['string', 'double'], [['A', 1234.5], ['B', 12000]], None),
        ('n;q\nA;1’234\nB;12\n', {}, ['string', 'int'], [['A', 1234], ['B', 12]], None),
        ('n;q\nA;5%\nB;100%\n', {}, ['string', 'double'], [['A', 0.05], ['B', 1]], None),
        ('n;q\nA;5,5 %\nB;-1 %\n', {}, ['string', 'double'], [['A', 0.055], ['B', -0.01]], None),
        ('n;q\nA;5%\nB;7\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;12,5\xa0%\n', {}, ['string', 'double'], [['A', 0.125]], None),
        ('n;q\nA;1 200 руб.\nB;99,50 руб.\n', {}, ['string', 'double'], [['A', 1200], ['B', 99.5]], None),
        ('n;q\nA;1 200,00 р.\nB;99,50 р.\n', {}, ['string', 'double'], [['A', 1200], ['B', 99.5]], None),
        ('n,q\nA,"$1,234.56"\nB,$5\n', {}, ['string', 'double'], [['A', 1234.56], ['B', 5]], None),
        ('n;q\nA;1.234,56 €\nB;5,00 €\n', {}, ['string', 'double'], [['A', 1234.56], ['B', 5]], None),
        ('n;q\nA;100 USD\nB;250.5 USD\n', {}, ['string', 'double'], [['A', 100], ['B', 250.5]], None),
        ('n;q\nA;EUR 100\nB;EUR 5,5\n', {}, ['string', 'double'], [['A', 100], ['B', 5.5]], None),
        ('n;q\nA;100 $\nB;250 €\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;-$5.00\nB;($7.50)\n', {}, ['string', 'double'], [['A', -5], ['B', -7.5]], None),
        ('n;q\nA;−5\nB;3\n', {}, ['string', 'int'], [['A', -5], ['B', 3]], None),
        ('n;q\nA;−5,5\nB;3\n', {}, ['string', 'double'], [['A', -5.5], ['B', 3]], None),
        ('n;q\nA;+5,5\nB;-3,2\n', {}, ['string', 'double'], [['A', 5.5], ['B', -3.2]], None),
        ('n;q\nA;(5)\nB;3\n', {}, ['string', 'int'], [['A', -5], ['B', 3]], None),
        ('n;q\nA;+79991234567\nB;+74951234567\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;8 (999) 123-45-67\nB;+7 999 123 45 67\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;+7 495 123\nB;+7 812 456\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;40702810000000000001\nB;40702810000000000002\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;4070 2810 0000 0000 0001\n', {}, ['string', 'string'], None, None),
        ('n;q\n1E5;1\n123;2\n', {}, ['string', 'int'], None, None),
        ('q\n12E3\n45E10\n00E1\n', {}, ['string'], None, None),
        ('n;q\nA;4.60E+12\nB;1.5E-03\n', {}, ['string', 'double'], None, None),
        ('n\n1234567890123456789\n12345678901234567890\n', {}, ['string'],
         [['1234567890123456789'], ['12345678901234567890']], None),
        ('n;q\nA;0,1234567890123456789012\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;123 456 789 012 345 678\nB;1\n', {}, ['string', 'int'], [['A', 123456789012345678], ['B', 1]], None),
        ('n;q\nA;123 456 789 012 345 678 901\nB;1\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;0\nB;00\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;01,5\nB;2,5\n', {}, ['string', 'string'], None, None),
        ('n;q\nA;77 012\nB;1 2345\n', {}, ['string', 'string'], None, None),
        ('d;n\n31.12.25;1\n01.01.99;2\n', {}, ['date', 'int'], [['2025-12-31', 1], ['1999-01-01', 2]], None),
        ('d;n\n31.12.25 10:00;1\n01.01.26 9:05;2\n', {}, ['datetime', 'int'],
         [['2025-12-31 10:00:00', 1], ['2026-01-01 09:05:00', 2]], None),
        ('d;n\n31-12-2025;1\n1-2-2026;2\n', {}, ['date', 'int'], [['2025-12-31', 1], ['2026-02-01', 2]], None),
        ('d;n\n12-31-2025;1\n1-2-2026;2\n', {}, ['date', 'int'], [['2025-12-31', 1], ['2026-01-02', 2]], None),
        ('d;n\n2025/12/31;1\n2026/1/2;2\n', {}, ['date', 'int'], [['2025-12-31', 1], ['2026-01-02', 2]], None),
        ('d;n\n2025/12/31 10:00:05;1\n2026/1/2 1:02;2\n', {}, ['datetime', 'int'],
         [['2025-12-31 10:00:05', 1], ['2026-01-02 01:02:00', 2]], None),
        ('d;n\n2025.12.31;1\n2026.01.02;2\n', {}, ['date', 'int'], [['2025-12-31', 1], ['2026-01-02', 2]], None),
        ('d;n\n31/12/2025 11:59 PM;1\n01/02/2026 12:30 am;2\n', {}, ['datetime', 'int'],
         [['2025-12-31 23:59:00', 1], ['2026-02-01 00:30:00', 2]], None),
        ('d;n\n01/02/2026 10:00;1\n', {}, ['string', 'int'], None, None),
        ('d;n\n12/31/2025, 11:05:00 PM;1\n', {}, ['datetime', 'int'], [['2025-12-31 23:05:00', 1]], None),
        ('d;n\n2025-12-31 10:00:00 +0300;1\n2026-01-01 00:00:00 -0530;2\n', {'timezone': 'UTC'}, ['datetime', 'int'],
         [['2025-12-31 07:00:00', 1], ['2026-01-01 05:30:00', 2]], None),
        ('d;n\n2025-12-31 10:00:00 UTC;1\n', {'timezone': 'Europe/Moscow'}, ['datetime', 'int'],
         [['2025-12-31 13:00:00', 1]], None),
        ('d;n\n01/02/2026 10:00;1\n', {'day_first': 'yes'}, ['datetime', 'int'], [['2026-02-01 10:00:00', 1]], None),
        ('d;n\n01/02/2026;1\n', {'day_first': 'no'}, ['date', 'int'], [['2026-01-02', 1]], None),
        ('d;n\n01-02-2026;1\n', {'day_first': 'no'}, ['date', 'int'], [['2026-01-02', 1]], None),
        ('d;n\n01/02/2026;1\n', {'day_first': 'no', 'types': 'd: date'}, ['date', 'int'], [['2026-01-02', 1]], None),
        ('d;n\n31/12/2026;1\n', {'day_first': 'no'}, ['string', 'int'], None, None),
        ('d;n\n01/02/03;1\n', {}, ['string', 'int'], None, None),
        ('d;n\n31/12/25;1\n01/02/26;2\n', {}, ['date', 'int'], [['2025-12-31', 1], ['2026-02-01', 2]], None),
        ('d;n\n01/02/03;1\n', {'day_first': 'yes'}, ['date', 'int'], [['2003-02-01', 1]], None),
        ('d;n\n01/02/2026 10:00;1\n', {'types': 'd: datetime'}, ['datetime', 'int'], [['2026-02-01 10:00:00', 1]],
         None),
        ('d;n\n31.02.2026;1\n', {}, ['string', 'int'], None, None),
        ('d;n\n31.12.2025 23:59:59.999;1\n', {}, ['datetime', 'int'], [['2025-12-31 23:59:59', 1]], None),
        ('d;n\n2025-12-31 23:59;1\n2025-12-31;2\n', {}, ['datetime', 'int'],
         [['2025-12-31 23:59:00', 1], ['2025-12-31 00:00:00', 2]], None),
        ('v;n\n1.2.3;1\n1.10.12;2\n', {}, ['string', 'int'], None, None),
        ('v;n\n10.0.0.1;1\n', {}, ['string', 'int'], None, None),
        ('a,b\n1,2\n-,3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n2025-12-31,2\n-,3\n', {}, ['date', 'int'], [['2025-12-31', 2], [None, 3]], None),
        ('a;b\n1,5;2\n-;3\n', {}, ['double', 'int'], [[1.5, 2], [None, 3]], None),
        ('a;b\n1 234,5;2\n-;3\n', {}, ['double', 'int'], [[1234.5, 2], [None, 3]], None),
        ('a;b\ntrue;2\n-;3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n1,2\nNULL,3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n2025-12-31,2\nNULL,3\n', {}, ['date', 'int'], [['2025-12-31', 2], [None, 3]], None),
        ('a;b\n1,5;2\nNULL;3\n', {}, ['double', 'int'], [[1.5, 2], [None, 3]], None),
        ('a;b\n1 234,5;2\nNULL;3\n', {}, ['double', 'int'], [[1234.5, 2], [None, 3]], None),
        ('a;b\ntrue;2\nNULL;3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n1,2\n\\N,3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n2025-12-31,2\n\\N,3\n', {}, ['date', 'int'], [['2025-12-31', 2], [None, 3]], None),
        ('a;b\n1,5;2\n\\N;3\n', {}, ['double', 'int'], [[1.5, 2], [None, 3]], None),
        ('a;b\n1 234,5;2\n\\N;3\n', {}, ['double', 'int'], [[1234.5, 2], [None, 3]], None),
        ('a;b\ntrue;2\n\\N;3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n1,2\nNA,3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n2025-12-31,2\nNA,3\n', {}, ['date', 'int'], [['2025-12-31', 2], [None, 3]], None),
        ('a;b\n1,5;2\nNA;3\n', {}, ['double', 'int'], [[1.5, 2], [None, 3]], None),
        ('a;b\n1 234,5;2\nNA;3\n', {}, ['double', 'int'], [[1234.5, 2], [None, 3]], None),
        ('a;b\ntrue;2\nNA;3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n1,2\nN/A,3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n2025-12-31,2\nN/A,3\n', {}, ['date', 'int'], [['2025-12-31', 2], [None, 3]], None),
        ('a;b\n1,5;2\nN/A;3\n', {}, ['double', 'int'], [[1.5, 2], [None, 3]], None),
        ('a;b\n1 234,5;2\nN/A;3\n', {}, ['double', 'int'], [[1234.5, 2], [None, 3]], None),
        ('a;b\ntrue;2\nN/A;3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n1,2\n#N/A,3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\n2025-12-31,2\n#N/A,3\n', {}, ['date', 'int'], [['2025-12-31', 2], [None, 3]], None),
        ('a;b\n1,5;2\n#N/A;3\n', {}, ['double', 'int'], [[1.5, 2], [None, 3]], None),
        ('a;b\n1 234,5;2\n#N/A;3\n', {}, ['double', 'int'], [[1234.5, 2], [None, 3]], None),
        ('a;b\ntrue;2\n#N/A;3\n', {}, ['int', 'int'], [[1, 2], [None, 3]], None),
        ('a,b\nNA,1\nRU,2\n', {}, ['string', 'int'], [['NA', 1], ['RU', 2]], None),
        ('a,b\n-,1\nRU,2\n', {}, ['string', 'int'], [['-', 1], ['RU', 2]], None),
        ('a,b\n\\N,1\nRU,2\n', {}, ['string', 'int'], [[None, 1], ['RU', 2]], None),
        ('a,b\n2025-12-31 10:00:00,1\n0000-00-00 00:00:00,2\n', {}, ['datetime', 'int'],
         [['2025-12-31 10:00:00', 1], [None, 2]], None),
        ('a;b\n31.12.2025 10:00:00;1\n  .  .       :  :  ;2\n', {}, ['datetime', 'int'],
         [['2025-12-31 10:00:00', 1], [None, 2]], None),
        ('a;b\n31.12.2025;1\n.  .;2\n00.00.0000;3\n', {}, ['date', 'int'], [['2025-12-31', 1], [None, 2], [None, 3]],
         None),
        ('a;b\n"2025-12-31";1\n"0000-00-00";2\n"";3\n', {}, ['date', 'int'],
         [['2025-12-31', 1], [None, 2], [None, 3]], None),
        ('a;b;c\n1;x;н/д\nн/д;н/д;y\n', {'nulls': 'н/д'}, ['int', 'string', 'string'],
         [[1, 'x', None], [None, None, 'y']], None),
        ('a;b\n1;x\nnone;?\n', {'nulls': 'none\n?'}, ['int', 'string'], [[1, 'x'], [None, None]], None),
        ('a;b\n1;x\nнет;z\n', {'nulls': 'нет', 'types': 'a: int'}, ['int', 'string'], [[1, 'x'], [None, 'z']], None),
        ('a,b\nNULL,1\nNULL,2\n', {}, ['string', 'int'], None, None),
        ('a;b\n1 234;1\n', {'types': 'a: string'}, ['string', 'int'], [['1 234', 1]], None),
    ],
)  # fmt: skip
def test_a_column_has_the_type_in_which_all_its_values_have_one_meaning(
    tmp_path: Path,
    content: str | bytes,
    settings: Mapping[str, str],
    types: list[str] | None,
    rows: list[list[Any]] | None,
    names: list[str] | None,
) -> None:
    """What can be read in two ways stays a text, unless a setting or another column says which."""
    assert_table(tmp_path, content, settings, types, rows, names)


@pytest.mark.parametrize(
    ("content", "settings", "told"),
    [
        ('d;n\n31/12/2026;1\n', {'day_first': 'no', 'types': 'd: date'}, 'value_type'),
        ('a;b\nx;1\n', {'types': 'a: int'}, "'x' is no int"),
        ('a;b\n1,234;1\n', {'types': 'a: double'}, 'value_type'),
    ],
)  # fmt: skip
def test_a_chosen_type_that_leaves_two_meanings_or_none_is_told(
    tmp_path: Path, content: str | bytes, settings: Mapping[str, str], told: str
) -> None:
    assert_wrong(tmp_path, content, settings, told)


@pytest.mark.parametrize(
    ("content", "types", "last"),
    [
        ("a;b\n" + "".join(f"{n};x\n" for n in range(6000)) + "12 345;y\n", ["int", "string"], [12345, "y"]),
        ("a;b\n" + ";x\n" * 6000 + "1 234,5;y\n", ["double", "string"], [1234.5, "y"]),
        ("a;b\n" + "".join(f"{n};x\n" for n in range(20_000)) + "NULL;y\n", ["int", "string"], [None, "y"]),
        ("a;b\n" + "".join(f"{n},5;x\n" for n in range(20_000)) + "7 руб.;y\n", ["string", "string"], ["7 руб.", "y"]),
    ],
)  # fmt: skip
def test_values_that_come_late_count_like_the_first_ones(
    tmp_path: Path, content: str, types: list[str], last: list[Any]
) -> None:
    written(tmp_path, "t.csv", content)
    found, rows = table_of(tmp_path, "t", path="t.csv")
    assert (list(found.values()), rows[-1]) == (types, last)
