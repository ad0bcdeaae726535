"""The portal's documented rules, repeated before any call, so that every wrong field is named at once.

One table per object. A problem carries the form's field name and the portal's own code where the portal has one; the
codes of `OUR_CODES` stand for rules that portals keep without a code of their own (facts/biconnector 2.3, 4.3-4.7).
The functions give back the fields as the portal wants them (numbers as numbers, flags as flags) or raise
`InvalidInput` with all problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from errors import FieldProblem, InvalidInput
from services.bi.listing import Listing
from services.portal_api.capabilities import Capabilities

OUR_CODES = frozenset(
    {
        "VALIDATION_TOO_LONG",
        "VALIDATION_NOT_AN_INTEGER",
        "VALIDATION_URL_INVALID",
        "VALIDATION_SETTINGS_DUPLICATE_CODE",
        "COLUMN_NOT_IN_DATASET",
        "SETTING_CODE_OVERWRITES",
    }
)
"""Rules without a code of the portal; `VALIDATION_TOO_LONG` comes with the detail `limit`."""

OVERWRITING_CODES = frozenset({"title", "description", "type", "id", "connector_id"})
"""Codes of settings whose values portals write into the source's field of that name (facts/biconnector 3.3b)."""

MISSING = "VALIDATION_REQUIRED_FIELD_MISSING"
WRONG_TYPE = "VALIDATION_INVALID_FIELD_TYPE"
UNKNOWN = "VALIDATION_UNKNOWN_PARAMETERS"

DATASET_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
COLUMN_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
FILTER_KEY = re.compile(r"(>=|<=|!@|=%|%=|!=|>|<|@|%|=|!)?(.+)", re.DOTALL)


@dataclass(frozen=True)
class Rule:
    """What one field may hold; `needs` names the capability without which the portal does not know the field."""

    name: str
    kind: str = "string"
    required: bool = False
    limit: int | None = None
    immutable: bool = False
    needs: str | None = None


CONNECTOR = (
    Rule("title", required=True, limit=512),
    Rule("logo", required=True),
    Rule("description"),
    Rule("sort", "integer"),
    Rule("urlCheck", "url", required=True, limit=2048),
    Rule("urlTableList", "url", required=True, limit=2048),
    Rule("urlTableDescription", "url", required=True, limit=2048),
    Rule("urlData", "url", required=True, limit=2048),
    Rule("settings", "array", required=True),
    Rule("supportMapping", "boolean", needs="support_mapping"),
    Rule("sourceCode", limit=64, needs="source_code"),
)
SOURCE = (
    Rule("title", required=True),
    Rule("description"),
    Rule("active", "boolean"),
    Rule("connectorId", "id", required=True, immutable=True),
    Rule("settings", "object", required=True),
)
DATASET = (
    Rule("name", required=True, immutable=True),
    Rule("externalName", required=True, limit=512, immutable=True),
    Rule("externalCode", required=True, limit=512, immutable=True),
    Rule("sourceId", "id", required=True, immutable=True),
    Rule("description"),
    Rule("fields", "array", required=True, immutable=True),
)
RULES = {"connector": CONNECTOR, "source": SOURCE, "dataset": DATASET}
COLUMN = (Rule("name", required=True), Rule("type", required=True), Rule("externalCode", required=True))
SETTING = (Rule("code", required=True, limit=512), Rule("name", required=True, limit=512), Rule("type", required=True))

_DATES = ("dateCreate", "dateUpdate", "createdById", "updatedById")
LISTED = {
    "connector": ("id", "dateCreate", *(rule.name for rule in CONNECTOR if rule.name != "settings")),
    "source": ("id", "type", "code", "title", "description", "active", "connectorId", *_DATES),
    "dataset": ("id", "type", "name", "description", "sourceId", "externalCode", "externalName", "externalId", *_DATES),
}
"""Fields of each object that lists can be filtered and sorted by."""


