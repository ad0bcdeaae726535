"""The documentation's own example calls, word for word, on both generations (facts/api 2, 3, 4)."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from tests.emulator.portals import EmulatedPortal

CONNECTOR: dict[str, Any] = {
    "title": "SUPER REST CONNECTOR",
    "logo": "data:image/svg+xml;base64,PHN2ZyB3aWR0aD0iMjIiIGhlaWdodD0iMjIiIHZpZXdCb3g9IjAgMCAyMiAyMiI+PC9zdmc+",
    "description": "Connector with token",
    "urlCheck": "http://example.com/api/check",
    "urlTableList": "http://example.com/api/table_list",
    "urlTableDescription": "http://example.com/api/table_description",
    "urlData": "http://example.com/api/data",
    "settings": [
        {"name": "Login", "type": "STRING", "code": "login"},
        {"name": "Password", "type": "STRING", "code": "password"},
    ],
    "sort": 100,
}
CHANGED_CONNECTOR = {
    "title": "UPDATED REST CONNECTOR",
    "logo": "data:image/svg+xml;base64,NEWLOGODATA",
    "description": "Updated description",
    "urlCheck": "http://example.com/api/new_check",
    "urlTableList": "http://example.com/api/new_table_list",
    "urlTableDescription": "http://example.com/api/new_table_description",
    "urlData": "http://example.com/api/new_data",
    "settings": [
        {"name": "Employee Identifier", "type": "STRING", "code": "id"},
        {"name": "Password", "type": "STRING", "code": "password"},
    ],
    "sort": 200,
}
DATASET: dict[str, Any] = {
    "sourceId": 3,
    "name": "rest_dataset",
    "externalName": "externalName",
    "externalCode": "externalCode",
    "description": "Dataset description",
    "fields": [
        {"type": "int", "name": "ID", "externalCode": "ID"},
        {"type": "string", "name": "NAME", "externalCode": "NAME"},
        {"type": "string", "name": "SURNAME", "externalCode": "SURNAME"},
        {"type": "double", "name": "SCORE", "externalCode": "SCORE"},
        {"type": "date", "name": "DATE", "externalCode": "DATE"},
        {"type": "datetime", "name": "TIME", "externalCode": "TIME"},
    ],
}
FLAGS = ("isRequired", "isReadOnly", "isImmutable", "isMultiple")
FIELDS: dict[str, list[tuple[str, str, str]]] = {
    # Title, type, and the flags that are set: required, read only, immutable, multiple.
    "connector": [
        ("id", "integer", "RO"),
        ("title", "string", "R"),
        ("logo", "string", "R"),
        ("description", "string", ""),
        ("sort", "integer", ""),
        ("urlCheck", "string", "R"),
        ("urlData", "string", "R"),
        ("urlTableList", "string", "R"),
        ("urlTableDescription", "string", "R"),
        ("settings", "array", "RM"),
        ("dateCreate", "datetime", "RO"),
    ],
    "source": [
        ("id", "integer", "RO"),
        ("title", "string", "R"),
        ("type", "string", "RO"),
        ("code", "string", "RO"),
        ("description", "string", ""),
        ("active", "boolean", ""),
        ("dateCreate", "datetime", "RO"),
        ("dateUpdate", "datetime", "RO"),
        ("createdById", "integer", "RO"),
        ("updatedById", "integer", "RO"),
        ("connectorId", "integer", "RI"),
        ("settings", "array", "RM"),
    ],
    "dataset": [
        ("id", "integer", "RO"),
        ("sourceId", "integer", "RI"),
        ("name", "string", "RI"),
        ("type", "string", "RO"),
        ("description", "string", ""),
        ("externalName", "string", "RI"),
        ("externalCode", "string", "RI"),
        ("externalId", "integer", "RO"),
        ("dateCreate", "datetime", "RO"),
        ("dateUpdate", "datetime", "RO"),
        ("createdById", "integer", "RO"),
        ("updatedById", "integer", "RO"),
        ("fields", "array", "RM"),
    ],
}


@pytest.fixture(params=["older", "newer"])
def portal(request: pytest.FixtureRequest, network: responses.RequestsMock) -> EmulatedPortal:
    """A portal of either generation; the example's endpoints take every login."""
    network.post("http://example.com/api/check", body="ok")
    network.post("http://example.com/api/new_check", body="ok")
    emulated = EmulatedPortal()
    emulated.control("generation", generation=request.param)
    return emulated


def test_connectors(portal: EmulatedPortal) -> None:
    for number in range(1, 6):
        assert portal.call("biconnector.connector.add", fields=CONNECTOR) == {"id": number}
    assert portal.call("biconnector.connector.update", id=4, fields=CHANGED_CONNECTOR) is True
    item = portal.call("biconnector.connector.get", id=4)["item"]
    assert {name: value for name, value in item.items() if name in CHANGED_CONNECTOR} == CHANGED_CONNECTOR
    assert portal.call("biconnector.connector.delete", id=4) is True
    for number, title in ((1, "MyConnector"), (2, "MyConnector_2"), (3, "Other")):
        portal.call("biconnector.connector.update", id=number, fields={"title": title})
        portal.portal.connector(number).date_create = f"2025-03-2{number} 07:25:59"
    wanted: dict[str, Any] = {
        "SELECT": ["id", "title", "urlCheck", "dateCreate"],
        "FILTER": {"%=title": "MyConnector%", "!description": ""},
        "ORDER": {"dateCreate": "DESC"},
    }
    assert portal.call("biconnector.connector.list", **wanted) == [
        {"id": str(number), "title": title, "dateCreate": f"2025-03-2{number} 07:25:59", "urlCheck": url}
        for number, title, url in (
            (2, "MyConnector_2", "http://example.com/api/check"),
            (1, "MyConnector", "http://example.com/api/check"),
        )
    ]


