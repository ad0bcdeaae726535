"""`flask db-upgrade`: brings the app's database to the revision of this code."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from errors import ConfigurationError
from models.revisions import bring_up_to_date, known_revisions


@click.command("db-upgrade")
@with_appcontext
def upgrade() -> None:
    """Create or change the tables of the app's database; may be run again, and on several machines at once."""
    try:
        revision = bring_up_to_date(current_app.extensions["services"].engine, say=click.echo)
    except ConfigurationError as problem:
        raise click.ClickException(str(problem)) from None
    if revision in known_revisions():
        click.echo("The database is up to date.")
    else:
        click.echo(f"The database is at revision {revision} of newer code already; nothing was changed.")