def connector(caps: Capabilities, fields: Mapping[str, Any], *, updating: bool = False) -> dict[str, Any]:
    """Fields for `connector.add`, or those to change for `connector.update`."""
    problems: list[FieldProblem] = []
    clean = _checked("connector", caps, fields, updating, problems)
    if isinstance(clean.get("settings"), list):
        clean["settings"] = _settings(caps, clean["settings"], problems)
    return _given(clean, problems)


def source(
    caps: Capabilities, fields: Mapping[str, Any], codes: Collection[str] | None = None, *, updating: bool = False
) -> dict[str, Any]:
    """Fields for `source.add` or `source.update`, which needs a title every time (facts/biconnector 3.2).

    `codes` are the setting codes of the source's connector, if they are known: when adding, each needs a value. If
    there are none, the map of settings is empty.
    """
    problems: list[FieldProblem] = []
    optional = {"settings"} if codes is not None and not codes else set()
    given = {"title": None, **fields} if updating else {**dict.fromkeys(optional), **fields}
    clean = _checked("source", caps, given, updating, problems, optional)
    if isinstance(clean.get("settings"), Mapping):
        # The portal checks values as they are given and keeps them trimmed (facts/biconnector 3.1a).
        values = {
            str(code): trimmed(value) if isinstance(value, str) else value for code, value in clean["settings"].items()
        }
        problems += _setting_values(values, values.keys() if codes is None else codes, updating)
        clean["settings"] = values
    return _given(clean, problems)


