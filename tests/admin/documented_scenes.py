"""What leads to each row of the documentation's error tables, seen from the app's pages (facts/api 6.1).

One entry per row. `Provoked`: what is typed, or what happens meanwhile, makes the portal itself refuse what the page
asked of it. `Stopped`: our own rules are faster, and the portal is never asked. `Ordered`: nothing that can be done in
the pages leads there, for the reason given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tests.admin.conftest import LOGO

Form = Mapping[str, str]


class Direct(Protocol):
    """Whoever can ask the portal past the app."""

    def ask(self, method: str, **params: Any) -> Mapping[str, Any]:
        """The whole answer to a call."""
        ...


Rival = Callable[[Direct, int], object]
"""What somebody else does to the object of a scene while the page's own call is on its way."""


@dataclass(frozen=True)
class Scene:
    """What an analyst does on a page.

    `form` None only looks at the page. `{}` in path and values is the number of a fresh object of the kind `fresh`, to
    which a `rival` does something. The sentence is that of `code`, by default the row's; it stands `beside` an input
    or, without one, above the form.
    """

    path: str
    form: Form | None = None
    beside: str = ""
    code: str | None = None
    fresh: str = ""
    rival: Rival | None = None
    own_page: bool = False
    """The object of the page itself is not there: a page of its own says so, and no form is shown again."""
    alone: bool = True
    """Whether nothing else is wrong with the form."""


@dataclass(frozen=True)
class Provoked(Scene):
    """The portal refuses; with `behind` it is older than the app remembers, so that the form offers too much."""

    behind: bool = False


@dataclass(frozen=True)
class Stopped(Scene):
    """The app refuses before it asks the portal for the row's method."""


@dataclass(frozen=True)
class Ordered:
    """No page leads to the row; `reason` says why."""

    reason: str


CONNECTOR = {
    "title": "Kept",
    "logo": LOGO,
    "urlCheck": "https://example.com/check",
    "urlTableList": "https://example.com/tables",
    "urlTableDescription": "https://example.com/description",
    "urlData": "https://example.com/data",
    "settings-0-code": "login",
    "settings-0-name": "Login",
    "settings-0-type": "STRING",
}
CHANGED_SOURCE = {"title": "Kept", "settings-login": "demo", "settings-password": "demo"}
SOURCE = {**CHANGED_SOURCE, "connectorId": "1"}
NEW_DATASET = {"name": "kept", "externalName": "Kept", "externalCode": "sales_orders", "sourceId": "1"}
DATASET = {**NEW_DATASET, "fields-0-name": "KEPT", "fields-0-externalCode": "KEPT", "fields-0-type": "string"}
DESCRIPTION = {"description": "Kept"}
COLUMN = {"add-0-name": "KEPT", "add-0-externalCode": "KEPT", "add-0-type": "string"}
PAGES: Mapping[str, tuple[str, Form | None]] = {
    "biconnector.connector.add": ("/connectors/new", CONNECTOR),
    "biconnector.connector.update": ("/connectors/1/edit", CONNECTOR),
    "biconnector.connector.get": ("/connectors/1", None),
    "biconnector.connector.list": ("/connectors/", None),
    "biconnector.connector.delete": ("/connectors/1/delete", {}),
    "biconnector.source.add": ("/sources/new", SOURCE),
    "biconnector.source.update": ("/sources/1/edit", CHANGED_SOURCE),
    "biconnector.source.get": ("/sources/1", None),
    "biconnector.source.list": ("/sources/", None),
    "biconnector.source.delete": ("/sources/1/delete", {}),
    "biconnector.dataset.add": ("/datasets/new", DATASET),
    "biconnector.dataset.update": ("/datasets/1/edit", DESCRIPTION),
    "biconnector.dataset.fields.update": ("/datasets/1", COLUMN),
    "biconnector.dataset.get": ("/datasets/1", None),
    "biconnector.dataset.list": ("/datasets/", None),
    "biconnector.dataset.delete": ("/datasets/1/delete", {}),
}
"""The page on which each method is met, with a form that is in order."""

LONG = "x" * 513
MISSING = "VALIDATION_REQUIRED_FIELD_MISSING"

