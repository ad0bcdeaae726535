"""Every guard of the list is where its row says, and tests are named for it; `make guards` takes each of them away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.guards import GUARDS, ROOT, Guard, is_noticed


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_its_row_says(guard: Guard) -> None:
    assert (ROOT / guard.module).read_text(encoding="utf-8").count(guard.code) == 1
    assert guard.code != guard.without
    arguments = guard.tests.partition(" -k ")[0].split()
    assert [path for path in arguments if not (ROOT / path).exists()] == []


def test_names_are_told_apart() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= 40


def test_a_guard_that_no_test_notices_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "door.py").write_text("def is_open(key):\n    return key == 'right'\n")
    (tmp_path / "test_door.py").write_text(
        "from door import is_open\n\n\ndef test_right():\n    assert is_open('right')\n"
    )
    guard = Guard("the key is compared", "door.py", "return key == 'right'", "return True", "test_door.py")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    assert not is_noticed(guard, tmp_path)
    (tmp_path / "test_wrong.py").write_text(
        "from door import is_open\n\n\ndef test_wrong():\n    assert not is_open('x')\n"
    )
    assert is_noticed(
        Guard(guard.name, guard.module, guard.code, guard.without, "test_door.py test_wrong.py"), tmp_path
    )
    assert "return key == 'right'" in (tmp_path / "door.py").read_text()
