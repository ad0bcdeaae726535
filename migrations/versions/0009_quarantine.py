"""Removals that are in doubt, and data that are deleted after a quarantine."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("portals", sa.Column("erasure_asked_at", sa.DateTime(), nullable=True))
    op.add_column("portals", sa.Column("doubted_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    # Not in a batch: SQLite would make the table anew, and what hangs on portals would go with the old one.
    op.drop_column("portals", "doubted_at")
    op.drop_column("portals", "erasure_asked_at")
