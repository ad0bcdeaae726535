"""The parts of a running emulator, and how a view finds them."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from emulator.call_limits import RateLimiter
from emulator.config import EmulatorConfig
from emulator.deliveries import Deliveries
from emulator.endpoints import Endpoints
from emulator.portal import Portal

EXTENSION = "emulator"


@dataclass(frozen=True)
class Emulator:
    """What `create_emulator` wired together."""

    config: EmulatorConfig
    portal: Portal
    deliveries: Deliveries
    endpoints: Endpoints
    limiter: RateLimiter


def current_emulator() -> Emulator:
    """The emulator that serves the present request."""
    emulator = current_app.extensions[EXTENSION]
    if not isinstance(emulator, Emulator):
        raise TypeError("This Flask application is not an emulator.")
    return emulator
