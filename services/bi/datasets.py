"""Datasets of a portal, tables on newer ones: `biconnector.dataset.*` and `.table.*` (facts/biconnector 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from errors import FieldProblem, InvalidInput, PortalRefused
from services.bi import rules
from services.bi.listing import Listing, Page, boolean, id_of, integer, item_of, read_page, text
from services.bi.lost_answers import added, deleted, updated
from services.portal_api.capabilities import Capabilities, FieldFact, field_facts
from services.portal_api.client import PortalClient, as_page, value_of


@dataclass(frozen=True)
class DatasetColumn:
    """A column of a dataset; everything but `visible` is settled when it is made."""

    id: int
    dataset_id: int
    type: str
    name: str
    external_code: str
    visible: bool
    description: str


@dataclass(frozen=True)
class Dataset:
    """A dataset as the portal tells it; lists leave `columns` empty. Dates are in portal time, empty if never.

    `external_id` is the BI Builder dataset on top of it, 0 if there is none (facts/biconnector 4.2).
    """

    id: int
    name: str
    type: str
    description: str
    external_code: str
    external_name: str
    external_id: int
    source_id: int
    columns: tuple[DatasetColumn, ...]
    date_create: str
    date_update: str
    created_by_id: int
    updated_by_id: int


def page(client: PortalClient, caps: Capabilities, listing: Listing) -> Page[Dataset]:
    """One page of datasets; `search` looks into names. Raises `InvalidInput` and the portal's errors."""
    rules.listing("dataset", listing)
    return read_page(client, f"{caps.datasets}.list", listing, "name", _parse)


def of_source(client: PortalClient, caps: Capabilities, source_id: int) -> tuple[Dataset, ...]:
    """All datasets of one source, without their columns."""
    found = client.everything(f"{caps.datasets}.list", filter={"=sourceId": source_id})
    return tuple(_parse(item) for item in found)


def named(client: PortalClient, caps: Capabilities, names: Collection[str]) -> dict[str, Dataset]:
    """Those of the application's datasets that have one of these names, by name and without their columns.

    Names are unique in the whole portal, but other applications' datasets are not told (facts/biconnector 1.8, 4.6).
    """
    # One name at a time: portals refuse lists of texts in filters (facts/biconnector 1.5a).
    method, order = f"{caps.datasets}.list", {"id": "ASC"}
    asked = {name: (method, {"filter": {"=name": name}, "order": order, "page": 1}) for name in sorted(names)}
    answers = client.batch(asked) if asked else {}
    found = [_parse(item) for answer in answers.values() for item in as_page(value_of(answer))]
    return {row.name: row for row in found}


def get(client: PortalClient, caps: Capabilities, dataset_id: int) -> Dataset:
    """One dataset with its columns and, from the list in the same round trip, its source (facts/biconnector 4.5)."""
    same = {"filter": {"=id": dataset_id}, "select": ["id", "sourceId"], "order": {"id": "ASC"}}
    answers = client.batch(
        {"item": (f"{caps.datasets}.get", {"id": dataset_id}), "listed": (f"{caps.datasets}.list", same)}
    )
    item = item_of(value_of(answers["item"]))
    listed = as_page(value_of(answers["listed"]))
    return _parse({**(listed[0] if listed else {}), **item})


def add(client: PortalClient, caps: Capabilities, fields: Mapping[str, Any], *, table_only: bool = False) -> int:
    """Make a dataset with its columns and give back its id.

    With `table_only` newer portals make no BI Builder dataset on top of it (facts/biconnector 4.2). Raises
    `InvalidInput` before any call, `OutcomeUnknown` if the answer is lost and no new dataset has the name (an older one
    may: names are unique, facts/biconnector 4.6), and the portal's errors.
    """
    clean = rules.dataset(caps, fields)
    method = "biconnector.table.add" if table_only and caps.tables else "biconnector.dataset.add"
    return added(lambda: id_of(client.call(method, fields=clean)), lambda: _named(client, caps, clean["name"]))


def update(client: PortalClient, caps: Capabilities, dataset_id: int, fields: Mapping[str, Any]) -> None:
    """Change the description, the only thing that can be changed (facts/biconnector 4.3)."""
    clean = rules.dataset_changes(caps, fields)
    updated(lambda: client.call(f"{caps.datasets}.update", id=dataset_id, fields=clean))


