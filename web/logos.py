"""A logo that was chosen as a file becomes the text that portals want: `data:image/...;base64,...` (facts/api 2)."""

from __future__ import annotations

import base64
import re

from flask import request

from errors import FieldProblem, InvalidInput, is_disk_full

FIELD, TEXT = "logoFile", "logo"
"""The form's inputs: the file, and the text whose place it takes."""
ADDRESS = re.compile(r"https?://[^\s/]\S*|data:image/\S+", re.IGNORECASE)
"""The two things that the documentation lets the text be: a link to an image, or the image itself (facts/api 2)."""
MOST_BYTES = 64 * 1024
"""A logo travels with every connector of a list, so it stays small."""
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)


def chosen() -> str:
    """The chosen file as a `data:` address, or an empty text if none was chosen; may be asked again.

    Raises `InvalidInput` for a file that is no image, judged by its content, or larger than 64 KiB, and
    where the disk is full, on which it was to be kept until now.
    """
    file = request.files.get(FIELD)
    if file is None or not file.filename:
        return ""
    file.seek(0)
    try:
        content = file.read(MOST_BYTES + 1)
    except OSError as problem:
        if is_disk_full(problem):
            raise InvalidInput([FieldProblem(FIELD, "DISK")]) from problem
        raise
    if len(content) > MOST_BYTES:
        raise InvalidInput([FieldProblem(FIELD, "LOGO_TOO_LARGE")])
    kind = kind_of(content)
    if not kind:
        raise InvalidInput([FieldProblem(FIELD, "LOGO_NOT_AN_IMAGE")])
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def is_address(text: str) -> bool:
    """Whether `text` can be a logo: an http(s) address, or an image in a `data:` address."""
    return ADDRESS.fullmatch(text) is not None


def kind_of(content: bytes) -> str:
    """The subtype of an image (`png`, `svg+xml`) by its first bytes, or an empty text."""
    for signature, kind in SIGNATURES:
        if content.startswith(signature):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    is_svg = head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in content)
    return "svg+xml" if is_svg else ""
