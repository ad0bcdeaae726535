"""Whether the keys of the ring are those that sealed what is stored: an id says nothing about the key under it."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.base import Sessions
from models.deployment import KeyCheck
from models.vault import Vault, sealed_columns, sealed_with

SAMPLE = 20
"""Secrets of a column that are opened with a key of which there is no check yet."""


def wrong_keys(session: Session, vault: Vault) -> set[str]:
    """Ids of the ring under which there is another key than the one that sealed secrets under this id."""
    return {key_id for key_id in vault.key_ids if not _is_right(session, vault, key_id)}


def note_keys(sessions: Sessions, vault: Vault) -> None:
    """Keep a check of each key that has none; `wrong_keys` has found none, but for what came at the same moment."""
    for key_id in vault.key_ids:
        with sessions() as session:
            known = session.get(KeyCheck, key_id)
        if known is None:
            # Another process may be faster, with this key or with another one under its id.
            with suppress(IntegrityError), sessions.begin() as session:
                session.add(KeyCheck(key_id=key_id, sealed=vault.key_check(key_id)))


def _is_right(session: Session, vault: Vault, key_id: str) -> bool:
    sealed = session.scalar(select(KeyCheck.sealed).where(KeyCheck.key_id == key_id))
    if sealed is not None:
        return vault.opens_check(key_id, sealed)
    opened = [
        vault.opens(row, column)
        for model, column in sealed_columns()
        for row in sealed_with(session, model, column, key_id, SAMPLE)
    ]
    return not opened or any(opened)
