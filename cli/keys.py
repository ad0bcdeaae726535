"""`flask keys`: the keys that encrypt stored secrets."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

group = AppGroup("keys", help="Keys that encrypt stored secrets.")


@group.command("rotate")
def rotate() -> None:
    """Encrypt everything anew that another key than the first of SECRET_KEYS encrypted; the app may keep running."""
    services = current_app.extensions["services"]
    with services.sessions() as session:
        changed = services.vault.rotate(session)
    click.echo(f"{changed} stored secrets are now encrypted with the first key of SECRET_KEYS.")