def test_sources(portal: EmulatedPortal) -> None:
    for _ in range(123):
        portal.add_connector(**CONNECTOR)
    fields = {
        "title": "CRM Source",
        "description": "CRM data source",
        "connectorId": 123,
        "settings": {"login": "admin", "password": "qwerty"},
    }
    for number in range(1, 5):
        assert portal.call("biconnector.source.add", fields=fields) == {"id": number}
    changed = {
        "title": "New source name",
        "description": "Updated source description",
        "active": False,
        "settings": {"login": "new_admin", "password": "new_password"},
    }
    assert portal.call("biconnector.source.update", id=4, fields=changed) is True
    item = portal.call("biconnector.source.get", id=4)["item"]
    assert (item["connection"]["title"], item["connectorId"]) == ("New source name", 123)
    assert {one["code"]: one["value"] for one in item["settings"]} == changed["settings"]
    assert portal.call("biconnector.source.delete", id=4) is True
    for number, connector_id, title in ((1, 2, "Sql_host"), (2, 3, "Sql_else"), (3, 4, "Sql_partner")):
        source = portal.portal.source(number)
        source.connector_id, source.title, source.date_create = connector_id, title, f"2025-03-2{number} 07:25:59"
    wanted: dict[str, Any] = {
        "select": ["id", "title", "active", "dateCreate"],
        "filter": {"%=title": "Sql%", "!description": "", "@connectorId": [2, 4]},
        "order": {"dateCreate": "DESC"},
    }
    # The documentation shows dates here; portals answer `{}` for those that `select` names (facts/biconnector 1.5c).
    assert portal.call("biconnector.source.list", **wanted) == [
        {"id": "3", "title": "Sql_partner", "active": True, "dateCreate": {}},
        {"id": "1", "title": "Sql_host", "active": True, "dateCreate": {}},
    ]
    assert (
        portal.call("biconnector.source.list", **(wanted | {"select": ["*"]}))[1]["dateCreate"] == "2025-03-21 07:25:59"
    )


def test_datasets(portal: EmulatedPortal) -> None:
    connector = portal.add_connector(**CONNECTOR)
    for _ in range(4):
        portal.add_source(connector)
    portal.portal.state.last_ids |= {"dataset": 9, "column": 11}
    assert portal.call("biconnector.dataset.add", fields=DATASET) == {"id": 10}
    assert portal.call("biconnector.dataset.update", id=10, fields={"description": "New description"}) is True
    columns = portal.call("biconnector.dataset.get", id=10)["item"]["fields"]
    assert [{name: column[name] for name in ("type", "name", "externalCode")} for column in columns] == DATASET[
        "fields"
    ]
    # The example adds two columns that the dataset of its own example has already; here they have other names.
    changes: dict[str, Any] = {
        "add": [
            {"type": "int", "name": "NAME_2", "externalCode": "NAME_2"},
            {"type": "int", "name": "ID_2", "externalCode": "ID_2"},
        ],
        "update": [{"id": 12, "visible": False}, {"id": 13, "visible": True}],
        "delete": [14, 15],
    }
    assert portal.call("biconnector.dataset.fields.update", id=10, **changes) is True
    columns = portal.call("biconnector.dataset.get", id=10)["item"]["fields"]
    assert [(one["id"], one["name"], one["visible"]) for one in columns] == [
        (12, "ID", False),
        (13, "NAME", True),
        (16, "DATE", True),
        (17, "TIME", True),
        (18, "NAME_2", True),
        (19, "ID_2", True),
    ]
    for number, source_id, name in ((11, 2, "sales_data_main"), (12, 3, "sales_other"), (13, 4, "sales_data_branch")):
        fields = {**DATASET, "sourceId": source_id, "name": name, "description": "Monthly sales report"}
        assert portal.call("biconnector.dataset.add", fields=fields) == {"id": number}
        portal.clock.forward(1)
    wanted: dict[str, Any] = {
        "select": ["id", "name", "description"],
        "filter": {"%=name": "Sales%", "!description": "", "@sourceId": [2, 4]},
        "order": {"dateCreate": "DESC"},
    }
    assert portal.call("biconnector.dataset.list", **wanted) == [
        {"id": "13", "name": "sales_data_branch", "description": "Monthly sales report"},
        {"id": "11", "name": "sales_data_main", "description": "Monthly sales report"},
    ]


@pytest.mark.parametrize("kind", FIELDS)
def test_fields_of_older_portals_are_the_documented_ones(older: EmulatedPortal, kind: str) -> None:
    """facts/api 2, 3, 4: every field with its flags, in this order."""
    letters = dict(zip(FLAGS, "ROIM", strict=True))
    assert older.call(f"biconnector.{kind}.fields") == {
        "fields": [
            {"title": title, "type": type_name, **{flag: letter in flags for flag, letter in letters.items()}}
            for title, type_name, flags in FIELDS[kind]
        ]
    }
