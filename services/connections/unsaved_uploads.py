"""Uploaded files that no connection was saved with yet: each is noted beside the session that it will end with.

`<folder of uploads>/.unsaved/<number of the portal>-<32 hex digits>` holds the number of the session; a file without
such a note was saved once, and is never deleted for what is noted here.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

UNSAVED = ".unsaved"
SHORTEST_SECONDS = 3600
"""So long a file stays in any case after a form named it last: a session that ended can be renewed by its page."""
_NAME = re.compile(r"(?P<portal>\d+)-(?P<uid>[0-9a-f]{32})")

OpenSessions = Callable[[set[int]], set[int]]
"""Which of these sessions are not over."""


@dataclass(frozen=True)
class UnsavedUpload:
    """A file that was not saved yet, by its portal, its random name, and the session of the form that named it last."""

    portal_id: int
    uid: str
    session_id: int


class UnsavedUploads:
    """Notes which files were not saved, in the folder of uploads itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / UNSAVED

    def note(self, upload: UnsavedUpload) -> None:
        """Let a file end with a session. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path(upload.portal_id, upload.uid).write_text(str(upload.session_id), "ascii")

    def touch(self, upload: UnsavedUpload) -> None:
        """Let a file that is noted end with the session of the form which names it now. Raises `OSError`."""
        if self.is_noted(upload):
            os.utime(self._path(upload.portal_id, upload.uid))
        elif self._path(upload.portal_id, upload.uid).exists():
            self.note(upload)

    def is_noted(self, upload: UnsavedUpload) -> bool:
        """Whether a file was not saved yet and ends with this session."""
        return self._session(self._path(upload.portal_id, upload.uid)) == upload.session_id

    def forget(self, portal_id: int, uid: str) -> None:
        """Note that a file was saved, or is gone. Raises `OSError`."""
        self._path(portal_id, uid).unlink(missing_ok=True)

    def of(self, portal_id: int) -> set[str]:
        """The random names of a portal's files that were not saved."""
        return {upload.uid for upload, _ in self._noted() if upload.portal_id == portal_id}

    def over(self, open_sessions: OpenSessions) -> list[UnsavedUpload]:
        """The files whose session is over, and that no form has named for an hour."""
        since = time.time() - SHORTEST_SECONDS
        old = [upload for upload, named in self._noted() if named < since]
        still_open = open_sessions({upload.session_id for upload in old}) if old else set()
        return [upload for upload in old if upload.session_id not in still_open]

    def _noted(self) -> Iterator[tuple[UnsavedUpload, float]]:
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else []:
            match = _NAME.fullmatch(path.name)
            session_id = self._session(path) if match else None
            if match and session_id is not None:
                yield UnsavedUpload(int(match["portal"]), match["uid"], session_id), path.stat().st_mtime

    def _path(self, portal_id: int, uid: str) -> Path:
        return self._folder / f"{portal_id}-{uid}"

    @staticmethod
    def _session(path: Path) -> int | None:
        """The session that is noted; 0, which is none, where a note was cut; None without a note."""
        try:
            text = path.read_text("ascii")
        except OSError:
            return None
        return int(text) if text.isdecimal() else 0
