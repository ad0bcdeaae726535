"""Options that the application keeps at the portal, and the users who have run it already.

Real portals keep these with the application (`app.option`, `user.option`); here they live as long as the process,
and end with a reset of the portal or a removal that deletes settings and data (facts/platform 8).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from flask import current_app

from emulator.context import current_emulator
from emulator.records import PortalState

EXTENSION = "emulator.app_options"


@dataclass
class AppOptions:
    """Options of one application and of its users, and the users who have run it."""

    state: PortalState
    app_options: dict[str, Any] = field(default_factory=dict)
    user_options: dict[int, dict[str, Any]] = field(default_factory=dict)
    opened_by: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_first_run(self, user_id: int) -> bool:
        """Whether this user has never run the application, the `FIRST_RUN` of the handshake."""
        return user_id not in self.opened_by

    def note_run(self, user_id: int) -> None:
        """The user has run the application from now on."""
        with self.lock:
            self.opened_by.add(user_id)

    def options_of(self, user_id: int) -> dict[str, Any]:
        """A copy of the options that belong to one user."""
        return dict(self.user_options.get(user_id, {}))

    def set_app_option(self, name: str, value: object) -> dict[str, Any]:
        """Keep an option of the application and answer all of them."""
        with self.lock:
            self.app_options[name] = value
            return dict(self.app_options)

    def set_user_option(self, user_id: int, name: str, value: object) -> dict[str, Any]:
        """Keep an option of one user and answer all of them."""
        with self.lock:
            self.user_options.setdefault(user_id, {})[name] = value
            return dict(self.user_options[user_id])


def current_options() -> AppOptions:
    """The options of the present portal; a portal that was reset has a fresh one."""
    state = current_emulator().portal.state
    options = current_app.extensions.get(EXTENSION)
    if not isinstance(options, AppOptions) or options.state is not state:
        options = forget_options()
    return options


def forget_options() -> AppOptions:
    """Forget everything, as when an application is removed with its settings and data."""
    options = AppOptions(current_emulator().portal.state)
    current_app.extensions[EXTENSION] = options
    return options
