"""Every citation of a fact leads to a place in `docs/facts`, and nothing cites what the repository does not hold."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {path.stem: path for path in (ROOT / "docs" / "facts").glob("*.md") if path.stem != "README"}

NUMBER = r"\d+(?:\.\d+)?[a-z]?(?![\w.]*\w|,\d)"
WHOLE = r"\d+(?![\w.]*\w|,\d)"
COMMA = r"(?: *, +and +| *, +| +and +)"
RANGE = r"(?: *- *| +to +)"
CODES = r"[A-Z][A-Z0-9]+\b"
CITATION = re.compile(r"(?<![\w/])facts/(\w+)")
SECTION = re.compile(rf" +({NUMBER})(?:{RANGE}({NUMBER}))?")
ONE = re.compile(rf" +(row|item|step|layer) +({WHOLE})")
SEVERAL = re.compile(rf" +(row|item|step|layer)s +({WHOLE}(?:{RANGE}{WHOLE})?(?:{COMMA}{WHOLE}(?:{RANGE}{WHOLE})?)*)")
NAMED = re.compile(rf' +(?:"([^"]+)"|({CODES}(?:{COMMA}{CODES})*))')
NEXT = re.compile(rf"{COMMA}(?=\d)")
# What looks like the rest of a citation and is none: such a place would never be looked up.
LEFT_OVER = re.compile(
    rf" *(?:,|;|-|and\b|to\b)? *(?:\d|(?:row|item|step|layer|section)s?\b|(?:{'|'.join(PAGES)}) \d)"
    rf'|,? +"[A-Z]| *, +(?:[A-Z]\d|(?:{CODES}) *[;:)])'
)
OUTSIDE = re.compile(r"\.\./shared|(?<![\w/-])shared[/]|\bissues? \d+\b|\bstyle +(?:principle|\d)")

Places = dict[str, set[int | str]]


def places_of(page: str) -> Places:
    """Sections in their order, each with what can be cited below it: numbers of lines and rows, names, layers."""
    found: Places = {}
    section, follows_blank = "", True

    def open_section(number: str) -> str:
        assert number not in found, f"section {number} is there twice"
        found[number] = set()
        return number

    for line in page.splitlines():
        if heading := re.match(r"#+ (\d+(?:\.\d+)?)\.? ", line):
            section = open_section(heading[1])
        elif follows_blank and (paragraph := re.match(rf"({NUMBER}) ", line)) and "." in paragraph[1]:
            section = open_section(paragraph[1])
        elif section:
            found[section] |= below(line)
        follows_blank = not line.strip()
    both = {f"{number}.{place}" for number, places in found.items() for place in places} & found.keys()
    assert not both, f"sections that are lines of another section as well: {both}"
    return found


def below(line: str) -> set[int | str]:
    """What a line of a page can be cited as, beside its section."""
    if numbered := re.match(r"(?:\| )?(\d+)(?: \||\. )", line):
        return {int(numbered[1])}
    if coded := re.match(r"- ([A-Z]+\d+)\. ", line):
        return {coded[1]}
    if layer := re.match(r"\*\*Layer (\d+)", line):
        return {f"layer {layer[1]}"}
    if named := re.match(r"(?:- )?(?:\*\*([^*]+)\*\*|`(\w+)`)|\| \**(\w[^|]*?)\** \|", line):
        return {next(name for name in named.groups() if name).strip("`,:. ")}
    return set()


def in_one_line(text: str) -> str:
    """`text` with sentences over several lines in one, comments' marks blanked, every letter at its old place."""
    lines = text.split("\n")
    marks = [line[: len(line) - len(line.lstrip(" \t#/*"))] for line in lines]
    joined = lines[0]
    for before, line, mark_before, mark in zip(lines, lines[1:], marks, marks[1:], strict=False):
        alike = mark_before.strip() == mark.strip() and line.strip() and "  # " not in before
        joined += " " * (1 + len(mark)) + line[len(mark) :] if alike else "\n" + line
    return joined


def unknown_in(citation: str, places: dict[str, Places]) -> Iterator[str]:
    """What is wrong with the citation with which a text, `in_one_line`, begins."""
    start = CITATION.match(citation)
    assert start, citation
    if (page := places.get(start[1])) is None:
        yield f"no page {start[1]}"
        return
    order, at = list(page), start.end()
    if not SECTION.match(citation, at):
        yield "no section"
        return
    while section := SECTION.match(citation, at):
        at = section.end()
        first, last = section[1], section[2] or section[1]
        if not (known(first, page) and known(last, page)):
            yield f"no section {section[0].strip()}"
        elif section[2] and (first not in page or last not in page or order.index(first) >= order.index(last)):
            yield f"no range {section[0].strip()}"
        for pattern in (ONE, SEVERAL, NAMED):
            if place := pattern.match(citation, at):
                at = place.end()
                yield from (
                    f"no {name} in {last}" for name in named_in(place, pattern) if name not in page.get(last, ())
                )
                break
        following = NEXT.match(citation, at)
        if not following or not SECTION.match(" " + citation[following.end() :]):
            break
        # A section begins with a blank, which the comma before it has taken.
        at = following.end() - 1
    if left := LEFT_OVER.match(citation, at):
        yield f"not understood from {left[0].strip()!r} on"


def known(number: str, page: Places) -> bool:
    """Whether `number` is a section, or as in `0.8` a numbered line of one."""
    section, _, line = number.partition(".")
    return number in page or (line.isdigit() and int(line) in page.get(section, ()))


