"""What connectors, sources and datasets do when nothing is wrong, and where portals surprise."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
import requests
import responses

from emulator.demo import LOGO
from emulator.records import SourceSetting
from tests.emulator.portals import COLUMNS, CONNECTOR, DATASET, NOON, EmulatedPortal
from tests.waiting import HANG

CHECK = "http://endpoint.test/check"
OTHER_APP = "app.other.00000002"


# Connectors (facts/biconnector 2)


def test_add_answers_the_id_and_get_the_item(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.1"""
    assert emulated.call("biconnector.connector.add", fields=CONNECTOR) == {"id": 1}
    item = emulated.call("biconnector.connector.get", id=1)["item"]
    assert item == {
        **CONNECTOR,
        "id": 1,
        "description": None,
        "sort": 100,
        "dateCreate": "2026-11-24 12:00:00",
        "supportMapping": False,
        "sourceCode": None,
    }
    assert emulated.call("biconnector.connector.update", id=1, fields={"sort": "7"}) is True
    assert emulated.call("biconnector.connector.get", id=1)["item"] == {**item, "sort": 7}
    assert emulated.call("biconnector.connector.delete", id="1") is True
    assert emulated.call("biconnector.connector.list") == []


def test_newer_fields_are_kept_on_newer_portals(emulated: EmulatedPortal) -> None:
    """facts/biconnector 2.1, 2.2"""
    settings = [{"code": "port", "name": "Port", "type": "INT"}]
    emulated.add_connector(supportMapping=True, sourceCode="mysql", settings=settings)
    item = emulated.call("biconnector.connector.get", id=1)["item"]
    assert (item["supportMapping"], item["sourceCode"], item["settings"]) == (True, "mysql", settings)


def test_older_portals_refuse_newer_fields(older: EmulatedPortal) -> None:
    """facts/biconnector 2.1, 2.2"""
    fields = {**CONNECTOR, "sourceCode": "mysql", "supportMapping": True}
    code, text = older.error("biconnector.connector.add", fields=fields)
    assert (code, text) == ("VALIDATION_UNKNOWN_PARAMETERS", "Unknown parameters: sourceCode, supportMapping")
    settings = [{"code": "port", "name": "Port", "type": "INT"}]
    code, _ = older.error("biconnector.connector.add", fields={**CONNECTOR, "settings": settings})
    assert code == "VALIDATION_SETTINGS_INVALID_TYPE"
    titles = [field["title"] for field in older.call("biconnector.connector.fields")["fields"]]
    assert "sourceCode" not in titles


@pytest.mark.parametrize(
    ("title", "longest"), [("title", 512), ("urlCheck", 2048), ("urlData", 2048), ("sourceCode", 64)]
)
def test_lengths_of_connector_fields(emulated: EmulatedPortal, title: str, longest: int) -> None:
    """facts/biconnector 2.1, 2.3"""
    emulated.add_connector(**{title: "ä" * longest})
    fields = {**CONNECTOR, title: "ä" * (longest + 1)}
    assert emulated.error("biconnector.connector.add", fields=fields)[0] == "BX_INVALID_VALUE"
    assert emulated.error("biconnector.connector.update", id=1, fields={title: "a" * 5000})[0] == "BX_INVALID_VALUE"


def test_a_setting_may_be_exactly_512_characters_long(emulated: EmulatedPortal) -> None:
    """facts/biconnector 2.3"""
    emulated.add_connector(settings=[{"code": "c" * 512, "name": "n" * 512, "type": "STRING"}])
    (kept,) = emulated.call("biconnector.connector.get", id=1)["item"]["settings"]
    assert (kept["code"], kept["name"]) == ("c" * 512, "n" * 512)


