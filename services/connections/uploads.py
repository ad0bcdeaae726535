"""Files that people uploaded for their connections: kept outside the web root, each portal's in a folder of its own.

A connection's `path` names one as `upload:<32 hex digits>/<file name>`; where that leads is decided for the portal that
the connection belongs to, so no text that somebody types opens another portal's file.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from drivers.base import Guards
from errors import FieldProblem, InvalidInput
from services.connections.upload_owner import NotOurs, UploadOwner, portal_folders
from services.connections.upload_trash import LeftFile, UploadTrash, files_in

log = logging.getLogger(__name__)

PREFIX = "upload:"
ABANDONED_SECONDS = 24 * 3600
"""An upload that no connection uses for this long was left behind by a form."""
LONGEST_NAME = 120
BLOCK = 1024 * 1024
_PATH = re.compile(r"upload:(?P<uid>[0-9a-f]{32})/(?P<name>[^/\\\0]+)")


class Uploads:
    """Keeps and finds uploaded files; `most_bytes` is the largest that is taken.

    `deployment` says to which database the folder has to belong. What seems left over goes to the trash for
    `trash_days`; only what a portal or an operator wants deleted is deleted at once.
    """

    def __init__(self, folder: Path, most_bytes: int, deployment: Callable[[], str], trash_days: int = 14) -> None:
        self._folder, self.most_bytes = folder, most_bytes
        self.owner, self.trash = UploadOwner(folder, deployment), UploadTrash(folder, trash_days)

    def keep(self, portal_id: int, file_name: str, content: IO[bytes]) -> str:
        """Keep a file and give back what the setting `path` is to hold.

        Raises `InvalidInput` for a file that is empty or too large, of which nothing is kept, and `NotOurs` if the
        folder belongs to another database, which would take the file for left over.
        """
        self.owner.claim_if_empty()
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
        """Throw away a file that no connection uses any more; anything but an upload is left alone."""
        found = _PATH.fullmatch(path)
        if found is not None:
            self._throw_away(self._folder / str(portal_id) / found["uid"])

    def discard_all(self, portal_id: int) -> None:
        """Throw away every file of a portal that left without a word."""
        self._throw_away(self._folder / str(portal_id))

    def erase(self, portal_id: int) -> None:
        """Delete every file of a portal that wants them deleted, those in the trash as well.

        Raises `NotOurs` and `OSError`; then they are still there.
        """
        self.owner.require()
        folder = self._folder / str(portal_id)
        if folder.is_dir():
            shutil.rmtree(folder)
        self.trash.forget(portal_id)

    def purge(self, portal_id: int, used: Collection[str]) -> None:
        """Throw away what forms of a portal left behind."""
        uids = {found["uid"] for path in used if (found := _PATH.fullmatch(path))}
        for folder in _folders(self._folder / str(portal_id)):
            if folder.name not in uids and time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                self._throw_away(folder)

    def files_of(self, portal_id: int) -> list[LeftFile]:
        """The files of a portal, those in the trash not among them."""
        return files_in(self._folder / str(portal_id), self._folder)

    def recognised(self, used: Mapping[int, Collection[str]]) -> bool:
        """Whether the folder is that of a database with these portals and settings `path`, as far as files tell.

        It holds a file that a connection names, whose name is random, and none of a portal that is not known.
        """
        named = ((portal_id, _PATH.fullmatch(path)) for portal_id, paths in used.items() for path in paths)
        found = any((self._folder / str(portal_id) / match["uid"]).is_dir() for portal_id, match in named if match)
        return found and not self._unknown(used)

    def left_over(self, portals: Collection[int]) -> list[LeftFile]:
        """The files of portals that are not among the known ones."""
        return [file for folder in self._unknown(portals) for file in files_in(folder, self._folder)]

    def keep_only(self, portals: Collection[int]) -> list[LeftFile]:
        """Throw away every file of portals that are not known; tells which. Raises `NotOurs` and `OSError`."""
        unknown = self._unknown(portals)
        if unknown:
            self.owner.require()
        return [file for folder in unknown for file in self.trash.take(folder)]

    def _unknown(self, portals: Collection[int]) -> list[Path]:
        return [folder for folder in portal_folders(self._folder) if int(folder.name) not in portals]

    def _throw_away(self, folder: Path) -> None:
        """Move a folder to the trash, or leave it where it is and say so: nobody waits for that."""
        if not folder.is_dir():
            return
        try:
            self.owner.require()
            for file in self.trash.take(folder):
                log.info("%s is no longer used: moved to the trash", file.path)
        except (NotOurs, OSError) as problem:
            log.warning("%s is no longer used, and stays where it is: %s", folder, problem)

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
