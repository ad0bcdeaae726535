"""Searches that ignore case find every letter in its other case, each text by its own letters (facts/field 5.35)."""

from __future__ import annotations

import pytest

from drivers.columns import Form
from drivers.query import Contains
from tests.suite.databases import Database, read

#: Capital and small letter: Latin, Russian, Greek, Abkhaz, the palochka of the Caucasus, Coptic, Glagolitic.
LETTERS = ("Zz", "Öö", "Ёё", "Σσ", "Ԥԥ", "\u04c0\u04cf", "Ⲁⲁ", "Ⰰⰰ")


@pytest.mark.parametrize("pair", LETTERS)
def test_a_letter_is_found_in_both_cases(database: Database, pair: str) -> None:
    columns = {"id": database.types[Form.INTEGER], "title": database.types[Form.TEXT]}
    # Behind other letters a sigma at the end of a word has a small letter of its own.
    rows = [[number, f"x{letter}"] for number, letter in enumerate(pair)]
    table = database.create(f"cases_{LETTERS.index(pair)}", columns, rows)
    with database.open() as session:
        for letter in pair:
            assert sorted(read(session, table, ["id"], Contains("title", letter))) == [[0], [1]]
