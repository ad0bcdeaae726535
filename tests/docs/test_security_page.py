"""The page of security names every threat of the facts, code that is there, and tests that exist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operate" / "security.md"
FACTS = ROOT / "docs" / "facts" / "security.md"

TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
CODE = re.compile(r"`([\w/]+(?:\.\w+|/))`")


@dataclass(frozen=True)
class ProofRow:
    """A row of the page: its first two cells, and its tests as `path::name`."""

    heading: str
    number: str
    text: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    gap: str


def proof_rows(page: str) -> list[ProofRow]:
    """The rows of the page's tables that name proofs."""
    rows, heading = [], ""
    for line in page.splitlines():
        heading = line[3:] if line.startswith("## ") else heading
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if heading not in ("Threats", "Insiders and neighbours", "Items of the ASVS 5.0") or len(cells) < 3:
            continue
        if cells[0] in ("#", "threat", "item") or set(cells[0]) == {"-"}:
            continue
        tests = tuple(f"{path}::{name}" for path, name in TEST.findall(line))
        number, text = (cells[0], cells[1]) if heading != "Insiders and neighbours" else ("", cells[0])
        gap = cells[-1] if not TEST.search(cells[-1]) and cells[-1] != "-" else ""
        rows.append(ProofRow(heading, number, text, tuple(CODE.findall(TEST.sub("", line))), tests, gap))
    return rows


ROWS = proof_rows(PAGE.read_text(encoding="utf-8"))


def test_every_threat_of_the_facts_has_its_row() -> None:
    facts = re.findall(r"^\| (\d+) \| ([^|]+) \|", FACTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [number for number, _ in facts] == [row.number for row in ROWS if row.heading == "Threats"]
    assert len(facts) == 25


def test_every_item_of_the_asvs_is_claimed_or_said_not_to_be() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = FACTS.read_text(encoding="utf-8").partition("ASVS items to fulfil")[2].partition("\n\n")[0]
    wanted = set(re.findall(r"(?<![\w.])\d+\.\d+\.\d+(?!\w)", listed.replace("3.4.1-3.4.6", "3.4.1"))) - {"2.2"}
    spans = {"7.3.2", "13.1.3", "13.2.5", "15.1.3", "16.5.3"}
    told = page.partition("## Items of the ASVS 5.0")[2]
    assert sorted(item for item in wanted | spans if item not in told) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.heading} {row.number} {row.text[:40]}")
def test_a_row_has_a_proof_or_says_what_is_missing(row: ProofRow) -> None:
    assert row.tests or row.gap
    assert [test for test in row.tests if not is_a_test(test)] == []
    assert [path for path in row.code if not (ROOT / path).exists()] == []


def test_a_test_that_does_not_exist_is_found_out() -> None:
    assert is_a_test("tests/docs/test_security_page.py::test_a_test_that_does_not_exist_is_found_out")
    assert not is_a_test("tests/docs/test_security_page.py::test_that_nobody_wrote")
    assert not is_a_test(f"{PAGE.parent}/none.py::test_that_nobody_wrote")


def is_a_test(name: str) -> bool:
    path, _, function = name.partition("::")
    module = ROOT / path
    return module.is_file() and re.search(rf"^def {function}\(", module.read_text("utf-8"), re.MULTILINE) is not None
