"""Files of the machine: only below the folder that the operator names, whatever links and dots say."""

from __future__ import annotations

from pathlib import Path

from drivers.errors import SettingsWrong


def local_file(folder: Path | None, path: str) -> Path:
    """Like `local_path`, for a file only."""
    real = local_path(folder, path)
    if not real.is_file():
        raise SettingsWrong("path", "not_found")
    return real


def local_path(folder: Path | None, path: str) -> Path:
    """The real path of a file or folder below `folder`; `path` is relative to it, or absolute and inside.

    Raises `SettingsWrong("path")`: `local_files_off` without a folder, `outside_folder`, `not_found`. A path outside is
    never looked at, so that nobody learns what exists there.
    """
    if folder is None:
        raise SettingsWrong("path", "local_files_off")
    root = folder.resolve()
    if "\0" in path:
        raise SettingsWrong("path", "not_found")
    try:
        real = (root / path).resolve()
        if not real.is_relative_to(root):
            raise SettingsWrong("path", "outside_folder")
        if real.exists():
            return real
    except (OSError, RuntimeError):
        pass
    raise SettingsWrong("path", "not_found")
