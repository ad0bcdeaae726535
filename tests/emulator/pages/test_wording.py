"""Two languages, completely."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import emulator.pages
from emulator.pages.report import COMPARISONS
from emulator.pages.russian import SENTENCES
from emulator.pages.table import CHART_TITLES
from emulator.pages.wording import ENGLISH, RUSSIAN, speech
from emulator.portal import APP_TITLE, FIRST_USERS

PAGES = Path(emulator.pages.__file__).parent
TEMPLATES = PAGES.parent / "templates"
SPOKEN = re.compile(r"""\bsay\(\s*(?:"([^"]+)"|'([^']+)')""")


def sentences_in_use() -> dict[str, str]:
    """Every sentence that a template or a module says, with where."""
    used = {}
    for path in TEMPLATES.rglob("*.html"):
        for match in SPOKEN.finditer(path.read_text()):
            used[match[1] or match[2]] = path.name
    for path in PAGES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in SENTENCES and path.name != "russian.py":
                used[str(node.value)] = path.name
    used |= {user.position: "users" for user in FIRST_USERS} | {APP_TITLE: "market"}
    return used


def test_every_sentence_of_the_templates_is_in_the_table() -> None:
    assert {sentence: place for sentence, place in sentences_in_use().items() if sentence not in SENTENCES} == {}


def test_every_sentence_of_the_table_is_in_use() -> None:
    assert SENTENCES.keys() - sentences_in_use().keys() == set()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_both_languages_fill_in_the_same_values(sentence: str) -> None:
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert names(SENTENCES[sentence]) == names(sentence)
    assert re.search("[а-яА-ЯёЁ]", SENTENCES[sentence])


def test_sentences_chosen_by_code_are_in_the_table() -> None:
    assert {comparison.label for comparison in COMPARISONS.values()} | set(CHART_TITLES.values()) <= SENTENCES.keys()


def test_a_sentence_that_nobody_translated_is_an_error() -> None:
    with pytest.raises(KeyError):
        ENGLISH("Nobody wrote this down")


@pytest.mark.parametrize(
    ("number", "english", "russian"),
    [
        (0, "0", "0"),
        (1234567.891, "1,234,567.89", "1\xa0234\xa0567,89"),
        (-0.5, "-0.5", "-0,5"),
        (1000, "1,000", "1\xa0000"),
    ],
)
def test_numbers_are_written_as_the_language_does(number: float, english: str, russian: str) -> None:
    assert (ENGLISH.number(number), RUSSIAN.number(number)) == (english, russian)


def test_other_languages_get_english() -> None:
    assert speech("br") is ENGLISH
