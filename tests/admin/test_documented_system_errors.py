"""The errors that any method may answer (facts/api 6.3, facts/platform 5.3), and what the analyst reads.

Most follow from a state of the portal. The others are ordered: `ORDERED` says why no state of ours leads to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.admin.conftest import Control
from tests.doors import Stage
from tests.pages import Page, PageClient
from tests.services.documented_errors import SYSTEM

DOWN = (503, "The portal does not answer", "It is down or cannot be reached at the moment.")
REFUSED = (422, "The portal refused")
NO_RIGHT = (403, "You may not work with BI data yet")
OVER = (401, "The session has ended", "Open it again from the portal's menu.")
READ: Mapping[str, tuple[int, str, str]] = {
    "INTERNAL_SERVER_ERROR": DOWN,
    "ERROR_UNEXPECTED_ANSWER": DOWN,
    "QUERY_LIMIT_EXCEEDED": (503, "The portal is busy", "The portal gets too many requests at the moment."),
    "ERROR_BATCH_METHOD_NOT_ALLOWED": (
        *REFUSED,
        "The application asked in a wrong way. Tell its support what you did.",
    ),
    "ERROR_BATCH_LENGTH_EXCEEDED": (*REFUSED, "The application asked for too much at once."),
    "NO_AUTH_FOUND": OVER,
    "INVALID_REQUEST": (*REFUSED, "The portal wants encrypted connections."),
    "OVERLOAD_LIMIT": (*REFUSED, "Bitrix24 has blocked this portal's requests."),
    "ACCESS_DENIED": (*NO_RIGHT, "The portal's plan lacks applications"),
    "INVALID_CREDENTIALS": (*NO_RIGHT, "Your rights in the portal do not suffice."),
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": (*REFUSED, "The portal cannot do this. Ask its administrator to update it."),
    "insufficient_scope": (*NO_RIGHT, "The application may not use BI data."),
    "expired_token": OVER,
    "user_access_error": (*NO_RIGHT, "The application is closed to you. Ask an administrator to open it."),
    "PORTAL_DELETED": (
        403,
        "The application is not installed",
        "It was removed from the portal, or the portal is closed.",
    ),
}
"""Status, heading and sentence of each code."""


@dataclass(frozen=True)
class Meeting:
    """An analyst on the page of the demonstration's connector."""

    installed: Stage
    control: Control
    client: PageClient

    def look(self) -> Page:
        """The page, asked for now."""
        return self.client.get("/connectors/1")

    def errors(self) -> list[str]:
        """What the portal has refused so far, oldest first."""
        return [call["error"] for call in self.installed.portal.state()["calls"] if call["error"]]


@pytest.fixture
def meeting(installed: Stage, control: Control, client: PageClient, demo: object) -> Meeting:
    """An analyst and a portal with one object of each kind."""
    return Meeting(installed, control, client)


def a_full_bucket(meeting: Meeting) -> Page:
    """facts/platform 5.4"""
    meeting.control("rate-limit", per_second=0.001, capacity=1)
    meeting.look()
    return meeting.look()


def another_portal_under_the_same_address(meeting: Meeting) -> Page:
    """A portal that was set up anew knows no tokens of the former one."""
    meeting.control("reset")
    return meeting.look()


def a_plan_without_rest(meeting: Meeting) -> Page:
    meeting.control("plan", rest=False)
    return meeting.look()


def a_card_with_fewer_scopes(meeting: Meeting) -> Page:
    """The version of the app that the portal has installed was granted less."""
    with meeting.installed.portal.changed() as held:
        for grant in held.grants:
            grant.scope = ["placement"]
    return meeting.look()


def half_a_year_without_a_visit(meeting: Meeting) -> Page:
    """facts/platform 3.3: the refresh token is over as well, so nothing can be renewed."""
    meeting.control("expire-tokens", refresh=True)
    return meeting.look()


def an_app_closed_to_the_user(meeting: Meeting) -> Page:
    meeting.control("access", users=["admin"])
    return meeting.look()


def a_portal_updated_meanwhile(meeting: Meeting) -> Page:
    """facts/biconnector 4.2: `dataset.delete` breaks on newer portals, and the app remembers an older one."""
    meeting.control("generation", generation="newer")
    return meeting.client.post("/datasets/1/delete", {})


