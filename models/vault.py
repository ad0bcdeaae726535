"""Stored secrets: sealed with AES-GCM, bound to their row, under a key ring that can rotate.

A sealed text is `v1.<key id>.<base64 of nonce and ciphertext>`. The additional data names table, column and row, so
that a ciphertext moved to another row, column or portal does not open (facts/security 1 rows 7 and 20).
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Collection, Iterator
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from sqlalchemy import Table, Text, bindparam, inspect, select, update
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from errors import ConfigurationError
from models.base import Base

log = logging.getLogger(__name__)

NONCE_BYTES = 12
BATCH = 200
"""Rows that are sealed anew in one transaction: others wait for its locks."""


class Sealed(TypeDecorator[str]):
    """A column that holds a sealed text; `Vault` is the only way in and out."""

    impl = Text
    cache_ok = True


class SealedRow(Protocol):
    """A row with sealed columns: it can say which row it is before it is written."""

    __tablename__: str

    def seal_context(self) -> str:
        """What binds a sealed value to this row; never changes."""
        ...


class VaultBroken(ConfigurationError):
    """A stored secret does not open: wrong key, missing key, or a value that was moved."""


class Vault:
    """Seals and opens the secrets of rows with a ring of keys; the first key seals."""

    def __init__(self, keys: tuple[tuple[str, SecretStr], ...]) -> None:
        self._keys = {key_id: AESGCM(base64.b64decode(key.get_secret_value())) for key_id, key in keys}
        self._current = keys[0][0]

    def put(self, row: SealedRow, column: str, secret: str | None) -> None:
        """Seal `secret` into `row.column`; None clears it."""
        setattr(row, column, None if secret is None else self._seal(secret, _bound_to(row, column)))

    def get(self, row: SealedRow, column: str) -> str | None:
        """The secret in `row.column`, or None; raises `VaultBroken` if it does not open."""
        sealed: str | None = getattr(row, column)
        return None if sealed is None else self._open(sealed, _bound_to(row, column))

    def opens(self, row: SealedRow, column: str) -> bool:
        """Whether what is in `row.column` opens; nothing does."""
        try:
            self.get(row, column)
        except VaultBroken:
            return False
        return True

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the ring; the first key seals."""
        return tuple(self._keys)

    def key_check(self, key_id: str) -> str:
        """A text that opens with this very key only."""
        return self._seal(key_id, _check_of(key_id), key_id)

    def opens_check(self, key_id: str, sealed: str) -> bool:
        """Whether a text of `key_check` opens: the key under this id is the one that it was made with."""
        try:
            return self._open(sealed, _check_of(key_id)) == key_id
        except VaultBroken:
            return False

    def _seal(self, secret: str, bound: bytes, key_id: str = "") -> str:
        nonce, key_id = os.urandom(NONCE_BYTES), key_id or self._current
        data = self._keys[key_id].encrypt(nonce, secret.encode(), bound)
        return f"v1.{key_id}.{base64.b64encode(nonce + data).decode()}"

    def _open(self, sealed: str, bound: bytes) -> str:
        version, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        if version != "v1" or key_id not in self._keys:
            raise VaultBroken(f"SECRET_KEYS has no key `{key_id}`, with which stored secrets are encrypted.")
        try:
            data = base64.b64decode(encoded)
            return self._keys[key_id].decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound).decode()
        except (InvalidTag, ValueError):
            raise VaultBroken(f"A stored secret does not open with key `{key_id}` of SECRET_KEYS.") from None

    def missing_keys(self, session: Session, *, lacking: Collection[str] = ()) -> set[str]:
        """Ids of keys that stored secrets need and the ring lacks.

        `lacking` names columns (`table.column`) that the database does not have yet and that hold no secrets therefore.
        """
        needed = set()
        for model, column in sealed_columns(lacking):
            attribute = getattr(model, column)
            needed |= {
                sealed.split(".")[1] for sealed in session.scalars(select(attribute).where(attribute.is_not(None)))
            }
        return needed - self._keys.keys()

    def rotate(self, session: Session) -> int:
        """Seal everything anew that another key than the first one sealed; returns how many values changed.

        Each value is swapped only if nobody changed it meanwhile, so the app may keep running. Raises `VaultBroken` in
        the end if secrets do not open, which stay as they are.
        """
        changed, broken = 0, 0
        for model, column in sealed_columns():
            key, last = inspect(model).primary_key[0], None
            while rows := self._sealed_otherwise(session, model, column, after=last):
                last = getattr(rows[-1], key.name)
                swaps = []
                for row in rows:
                    if self.opens(row, column):
                        swaps.append(self._swap(row, column, getattr(row, key.name)))
                    else:
                        log.error(
                            "%s of row %s of %s does not open", column, getattr(row, key.name), model.__tablename__
                        )
                        broken += 1
                changed += _swapped(session, model, column, swaps)
                session.commit()
                session.expunge_all()
        if broken:
            raise VaultBroken(
                f"{changed} stored secrets are now encrypted with the first key of SECRET_KEYS; {broken} do not open "
                "with the key that they name, and stay as they are. The log names their rows."
            )
        return changed

    def _sealed_otherwise(self, session: Session, model: Any, column: str, *, after: Any) -> list[Any]:
        """The next rows whose value another key than the first one sealed, by their number."""
        attribute, key = getattr(model, column), inspect(model).primary_key[0]
        rows = select(model).where(attribute.is_not(None), attribute.not_like(f"v1.{self._current}.%"))
        rows = rows if after is None else rows.where(key > after)
        return list(session.scalars(rows.order_by(key).limit(BATCH).execution_options(populate_existing=True)))

    def _swap(self, row: SealedRow, column: str, number: Any) -> dict[str, Any]:
        bound, sealed = _bound_to(row, column), getattr(row, column)
        return {"number": number, "sealed": sealed, "fresh": self._seal(self._open(sealed, bound), bound)}


def sealed_columns(lacking: Collection[str] = ()) -> Iterator[tuple[Any, str]]:
    """Every model with a sealed column, and its name; but for `lacking` (`table.column`)."""
    for mapper in Base.registry.mappers:
        for column in mapper.columns:
            if isinstance(column.type, Sealed) and str(column) not in lacking:
                yield mapper.class_, mapper.get_property_by_column(column).key


def sealed_with(session: Session, model: Any, column: str, key_id: str, most: int | None = None) -> list[Any]:
    """Rows whose value in `column` names this key, `most` of them at most."""
    rows = select(model).where(getattr(model, column).startswith(f"v1.{key_id}.", autoescape=True))
    return list(session.scalars(rows.limit(most)))


def _swapped(session: Session, model: Any, column: str, swaps: list[dict[str, Any]]) -> int:
    """Write fresh values over those that are still what they were; how many."""
    if not swaps:
        return 0
    table: Table = model.__table__
    key, sealed = table.primary_key.columns[0], table.c[getattr(model, column).key]
    swap = update(table).where(key == bindparam("number"), sealed == bindparam("sealed"))
    return session.connection().execute(swap.values({sealed.name: bindparam("fresh")}), swaps).rowcount


def _check_of(key_id: str) -> bytes:
    return f"key_checks|sealed|{key_id}".encode()


def _bound_to(row: SealedRow, column: str) -> bytes:
    return f"{row.__tablename__}|{column}|{row.seal_context()}".encode()
