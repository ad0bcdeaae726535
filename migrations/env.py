"""Alembic's environment: the connection comes from `flask db-upgrade`, or from DATABASE_URL for `alembic revision`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from models import Base


def run(connection: Connection) -> None:
    """Run revisions; SQLite changes tables by copying them."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from config import Settings
    from models import connect

    with connect(Settings.from_environment().database_url).begin() as connection:
        run(connection)
