"""The contract of published tables: which real table and column each published name means, and in which type."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Moment, now


class ContractTable(Base):
    """A table of a connection under the names that it got when it was first described, asked for or published.

    `owner` is the `uid` of the connection; where credentials are typed in the portal, a hash of where they lead. No
    code is ever given to another table, also after its own has gone.
    """

    __tablename__ = "contract_tables"
    __table_args__ = (
        UniqueConstraint("owner", "code"),
        UniqueConstraint("owner", "identity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    connector_id: Mapped[int] = mapped_column(ForeignKey("hosted_connectors.id", ondelete="CASCADE"), index=True)
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), index=True)
    """None where credentials are typed in the portal."""
    identity: Mapped[str] = mapped_column(String(64))
    """The hash of schema and name, since a database cannot index names of any length."""
    schema: Mapped[str] = mapped_column("schema_name", Text)
    name: Mapped[str] = mapped_column("table_name", Text)
    code: Mapped[str] = mapped_column(String(230))
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)

    columns: Mapped[list[ContractColumn]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="ContractColumn.id"
    )


class ContractColumn(Base):
    """A column of such a table; `type` is the portal's type that was told of it last.

    A column of the database has several where it was published in another type than it had been told in.
    """

    __tablename__ = "contract_columns"
    __table_args__ = (
        UniqueConstraint("table_id", "code"),
        UniqueConstraint("table_id", "identity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    table_id: Mapped[int] = mapped_column(ForeignKey("contract_tables.id", ondelete="CASCADE"))
    identity: Mapped[str] = mapped_column(String(64))
    """The hash of the name; of further columns of that name, with their code."""
    name: Mapped[str] = mapped_column("column_name", Text)
    code: Mapped[str] = mapped_column(String(32))
    type: Mapped[str] = mapped_column("portal_type", String(8))
    fixed: Mapped[bool] = mapped_column(default=False)
    """A dataset has the column in this type, so no later description changes it."""
    retired: Mapped[bool] = mapped_column(default=False)
    """Somebody accepted that the column is gone; its code stays taken."""
    told: Mapped[bool] = mapped_column(default=False, server_default=true())
    """A portal was told of it, so that a dataset may rest on it that nobody here sees."""
    unfit: Mapped[str] = mapped_column("unfit_values", String(8), default="", server_default=text("''"))
    """`refuse` or `null` where an analyst chose the type: what becomes of values that it does not hold."""


def identity_of(*names: str) -> str:
    """What is indexed instead of names."""
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()
