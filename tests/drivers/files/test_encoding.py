"""Texts without a word about their encoding are read by the bytes that tell it, or refused with a line."""

# ruff: noqa: RUF001 - these letters and signs are meant

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.errors import SettingsWrong
from tests.drivers.files.samples import opened, table_of, written

RUSSIAN = "Наименование;Сумма;Дата\r\nЧай черный;10,5;01.12.2026\r\nКофе молотый;20;02.12.2026\r\n"
POLISH = "Miasto;Kwota\r\nŁódź;10\r\nKraków;20\r\nGdańsk;30\r\nŚwięty Żar;40\r\n"
CZECH = "město;počet\nPříbram;1\nČeské Budějovice;2\nŽďár nad Sázavou;3\n"
GERMAN = "name;city\r\nMüller;Köln\r\nGroß;Düsseldorf\r\nJäger;Fürth\r\n"
FRENCH = "nom;ville\nHélène;Orléans\nFrançois;Châteauroux\nAgnès;Besançon\n"
CYRILLIC = ("cp1251", "cp866", "koi8-r", "iso8859_5", "mac_cyrillic")
UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
CENTRAL = ("cp1250", "iso8859_2", "cp852")


def rows_of(text: str) -> list[list[str]]:
    return [line.split(";") for line in text.splitlines()[1:]]


def as_texts(folder: Path, content: bytes, **settings: str) -> list[list[Any]]:
    written(folder, "t.csv", content)
    types, _ = table_of(folder, "t", path="t.csv", **settings)
    said = "\n".join(f"{name}: string" for name in types)
    return table_of(folder, "t", path="t.csv", types=said, **settings)[1]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((RUSSIAN, encoding) for encoding in (*CYRILLIC, *UNICODE)),
        *((text, encoding) for text in (POLISH, CZECH) for encoding in CENTRAL),
        *((GERMAN, encoding) for encoding in ("cp1252", "mac_roman", "cp850")),
        *((FRENCH, encoding) for encoding in ("cp1252", "mac_roman")),
        ("№;Имя\n1;Оля\n2;Юля\n", "cp1251"),
        ("ИНН;СУММА\n1;2\n", "cp866"),
        ("Місто;Кількість\nКиїв;1\nЛьвів;2\n", "cp1251"),
        ("Контрагент;ИНН\r\nООО «Ромашка»;1\r\nИП Петров — Тверь;2\r\n", "cp1251"),
        ("id;Όνομα\n1;Αθήνα Ελλάδα\n", "cp1253"),
        ("ID,名称\n1,北京\n2,上海\n".replace(",", ";"), "gb18030"),
    ],
)  # fmt: skip
def test_a_text_is_read_in_the_encoding_of_its_letters(tmp_path: Path, text: str, encoding: str) -> None:
    assert as_texts(tmp_path, text.encode(encoding)) == rows_of(text)


@pytest.mark.parametrize("encoding", CYRILLIC)
def test_letters_that_come_late_tell_the_encoding_of_all(tmp_path: Path, encoding: str) -> None:
    """What stands in the first 64 KiB, or in the first mebibyte, says nothing about what follows."""
    plain = "".join(f"{number};plain {number}\n" for number in range(80_000))
    written(tmp_path, "t.csv", ("id;t\n" + plain + "7;Сергей Иванов\n8;Мария Петрова\n").encode(encoding))
    _, rows = table_of(tmp_path, "t", path="t.csv")
    assert (len(rows), rows[-2:]) == (80_002, [[7, "Сергей Иванов"], [8, "Мария Петрова"]])


def test_blanks_between_digits_and_signs_of_money_are_no_letters(tmp_path: Path) -> None:
    written(tmp_path, "t.csv", b"a;b;c\nx;1\xa0234;5 \x80\ny;2\xa0000;7 \x80\n")
    types, rows = table_of(tmp_path, "t", path="t.csv")
    assert list(types.values()) == ["string", "int", "double"]
    assert rows == [["x", 1234, 5], ["y", 2000, 7]]


def test_a_damaged_letter_leaves_the_others_what_they_are(tmp_path: Path) -> None:
    good = "".join(f"{number};Чай зеленый\n" for number in range(5))
    written(tmp_path, "t.csv", ("id;t\n" + good).encode() + "5;Ко".encode()[:-1])
    _, rows = table_of(tmp_path, "t", path="t.csv")
    assert rows == [*([number, "Чай зеленый"] for number in range(5)), [5, "К\ufffd"]]


@pytest.mark.parametrize(
    ("content", "encoding", "told"),
    [
        ("имя;n\nЧай;1\n".encode() + "Кофе;2\nМолоко;3\n".encode("cp1251"), "", "line 3"),
        (bytes(range(128, 256)) * 3, "", "line 1"),
        ("id;t\n1;Чай\n".encode("cp1251"), "utf-8", "line 2"),
        (b"id;t\n1;a\n2;\x98\n", "cp1251", "line 3"),
        # Two readings are equally good: nobody can tell them apart by a single letter.
        ("a;b\nх;1\n".encode("cp1251"), "", "line 2"),
    ],
)  # fmt: skip
def test_bytes_of_no_encoding_are_told_with_their_line(
    tmp_path: Path, content: bytes, encoding: str, told: str
) -> None:
    written(tmp_path, "t.csv", content)
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="t.csv", encoding=encoding)
    assert (wrong.value.field, wrong.value.code) == ("encoding", "does_not_fit")
    assert told in wrong.value.detail
