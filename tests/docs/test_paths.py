"""Paths that texts of the repository name, and places that its pages link to, are there."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

from tests.docs.test_citations import ROOT, tracked_texts

TEXTS = dict(tracked_texts())
PAGES = {name: text for name, text in TEXTS.items() if name.endswith(".md")}
NAMES = {*TEXTS, *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.png"))}
PLACES = NAMES | {str(folder) for name in NAMES for folder in PurePosixPath(name).parents}
FOLDERS = sorted({name.partition("/")[0] for name in NAMES if "/" in name})

PATH = re.compile(rf"(?<![\w/.<{{}}-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*\w")
FILE = re.compile(r"(?<![\w/.*-])[\w/]+\.py\b")
MODULE = re.compile(r"`((?:drivers|egress|emulator|gateway|models|services)\.[a-z_.]*[a-z])")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#?([\w-]*)\)")


def is_there(path: str) -> bool:
    """Whether a path is a file or folder, also below those of templates and tests, or begins the name of a page."""
    whole = {path, f"templates/{path}", f"tests/{path}"} & PLACES
    return bool(whole) or any(name.startswith(f"{path}-") for name in NAMES)


def is_module(name: str) -> bool:
    """Whether a dotted name is a module, a package, or something that one of them defines."""
    path, _, last = name.replace(".", "/").rpartition("/")
    whole = {f"{path}/{last}.py", f"{path}/{last}/__init__.py"} & PLACES
    return bool(whole) or any(last in TEXTS.get(place, "") for place in (f"{path}.py", f"{path}/__init__.py"))


def anchors(page: str) -> set[str]:
    """What the headings of a page can be linked as."""
    headings = re.findall(r"^#+ (.*)", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def found(pattern: re.Pattern[str], texts: dict[str, str]) -> list[tuple[str, str]]:
    """What `pattern` finds in texts, each with its text's name and line."""
    return [
        (f"{name}:{number}", path)
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        for path in pattern.findall(line)
    ]


def test_every_path_in_a_text_is_there() -> None:
    assert [(place, path) for place, path in found(PATH, TEXTS) if not is_there(path)] == []


def test_every_module_that_a_page_names_is_there() -> None:
    # The facts tell of modules of other people's programs as well.
    ours = {name: text for name, text in PAGES.items() if not name.startswith("docs/facts/")}
    ends = tuple(f"/{name}" for name in NAMES)
    assert [(place, file) for place, file in found(FILE, ours) if not any(e.endswith(f"/{file}") for e in ends)] == []
    assert [(place, name) for place, name in found(MODULE, ours) if not is_module(name)] == []


def test_every_link_of_a_page_leads_to_a_page_and_its_heading() -> None:
    wrong = []
    for name, text in PAGES.items():
        for target, anchor in LINK.findall(text):
            path = os.path.normpath(PurePosixPath(name).parent / target) if target else name
            if path not in PLACES or (anchor and anchor not in anchors(TEXTS[path])):
                wrong.append(f"{name}: {target}#{anchor}")
    assert wrong == []
