"""Sessions no longer keep when the portal was asked about its administrators (docs/decisions/0006)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not by copying the table: SQLite would forget which forms have acted, since those belong to the dropped one.
    op.drop_column("user_sessions", "admin_checked_at")


def downgrade() -> None:
    # The column had no default. Sessions last for hours: their users open the app again.
    op.execute("DELETE FROM user_sessions")
    with op.batch_alter_table("user_sessions") as table:
        table.add_column(sa.Column("admin_checked_at", sa.DateTime(), nullable=False))
