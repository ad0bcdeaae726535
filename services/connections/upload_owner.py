"""Whose folder of uploads it is: the folder and the database name the same deployment, or nothing in it is deleted.

A wrong or restored database does not know the portals whose files lie there, so what is left over can only be told by
the database that wrote it. The folder says which one that is in a file of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from errors import ConfigurationError

MARK = ".deployment"
ADOPT_COMMAND = "uploads adopt"


class Belonging(Enum):
    """What a folder says of itself."""

    OURS = "ours"
    EMPTY = "empty"
    UNMARKED = "unmarked"
    FOREIGN = "foreign"


class NotOurs(ConfigurationError):
    """The folder of uploads does not belong to the database; nothing in it is deleted or added."""


class UploadOwner:
    """Compares a folder with the database; `deployment` reads who that is, each time anew."""

    def __init__(self, folder: Path, deployment: Callable[[], str]) -> None:
        self._folder, self._deployment = folder, deployment

    def belonging(self) -> Belonging:
        """What the folder says of itself now."""
        try:
            marked = (self._folder / MARK).read_text("ascii").strip()
        except FileNotFoundError:
            return Belonging.UNMARKED if portal_folders(self._folder) else Belonging.EMPTY
        except ValueError:
            return Belonging.FOREIGN
        return Belonging.OURS if marked == self._deployment() else Belonging.FOREIGN

    def claim(self) -> None:
        """Write the database's name into the folder, in place of another one."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Whole or not at all: a reader that found half a name would take the folder for another database's.
        written = self._folder / f"{MARK}-{uuid.uuid4().hex}"
        written.write_text(self._deployment(), "ascii")
        written.replace(self._folder / MARK)

    def claim_if_empty(self) -> None:
        """Take a folder that nobody has; raises `NotOurs` for one of another database.

        An unmarked folder with files stays as it is: it may be that of a deployment before there were marks.
        """
        if self.belonging() is Belonging.EMPTY:
            self.claim()
        self.refuse_foreign()

    def refuse_foreign(self) -> None:
        """Raise `NotOurs` if the folder says that it belongs to another database."""
        if self.belonging() is Belonging.FOREIGN:
            raise NotOurs(
                f"UPLOADS: {self._folder} belongs to another database than DATABASE_URL names. Correct what is "
                f"wrong; if the other database is lost for good, run `flask {ADOPT_COMMAND}`."
            )

    def require(self) -> None:
        """Raise `NotOurs` unless the folder is known to belong to the database, or empty."""
        self.refuse_foreign()
        if self.belonging() is Belonging.UNMARKED:
            raise NotOurs(
                f"UPLOADS: {self._folder} does not say to which database its files belong. If it is the one of "
                f"DATABASE_URL, run `flask {ADOPT_COMMAND}`."
            )


def portal_folders(folder: Path) -> list[Path]:
    """Folders of portals, by number."""
    found = [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name))
