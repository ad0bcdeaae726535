"""facts/api 6.1: next to which field a refusal is told, whatever shape it came in."""

from __future__ import annotations

import pytest
import responses

from errors import AccessDenied, FieldProblem, InUse, NotFound, PortalRefused
from services.bi.refusals import problem_for
from tests.services.documented_errors import ROWS, Row, field_of
from tests.services.portal_api.portal import SHAPES, Portal


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", ROWS, ids=str)
@responses.activate
def test_every_documented_error_is_a_refusal_with_its_field(row: Row, shape: str) -> None:
    portal = Portal(SHAPES[shape](row.code, row.message)).listen(responses.mock)
    with pytest.raises(PortalRefused) as caught:
        portal.client().call(row.method, id=1)
    error = caught.value
    assert (error.method, error.code, error.description) == (row.method, row.code, row.message)
    problem = problem_for(error)
    assert (problem.field, problem.code) == (field_of(row), row.code)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_documented_error_on_newer_portals_tables_has_the_same_field(row: Row) -> None:
    """facts/biconnector 4.1: the same answers from both families"""
    table = row.method.replace(".dataset.", ".table.")
    assert problem_for(PortalRefused(table, row.code, row.message)).field == field_of(row)


@pytest.mark.parametrize("row", ROWS, ids=str)
@responses.activate
def test_what_the_caller_does_next_depends_on_the_code(row: Row) -> None:
    portal = Portal(SHAPES["root"](row.code, row.message)).listen(responses.mock)
    expected: type[PortalRefused] = PortalRefused
    if row.code.endswith("_NOT_FOUND"):
        expected = NotFound
    if row.code == "CONNECTOR_DELETE_RESTRICTED" or row == Row("biconnector.source.delete", "BX_ERROR", row.message):
        expected = InUse
    with pytest.raises(PortalRefused) as caught:
        portal.client().call(row.method)
    assert type(caught.value) is expected


def refused(method: str, code: str, description: str = "") -> FieldProblem:
    return problem_for(PortalRefused(method, code, description))


def test_an_update_of_a_source_without_a_title_is_told_beside_the_title() -> None:
    """facts/biconnector 3.2: an empty code"""
    problem = refused("biconnector.source.update", "", "All the fields are required.")
    assert (problem.field, problem.code) == ("title", "VALIDATION_REQUIRED_FIELD_MISSING")


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("NAME_EXISTS", "name"),
        ("name_exists", "name"),
        ("DUPLICATE_FIELDS", "fields"),
        ("FIELDS_EMPTY", "fields"),
        ("VALIDATION_SOURCE_ID_REQUIRED", "sourceId"),
    ],
)
def test_codes_of_newer_portals_have_their_field(code: str, field: str) -> None:
    """facts/biconnector 4.6"""
    assert refused("biconnector.dataset.add", code).field == field


def test_the_dash_of_the_documentation_is_no_code() -> None:
    assert refused("biconnector.dataset.add", "-", "Error adding dataset") == FieldProblem("", "")


def test_an_unknown_parameter_is_told_beside_its_field_if_it_is_one() -> None:
    problem = refused(
        "biconnector.connector.add", "VALIDATION_UNKNOWN_PARAMETERS", "Unknown parameters: supportMapping"
    )
    assert problem == FieldProblem("supportMapping", "VALIDATION_UNKNOWN_PARAMETERS", {"values": "supportMapping"})
    several = refused("biconnector.connector.add", "VALIDATION_UNKNOWN_PARAMETERS", "Unknown parameters: a, b")
    assert several == FieldProblem("", "VALIDATION_UNKNOWN_PARAMETERS", {"values": "a, b"})


@pytest.mark.parametrize("description", ["", "Field is required.", 'Field "<script>" is required.', 'Field "x' * 400])
def test_a_description_that_names_no_field_makes_a_problem_of_the_form(description: str) -> None:
    problem = refused("biconnector.connector.add", "VALIDATION_REQUIRED_FIELD_MISSING", description)
    assert problem.field == ""


def test_what_the_portals_database_refuses_names_its_field() -> None:
    """facts/biconnector 2.3: limits without a code of the module"""
    text = 'Value of field "urlData" must not exceed 2048 characters.'
    assert refused("biconnector.connector.add", "BX_INVALID_VALUE", text).field == "urlData"


def test_a_code_that_nobody_documented_is_a_problem_of_the_form() -> None:
    assert refused("biconnector.connector.add", "SOMETHING_NEW") == FieldProblem("", "SOMETHING_NEW")
    assert refused("profile", "ACCESS_DENIED") == FieldProblem("", "ACCESS_DENIED")
    assert problem_for(AccessDenied("user.admin", "insufficient_scope")).code == "INSUFFICIENT_SCOPE"


def test_values_that_exist_already_are_named() -> None:
    message = 'The following "name" values already exist in the current fields: ID, TITLE'
    problem = refused("biconnector.table.fields.update", "VALIDATION_DUPLICATE_EXIST_NAME", message)
    assert problem.details == {"values": "ID, TITLE"}
