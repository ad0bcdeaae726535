"""Every documented error code is a sentence with a cure, beside the field that caused it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from errors import AccessDenied, FieldProblem, InUse, NotFound, PortalBusy, PortalRefused
from sentences import lookup, objects
from services.bi import rules
from tests.admin.conftest import Control, Enter
from tests.pages import PageClient
from web.submission import failure


def test_every_wait_of_our_own_has_a_sentence_that_does_not_blame_the_portal() -> None:
    services = Path(rules.__file__).parents[1]
    raised = {
        node.args[0].value
        for path in services.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "PortalBusy"
        if node.args and isinstance(node.args[0], ast.Constant)
    }
    assert raised == objects.OUR_WAITS
    assert raised <= objects.SENTENCES.keys()


def test_a_limit_that_only_the_portal_knows_is_told_as_one(app: Flask) -> None:
    with app.test_request_context():
        found = failure(PortalBusy("SOME_NEW_LIMIT", 90), set())
    assert found.form_errors == ("The portal gets too many requests at the moment. Try again in 2 minutes.",)


@pytest.mark.parametrize("code", objects.SENTENCES)
def test_a_sentence_says_what_is_wrong_and_what_to_do_without_jargon(installed: Any, code: str) -> None:
    with installed.app.test_request_context():
        text = str(objects.SENTENCES[code])
    assert len(re.findall(r"[.:](?:\s|$)", text)) >= 1
    assert text.endswith(".")
    assert not re.search(r"VALIDATION|_ERROR|null|None|exception", text)
    assert len(text) <= 170


@pytest.fixture
def app(installed: Any) -> Flask:
    """The application, for sentences outside a page."""
    found: Flask = installed.app
    return found


def test_an_unknown_code_is_named_so_that_the_support_can_help(app: Flask) -> None:
    with app.test_request_context():
        assert "STRANGE_CODE" in lookup.sentence(FieldProblem("", "STRANGE_CODE"))
        assert "100%s_STRANGE" in lookup.sentence(FieldProblem("title", "100%s_STRANGE"))


def test_the_first_of_several_problems_of_a_field_is_told(app: Flask) -> None:
    problems = [FieldProblem("title", "VALIDATION_REQUIRED_FIELD_MISSING"), FieldProblem("title", "BX_ERROR")]
    with app.test_request_context():
        assert lookup.by_field(problems) == {"title": "Fill in this field."}


@pytest.mark.parametrize(
    "error",
    [
        AccessDenied("biconnector.connector.add", "ACCESS_DENIED"),
        NotFound("biconnector.connector.update", "CONNECTOR_NOT_FOUND"),
    ],
)
def test_missing_rights_and_missing_objects_are_pages_and_not_matters_of_a_form(
    app: Flask, error: PortalRefused
) -> None:
    with app.test_request_context(), pytest.raises(type(error)):
        failure(error, {"title"})


def test_a_problem_of_a_field_that_the_form_lacks_is_told_on_top(app: Flask) -> None:
    with app.test_request_context():
        found = failure(InUse("biconnector.source.delete", "BX_ERROR"), {"title"})
    assert (found.field_errors, found.status) == ({}, 422)
    assert found.form_errors[0].startswith("The source still has datasets")


CONNECTOR_REFUSALS: Mapping[str, str] = {
    "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS": "A parameter needs a code, a name and a type.",
    "VALIDATION_SETTINGS_INVALID_TYPE": "This portal does not know the parameter's type.",
    "VALIDATION_UNKNOWN_PARAMETERS": "This portal does not know one of the fields.",
    "VALIDATION_FIELDS_NOT_PROVIDED": "Nothing was sent.",
    "SOMETHING_NEW": "The portal refused with the code SOMETHING_NEW.",
}


@pytest.mark.parametrize("shape", ["result", "root"])
@pytest.mark.parametrize("code", CONNECTOR_REFUSALS)
def test_what_the_portal_refuses_although_our_rules_passed_is_told_and_nothing_typed_is_lost(
    enter: Enter, control: Control, connector: dict[str, str], code: str, shape: str
) -> None:
    """facts/biconnector 1.3: both shapes of errors."""
    client = enter()[0]
    control("fail", target="biconnector.connector.add", code=code, shape=shape, status=200)
    page = client.post("/connectors/new", connector)
    assert page.status == 422
    assert any(CONNECTOR_REFUSALS[code] in alert for alert in page.alerts), page.alerts
    assert page.value("title") == "Online shop"
    assert client.post("/connectors/new", connector).heading == "Online shop"


def test_a_field_that_the_portal_names_gets_the_sentence(
    client: PageClient, control: Control, connector: dict[str, str]
) -> None:
    control(
        "fail",
        target="biconnector.connector.add",
        code="VALIDATION_INVALID_FIELD_TYPE",
        message='Field "sort" must be of type integer.',
        shape="result",
        status=200,
    )
    page = client.post("/connectors/new", connector)
    assert page.sentences() == {"sort": "This value is of the wrong kind. Check for letters in a number."}
