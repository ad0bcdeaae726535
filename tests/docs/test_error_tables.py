"""The error tables that tests go by are those of facts/api 6: every row, no other, with its text."""

from __future__ import annotations

import re
from pathlib import Path

from tests.services.documented_errors import ROWS, SYSTEM, skeleton

PAGE = (Path(__file__).parents[2] / "docs" / "facts" / "api.md").read_text()


def table(section: str) -> list[list[str]]:
    """The cells of the rows of the table in a section of the page, without its head."""
    text = re.split(r"^\d\.\d ", PAGE.partition(f"\n{section} ")[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return rows[1:]


def test_every_row_of_the_methods_tables_is_transcribed_and_no_other() -> None:
    texts = {code.replace("`", ""): text for code, text in table("6.2")}
    documented = [
        (f"biconnector.{method}", code.replace("-", ""), skeleton(texts[f"-, {method}" if code == "-" else code]))
        for method, codes in ((name.strip("`"), re.findall("`(.+?)`", codes)) for name, codes in table("6.1"))
        for code in codes
    ]
    assert sorted(documented) == sorted((row.method, row.code, row.skeleton) for row in ROWS)


def test_every_error_of_any_method_is_transcribed_and_no_other() -> None:
    assert {code.strip("`"): (int(status), text) for code, status, text in table("6.3")} == SYSTEM
