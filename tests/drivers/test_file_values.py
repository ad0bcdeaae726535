"""Values of files: digits of CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drivers.files import sent, table_of, written


@pytest.mark.parametrize(
    ("values", "portal", "shown"),
    [
        (["9223372036854775807", "-9223372036854775808"], "int", "9223372036854775807"),
        (["9223372036854775808", "1"], "string", '"9223372036854775808"'),
        (["1.5e400", "1e5"], "string", '"1.5e400"'),
        (["1.5e-400", "1e5"], "string", '"1.5e-400"'),
        (["0.1234567890123456789012", "1e5"], "string", '"0.1234567890123456789012"'),
        (["12345678901234567.12345678901234567890", "1"], "string", '"12345678901234567.12345678901234567890"'),
        (["1.234567890123456e-05", "0.000", "2500000000000000000000"], "double", "0.00001234567890123456"),
    ],
)
def test_a_number_of_csv_keeps_every_digit_or_its_column_is_text(
    tmp_path: Path, values: list[str], portal: str, shown: str
) -> None:
    """issue 3 item 4: 64-bit integers exact; no value becomes null because its type cannot hold it."""
    written(tmp_path, "t.csv", "v;n\n" + "".join(f"{value};1\n" for value in values))
    assert table_of(tmp_path, "t", path="t.csv")[0]["v"] == portal
    assert sent(tmp_path, "t", ("v",), path="t.csv").split("\n")[0] == f"[{shown}],"
