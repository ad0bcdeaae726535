"""The state file: a portal that survives a restart on request."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from emulator.config import EmulatorConfig
from emulator.portal import Portal, first_state
from emulator.records import PortalState

STATE = TypeAdapter(PortalState)
"""How a portal's state becomes JSON, and is read and checked again."""


class UnreadableState(Exception):
    """The state file is not one that this emulator wrote."""


class StateFile:
    """Reads a portal's state once and writes it whenever it has changed. It holds tokens and is kept private."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._saved = b""

    def load_into(self, portal: Portal) -> None:
        """Put the saved state into `portal`, if there is one. Raises `UnreadableState`."""
        try:
            self._saved = self._path.read_bytes()
        except FileNotFoundError:
            return
        try:
            state = STATE.validate_json(self._saved)
        except ValidationError:
            raise UnreadableState(f"{self._path} does not hold an emulator's state.") from None
        portal.state = _adapted(state, portal.config)

    def save(self, portal: Portal) -> None:
        """Write the state if it differs from what was written last; the file is replaced in one step."""
        with self._lock:
            with portal.lock:
                text = STATE.dump_json(portal.state, indent=1)
            if text == self._saved:
                return
            fresh = self._path.with_name(f"{self._path.name}.new")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            fresh.replace(self._path)
            self._saved = text


def _adapted(state: PortalState, config: EmulatorConfig) -> PortalState:
    """A saved state under the present command line: addresses and the application's secret come from there."""
    present = first_state(config).applications[config.client_id]
    known = state.applications.setdefault(config.client_id, present)
    known.client_secret = present.client_secret
    known.app_url, known.install_url = present.app_url, present.install_url
    if not state.former_origins:
        state.origin = config.public_url
    return state