def update_columns(
    client: PortalClient,
    caps: Capabilities,
    dataset_id: int,
    *,
    add: Sequence[Mapping[str, Any]] = (),
    show: Collection[int] = (),
    hide: Collection[int] = (),
    delete: Collection[int] = (),
) -> bool:
    """Add, show, hide and delete columns in one call; False if BI Builder was not told of changes that are in force.

    Every id is compared with the dataset first, since portals delete columns of anybody's dataset
    (facts/biconnector 4.4). Raises `InvalidInput` (`COLUMN_NOT_IN_DATASET`, and `FIELDS_EMPTY` if no column would
    remain) before anything is changed, `OutcomeUnknown` if the answer is lost, and the portal's errors.
    """
    current = _parse(item_of(client.call(f"{caps.datasets}.get", id=dataset_id))).columns
    _check_ids({column.id for column in current}, {"show": show, "hide": hide, "delete": delete})
    added = rules.columns_to_add(
        caps, add, {column.name for column in current}, {column.external_code for column in current}
    )
    if not added and len(set(delete)) == len(current):
        raise InvalidInput([FieldProblem("delete", "FIELDS_EMPTY")])
    visible = {**dict.fromkeys(show, True), **dict.fromkeys(hide, False)}
    changes: dict[str, Sequence[Any]] = {
        "add": added,
        "update": [{"id": id_, "visible": value} for id_, value in visible.items() if id_ not in delete],
        "delete": sorted(set(delete)),
    }
    asked = {name: rows for name, rows in changes.items() if rows}
    if not asked:
        raise InvalidInput([FieldProblem("", "VALIDATION_FIELDS_NOT_PROVIDED")])
    try:
        updated(lambda: client.call(f"{caps.datasets}.fields.update", id=dataset_id, **asked))
    except PortalRefused as refused:
        # Portals store first and inform BI Builder afterwards (facts/biconnector 4.3a).
        if refused.code != "DATASET_UPDATE_ERROR" or not _are_in_force(client, caps, dataset_id, changes):
            raise
        return False
    return True


def _are_in_force(
    client: PortalClient, caps: Capabilities, dataset_id: int, changes: Mapping[str, Sequence[Any]]
) -> bool:
    """Whether a dataset's columns, read anew, are as they were to become."""
    columns = _parse(item_of(client.call(f"{caps.datasets}.get", id=dataset_id))).columns
    by_id, names = {column.id: column for column in columns}, {column.name for column in columns}
    return (
        all(row["name"] in names for row in changes["add"])
        and all(row["id"] in by_id and by_id[row["id"]].visible == row["visible"] for row in changes["update"])
        and by_id.keys().isdisjoint(changes["delete"])
    )


def delete(client: PortalClient, caps: Capabilities, dataset_id: int) -> None:
    """Delete a dataset. A BI Builder dataset on top of it stays (facts/biconnector 4.2).

    Raises `NotFound`, `OutcomeUnknown` if the answer is lost and the dataset is still there, and the portal's errors.
    """
    deleted(
        lambda: client.call(f"{caps.datasets}.delete", id=dataset_id),
        lambda: client.call(f"{caps.datasets}.get", id=dataset_id),
    )


def fields(client: PortalClient, caps: Capabilities) -> tuple[FieldFact, ...]:
    """How the portal describes the fields of datasets."""
    return field_facts(client.call(f"{caps.datasets}.fields"))


def _check_ids(known: Collection[int], asked: Mapping[str, Collection[int]]) -> None:
    problems = []
    for field, ids in asked.items():
        if strangers := sorted(set(ids) - set(known)):
            values = ", ".join(str(id_) for id_ in strangers)
            problems.append(FieldProblem(field, "COLUMN_NOT_IN_DATASET", {"values": values}))
    if problems:
        raise InvalidInput(problems)


def _named(client: PortalClient, caps: Capabilities, name: str) -> int:
    same = {"=name": name}
    found = as_page(client.call(f"{caps.datasets}.list", filter=same, select=["id"], order={"id": "DESC"}, page=1))
    return integer(found[0].get("id")) if found else 0


def _parse(item: Mapping[str, Any]) -> Dataset:
    given = item.get("fields")
    columns = given if isinstance(given, list) else []
    return Dataset(
        id=integer(item.get("id")),
        name=text(item.get("name")),
        type=text(item.get("type")),
        description=text(item.get("description")),
        external_code=text(item.get("externalCode")),
        external_name=text(item.get("externalName")),
        external_id=integer(item.get("externalId")),
        source_id=integer(item.get("sourceId")),
        columns=tuple(_column(row) for row in columns if isinstance(row, Mapping)),
        date_create=text(item.get("dateCreate")),
        date_update=text(item.get("dateUpdate")),
        created_by_id=integer(item.get("createdById")),
        updated_by_id=integer(item.get("updatedById")),
    )


def _column(row: Mapping[str, Any]) -> DatasetColumn:
    return DatasetColumn(
        id=integer(row.get("id")),
        dataset_id=integer(row.get("datasetId")),
        type=text(row.get("type")),
        name=text(row.get("name")),
        external_code=text(row.get("externalCode")),
        visible=boolean(row.get("visible")),
        description=text(row.get("description")),
    )
