"""How values look on pages, where their styles and scripts are, and how a form that acted is answered with a page."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from babel.units import format_unit
from flask import Response, current_app, g, make_response, request, url_for
from flask_babel import format_date, format_decimal, format_time, format_timedelta, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import blueprint
from admin.session import submitted
from models import now
from services.connections.portal_comparison import without_key
from services.connections.uploads import shown_name

DATA_IMAGE = re.compile(r"(data:image/(?:png|jpeg|gif|webp|svg\+xml)(?:;[a-z0-9=-]+)*,)(.+)", re.IGNORECASE | re.DOTALL)
AS_WRITTEN = "!$%&()*+,-./:;=?@_~"
"""What stays in the data of an image; spaces, quotes, brackets and `#`, which would end the address, are encoded."""
FOREVER = "public, max-age=31536000, immutable"
SETTING_TYPES = {"STRING": _l("Text"), "INT": _l("Whole number")}
COLUMN_TYPES = {
    "string": _l("Text"),
    "int": _l("Whole number"),
    "double": _l("Decimal number"),
    "date": _l("Date"),
    "datetime": _l("Date and time"),
    "money": _l("Money"),
    "timezone": _l("Time zone"),
}
A_MOMENT = timedelta(seconds=5)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@blueprint.app_context_processor
def values_of_every_page() -> dict[str, Any]:
    """`language()` for `<html lang>`, and the `notice` that an action left for the page that follows it."""
    return {"language": lambda: str(get_locale() or "en"), "notice": g.get("notice", "")}


@blueprint.app_template_global()
def asset(filename: str) -> str:
    """The address of a file in `static/`; it changes with the file's content, so that browsers may keep the file."""
    return url_for("static", filename=filename, v=fingerprint(Path(current_app.static_folder or "", filename)))


@cache
def fingerprint(path: Path) -> str:
    """Ten hexadecimal digits of the file's SHA-256, read once per process."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


@blueprint.after_app_request
def keep_assets(response: Response) -> Response:
    """Let browsers keep for good what was asked for under an address of `asset`."""
    if request.endpoint == "static" and "v" in request.args and response.status_code in (200, 304):
        response.headers["Cache-Control"] = FOREVER
    return response


@blueprint.app_template_filter()
def dom_id(name: str) -> str:
    """An element's id for a form field's name, which may hold any character: a source's settings carry codes of their
    connector. Different names give different ids.
    """
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f".{ord(found[0]):x}.", name)


@blueprint.app_template_filter()
def initials(title: str) -> str:
    """Up to two letters that stand for a title; `?` if it has none."""
    letters = [word[0] for word in re.findall(r"\w+", title)]
    return "".join(letters[:2]).upper() or "?"


@blueprint.app_template_filter()
def data_image(source: str) -> str:
    """`source` if it is an image inside a `data:` address, else an empty text (see components/logo.html).

    Portals take the drawing as it is, `data:image/svg+xml;utf8,<svg ...>`; it comes back percent-encoded.
    """
    found = DATA_IMAGE.fullmatch(source)
    return found[1] + quote(found[2], safe=AS_WRITTEN) if found else ""


@blueprint.app_template_filter()
def moment(text: str) -> str:
    """A portal's date, with time if it has one, in the page's language; what is no date stays as it is.

    Portals give their own local time without a zone, so nothing is converted (facts/biconnector 1.6).
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    date = str(format_date(when, "long", rebase=False))
    if DAY.fullmatch(text):
        return date
    return f"{date}, {format_time(when.replace(tzinfo=None), 'short', rebase=False)}"


@blueprint.app_template_filter()
def ago(when: datetime) -> str:
    """How long ago a moment of ours was, in words."""
    age = now() - when
    return str(format_timedelta(-age, add_direction=True, threshold=1) if age >= A_MOMENT else _("just now"))


@blueprint.app_template_filter()
def data_size(count: int) -> str:
    """A number of bytes in kilobytes or megabytes of the page's language."""
    unit, whole = ("digital-kilobyte", 1000) if count < 1_000_000 else ("digital-megabyte", 1_000_000)
    return str(format_unit(math.ceil(count * 10 / whole) / 10, unit, "short", locale=get_locale()))


@blueprint.app_template_filter()
def grouped(count: int) -> str:
    """A whole number as the page's language groups its digits."""
    return str(format_decimal(count))


@blueprint.app_template_filter()
def upload_name(path: str) -> str:
    """A connection's path; of an uploaded file its name alone."""
    return shown_name(path) or path


@blueprint.app_template_filter()
def keyless(address: str) -> str:
    """An address of a connector without the key that may stand in it."""
    return without_key(address)


@blueprint.app_template_filter()
def day(text: str) -> str:
    """A portal's date without its time, short enough for a table; what is no date stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return str(format_date(when, "medium", rebase=False))


@blueprint.app_template_filter()
def host(url: str) -> str:
    """The host of an address, for lists; what is no address stays as it is."""
    try:
        return urlsplit(url).netloc or url
    except ValueError:
        return url


@blueprint.app_template_filter()
def is_number(text: str) -> bool:
    """Whether a text can stand for an object's number in an address."""
    return text.isascii() and text.isdigit() and len(text) <= 18


@blueprint.app_template_filter()
def setting_type(code: str) -> str:
    """A setting's type in words."""
    return str(SETTING_TYPES.get(code, code))


@blueprint.app_template_filter()
def setting_types(codes: Sequence[str], current: str) -> list[tuple[str, str]]:
    """Types to choose from, with the current one even if the portal no longer offers it."""
    return [(code, setting_type(code)) for code in _with_current(codes, current)]


@blueprint.app_template_filter()
def column_type(code: str) -> str:
    """A column's type in words; an unknown one as it is (facts/biconnector 4.7)."""
    return str(COLUMN_TYPES.get(code.lower(), code))


@blueprint.app_template_filter()
def column_types(codes: Sequence[str], current: str) -> list[tuple[str, str]]:
    """Types to choose from, with the current one even if the portal does not offer it."""
    return [(code, column_type(code)) for code in _with_current(codes, current)]


def _with_current(codes: Sequence[str], current: str) -> list[str]:
    return [*codes, *([current] if current and current not in codes else [])]


def page_at(path: str, notice: str = "") -> Response:
    """The page at `path` as the answer to a form that acted, with `notice` on top.

    A redirect would lose the session token, which travels in the body, so the next page is the answer itself
    (facts/security 2.3); `HX-Push-Url` tells htmx its address. Raises what its view raises: the form has acted all the
    same, and `next_path` tells `admin.problems` where to look.
    """
    endpoint, values = current_app.url_map.bind("localhost").match(path, method="GET")
    g.next_path, g.notice = path, notice
    response = make_response(current_app.view_functions[endpoint](**values))
    response.headers["HX-Push-Url"] = path
    return response


def acted() -> bool:
    """Whether a form of this request has acted already, and its answer is being drawn."""
    return bool(next_path())


def next_path() -> str:
    """The address of the page that answers a form of this request which has acted, or an empty text."""
    return str(g.get("next_path", ""))


def stays(page: str, status: int = 200) -> tuple[str, int, dict[str, str]]:
    """A form's page shown again: it is not a new place, so the browser's history does not grow."""
    return page, status, {"HX-Push-Url": "false"} if submitted() else {}
