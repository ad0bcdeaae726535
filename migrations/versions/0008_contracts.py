"""Names and types of published tables, kept instead of computed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contract_tables",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("code", sa.String(230), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_contract_tables_connection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["connector_id"],
            ["hosted_connectors.id"],
            name=op.f("fk_contract_tables_connector_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_tables")),
        sa.UniqueConstraint("owner", "code", name=op.f("uq_contract_tables_owner_code")),
        sa.UniqueConstraint("owner", "identity", name=op.f("uq_contract_tables_owner_identity")),
    )
    op.create_index(op.f("ix_contract_tables_connector_id"), "contract_tables", ["connector_id"])
    op.create_index(op.f("ix_contract_tables_connection_id"), "contract_tables", ["connection_id"])
    op.create_table(
        "contract_columns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("table_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("portal_type", sa.String(8), nullable=False),
        sa.Column("fixed", sa.Boolean(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["table_id"], ["contract_tables.id"], name=op.f("fk_contract_columns_table_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_columns")),
        sa.UniqueConstraint("table_id", "code", name=op.f("uq_contract_columns_table_id_code")),
        sa.UniqueConstraint("table_id", "identity", name=op.f("uq_contract_columns_table_id_identity")),
    )


def downgrade() -> None:
    op.drop_table("contract_columns")
    op.drop_table("contract_tables")
