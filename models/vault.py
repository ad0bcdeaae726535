"""Stored secrets: sealed with AES-GCM, bound to their row, under a key ring that can rotate.

A sealed text is `v1.<key id>.<base64 of nonce and ciphertext>`. The additional data names table, column and row, so
that a ciphertext moved to another row, column or portal does not open (facts/security 1 rows 7 and 20).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Collection, Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from sqlalchemy import Text, select, update
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from errors import ConfigurationError
from models.base import Base

NONCE_BYTES = 12


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

    def _seal(self, secret: str, bound: bytes) -> str:
        nonce = os.urandom(NONCE_BYTES)
        data = self._keys[self._current].encrypt(nonce, secret.encode(), bound)
        return f"v1.{self._current}.{base64.b64encode(nonce + data).decode()}"

    def _open(self, sealed: str, bound: bytes) -> str:
        version, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        if version != "v1" or key_id not in self._keys:
            raise VaultBroken(f"SECRET_KEYS has no key `{key_id}`, with which stored secrets are encrypted.")
        data = base64.b64decode(encoded)
        try:
            return self._keys[key_id].decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound).decode()
        except InvalidTag:
            raise VaultBroken(f"A stored secret does not open with key `{key_id}` of SECRET_KEYS.") from None

    def missing_keys(self, session: Session, *, lacking: Collection[str] = ()) -> set[str]:
        """Ids of keys that stored secrets need and the ring lacks.

        `lacking` names columns (`table.column`) that the database does not have yet and that hold no secrets therefore.
        """
        needed = {sealed.split(".")[1] for _, _, sealed in _sealed_values(session, lacking)}
        return needed - self._keys.keys()

    def rotate(self, session: Session) -> int:
        """Seal everything anew that another key than the first one sealed; returns how many values changed.

        Each value is swapped only if nobody changed it meanwhile, so the app may keep running.
        """
        changed = 0
        for model, column, sealed in list(_sealed_values(session)):
            if sealed.split(".")[1] == self._current:
                continue
            attribute = getattr(model, column)
            row = session.scalars(select(model).where(attribute == sealed)).first()
            if row is None:
                continue
            bound = _bound_to(row, column)  # type: ignore[arg-type]  # every model with a sealed column is a SealedRow
            fresh = self._seal(self._open(sealed, bound), bound)
            swap = update(model).where(attribute == sealed).values({column: fresh})
            changed += session.execute(swap, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]  # an UPDATE's result has it
            session.commit()
        return changed


def _sealed_values(session: Session, lacking: Collection[str] = ()) -> Iterator[tuple[type[Base], str, str]]:
    for mapper in Base.registry.mappers:
        for column in mapper.columns:
            if isinstance(column.type, Sealed) and str(column) not in lacking:
                values = session.scalars(select(column).where(column.is_not(None)))
                yield from ((mapper.class_, mapper.get_property_by_column(column).key, value) for value in values)


def _bound_to(row: SealedRow, column: str) -> bytes:
    return f"{row.__tablename__}|{column}|{row.seal_context()}".encode()
