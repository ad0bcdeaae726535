"""Fixtures of the emulator's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from tests.emulator.portals import EmulatedPortal, emulated_portal


@pytest.fixture
def emulated() -> Iterator[EmulatedPortal]:
    """A fresh portal of the newer generation."""
    with emulated_portal() as portal:
        yield portal


@pytest.fixture
def older() -> Iterator[EmulatedPortal]:
    """A fresh portal of the older generation."""
    with emulated_portal() as portal:
        portal.control("generation", generation="older")
        yield portal


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    """Everything the emulator sends; calls that a test does not expect fail like an unreachable host."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
