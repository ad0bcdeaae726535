"""Servers that were asked for through connectors whose credentials are typed in the portal."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_targets",
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("target_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"],
            ["hosted_connectors.id"],
            name=op.f("fk_known_targets_connector_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connector_id", "target_hash", name=op.f("pk_known_targets")),
    )


def downgrade() -> None:
    op.drop_table("known_targets")
