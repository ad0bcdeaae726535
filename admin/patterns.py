"""The pattern page: every component once, for designers and for the page client. It exists in debug and tests only."""

from __future__ import annotations

import re
from pathlib import Path

from flask import abort, current_app, render_template
from flask.typing import ResponseReturnValue

from admin import blueprint

SYMBOL = re.compile(r'<symbol id="([a-z-]+)"')


@blueprint.route("/_patterns", methods=["GET", "POST"])
def patterns() -> ResponseReturnValue:
    """Every component in its looks."""
    if not (current_app.debug or current_app.testing):
        abort(404)
    sprite = Path(current_app.static_folder or "", "icons.svg").read_text(encoding="utf-8")
    problems = {"urlCheck": "Enter a full address that starts with https:// or http://."}
    return render_template("patterns.html", icons=SYMBOL.findall(sprite), problems=problems)