def dataset(caps: Capabilities, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields for `dataset.add` or `table.add`."""
    problems: list[FieldProblem] = []
    clean = _checked("dataset", caps, fields, False, problems)
    name = clean.get("name")
    if isinstance(name, str):
        problems += _name("name", name, DATASET_NAME, 230, "VALIDATION_DATASET_NAME")
    if isinstance(clean.get("fields"), list):
        incomplete = "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS"
        clean["fields"] = _columns(caps, "fields", clean["fields"], incomplete, problems)
    return _given(clean, problems)


def dataset_name(field: str, name: str) -> list[FieldProblem]:
    """What is wrong with a dataset's name, told of the form's `field`."""
    if not name:
        return [FieldProblem(field, MISSING, {"field": field, "object": "dataset"})]
    return list(_name(field, name, DATASET_NAME, 230, "VALIDATION_DATASET_NAME"))


def column_name(field: str, name: str) -> list[FieldProblem]:
    """What is wrong with a column's name, told of the form's `field`."""
    if not name:
        return [FieldProblem(field, MISSING, {"field": field, "object": "dataset"})]
    return list(_name(field, name, COLUMN_NAME, 32, "VALIDATION_FIELD_NAME"))


def dataset_changes(caps: Capabilities, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields for `dataset.update`, which changes nothing but the description (facts/biconnector 4.3)."""
    problems: list[FieldProblem] = []
    return _given(_checked("dataset", caps, fields, True, problems), problems)


def columns_to_add(
    caps: Capabilities, columns: Sequence[Mapping[str, Any]], names: Collection[str], codes: Collection[str]
) -> list[dict[str, Any]]:
    """Columns for `fields.update`, given the `names` and `codes` that the dataset already has.

    A column that is deleted in the same call still counts, since portals add before they delete.
    """
    problems: list[FieldProblem] = []
    clean = _columns(caps, "add", columns, "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS", problems)
    for index, column in enumerate(clean):
        for field, taken, code in (
            ("name", names, "VALIDATION_DUPLICATE_EXIST_NAME"),
            ("externalCode", codes, "VALIDATION_DUPLICATE_EXIST_CODE"),
        ):
            if column.get(field) in taken:
                problems.append(FieldProblem(f"add-{index}-{field}", code, {"values": str(column[field])}))
    if problems:
        raise InvalidInput(problems)
    return clean


def listing(kind: str, wanted: Listing) -> None:
    """Check the fields of a list's filter and order; `kind` is a key of `LISTED`."""
    problems = []
    if wanted.order not in LISTED[kind]:
        details = {"field": wanted.order}
        problems.append(FieldProblem("order", "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER", details))
    for key, value in wanted.filters.items():
        matched = FILTER_KEY.fullmatch(key)
        name = matched[2] if matched else key
        if name not in LISTED[kind]:
            problems.append(FieldProblem(name, "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER", {"field": name}))
        elif isinstance(value, list | tuple) and not value:
            # An empty list leaves no trace in a query string: the portal would not filter at all.
            problems.append(FieldProblem(name, "VALIDATION_FILTER_TYPE", {"field": name}))
    if problems:
        raise InvalidInput(problems)


def _checked(
    kind: str,
    caps: Capabilities,
    fields: Mapping[str, Any],
    updating: bool,
    problems: list[FieldProblem],
    optional: Collection[str] = (),
) -> dict[str, Any]:
    """The fields of an object of `kind` as the portal wants them; `optional` may be blank although usually required."""
    table = {rule.name: rule for rule in RULES[kind]}
    unknown = [name for name in fields if name not in table]
    problems += [FieldProblem(name, UNKNOWN, {"values": name}) for name in unknown]
    clean: dict[str, Any] = {}
    for rule in table.values():
        if rule.name not in fields and (updating or not rule.required):
            continue
        value = fields.get(rule.name)
        if rule.needs and not getattr(caps, rule.needs):
            # Leaving out a field that the portal does not know is the same as its default.
            problems += [FieldProblem(rule.name, UNKNOWN, {"values": rule.name})] if value else []
        elif updating and rule.immutable:
            problems.append(FieldProblem(rule.name, "VALIDATION_IMMUTABLE_FIELD", {"field": rule.name}))
        else:
            clean[rule.name] = _value(kind, rule, value, problems, required=rule.required and rule.name not in optional)
    return clean


def _value(kind: str, rule: Rule, value: Any, problems: list[FieldProblem], *, required: bool) -> Any:
    """The value as the portal wants it, or a problem."""
    if _is_blank(value):
        if required:
            problems.append(FieldProblem(rule.name, MISSING, {"field": rule.name, "object": kind}))
            return None
        return {"integer": 100, "boolean": False, "object": {}}.get(rule.kind, "")
    converted = CONVERSIONS[rule.kind](value)
    if converted is None:
        details = {"field": rule.name, "type": "integer" if rule.kind == "id" else rule.kind}
        problems.append(FieldProblem(rule.name, CONVERSION_CODES.get(rule.kind, WRONG_TYPE), details))
    elif rule.limit is not None and len(converted) > rule.limit:
        problems.append(FieldProblem(rule.name, "VALIDATION_TOO_LONG", {"field": rule.name, "limit": str(rule.limit)}))
    return converted


def _is_blank(value: Any) -> bool:
    return value is None or value in ({}, [], ()) or (isinstance(value, str) and not value.strip())


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _id(value: Any) -> int | None:
    number = _integer(value)
    return number if number is not None and number >= 1 else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def trimmed(text: str) -> str:
    """A value as portals keep it: without the blanks that PHP's `trim` takes off, and no others."""
    return text.strip(" \t\n\r\0\x0b")


def _url(value: Any) -> str | None:
    """An absolute web address. What may be called from where is the portal's business (facts/biconnector 5.4)."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return text if fits and not re.search(r"[\s\x00-\x1f\x7f]", text) else None


def _array(value: Any) -> list[Any] | None:
    return list(value) if isinstance(value, list | tuple) else None


def _object(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "id": _id,
    "boolean": _boolean,
    "url": _url,
    "array": _array,
    "object": _object,
}

CONVERSION_CODES = {"url": "VALIDATION_URL_INVALID", "integer": "VALIDATION_NOT_AN_INTEGER"}


def _settings(caps: Capabilities, settings: Sequence[Any], problems: list[FieldProblem]) -> list[dict[str, str]]:
    clean, seen = [], set()
    for index, given in enumerate(settings):
        row = _row("settings", index, SETTING, given, "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS", problems)
        for rule in SETTING:
            if rule.limit is not None and len(row[rule.name]) > rule.limit:
                code = f"VALIDATION_SETTINGS_{rule.name.upper()}_TOO_LONG"
                problems.append(FieldProblem(f"settings-{index}-{rule.name}", code, {"limit": str(rule.limit)}))
        if row["type"] and row["type"] not in caps.setting_types:
            details = {"values": ", ".join(caps.setting_types)}
            problems.append(FieldProblem(f"settings-{index}-type", "VALIDATION_SETTINGS_INVALID_TYPE", details))
        if row["code"] in OVERWRITING_CODES:
            details = {"values": row["code"]}
            problems.append(FieldProblem(f"settings-{index}-code", "SETTING_CODE_OVERWRITES", details))
        if row["code"] and row["code"] in seen:
            details = {"values": row["code"]}
            problems.append(FieldProblem(f"settings-{index}-code", "VALIDATION_SETTINGS_DUPLICATE_CODE", details))
        seen.add(row["code"])
        clean.append(row)
    return clean


def _setting_values(values: Mapping[str, Any], codes: Collection[str], updating: bool) -> Iterable[FieldProblem]:
    for code in values:
        if code not in codes:
            yield FieldProblem(f"settings-{code}", UNKNOWN, {"values": code})
        elif not isinstance(values[code], str | int):
            yield FieldProblem(f"settings-{code}", WRONG_TYPE, {"field": code, "type": "string"})
    if not updating:
        for code in codes:
            if code not in values:
                yield FieldProblem(f"settings-{code}", MISSING, {"field": code})


def _columns(
    caps: Capabilities, prefix: str, columns: Sequence[Any], incomplete: str, problems: list[FieldProblem]
) -> list[dict[str, str]]:
    clean: list[dict[str, str]] = []
    seen: dict[str, set[str]] = {"name": set(), "externalCode": set()}
    for index, given in enumerate(columns):
        row = _row(prefix, index, COLUMN, given, incomplete, problems)
        if row["name"]:
            problems += _name(f"{prefix}-{index}-name", row["name"], COLUMN_NAME, 32, "VALIDATION_FIELD_NAME")
        if row["type"] and row["type"] not in caps.column_types:
            details = {"values": ", ".join(caps.column_types)}
            problems.append(FieldProblem(f"{prefix}-{index}-type", "VALIDATION_FIELD_INVALID_TYPE", details))
        for field, code in (
            ("name", "VALIDATION_DUPLICATE_FIELD_NAME"),
            ("externalCode", "VALIDATION_DUPLICATE_FIELD_CODE"),
        ):
            if row[field] and row[field] in seen[field]:
                problems.append(FieldProblem(f"{prefix}-{index}-{field}", code, {"values": row[field]}))
            seen[field].add(row[field])
        clean.append(row)
    return clean


def _row(
    prefix: str, index: int, rules: Sequence[Rule], given: Any, incomplete: str, problems: list[FieldProblem]
) -> dict[str, str]:
    """One row of a list, with a text for every field; a field that is missing or no text is a problem."""
    row = {}
    for rule in rules:
        value = given.get(rule.name) if isinstance(given, Mapping) else None
        row[rule.name] = value.strip() if isinstance(value, str) else ""
        if not row[rule.name]:
            problems.append(FieldProblem(f"{prefix}-{index}-{rule.name}", incomplete, {"field": rule.name}))
    return row


def _name(field: str, name: str, pattern: re.Pattern[str], limit: int, code: str) -> Iterable[FieldProblem]:
    if not pattern.fullmatch(name):
        suffix = "INVALID" if code == "VALIDATION_DATASET_NAME" else "INVALID_FORMAT"
        yield FieldProblem(field, f"{code}_{suffix}")
    if len(name) > limit:
        yield FieldProblem(field, f"{code}_TOO_LONG", {"limit": str(limit)})


def _given(clean: dict[str, Any], problems: Sequence[FieldProblem]) -> dict[str, Any]:
    if problems:
        raise InvalidInput(problems)
    if not clean:  # only an update can come here
        raise InvalidInput([FieldProblem("", "VALIDATION_FIELDS_NOT_PROVIDED")])
    return clean
