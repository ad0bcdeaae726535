"""A column of SQLite that was published as texts delivers the stored texts, also once all of them are dates."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw
import pytest

from tests.gateway.hosting import hosting


@pytest.mark.parametrize(
    ("declared", "texts"),
    [
        ("TEXT", ["2025-12-31T10:20:30.5Z", "2025-12-30T10:20:30Z"]),
        ("TEXT", ["31.12.2025", "30.12.2025"]),
        ("DATE", ["31.12.2025", "2025-12-30"]),
        ("BOOLEAN", ["true", "f"]),
    ],
)
def test_texts_stay_the_texts_that_they_are(tmp_path: Path, declared: str, texts: list[str]) -> None:
    with contextlib.closing(apsw.Connection(str(tmp_path / "t.db"))) as database, hosting(tmp_path) as host:
        database.execute(f"CREATE TABLE t(v {declared}); INSERT INTO t VALUES ('soon')")
        connected = host.connect("sqlite", {"path": "t.db"})
        described = connected.call("urlTableDescription", {"table": "t"}).get_json()
        assert described == [{"code": "V", "name": "V", "type": "string"}]
        database.execute("DELETE FROM t")
        database.executemany("INSERT INTO t VALUES (?)", [(text,) for text in texts])
        assert connected.data(table="t") == [["V"], *([text] for text in texts)]
        for text in texts:
            assert connected.data(table="t", filter={"=V": [text]}) == [["V"], [text]]
