"""Every page of the portal: parseable HTML, unique ids, a name for every control, one heading."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient
from justhtml import JustHTML

from emulator.context import Emulator
from emulator.records import Dataset
from tests.emulator.pages.conftest import StubEndpoint

REPORT = "/bi/table/1?view=report&filter-0-column=STATUS&filter-0-value=%22%3Ewon&filter-1-column=ID&filter-1-joint=or"
PAGES = (
    "/market/",
    "/market/?removed=1",
    "/company/",
    "/marketplace/app/",
    "/marketplace/app/?IFRAME=Y",
    "/bi/",
    "/bi/?view=sources",
    "/bi/?view=connectors",
    "/bi/table/1",
    "/bi/table/1?IFRAME=Y&synchronised=1",
    "/bi/table/1?view=report",
    "/bi/table/1?view=report&chart=bar&dimension=STATUS",
    "/bi/table/1?view=report&chart=line&dimension=ORDERED_ON&date_from=2025-01-01",
    REPORT,
    "/bi/source/new",
    "/bi/source/new?connector=1",
    "/bi/table/new",
    "/bi/table/new?source=1",
    "/bi/table/new?source=1&table=orders",
    "/bi/table/77",
)


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("state", ["fine", "failing", "denied", "unfinished"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_well_formed_and_every_control_has_a_name(
    browser: FlaskClient,
    emulator: Emulator,
    table: Dataset,
    endpoint: StubEndpoint,
    path: str,
    state: str,
    language: str,
) -> None:
    emulator.portal.state.language = language
    emulator.portal.app.registered, emulator.portal.app.finished = True, state != "unfinished"
    if state == "failing":
        endpoint.answers = dict.fromkeys(endpoint.answers, (500, None))
    if state in ("denied", "unfinished"):
        emulator.portal.switch_browser_user("viewer")
    page = browser.get(path).text
    document = JustHTML(page, collect_errors=True, sanitize=False)
    assert document.errors == []
    ids = Counter(re.findall(r'\sid="([^"]+)"', page))
    assert [name for name, times in ids.items() if times > 1] == []
    assert len(document.query("h1")) == 1
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    names = Counter(re.findall(r'<(?:section|nav)\b[^>]*aria-labelledby="([^"]+)"|role="region"[^>]*"([^"]+)"', page))
    assert [name for name, times in names.items() if times > 1] == [], "a region inside another tells nothing new"
    assert document.query("title")[0].to_text().strip()
    labelled = {attributes(label).get("for") for label in document.query("label")}
    controls = [node for tag in ("input", "select", "textarea") for node in document.query(tag)]
    for control in controls:
        own = attributes(control)
        wrapped = control.parent is not None and control.parent.name == "label"
        hidden = own.get("type") == "hidden"
        assert hidden or wrapped or "aria-label" in own or own.get("id") in labelled, own
    assert controls or "IFRAME=Y" in path, "outside sliders the header's menus have some controls"
    assert all("alt" in attributes(image) for image in document.query("img"))
    references = re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', page)
    assert {name for names in references for name in names.split()} <= set(ids)


def attributes(node: Any) -> dict[str, Any]:
    return dict(node.attrs or {})
