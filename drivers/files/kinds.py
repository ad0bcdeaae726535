"""What a file is: by what was asked for, by its first bytes, or by its suffix."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Literal

from drivers.errors import SettingsWrong

FileKind = Literal["csv", "xlsx", "parquet", "jsonl"]

SUFFIXES: dict[str, FileKind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".tab": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
GZIP = b"\x1f\x8b"
#: How files begin that nobody means as a table; they would be read as CSV with one odd column.
_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "PDF"),
    (GZIP, "gzip"),
    (b"BZh91AY", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"SQLite format 3\0", "SQLite"),
    (b"ARROW1\0", "Arrow"),
    (b"Obj\x01", "Avro"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF89a", "GIF"),
    (b"{\\rtf", "RTF"),
)
_OBJECT = re.compile(rb'(?:\[\s*)?\{\s*"')
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
#: A file that holds files: an old document of Office, or a new one with a password. Names inside are UTF-16.
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PARTS: tuple[tuple[str, str], ...] = (("Workbook", "XLS"), ("Book", "XLS"), ("WordDocument", "DOC"))
_PASSWORD = "EncryptedPackage"  # noqa: S105 - the name of a part
_LOOKED_THROUGH = 1024 * 1024


def kind_of_file(path: Path, asked: str) -> FileKind:
    """What the file is: as asked for, by its first bytes, or by its suffix.

    Raises `SettingsWrong("path", "other_kind")` for what begins like no table.
    """
    with path.open("rb") as file:
        start = file.read(1024)
    begin = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if start[257:262] == b"ustar":
        raise SettingsWrong("path", "other_kind", "tar")
    for magic, name in _OTHER_KINDS:
        if start.startswith(magic):
            raise SettingsWrong("path", "other_kind", name)
    if start.startswith(_COMPOUND):
        raise _of_compound(path)
    if begin.lower().startswith(_PAGES):
        raise SettingsWrong("path", "other_kind", "HTML or XML")
    kind = _kind(path, asked, begin)
    if kind == "parquet" and not start.startswith(b"PAR1"):
        raise SettingsWrong("path", "other_kind", "no Parquet")
    return kind


def _kind(path: Path, asked: str, begin: bytes) -> FileKind:
    if asked == "tsv":
        return "csv"
    if asked in ("csv", "xlsx", "parquet", "jsonl"):
        return asked  # type: ignore[return-value]  # the four words of `FileKind`
    if begin.startswith(b"PAR1"):
        return "parquet"
    if begin.startswith(b"PK\x03\x04"):
        return "xlsx"
    # Whoever saves the answer of an API often calls it a text.
    if path.suffix.lower() == ".txt" and _OBJECT.match(begin):
        return "jsonl"
    return SUFFIXES.get(path.suffix.lower()) or ("jsonl" if begin.startswith((b"{", b"[{", b"[[")) else "csv")


def _of_compound(path: Path) -> SettingsWrong:
    """The refusal of a file that holds files, by what is in it; the list of its parts stands at either end."""
    with path.open("rb") as file:
        ends = file.read(_LOOKED_THROUGH)
        file.seek(max(path.stat().st_size - _LOOKED_THROUGH, 0))
        ends += file.read()
    if _PASSWORD.encode("utf-16-le") in ends:
        return SettingsWrong("path", "password_protected")
    found = (kind for part, kind in _PARTS if f"{part}\0".encode("utf-16-le") in ends)
    return SettingsWrong("path", "other_kind", next(found, "XLS or DOC"))
