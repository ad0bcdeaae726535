"""What every page of the portal shows around its content: company, menu, user, language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import request, url_for

from emulator.context import current_emulator
from emulator.languages import LANGUAGES
from emulator.pages.wording import Speech, speech
from emulator.portal import APP_TITLE
from emulator.records import Application

COMPANY = "Aldermoor Trading"
"""An invented company, neither a real one nor the vendor's."""


@dataclass(frozen=True)
class MenuItem:
    """A line of the left menu. `section` is the blueprint whose pages it marks as current."""

    title: str
    address: str
    icon: str
    current: bool


def say() -> Speech:
    """Sentences in the portal's language."""
    return speech(current_emulator().portal.language.code)


def in_slider() -> bool:
    """Whether the page is shown in a slider, without menu and header (`IFRAME=Y` as in real portals)."""
    return request.values.get("IFRAME") == "Y"


def page_address(endpoint: str, **values: Any) -> str:
    """The address of a page, staying in the slider if this page is in one."""
    if in_slider():
        values["IFRAME"] = "Y"
    return url_for(endpoint, **values)


def local_address(address: str) -> str:
    """`address` if it leads to a page of this portal, else the start page."""
    parts = urlsplit(address)
    plain = not parts.scheme and not parts.netloc and address.startswith("/") and not address.startswith("//")
    return address if plain and "\\" not in address else "/"


def moment(written: str) -> str:
    """A moment as objects keep it (`Y-m-d H:i:s`), in the site's own format."""
    site = current_emulator().portal.language.site_format
    return site.moment(datetime.strptime(written, "%Y-%m-%d %H:%M:%S"))  # noqa: DTZ007 (kept without zone)


def context() -> dict[str, Any]:
    """Names that every template may use."""
    portal = current_emulator().portal
    with portal.lock:
        people = [user for user in portal.users if user.active and not user.system]
        user = portal.browser_user
    return {
        "say": say(),
        "company": COMPANY,
        "user": user,
        "people": people,
        "language": portal.language,
        "languages": list(LANGUAGES.values()),
        "menu": _menu(say()),
        "here": request.full_path.rstrip("?"),
        "slider": in_slider(),
        "page_address": page_address,
        "moment": moment,
        "app_title": app_title,
    }


def app_title(app: Application) -> str:
    """The application's title as its card in the market has it in the portal's language."""
    return say()(APP_TITLE) if app.title == APP_TITLE else app.title


def _menu(say: Callable[..., str]) -> list[MenuItem]:
    app = current_emulator().portal.app
    section = request.blueprints[0].removeprefix("pages.") if request.blueprints else ""
    items = [
        ("pages.hub.show", say("BI Builder"), "chart", {"hub", "table", "wizards"}),
        ("pages.people.show", say("Employees"), "people", {"people"}),
        ("pages.market.show", say("Market"), "market", {"market"}),
    ]
    if app.registered:
        items.insert(0, ("pages.frame.show", app_title(app), "plug", {"frame"}))
    return [MenuItem(title, url_for(endpoint), icon, section in marks) for endpoint, title, icon, marks in items]
