"""What the portal made of hosted connectors and connections, and who rotates their keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("hosted_connectors") as table:
        table.add_column(sa.Column("driver", sa.String(length=32), nullable=False, server_default=""))
        table.add_column(sa.Column("next_key", sa.Text(), nullable=True))
        table.add_column(sa.Column("registered_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("rotating_until", sa.DateTime(), nullable=True))
        # The new constraint comes first: MariaDB wants an index under the foreign key at every moment.
        table.create_unique_constraint(op.f("uq_hosted_connectors_portal_id_driver"), ["portal_id", "driver"])
        table.drop_constraint(op.f("uq_hosted_connectors_portal_id"), type_="unique")
    with op.batch_alter_table("hosted_connectors") as table:
        table.alter_column("driver", existing_type=sa.String(length=32), existing_nullable=False, server_default=None)
    with op.batch_alter_table("connections") as table:
        table.add_column(sa.Column("source_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("next_key", sa.Text(), nullable=True))
        table.add_column(sa.Column("rotating_until", sa.DateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("connections") as table:
        table.drop_column("rotating_until")
        table.drop_column("next_key")
        table.drop_column("source_id")
    # A portal had one hosted connector only.
    op.execute("DELETE FROM hosted_connectors WHERE driver <> ''")
    with op.batch_alter_table("hosted_connectors") as table:
        table.create_unique_constraint(op.f("uq_hosted_connectors_portal_id"), ["portal_id"])
        table.drop_constraint(op.f("uq_hosted_connectors_portal_id_driver"), type_="unique")
        table.drop_column("rotating_until")
        table.drop_column("registered_id")
        table.drop_column("next_key")
        table.drop_column("driver")
