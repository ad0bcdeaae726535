"""Files that people uploaded for their connections: kept outside the web root, each portal's in a folder of its own.

A connection's `path` names one as `upload:<32 hex digits>/<file name>`; where that leads is decided for the portal that
the connection belongs to, so no text that somebody types opens another portal's file.
"""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from drivers.base import Guards
from errors import FieldProblem, InvalidInput

PREFIX = "upload:"
ABANDONED_SECONDS = 24 * 3600
"""An upload that no connection uses for this long was left behind by a form."""
LONGEST_NAME = 120
BLOCK = 1024 * 1024
_PATH = re.compile(r"upload:(?P<uid>[0-9a-f]{32})/(?P<name>[^/\\\0]+)")


class Uploads:
    """Keeps and finds uploaded files; `most_bytes` is the largest that is taken."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self.most_bytes = folder, most_bytes

    def keep(self, portal_id: int, file_name: str, content: IO[bytes]) -> str:
        """Keep a file and give back what the setting `path` is to hold.

        Raises `InvalidInput` for a file that is empty or too large, of which nothing is kept.
        """
        uid, name = uuid.uuid4().hex, _safe(file_name)
        target = self._folder / str(portal_id) / uid / name
        target.parent.mkdir(parents=True, mode=0o700)
        try:
            self._write(content, target)
        except BaseException:
            shutil.rmtree(target.parent, ignore_errors=True)
            raise
        return f"{PREFIX}{uid}/{name}"

    def located(self, portal_id: int, settings: Mapping[str, str], guards: Guards) -> tuple[Mapping[str, str], Guards]:
        """Settings and guards that lead to the file, for a driver; those of other connections as they are."""
        found = _PATH.fullmatch(settings.get("path", ""))
        if found is None:
            return settings, guards
        folder = self._folder / str(portal_id) / found["uid"]
        return {**settings, "path": found["name"]}, replace(guards, local_files=folder)

    def discard(self, portal_id: int, path: str) -> None:
        """Delete a file that no connection uses any more; anything but an upload is left alone."""
        found = _PATH.fullmatch(path)
        if found is not None:
            shutil.rmtree(self._folder / str(portal_id) / found["uid"], ignore_errors=True)

    def discard_all(self, portal_id: int) -> None:
        """Delete every file of a portal."""
        shutil.rmtree(self._folder / str(portal_id), ignore_errors=True)

    def purge(self, portal_id: int, used: Collection[str], portals: Collection[int]) -> None:
        """Delete what forms of a portal left behind, and everything of portals that are gone."""
        self.keep_only(portals)
        uids = {found["uid"] for path in used if (found := _PATH.fullmatch(path))}
        for folder in _folders(self._folder / str(portal_id)):
            if folder.name not in uids and time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def keep_only(self, portals: Collection[int]) -> None:
        """Delete every file of portals that are gone."""
        for folder in _folders(self._folder):
            if folder.name.isdigit() and int(folder.name) not in portals:
                shutil.rmtree(folder, ignore_errors=True)

    def _write(self, content: IO[bytes], target: Path) -> None:
        written = 0
        with target.open("xb") as file:
            while block := content.read(BLOCK):
                written += len(block)
                if written > self.most_bytes:
                    raise InvalidInput([FieldProblem("upload", "TOO_BIG")])
                file.write(block)
        if not written:
            raise InvalidInput([FieldProblem("upload", "EMPTY_FILE")])


def shown_name(path: str) -> str:
    """The name that an uploaded file had, or an empty text for anything else."""
    found = _PATH.fullmatch(path)
    return found["name"] if found else ""


def _safe(file_name: str) -> str:
    """The last part of a name, without what leads elsewhere; its suffix stays, since it tells the kind of file."""
    last = re.split(r"[/\\]", file_name)[-1]
    name = re.sub(r"[\x00-\x1f\x7f*?\[\]{}]", "_", last).strip().lstrip(".") or "file"
    stem, dot, suffix = name.rpartition(".")
    return name if len(name.encode()) <= LONGEST_NAME else (stem or suffix)[:40] + dot + (suffix[:12] if stem else "")


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
