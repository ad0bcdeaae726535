"""What the database says of the deployment that it belongs to: its identity, its daily care, and its keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moment, Sessions, new_uid

ONLY = 1
"""The number of the only row."""


class Deployment(Base):
    """One running product: a database, and the folder of uploads that belongs to it; there is one row only."""

    __tablename__ = "deployment"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=ONLY)
    uid: Mapped[str] = mapped_column(String(32), default=new_uid)
    """Stands in the folder of uploads as well, so that nobody takes another database's files for left over."""
    oldest_code: Mapped[str | None] = mapped_column(String(8), default=None)
    """The newest revision of the oldest code that works with this database; None before the first `db-upgrade`."""
    tended_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    """When daily care last ran; it deletes nothing by age where that was too long ago."""


class KeyCheck(Base):
    """A known text, sealed with one of the keys: it opens only with the very key, whatever key has its id now."""

    __tablename__ = "key_checks"

    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sealed: Mapped[str] = mapped_column(Text)


def note_care(sessions: Sessions, moment: datetime) -> datetime | None:
    """Remember that daily care runs now; tells when it ran before."""
    before = deployment_of(sessions).tended_at
    with sessions.begin() as session:
        session.get_one(Deployment, ONLY).tended_at = moment
    return before


def deployment_of(sessions: Sessions) -> Deployment:
    """The row, made by whichever process asks first."""
    with sessions() as session:
        known = session.get(Deployment, ONLY)
    if known is not None:
        return known
    try:
        with sessions.begin() as session:
            session.add(Deployment())
    except IntegrityError:
        pass  # another process was faster
    with sessions() as session:
        return session.scalars(select(Deployment)).one()
