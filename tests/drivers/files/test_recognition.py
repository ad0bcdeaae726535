"""Where a text has its lines, titles, header and cells, in every way that people write them."""

# ruff: noqa: RUF001 - these letters and signs are meant

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers.files.layout import Layout
from tests.drivers.files.samples import assert_table, assert_wrong, table_of, written
from tests.drivers.files.workbooks import Cell, workbook


@pytest.mark.parametrize(
    ("content", "settings", "types", "rows", "names"),
    [
        ('"a\nb";"c\nd"\r\n1;2\r\n3;4\r\n', {}, ['int', 'int'], [[1, 2], [3, 4]], ['a\nb', 'c\nd']),
        ('"a\rb";c\r\n1;2\r\n', {}, ['int', 'int'], [[1, 2]], None),
        ('"a\r\nb",c\n1,2\n', {}, ['int', 'int'], [[1, 2]], None),
        ('id;t\r\n"1";"x\ny"\r\n2;z\r\n', {}, ['int', 'string'], [[1, 'x\ny'], [2, 'z']], None),
        ('id;t\r\n1;"x\n\ny"\r\n2;"z"\r\n', {}, ['int', 'string'], [[1, 'x\n\ny'], [2, 'z']], None),
        ('id,t\r1,a\r2,"b\nc"\r', {}, ['int', 'string'], [[1, 'a'], [2, 'b\nc']], None),
        ('id,t\r\r\n1,a\r\r\n2,b\r\r\n', {}, ['int', 'string'], [[1, 'a'], [2, 'b']], None),
        ('id;t\r1;a\n2;b\r\n3;c', {}, ['int', 'string'], [[1, 'a'], [2, 'b'], [3, 'c']], None),
        ('"x\ny";1\r\n"z";2\r\n', {'header': 'no'}, ['string', 'int'], [['x\ny', 1], ['z', 2]], None),
        ('id\tt\r\n1\t"a\nb"\r\n', {}, ['int', 'string'], [[1, 'a\nb']], None),
        ('id,t\r\n1,"a\nb"', {}, ['int', 'string'], [[1, 'a\nb']], None),
        ('[{"a":"x\\ry","b":1},{"a":"q","b":2}]', {'name': 't.json'}, ['string', 'int'], [['x\ry', 1], ['q', 2]],
         None),
        (b'{"a":"x\\u2028y"}\n{"a":"\\u0085"}\n', {'name': 't.jsonl'}, ['string'], [['x\u2028y'], ['\x85']], None),
        ('{"a\\rb":1,"c":"\\r"}\n{"a\\rb":2,"c":"\\n"}\n', {'name': 't.jsonl'}, ['int', 'string'],
         [[1, '\r'], [2, '\n']], None),
        ('a,b\n1,x\u2028y\n2,\x85z\x0bw\x0cv\n', {}, ['int', 'string'], [[1, 'x\u2028y'], [2, '\x85z\x0bw\x0cv']],
         None),
        ('Страна;2024;2025\nРФ;1;2\nКЗ;3;4\n', {}, ['string', 'int', 'int'], [['РФ', 1, 2], ['КЗ', 3, 4]],
         ['Страна', '2024', '2025']),
        ('Регион,2021,2022,2023\nA,"1,5","2,5","3,5"\nB,"1,5","2,5","3,5"\n', {},
         ['string', 'double', 'double', 'double'], None, None),
        ('Регион;2024\nМосква;10\nТверь;20\n', {}, ['string', 'int'], [['Москва', 10], ['Тверь', 20]], None),
        ('\t2023\t2024\nA\t10\t20\nB\t30\t40\n', {'name': 't.tsv'}, ['string', 'int', 'int'],
         [['A', 10, 20], ['B', 30, 40]], None),
        ('x;2025;2024;2023\nA;1;2;3\n', {}, ['string', 'int', 'int', 'int'], [['A', 1, 2, 3]], None),
        ('Регион;2024;2025;Итого\nA;1;2;3\nB;1;2;3\n', {}, ['string', 'int', 'int', 'int'],
         [['A', 1, 2, 3], ['B', 1, 2, 3]], None),
        ('Товар;01.2026;02.2026;03.2026\nЧай;1;2;3\n', {}, ['string', 'int', 'int', 'int'], [['Чай', 1, 2, 3]], None),
        ('Таб. №;ФИО;1;2;3\n001;И;8;8;8\n002;П;7;7;7\n', {}, ['string', 'string', 'int', 'int', 'int'], None, None),
        ('Пост;0;1;2;3\nA;5;6;5;1\nB;7;7;7;7\n', {}, ['string', 'int', 'int', 'int', 'int'],
         [['A', 5, 6, 5, 1], ['B', 7, 7, 7, 7]], None),
        ('A;5;7;1\nB;6;2;9\n', {}, ['string', 'int', 'int', 'int'], [['A', 5, 7, 1], ['B', 6, 2, 9]], None),
        ('A;1;2;3\nB;4;5;6\nC;7;8;9\n', {}, ['string', 'int', 'int', 'int'],
         [['A', 1, 2, 3], ['B', 4, 5, 6], ['C', 7, 8, 9]], None),
        ('Товар;01.12.2026;02.12.2026\nЧай;5;6\n', {}, ['string', 'int', 'int'], [['Чай', 5, 6]], None),
        ('Регион;2023;2024\n', {}, None, [], ['Регион', '2023', '2024']),
        ('"","name","city"\n"1","Anna","Omsk"\n"2","Boris","Tver"\n', {}, ['int', 'string', 'string'],
         [[1, 'Anna', 'Omsk'], [2, 'Boris', 'Tver']], None),
        (',name\n3,Anna\n7,Boris\n12,Anna\n', {}, ['int', 'string'], [[3, 'Anna'], [7, 'Boris'], [12, 'Anna']], None),
        (',name,n\n0,Anna,5\n1,Boris,6\n', {}, ['int', 'string', 'int'], [[0, 'Anna', 5], [1, 'Boris', 6]], None),
        (';имя\n0;Анна\n', {}, ['int', 'string'], [[0, 'Анна']], None),
        ('2023,2024\n1,2\n', {}, ['int', 'int'], [[2023, 2024], [1, 2]], None),
        ('sep=\t\nid\tn\n1\t2\n', {}, ['int', 'int'], [[1, 2]], None),
        ('"sep=;"\r\nid;n\r\n1;2,5\r\n', {}, ['int', 'double'], [[1, 2.5]], None),
        ('SEP=|\nid|n\n1|a,b\n2|c,d\n', {}, ['int', 'string'], [[1, 'a,b'], [2, 'c,d']], None),
        ('sep=;\nname\nA\nB\n', {}, ['string'], [['A'], ['B']], None),
        ('sep=;\r\nОтчет за год\r\n\r\nИмя;n\r\nЧай;1\r\n', {}, ['string', 'int'], [['Чай', 1]], None),
        ('\ufeffsep=,\nid,name\n1,a\n', {}, ['int', 'string'], [[1, 'a']], None),
        ('sep=;\n1;2\n3;4\n', {'header': 'no'}, ['int', 'int'], [[1, 2], [3, 4]], None),
        ('Отчет;;\nза декабрь;;\nТовар;Кол;Сумма\nЧай;1;2,5\n', {}, ['string', 'int', 'double'], [['Чай', 1, 2.5]],
         None),
        ('Отчет по продажам, декабрь 2026\nТовар,Сумма\nЧай,5\nКофе,7\n', {}, ['string', 'int'],
         [['Чай', 5], ['Кофе', 7]], None),
        ('Отчет, Москва, декабрь\nid,name\n1,a\n2,b\n', {}, ['int', 'string'], [[1, 'a'], [2, 'b']], None),
        ('Отчет по складам, Омск, 2026\nАдрес, город, индекс;Сумма\nМира, 5, 644000;100\nЛенина, 7, 644001;200\n',
         {}, ['string', 'int'], [['Мира, 5, 644000', 100], ['Ленина, 7, 644001', 200]], None),
        ('# a\n# b, c\nid,name\n1,a\n', {}, ['int', 'string'], [[1, 'a']], None),
        ('#,name\n1,a\n2,b\n', {}, ['int', 'string'], [[1, 'a'], [2, 'b']], ['#', 'name']),
        ('Период:;01.12.2026;;\nДата;Товар;Кол;Сумма\n01.12.2026;Чай;1;2\n', {}, ['date', 'string', 'int', 'int'],
         None, None),
        ('Выписка по счету;40702810500000000001;\nДата;Клиент;Сумма\n01.12.2025;А;5,5\n', {},
         ['date', 'string', 'double'], [['2025-12-01', 'А', 5.5]], ['Дата', 'Клиент', 'Сумма']),
        ('Отчет;;\nПериод;01.12.2025;\n\nКод;Имя;Сумма\n001;A;5\n002;B;6\n', {}, ['string', 'string', 'int'],
         [['001', 'A', 5], ['002', 'B', 6]], ['Код', 'Имя', 'Сумма']),
        ('Имя;;Сумма\nA;x;н/д\nB;y;5\nC;z;7\n', {}, None, [['A', 'x', 'н/д'], ['B', 'y', '5'], ['C', 'z', '7']], None),
        ('Регион;2023;2024\n\nМ;н/д;5\nТ;1;2\n', {}, None, [['М', 'н/д', 5], ['Т', '1', 2]],
         ['Регион', '2023', '2024']),
        ('a;b;c\n\nx;y;z\n1;2;3\n', {}, None, [['x', 'y', 'z'], ['1', '2', '3']], ['a', 'b', 'c']),
        ('n;;d\n5;;x\n;;\nA;B;C\n1;2;3\n', {}, None, [['5', None, 'x'], [None] * 3, ['A', 'B', 'C'], ['1', '2', '3']],
         None),
        ('Сумма\n1,5\n2,5\n', {}, ['double'], [[1.5], [2.5]], ['Сумма']),
        ('a,b\n1,5\n2,5\n', {}, ['int', 'int'], [[1, 5], [2, 5]], None),
        ('Отчет\n1,5,x\n2,5,y\n', {}, ['int', 'int', 'string'], [[1, 5, 'x'], [2, 5, 'y']], None),
        ('Отчет по клиентам;;\n;;\nИмя;Город;Код\nАнна;Омск;x\nИван;Тверь;y\n', {}, ['string', 'string', 'string'],
         [['Анна', 'Омск', 'x'], ['Иван', 'Тверь', 'y']], None),
        ('Anna;\nBoris;\nCarl;x\nDan;\n', {}, ['string', 'string'], None, None),
        ('1;\n2;\n3;x\n', {}, ['int', 'string'], [[1, None], [2, None], [3, 'x']], None),
        ('Отчет\t\t\nа\tб\tв\n1\t2\t3\n', {'name': 't.tsv'}, ['int', 'int', 'int'], [[1, 2, 3]], None),
        ('Отчет\nАдрес;Сумма\nОмск, Мира, 5;100\nТверь, Ленина, 7;200\nПермь, Мира, 1;300\n', {}, ['string', 'int'],
         None, None),
        ('x;y\nbla;bla\nid;n\n1;2\n', {'header_row': '3'}, ['int', 'int'], [[1, 2]], ['id', 'n']),
        ('1;2\n3;4\nid;n\n5;6\n', {'skip_rows': '2'}, ['int', 'int'], [[5, 6]], ['id', 'n']),
        ('"a\nb";x\nid;n\n5;6\n', {'skip_rows': '1'}, ['int', 'int'], [[5, 6]], ['id', 'n']),
        ('2023;2024\n1;2\n', {'header_row': '1'}, ['int', 'int'], [[1, 2]], ['2023', '2024']),
        ('\n\nid;n\n1;2\n', {'header_row': '3'}, ['int', 'int'], [[1, 2]], ['id', 'n']),
        ('#x\n1;2\n3;4\n', {'skip_rows': '1', 'header': 'no'}, ['int', 'int'], [[1, 2], [3, 4]], None),
        ('id, name\n1, Anna\n2, Boris Ivanov\n', {}, ['int', 'string'], [[1, 'Anna'], [2, 'Boris Ivanov']],
         ['id', 'name']),
        ('id ; name ; n\n1 ; a ; 5\n2 ; b ; 6\n', {}, ['int', 'string', 'int'], [[1, 'a', 5], [2, 'b', 6]], None),
        ('id | name\n1 | a\n', {}, ['int', 'string'], [[1, 'a']], None),
        ('name;sum\nA;   12,50\nB;    7,00\n', {}, ['string', 'double'], [['A', 12.5], ['B', 7]], None),
        ('d;n\n 01.12.2026;1\n02.12.2026 ;2\n', {}, ['date', 'int'], [['2026-12-01', 1], ['2026-12-02', 2]], None),
        ('id,t\n1, x\n2,y\n', {}, ['int', 'string'], [[1, ' x'], [2, 'y']], None),
        ('id, t\n1, "a, b"\n2, "c"\n', {}, ['int', 'string'], [[1, 'a, b'], [2, 'c']], None),
        ('a, b, c\n1, , 3\n4, x, 6\n', {}, ['int', 'string', 'int'], [[1, None, 3], [4, 'x', 6]], None),
        ("id,name\n1,'s-Hertogenbosch\n2,'t Zand\n", {}, ['int', 'string'],
         [[1, "'s-Hertogenbosch"], [2, "'t Zand"]], None),
        ("name,n\n'Anna,1\nBoris',2\n", {}, ['string', 'int'], [["'Anna", 1], ["Boris'", 2]], None),
        ("id,t\n1,O'Brien\n2,it's\n", {}, ['int', 'string'], [[1, "O'Brien"], [2, "it's"]], None),
        ("'id','t'\n'1','a,b'\n'2','c''d'\n", {}, ['int', 'string'], [[1, 'a,b'], [2, "c'd"]], None),
        ('id,t\n1,"a"\n2,"b"\n', {'quote': 'none'}, ['int', 'string'], [[1, '"a"'], [2, '"b"']], None),
        ('id,t\n1,\'a,b\'\n2,"c"\n', {'quote': "'"}, ['int', 'string'], [[1, 'a,b'], [2, '"c"']], None),
        ('n\n1\n\n2\n\n\n3\n', {}, ['int'], [[1], [2], [3]], None),
        ('адрес\nОмск, Мира\nТверь\nПермь\n', {}, ['string'], [['Омск, Мира'], ['Тверь'], ['Пермь']], None),
        ('id,t\n1,a\n   \n2,b\n', {}, ['int', 'string'], [[1, 'a'], [2, 'b']], None),
        ('id,t\n1,\x00\n2,a\x00\x00b\n', {}, ['int', 'string'], [[1, None], [2, 'ab']], None),
        ('i\x00d,t\n1,x\n', {}, ['int', 'string'], [[1, 'x']], ['id', 't']),
    ],
)  # fmt: skip
def test_a_text_is_taken_apart_as_it_is_meant(
    tmp_path: Path,
    content: str | bytes,
    settings: Mapping[str, str],
    types: list[str] | None,
    rows: list[list[Any]] | None,
    names: list[str] | None,
) -> None:
    """No row is lost, none is made of a title, and a header names the columns."""
    assert_table(tmp_path, content, settings, types, rows, names)


