"""Where styles, scripts and images of pages are, under addresses that browsers may keep."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, current_app, request, url_for

FOREVER = "public, max-age=31536000, immutable"


def register(app: Flask) -> None:
    """Let templates of `app` ask for `asset`, and browsers keep what they get."""
    app.add_template_global(asset)
    app.after_request(keep_assets)


def asset(filename: str) -> str:
    """The address of a file in `static/`; it changes with the file's content, so that browsers may keep the file."""
    return url_for("static", filename=filename, v=fingerprint(Path(current_app.static_folder or "", filename)))


@cache
def fingerprint(path: Path) -> str:
    """Ten hexadecimal digits of the file's SHA-256, read once per process."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def keep_assets(response: Response) -> Response:
    """Let browsers keep for good what was asked for under an address of `asset`."""
    if request.endpoint == "static" and "v" in request.args and response.status_code in (200, 304):
        response.headers["Cache-Control"] = FOREVER
    return response
