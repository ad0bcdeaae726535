"""Listeners that count who connects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.servers import Canary


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary(["127.0.0.1", "127.0.0.2", "::1"]) as listeners:
        yield listeners