NO_FIELD = Ordered("the form has no such field, and what else is posted is not looked at")
ALL_TEXTS = Ordered("a form's values are texts, and every field of this form may be any text")
ADDRESS = Ordered("the address of every page of an object holds its number")
OWN_WORDS = Ordered(
    "lists are asked for in the app's own words; what a reader chooses is one of them or is passed over"
)
ELSEWHERE = Ordered("the row belongs to another method; no call of this one leads to it")
NOTHING_FIXED = Ordered("nothing is immutable there; no call leads to it")
INSIDE = Ordered("the portal's own storage fails; no call leads to it")
ALWAYS_SENT = Ordered("the form always sends all its fields")


def typed(method: str, beside: str, changes: Form, *, code: str | None = None) -> dict[str, Any]:
    """The parts of a scene: the method's own form with `changes`."""
    path, form = PAGES[method]
    return {"path": path, "form": {**(form or {}), **changes}, "beside": beside, "code": code}


def stopped(method: str, beside: str, code: str | None = None, **changes: str) -> Stopped:
    """A form with a mistake that our own rules find; in names of fields `__` stands for `-`."""
    return Stopped(**typed(method, beside, _named(changes), code=code))


def provoked(method: str, beside: str = "", *, behind: bool = False, **changes: str) -> Provoked:
    """A form that only the portal refuses; in names of fields `__` stands for `-`."""
    return Provoked(**typed(method, beside, _named(changes)), behind=behind)


def _named(changes: Form) -> Form:
    return {name.replace("__", "-"): value for name, value in changes.items()}


def empty(method: str, beside: str) -> Stopped:
    """A form sent without anything in it: every required field is told about."""
    return Stopped(PAGES[method][0], {}, beside, MISSING, alone=False)


def unknown(method: str) -> Provoked:
    """The page of a number that no object has."""
    path, form = PAGES[method]
    return Provoked(path.replace("1", "999"), form, own_page=True)


def number_zero(method: str) -> dict[str, Any]:
    """The parts of a scene: the page of a number that no object can have."""
    path, form = PAGES[method]
    return {"path": path.replace("1", "0"), "form": form, "own_page": True}


def overtaken(method: str, rival: Rival, beside: str = "", *, own_page: bool = False) -> Provoked:
    """A form about a fresh object that somebody else changes before the portal gets to it."""
    path, form = PAGES[method]
    kind = method.split(".")[1]
    return Provoked(path.replace("1", "{}"), form, beside, fresh=kind, rival=rival, own_page=own_page)


def chosen_and_gone(method: str, beside: str, kind: str) -> Provoked:
    """A form with a fresh object that somebody deletes before the portal gets to it."""
    path, form = PAGES[method]
    return Provoked(path, {**(form or {}), beside: "{}"}, beside, fresh=kind, rival=deleting(kind))


def deleting(kind: str) -> Rival:
    """Somebody deletes the object."""
    return lambda direct, number: direct.ask(f"biconnector.{kind}.delete", id=number)


def adding(**changes: str) -> Rival:
    """Somebody adds nearly the same column."""
    column = {"name": "KEPT", "externalCode": "KEPT", "type": "string", **changes}
    return lambda direct, number: direct.ask("biconnector.dataset.fields.update", id=number, add=[column])


def _by_id(kind: str, verb: str) -> dict[str, Scene | Ordered]:
    """The rows of `get` and `delete`, which ask the portal with whatever number the address holds."""
    method = f"biconnector.{kind}.{verb}"
    return {
        "VALIDATION_ID_NOT_PROVIDED": ADDRESS,
        "VALIDATION_INVALID_ID_FORMAT": Provoked(**number_zero(method)),
        f"{kind.upper()}_NOT_FOUND": unknown(method),
    }


def _by_id_after_get(kind: str, verb: str) -> dict[str, Scene | Ordered]:
    """The rows of a change: the page asks for the object first, so a wrong number ends there, in the same words."""
    method = f"biconnector.{kind}.{verb}"
    return {
        "VALIDATION_ID_NOT_PROVIDED": ADDRESS,
        "VALIDATION_INVALID_ID_FORMAT": Stopped(**number_zero(method)),
        f"{kind.upper()}_NOT_FOUND": overtaken(method, deleting(kind), own_page=True),
    }


