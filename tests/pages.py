"""The one page client: a browser without scripts and cookies, which checks every page that it is given.

It follows links and sends forms the way such a browser does: only what the page's own forms hold travels. `check` is
the contract of all pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from justhtml import JustHTML
from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.test import TestResponse, encode_multipart

from services.portals.languages import SPOKEN

OWN = {"Sec-Fetch-Site": "same-origin"}
ADDRESSES = ("href", "src", "action", "formaction", "data-open-path")
CONTROLS = ("input", "select", "textarea")
UNTYPED = ("hidden", "submit", "button")
PLAIN = re.compile(r"(?=.)(\*|[a-z]\w*)?(?:\.([\w-]+))?(?:\[([\w-]+)\])?")
"""A selector of a tag, a class and an attribute: those of which each page is asked for dozens."""


class Element:
    """An element of a page; a thin reading of justhtml's nodes."""

    def __init__(self, node: Any) -> None:
        self.node = node

    def __getitem__(self, name: str) -> str:
        return str(self.node.attrs[name] or "")

    def __contains__(self, name: str) -> bool:
        return name in self.node.attrs

    def get(self, name: str, default: str = "") -> str:
        """An attribute, or `default`."""
        return str(self.node.attrs.get(name) or "") if name in self else default

    def fits(self, name: str | None, style: str | None, attribute: str | None) -> bool:
        """Whether it has this tag, class and attribute; None is any."""
        return (
            name in (None, "*", self.node.name)
            and (style is None or style in self.get("class").split())
            and (attribute is None or attribute in self)
        )

    @property
    def name(self) -> str:
        """The tag."""
        return str(self.node.name)

    @property
    def text(self) -> str:
        """The text inside, in one line."""
        return " ".join(str(self.node.to_text()).split())

    @property
    def raw(self) -> str:
        """The text inside as it is, for `<textarea>`."""
        return "".join(str(child.data) for child in self.node.children if child.name == "#text")

    def all(self, selector: str) -> list[Element]:
        """The elements inside that a selector fits."""
        return [Element(node) for node in self.node.query(selector)]

    def inside(self, *names: str) -> bool:
        """Whether the element is inside one with such a tag."""
        above = self.node.parent
        while above is not None:
            if above.name in names:
                return True
            above = above.parent
        return False