@pytest.mark.parametrize(
    ("content", "settings", "told"),
    [
        ('id;n\n1;2\n', {'header_row': '9'}, 'no_such_row'),
        ('id;n\n1;2\n', {'header_row': '0'}, 'header_row'),
    ],
)  # fmt: skip
def test_settings_that_lead_nowhere_are_told(
    tmp_path: Path, content: str | bytes, settings: Mapping[str, str], told: str
) -> None:
    assert_wrong(tmp_path, content, settings, told)


def test_line_ends_of_two_kinds_lose_no_row_wherever_they_begin(tmp_path: Path) -> None:
    lines = "".join(f"{number},x\n" for number in range(30_000))
    written(tmp_path, "t.csv", "id,t\n" + lines + '30000,"a\rb"\r\n30001,y\r\n')
    _, rows = table_of(tmp_path, "t", path="t.csv")
    assert (len(rows), rows[-2:]) == (30_002, [[30_000, "a\rb"], [30_001, "y"]])


def test_blank_lines_of_a_single_column_are_no_values(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "город\r\n" + "Омск\r\n" * 20_000 + "\r\nТверь, центр\r\n")
    _, rows = table_of(tmp_path, "t", path="t.csv")
    assert (len(rows), rows[-1]) == (20_001, ["Тверь, центр"])


