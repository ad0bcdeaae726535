"""`biconnector.dataset.*` and, on newer portals, `biconnector.table.*` (facts/biconnector 4).

One storage, two families. They differ in two methods only: `dataset.add` also makes the BI Builder dataset on top, and
`dataset.delete` breaks on newer portals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.php_values import as_integer, is_empty, members
from emulator.records import Dataset
from emulator.rest import columns, lists, schemas, sources, validation
from emulator.rest.calls import Handler, Method, RestCall, needs_application, needs_rights
from emulator.rest.replies import ModuleError, SystemFault

DATASET_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
DATASET_NAME_LENGTH = 230
BUILT_IN_TABLES = frozenset(
    {"crm_deal", "crm_lead", "crm_company", "crm_contact", "crm_activity", "user", "task", "telephony_call"}
)
"""Names that BI Builder's own tables take, a few of them."""


def add_dataset(call: RestCall) -> dict[str, int]:
    """`biconnector.dataset.add`: the table and the BI Builder dataset on top of it (facts/biconnector 4.2)."""
    return _add(call, with_bi_builder_dataset=True)


def add_table(call: RestCall) -> dict[str, int]:
    """`biconnector.table.add`: the table only, `externalId` stays 0 (facts/biconnector 4.2)."""
    return _add(call, with_bi_builder_dataset=False)


def update(call: RestCall) -> bool:
    """`*.update`: only `description` can change (facts/biconnector 4.3)."""
    dataset_id = validation.checked_id(call.params)
    fields = validation.fields_to_update(call.params, schemas.DATASET, newer=call.newer)
    with call.portal.lock:
        dataset = find(call, dataset_id)
        if fields.get("fields") is not None:
            raise ModuleError(
                "INVALID_METHOD",
                'Use the method "biconnector.dataset.fields.update" to update the dataset fields.',
            )
        dataset.description = fields.get("description", dataset.description)
        dataset.date_update, dataset.updated_by_id = call.portal.timestamp(), call.user.id
    return True


def get(call: RestCall) -> dict[str, Any]:
    """`*.get`: with columns and without `sourceId` (facts/biconnector 4.5)."""
    dataset_id = validation.checked_id(call.params)
    with call.portal.lock:
        dataset = find(call, dataset_id)
        return {"item": {**_own_fields(dataset, newer=call.newer), "fields": _columns(dataset, call.newer)}}


def list_(call: RestCall) -> list[dict[str, Any]]:
    """`*.list`: with `sourceId` and without columns (facts/biconnector 4.5)."""
    with call.portal.lock:
        items = [
            {**_own_fields(dataset, newer=call.newer), "sourceId": dataset.source_id}
            for dataset in call.portal.datasets(call.client_id)
        ]
    return lists.select_items(
        items, call.params, schemas.DATASET, newer=call.newer, site=call.portal.language.site_format
    )


def delete_dataset(call: RestCall) -> bool:
    """`biconnector.dataset.delete`: works on older portals, HTTP 500 on newer ones (facts/biconnector 4.2)."""
    dataset_id = validation.checked_id(call.params)
    with call.portal.lock:
        dataset = find(call, dataset_id)
        if call.newer:
            raise SystemFault("INTERNAL_SERVER_ERROR")
        del call.portal.state.datasets[dataset.id]
    return True


def delete_table(call: RestCall) -> bool:
    """`biconnector.table.delete`: the table goes, the BI Builder dataset stays (facts/biconnector 4.2)."""
    dataset_id = validation.checked_id(call.params)
    with call.portal.lock:
        dataset = find(call, dataset_id)
        if dataset.external_id:
            call.portal.state.orphaned_bi_datasets.append(dataset.external_id)
        del call.portal.state.datasets[dataset.id]
    return True


def fields(call: RestCall) -> dict[str, Any]:
    """`*.fields`."""
    return schemas.DATASET.describe(newer=call.newer)


def update_fields(call: RestCall) -> bool:
    """`*.fields.update` (facts/biconnector 4.3, 4.4).

    That BI Builder is informed afterwards and may fail (facts/biconnector 4.3a) can be ordered as a late fault.
    """
    dataset_id = validation.checked_id(call.params)
    with call.portal.lock:
        dataset = find(call, dataset_id)
        columns.change(call.portal, dataset, columns.Changes.read(call))
    return True


def find(call: RestCall, dataset_id: int) -> Dataset:
    """A dataset of the calling application; anything else is reported as missing (facts/biconnector 1.8)."""
    for dataset in call.portal.datasets(call.client_id):
        if dataset.id == dataset_id:
            return dataset
    raise ModuleError("DATASET_NOT_FOUND", "Dataset was not found.")