@dataclass
class Page:
    """An answer that is a page."""

    path: str
    status: int
    headers: Headers
    text: str
    document: Any

    @cached_property
    def elements(self) -> list[Element]:
        """All elements, in their order."""
        return [Element(node) for node in self.document.query("*")]

    def all(self, selector: str) -> list[Element]:
        """The elements that a selector fits, in their order."""
        parts = [PLAIN.fullmatch(part) for part in selector.split(", ")]
        if not all(parts):
            return [Element(node) for node in self.document.query(selector)]
        plain = [part.groups() for part in parts if part]
        return [element for element in self.elements if any(element.fits(*part) for part in plain)]

    def one(self, selector: str) -> Element:
        """The only element that a selector fits."""
        found = self.all(selector)
        assert len(found) == 1, f"{self.path}: {len(found)} elements fit {selector}"
        return found[0]

    def by_id(self, element_id: str) -> Element | None:
        """The element with an id, whatever characters that holds."""
        return next((element for element in self.all("[id]") if element["id"] == element_id), None)

    @property
    def language(self) -> str:
        """What the page says its language is."""
        return self.one("html").get("lang")

    @property
    def words(self) -> str:
        """All text that can be read on the page, in one line."""
        return self.one("body").text

    @property
    def heading(self) -> str:
        """The text of the page's `<h1>`."""
        return self.one("h1").text

    @property
    def alerts(self) -> list[str]:
        """The messages on the page, without those that only a script or a mark brings up."""
        shown = [alert for alert in self.all(".alert") if "hidden" not in alert]
        return [alert.text for alert in shown if "delete-note" not in alert.get("class")]

    @property
    def place(self) -> str:
        """The address that the answer tells the browser's history, or an empty text."""
        return self.headers.get("HX-Push-Url", "")

    def control(self, name: str) -> Element:
        """The visible input of a form field."""
        found = [
            control
            for control in self.all(", ".join(CONTROLS))
            if control.get("name") == name and control.get("type") != "hidden" and not control.inside("template")
        ]
        assert len(found) == 1, f"{self.path}: {len(found)} inputs are called {name}"
        return found[0]

    def value(self, name: str) -> str:
        """What stands in a form field."""
        control = self.control(name)
        if control.name == "textarea":
            # A parser drops the first line break of a textarea, as browsers do.
            return control.raw
        if control.name == "select":
            chosen = [option.get("value") for option in control.all("option") if "selected" in option]
            return chosen[0] if chosen else ""
        return control.get("value")

    def sentence(self, name: str) -> str:
        """The sentence beside a form field, or an empty text; the input says that it is invalid and points to it."""
        control = self.control(name)
        if control.get("aria-invalid") != "true":
            return ""
        problems = [target for target in control["aria-describedby"].split() if target.endswith("-problem")]
        assert len(problems) == 1
        beside = self.by_id(problems[0])
        assert beside is not None
        return beside.text

    def sentences(self) -> dict[str, str]:
        """All sentences beside fields."""
        invalid = [control for control in self.all("[aria-invalid]") if control.name in CONTROLS]
        return {control["name"]: self.sentence(control["name"]) for control in invalid}

    def options(self, name: str) -> dict[str, str]:
        """What a list offers, by value."""
        return {option.get("value"): option.text for option in self.control(name).all("option")}

    def has_control(self, name: str) -> bool:
        """Whether the page asks for a field."""
        return any(control.get("name") == name for control in self.all(", ".join(CONTROLS)))

    def links(self) -> dict[str, str]:
        """Addresses of the page's links by their texts; the last of several with one text counts."""
        return {named(link): link["formaction"] for link in self.all("button[form=go]")}

    def rows(self) -> list[list[str]]:
        """The texts of the cells of the page's tables, headers left out."""
        return [[cell.text for cell in row.all("td")] for row in self.all("tbody tr")]


def named(element: Element) -> str:
    """What a reader calls an element: its label, else its text."""
    return element.get("aria-label") or element.text


@dataclass
class PageClient:
    """A browser that holds the page's session token and nothing else."""

    app: Flask
    token: str
    portal_origin: str
    secrets: Sequence[str] = field(default_factory=list)
    """Texts that must not stand in any page."""

    def get(self, path: str) -> Page:
        """Ask for a page as htmx's history does, with the token in the header."""
        return self._page(path, self._client().get(path, headers={**OWN, "X-App-Session": self.token}))

    def post(self, path: str, fields: Mapping[str, Any] | None = None, *, in_header: bool = False, **more: Any) -> Page:
        """Send a form that no page has shown, with the token in the body, or in the header as htmx does."""
        data = {**({} if in_header else {"_s": self.token}), **(fields or {}), **more}
        headers = {**OWN, **({"X-App-Session": self.token} if in_header else {})}
        if any(isinstance(value, tuple) for value in data.values()):
            # The test client keeps a large body in a file that it does not close.
            files = {name: FileStorage(*value) for name, value in data.items() if isinstance(value, tuple)}
            boundary, body = encode_multipart({**data, **files})
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
            return self._page(path, self._client().post(path, data=body, headers=headers))
        return self._page(path, self._client().post(path, data=data, headers=headers))

    def follow(self, page: Page, text: str) -> Page:
        """Press a link; without script it posts the page's navigation form."""
        links = page.links()
        assert text in links, f"{page.path} has no link {text!r}, but {list(links)}"
        form = page.one("form#go")
        data = MultiDict((control["name"], control.get("value")) for control in form.all("input"))
        return self._page(links[text], self._client().post(links[text], data=data, headers=OWN))

    def submit(self, page: Page, button: str, changes: Mapping[str, Any] | None = None) -> Page:
        """Type `changes` (a list for boxes and repeated names, None to untick) and press a button of a form."""
        pressed = [found for found in page.all("form button") if named(found) == button and not found.get("form")]
        assert len(pressed) == 1, f"{page.path}: {len(pressed)} buttons are called {button}"
        form = _form_of(page, pressed[0])
        data = MultiDict(_successful(form))
        for name, value in (changes or {}).items():
            known = {control.get("name") for control in form.all(", ".join(CONTROLS))}
            assert name in known, f"{page.path} does not ask for {name}"
            data.poplist(name)
            data.setlist(name, value if isinstance(value, list) else [] if value is None else [value])
        if "name" in pressed[0]:
            data.add(pressed[0]["name"], pressed[0].get("value"))
        path = pressed[0].get("formaction") or form["action"]
        return self._page(path, self._client().post(path, data=data, headers=OWN))

    def _client(self) -> Any:
        return self.app.test_client(use_cookies=False)

    def _page(self, path: str, answer: TestResponse) -> Page:
        document = JustHTML(answer.text, sanitize=False, collect_errors=True)
        page = Page(path, answer.status_code, answer.headers, answer.text, document)
        check(page, token=self.token, portal_origin=self.portal_origin, secrets=self.secrets)
        return page


