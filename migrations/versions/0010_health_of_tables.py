"""Records of calls can be found by the table that they asked for."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CALLS = sa.table(
    "endpoint_calls", sa.column("id"), sa.column("code"), sa.column("asked", sa.JSON), sa.column("table_hash")
)


def upgrade() -> None:
    op.add_column("endpoint_calls", sa.Column("table_hash", sa.String(64), nullable=True))
    op.create_index("ix_endpoint_calls_table", "endpoint_calls", ["connection_id", "table_hash", "id"])
    # What was noted about tables that are gone is found further on; the rest tells itself with the next call.
    bind = op.get_bind()
    for row in bind.execute(sa.select(CALLS.c.id, CALLS.c.asked).where(CALLS.c.code == "unknown_table")).all():
        if table := (row.asked or {}).get("table"):
            hashed = hashlib.sha256(str(table).encode("utf-8", "surrogatepass")).hexdigest()
            bind.execute(sa.update(CALLS).where(CALLS.c.id == row.id).values(table_hash=hashed))


def downgrade() -> None:
    op.drop_index("ix_endpoint_calls_table", "endpoint_calls")
    op.drop_column("endpoint_calls", "table_hash")
