"""`flask db-upgrade`: brings the app's database to the revision of this code."""

from __future__ import annotations

from pathlib import Path

import click
from alembic import command
from alembic.config import Config
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import Engine

ROOT = Path(__file__).parent.parent


def migrations() -> Config:
    """Alembic's configuration, independent of the current folder."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


def bring_up_to_date(engine: Engine) -> None:
    """Run the revisions that the database lacks."""
    config = migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@click.command("db-upgrade")
@with_appcontext
def upgrade() -> None:
    """Create or change the tables of the app's database; may be run again."""
    bring_up_to_date(current_app.extensions["services"].engine)
    click.echo("The database is up to date.")
