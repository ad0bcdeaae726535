"""The trash of uploads: files that seem left over wait there for days before they are deleted.

`<folder of uploads>/.trash/<moment>-<random>/<number of the portal>/<32 hex digits>/<file name>`: moving the last part
back to where it was brings a file back.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from models import now

TRASH = ".trash"
_MOMENT = "%Y%m%dT%H%M%S%z"
_NAME = re.compile(r"(?P<moment>\d{8}T\d{6}\+0000)-[0-9a-f]{8}")


@dataclass(frozen=True)
class LeftFile:
    """A file that was moved or deleted, or would be: its path within the folder of uploads, and its size in bytes."""

    path: str
    bytes: int


class UploadTrash:
    """Takes folders of a portal (`<number>` or `<number>/<32 hex digits>`), and deletes what waited for `days`."""

    def __init__(self, folder: Path, days: int, *, clock: Callable[[], datetime] = now) -> None:
        self._folder, self._days, self.clock = folder, days, clock

    def take(self, path: Path) -> list[LeftFile]:
        """Move a folder here; tells its files. Raises `OSError` if it stays where it is."""
        files = files_in(path, self._folder)
        place = self._folder / TRASH / f"{self.clock().strftime(_MOMENT)}-{uuid.uuid4().hex[:8]}"
        target = place / path.relative_to(self._folder)
        target.parent.mkdir(parents=True, mode=0o700)
        path.rename(target)
        return files

    def due(self) -> list[LeftFile]:
        """Files that waited long enough."""
        return [file for place in self._due() for file in files_in(place, self._folder)]

    def files(self) -> list[LeftFile]:
        """All files that wait here."""
        return [file for place, _ in self._places() for file in files_in(place, self._folder)]

    def empty(self) -> list[LeftFile]:
        """Delete what waited long enough; tells the files that are gone. Raises `OSError`."""
        gone = []
        for place in self._due():
            files = files_in(place, self._folder)
            shutil.rmtree(place)
            gone += files
        return gone

    def shrink(self, portal_id: int, most_bytes: int) -> None:
        """Delete the oldest of what is here of a portal, until the rest has at most so many bytes. Raises `OSError`."""
        places = [place / str(portal_id) for place, _ in self._places() if (place / str(portal_id)).is_dir()]
        sizes = [sum(file.bytes for file in files_in(place, self._folder)) for place in places]
        surplus = sum(sizes) - most_bytes
        for place, size in zip(places, sizes, strict=True):
            if surplus <= 0:
                return
            shutil.rmtree(place)
            surplus -= size

    def forget(self, portal_id: int) -> None:
        """Delete what is here of a portal that asked for it. Raises `OSError`."""
        for place, _ in self._places():
            if (place / str(portal_id)).exists():
                shutil.rmtree(place)

    def _due(self) -> list[Path]:
        return [place for place, since in self._places() if since <= self.clock() - timedelta(days=self._days)]

    def _places(self) -> Iterator[tuple[Path, datetime]]:
        """Everything that was put here, with its moment; what has another name was put here by somebody else."""
        folder = self._folder / TRASH
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if match := _NAME.fullmatch(path.name):
                yield path, datetime.fromisoformat(match["moment"])


def files_in(path: Path, folder: Path) -> list[LeftFile]:
    """The files below `path`, named as within `folder`."""
    found = []
    for place, _, names in os.walk(path):
        for each in (Path(place) / name for name in names):
            # Another process may delete what is looked at.
            with contextlib.suppress(FileNotFoundError):
                found.append(LeftFile(str(each.relative_to(folder)), each.stat().st_size))
    return sorted(found, key=lambda file: Path(file.path))
