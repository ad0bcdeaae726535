"""Whoever opens the repository finds every name of its root explained."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
KNOWN_EVERYWHERE = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".gitignore"}


def test_every_top_level_name_is_explained_in_contributing() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    names = {path.split("/")[0] for path in files} - KNOWN_EVERYWHERE
    table = [
        line.split("|")[1] for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("| `")
    ]
    explained = {name.rstrip("/") for cell in table for name in re.findall(r"`([^`]+)`", cell)}
    assert names == explained
