"""The transcribed error tables are the documentation's: every row, no other, with its message.

The documentation lies beside the repository where it is developed (`../shared/seed`); a clone elsewhere has nothing to
compare with and relies on the transcription.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.services.seed_errors import ROWS, SYSTEM, skeleton

ROOT = Path(__file__).parents[3]
DOCUMENTATION = ROOT.parent / "shared" / "seed" / "bi-connector-api.md"
PAGE = re.compile(r"^## .*?(biconnector\.[a-z.]+)$")
CODE = re.compile(r"[A-Z]{2,}(_[A-Z]+)+|-")
SYSTEM_CODE = re.compile(r"[A-Za-z]+(_[A-Za-z]+)+")
SAMPLE = """
## Delete dataset biconnector.dataset.delete
Possible Error Codes
Possible Error Codes
Code
Description
Value
VALIDATION_UNKNOWN_PARAMETERS
Unknown parameters: #LIST_OF_PARAMS#
Unknown parameters detected: list
-
Error deleting dataset
Error deleting dataset
Statuses and System Error Codes
Status
Code
Error Message
Description
401
expired_token
The access token provided has expired
The provided
access token
has expired
Copied
"""


def documentation() -> list[str]:
    """The text of the documentation, if it is there."""
    return [DOCUMENTATION.read_text()] if DOCUMENTATION.exists() else []


def rows_in(text: str) -> Iterator[tuple[str, str, str]]:
    """Method, code and message of every row of the methods' own tables."""
    method, inside, lines = "", False, text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if page := PAGE.match(line):
            method = page[1]
        inside = (inside or (line, following) == ("Description", "Value")) and not line.startswith(
            "Statuses and System"
        )
        if inside and CODE.fullmatch(line):
            yield method, line.replace("-", ""), skeleton(following)


def system_rows_in(text: str) -> Iterator[tuple[str, tuple[int, str]]]:
    """Code, status and message of every row of the tables of system errors."""
    lines = text.splitlines()
    for status, code, message in zip(lines, lines[1:], lines[2:], strict=False):
        if re.fullmatch(r"[45]\d\d", status) and SYSTEM_CODE.fullmatch(code):
            yield code, (int(status), message)


def test_tables_are_read_as_the_documentation_writes_them() -> None:
    assert list(rows_in(SAMPLE)) == [
        ("biconnector.dataset.delete", "VALIDATION_UNKNOWN_PARAMETERS", "Unknown parameters: …"),
        ("biconnector.dataset.delete", "", "Error deleting dataset"),
    ]
    assert list(system_rows_in(SAMPLE)) == [("expired_token", (401, "The access token provided has expired"))]


def test_every_row_of_the_documentation_is_transcribed_and_no_other() -> None:
    for text in documentation():
        assert sorted(rows_in(text)) == sorted((row.method, row.code, row.skeleton) for row in ROWS)


def test_every_system_error_of_the_documentation_is_transcribed_and_no_other() -> None:
    for text in documentation():
        assert dict(system_rows_in(text)) == SYSTEM