def opened(
    app: Flask, answer: TestResponse, portal_origin: str, secrets: Sequence[str] = ()
) -> tuple[PageClient, Page]:
    """The client of a session, and its first page, from the answer to the portal's opening."""
    document = JustHTML(answer.text, sanitize=False, collect_errors=True)
    page = Page("/", answer.status_code, answer.headers, answer.text, document)
    client = PageClient(app, page.one("meta[name=app-session]")["content"], portal_origin, secrets)
    check(page, token=client.token, portal_origin=portal_origin, secrets=secrets)
    return client, page


def check(page: Page, *, token: str, portal_origin: str, secrets: Sequence[str] = ()) -> None:
    """Fail unless the page keeps the contract of all pages."""
    complaints = [
        f"{rule.__name__}: {complaint}"
        for rule in (valid, described, unique, labelled, sent_safely, inert, designed)
        for complaint in rule(page)
    ]
    complaints += framed(page, portal_origin)
    complaints += tokens_stay_put(page, token)
    complaints += [f"the page holds the secret {secret!r}" for secret in secrets if secret in page.text]
    assert not complaints, f"{page.path} ({page.status}):\n" + "\n".join(complaints)


def valid(page: Page) -> Iterator[str]:
    """It is HTML without a single parse error."""
    if not page.headers.get("Content-Type", "").startswith("text/html"):
        yield f"the answer is {page.headers.get('Content-Type')}"
    yield from (f"{error.code} at {error.line}:{error.column}" for error in page.document.errors)


def described(page: Page) -> Iterator[str]:
    """It has a language, a title and one heading."""
    if page.language not in SPOKEN:
        yield f"the language is {page.language!r}"
    if len(page.all("head title")) != 1 or page.one("head title").text.startswith("·"):
        yield "there is no title"
    if len(page.all("h1")) != 1 or not page.heading:
        yield "there is not exactly one heading"


def unique(page: Page) -> Iterator[str]:
    """No id stands for two elements, and what refers to an id finds it."""
    ids = [element["id"] for element in page.all("[id]")]
    yield from (f"id {twin!r} is used twice" for twin in {one for one in ids if ids.count(one) > 1})
    for attribute in ("for", "form", "aria-describedby", "aria-labelledby", "data-press", "data-peek"):
        for element in page.all(f"[{attribute}]"):
            lost = [target for target in element[attribute].split() if target not in ids]
            yield from (f"{element.name} {attribute} points to {target!r}" for target in lost)


def labelled(page: Page) -> Iterator[str]:
    """Everything that can be used has a name, and images have a text or none on purpose."""
    labels = {label["for"] for label in page.all("label[for]")}
    for control in page.all(", ".join(CONTROLS)):
        named_by = control.get("id") in labels or control.get("aria-label") or control.inside("label")
        if control.get("type") not in UNTYPED and not named_by:
            yield f"{control.name} {control.get('name')!r} has no label"
    yield from ("a button has no name" for button in page.all("button, a") if not (named(button) or _is_hidden(button)))
    yield from ("an image has no alt" for image in page.all("img") if "alt" not in image)
    yield from ("a table has no caption" for table in page.all("table") if not table.all("caption"))


