"""`flask uploads`: the folder of uploaded files."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from services.connections.upload_owner import Belonging

group = AppGroup("uploads", help="The folder of uploaded files.")


@group.command("adopt")
def adopt() -> None:
    """Let the folder of uploads belong to this database, after the one that it belonged to is lost."""
    services = current_app.extensions["services"]
    if services.uploads.owner.belonging() is Belonging.OURS:
        click.echo("The folder belongs to this database already.")
        return
    services.uploads.owner.claim()
    strange = services.uploads.left_over(services.repository.portals())
    click.echo(f"The folder belongs to this database now; {len(strange)} files in it are of portals that it lacks.")
    if strange:
        click.echo("`flask portals tend` moves those to the trash; with --dry-run it lists them.")
