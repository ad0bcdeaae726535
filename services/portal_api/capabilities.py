"""What a portal's generation knows: probed once in one round trip, remembered with the portal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from errors import ApplicationError, PortalRefused, PortalUnreachable
from services.portal_api.client import PortalClient, value_of

METHOD_MISSING = "error_method_not_found"
CONTRADICTIONS = frozenset(
    {
        METHOD_MISSING,
        "validation_unknown_parameters",
        "validation_settings_invalid_type",
        "validation_field_invalid_type",
    }
)
"""What a portal answers to a method, a field or a type that only the other generation has."""


@dataclass(frozen=True)
class FieldFact:
    """One row of a `*.fields` answer, as the portal describes a field of its objects."""

    title: str
    type: str
    is_required: bool
    is_read_only: bool
    is_immutable: bool
    is_multiple: bool


@dataclass(frozen=True)
class Capabilities:
    """What may be offered on a portal; the defaults are an older one's (facts/biconnector 2.1, 2.2, 4.1, 4.7)."""

    tables: bool = False
    """`biconnector.table.*` exists, so deletion goes through `table.delete`."""
    support_mapping: bool = False
    source_code: bool = False
    setting_types: tuple[str, ...] = ("STRING",)
    column_types: tuple[str, ...] = ("int", "string", "double", "date", "datetime")

    @property
    def datasets(self) -> str:
        """Prefix of the methods that read and change datasets."""
        return "biconnector.table" if self.tables else "biconnector.dataset"

    def to_json(self) -> dict[str, Any]:
        """For the column `Portal.capabilities`."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Capabilities:
        """What `to_json` wrote; keys of other versions of the app are ignored or take their defaults."""
        known = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        values: dict[str, Any] = {key: tuple(kept) if isinstance(kept, list) else kept for key, kept in known.items()}
        return cls(**values)


OLDER = Capabilities()
NEWER = Capabilities(
    tables=True,
    support_mapping=True,
    source_code=True,
    setting_types=("STRING", "INT"),
    column_types=(*OLDER.column_types, "money", "timezone"),
)


def probe(client: PortalClient) -> Capabilities:
    """Ask a portal what it knows. Raises the portal's errors; a missing method is an answer, not an error.

    No method lists the types of settings and columns, so they follow from what the same updates of the portal brought:
    `INT` came with the new fields of connectors, `money` and `timezone` with tables.
    """
    answers = client.batch(
        {"connector": ("biconnector.connector.fields", {}), "table": ("biconnector.table.fields", {})}
    )
    writable = {fact.title for fact in field_facts(value_of(answers["connector"])) if not fact.is_read_only}
    tables = _exists(answers["table"])
    return Capabilities(
        tables=tables,
        support_mapping="supportMapping" in writable,
        source_code="sourceCode" in writable,
        setting_types=NEWER.setting_types if writable & {"supportMapping", "sourceCode"} else OLDER.setting_types,
        column_types=NEWER.column_types if tables else OLDER.column_types,
    )


def contradicted(error: ApplicationError) -> bool:
    """Whether an error contradicts what is remembered of a portal, which may be of the other generation by now."""
    return isinstance(error, PortalRefused) and error.code.lower() in CONTRADICTIONS


def field_facts(result: Any) -> tuple[FieldFact, ...]:
    """The rows of a `*.fields` answer; a map of names to rows is understood too. Raises `PortalUnreachable`."""
    rows = result.get("fields", result) if isinstance(result, Mapping) else result
    if isinstance(rows, Mapping):
        rows = [{"title": name, **row} for name, row in rows.items() if isinstance(row, Mapping)]
    if not isinstance(rows, list):
        raise PortalUnreachable("not-json")
    return tuple(_fact(row) for row in rows if isinstance(row, Mapping))


def _fact(row: Mapping[str, Any]) -> FieldFact:
    def flag(name: str) -> bool:
        return row.get(name) in (True, 1, "1", "Y", "true")

    return FieldFact(
        title=str(row.get("title", "")),
        type=str(row.get("type", "")),
        is_required=flag("isRequired"),
        is_read_only=flag("isReadOnly"),
        is_immutable=flag("isImmutable"),
        is_multiple=flag("isMultiple"),
    )


def _exists(outcome: Any) -> bool:
    """Whether a method exists: it does when it answers, also with a refusal other than being unknown."""
    if isinstance(outcome, PortalRefused):
        return outcome.code.lower() != METHOD_MISSING
    if isinstance(outcome, ApplicationError):
        raise outcome
    return True
