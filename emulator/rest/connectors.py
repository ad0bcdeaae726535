"""`biconnector.connector.*` (facts/biconnector 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emulator.php_values import as_integer, members
from emulator.records import Connector, ConnectorSetting, Generation
from emulator.rest import lists, schemas, validation
from emulator.rest.calls import Method, RestCall, needs_application, needs_rights
from emulator.rest.replies import ModuleError

SETTING_TYPES: Mapping[Generation, tuple[str, ...]] = {"older": ("STRING",), "newer": ("STRING", "INT")}
"""Types of settings by the portal's generation, case-sensitive (facts/biconnector 2.2)."""
SETTING_LENGTH = 512
ADD_ORDER, UPDATE_ORDER = ("name", "code", "type"), ("type", "name", "code")
"""Parts of a setting as the tables of `add` and `update` name their mistakes, behind a part that is missing."""


def add(call: RestCall) -> dict[str, int]:
    """`biconnector.connector.add`."""
    fields = validation.fields_to_add(call.params, schemas.CONNECTOR, newer=call.newer)
    settings = _settings(fields["settings"], call, ADD_ORDER)
    validation.check_storage(fields, schemas.CONNECTOR)
    with call.portal.lock:
        connector = Connector(
            id=call.portal.next_id("connector"),
            client_id=call.client_id,
            title=fields["title"],
            logo=fields["logo"],
            url_check=fields["urlCheck"],
            url_data=fields["urlData"],
            url_table_list=fields["urlTableList"],
            url_table_description=fields["urlTableDescription"],
            settings=settings,
            date_create=call.portal.timestamp(),
        )
        _write(connector, fields)
        call.portal.state.connectors[connector.id] = connector
    return {"id": connector.id}


def update(call: RestCall) -> bool:
    """`biconnector.connector.update`: changes what is given and nothing else."""
    connector_id = validation.checked_id(call.params)
    fields = validation.fields_to_update(call.params, schemas.CONNECTOR, newer=call.newer)
    with call.portal.lock:
        connector = find(call, connector_id)
        settings = _settings(fields["settings"], call, UPDATE_ORDER) if "settings" in fields else connector.settings
        validation.check_storage(fields, schemas.CONNECTOR)
        connector.settings = settings
        _write(connector, fields)
    return True


def get(call: RestCall) -> dict[str, Any]:
    """`biconnector.connector.get`."""
    connector_id = validation.checked_id(call.params)
    with call.portal.lock:
        return {"item": item(find(call, connector_id), newer=call.newer)}


def list_(call: RestCall) -> list[dict[str, Any]]:
    """`biconnector.connector.list`."""
    with call.portal.lock:
        items = [item(connector, newer=call.newer) for connector in call.portal.connectors(call.client_id)]
    return lists.select_items(
        items, call.params, schemas.CONNECTOR, newer=call.newer, site=call.portal.language.site_format
    )


def delete(call: RestCall) -> bool:
    """`biconnector.connector.delete`, refused while sources exist (facts/biconnector 2.4)."""
    connector_id = validation.checked_id(call.params)
    with call.portal.lock:
        connector = find(call, connector_id)
        if any(source.connector_id == connector.id for source in call.portal.sources()):
            raise ModuleError(
                "CONNECTOR_DELETE_RESTRICTED",
                "Connector cannot be removed. Remove the connections related to the connector first.",
            )
        del call.portal.state.connectors[connector.id]
    return True


def fields(call: RestCall) -> dict[str, Any]:
    """`biconnector.connector.fields`."""
    return schemas.CONNECTOR.describe(newer=call.newer)


def find(call: RestCall, connector_id: int) -> Connector:
    """The calling application's connector; somebody else's is reported as missing (facts/biconnector 1.8)."""
    connector = call.portal.state.connectors.get(connector_id)
    if connector is None or connector.client_id != call.client_id:
        raise ModuleError("CONNECTOR_NOT_FOUND", "Connector was not found.")
    return connector


def item(connector: Connector, *, newer: bool) -> dict[str, Any]:
    """The connector as `get` and `list` show it."""
    whole = {
        "id": connector.id,
        "title": connector.title,
        "dateCreate": connector.date_create,
        "logo": connector.logo,
        "description": connector.description,
        "sort": connector.sort,
        "urlCheck": connector.url_check,
        "settings": [
            {"name": setting.name, "code": setting.code, "type": setting.type} for setting in connector.settings
        ],
        "urlData": connector.url_data,
        "urlTableList": connector.url_table_list,
        "urlTableDescription": connector.url_table_description,
    }
    if newer:
        whole |= {"supportMapping": connector.support_mapping, "sourceCode": connector.source_code}
    return whole


def _write(connector: Connector, fields: Mapping[str, Any]) -> None:
    for field in schemas.CONNECTOR.fields:
        if field.title in fields and field.title != "settings":
            value = fields[field.title]
            setattr(connector, field.attribute, as_integer(value) if field.type == "integer" else value)


def _settings(given: list[Any] | dict[str, Any], call: RestCall, order: Sequence[str]) -> list[ConnectorSetting]:
    """The settings in `given`. Raises the first problem in an order of the documentation, ADD_ORDER or UPDATE_ORDER."""
    settings = members(given)
    parts = [setting if isinstance(setting, dict) else {} for setting in settings]
    if any(one.get(key) is None for one in parts for key in ("type", "name", "code")):
        raise ModuleError(
            "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS",
            'Settings must include "type", "name" and "code" fields.',
        )
    validation.raise_first(problem for part in order for problem in _problems(part, parts, call.portal.generation))
    return [ConnectorSetting(str(one["code"]), str(one["name"]), one["type"]) for one in parts]


def _problems(part: str, settings: Sequence[dict[str, Any]], generation: Generation) -> Iterator[ModuleError]:
    """The problem that one part of some setting has, if any."""
    if part == "type":
        if any(one["type"] not in SETTING_TYPES[generation] for one in settings):
            yield ModuleError("VALIDATION_SETTINGS_INVALID_TYPE", 'Parameter "type" is not correct.')
    elif any(len(str(one[part])) > SETTING_LENGTH for one in settings):
        text = f'Parameter "{part}" must be less than 512 characters.'
        yield ModuleError(f"VALIDATION_SETTINGS_{part.upper()}_TOO_LONG", text)


SCOPES = ("biconnector",)
METHODS = {
    "biconnector.connector.add": Method(needs_application(add), SCOPES),
    "biconnector.connector.update": Method(needs_application(update), SCOPES),
    "biconnector.connector.get": Method(needs_application(get), SCOPES),
    "biconnector.connector.list": Method(needs_application(list_), SCOPES),
    "biconnector.connector.delete": Method(needs_application(delete), SCOPES),
    "biconnector.connector.fields": Method(needs_rights(fields), SCOPES),
}