def test_what_the_reader_of_files_takes_apart_otherwise_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the sample that are not in the answer are never a shorter answer."""
    written(tmp_path, "t.csv", "id,t\n1,a\n2,b\n")
    source = Layout.source
    monkeypatch.setattr(
        Layout, "source", lambda self, path, types=None: source(self, path, types).replace("skip = 1", "skip = 2")
    )
    assert table_of(tmp_path, "t", path="t.csv")[1] == [[1, "a"], [2, "b"]]


def test_a_timesheet_with_letters_among_its_hours_has_days_for_names(tmp_path: Path) -> None:
    """A month of working hours, as personnel departments keep it: `Б` where somebody is ill."""
    days = list(range(1, 31))
    hours: list[list[Cell]] = [["Иванова", "Продажи", *(8 for _ in days)], ["Петров", "Склад", *("Б" for _ in days)]]
    titles: list[list[Cell]] = [["Табель учёта рабочего времени"], ["за ноябрь 2026"], []]
    workbook(tmp_path / "t.xlsx", {"Ноябрь": [*titles, ["Сотрудник", "Отдел", *days], *hours]})
    types, rows = table_of(tmp_path, "Ноябрь", path="t.xlsx")
    assert list(types) == ["Сотрудник", "Отдел", *map(str, days)]
    assert [row[0] for row in rows] == ["Иванова", "Петров"]


def test_years_above_numbers_are_names_though_some_values_are_missing_in_words(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "Показатель;2023;2024;2025\nВыручка;10;12;н/д\nПрибыль;н/д;3;4\n")
    types, rows = table_of(tmp_path, "t", path="t.csv", nulls="н/д")
    assert types == {"Показатель": "string", "2023": "int", "2024": "int", "2025": "int"}
    assert rows == [["Выручка", 10, 12, None], ["Прибыль", None, 3, 4]]


def test_rows_that_count_below_each_other_are_all_data(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "a;1;2;3;4;5;6;7\nb;2;3;4;5;6;7;8\nc;3;4;5;6;7;8;9\n")
    assert len(table_of(tmp_path, "t", path="t.csv")[1]) == 3


def test_a_type_that_is_chosen_for_a_column_without_values_holds(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", "a;paid;sum;at;day\nx;;;;\ny;;;;\n")
    types, rows = table_of(tmp_path, "t", path="t.csv", types="paid: int\nsum: double\nat: datetime\nday: date")
    assert types == {"a": "string", "paid": "int", "sum": "double", "at": "datetime", "day": "date"}
    assert rows[0] == ["x", None, None, None, None]