def sent_safely(page: Page) -> Iterator[str]:
    """Every form posts to this application, carries the token, and acts once or only asks."""
    for form in page.all("form"):
        names = {control.get("name") for control in form.all("input")}
        if form.get("method") != "post" or not form.get("action").startswith("/"):
            yield f"a form is sent by {form.get('method')!r} to {form.get('action')!r}"
        if "_s" not in names:
            yield f"the form {form.get('action')!r} carries no token"
        if len(names & {"_view", "_n"}) != 1:
            yield f"the form {form.get('action')!r} neither acts once nor only asks"


def inert(page: Page) -> Iterator[str]:
    """No script and no style inside the page, whatever names and titles hold."""
    yield from ("there is a script inside" for script in page.all("script") if not script.get("src") or script.text)
    yield from (f"there is a <{element.name}>" for element in page.all("style, iframe, object, embed, base"))
    for element in page.all("*"):
        for attribute, value in element.node.attrs.items():
            if attribute == "style" or attribute.startswith(("on", "hx-on", "data-hx-on")):
                yield f"<{element.name}> has {attribute}={value!r}"
            if attribute in ADDRESSES and str(value).strip().lower().startswith("javascript:"):
                yield f"<{element.name}> runs {value!r}"


def designed(page: Page) -> Iterator[str]:
    """One filled button at most, so that the next step is plain."""
    filled = [button for button in page.all(".button") if {"filled", "danger"} & set(button.get("class").split())]
    if len(filled) > 1 and page.path != "/_patterns":
        yield f"there are {len(filled)} filled buttons"


def framed(page: Page, portal_origin: str) -> Iterator[str]:
    """Only the portal may frame it; nothing keeps a copy (facts/security 2.6)."""
    policy = page.headers.get("Content-Security-Policy", "")
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    expected = {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": portal_origin,
    }
    yield from (
        f"{name} is {directives.get(name)!r}" for name, value in expected.items() if directives.get(name) != value
    )
    if "unsafe" in policy or not directives.get("script-src", "").startswith("'self'"):
        yield f"script-src is {directives.get('script-src')!r}"
    for name, value in (
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
    ):
        if page.headers.get(name) != value:
            yield f"{name} is {page.headers.get(name)!r}"
    yield from (f"there is {name}" for name in ("X-Frame-Options", "Set-Cookie") if name in page.headers)


def tokens_stay_put(page: Page, token: str) -> Iterator[str]:
    """The session token is in its meta element and in forms, and in no address (facts/security 2.3)."""
    if token and token in page.text and page.one("meta[name=app-session]")["content"] != token:
        yield "the token is not in its meta element"
    for element in page.all("*"):
        addresses = [element.get(name) for name in ADDRESSES if name in element]
        yield from (f"an address holds the token: {address}" for address in addresses if token and token in address)
        yield from (
            f"an address has a query of secrets: {address}" for address in addresses if "_s=" in urlsplit(address).query
        )


def _is_hidden(element: Element) -> bool:
    return element.get("aria-hidden") == "true"


def _form_of(page: Page, button: Element) -> Element:
    for form in page.all("form"):
        if any(found.node is button.node for found in form.all("button")):
            return form
    raise AssertionError(f"{page.path}: the button is in no form")


def _successful(form: Element) -> Iterator[tuple[str, str]]:
    """What a browser sends of a form by itself, in the order of the page."""
    for control in form.all(", ".join(CONTROLS)):
        kind = control.get("type")
        if not control.get("name") or control.inside("template") or kind in ("submit", "button"):
            continue
        if kind in ("checkbox", "radio") and "checked" not in control:
            continue
        if control.name == "select":
            options = control.all("option")
            chosen = [option for option in options if "selected" in option] or options[:1]
            yield from ((control["name"], option.get("value")) for option in chosen)
        else:
            yield control["name"], control.raw if control.name == "textarea" else control.get("value")