def named_in(place: re.Match[str], pattern: re.Pattern[str]) -> Iterator[int | str]:
    """The places that follow a section, as `places_of` has them."""
    if pattern is NAMED:
        yield from [place[1]] if place[1] else re.findall(CODES, place[2])
        return
    for first, last in re.findall(rf"(\d+)(?:{RANGE}(\d+))?", place[2]):
        for number in range(int(first), int(last or first) + 1):
            yield f"layer {number}" if place[1] == "layer" else number


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Every text of the repository with its path; pictures and other binary files are left out."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            yield name, content.decode("utf-8", "replace")


def test_every_citation_leads_to_a_place_in_the_facts() -> None:
    places = {name: places_of(path.read_text()) for name, path in PAGES.items()}
    wrong = []
    for name, text in tracked_texts():
        flat = in_one_line(text)
        for start in CITATION.finditer(flat):
            for problem in unknown_in(flat[start.start() : start.start() + 200], places):
                wrong.append(f"{name}:{text.count(chr(10), 0, start.start()) + 1}: {start[0]}: {problem}")
    assert wrong == []


def test_nothing_is_cited_that_the_repository_does_not_hold() -> None:
    wrong = [
        f"{name}:{number}: {found[0]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := OUTSIDE.search(line))
    ]
    assert wrong == []


PAGE = """
## 1. Rows

| # | what |
|---|---|
| 1 | one |
| 2 | two |
| **Soak** | hours |

## 2. Paragraphs

2.1 One.

2.1a Another, see
2.9 elsewhere.

2.2 Last.

## 3. Places

### 3.1 Steps

1. First.
2. Second.

**Layer 4, budgets**: few.

- T1. A rule.
- D1. A rule.
- `ONE_NAME`: something.
"""


def test_the_places_of_a_page_are_its_headings_paragraphs_rows_lines_and_names() -> None:
    assert places_of(PAGE) == {
        "1": {1, 2, "Soak"},
        "2": set(),
        "2.1": set(),
        "2.1a": set(),
        "2.2": set(),
        "3": set(),
        "3.1": {1, 2, "layer 4", "T1", "D1", "ONE_NAME"},
    }


@pytest.mark.parametrize("section", ["## 1. Rows", "### 1.2 Two"])
def test_a_number_stands_for_one_place(section: str) -> None:
    with pytest.raises(AssertionError, match=r"twice|as well"):
        places_of(f"{PAGE}\n{section}\n")


@pytest.mark.parametrize(
    "citation",
    [
        "1",
        "1 row 2)",
        "1 rows 1 and 2, 2.1",
        "1.2",
        "1 rows 1-2.",
        "1 rows 1 to 2, 3.1",
        '1 "Soak", 1 row 1',
        "2.1-2.2, 1",
        "2.1 to 2.1a and 3",
        "3.1 layer 4: a reason",
        "3.1 step 2, where 3 wait",
        "3.1 T1 and D1",
        '3.1 "ONE_NAME"; others',
        "2.1, as said; 9 more",
        "3.1, 2.2, and 1",
    ],
)
def test_citations_are_understood_in_all_their_shapes(citation: str) -> None:
    assert list(unknown_in(f"facts/{'page'} {citation}", {"page": places_of(PAGE)})) == []


@pytest.mark.parametrize(
    ("citation", "problem"),
    [
        ("page", "no section"),
        ("page: nothing", "no section"),
        ("other 1", "no page other"),
        ("page 4", "no section 4"),
        ("page 2.9", "no section 2.9"),
        ("page 1, 4", "no section 4"),
        ("page 1 and 4.1", "no section 4.1"),
        ("page 2.1b", "no section 2.1b"),
        ("page 2.2-2.1", "no range 2.2-2.1"),
        ("page 1 row 3", "no 3 in 1"),
        ("page 1 rows 1, 3", "no 3 in 1"),
        ("page 1 rows 1-3", "no 3 in 1"),
        ("page 3.1 layer 1", "no layer 1 in 3.1"),
        ("page 3.1 T1 and T2", "no T2 in 3.1"),
        ('page 1 "Noise"', "no Noise in 1"),
        ("page 1.3", "no section 1.3"),
        ('page 1 rows 1, 2 "Soak"', "not understood from '\"S' on"),
        ("page 1, row 2", "not understood from ', row' on"),
        ("page 1 row 1.5", "not understood from 'row' on"),
        ('page 1, "Soak"', "not understood from ', \"S' on"),
        ("page 3.1, T1", "not understood from ', T1' on"),
        ("page 1, 2,000 rows", "not understood from ', 2' on"),
        ("page 1, security 5", "not understood from ', security 5' on"),
        ("page section 1", "no section"),
    ],
)
def test_a_citation_of_what_is_not_there_is_told(citation: str, problem: str) -> None:
    assert list(unknown_in(f"facts/{citation}", {"page": places_of(PAGE)})) == [problem]


def test_a_citation_goes_on_in_the_next_line_of_the_same_comment_only() -> None:
    text = "# facts, 1,\n    # 2.1\n2.2 = 3\nx = 1  # 4,\n5\n"
    flat = in_one_line(text)
    assert len(flat) == len(text)
    assert re.sub(" +", " ", flat) == "# facts, 1, 2.1\n2.2 = 3 x = 1 # 4,\n5\n"
