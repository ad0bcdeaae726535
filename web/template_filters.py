"""How values look on pages: what templates may call."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from babel.units import format_unit
from flask import Flask
from flask_babel import format_date, format_decimal, format_time, format_timedelta, get_locale
from flask_babel import gettext as _

from models import now
from sentences.choices import column_type, setting_type, with_current
from sentences.lookup import diagnosis
from services.connections.portal_comparison import without_key
from services.connections.uploads import shown_name
from web.forms import number_in

DATA_IMAGE = re.compile(r"(data:image/(?:png|jpeg|gif|webp|svg\+xml)(?:;[a-z0-9=-]+)*,)(.+)", re.IGNORECASE | re.DOTALL)
AS_WRITTEN = "!$%&()*+,-./:;=?@_~"
"""What stays in the data of an image; spaces, quotes, brackets and `#`, which would end the address, are encoded."""
A_MOMENT = timedelta(seconds=5)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def register(app: Flask) -> None:
    """Let templates of `app` use every filter of this module by its own name, and `diagnosis`."""
    for function in FILTERS:
        app.add_template_filter(function)
    app.add_template_global(diagnosis)


def dom_id(name: str) -> str:
    """An element's id for a form field's name, which may hold any character: a source's settings carry codes of their
    connector. Different names give different ids.
    """
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f".{ord(found[0]):x}.", name)


def initials(title: str) -> str:
    """Up to two letters that stand for a title; `?` if it has none."""
    letters = [word[0] for word in re.findall(r"\w+", title)]
    return "".join(letters[:2]).upper() or "?"


def data_image(source: str) -> str:
    """`source` if it is an image inside a `data:` address, else an empty text (see components/logo.html).

    Portals take the drawing as it is, `data:image/svg+xml;utf8,<svg ...>`; it comes back percent-encoded.
    """
    found = DATA_IMAGE.fullmatch(source)
    return found[1] + quote(found[2], safe=AS_WRITTEN) if found else ""


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


def ago(when: datetime) -> str:
    """How long ago a moment of ours was, in words."""
    age = now() - when
    return str(format_timedelta(-age, add_direction=True, threshold=1) if age >= A_MOMENT else _("just now"))


def data_size(count: int) -> str:
    """A number of bytes in kilobytes or megabytes of the page's language."""
    unit, whole = ("digital-kilobyte", 1000) if count < 1_000_000 else ("digital-megabyte", 1_000_000)
    return str(format_unit(math.ceil(count * 10 / whole) / 10, unit, "short", locale=get_locale()))


def grouped(count: int) -> str:
    """A whole number as the page's language groups its digits."""
    return str(format_decimal(count))


def upload_name(path: str) -> str:
    """A connection's path; of an uploaded file its name alone."""
    return shown_name(path) or path


def keyless(address: str) -> str:
    """An address of a connector without the key that may stand in it."""
    return without_key(address)


def day(text: str) -> str:
    """A portal's date without its time, short enough for a table; what is no date stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return str(format_date(when, "medium", rebase=False))


def host(url: str) -> str:
    """The host of an address, for lists; what is no address stays as it is."""
    try:
        return urlsplit(url).netloc or url
    except ValueError:
        return url


def one_line(text: str) -> str:
    """A text whose blanks and line ends are one blank each, as a line of a setting has it."""
    return " ".join(text.split())


def is_number(text: str) -> bool:
    """Whether a text can stand for an object's number in an address."""
    return number_in(text) is not None


def setting_types(codes: Sequence[str], current: str) -> list[tuple[str, str]]:
    """Types to choose from, with the current one even if the portal no longer offers it."""
    return [(code, setting_type(code)) for code in with_current(codes, current)]


def column_types(codes: Sequence[str], current: str) -> list[tuple[str, str]]:
    """Types to choose from, with the current one even if the portal does not offer it."""
    return [(code, column_type(code)) for code in with_current(codes, current)]


FILTERS: Sequence[Callable[..., Any]] = (
    *(dom_id, initials, data_image, moment, ago, data_size, grouped, upload_name, keyless, day, host),
    *(one_line, is_number),
    *(setting_type, setting_types, column_type, column_types),
)
