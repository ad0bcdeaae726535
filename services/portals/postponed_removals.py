"""Removals that could not be applied when their event came: kept in a folder, since Bitrix24 sends each one once.

While the app's own database is away nothing can be looked up, and nobody sends the event again (facts/platform 4). So
it is written down, sealed, and proved and applied like any other once the database answers.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from models import Vault, VaultBroken

log = logging.getLogger(__name__)

MOST_KEPT = 1000
LONGEST_TOKEN = 512
"""Events are not proved yet when they are kept, so nobody may fill the disk with them."""
SUFFIX = ".removal"


@dataclass(frozen=True)
class PostponedRemoval:
    """What an event of a removal claims; `clean` is whether all data shall be deleted."""

    member_id: str
    application_token: str = field(repr=False)
    clean: bool
    ts: str

    @property
    def name(self) -> str:
        """The same for the same claim, however often it is posted."""
        claim = f"{self.member_id}|{self.application_token}|{self.clean}"
        return hashlib.sha256(claim.encode("utf-8", "surrogatepass")).hexdigest() + SUFFIX


@dataclass
class SealedRemoval:
    """A removal as it lies in its file; `Vault` binds it to the file's name."""

    name: str
    value: str | None = field(default=None, repr=False)

    __tablename__: str = "postponed_removals"

    def seal_context(self) -> str:
        """Another file's text does not open."""
        return self.name


class PostponedRemovals:
    """Keeps removals in `folder`, those of one machine."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder, self._vault = folder, vault

    def keep(self, removal: PostponedRemoval) -> bool:
        """Write a removal down; False if there are too many, or if it could not be written."""
        if len(removal.application_token) > LONGEST_TOKEN or len(self._files()) >= MOST_KEPT:
            log.error("a removal by portal %s is lost: it does not fit any more", removal.member_id)
            return False
        row = SealedRemoval(removal.name)
        claims = [removal.member_id, removal.application_token, removal.clean, removal.ts]
        self._vault.put(row, "value", json.dumps(claims))
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            written = self._folder / uuid.uuid4().hex
            with written.open("x", encoding="ascii") as file:
                file.write(row.value or "")
                file.flush()
                os.fsync(file.fileno())
            written.replace(self._folder / removal.name)
        except OSError as problem:
            log.error("a removal by portal %s is lost: %s", removal.member_id, problem)
            return False
        return True

    def waiting(self) -> Iterator[PostponedRemoval]:
        """Those that wait; one that does not open, for want of a key, is said and stays."""
        for path in self._files():
            try:
                text = path.read_text("ascii")
                yield PostponedRemoval(*json.loads(self._vault.get(SealedRemoval(path.name, text), "value") or ""))
            except FileNotFoundError:
                continue  # another process has applied it
            except (VaultBroken, ValueError, TypeError) as problem:
                log.error("the postponed removal %s does not open: %s", path.name, problem)

    def forget(self, removal: PostponedRemoval) -> None:
        """It is applied, or nobody vouches for it."""
        (self._folder / removal.name).unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))