STATES: Mapping[str, Callable[[Meeting], Page]] = {
    "INTERNAL_SERVER_ERROR": a_portal_updated_meanwhile,
    "QUERY_LIMIT_EXCEEDED": a_full_bucket,
    "NO_AUTH_FOUND": another_portal_under_the_same_address,
    "ACCESS_DENIED": a_plan_without_rest,
    "insufficient_scope": a_card_with_fewer_scopes,
    "expired_token": half_a_year_without_a_visit,
    "user_access_error": an_app_closed_to_the_user,
}
ORDERED: Mapping[str, str] = {
    "ERROR_UNEXPECTED_ANSWER": "a breakdown inside Bitrix24",
    "ERROR_BATCH_METHOD_NOT_ALLOWED": "the app puts no batch into a batch",
    "ERROR_BATCH_LENGTH_EXCEEDED": "the app asks for at most fifty at once",
    "INVALID_REQUEST": "the emulated portal may be spoken to without TLS",
    "OVERLOAD_LIMIT": "a block by hand, by Bitrix24 itself",
    "INVALID_CREDENTIALS": "the methods of this app tell a missing right by ACCESS_DENIED (facts/biconnector 1.8)",
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": "no method of this app needs a manifest",
    "PORTAL_DELETED": "the portal would be gone",
}
CALLS: Mapping[str, dict[str, Any]] = {
    "ERROR_BATCH_LENGTH_EXCEEDED": {"cmd": ["profile"] * 51},
    "ERROR_BATCH_METHOD_NOT_ALLOWED": {"cmd": {"inner": "batch?cmd[0]=profile"}},
}
"""Batches that lead to an ordered error, made past the app."""


def test_every_system_error_is_met() -> None:
    assert READ.keys() == STATES.keys() | ORDERED.keys() == SYSTEM.keys()
    assert not STATES.keys() & ORDERED.keys()


def read(page: Page, code: str) -> None:
    """The analyst reads what belongs to the code."""
    status, heading, sentence = READ[code]
    assert (page.status, page.heading) == (status, heading)
    assert sentence in page.words


@pytest.mark.parametrize("code", [code for code in STATES if code != "INTERNAL_SERVER_ERROR"])
def test_a_state_of_the_portal_is_told_in_words(meeting: Meeting, code: str) -> None:
    page = STATES[code](meeting)
    assert code in meeting.errors()
    read(page, code)


@pytest.fixture
def on_an_older_portal(installed: Stage, control: Control, enter: Callable[[], tuple[PageClient, Page]]) -> Meeting:
    """An analyst on an older portal that has one dataset."""
    control("generation", generation="older")
    control("demo")
    meeting = Meeting(installed, control, enter()[0])
    assert meeting.client.get("/datasets/").status == 200
    return meeting


def test_a_breakdown_that_an_update_of_the_portal_explains_is_gone_round(on_an_older_portal: Meeting) -> None:
    """facts/biconnector 4.2: there `table.delete` deletes what `dataset.delete` breaks on."""
    meeting = on_an_older_portal
    page = STATES["INTERNAL_SERVER_ERROR"](meeting)
    assert "INTERNAL_SERVER_ERROR" in meeting.errors()
    assert (page.status, page.heading) == (200, "Datasets")
    assert not meeting.installed.portal.whole().datasets


def test_a_breakdown_of_the_portal_is_told_on_the_page_that_met_it(on_an_older_portal: Meeting) -> None:
    """facts/platform 5.3"""
    meeting = on_an_older_portal
    meeting.control("fail", target="biconnector.dataset.delete", code="INTERNAL_SERVER_ERROR")
    page = meeting.client.post("/datasets/1/delete")
    assert "INTERNAL_SERVER_ERROR" in meeting.errors()
    assert page.status == 503
    assert page.heading == "Delete the dataset"
    assert "Look at the list before you try again." in page.alerts[0]
    assert meeting.installed.portal.whole().datasets


@pytest.mark.parametrize("code", [*ORDERED, "INTERNAL_SERVER_ERROR"])
def test_what_no_state_leads_to_is_told_in_words(meeting: Meeting, code: str) -> None:
    status, message = SYSTEM[code]
    meeting.control("fail", target="rest", code=code, times=50)
    answer = requests.get(f"{meeting.installed.portal.url}/rest/profile", timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json()["error_description"] == message
    read(meeting.look(), code)


@pytest.mark.parametrize("code", CALLS)
def test_the_portal_limits_batches_by_itself(meeting: Meeting, code: str) -> None:
    """facts/platform 5.5"""
    token = meeting.control("token", user="analyst")["access_token"]
    url = f"{meeting.installed.portal.url}/rest/batch"
    answer = requests.post(url, json={"auth": token, **CALLS[code]}, timeout=30)
    assert code in answer.text


def test_a_token_that_is_an_hour_old_is_renewed_without_a_word(meeting: Meeting) -> None:
    """facts/platform 3.3: `expired_token` alone is no matter of the analyst's."""
    meeting.control("expire-tokens")
    assert meeting.look().status == 200
    assert "expired_token" in meeting.errors()
