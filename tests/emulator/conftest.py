"""Fixtures of the emulator's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from tests.emulator.portals import EmulatedPortal


@pytest.fixture
def emulated() -> EmulatedPortal:
    """A fresh portal of the newer generation."""
    return EmulatedPortal()


@pytest.fixture
def older() -> EmulatedPortal:
    """A fresh portal of the older generation."""
    portal = EmulatedPortal()
    portal.control("generation", generation="older")
    return portal


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    """Everything the emulator sends; calls that a test does not expect fail like an unreachable host."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