def test_a_refused_update_changes_nothing(emulated: EmulatedPortal) -> None:
    emulated.add_connector()
    before = emulated.call("biconnector.connector.get", id=1)
    fields = {"title": "New", "settings": [{"code": "a"}]}
    emulated.error("biconnector.connector.update", id=1, fields=fields)
    emulated.error("biconnector.connector.update", id=1, fields={"title": "New", "urlData": "u" * 5000})
    assert emulated.call("biconnector.connector.get", id=1) == before


@pytest.mark.parametrize("kind", ["connector", "source", "dataset", "table"])
def test_fields_describe_themselves(emulated: EmulatedPortal, kind: str) -> None:
    """facts/api 1.5, facts/biconnector 1.1"""
    fields = emulated.call(f"biconnector.{kind}.fields")["fields"]
    keys = {"title", "type", "isRequired", "isReadOnly", "isImmutable", "isMultiple"}
    assert all(set(field) == keys for field in fields)
    assert fields[0] == {
        "title": "id",
        "type": "integer",
        "isRequired": True,
        "isReadOnly": True,
        "isImmutable": False,
        "isMultiple": False,
    }


# Sources (facts/biconnector 3)


def source_fields(**changes: Any) -> dict[str, Any]:
    """Complete fields of a source."""
    return {"title": "Main", "connectorId": 1, "settings": {"login": " demo ", "password": "s&c=r[e]t"}, **changes}


