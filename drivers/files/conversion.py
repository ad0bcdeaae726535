"""Texts, workbooks and JSON as CSV of one form, made by a process of their own; one way of finding types serves all.

What such a file does to its reader cannot be bounded inside a thread: sizes that a file of two kilobytes makes up, a
minute of the processor. `converter/` runs apart, with a limit of memory and time and nothing of ours in its
environment, and is stopped with the session.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from drivers.errors import Broken, NoRoom, SettingsWrong
from drivers.files.prepared import Temporary
from egress.deadline import Deadline

MOST_UNPACKED_BYTES = 400 * 1024 * 1024
MOST_WRITTEN_BYTES = 2 * 1024 * 1024 * 1024
#: Some ten million cells of a workbook.
MOST_MEMORY = 768 * 1024 * 1024
MOST_SECONDS = 120.0
#: So many at a time, in one process of the app.
MOST_AT_ONCE = 2

_LOOK_SECONDS = 0.05
_PROGRAM = Path(__file__).parent / "converter" / "__main__.py"
_PLACES = threading.Semaphore(MOST_AT_ONCE)

Kinds = frozenset[str]


@dataclass(frozen=True)
class Converted:
    """One table as CSV without a header, and the number of its rows.

    `columns` are names and kinds of values (`converter/`) of a workbook or JSON, None for a text, whose layout says
    them; so it does `titles`, the numbered rows above a sheet's table, and `header_row`, the number of its names or 0.
    """

    name: str
    path: Path
    rows: int
    columns: tuple[tuple[str, Kinds], ...] | None
    titles: tuple[tuple[int, str], ...] = ()
    header_row: int | None = None


def converted(
    path: Path,
    kind: Literal["csv", "xlsx", "jsonl"],
    deadline: Deadline,
    asked: Mapping[str, Any],
    most_rows: int | None = None,
) -> tuple[Temporary, list[Converted]]:
    """The tables of a text, a workbook or of JSON, and the folder that they lie in; `asked` is the rest of the task.

    Of each table the first `most_rows` alone, if that is said.

    Raises `SettingsWrong` when the file is no such file or needs too much, `Timeout`, `Broken`, `NoRoom`.
    """
    folder = Temporary.folder()
    with _place(deadline):
        task = {
            "kind": kind,
            "most_rows": most_rows,
            "path": str(path),
            "folder": str(folder.path),
            "unpacked": MOST_UNPACKED_BYTES,
            "bytes": MOST_WRITTEN_BYTES,
            "memory": MOST_MEMORY,
            "seconds": math.ceil(MOST_SECONDS),
            **asked,
        }
        answer = _answer(task, deadline)
    if "full" in answer:
        raise NoRoom("disk")
    if "refused" in answer:
        raise SettingsWrong(*answer["refused"])
    return folder, [
        Converted(
            made["name"],
            folder.path / made["file"],
            made["rows"],
            tuple((name, frozenset(kinds)) for name, kinds in made["columns"]) if "columns" in made else None,
            tuple((number, text) for number, text in made.get("titles", ())),
            made.get("header_row"),
        )
        for made in answer["made"]
    ]


@contextlib.contextmanager
def _place(deadline: Deadline) -> Iterator[None]:
    while not _PLACES.acquire(timeout=min(deadline.left, _LOOK_SECONDS)):
        deadline.check()
    try:
        yield
    finally:
        _PLACES.release()


def _answer(task: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """What the program says to a task."""
    program = subprocess.Popen(  # noqa: S603 - our own program, and nothing of the task stands in the command
        [sys.executable, "-I", "-X", "utf8", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
    )
    with program:
        try:
            said = _said(program, json.dumps(task).encode(), deadline)
        except BaseException:
            program.kill()
            raise
    if program.returncode == 0:
        return dict(json.loads(said))
    if program.returncode > 0:
        raise Broken("server_error", f"the converter ended with {program.returncode}")
    # The system stopped it: at its limit of the processor's time, or of memory.
    raise SettingsWrong("path", "too_big")


def _said(program: subprocess.Popen[bytes], task: bytes, deadline: Deadline) -> bytes:
    given: bytes | None = task
    while True:
        try:
            return program.communicate(given, timeout=min(deadline.left, _LOOK_SECONDS))[0]
        except subprocess.TimeoutExpired:
            given = None
            deadline.check()
