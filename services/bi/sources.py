"""Sources of a portal: `biconnector.source.*` as functions (facts/biconnector 3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from errors import ApplicationError
from services.bi import datasets, rules
from services.bi.listing import Listing, Page, boolean, id_of, integer, item_of, read_page, text
from services.bi.lost_answers import added, deleted, updated
from services.portal_api.capabilities import Capabilities, FieldFact, field_facts
from services.portal_api.client import PortalClient, as_page

LIST = "biconnector.source.list"


@dataclass(frozen=True)
class SourceSetting:
    """The value of one setting. The portal keeps and tells values in plain text, so they stay out of `repr`."""

    code: str
    name: str
    type: str
    value: str = field(repr=False)
    id: int


@dataclass(frozen=True)
class Source:
    """A source as the portal tells it; lists leave `settings` empty. Dates are in portal time, empty if never."""

    id: int
    title: str
    type: str
    code: str
    description: str
    active: bool
    connector_id: int
    settings: tuple[SourceSetting, ...]
    date_create: str
    date_update: str
    created_by_id: int
    updated_by_id: int


@dataclass(frozen=True)
class Misfit:
    """A source without a value for parameters of its connector (`missing`), or with one for parameters that are gone
    there and that it loses at its next save (`leaving`); both by name.
    """

    source: Source
    missing: tuple[str, ...]
    leaving: tuple[str, ...]

    @classmethod
    def of(cls, source: Source, names: Mapping[str, str]) -> Misfit:
        """The source beside its connector's parameters: their `names` by code."""
        values = {row.code: row.value for row in source.settings}
        return cls(
            source,
            tuple(name for code, name in names.items() if not values.get(code)),
            tuple(row.name or row.code for row in source.settings if row.value and row.code not in names),
        )


def page(client: PortalClient, listing: Listing) -> Page[Source]:
    """One page of sources; `search` looks into titles. Raises `InvalidInput` and the portal's errors."""
    rules.listing("source", listing)
    return read_page(client, LIST, listing, "title", _parse)


def everything(client: PortalClient) -> tuple[Source, ...]:
    """All sources by title, for choosing one."""
    return tuple(_parse(item) for item in client.everything(LIST, order={"title": "ASC", "id": "ASC"}))


def of_connector(client: PortalClient, connector_id: int) -> tuple[Source, ...]:
    """All sources of one connector."""
    return tuple(_parse(item) for item in client.everything(LIST, filter={"=connectorId": connector_id}))


def get(client: PortalClient, source_id: int) -> Source:
    """One source with the values of its settings (facts/biconnector 1.2). Raises `NotFound`."""
    return _parse(item_of(client.call("biconnector.source.get", id=source_id)))


def add(
    client: PortalClient, caps: Capabilities, fields: Mapping[str, Any], codes: Collection[str] | None = None
) -> int:
    """Make a source and give back its id; the portal calls `urlCheck` meanwhile (facts/biconnector 3.1).

    `fields["settings"]` is `{code: value}`; `codes` are the connector's setting codes, if known, each of which needs a
    value. Raises `InvalidInput` before any call, `OutcomeUnknown` if the answer is lost and no new source like it is
    found, and the portal's errors.
    """
    clean = rules.source(caps, fields, codes)
    return added(
        lambda: id_of(client.call("biconnector.source.add", fields=clean)), lambda: _newest_like(client, clean)
    )


def update(
    client: PortalClient,
    caps: Capabilities,
    source_id: int,
    fields: Mapping[str, Any],
    codes: Collection[str] | None = None,
) -> None:
    """Change a source; `fields` has its title every time (facts/biconnector 3.2) and only the settings to change."""
    clean = rules.source(caps, fields, codes, updating=True)
    updated(lambda: client.call("biconnector.source.update", id=source_id, fields=clean))


def misfits(client: PortalClient, listed: Sequence[Source], names: Mapping[str, str]) -> tuple[Misfit, ...]:
    """Those of a connector's `listed` sources that do not fit its parameters, `names` by code (facts/biconnector 3.3d).

    Portals need not tell values in lists: a source that is told without any is read by itself, 50 in a round trip; one
    that cannot be read is left out.
    """
    untold = {str(row.id): ("biconnector.source.get", {"id": row.id}) for row in listed if names and not row.settings}
    answers = client.batch(untold) if untold else {}
    whole = [
        _parse(item_of(answer)) if isinstance(answer := answers.get(str(row.id)), Mapping) else row
        for row in listed
        if not isinstance(answers.get(str(row.id)), ApplicationError)
    ]
    found = (Misfit.of(row, names) for row in whole)
    return tuple(one for one in found if one.missing or one.leaving)


def delete(client: PortalClient, source_id: int) -> None:
    """Delete a source. Raises `InUse` while datasets exist (facts/biconnector 3.4), `NotFound`, `OutcomeUnknown`."""
    deleted(lambda: client.call("biconnector.source.delete", id=source_id), lambda: get(client, source_id))


def fields(client: PortalClient) -> tuple[FieldFact, ...]:
    """How the portal describes the fields of sources."""
    return field_facts(client.call("biconnector.source.fields"))


def below(client: PortalClient, caps: Capabilities, source_id: int) -> tuple[datasets.Dataset, ...]:
    """All datasets of a source, which must be deleted before it; without their columns."""
    return datasets.of_source(client, caps, source_id)


def _newest_like(client: PortalClient, wanted: Mapping[str, Any]) -> int:
    same = {"=title": wanted["title"], "=connectorId": wanted["connectorId"]}
    found = as_page(client.call(LIST, filter=same, select=["id"], order={"id": "DESC"}, page=1))
    return integer(found[0].get("id")) if found else 0


def _parse(item: Mapping[str, Any]) -> Source:
    nested = item.get("connection")
    own = {**item, **nested} if isinstance(nested, Mapping) else item
    given = item.get("settings")
    settings = given if isinstance(given, list) else []
    return Source(
        id=integer(own.get("id")),
        title=text(own.get("title")),
        type=text(own.get("type")),
        code=text(own.get("code")),
        description=text(own.get("description")),
        active=boolean(own.get("active")),
        connector_id=integer(own.get("connectorId")),
        settings=tuple(_setting(row) for row in settings if isinstance(row, Mapping)),
        date_create=text(own.get("dateCreate")),
        date_update=text(own.get("dateUpdate")),
        created_by_id=integer(own.get("createdById")),
        updated_by_id=integer(own.get("updatedById")),
    )


def _setting(row: Mapping[str, Any]) -> SourceSetting:
    return SourceSetting(
        code=text(row.get("code")),
        name=text(row.get("name")),
        type=text(row.get("type")) or "STRING",
        value=text(row.get("value")),
        id=integer(row.get("id")),
    )