def _add(call: RestCall, *, with_bi_builder_dataset: bool) -> dict[str, int]:
    given = validation.fields_to_add(call.params, schemas.DATASET, newer=call.newer)
    with call.portal.lock:
        validation.raise_first(_problems(call, given))
        validation.check_storage(given, schemas.DATASET)
        source = sources.find(call, as_integer(given["sourceId"]))
        dataset = Dataset(
            id=call.portal.next_id("dataset"),
            source_id=source.id,
            name=given["name"],
            external_name=given["externalName"],
            external_code=given["externalCode"],
            columns=columns.create(call.portal, members(given["fields"])),
            date_create=call.portal.timestamp(),
            created_by_id=call.user.id,
            description=given.get("description"),
            external_id=call.portal.next_id("bi_builder_dataset") if with_bi_builder_dataset else 0,
        )
        call.portal.state.datasets[dataset.id] = dataset
    return {"id": dataset.id}


def _problems(call: RestCall, given: Mapping[str, Any]) -> Iterator[ModuleError]:
    """What is wrong with a new dataset, in the order of the documentation's table; newer portals look at the name
    before they look for the source (facts/biconnector 1.7a).
    """
    if call.newer:
        yield from _misnamed(given["name"])
    if call.newer and as_integer(given["sourceId"]) == 0:
        yield ModuleError("VALIDATION_SOURCE_ID_REQUIRED", 'The "sourceId" parameter is required.')
    sources.find(call, as_integer(given["sourceId"]))
    yield from _taken(call, given)
    yield from _misnamed(given["name"])
    if call.newer:
        yield from _newer_column_problems(given)
    yield from columns.problems(call.portal, members(given["fields"]))
    if is_empty(given["fields"]):
        yield ModuleError("", "Error adding dataset")


def _misnamed(name: str) -> Iterator[ModuleError]:
    if not DATASET_NAME.fullmatch(name):
        yield ModuleError(
            "VALIDATION_DATASET_NAME_INVALID",
            "Dataset name has to start with a lowercase Latin character. Possible entry includes lowercase Latin "
            "characters (a-z), numbers (0-9) and underscores.",
        )
    if len(name) > DATASET_NAME_LENGTH:
        yield ModuleError("VALIDATION_DATASET_NAME_TOO_LONG", "Dataset name must not exceed 230 characters.")


def _taken(call: RestCall, given: Mapping[str, Any]) -> Iterator[ModuleError]:
    """Names that are given away; newer portals tell their own tables from others (facts/biconnector 4.6)."""
    if not call.newer and (given["name"] in BUILT_IN_TABLES or _is_taken(call, given["name"])):
        yield ModuleError("DATASET_ALREADY_EXIST", "Dataset with this name already exists.")
    if given["name"] in BUILT_IN_TABLES:
        yield ModuleError("DATASET_ALREADY_EXIST", "Table with this name already exists.")
    if _is_taken(call, given["name"]):
        yield ModuleError("NAME_EXISTS", f'A table named "{given["name"]}" already exists.')


def _newer_column_problems(given: Mapping[str, Any]) -> Iterator[ModuleError]:
    """The codes that newer portals have for repeated and missing columns (facts/biconnector 4.6)."""
    new_columns = [column for column in members(given["fields"]) if isinstance(column, dict)]
    names = columns.repeated(new_columns, "name")
    if names:
        yield ModuleError("DUPLICATE_FIELDS", f"Duplicate column names: {', '.join(names)}.")
    if is_empty(given["fields"]):
        yield ModuleError("FIELDS_EMPTY", "$fields is empty")


def _is_taken(call: RestCall, name: str) -> bool:
    """Names are unique in the whole portal, whoever made the dataset."""
    return any(dataset.name == name for dataset in call.portal.state.datasets.values())


def _own_fields(dataset: Dataset, *, newer: bool) -> dict[str, Any]:
    whole = {
        "id": dataset.id,
        "type": dataset.type,
        "name": dataset.name,
        "description": dataset.description,
        "externalCode": dataset.external_code,
        "externalName": dataset.external_name,
        "dateCreate": dataset.date_create,
        "dateUpdate": dataset.date_update,
        "createdById": dataset.created_by_id,
        "updatedById": dataset.updated_by_id,
        "externalId": dataset.external_id,
    }
    if newer:
        whole |= {"csvDelimiter": "", "csvEncoding": "", "csvHasHeaders": False}
    return whole


def _columns(dataset: Dataset, newer: bool) -> list[dict[str, Any]]:
    shown = [
        {
            "id": column.id,
            "datasetId": dataset.id,
            "type": column.type,
            "name": column.name,
            "externalCode": column.external_code,
            "visible": column.visible,
        }
        for column in dataset.columns
    ]
    return [{**column, "description": ""} for column in shown] if newer else shown


SCOPES = ("biconnector",)
_SHARED: dict[str, Handler] = {
    "update": needs_application(update),
    "get": needs_application(get),
    "list": needs_application(list_),
    "fields.update": needs_application(update_fields),
    "fields": needs_rights(fields),
}
_DATASET = _SHARED | {"add": needs_application(add_dataset), "delete": needs_application(delete_dataset)}
_TABLE = _SHARED | {"add": needs_application(add_table), "delete": needs_application(delete_table)}
METHODS = {
    **{f"biconnector.dataset.{name}": Method(handler, SCOPES) for name, handler in _DATASET.items()},
    **{f"biconnector.table.{name}": Method(handler, SCOPES, newer_only=True) for name, handler in _TABLE.items()},
}
