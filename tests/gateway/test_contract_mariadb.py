"""A published name keeps its meaning and its type, or is refused, whatever becomes of the table of MariaDB."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.changed_tables import BATCHES, prove


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_answer_is_that_of_the_contract_or_a_refusal(batch: int, tmp_path: Path) -> None:
    prove("mariadb", batch, tmp_path)
