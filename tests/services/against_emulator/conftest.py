"""The client and the emulator against each other: both were written from the same facts by different hands.

Rules of our own are bypassed where a portal's refusal is wanted: those tests call the client directly.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.config import EmulatorConfig
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient
from tests.portals import listening
from tests.services.against_emulator.objects import CAPS, GENERATIONS, SHAPES
from tests.services.emulated import EmulatedPortal


@pytest.fixture(scope="module")
def running() -> Iterator[EmulatedPortal]:
    with listening(EmulatorConfig(port=0)) as portal:
        yield EmulatedPortal(portal.url)


@pytest.fixture
def portal(running: EmulatedPortal) -> EmulatedPortal:
    """A fresh portal."""
    running.reset()
    return running


@pytest.fixture
def client(portal: EmulatedPortal) -> PortalClient:
    return portal.client()


@pytest.fixture(params=[(generation, shape) for generation in GENERATIONS for shape in SHAPES], ids="-".join)
def either(portal: EmulatedPortal, request: pytest.FixtureRequest) -> tuple[PortalClient, Capabilities]:
    """A client of a portal of either generation with either error shape, and what that portal knows."""
    generation, shape = request.param
    portal.control("generation", generation=generation)
    portal.control("error-shape", shape=shape)
    return portal.client(), CAPS[generation]
