"""Whatever happens to a database or on the way to it, an answer is whole or it is a failure (facts/security 7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.faults import FAULTS, PORTS, RECOVERY_SECONDS, provoked


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("kind", PORTS)
def test_a_fault_is_a_documented_status_and_over_when_it_ends(kind: str, encrypted: bool, tmp_path: Path) -> None:
    results = provoked(kind, tmp_path, seed=1, times=1, encrypted=encrypted)
    assert [result for result in results if not result.is_right] == []
    assert [result for result in results if result.recovered > RECOVERY_SECONDS] == []
    assert len(results) == len(FAULTS) - (2 if encrypted else 0)
    assert 200 not in {result.status for result in results}
