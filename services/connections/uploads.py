"""Files that people uploaded for their connections: kept outside the web root, each portal's in a folder of its own.

A connection's `path` names one as `upload:<32 hex digits>/<file name>`; where that leads is decided for the portal that
the connection belongs to, so no text that somebody types opens another portal's file.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from drivers.base import Guards
from errors import FieldProblem, InvalidInput, is_disk_full
from services.connections.unsaved_uploads import OpenSessions, UnsavedUpload, UnsavedUploads
from services.connections.upload_owner import Belonging, NotOurs, UploadOwner, portal_folders
from services.connections.upload_trash import LeftFile, UploadTrash, files_in

log = logging.getLogger(__name__)

PREFIX = "upload:"
ABANDONED_SECONDS = 24 * 3600
"""An upload that no connection uses for this long, though it was to be saved, is left over."""
LONGEST_NAME = 120
BLOCK = 1024 * 1024
MEGABYTE = 1024 * 1024
_PATH = re.compile(r"upload:(?P<uid>[0-9a-f]{32})/(?P<name>[^/\\\0]+)")
# What tells the kind of file and its packing, such as `.csv` and `.csv.gz`; the rest is what its table is called.
_ENDING = re.compile(r"(?:\.[^.]*)?\.gz$|\.[^.]+$", re.IGNORECASE)


class Uploads:
    """Keeps and finds uploaded files; `most_bytes` is the largest that is taken, `quota_bytes` all of one portal.

    `deployment` says to which database the folder has to belong. What seems left over goes to the trash for
    `trash_days`; only what a portal or an operator wants deleted, and what was never saved, is deleted at once.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        deployment: Callable[[], str],
        trash_days: int = 14,
        *,
        quota_bytes: int | None = None,
    ) -> None:
        self._folder, self.most_bytes, self.quota_bytes = folder, most_bytes, quota_bytes
        self.owner, self.trash = UploadOwner(folder, deployment), UploadTrash(folder, trash_days)
        self._unsaved = UnsavedUploads(folder)

    def keep(
        self, portal_id: int, file_name: str, content: IO[bytes], *, session_id: int = 0, instead_of: str = ""
    ) -> str:
        """Keep a file of a form and give back what the setting `path` is to hold.

        It ends with the session unless it is saved. `instead_of` is the path that the form held until now: it does not
        count, and ends at once if it was not saved either. Raises `InvalidInput` for a file that is empty or too large,
        that goes beyond the quota or for which the disk has no room: nothing of it is kept. Raises `NotOurs` if the
        folder belongs to another database, which would take the file for left over.

        What takes the place of a saved file gets its name, with an ending of its own: so its table is called, and
        datasets go on asking for it.
        """
        uid, name, former = uuid.uuid4().hex, _safe(file_name), _PATH.fullmatch(instead_of)
        if former and former["uid"] not in self._unsaved.of(portal_id):
            name = _ENDING.sub("", former["name"]) + "".join(_ENDING.findall(name))
        target = self._folder / str(portal_id) / uid / name
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        try:
            self.owner.claim_if_empty()
            self._check_size(portal_id, size, former)
            self._unsaved.note(UnsavedUpload(portal_id, uid, session_id))
            target.parent.mkdir(parents=True, mode=0o700)
            self._write(content, target)
            # Others may have written beside it; then all of them are refused rather than one too many kept.
            self._check_size(portal_id, 0, former)
        except BaseException as problem:
            self._delete_unsaved(portal_id, uid)
            if isinstance(problem, OSError) and is_disk_full(problem):
                raise InvalidInput([FieldProblem("upload", "DISK")]) from problem
            raise
        if former and self._unsaved.is_noted(UnsavedUpload(portal_id, former["uid"], session_id)):
            self._delete_unsaved(portal_id, former["uid"])
        return f"{PREFIX}{uid}/{name}"

    def still_holds(self, portal_id: int, path: str, session_id: int) -> bool:
        """Whether the file that a form names is there; if it was not saved yet, it ends with the form's session now."""
        found = _PATH.fullmatch(path)
        if found is None or not (self._folder / str(portal_id) / found["uid"]).is_dir():
            return found is None
        try:
            self._unsaved.touch(UnsavedUpload(portal_id, found["uid"], session_id))
        except OSError as problem:
            log.warning("a file that was not saved yet ends with an earlier session: %s", problem)
        return True

    def save(self, portal_id: int, path: str) -> None:
        """Let a file outlive its session, since a connection is about to be saved with it. Raises `OSError`."""
        if found := _PATH.fullmatch(path):
            self._unsaved.forget(portal_id, found["uid"])

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
            self._shrink_trash(portal_id)

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
        for uid in self._unsaved.of(portal_id):
            self._unsaved.forget(portal_id, uid)

    def unsaved(self, open_sessions: OpenSessions) -> list[LeftFile]:
        """Files that were never saved and whose session is over."""
        over = self._unsaved.over(open_sessions)
        return [
            file
            for upload in over
            for file in files_in(self._folder / str(upload.portal_id) / upload.uid, self._folder)
        ]

    def delete_unsaved(self, open_sessions: OpenSessions, in_use: Callable[[int], Collection[str]]) -> list[LeftFile]:
        """Delete files that were never saved and whose session is over; tells which. Raises `NotOurs`.

        `in_use` tells the settings `path` of a portal's connections: a restored folder may hold notes of files that
        were saved since.
        """
        over = self._unsaved.over(open_sessions)
        if over:
            self.owner.require()
        used = {portal_id: _uids(in_use(portal_id)) for portal_id in {upload.portal_id for upload in over}}
        gone: list[LeftFile] = []
        for upload in over:
            if upload.uid in used[upload.portal_id]:
                self._unsaved.forget(upload.portal_id, upload.uid)
            else:
                gone += files_in(self._folder / str(upload.portal_id) / upload.uid, self._folder)
                self._delete_unsaved(upload.portal_id, upload.uid)
        return gone

    def purge(self, portal_id: int, used: Collection[str]) -> None:
        """Throw away what was to be saved and is used by no connection of a portal."""
        uids = _uids(used) | self._unsaved.of(portal_id)
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

    def _shrink_trash(self, portal_id: int) -> None:
        """Delete the oldest of what a portal itself no longer wants where that takes more than the quota."""
        try:
            if self.quota_bytes is not None and self.owner.belonging() is Belonging.OURS:
                self.trash.shrink(portal_id, self.quota_bytes)
        except OSError as problem:
            log.warning("the trash of portal %s stays as it is: %s", portal_id, problem)

    def _check_size(self, portal_id: int, size: int, former: re.Match[str] | None) -> None:
        """Refuse a file of `size` beside what is there, the file whose place it takes not counted."""
        if size > self.most_bytes:
            raise InvalidInput([FieldProblem("upload", "TOO_BIG")])
        folder = str(Path(str(portal_id)) / former["uid"]) + os.sep if former else os.sep
        taken = sum(file.bytes for file in self.files_of(portal_id) if not file.path.startswith(folder))
        if self.quota_bytes is not None and taken + size > self.quota_bytes:
            log.warning("portal %s: an upload goes beyond the quota of %s bytes", portal_id, self.quota_bytes)
            told = {"used": str(-(-taken // MEGABYTE)), "allowed": str(self.quota_bytes // MEGABYTE)}
            raise InvalidInput([FieldProblem("upload", "UPLOAD_QUOTA", told)])

    def _delete_unsaved(self, portal_id: int, uid: str) -> None:
        # The note goes last: whatever stays is found by it again.
        folder = self._folder / str(portal_id) / uid
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            log.warning("%s was never saved, and stays where it is", folder)
        else:
            self._unsaved.forget(portal_id, uid)

    def _write(self, content: IO[bytes], target: Path) -> None:
        written = 0
        with target.open("xb") as file:
            while block := content.read(BLOCK):
                written += file.write(block)
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


def _uids(paths: Collection[str]) -> set[str]:
    return {found["uid"] for path in paths if (found := _PATH.fullmatch(path))}


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
