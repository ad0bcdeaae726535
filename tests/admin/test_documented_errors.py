"""Every row of the documentation's error tables: the portal is brought to say it, and the analyst reads a sentence.

facts/api 6.1, in both shapes of errors (facts/biconnector 1.3). What leads to a
row is told in `documented_scenes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from errors import FieldProblem
from sentences import lookup
from services.portal_api.capabilities import OLDER
from services.wiring import Services
from tests.admin.documented_scenes import PAGES, SCENES, Ordered, Provoked, Scene, Stopped
from tests.doors import Stage, staged
from tests.pages import Page, opened
from tests.services.against_emulator.objects import DATASET, SHAPES, SOURCE, connector_fields, fill
from tests.services.against_emulator.test_error_tables import PROVOCATIONS, UNREACHABLE
from tests.services.documented_errors import ROWS, Row, field_of, skeleton
from tests.services.emulated import EmulatedPortal

LISTS = ("", "settings", "fields", "add", "update", "delete")
"""Problems of a whole list or form stand above it and not beside an input."""
NOT_SHOWN_AGAIN = ("settings-password", "connectorId", "sourceId", "settings-0-type")
"""A secret, and choices that offer only what there is; of a single one the page makes no choice."""


class World:
    """An analyst's browser in the app, and the portal behind it, which can also be asked past the app."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.portal = EmulatedPortal(stage.portal.url)
        self.browser = opened(stage.app, stage.enter("analyst"), stage.portal.url)[0]
        self._token = self.portal.tokens("analyst").access

    def ask(self, method: str, **params: Any) -> Mapping[str, Any]:
        """The whole answer to a call, which is one of the module's in either case."""
        url = f"{self.stage.portal.url}/rest/{method}"
        answer = requests.post(url, json={**params, "auth": self._token}, timeout=30)
        assert answer.status_code == 200, answer.text
        body: Mapping[str, Any] = answer.json()
        return body

    def make(self, kind: str) -> int:
        """One object more, with what it needs above it."""
        if kind == "connector":
            fields = connector_fields(self.portal)
        elif kind == "source":
            fields = {**SOURCE, "connectorId": self.make("connector")}
        else:
            source_id = self.make("source")
            fields = {**DATASET, "name": f"orders_{source_id}", "sourceId": source_id}
        return int(self.ask(f"biconnector.{kind}.add", fields=fields)["result"]["id"])

    def calls(self, method: str) -> list[Mapping[str, Any]]:
        """Calls of one method that have reached the portal."""
        return [call for call in self.stage.portal.state()["calls"] if call["method"] == method]

    def get_to_know(self, generation: str) -> None:
        """Let the app remember a generation of the portal, which then is an older one."""
        stage = self.stage
        stage.control("generation", generation=generation)
        house: Services = stage.app.extensions["services"]
        for portal in house.installations.all():
            house.installations.doubt(portal.id)
        assert self.browser.get("/connectors/new").status == 200
        stage.control("generation", generation="older")

    def ordered(self) -> bool:
        """Whether the portal was told to fail at the next call."""
        return bool(self.stage.portal.state()["faults"])

    def act(self, scene: Scene, row: Row, monkeypatch: pytest.MonkeyPatch) -> tuple[Page, Mapping[str, str]]:
        """What the scene leads to, and what was typed in it."""
        number = self.make(scene.fresh) if scene.fresh else 0
        path = scene.path.format(number)
        typed = {name: value.format(number) for name, value in (scene.form or {}).items()}
        if scene.rival is not None:
            rival = scene.rival
            # After the call has left the app, and before the portal serves it.
            self.stage.portal.before(row.method, lambda: rival(self, number))
        page = self.browser.get(path) if scene.form is None else self.browser.post(path, typed)
        return page, typed

    def sentence(self, field: str, code: str) -> str:
        """What is read about a code."""
        with self.stage.app.test_request_context():
            return lookup.sentence(FieldProblem(field, code))


def prepared(folder: Path, generation: str) -> Iterator[World]:
    """A portal with one object of each kind, whose generation the app has got to know."""
    with staged(f"sqlite:///{folder / 'app.db'}") as stage:
        stage.be_installed()
        world = World(stage)
        world.get_to_know(generation)
        assert fill(world.portal, world.portal.client(), OLDER) == (1, 1, 1)
        yield world


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An older portal, which knows the methods under the documentation's names."""
    yield from prepared(tmp_path_factory.mktemp("older"), "older")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An older portal that was a newer one when the app asked what it knows, as after a restored backup."""
    yield from prepared(tmp_path_factory.mktemp("behind"), "newer")


def rows_of(kind: type[Scene | Ordered]) -> list[Row]:
    """The rows that are shown by this kind of scene."""
    return [row for row in ROWS if isinstance(SCENES.get(row.method, {}).get(row.code), kind)]


def test_every_row_has_a_scene_and_only_rows_have_one() -> None:
    assert {(method, code) for method, table in SCENES.items() for code in table} == {
        (row.method, row.code) for row in ROWS
    }


def told(page: Page, beside: str, sentence: str, *, alone: bool = True) -> None:
    """The sentence stands beside its input, and otherwise above the form; it is one of the code's own."""
    assert "refused with the code" not in sentence
    if beside not in LISTS and page.has_control(beside):
        assert page.sentences()[beside] == sentence
        assert page.sentences() == {beside: sentence} or not alone
    else:
        assert sentence in page.words
        assert page.sentences() == {}