def test_source_add_asks_the_endpoint_first(emulated: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/biconnector 3.1, 5.1"""
    emulated.add_connector()
    checked = network.post(CHECK, body="anything")
    assert emulated.call("biconnector.source.add", fields=source_fields()) == {"id": 1}
    request = checked.calls[0].request
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.body == "connection%5Blogin%5D=+demo+&connection%5Bpassword%5D=s%26c%3Dr%5Be%5Dt"


def test_source_get_nests_the_own_fields(emulated: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/biconnector 1.2, 1.6, 3.3: settings are written as a map and read as a list, trimmed."""
    emulated.add_connector()
    network.post(CHECK, body="ok")
    emulated.call("biconnector.source.add", fields=source_fields(connectorId="1", description="d"))
    assert emulated.call("biconnector.source.get", id=1)["item"] == {
        "connection": {
            "id": 1,
            "type": "rest",
            "code": "rest_1",
            "title": "Main",
            "description": "d",
            "active": True,
            "dateCreate": "2026-11-24 12:00:00",
            "dateUpdate": None,
            "createdById": 2,
            "updatedById": 0,
        },
        "connectorId": 1,
        "settings": [
            {"code": "login", "name": "Login", "type": "STRING", "value": "demo", "id": 1},
            {"code": "password", "name": "Password", "type": "STRING", "value": "s&c=r[e]t", "id": 2},
        ],
    }
    listed = emulated.call("biconnector.source.list")[0]
    assert (listed["id"], listed["connectorId"], listed["active"]) == ("1", "1", True)
    assert listed["settings"][0] == {"code": "login", "name": "Login", "type": "STRING", "value": "demo"}


def test_values_of_settings_are_kept_as_the_texts_that_php_makes_of_them(
    emulated: EmulatedPortal, network: responses.RequestsMock
) -> None:
    """facts/biconnector 5.1: every value arrives at the endpoint as a string."""
    given = {"a": 5432, "b": 1.5, "c": 2.0, "d": True, "e": False, "f": None, "g": ["x"]}
    settings = [{"code": code, "name": code, "type": "STRING"} for code in given]
    emulated.add_connector(settings=settings)
    checked = network.post(CHECK, body="ok")
    emulated.call("biconnector.source.add", fields=source_fields(settings=given))
    sent = re.findall(r"connection%5B(\w)%5D=([^&]*)", str(checked.calls[0].request.body))
    texts = [("a", "5432"), ("b", "1.5"), ("c", "2"), ("d", "1"), ("e", ""), ("f", ""), ("g", "Array")]
    assert sent == texts
    item = emulated.call("biconnector.source.get", id=1)["item"]
    assert [(one["code"], one["value"]) for one in item["settings"]] == texts


def test_a_failed_check_saves_nothing(emulated: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/biconnector 3.1, 5.2"""
    emulated.add_connector()
    for answer in ({"status": 403, "body": "no"}, {"status": 200, "body": ""}, {"body": requests.ConnectTimeout()}):
        network.replace("POST", CHECK, **answer) if network.registered() else network.post(CHECK, **answer)
        assert emulated.error("biconnector.source.add", fields=source_fields())[0] == "SOURCE_CREATE_CONNECTION_ERROR"
    assert emulated.call("biconnector.source.list") == []


def test_a_200_that_says_error_is_a_success(emulated: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/biconnector 5.2"""
    emulated.add_connector()
    network.post(CHECK, json={"status": "ERROR"})
    assert emulated.call("biconnector.source.add", fields=source_fields()) == {"id": 1}


@pytest.fixture
def with_source(emulated: EmulatedPortal, network: responses.RequestsMock) -> EmulatedPortal:
    """A portal with a checked source."""
    emulated.add_connector()
    network.post(CHECK, body="ok")
    emulated.call("biconnector.source.add", fields=source_fields())
    return emulated


@pytest.mark.parametrize("fields", [{"description": "x"}, {"title": "", "active": False}])
def test_source_update_without_title_has_an_empty_code(with_source: EmulatedPortal, fields: dict[str, Any]) -> None:
    """facts/biconnector 3.2; the endpoint was asked before."""
    asked = len(with_source.portal.journal.endpoint_calls)
    expected = ("", "All the fields are required.")
    assert with_source.error("biconnector.source.update", id=1, fields=fields) == expected
    assert len(with_source.portal.journal.endpoint_calls) == asked + 1


def test_source_update_merges_settings_and_ignores_active(
    with_source: EmulatedPortal, network: responses.RequestsMock
) -> None:
    """facts/biconnector 3.3, facts/field 0 item 12"""
    with_source.clock.forward(60)
    fields = {"title": "Renamed", "active": False, "settings": {"password": "new", "unknown": "x"}}
    assert with_source.call("biconnector.source.update", user="admin", id=1, fields=fields) is True
    body = str(network.calls[-1].request.body)
    assert re.findall(r"connection%5B(\w+)%5D=(\w*)", body) == [
        ("login", "demo"),
        ("password", "new"),
        ("unknown", "x"),
    ]
    item = with_source.call("biconnector.source.get", id=1)["item"]
    assert [(one["code"], one["value"], one["id"]) for one in item["settings"]] == [
        ("login", "demo", 1),
        ("password", "new", 2),
    ]
    own = item["connection"]
    assert (own["title"], own["active"]) == ("Renamed", True)
    assert (own["dateUpdate"], own["updatedById"]) == ("2026-11-24 12:01:00", 1)


def test_values_are_checked_as_they_are_given_and_kept_trimmed(
    emulated: EmulatedPortal, network: responses.RequestsMock
) -> None:
    """facts/biconnector 3.1a: PHP's `trim`; a code that the connector lacks takes part in the check and is lost."""
    emulated.add_connector()
    network.post(CHECK, body="ok")
    settings = {"login": "\tsam\u00a0", "password": " s \n", "colour": "red"}
    number = emulated.call("biconnector.source.add", fields=source_fields(settings=settings))["id"]
    sent = str(network.calls[-1].request.body)
    assert sent == ("connection%5Blogin%5D=%09sam%C2%A0&connection%5Bpassword%5D=+s+%0A&connection%5Bcolour%5D=red")
    kept = emulated.call("biconnector.source.get", id=number)["item"]["settings"]
    assert [(one["code"], one["value"]) for one in kept] == [("login", "sam\u00a0"), ("password", "s")]


@pytest.mark.parametrize("active", [False, True])
def test_a_new_source_is_active_whatever_is_asked(
    emulated: EmulatedPortal, network: responses.RequestsMock, active: bool
) -> None:
    """facts/biconnector 3.3a"""
    emulated.add_connector()
    network.post(CHECK, body="ok")
    number = emulated.call("biconnector.source.add", fields=source_fields(active=active))["id"]
    assert emulated.call("biconnector.source.get", id=number)["item"]["connection"]["active"] is True


def test_a_parameter_that_a_connector_gains_is_not_in_its_sources(with_source: EmulatedPortal) -> None:
    """facts/biconnector 3.3d"""
    before = with_source.call("biconnector.source.get", id=1)["item"]["settings"]
    settings = [*CONNECTOR["settings"], {"code": "region", "name": "Region", "type": "STRING"}]
    with_source.call("biconnector.connector.update", id=1, fields={"settings": settings})
    assert with_source.call("biconnector.source.get", id=1)["item"]["settings"] == before
    with_source.call("biconnector.source.update", id=1, fields={"title": "x"})
    assert with_source.call("biconnector.source.get", id=1)["item"]["settings"] == before


def test_a_parameter_that_a_connector_loses_takes_the_value_with_it_at_the_next_save(
    with_source: EmulatedPortal,
) -> None:
    """facts/biconnector 3.3d"""
    both, login = CONNECTOR["settings"], CONNECTOR["settings"][:1]
    with_source.call("biconnector.connector.update", id=1, fields={"settings": login})
    assert len(with_source.call("biconnector.source.get", id=1)["item"]["settings"]) == 2
    with_source.call("biconnector.source.update", id=1, fields={"title": "x"})
    with_source.call("biconnector.connector.update", id=1, fields={"settings": both})
    kept = with_source.call("biconnector.source.get", id=1)["item"]["settings"]
    assert [one["code"] for one in kept] == ["login"]


def test_settings_that_a_connector_dropped_disappear_with_the_next_update(with_source: EmulatedPortal) -> None:
    settings = [{"code": "token", "name": "Token", "type": "STRING"}]
    with_source.call("biconnector.connector.update", id=1, fields={"settings": settings})
    with_source.call("biconnector.source.update", id=1, fields={"title": "x", "settings": {"token": "t"}})
    item = with_source.call("biconnector.source.get", id=1)["item"]
    assert [one["code"] for one in item["settings"]] == ["token"]


def test_the_portal_is_not_locked_while_it_waits_for_the_check(
    emulated: EmulatedPortal, network: responses.RequestsMock
) -> None:
    """facts/biconnector 3.1: the endpoint may be an application that calls back while it is asked."""
    emulated.add_connector()
    seen: list[Any] = []

    def call_back(_request: Any) -> tuple[int, dict[str, str], str]:
        worker = threading.Thread(target=lambda: seen.extend(emulated.call("biconnector.connector.list")))
        worker.start()
        worker.join(HANG)
        return 200, {}, "ok"

    network.add_callback("POST", CHECK, call_back)
    emulated.call("biconnector.source.add", fields=source_fields())
    assert [connector["id"] for connector in seen] == ["1"]


def test_a_connector_that_vanishes_during_the_check_leaves_no_source(
    emulated: EmulatedPortal, network: responses.RequestsMock
) -> None:
    emulated.add_connector()

    def delete_it(_request: Any) -> tuple[int, dict[str, str], str]:
        del emulated.portal.state.connectors[1]
        return 200, {}, "ok"

    network.add_callback("POST", CHECK, delete_it)
    assert emulated.error("biconnector.source.add", fields=source_fields())[0] == "CONNECTOR_NOT_FOUND"
    assert emulated.portal.sources() == []


# Datasets and tables (facts/biconnector 4)


@pytest.mark.parametrize("family", ["dataset", "table"])
def test_both_families_share_one_storage(emulated: EmulatedPortal, family: str) -> None:
    """facts/biconnector 4.1"""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()), family)
    other = "table" if family == "dataset" else "dataset"
    assert emulated.call(f"biconnector.{other}.get", id=1) == emulated.call(f"biconnector.{family}.get", id=1)
    assert emulated.call(f"biconnector.{other}.list") == emulated.call(f"biconnector.{family}.list")


