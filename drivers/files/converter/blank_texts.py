"""Cells of a workbook that hold nothing but blanks, which openpyxl and pandas write without the mark that keeps them.

A reader by the letter of the format takes such a text for none; who wrote it meant a text.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

_TEXTS = re.compile(r"xl/(?:sharedStrings|worksheets/[^/]+)\.xml")
_BLANK = re.compile(rb"<t>([ \t]+)</t>")
_MARKED = rb'<t xml:space="preserve">\1</t>'
BLOCK = 1024 * 1024


def with_blank_texts(path: Path, folder: Path) -> Path:
    """The workbook itself, or a copy in `folder` that marks such texts, where it has some.

    What is wrong with a workbook is left to its reader to say.
    """
    try:
        return _marked(path, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return path


def _marked(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = [part for part in archive.infolist() if _TEXTS.fullmatch(part.filename)]
        found = {part.filename for part in parts if any(map(_BLANK.search, _pieces(archive, part)))}
        if not found:
            return path
        copy = folder / "marked.xlsx"
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as marked:
            for part in archive.infolist():
                with marked.open(part.filename, "w", force_zip64=True) as target:
                    for piece in _pieces(archive, part):
                        target.write(_BLANK.sub(_MARKED, piece) if part.filename in found else piece)
    return copy


def _pieces(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a part in pieces, none of which ends inside of a text of blanks."""
    with archive.open(part) as source:
        rest = b""
        while block := source.read(BLOCK):
            piece = rest + block
            begun = re.search(rb"<(?:t(?:>[ \t]*(?:<(?:/(?:t)?)?)?)?)?\Z", piece)
            cut = begun.start() if begun else len(piece)
            yield piece[:cut]
            rest = piece[cut:]
        yield rest
