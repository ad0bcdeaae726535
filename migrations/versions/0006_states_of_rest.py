"""What was `paused` says why: `closed` (the portal) or `unpaid` (the app), so that each can end by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

portals = sa.table("portals", sa.column("id", sa.Integer), sa.column("state", sa.String))
grants = sa.table(
    "grants",
    sa.column("portal_id", sa.Integer),
    sa.column("state", sa.String),
    sa.column("retry_after", sa.DateTime),
    sa.column("updated_at", sa.DateTime),
)


def upgrade() -> None:
    paused = grants.update().where(grants.c.state == "paused")
    closed = sa.select(portals.c.id).where(portals.c.state == "paused")
    # A rest that has begun long ago is over.
    op.execute(paused.where(grants.c.portal_id.in_(closed)).values(state="closed", retry_after=grants.c.updated_at))
    op.execute(paused.values(state="unpaid", retry_after=grants.c.updated_at))
    op.execute(portals.update().where(portals.c.state == "paused").values(state="closed"))


def downgrade() -> None:
    op.execute(grants.update().where(grants.c.state.in_(("closed", "unpaid"))).values(state="paused"))
    op.execute(portals.update().where(portals.c.state == "closed").values(state="paused"))
