"""The application: doors, commands and services put together; nothing is decided here."""

from __future__ import annotations

from flask import Flask, g, request
from flask_babel import Babel
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

import admin
import gateway
import install
from admin import (  # noqa: F401 - views
    activity,
    batches,
    connections,
    connectors,
    datasets,
    entry,
    headers,
    patterns,
    problems,
    session,
    sources,
    start,
    tables,
    typed_connectors,
)
from cli import connections as connections_commands
from cli import database, keys, portals
from config import Settings
from errors import ConfigurationError
from gateway.callers import whole_bodies
from services import logs, wiring
from services.portals.languages import SPOKEN


def create_app(settings: Settings | None = None) -> Flask:
    """The application for `settings`, or for the environment; ends the process with a sentence if those are wrong."""
    try:
        return assemble(settings or Settings.from_environment())
    except ConfigurationError as problem:
        raise SystemExit(f"The app cannot start.\n{problem}") from None


def assemble(settings: Settings) -> Flask:
    """The application for `settings`; raises `ConfigurationError`."""
    logs.configure(settings.log_level, secrets_of(settings))
    app = Flask(__name__)
    app.extensions["services"] = wiring.build(settings)
    app.jinja_env.undefined = StrictUndefined
    app.wsgi_app = whole_bodies(behind_proxies(app, settings))  # type: ignore[assignment,method-assign]  # the documented way to wrap an app
    Babel(app, locale_selector=language)
    headers.protect(app, settings)
    app.context_processor(session.page_values)
    app.register_blueprint(install.blueprint)
    app.register_blueprint(entry.blueprint)
    app.register_blueprint(admin.blueprint)
    app.register_blueprint(gateway.blueprint)
    problems.register(app)
    app.cli.add_command(database.upgrade)
    app.cli.add_command(keys.group)
    app.cli.add_command(portals.group)
    app.cli.add_command(connections_commands.group)
    return app


def language() -> str:
    """The language of this answer: the one its user has in Bitrix24, else the browser's."""
    return str(g.get("language") or request.accept_languages.best_match(SPOKEN, SPOKEN[0]))


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
