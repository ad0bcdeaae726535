"""Records of calls tell how many values could not be shown."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("endpoint_calls", sa.Column("unshown", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("endpoint_calls", "unshown")