def _connector_fields(verb: str) -> dict[str, Scene | Ordered]:
    method = f"biconnector.connector.{verb}"
    return {
        "VALIDATION_FIELDS_NOT_PROVIDED": empty(method, "title"),
        "VALIDATION_UNKNOWN_PARAMETERS": provoked(method, behind=True, sourceCode="mysql"),
        "VALIDATION_READ_ONLY_FIELD": NO_FIELD,
        "VALIDATION_IMMUTABLE_FIELD": NOTHING_FIXED,
        "VALIDATION_INVALID_FIELD_TYPE": stopped(method, "sort", "VALIDATION_NOT_AN_INTEGER", sort="first"),
        "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS": stopped(method, "settings-0-name", settings__0__name=""),
        "VALIDATION_SETTINGS_NAME_TOO_LONG": stopped(method, "settings-0-name", settings__0__name=LONG),
        "VALIDATION_SETTINGS_CODE_TOO_LONG": stopped(method, "settings-0-code", settings__0__code=LONG),
        "VALIDATION_SETTINGS_INVALID_TYPE": stopped(method, "settings-0-type", settings__0__type="BLOB"),
    }


def _columns(method: str, rows: str) -> dict[str, Scene | Ordered]:
    first, second = f"{rows}__0__", f"{rows}__1__"

    def twice(part: str, **other: str) -> Stopped:
        columns = {"name": "KEPT", "externalCode": "KEPT", "type": "string", **other}
        return stopped(method, f"{rows}-1-{part}", **{second + name: value for name, value in columns.items()})

    return {
        "VALIDATION_DUPLICATE_FIELD_CODE": twice("externalCode", name="OTHER"),
        "VALIDATION_DUPLICATE_FIELD_NAME": twice("name", externalCode="OTHER"),
        "VALIDATION_FIELD_NAME_INVALID_FORMAT": stopped(method, f"{rows}-0-name", **{f"{first}name": "kept"}),
        "VALIDATION_FIELD_NAME_TOO_LONG": stopped(method, f"{rows}-0-name", **{f"{first}name": "K" * 33}),
        "VALIDATION_FIELD_INVALID_TYPE": stopped(method, f"{rows}-0-type", **{f"{first}type": "blob"}),
    }


LISTS: dict[str, Scene | Ordered] = dict.fromkeys(
    [
        *[f"VALIDATION_{part}_TYPE" for part in ("SELECT", "FILTER", "ORDER")],
        *[f"VALIDATION_FIELD_NOT_ALLOWED_IN_{part}" for part in ("SELECT", "FILTER", "ORDER")],
    ],
    OWN_WORDS,
)
ADD_SOURCE, UPDATE_SOURCE = "biconnector.source.add", "biconnector.source.update"
ADD_DATASET, UPDATE_COLUMNS = "biconnector.dataset.add", "biconnector.dataset.fields.update"

