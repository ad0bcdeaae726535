"""A portal or an authorization server that is down at one of the doors: a page that says so, with a retry that works.

Everything here goes without JavaScript: the browser sends the page's own form into the same frame.
"""

from __future__ import annotations

from typing import Any

import pytest
from justhtml import JustHTML
from werkzeug.test import TestResponse

from tests.doors import OWN, Stage

FRAMED = {**OWN, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}
DOORS = {"/": "analyst", "/install/": "admin"}


def retry_of(answer: TestResponse) -> tuple[str, dict[str, str]]:
    """Where the page's only form of its own leads, and what it sends."""
    document: Any = JustHTML(answer.text, sanitize=False)
    (form,) = document.query("main form")
    assert form.attrs["method"] == "post"
    assert form.attrs["data-hx-boost"] == "false", "a script would not load the answer into the frame"
    fields = {node.attrs["name"]: node.attrs["value"] for node in form.query("input")}
    assert [node.to_text().strip() for node in form.query("button")] == ["Try again"]
    return form.attrs["action"], fields


def send(stage: Stage, path: str, fields: dict[str, str], **headers: str) -> TestResponse:
    return stage.app.test_client(use_cookies=False).post(path, data=fields, headers={**FRAMED, **headers})


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("shape", [{"shape": "text", "status": 502}, {"shape": "drop"}])
@pytest.mark.parametrize("target", ["oauth", "rest"])
def test_an_opening_that_met_an_outage_can_be_tried_again(
    installed: Stage, path: str, target: str, shape: dict[str, Any]
) -> None:
    if (path, target) == ("/", "rest"):
        return  # the opening was proved, so there is a session: see tests/admin/test_entry.py
    opening = installed.opening(DOORS[path])
    installed.control("fail", target=target, times=50, **shape)
    failed = installed.post(path, opening)
    for _ in range(2):
        assert failed.status_code == 503
        assert failed.headers["Content-Security-Policy"].endswith(f"frame-ancestors {installed.portal.url}")
        action, fields = retry_of(failed)
        assert action == path
        for secret in ("AUTH_ID", "REFRESH_ID", "APPLICATION_TOKEN"):
            assert opening.fields[secret] not in failed.text
        failed = send(installed, action, fields)
    installed.control("mend")
    answer = send(installed, *retry_of(failed))
    assert answer.status_code == 200
    assert ("data-install-finish" in answer.text) is (path == "/install/")
    assert ("app-session" in answer.text) is (path == "/")


def test_a_first_installation_that_met_an_outage_is_completed_by_its_retry(stage: Stage) -> None:
    stage.register()
    stage.control("fail", target="rest", times=50, shape="text", status=502)
    failed = stage.install()
    assert (failed.status_code, stage.rows()["portals"]) == (503, [])
    stage.control("mend")
    answer = send(stage, *retry_of(failed))
    assert answer.status_code == 200
    assert "data-install-finish" in answer.text


def test_the_retry_is_no_way_around_the_checks_of_the_door(installed: Stage) -> None:
    """facts/security 1 rows 2 and 5: nothing posted is believed, and openings are loaded into frames."""
    installed.control("fail", target="oauth", times=50, shape="text", status=502)
    retries = {path: retry_of(installed.post(path, installed.opening(login))) for path, login in DOORS.items()}
    installed.control("mend")
    before = installed.rows()
    for path, (action, fields) in retries.items():
        other = retries["/install/" if path == "/" else "/"][1]
        assert send(installed, action, other).status_code == 403
        assert send(installed, action, {"_launch": "v1.k1.AAAA"}).status_code == 403
        assert send(installed, action, fields, **{"Sec-Fetch-Dest": "document"}).status_code == 403
    assert installed.rows() == before


def test_a_user_who_is_no_administrator_is_offered_no_retry_of_the_installation(installed: Stage) -> None:
    assert "<form method" not in installed.install("analyst").text.partition("<main")[2]
