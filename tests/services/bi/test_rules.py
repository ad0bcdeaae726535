"""facts/biconnector 1.7, 2.1-2.3, 3.2, 3.3, 4.3, 4.6, 4.7: our own validation names every wrong field at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from errors import InvalidInput
from services.bi import rules
from services.bi.listing import Listing
from services.portal_api.capabilities import NEWER, OLDER, Capabilities

URLS = {
    "urlCheck": "https://example.com/check",
    "urlTableList": "https://example.com/table_list",
    "urlTableDescription": "https://example.com/table_description",
    "urlData": "https://example.com/data",
}
LOGIN = {"code": "login", "name": "Login", "type": "STRING"}
CONNECTOR: dict[str, Any] = {
    "title": "REST connector",
    "logo": "data:image/svg+xml;base64,PHN2Zy8+",
    "settings": [LOGIN],
    **URLS,
}
SOURCE: dict[str, Any] = {"title": "Shop", "connectorId": "4", "settings": {"login": "user", "password": ""}}
ID_COLUMN = {"name": "ID", "externalCode": "id", "type": "int"}
DATASET: dict[str, Any] = {
    "name": "sales_data",
    "externalName": "Sales",
    "externalCode": "sales",
    "sourceId": "7",
    "fields": [ID_COLUMN],
}
Problems = list[tuple[str, str]]


def problems(check: Callable[[], Any]) -> Problems:
    with pytest.raises(InvalidInput) as caught:
        check()
    return [(problem.field, problem.code) for problem in caught.value.problems]


def of_connector(caps: Capabilities = NEWER, updating: bool = False, /, **changes: Any) -> Problems:
    fields = changes if updating else {**CONNECTOR, **changes}
    return problems(lambda: rules.connector(caps, fields, updating=updating))


def of_dataset(caps: Capabilities = NEWER, /, **changes: Any) -> Problems:
    return problems(lambda: rules.dataset(caps, {**DATASET, **changes}))


def test_a_connector_as_documented_passes_as_it_is() -> None:
    assert rules.connector(OLDER, CONNECTOR) == CONNECTOR


def test_numbers_and_flags_become_what_the_portal_wants() -> None:
    clean = rules.connector(NEWER, {**CONNECTOR, "sort": " 50 ", "supportMapping": True, "sourceCode": "mysql"})
    assert (clean["sort"], clean["supportMapping"], clean["sourceCode"]) == (50, True, "mysql")
    assert rules.source(NEWER, SOURCE)["connectorId"] == 4
    assert rules.dataset(NEWER, DATASET)["sourceId"] == 7


def test_blank_optional_fields_take_the_documented_default() -> None:
    clean = rules.connector(NEWER, {**CONNECTOR, "sort": "", "description": None, "supportMapping": None})
    assert (clean["sort"], clean["description"], clean["supportMapping"]) == (100, "", False)


@pytest.mark.parametrize("field", ["title", "logo", *URLS, "settings"])
@pytest.mark.parametrize("blank", ["missing", None, "", "  \t"])
def test_a_connector_needs_its_required_fields(field: str, blank: str | None) -> None:
    fields = {name: value for name, value in CONNECTOR.items() if name != field}
    if blank != "missing":
        fields[field] = [] if field == "settings" else blank
    assert problems(lambda: rules.connector(NEWER, fields)) == [(field, "VALIDATION_REQUIRED_FIELD_MISSING")]


def test_all_problems_are_told_at_once() -> None:
    assert of_connector(title="", urlCheck="check", sort="many", settings=[{**LOGIN, "type": "TEXT"}]) == [
        ("title", "VALIDATION_REQUIRED_FIELD_MISSING"),
        ("sort", "VALIDATION_NOT_AN_INTEGER"),
        ("urlCheck", "VALIDATION_URL_INVALID"),
        ("settings-0-type", "VALIDATION_SETTINGS_INVALID_TYPE"),
    ]


@pytest.mark.parametrize(("field", "limit"), [("title", 512), *((name, 2048) for name in URLS), ("sourceCode", 64)])
def test_limits_of_connectors_count_characters(field: str, limit: int) -> None:
    """facts/biconnector 2.1, 2.3"""
    start = "https://example.com/" if field in URLS else ""
    longest = start + "ü" * (limit - len(start))
    assert rules.connector(NEWER, {**CONNECTOR, field: longest})[field] == longest
    assert of_connector(**{field: longest + "x"}) == [(field, "VALIDATION_TOO_LONG")]


@pytest.mark.parametrize(
    "url",
    [
        "example.com/check",
        "/check",
        "ftp://example.com",
        "javascript:alert(1)",
        "https://",
        "https://exa mple.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com/\nx",
        5,
        True,
    ],
)
def test_an_endpoint_is_an_absolute_web_address(url: Any) -> None:
    assert of_connector(urlData=url) == [("urlData", "VALIDATION_URL_INVALID")]


@pytest.mark.parametrize("url", ["http://app.domain/check", "https://пример.рф/check?a=b", "https://10.0.0.5:8443/c"])
def test_addresses_that_portals_accept_pass(url: str) -> None:
    assert rules.connector(NEWER, {**CONNECTOR, "urlCheck": f" {url} "})["urlCheck"] == url


@pytest.mark.parametrize("value", ["many", "1.5", "٣", "1e3", "--1", "9" * 10, 1.5, True, [1]])
def test_a_sorting_that_is_no_whole_number_is_refused(value: Any) -> None:
    assert of_connector(sort=value) == [("sort", "VALIDATION_NOT_AN_INTEGER")]


@pytest.mark.parametrize(("field", "value"), [("title", 5), ("supportMapping", "Y"), ("settings", "login")])
def test_wrong_types_are_told_with_the_portals_code(field: str, value: Any) -> None:
    """facts/biconnector 1.7: a boolean needs a real boolean"""
    assert of_connector(**{field: value}) == [(field, "VALIDATION_INVALID_FIELD_TYPE")]


@pytest.mark.parametrize("field", ["supportMapping", "sourceCode"])
def test_fields_that_an_older_portal_does_not_know_are_refused_if_they_say_something(field: str) -> None:
    """facts/biconnector 2.1"""
    value = {"supportMapping": True, "sourceCode": "mysql"}[field]
    assert of_connector(OLDER, **{field: value}) == [(field, "VALIDATION_UNKNOWN_PARAMETERS")]
    assert field not in rules.connector(OLDER, {**CONNECTOR, field: type(value)()})


def test_a_field_that_nobody_knows_is_refused() -> None:
    assert of_connector(colour="red") == [("colour", "VALIDATION_UNKNOWN_PARAMETERS")]


@pytest.mark.parametrize("missing", ["code", "name", "type"])
@pytest.mark.parametrize("value", ["", "  ", None, 5])
def test_each_setting_needs_code_name_and_type(missing: str, value: Any) -> None:
    found = of_connector(settings=[LOGIN, {"code": "p", "name": "P", "type": "STRING", missing: value}])
    assert found == [(f"settings-1-{missing}", "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS")]


def test_a_setting_that_is_no_object_lacks_everything() -> None:
    assert {field for field, _ in of_connector(settings=["login"])} == {
        "settings-0-code",
        "settings-0-name",
        "settings-0-type",
    }


@pytest.mark.parametrize("field", ["code", "name"])
def test_settings_have_codes_and_names_of_512_characters_at_most(field: str) -> None:
    rules.connector(NEWER, {**CONNECTOR, "settings": [{**LOGIN, field: "я" * 512}]})
    found = of_connector(settings=[{**LOGIN, field: "я" * 513}])
    assert found == [(f"settings-0-{field}", f"VALIDATION_SETTINGS_{field.upper()}_TOO_LONG")]


@pytest.mark.parametrize(
    ("caps", "kind", "fits"),
    [
        (OLDER, "STRING", True),
        (OLDER, "INT", False),
        (NEWER, "INT", True),
        (NEWER, "string", False),
        (NEWER, "TEXT", False),
    ],
)
def test_types_of_settings_depend_on_the_portal_and_on_case(caps: Capabilities, kind: str, fits: bool) -> None:
    """facts/biconnector 2.2"""
    fields = {**CONNECTOR, "settings": [{**LOGIN, "type": kind}]}
    if fits:
        assert rules.connector(caps, fields)["settings"][0]["type"] == kind
    else:
        assert problems(lambda: rules.connector(caps, fields)) == [
            ("settings-0-type", "VALIDATION_SETTINGS_INVALID_TYPE")
        ]


def test_two_settings_with_one_code_would_share_a_value() -> None:
    found = of_connector(settings=[LOGIN, {**LOGIN, "name": "Again"}])
    assert found == [("settings-1-code", "VALIDATION_SETTINGS_DUPLICATE_CODE")]


def test_an_update_checks_what_is_given_and_nothing_else() -> None:
    assert rules.connector(NEWER, {"title": "New"}, updating=True) == {"title": "New"}
    assert of_connector(NEWER, True, title="") == [("title", "VALIDATION_REQUIRED_FIELD_MISSING")]
    assert of_connector(NEWER, True) == [("", "VALIDATION_FIELDS_NOT_PROVIDED")]


def test_a_source_as_documented_passes_also_with_an_empty_password() -> None:
    clean = rules.source(OLDER, SOURCE, ["login", "password"])
    assert clean == {**SOURCE, "connectorId": 4}


@pytest.mark.parametrize("field", ["title", "connectorId", "settings"])
def test_a_source_needs_its_required_fields(field: str) -> None:
    fields = {name: value for name, value in SOURCE.items() if name != field}
    assert problems(lambda: rules.source(OLDER, fields)) == [(field, "VALIDATION_REQUIRED_FIELD_MISSING")]


@pytest.mark.parametrize("fields", [{**SOURCE, "settings": {}}, {"title": "Shop", "connectorId": "4"}])
def test_a_source_of_a_connector_that_asks_for_nothing_has_an_empty_map_of_settings(fields: dict[str, Any]) -> None:
    assert rules.source(OLDER, fields, []) == {"title": "Shop", "connectorId": 4, "settings": {}}
    assert problems(lambda: rules.source(OLDER, fields)) == [("settings", "VALIDATION_REQUIRED_FIELD_MISSING")]


def test_an_update_of_such_a_source_leaves_the_settings_alone() -> None:
    assert rules.source(OLDER, {"title": "Shop"}, [], updating=True) == {"title": "Shop"}


@pytest.mark.parametrize("value", ["0", "-1", "four", 0, True])
def test_an_id_is_a_positive_number(value: Any) -> None:
    """facts/biconnector 1.7"""
    assert problems(lambda: rules.source(OLDER, {**SOURCE, "connectorId": value})) == [
        ("connectorId", "VALIDATION_INVALID_FIELD_TYPE")
    ]


def test_each_setting_of_the_connector_needs_a_value_and_no_other_has_one() -> None:
    fields = {**SOURCE, "settings": {"login": "user", "port": "5432"}}
    assert problems(lambda: rules.source(OLDER, fields, ["login", "password"])) == [
        ("settings-port", "VALIDATION_UNKNOWN_PARAMETERS"),
        ("settings-password", "VALIDATION_REQUIRED_FIELD_MISSING"),
    ]


def test_values_of_settings_are_texts_or_numbers() -> None:
    fields = {**SOURCE, "settings": {"login": ["a"], "password": "x"}}
    assert problems(lambda: rules.source(OLDER, fields)) == [("settings-login", "VALIDATION_INVALID_FIELD_TYPE")]


def test_an_update_of_a_source_needs_its_title_every_time() -> None:
    """facts/biconnector 3.2"""
    assert problems(lambda: rules.source(OLDER, {"description": "x"}, updating=True)) == [
        ("title", "VALIDATION_REQUIRED_FIELD_MISSING")
    ]
    only_new = {"title": "Shop", "settings": {"password": "new"}}
    assert rules.source(OLDER, only_new, ["login", "password"], updating=True) == only_new


def test_a_source_stays_with_its_connector() -> None:
    """facts/biconnector 3.3"""
    assert problems(lambda: rules.source(OLDER, {"title": "Shop", "connectorId": 5}, updating=True)) == [
        ("connectorId", "VALIDATION_IMMUTABLE_FIELD")
    ]


def test_a_dataset_as_documented_passes() -> None:
    assert rules.dataset(OLDER, DATASET) == {**DATASET, "sourceId": 7}


@pytest.mark.parametrize("field", ["name", "externalName", "externalCode", "sourceId", "fields"])
def test_a_dataset_needs_its_required_fields(field: str) -> None:
    fields = {name: value for name, value in DATASET.items() if name != field}
    assert problems(lambda: rules.dataset(OLDER, fields)) == [(field, "VALIDATION_REQUIRED_FIELD_MISSING")]


@pytest.mark.parametrize(
    "name", ["Sales", "1sales", "_sales", "sales-data", "sales data", "продажи", "sales\n", "säle"]
)
def test_names_of_datasets_are_lowercase_latin(name: str) -> None:
    """facts/biconnector 4.6"""
    assert of_dataset(name=name) == [("name", "VALIDATION_DATASET_NAME_INVALID")]


def test_names_of_datasets_have_230_characters_at_most() -> None:
    rules.dataset(OLDER, {**DATASET, "name": "s" * 230})
    assert of_dataset(name="s" * 231) == [("name", "VALIDATION_DATASET_NAME_TOO_LONG")]


@pytest.mark.parametrize("field", ["externalName", "externalCode"])
def test_external_names_and_codes_have_512_characters_at_most(field: str) -> None:
    """facts/biconnector 4.6"""
    rules.dataset(OLDER, {**DATASET, field: "я" * 512})
    assert of_dataset(**{field: "я" * 513}) == [(field, "VALIDATION_TOO_LONG")]


@pytest.mark.parametrize("missing", ["name", "externalCode", "type"])
def test_each_column_needs_name_code_and_type(missing: str) -> None:
    column = {"name": "TITLE", "externalCode": "title", "type": "string", missing: " "}
    assert of_dataset(fields=[ID_COLUMN, column]) == [
        (f"fields-1-{missing}", "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS")
    ]


@pytest.mark.parametrize("name", ["id", "Id", "1ID", "_ID", "ORDER-ID", "ORDER ID", "ИД", "ÄNDERUNG"])
def test_names_of_columns_are_uppercase_latin(name: str) -> None:
    found = of_dataset(fields=[{**ID_COLUMN, "name": name}])
    assert found == [("fields-0-name", "VALIDATION_FIELD_NAME_INVALID_FORMAT")]


def test_names_of_columns_have_32_characters_at_most() -> None:
    rules.dataset(OLDER, {**DATASET, "fields": [{**ID_COLUMN, "name": "N" * 32}]})
    found = of_dataset(fields=[{**ID_COLUMN, "name": "N" * 33}])
    assert found == [("fields-0-name", "VALIDATION_FIELD_NAME_TOO_LONG")]


@pytest.mark.parametrize(
    ("caps", "kind", "fits"),
    [
        (OLDER, "datetime", True),
        (OLDER, "money", False),
        (NEWER, "money", True),
        (NEWER, "timezone", True),
        (NEWER, "INT", False),
        (NEWER, "text", False),
    ],
)
def test_types_of_columns_depend_on_the_portal_and_are_lowercase(caps: Capabilities, kind: str, fits: bool) -> None:
    """facts/biconnector 4.7"""
    columns = [{**ID_COLUMN, "type": kind}]
    if fits:
        assert rules.dataset(caps, {**DATASET, "fields": columns})["fields"] == columns
    else:
        assert of_dataset(caps, fields=columns) == [("fields-0-type", "VALIDATION_FIELD_INVALID_TYPE")]


def test_two_columns_with_one_name_or_code_are_told_at_the_second() -> None:
    again = {"name": "ID", "externalCode": "id", "type": "string"}
    assert of_dataset(fields=[ID_COLUMN, again]) == [
        ("fields-1-name", "VALIDATION_DUPLICATE_FIELD_NAME"),
        ("fields-1-externalCode", "VALIDATION_DUPLICATE_FIELD_CODE"),
    ]


def test_only_the_description_of_a_dataset_changes() -> None:
    """facts/biconnector 4.3"""
    assert rules.dataset_changes(OLDER, {"description": "new"}) == {"description": "new"}
    assert problems(lambda: rules.dataset_changes(OLDER, {"name": "other", "fields": []})) == [
        ("name", "VALIDATION_IMMUTABLE_FIELD"),
        ("fields", "VALIDATION_IMMUTABLE_FIELD"),
    ]


def test_columns_to_add_are_compared_with_those_that_are_there() -> None:
    columns = [{"name": "ID", "externalCode": "new", "type": "int"}, {"name": "NEW", "externalCode": "id", "type": "x"}]
    assert problems(lambda: rules.columns_to_add(OLDER, columns, {"ID"}, {"id"})) == [
        ("add-1-type", "VALIDATION_FIELD_INVALID_TYPE"),
        ("add-0-name", "VALIDATION_DUPLICATE_EXIST_NAME"),
        ("add-1-externalCode", "VALIDATION_DUPLICATE_EXIST_CODE"),
    ]


def test_incomplete_columns_to_add_have_the_code_of_adding() -> None:
    assert problems(lambda: rules.columns_to_add(OLDER, [{"name": "A", "type": "int"}], set(), set())) == [
        ("add-0-externalCode", "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS")
    ]


PREFIXES = ["", ">=", ">", "<=", "<", "@", "!@", "%", "=%", "%=", "=", "!=", "!"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("kind", "field"), [("connector", "title"), ("source", "connectorId"), ("dataset", "sourceId")]
)
def test_every_documented_prefix_may_stand_before_a_field(kind: str, field: str, prefix: str) -> None:
    """facts/api 1.4"""
    rules.listing(kind, Listing(filters={f"{prefix}{field}": "x"}, order=field))


@pytest.mark.parametrize("key", ["colour", "%colour", "settings", ">=", "", "title;"])
def test_lists_are_not_filtered_by_fields_they_do_not_know(key: str) -> None:
    found = problems(lambda: rules.listing("connector", Listing(filters={key: "x"})))
    assert [code for _, code in found] == ["VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER"]


def test_lists_are_not_sorted_by_fields_they_do_not_know() -> None:
    found = problems(lambda: rules.listing("dataset", Listing(order="fields")))
    assert found == [("order", "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER")]


def test_an_empty_list_of_values_would_vanish_on_the_way_and_show_everything() -> None:
    found = problems(lambda: rules.listing("source", Listing(filters={"@id": []})))
    assert found == [("id", "VALIDATION_FILTER_TYPE")]


@pytest.mark.parametrize("code", ["title", "description", "type", "id", "connector_id"])
def test_a_parameter_whose_value_portals_write_over_the_sources_own_is_refused(code: str) -> None:
    """facts/biconnector 3.3b"""
    fields = {**CONNECTOR, "settings": [{"code": code, "name": "Any", "type": "STRING"}]}
    assert problems(lambda: rules.connector(NEWER, fields)) == [("settings-0-code", "SETTING_CODE_OVERWRITES")]


def test_values_of_a_source_are_trimmed_before_the_portal_checks_them() -> None:
    """facts/biconnector 3.1a: a password pasted with a blank passes the check and fails for ever after"""
    clean = rules.source(
        NEWER, {"title": "S", "connectorId": 1, "settings": {"password": " pass word\n"}}, ["password"]
    )
    assert clean["settings"] == {"password": "pass word"}


def test_a_blank_that_portals_do_not_trim_stays_part_of_a_value() -> None:
    """facts/biconnector 3.1a"""
    clean = rules.source(
        NEWER, {"title": "S", "connectorId": 1, "settings": {"password": "\u00a0p\u2003"}}, ["password"]
    )
    assert clean["settings"] == {"password": "\u00a0p\u2003"}
