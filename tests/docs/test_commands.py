"""Every command of the application stands on the page for operators, and no other."""

from __future__ import annotations

import re

from cli import connections, database, keys, portals, uploads
from tests.docs.test_citations import ROOT

PAGE = (ROOT / "docs" / "operate" / "README.md").read_text("utf-8")


def test_every_command_is_documented_and_no_other() -> None:
    groups = (keys.group, portals.group, connections.group, uploads.group)
    known = {database.upgrade.name, *(f"{group.name} {name}" for group in groups for name in group.commands)}
    documented = set()
    for cell in re.findall(r"^\| (`flask .*?) \|", PAGE, re.MULTILINE):
        # `flask group first`, `second`: the others of a group follow the first one.
        first, *others = (re.sub(r" (-|[A-Z]).*", "", name) for name in re.findall("`(.+?)`", cell))
        command = first.removeprefix("flask ")
        documented |= {command, *(f"{command.partition(' ')[0]} {name}" for name in others)}
    assert documented == known
