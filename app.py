"""The application: doors, commands and services put together; nothing is decided here."""

from __future__ import annotations

import sys
from collections.abc import Collection

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

import admin
import gateway
import install
import web
from admin import (  # noqa: F401 - views
    activity,
    batches,
    connections,
    connectors,
    contracts,
    datasets,
    entry,
    patterns,
    sources,
    start,
    tables,
    typed_connectors,
)
from cli import connections as connections_commands
from cli import database, keys, portals, uploads
from cli.mending import mended
from config import Settings
from errors import ConfigurationError
from gateway.callers import whole_bodies
from models import Fault
from services import logs, wiring
from services.portal_api import Patience


def create_app(settings: Settings | None = None) -> Flask:
    """The application for `settings`, or for the environment; ends the process with a sentence if those are wrong."""
    try:
        return assemble(settings or Settings.from_environment(), tolerated=mended(sys.argv))
    except ConfigurationError as problem:
        raise SystemExit(f"The app cannot start.\n{problem}") from None


def assemble(settings: Settings, *, patience: Patience | None = None, tolerated: Collection[Fault] = ()) -> Flask:
    """The application for `settings`, as patient with portals as said or as usual; raises `ConfigurationError`.

    `tolerated` is what `wiring.build` overlooks.
    """
    logs.configure(settings.log_level, secrets_of(settings))
    app = Flask(__name__)
    app.extensions["services"] = wiring.build(settings, patience=patience, tolerated=tolerated)
    app.jinja_env.undefined = StrictUndefined
    app.wsgi_app = whole_bodies(behind_proxies(app, settings))  # type: ignore[assignment,method-assign]  # the documented way to wrap an app
    web.register(app, settings)
    app.register_blueprint(install.blueprint)
    app.register_blueprint(entry.blueprint)
    app.register_blueprint(admin.blueprint)
    app.register_blueprint(gateway.blueprint)
    app.cli.add_command(database.upgrade)
    app.cli.add_command(keys.group)
    app.cli.add_command(portals.group)
    app.cli.add_command(uploads.group)
    app.cli.add_command(connections_commands.group)
    return app


def secrets_of(settings: Settings) -> list[str]:
    """Secrets that must never stand in a log."""
    return [
        settings.bitrix24_client_secret.get_secret_value(),
        *(key.get_secret_value() for _, key in settings.secret_keys),
    ]


def behind_proxies(app: Flask, settings: Settings) -> ProxyFix:
    """The application behind as many reverse proxies as the operator runs."""
    hops = settings.trusted_proxies
    return ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)
