"""Catalogues are in step with the code and complete; a sentence in one language only fails here."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from services.portals.languages import SPOKEN

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = {path.parts[-3]: path for path in sorted((ROOT / "translations").glob("*/LC_MESSAGES/messages.po"))}
RUSSIAN = CATALOGUES["ru"]
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|%s|%d")
WITHOUT_YO = re.compile(r"\b(?:(?:не)?надежн|еще\b|отчет|учет|счет|объем|прием)", re.IGNORECASE)
SAME_IN_BOTH: frozenset[str] = frozenset()


def catalogue(path: Path) -> Catalog:
    """A catalogue from its file."""
    return read_po(io.BytesIO(path.read_bytes()), locale=path.parts[-3] if path.suffix == ".po" else None)


def extracted(folder: Path) -> Catalog:
    """The sentences that stand in code and templates now, collected as `make translations` does."""
    target = folder / "messages.pot"
    extract = [*("--mapping", "babel.cfg"), *("--keyword", "_l"), "--no-location", "--omit-header"]
    command = [
        sys.executable,
        "-m",
        "babel.messages.frontend",
        "--quiet",
        "extract",
        *extract,
        "--output",
        str(target),
        ".",
    ]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    return catalogue(target)


def sentences(found: Catalog) -> dict[str, Message]:
    """Messages by their English text."""
    return {message.id if isinstance(message.id, str) else message.id[0]: message for message in found if message.id}


def parts(text: str | list[str] | tuple[str, ...] | None) -> list[str]:
    """The forms of a sentence: one, or one per plural."""
    return [text] if isinstance(text, str) else list(text or [""])


def test_catalogues_are_in_step_with_code_and_templates(tmp_path: Path) -> None:
    now = sentences(extracted(tmp_path)).keys()
    assert sentences(catalogue(ROOT / "translations" / "messages.pot")).keys() == now, "run `make translations`"
    for path in CATALOGUES.values():
        assert sentences(catalogue(path)).keys() == now, "run `make translations`"


def test_every_language_that_pages_speak_has_its_catalogue() -> None:
    assert set(SPOKEN) == {"en", *CATALOGUES}


def test_no_sentence_hides_in_a_formatted_text_where_collecting_does_not_find_it() -> None:
    hidden = []
    for path in (
        path
        for door in ("admin", "web", "sentences", "install", "drivers")
        for path in sorted((ROOT / door).rglob("*.py"))
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            calls = ast.walk(node) if isinstance(node, ast.JoinedStr) else ()
            names = [call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)]
            hidden += [f"{path.name}:{node.lineno}" for name in names if name in ("_", "_l", "ngettext")]  # type: ignore[attr-defined]  # a JoinedStr has a line
    assert hidden == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_sentence_is_translated_with_all_its_plural_forms(language: str) -> None:
    found = catalogue(CATALOGUES[language])
    assert not found.fuzzy, "a catalogue with a fuzzy header is not compiled"
    for text, message in sentences(found).items():
        assert all(parts(message.string)), text
        assert not message.fuzzy, text
        if message.pluralizable:
            assert len(parts(message.string)) == found.num_plurals, text


@pytest.mark.parametrize("language", CATALOGUES)
def test_translations_keep_the_placeholders_and_the_full_stop(language: str) -> None:
    for text, message in sentences(catalogue(CATALOGUES[language])).items():
        for form in parts(message.string):
            assert sorted(PLACEHOLDER.findall(form)) == sorted(PLACEHOLDER.findall(text)), text
            assert form.endswith(".") == text.endswith("."), text


def test_translations_are_russian_and_typed_as_russian() -> None:
    for text, message in sentences(catalogue(RUSSIAN)).items():
        for form in parts(message.string):
            assert re.search("[а-я]", form) or form in SAME_IN_BOTH, text
            assert not re.search('[“”"]|\\s-\\s|—', form), f"{text}: quotes are « », dashes are –"


@pytest.mark.parametrize("template", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_templates_hold_no_untranslated_words(template: Path) -> None:
    if template.name == "patterns.html":
        return
    text = template.read_text(encoding="utf-8")
    text = re.sub(r"<(code|pre)\b.*?</\1>", " ", text, flags=re.DOTALL)  # what is typed elsewhere has no language
    for what in (r"{#.*?#}|{%.*?%}|{{.*?}}", r"<[^>]*>", r'[\w-]+="[^"]*"'):
        text = re.sub(what, " ", text, flags=re.DOTALL)
    assert not re.findall(r"[A-Za-zА-Яа-я]{2,}", text)


def test_the_russian_form_for_one_fits_twenty_one_as_well() -> None:
    """Russian counts 21 and 61 like 1, so what follows the counted sentence may not speak of a single thing."""
    for message in catalogue(RUSSIAN):
        if isinstance(message.id, tuple):
            afterwards = {form.partition(". ")[2] for form in parts(message.string)}
            assert len(afterwards) == 1, message.id


def test_the_letter_yo_is_written() -> None:
    texts = [form for message in catalogue(RUSSIAN) for form in parts(message.string)]
    assert [text for text in texts if WITHOUT_YO.search(text)] == []


def test_what_is_done_and_what_is_typed_are_two_words_in_russian() -> None:
    """English has 'login' for the step of a test and for the name of a user."""
    step = catalogue(RUSSIAN).get("Login", context="step of a test")
    typed = catalogue(RUSSIAN).get("Login")
    assert (step and step.string, typed and typed.string) == ("Вход", "Логин")


def test_the_page_about_troubles_uses_the_words_that_are_seen() -> None:
    rows = (ROOT / "docs" / "user" / "troubles.md").read_text(encoding="utf-8").splitlines()
    seen = [row.split("|")[1].strip() for row in rows if row.startswith("| ")][1:]
    words = [re.sub(r'^"(.*)".*|, when .*', r"\1", text) for text in seen]
    said = "\n".join(sentences(catalogue(RUSSIAN))).lower()
    assert [text for text in words if text.lower() not in said] == [
        "a sentence under a field",
        "a chart is out of date",
    ]


def test_the_application_is_called_by_one_word() -> None:
    assert [sentence for sentence in sentences(catalogue(RUSSIAN)) if re.search(r"\bapps?\b", sentence)] == []