def kept(page: Page, typed: Mapping[str, str]) -> None:
    """What was typed is still there."""
    for name, value in typed.items():
        if page.has_control(name) and name not in NOT_SHOWN_AGAIN and name not in LISTS:
            assert page.value(name) == value


def asked_directly(world: World, row: Row, shape: str) -> None:
    """The portal itself answers the row, in the shape that it is switched to."""
    answer = world.ask(row.method, **PROVOCATIONS[row.method][row.code].params(world.portal))
    error = answer["result"]["error"] if shape == "result" else answer
    assert error["error"] == row.code
    assert skeleton(error["error_description"]) == row.skeleton


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", rows_of(Provoked), ids=str)
def test_the_portal_refuses_and_the_analyst_reads_why(
    older: World, behind: World, monkeypatch: pytest.MonkeyPatch, row: Row, shape: str
) -> None:
    scene = SCENES[row.method][row.code]
    assert isinstance(scene, Provoked)
    world = behind if scene.behind else older
    if scene.behind:
        world.get_to_know("newer")  # the refusal before made the app look again
    world.stage.control("error-shape", shape=shape)
    assert not world.ordered()
    before = len(world.calls(row.method))
    page, typed = world.act(scene, row, monkeypatch)
    assert [call["error"] for call in world.calls(row.method)[before:]][-1] == row.code
    assert page.status == (404 if scene.own_page and row.code.endswith("_NOT_FOUND") else 422)
    told(page, scene.beside, world.sentence(scene.beside, row.code))
    if not scene.own_page:
        kept(page, typed)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", rows_of(Stopped), ids=str)
def test_the_app_tells_before_it_asks_and_the_portal_would_refuse(
    older: World, monkeypatch: pytest.MonkeyPatch, row: Row, shape: str
) -> None:
    scene = SCENES[row.method][row.code]
    assert isinstance(scene, Stopped)
    older.stage.control("error-shape", shape=shape)
    assert not older.ordered()
    before = len(older.calls(row.method))
    page, typed = older.act(scene, row, monkeypatch)
    assert len(older.calls(row.method)) == before
    assert page.status == 422
    code = row.code if scene.code is None else scene.code
    told(page, scene.beside, older.sentence(scene.beside, code), alone=scene.alone)
    if not scene.own_page:
        kept(page, typed)
    if (row.method, row.code) not in UNREACHABLE:
        asked_directly(older, row, shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", [row for row in ROWS if row not in rows_of(Provoked)], ids=str)
def test_what_no_page_leads_to_is_told_all_the_same(older: World, row: Row, shape: str) -> None:
    """`Ordered` rows, and `Stopped` ones once more: the rules of another portal may be stricter than ours."""
    older.stage.control("error-shape", shape=shape)
    if (row.method, row.code) not in UNREACHABLE:
        asked_directly(older, row, shape)
    older.stage.control("fail", target=row.method, code=row.code, message=row.message, shape="result", status=200)
    path, form = PAGES[row.method]
    page = older.browser.get(path) if form is None else older.browser.post(path, form)
    assert page.status == 422
    told(page, field_of(row), older.sentence(field_of(row), row.code))
    kept(page, form or {})


CRAFTED = {"colour": "red", "id": "7", "dateCreate": "2025-01-01", "externalId": "7", "sourceId": "2", "name": "other"}
CHANGES: Mapping[str, set[str]] = {
    "biconnector.connector.update": {
        *("title", "logo", "description", "sort", "settings"),
        *("urlCheck", "urlTableList", "urlTableDescription", "urlData"),
    },
    "biconnector.source.update": {"title", "description", "active", "settings"},
    "biconnector.dataset.update": {"description"},
}


@pytest.mark.parametrize("method", CHANGES)
def test_fields_that_a_form_does_not_have_are_not_looked_at(older: World, method: str) -> None:
    """The reason for most `Ordered` rows: unknown, read-only and immutable fields never reach the portal."""
    path, form = PAGES[method]
    number = older.make(method.split(".")[1])
    crafted = {name: value for name, value in CRAFTED.items() if name not in (form or {})}
    page = older.browser.post(path.replace("1", str(number)), {**(form or {}), **crafted, "connectorId": "2"})
    assert page.status == 200
    sent = older.calls(method)[-1]
    assert (sent["error"], set(sent["parameters"]["fields"])) == ("", CHANGES[method])


@pytest.mark.parametrize("kind", ["connector", "source", "dataset"])
def test_a_list_is_asked_for_in_the_app_s_own_words(older: World, kind: str) -> None:
    """The reason for the `Ordered` rows of lists, whatever stands in the address."""
    wanted = "sort=colour&order=UP&select=colour&filter=colour&SELECT=x&filter[logic]=XOR&colour=red&page=x&search=%25"
    assert older.browser.get(f"/{kind}s/?{wanted}").status == 200
    assert {call["error"] for call in older.calls(f"biconnector.{kind}.list")[-2:]} == {""}
