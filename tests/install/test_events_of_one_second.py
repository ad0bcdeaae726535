"""Events are told apart by their `ts`, which counts whole seconds (facts/platform 4)."""

from __future__ import annotations

import time

import pytest

from tests.doors import Stage


@pytest.mark.parametrize("clean", [False, True])
def test_the_events_of_a_reinstallation_in_the_same_second_are_new(installed: Stage, clean: bool) -> None:
    """facts/platform 9 T7: removal and reinstallation on the same portal succeed."""
    installed.control("clock", at=time.time())
    for _ in range(2):
        installed.register()
        assert installed.install().status_code == 200
        installed.finish()
        system = installed.record().background_user_id
        assert system not in (None, 1)
        assert system in {row["user_id"] for row in installed.rows()["grants"]}
        installed.control("uninstall", clean=clean)
        assert installed.rows()["grants"] == []
