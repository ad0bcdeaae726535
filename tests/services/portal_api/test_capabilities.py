"""facts/biconnector 2.1, 2.2, 4.1 and 4.7: what a portal's generation knows, asked in one round trip."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from errors import AccessDenied, PortalUnreachable
from services.portal_api.capabilities import NEWER, OLDER, Capabilities, field_facts, probe
from tests.services.portal_api.portal import Portal, run_batch

ROW = {"type": "string", "isRequired": True, "isReadOnly": False, "isImmutable": False, "isMultiple": False}
SEED_FIELDS = ("id", "title", "logo", "description", "sort", "urlCheck", "urlData", "urlTableList", "settings")
UNKNOWN = {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}
DENIED = {"error": "ACCESS_DENIED", "error_description": "Access denied."}


def fields(*names: str, **changes: Any) -> dict[str, Any]:
    return {"fields": [{**ROW, "title": name, **changes} for name in names]}


def portal(connector: Any, table: Any) -> Portal:
    answers = {"biconnector.connector.fields": connector, "biconnector.table.fields": table}
    return Portal(run_batch(lambda method, _: answers[method])).listen(responses.mock)


@responses.activate
def test_an_older_portal_knows_what_is_documented() -> None:
    older = portal(fields(*SEED_FIELDS), UNKNOWN)
    assert probe(older.client()) == OLDER
    assert older.methods == ["batch"]
    assert OLDER.setting_types == ("STRING",)
    assert OLDER.column_types == ("int", "string", "double", "date", "datetime")
    assert OLDER.datasets == "biconnector.dataset"


@responses.activate
def test_a_newer_portal_knows_tables_and_more() -> None:
    newer = portal(fields(*SEED_FIELDS, "supportMapping", "sourceCode"), fields("id", "name"))
    assert probe(newer.client()) == NEWER
    assert NEWER.setting_types == ("STRING", "INT")
    assert NEWER.column_types[-2:] == ("money", "timezone")
    assert NEWER.datasets == "biconnector.table"


@responses.activate
def test_what_a_portal_knows_is_found_out_piece_by_piece() -> None:
    between = probe(portal(fields(*SEED_FIELDS, "supportMapping"), UNKNOWN).client())
    assert (between.support_mapping, between.source_code, between.tables) == (True, False, False)


@responses.activate
def test_a_field_that_may_not_be_written_is_not_offered() -> None:
    listed = {"fields": [{**ROW, "title": "supportMapping", "isReadOnly": True}]}
    assert not probe(portal(listed, UNKNOWN).client()).support_mapping


@responses.activate
def test_a_method_that_refuses_exists() -> None:
    """facts/biconnector 1.8: a user without rights gets ACCESS_DENIED from everything but `*.fields`"""
    assert probe(portal(fields(*SEED_FIELDS), DENIED).client()).tables


@responses.activate
def test_without_an_answer_about_connectors_nothing_is_assumed() -> None:
    with pytest.raises(AccessDenied):
        probe(portal(DENIED, UNKNOWN).client())


@responses.activate
def test_a_portal_in_trouble_is_not_an_older_portal() -> None:
    trouble = {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}
    with pytest.raises(PortalUnreachable):
        probe(portal(fields(*SEED_FIELDS), trouble).client())


@pytest.mark.parametrize("caps", [OLDER, NEWER, Capabilities(tables=True)])
def test_capabilities_survive_being_remembered(caps: Capabilities) -> None:
    assert Capabilities.from_json(json.loads(json.dumps(caps.to_json()))) == caps


def test_what_another_version_remembered_is_read_as_far_as_it_goes() -> None:
    assert Capabilities.from_json({"tables": True, "colour": "blue"}) == Capabilities(tables=True)


@pytest.mark.parametrize("result", [fields("title"), fields("title")["fields"], {"fields": {"title": ROW}}])
def test_fields_are_read_from_a_list_or_a_map(result: Any) -> None:
    """facts/api 1.5"""
    (fact,) = field_facts(result)
    assert (fact.title, fact.type, fact.is_required, fact.is_read_only) == ("title", "string", True, False)


@pytest.mark.parametrize("result", [True, "text", None])
def test_fields_that_are_no_fields_are_a_broken_answer(result: Any) -> None:
    with pytest.raises(PortalUnreachable):
        field_facts(result)
