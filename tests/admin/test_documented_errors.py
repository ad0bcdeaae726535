"""Every row of the documentation's error tables, provoked on the portal: what the analyst reads, and where.

Our own rules catch most of these before any call; here the portal refuses all the same, as a newer or older one may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from admin import sentences
from errors import FieldProblem
from tests.admin.conftest import LOGO
from tests.doors import Stage, staged
from tests.pages import PageClient, opened
from tests.services.seed_errors import ROWS, Row, field_of

CONNECTOR = {
    "title": "Kept",
    "logo": LOGO,
    "urlCheck": "https://example.com/check",
    "urlTableList": "https://example.com/tables",
    "urlTableDescription": "https://example.com/description",
    "urlData": "https://example.com/data",
    "settings-0-code": "login",
    "settings-0-name": "Login",
    "settings-0-type": "STRING",
}
SOURCE = {"title": "Kept", "connectorId": "1", "settings-login": "demo", "settings-password": "demo"}
DATASET = {
    "name": "kept",
    "externalName": "Kept",
    "externalCode": "sales_orders",
    "sourceId": "1",
    "fields-0-name": "CITY",
    "fields-0-externalCode": "CITY",
    "fields-0-type": "string",
}
COLUMN = {"add-0-name": "KEPT", "add-0-externalCode": "KEPT", "add-0-type": "string"}
FORMS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "biconnector.connector.add": ("/connectors/new", CONNECTOR),
    "biconnector.connector.update": ("/connectors/1/edit", CONNECTOR),
    "biconnector.source.add": ("/sources/new", SOURCE),
    "biconnector.source.update": ("/sources/1/edit", {k: v for k, v in SOURCE.items() if k != "connectorId"}),
    "biconnector.dataset.add": ("/datasets/new", DATASET),
    "biconnector.dataset.update": ("/datasets/1/edit", {"description": "Kept"}),
    "biconnector.dataset.fields.update": ("/datasets/1", COLUMN),
    "biconnector.connector.delete": ("/connectors/1/delete", {}),
    "biconnector.source.delete": ("/sources/1/delete", {}),
    "biconnector.dataset.delete": ("/datasets/1/delete", {}),
}
LISTS = ("", "settings", "fields", "add", "update", "delete")
"""Problems of a whole list or form stand above it and not beside an input."""
PAGES = {
    "biconnector.connector.get": "/connectors/1",
    "biconnector.connector.list": "/connectors/",
    "biconnector.source.get": "/sources/1",
    "biconnector.source.list": "/sources/",
    "biconnector.dataset.get": "/datasets/1",
    "biconnector.dataset.list": "/datasets/",
}


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An older portal, which knows the methods under the documentation's names, with the demonstration on it."""
    folder: Path = tmp_path_factory.mktemp("older")
    with staged(f"sqlite:///{folder / 'app.db'}") as stage:
        stage.register()
        assert stage.install().status_code == 200
        stage.finish()
        order(stage, "generation", generation="older")
        order(stage, "demo")
        yield stage


@pytest.fixture(scope="module")
def analyst(older: Stage) -> PageClient:
    """An analyst's browser on the older portal."""
    return opened(older.app, older.enter("analyst"), older.portal.url)[0]


def order(stage: Stage, name: str, **members: object) -> None:
    """Work a control of the emulator."""
    answer = requests.post(f"{stage.portal.url}/_emulator/{name}", json=members, timeout=30)
    assert answer.status_code == 200, answer.text


def expected(stage: Stage, row: Row) -> str:
    """The sentence of a row's code."""
    with stage.app.test_request_context():
        problem = FieldProblem("", row.code)
        if row.method == "biconnector.source.update" and not row.code:
            problem = FieldProblem("title", "VALIDATION_REQUIRED_FIELD_MISSING")
        return sentences.sentence(problem)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_analyst_reads_the_code_s_sentence_and_loses_nothing(older: Stage, analyst: PageClient, row: Row) -> None:
    order(older, "fail", target=row.method, code=row.code, message=row.message, shape="result", status=200)
    if row.method in PAGES:
        page = analyst.get(PAGES[row.method])
        fields: Mapping[str, str] = {}
    else:
        path, fields = FORMS[row.method]
        page = analyst.post(path, fields)
    sentence, beside = expected(older, row), page.sentences()
    assert page.status == (404 if row.code.endswith("_NOT_FOUND") and not field_of(row) else 422)
    if field_of(row) not in LISTS and page.has_control(field_of(row)):
        assert beside == {field_of(row): sentence}
    else:
        assert sentence in page.words
        assert beside == {}
    for name, value in fields.items():
        if page.status == 422 and name not in ("settings-password", "settings-0-type"):
            assert page.value(name) == value