def test_only_dataset_add_makes_a_bi_builder_dataset(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.2"""
    source = emulated.add_source(emulated.add_connector())
    emulated.add_dataset(source, "table", name="first")
    emulated.add_dataset(source, "dataset", name="second")
    external = {item["name"]: item["externalId"] for item in emulated.call("biconnector.table.list")}
    assert external == {"first": 0, "second": 1}


def test_dataset_delete_breaks_on_newer_portals(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.2: only `table.delete` deletes, and leaves the BI Builder dataset behind."""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()), "dataset")
    assert emulated.fault("biconnector.dataset.delete", id=1) == (500, "INTERNAL_SERVER_ERROR")
    assert emulated.call("biconnector.table.delete", id=1) is True
    assert emulated.portal.state.orphaned_bi_datasets == [1]
    assert emulated.call("biconnector.dataset.list") == []


def test_dataset_delete_works_on_older_portals(older: EmulatedPortal) -> None:
    """facts/biconnector 4.1"""
    older.add_dataset(older.add_source(older.add_connector()), "dataset")
    assert older.call("biconnector.dataset.delete", id=1) is True
    assert older.portal.datasets() == []


def test_get_has_columns_and_list_has_the_source(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.5, 1.6"""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    item = emulated.call("biconnector.dataset.get", id=1)["item"]
    assert "sourceId" not in item
    assert (item["dateUpdate"], item["updatedById"], item["csvHasHeaders"]) == (None, 0, False)
    assert item["fields"][0] == {
        "id": 1,
        "datasetId": 1,
        "type": "int",
        "name": "ID",
        "externalCode": "id",
        "visible": True,
        "description": "",
    }
    listed = emulated.call("biconnector.dataset.list")[0]
    assert "fields" not in listed
    assert (listed["id"], listed["sourceId"]) == ("1", "1")


def test_only_the_description_can_be_updated(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.3"""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    emulated.clock.forward(1)
    assert emulated.call("biconnector.dataset.update", user="admin", id=1, fields={"description": "new"}) is True
    item = emulated.call("biconnector.dataset.get", id=1)["item"]
    assert (item["description"], item["updatedById"]) == ("new", 1)
    assert item["dateUpdate"] == "2026-11-24 12:00:01"


def test_fields_update_works_in_the_order_update_add_delete(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.3"""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    changes: dict[str, Any] = {
        "update": [{"id": 1, "visible": False}, {"id": "2", "visible": "0"}],
        "add": [{"name": "TOTAL", "externalCode": "total", "type": "money"}],
        "delete": ["2"],
    }
    assert emulated.call("biconnector.dataset.fields.update", id=1, **changes) is True
    fields = emulated.call("biconnector.dataset.get", id=1)["item"]["fields"]
    assert [(field["name"], field["visible"]) for field in fields] == [("ID", False), ("TOTAL", True)]


def test_a_column_cannot_be_replaced_in_one_call(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.3: additions are checked against the columns that are about to be deleted."""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    added = [{"name": "ID", "externalCode": "other", "type": "string"}]
    code, _ = emulated.error("biconnector.dataset.fields.update", id=1, add=added, delete=[1])
    assert code == "VALIDATION_DUPLICATE_EXIST_NAME"
    assert len(emulated.portal.dataset(1).columns) == 2


def test_foreign_ids_are_skipped_in_update_and_obeyed_in_delete(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.4: a wrong id deletes a column of somebody else's dataset."""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    theirs = emulated.add_connector(client_id=OTHER_APP)
    emulated.add_dataset(emulated.add_source(theirs), client_id=OTHER_APP, name="theirs")
    assert [column.id for column in emulated.portal.dataset(2).columns] == [3, 4]
    update = [{"id": 3, "visible": False}, {"id": 99, "visible": False}]
    assert emulated.call("biconnector.dataset.fields.update", id=1, update=update, delete=[4]) is True
    assert [(column.id, column.visible) for column in emulated.portal.dataset(2).columns] == [(3, True)]


def test_fields_update_without_work_is_a_success(emulated: EmulatedPortal) -> None:
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    assert emulated.call("biconnector.table.fields.update", id=1) is True
    assert emulated.call("biconnector.table.fields.update", id=1, add="no array", delete=5) is True


def test_dataset_names_are_unique_in_the_whole_portal(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.6"""
    theirs = emulated.add_connector(client_id=OTHER_APP)
    emulated.add_dataset(emulated.add_source(theirs), client_id=OTHER_APP)
    source = emulated.add_source(emulated.add_connector())
    fields = {**DATASET, "sourceId": source.id}
    expected = ("NAME_EXISTS", 'A table named "orders" already exists.')
    assert emulated.error("biconnector.table.add", fields=fields) == expected
    assert emulated.error("biconnector.dataset.add", fields=fields) == expected


NEWER_PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    ({"name": "crm_deal"}, "DATASET_ALREADY_EXIST", "Table with this name already exists."),
    ({"fields": []}, "FIELDS_EMPTY", "$fields is empty"),
    ({"fields": [*COLUMNS, COLUMNS[0]]}, "DUPLICATE_FIELDS", "Duplicate column names: ID."),
    ({"sourceId": 0}, "VALIDATION_SOURCE_ID_REQUIRED", 'The "sourceId" parameter is required.'),
]


@pytest.mark.parametrize(("changes", "code", "text"), NEWER_PROBLEMS)
def test_codes_of_newer_portals(emulated: EmulatedPortal, changes: dict[str, Any], code: str, text: str) -> None:
    """facts/biconnector 4.6"""
    source = emulated.add_source(emulated.add_connector())
    fields = {**DATASET, "sourceId": source.id, **changes}
    assert emulated.error("biconnector.table.add", fields=fields) == (code, text)


@pytest.mark.parametrize("kind", ["money", "timezone"])
def test_types_that_only_newer_portals_know(emulated: EmulatedPortal, older: EmulatedPortal, kind: str) -> None:
    """facts/biconnector 4.7"""
    columns = [{"name": "A", "externalCode": "a", "type": kind}]
    emulated.add_dataset(emulated.add_source(emulated.add_connector()), fields=columns)
    source = older.add_source(older.add_connector())
    fields = {**DATASET, "sourceId": source.id, "fields": columns}
    assert older.error("biconnector.dataset.add", fields=fields)[0] == "VALIDATION_FIELD_INVALID_TYPE"


def test_names_may_use_their_whole_length(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.6"""
    columns = [{"name": "A" * 32, "externalCode": "x" * 600, "type": "int"}]
    emulated.add_dataset(
        emulated.add_source(emulated.add_connector()),
        name="a" * 230,
        fields=columns,
        externalCode="c" * 512,
        externalName="n" * 512,
    )
    fields = {**DATASET, "name": "b", "sourceId": 1, "externalCode": "c" * 513}
    assert emulated.error("biconnector.table.add", fields=fields)[0] == "BX_INVALID_VALUE"


# Who sees what (facts/biconnector 1.8)


def test_objects_are_visible_to_their_application_only(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.8"""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    for kind, code in (
        ("connector", "CONNECTOR_NOT_FOUND"),
        ("source", "SOURCE_NOT_FOUND"),
        ("dataset", "DATASET_NOT_FOUND"),
        ("table", "DATASET_NOT_FOUND"),
    ):
        assert emulated.call(f"biconnector.{kind}.list", client_id=OTHER_APP) == []
        for verb in ("get", "delete"):
            assert emulated.error(f"biconnector.{kind}.{verb}", client_id=OTHER_APP, id=1)[0] == code
    fields = {**DATASET, "name": "x", "sourceId": 1}
    assert emulated.error("biconnector.table.add", client_id=OTHER_APP, fields=fields)[0] == "SOURCE_NOT_FOUND"


ALL_METHODS = [
    f"biconnector.{kind}.{verb}"
    for kind in ("connector", "source", "dataset", "table")
    for verb in ("add", "update", "get", "list", "delete", "fields")
] + ["biconnector.dataset.fields.update", "biconnector.table.fields.update"]


@pytest.mark.parametrize("method", ALL_METHODS)
@pytest.mark.parametrize("user", ["viewer", "half"])
def test_both_rights_are_needed_for_every_method(emulated: EmulatedPortal, method: str, user: str) -> None:
    """facts/biconnector 1.8"""
    assert emulated.error(method, user=user) == ("ACCESS_DENIED", "Access denied.")


@pytest.mark.parametrize("method", ALL_METHODS)
def test_webhooks_may_only_read_field_descriptions(emulated: EmulatedPortal, method: str) -> None:
    """facts/biconnector 1.8"""
    answer = emulated.http.post(f"/rest/2/s3cr3t/{method}.json", json={"id": 1}).get_json()
    if method.endswith(".fields"):
        assert answer["result"]["fields"]
    else:
        assert answer["result"]["error"] == {"error": "ACCESS_DENIED", "error_description": "Access denied."}


def test_the_demonstration_logo_is_an_image() -> None:
    assert LOGO.startswith("data:image/svg+xml;base64,")


def test_setting_values_are_stored_as_plain_text(with_source: EmulatedPortal) -> None:
    """facts/field 0 item 10"""
    assert with_source.portal.source(1).settings[1] == SourceSetting(2, "password", "Password", "STRING", "s&c=r[e]t")
    assert with_source.clock.now == NOON


def test_newer_portals_look_at_the_name_before_they_look_for_the_source(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.7a; older ones keep the order of the documentation (`test_error_tables`)."""
    for name, code in (("Orders", "VALIDATION_DATASET_NAME_INVALID"), ("orders", "SOURCE_NOT_FOUND")):
        for family in ("dataset", "table"):
            fields = {**DATASET, "name": name, "sourceId": 77}
            assert emulated.error(f"biconnector.{family}.add", fields=fields)[0] == code


@pytest.mark.parametrize(
    ("given", "seen"), [("N", True), ("false", True), ("0", False), ("", False), (0, False), (True, True)]
)
def test_visible_is_cast_as_php_does(emulated: EmulatedPortal, given: Any, seen: bool) -> None:
    """facts/biconnector 1.7a"""
    dataset = emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    emulated.call("biconnector.dataset.fields.update", id=dataset.id, update=[{"id": 1, "visible": given}])
    assert dataset.columns[0].visible is seen


def test_support_mapping_needs_a_real_boolean(emulated: EmulatedPortal) -> None:
    """facts/biconnector 1.7a: no form-encoded body can carry one."""
    for given in ("1", "true", 1):
        fields = {**CONNECTOR, "supportMapping": given}
        assert emulated.error("biconnector.connector.add", fields=fields)[0] == "VALIDATION_INVALID_FIELD_TYPE"


def test_changes_of_columns_may_be_in_force_although_an_error_says_otherwise(emulated: EmulatedPortal) -> None:
    """facts/biconnector 4.3a: stored first, BI Builder informed afterwards."""
    dataset = emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    method = "biconnector.table.fields.update"
    emulated.control("fail", target=method, late=True, shape="result", code="DATASET_UPDATE_ERROR")
    assert emulated.error(method, id=dataset.id, delete=[1])[0] == "DATASET_UPDATE_ERROR"
    assert 1 not in [column.id for column in dataset.columns]
