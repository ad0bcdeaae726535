"""`biconnector.source.*` (facts/biconnector 3).

`add` and `update` call the connector's `urlCheck` before they save and hold no lock meanwhile: the endpoint may be an
application that calls back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.endpoints import NoConnection
from emulator.php_values import as_integer, as_text, keys, members, trimmed
from emulator.records import Connector, Source, SourceSetting
from emulator.rest import connectors, lists, schemas, validation
from emulator.rest.calls import Method, RestCall, needs_application, needs_rights
from emulator.rest.replies import ModuleError


def add(call: RestCall) -> dict[str, int]:
    """`biconnector.source.add`: nothing is saved unless `urlCheck` succeeds (facts/biconnector 3.1).

    `active` is accepted and ignored: a new source is active (facts/biconnector 3.3a).
    """
    fields = validation.fields_to_add(call.params, schemas.SOURCE, newer=call.newer)
    connector_id, values = as_integer(fields["connectorId"]), _values(fields["settings"])
    with call.portal.lock:
        connector = connectors.find(call, connector_id)
    _check(call, connector, values, 0, "SOURCE_CREATE_CONNECTION_ERROR", "Cannot create connection.")
    _insist_on_title(fields)
    with call.portal.lock:
        connector = connectors.find(call, connector_id)
        source = Source(
            id=call.portal.next_id("source"),
            connector_id=connector.id,
            title=fields["title"],
            settings=[],
            date_create=call.portal.timestamp(),
            created_by_id=call.user.id,
            description=fields.get("description"),
        )
        _keep_settings(call, source, connector, values)
        call.portal.state.sources[source.id] = source
    return {"id": source.id}


def update(call: RestCall) -> bool:
    """`biconnector.source.update`: checks first, then wants a title; settings are merged by code.

    `active` is accepted and ignored (facts/biconnector 3.1-3.3a, facts/field 0 item 12).
    """
    source_id = validation.checked_id(call.params)
    fields = validation.fields_to_update(call.params, schemas.SOURCE, newer=call.newer)
    values = _values(fields.get("settings", {}))
    with call.portal.lock:
        source = find(call, source_id)
        connector = call.portal.connector(source.connector_id)
        merged = {setting.code: setting.value for setting in source.settings} | values
    _check(call, connector, merged, source_id, "SOURCE_UPDATE_CONNECTION_ERROR", "Cannot update connection.")
    _insist_on_title(fields)
    with call.portal.lock:
        source = find(call, source_id)
        source.title = fields["title"]
        source.description = fields.get("description", source.description)
        source.date_update, source.updated_by_id = call.portal.timestamp(), call.user.id
        _keep_settings(call, source, connector, values)
    return True


def get(call: RestCall) -> dict[str, Any]:
    """`biconnector.source.get`: the source's own fields are nested in `connection` (facts/biconnector 1.2)."""
    source_id = validation.checked_id(call.params)
    with call.portal.lock:
        source = find(call, source_id)
        return {
            "item": {
                "connection": _own_fields(source),
                "connectorId": source.connector_id,
                "settings": [{**_setting(setting), "id": setting.id} for setting in source.settings],
            }
        }


def list_(call: RestCall) -> list[dict[str, Any]]:
    """`biconnector.source.list`."""
    with call.portal.lock:
        items = [
            {
                **_own_fields(source),
                "connectorId": source.connector_id,
                "settings": [_setting(setting) for setting in source.settings],
            }
            for source in call.portal.sources(call.client_id)
        ]
    return lists.select_items(
        items, call.params, schemas.SOURCE, newer=call.newer, site=call.portal.language.site_format
    )


def delete(call: RestCall) -> bool:
    """`biconnector.source.delete`, refused while datasets exist (facts/biconnector 3.4)."""
    source_id = validation.checked_id(call.params)
    with call.portal.lock:
        source = find(call, source_id)
        if any(dataset.source_id == source.id for dataset in call.portal.datasets()):
            raise ModuleError("BX_ERROR", "Cannot delete source. Delete all related datasets first.")
        del call.portal.state.sources[source.id]
    return True


def fields(call: RestCall) -> dict[str, Any]:
    """`biconnector.source.fields`."""
    return schemas.SOURCE.describe(newer=call.newer)


def find(call: RestCall, source_id: int) -> Source:
    """A source of the calling application; anything else is reported as missing (facts/biconnector 1.8)."""
    for source in call.portal.sources(call.client_id):
        if source.id == source_id:
            return source
    raise ModuleError("SOURCE_NOT_FOUND", "Source was not found.")


def _own_fields(source: Source) -> dict[str, Any]:
    return {
        "id": source.id,
        "type": source.type,
        "code": source.code,
        "title": source.title,
        "description": source.description,
        "active": source.active,
        "dateCreate": source.date_create,
        "dateUpdate": source.date_update,
        "createdById": source.created_by_id,
        "updatedById": source.updated_by_id,
    }


def _setting(setting: SourceSetting) -> dict[str, Any]:
    return {"code": setting.code, "name": setting.name, "type": setting.type, "value": setting.value}


def _values(given: list[Any] | dict[str, Any]) -> dict[str, str]:
    """Settings as code and text; a list counts as a map with numeric codes, as in PHP."""
    return {code: as_text(value) for code, value in zip(keys(given), members(given), strict=True)}


def _check(
    call: RestCall, connector: Connector, values: Mapping[str, str], source_id: int, code: str, text: str
) -> None:
    try:
        call.emulator.endpoints.check(connector, values, source_id)
    except NoConnection:
        raise ModuleError(code, text) from None


def _insist_on_title(fields: Mapping[str, Any]) -> None:
    """A missing title has an empty code, after the check was made (facts/biconnector 3.2)."""
    if not fields.get("title"):
        raise ModuleError("", "All the fields are required.")


def _keep_settings(call: RestCall, source: Source, connector: Connector, values: Mapping[str, str]) -> None:
    """Merge `values` by code, trimmed; codes that the connector does not declare are not kept (facts/biconnector 3.1a).

    What the connector gained appears with its first value only; what it lost goes now (facts/biconnector 3.3d).
    """
    kept = {setting.code: setting for setting in source.settings}
    source.settings = []
    for declared in connector.settings:
        setting = kept.get(declared.code)
        if declared.code in values:
            setting = setting or SourceSetting(
                call.portal.next_id("source_setting"), declared.code, declared.name, declared.type, ""
            )
            setting.value = trimmed(values[declared.code])
        if setting is not None:
            source.settings.append(setting)


SCOPES = ("biconnector",)
METHODS = {
    "biconnector.source.add": Method(needs_application(add), SCOPES),
    "biconnector.source.update": Method(needs_application(update), SCOPES),
    "biconnector.source.get": Method(needs_application(get), SCOPES),
    "biconnector.source.list": Method(needs_application(list_), SCOPES),
    "biconnector.source.delete": Method(needs_application(delete), SCOPES),
    "biconnector.source.fields": Method(needs_rights(fields), SCOPES),
}
