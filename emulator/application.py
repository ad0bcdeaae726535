"""`create_emulator`: the emulator as a Flask application. It only wires."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask, Response, redirect, request

from emulator import controls, demo_endpoint, oauth
from emulator.call_limits import RateLimiter
from emulator.config import EmulatorConfig
from emulator.context import EXTENSION, Emulator, current_emulator
from emulator.deliveries import Deliveries
from emulator.endpoints import Endpoints
from emulator.pages import blueprint as pages
from emulator.portal import Portal
from emulator.rest import dispatch
from emulator.statefile import StateFile

NOT_THE_PORTAL = ("/oauth/", "/rest/app.info", "/_emulator/", "/_demo/", "/_static/", "/api/v1/")
"""What belongs to the authorization server or to the emulator itself and therefore survives a rename."""

CHANGES_NOTHING = ("/_static/", "/api/v1/", "/_demo/", "/_emulator/state", "/_emulator/whole")
"""What is asked for often and leaves the state as it is, so that it need not be compared with the state file."""


def wire(config: EmulatorConfig, clock: Callable[[], float] = time.time) -> Emulator:
    """A fresh portal, and what serves it. `clock` answers Unix seconds."""
    portal = Portal(config, clock)
    return Emulator(config, portal, Deliveries(portal), Endpoints(portal), RateLimiter(clock))


def create_emulator(config: EmulatorConfig, clock: Callable[[], float] = time.time) -> Flask:
    """A portal with its authorization server, controls and pages. `clock` answers Unix seconds."""
    app = Flask("emulator", static_folder=None)
    emulator = app.extensions[EXTENSION] = wire(config, clock)
    app.json.sort_keys = False  # type: ignore[attr-defined] # the default provider has it, its base class does not
    app.register_blueprint(oauth.blueprint)
    app.register_blueprint(dispatch.blueprint)
    app.register_blueprint(controls.blueprint)
    app.register_blueprint(demo_endpoint.blueprint)
    app.register_blueprint(pages)

    @app.before_request
    def send_to_new_address() -> Response | None:
        """A portal's former address answers 302 with `Location` (facts/platform 5.6)."""
        if request.path.startswith(NOT_THE_PORTAL):
            return None
        origin = current_emulator().portal.redirect_origin(request.host)
        return None if origin is None else redirect(f"{origin}{request.full_path.rstrip('?')}", 302)  # type: ignore[return-value] # Flask's own response, typed as Werkzeug's

    if config.state_file is not None:
        _keep_state(app, emulator.portal, StateFile(config.state_file))
    return app


def _keep_state(app: Flask, portal: Portal, file: StateFile) -> None:
    """Read the state now and write it after every request that changed it, before the answer leaves."""
    file.load_into(portal)

    @app.after_request
    def save_state(response: Response) -> Response:
        if not request.path.startswith(CHANGES_NOTHING):
            file.save(portal)
        return response
