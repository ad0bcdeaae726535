"""Commands that mend what stops the start run in spite of it, and no other does."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.mending import mended
from models.revisions import ROOT
from services.connections.uploads import Uploads
from tests.doors import CLIENT_ID, CLIENT_SECRET, key, lay_tables
from tests.waiting import HANG


@pytest.mark.parametrize(
    ("line", "overlooked"),
    [
        ("flask db-upgrade", {"revision", "keys", "uploads"}),
        ("/venv/bin/flask --app app db-upgrade", {"revision", "keys", "uploads"}),
        ("flask uploads adopt", {"uploads"}),
        ("flask keys forget k1 --yes", {"keys", "uploads"}),
        ("flask keys rotate", set()),
        ("flask portals tend", set()),
        ("flask portals erase db-upgraded", set()),
        ("gunicorn --config gunicorn.conf.py app:create_app()", set()),
    ],
)
def test_what_is_overlooked_follows_from_the_command(line: str, overlooked: set[str]) -> None:
    assert mended(line.split()) == overlooked


def flask(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flask", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=HANG)


def test_a_folder_of_another_database_stops_every_command_but_the_one_that_adopts_it(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path / 'app.db'}", tmp_path / "uploads"
    lay_tables(url)
    Uploads(folder, 1000, lambda: "another").keep(7, "sales.csv", io.BytesIO(b"a\n1\n"))
    environment = os.environ | {
        "DATABASE_URL": url,
        "UPLOADS": str(folder),
        "SECRET_KEYS": key("k1"),
        "BITRIX24_CLIENT_ID": CLIENT_ID,
        "BITRIX24_CLIENT_SECRET": CLIENT_SECRET,
    }
    refused = flask(environment, "portals", "tend")
    assert (refused.returncode, "belongs to another database" in refused.stderr) == (1, True)
    assert "Traceback" not in refused.stderr
    assert list(folder.glob("7/*/sales.csv"))
    adopted = flask(environment, "uploads", "adopt")
    assert (adopted.returncode, "1 files" in adopted.stdout) == (0, True), adopted.stderr
    tended = flask(environment, "portals", "tend")
    assert (tended.returncode, "Moved to the trash: 7/" in tended.stdout) == (0, True), tended.stderr
