"""The fields of connectors, sources and datasets: one table per object.

A table drives validation, what `select`, `filter` and `order` accept, and the answer of `*.fields`. Order matters:
problems are reported in the table's order (facts/biconnector 1.7).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

FieldType = Literal["integer", "string", "boolean", "datetime", "array"]


@dataclass(frozen=True)
class Field:
    """One field of an object, as `*.fields` describes it and a little more.

    `key` marks ids, which lists answer as strings (facts/biconnector 1.6). `ignored` fields may be named in `filter`
    and `order` without effect (facts/biconnector 1.9). `longest` counts characters.
    """

    title: str
    type: FieldType
    required: bool = False
    read_only: bool = False
    immutable: bool = False
    multiple: bool = False
    newer_only: bool = False
    key: bool = False
    ignored: bool = False
    longest: int | None = None

    @property
    def attribute(self) -> str:
        """The name of the record's attribute: `urlCheck` is `url_check`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.title).lower()

    def description(self) -> dict[str, Any]:
        """The field as `*.fields` answers it."""
        return {
            "title": self.title,
            "type": self.type,
            "isRequired": self.required,
            "isReadOnly": self.read_only,
            "isImmutable": self.immutable,
            "isMultiple": self.multiple,
        }


@dataclass(frozen=True)
class Schema:
    """All fields of one kind of object."""

    fields: Sequence[Field]
    loses_dates: bool = False
    """Dates arrive as `{}` where `select` names them (facts/biconnector 1.5c)."""

    def known(self, *, newer: bool) -> list[Field]:
        """The fields that a portal of this generation knows."""
        return [field for field in self.fields if newer or not field.newer_only]

    def titles(self, *, newer: bool) -> list[str]:
        """Their names."""
        return [field.title for field in self.known(newer=newer)]

    def describe(self, *, newer: bool) -> dict[str, Any]:
        """The answer of `*.fields`."""
        return {"fields": [field.description() for field in self.known(newer=newer)]}


_ID = Field("id", "integer", required=True, read_only=True, key=True)
_DATE_CREATE = Field("dateCreate", "datetime", required=True, read_only=True)
_AUTHORSHIP = (
    _DATE_CREATE,
    Field("dateUpdate", "datetime", required=True, read_only=True),
    Field("createdById", "integer", required=True, read_only=True),
    Field("updatedById", "integer", required=True, read_only=True),
)

CONNECTOR = Schema(
    (
        _ID,
        Field("title", "string", required=True, longest=512),
        Field("logo", "string", required=True),
        Field("description", "string"),
        Field("sort", "integer"),
        Field("urlCheck", "string", required=True, longest=2048),
        Field("urlData", "string", required=True, longest=2048),
        Field("urlTableList", "string", required=True, longest=2048),
        Field("urlTableDescription", "string", required=True, longest=2048),
        Field("settings", "array", required=True, multiple=True),
        Field("supportMapping", "boolean", newer_only=True),
        Field("sourceCode", "string", newer_only=True, longest=64),
        _DATE_CREATE,
    )
)

SOURCE = Schema(
    (
        _ID,
        Field("title", "string", required=True),
        Field("type", "string", required=True, read_only=True),
        Field("code", "string", required=True, read_only=True),
        Field("description", "string"),
        Field("active", "boolean"),
        *_AUTHORSHIP,
        Field("connectorId", "integer", required=True, immutable=True, key=True),
        Field("settings", "array", required=True, multiple=True, ignored=True),
    ),
    loses_dates=True,
)

DATASET = Schema(
    (
        _ID,
        Field("sourceId", "integer", required=True, immutable=True, key=True),
        Field("name", "string", required=True, immutable=True),
        Field("type", "string", required=True, read_only=True),
        Field("description", "string"),
        Field("externalName", "string", required=True, immutable=True, longest=512),
        Field("externalCode", "string", required=True, immutable=True, longest=512),
        Field("externalId", "integer", required=True, read_only=True),
        *_AUTHORSHIP,
        Field("fields", "array", required=True, multiple=True, ignored=True),
    ),
    loses_dates=True,
)
