"""Types of columns that analysts choose, and what portals were told."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What exists may have been told to a portal: nobody kept that before.
    op.add_column("contract_columns", sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column(
        "contract_columns", sa.Column("unfit_values", sa.String(8), nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    op.drop_column("contract_columns", "unfit_values")
    op.drop_column("contract_columns", "told")