SCENES: Mapping[str, Mapping[str, Scene | Ordered]] = {
    "biconnector.connector.add": {
        **_connector_fields("add"),
        MISSING: stopped("biconnector.connector.add", "title", title=""),
    },
    "biconnector.connector.update": {**_by_id_after_get("connector", "update"), **_connector_fields("update")},
    "biconnector.connector.get": _by_id("connector", "get"),
    "biconnector.connector.list": {**LISTS, "VALIDATION_INVALID_FILTER_LOGIC": OWN_WORDS},
    "biconnector.connector.delete": {
        **_by_id("connector", "delete"),
        "CONNECTOR_DELETE_RESTRICTED": provoked("biconnector.connector.delete"),
    },
    ADD_SOURCE: {
        "VALIDATION_FIELDS_NOT_PROVIDED": empty(ADD_SOURCE, "title"),
        "VALIDATION_UNKNOWN_PARAMETERS": NO_FIELD,
        MISSING: stopped(ADD_SOURCE, "title", title=""),
        "VALIDATION_READ_ONLY_FIELD": NO_FIELD,
        "VALIDATION_IMMUTABLE_FIELD": NOTHING_FIXED,
        "VALIDATION_INVALID_FIELD_TYPE": stopped(ADD_SOURCE, "connectorId", "CONNECTOR_NOT_FOUND", connectorId="one"),
        "CONNECTOR_NOT_FOUND": chosen_and_gone(ADD_SOURCE, "connectorId", "connector"),
        "SOURCE_CREATE_CONNECTION_ERROR": provoked(ADD_SOURCE, settings__login="nobody"),
        "SOURCE_UPDATE_CONNECTION_ERROR": ELSEWHERE,
        "BX_ERROR": ELSEWHERE,
    },
    UPDATE_SOURCE: {
        **_by_id_after_get("source", "update"),
        "VALIDATION_FIELDS_NOT_PROVIDED": empty(UPDATE_SOURCE, "title"),
        "VALIDATION_UNKNOWN_PARAMETERS": NO_FIELD,
        MISSING: stopped(UPDATE_SOURCE, "title", title=""),
        "VALIDATION_READ_ONLY_FIELD": NO_FIELD,
        "VALIDATION_IMMUTABLE_FIELD": NO_FIELD,
        "VALIDATION_INVALID_FIELD_TYPE": ALL_TEXTS,
        "SOURCE_CREATE_CONNECTION_ERROR": ELSEWHERE,
        "SOURCE_UPDATE_CONNECTION_ERROR": provoked(UPDATE_SOURCE, settings__login="nobody"),
        "BX_ERROR": ELSEWHERE,
    },
    "biconnector.source.get": _by_id("source", "get"),
    "biconnector.source.list": LISTS,
    "biconnector.source.delete": {**_by_id("source", "delete"), "BX_ERROR": provoked("biconnector.source.delete")},
    ADD_DATASET: {
        **_columns(ADD_DATASET, "fields"),
        "VALIDATION_FIELDS_NOT_PROVIDED": empty(ADD_DATASET, "name"),
        "VALIDATION_UNKNOWN_PARAMETERS": NO_FIELD,
        MISSING: stopped(ADD_DATASET, "name", name=""),
        "VALIDATION_READ_ONLY_FIELD": NO_FIELD,
        "VALIDATION_IMMUTABLE_FIELD": NOTHING_FIXED,
        "VALIDATION_INVALID_FIELD_TYPE": stopped(ADD_DATASET, "sourceId", sourceId="one"),
        "SOURCE_NOT_FOUND": chosen_and_gone(ADD_DATASET, "sourceId", "source"),
        "DATASET_ALREADY_EXIST": provoked(ADD_DATASET, "name", name="orders"),
        "VALIDATION_DATASET_NAME_INVALID": stopped(ADD_DATASET, "name", name="Kept"),
        "VALIDATION_DATASET_NAME_TOO_LONG": stopped(ADD_DATASET, "name", name="k" * 231),
        "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS": stopped(
            ADD_DATASET, "fields-0-externalCode", fields__0__externalCode=""
        ),
        "": Stopped("/datasets/new", NEW_DATASET, code="FIELDS_EMPTY"),
    },
    "biconnector.dataset.update": {
        **_by_id_after_get("dataset", "update"),
        "VALIDATION_FIELDS_NOT_PROVIDED": ALWAYS_SENT,
        "VALIDATION_UNKNOWN_PARAMETERS": NO_FIELD,
        MISSING: Ordered("an update requires no field; no call leads to it"),
        "VALIDATION_READ_ONLY_FIELD": NO_FIELD,
        "VALIDATION_IMMUTABLE_FIELD": NO_FIELD,
        "VALIDATION_INVALID_FIELD_TYPE": ALL_TEXTS,
        "INVALID_METHOD": NO_FIELD,
        "": INSIDE,
    },
    UPDATE_COLUMNS: {
        **_by_id_after_get("dataset", "fields.update"),
        **_columns(UPDATE_COLUMNS, "add"),
        "DATASET_UPDATE_ERROR": INSIDE,
        "VALIDATION_DUPLICATE_EXIST_CODE": overtaken(UPDATE_COLUMNS, adding(name="OTHER")),
        "VALIDATION_DUPLICATE_EXIST_NAME": overtaken(UPDATE_COLUMNS, adding(externalCode="OTHER")),
        "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS": stopped(
            UPDATE_COLUMNS, "add-0-externalCode", add__0__externalCode=""
        ),
        "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS": ALWAYS_SENT,
        "VALIDATION_FIELD_DELETE_INVALID_ID": Stopped("/datasets/1", {"delete": "one"}, code="NOTHING_TO_CHANGE"),
    },
    "biconnector.dataset.get": _by_id("dataset", "get"),
    "biconnector.dataset.list": LISTS,
    "biconnector.dataset.delete": {**_by_id("dataset", "delete"), "": INSIDE},
}
