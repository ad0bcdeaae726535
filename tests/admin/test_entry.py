"""Opening the app: a session for a verified user, the first page at once, and renewal (facts/security 2.2 to 2.4)."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models import Portal, UserSession, UserToken
from services.portal_api import Transport
from services.portals.event_bindings import EVENTS
from services.portals.launches import Launch, Verifier
from tests.doors import CLIENT_ID, OWN, Stage, staged
from tests.security.test_routes import token_of
from tests.services.clocks import Clock
from web import session as web_session


def renew(
    stage: Stage, token: str, login: str = "analyst", fields: Mapping[str, str | None] | None = None
) -> TestResponse:
    """What the page's script posts after BX24.refreshAuth."""
    posted = stage.opening(login).fields
    body = {"AUTH_ID": posted["AUTH_ID"], "REFRESH_ID": posted["REFRESH_ID"], "member_id": posted["member_id"]}
    body |= fields or {}  # type: ignore[arg-type]  # None leaves a field out
    return stage.app.test_client().post(
        "/session/renew",
        data={name: value for name, value in body.items() if value is not None},
        headers={**OWN, "X-App-Session": token},
    )


def page(stage: Stage, token: str, address: str = "/start") -> TestResponse:
    return stage.app.test_client().get(address, headers={"X-App-Session": token})


@dataclass
class Watch:
    """What the application sent to the portal and its authorization server: method and body."""

    sent: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def methods(self) -> list[str]:
        """Methods since the last look."""
        methods = [method for method, _ in self.sent]
        self.sent.clear()
        return methods


@pytest.fixture
def watch(installed: Stage, monkeypatch: pytest.MonkeyPatch) -> Watch:
    watching, post = Watch(), Transport.post

    def watched(self: Transport, url: str, **given: Any) -> Any:
        watching.sent.append((url.rpartition("/rest/")[2], given.get("json") or given["form"]))
        return post(self, url, **given)

    monkeypatch.setattr(Transport, "post", watched)
    return watching


def test_an_opening_answers_with_the_first_page_itself(installed: Stage) -> None:
    """A redirect could not carry the session's token."""
    answer = installed.enter("analyst")
    assert answer.status_code == 200
    assert page(installed, token_of(answer)).status_code == 200


def test_the_way_back_to_the_opening_shows_the_first_page_in_the_portal_s_frame(installed: Stage) -> None:
    """The history of the browser asks for the opening's own address, with the token in the header."""
    token = token_of(installed.enter("analyst"))
    back = page(installed, token, "/?DOMAIN=portal.example&PROTOCOL=1&LANG=en&APP_SID=1")
    assert back.status_code == 200
    assert token_of(back) == token
    assert "Open the application in Bitrix24" not in back.text
    assert back.headers["Content-Security-Policy"] == page(installed, token).headers["Content-Security-Policy"]
    assert installed.portal.url in back.headers["Content-Security-Policy"]


@pytest.mark.parametrize("headers", [{}, {"X-App-Session": ""}, {"X-App-Session": "x" * 43}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_a_session_the_address_tells_to_open_the_app_in_bitrix24(
    installed: Stage, method: str, headers: dict[str, str]
) -> None:
    answer = installed.app.test_client().open("/?DOMAIN=portal.example", method=method, headers=headers)
    assert answer.status_code == 200
    assert ("Open the application in Bitrix24" in answer.text) is (method == "GET")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("login", ["admin", "analyst", "viewer"])
def test_every_user_of_the_portal_gets_a_grant_of_his_own(installed: Stage, login: str) -> None:
    assert installed.enter(login).status_code in (200, 403)
    user = installed.portal.user(login)
    with installed.services.sessions() as session:
        grant = session.query(UserToken).filter_by(user_id=user.id).one()
        assert grant.refresh_token is None
        assert grant.candidate_token is not None
        assert session.query(UserSession).filter_by(user_id=user.id).count() >= 1


def test_rest_runs_with_the_token_of_the_user_who_opened_the_page(installed: Stage, watch: Watch) -> None:
    opening = installed.opening("analyst")
    token = token_of(installed.post("/", opening))
    watch.sent.clear()
    page(installed, token, "/connectors/")
    assert {body["auth"] for _, body in watch.sent} == {opening.fields["AUTH_ID"]}


def test_the_user_is_verified_once_a_minute_and_looked_at_in_one_round_trip(installed: Stage, watch: Watch) -> None:
    """facts/security 2.2: two calls per opening, the first one remembered for 60 s."""
    opening = installed.opening("analyst")
    installed.post("/", opening)
    first = watch.methods()
    assert (first[:2], first.count("app.info")) == (["app.info", "batch"], 1)
    installed.post("/", opening)
    assert "app.info" not in watch.methods()


def test_a_proof_is_remembered_for_60_seconds_and_dropped_when_a_portal_leaves(installed: Stage, watch: Watch) -> None:
    clock, house = Clock(), installed.services
    verifier = Verifier(house.authorization_servers, insecure_hosts=house.settings.bitrix24_insecure_hosts, clock=clock)
    posted = Launch.parse({}, installed.opening("analyst").fields)
    for seconds, asked in ((0, 1), (59, 0), (2, 1)):
        clock.move(seconds=seconds)
        verifier.prove(posted)
        assert watch.methods().count("app.info") == asked
    verifier.forget()
    verifier.prove(posted)
    assert watch.methods().count("app.info") == 1


def test_a_portal_without_record_is_taken_in_by_its_first_verified_opening(installed: Stage) -> None:
    """A lost event, or a database restored from before the installation."""
    with installed.services.sessions.begin() as session:
        session.query(Portal).delete()
    assert installed.enter("analyst").status_code == 200
    portal = installed.record()
    assert (portal.state, portal.application_token, portal.background_user_id) == ("active", None, None)
    assert installed.enter("admin").status_code == 200
    portal = installed.record()
    assert portal.background_user_id == 1
    assert installed.services.installations.knows_token(portal, installed.portal.application().application_token)


def test_twenty_openings_of_an_unknown_portal_at_once_make_one_record(installed: Stage) -> None:
    with installed.services.sessions.begin() as session:
        session.query(Portal).delete()
    openings = [installed.opening("analyst") for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda opening: installed.post("/", opening).status_code, openings))
    assert statuses == [200] * 20
    rows = installed.rows()
    assert (len(rows["portals"]), len(rows["grants"]), len(rows["user_sessions"])) == (1, 1, 20)


def test_an_analysts_post_cannot_change_the_application_token(installed: Stage) -> None:
    before = installed.record().application_token
    chosen = {"APPLICATION_TOKEN": "chosen-by-the-analyst"}
    assert installed.post("/", installed.opening("analyst"), fields=chosen).status_code == 200
    assert installed.record().application_token == before


def test_a_missing_application_token_is_no_obstacle(installed: Stage) -> None:
    """Older portals send none in the frame (facts/platform 2)."""
    before = installed.record().application_token
    left_out = {"APPLICATION_TOKEN": None, "SERVER_ENDPOINT": None, "REFRESH_ID": None, "PLACEMENT": None}
    assert installed.post("/", installed.opening("admin"), fields=left_out).status_code == 200
    assert installed.record().application_token == before


def test_an_administrators_opening_mends_bindings_that_an_update_dropped(installed: Stage) -> None:
    """facts/platform 1.4: the portal drops bindings on update, and ONAPPUPDATE may never come."""
    with installed.portal.changed() as held:
        held.event_handlers.clear()
        vars(held.applications)[CLIENT_ID].version = 5
    installed.enter("analyst")
    assert installed.portal.whole().event_handlers == []
    installed.enter("admin")
    assert {handler.event for handler in installed.portal.whole().event_handlers} == set(EVENTS)
    assert installed.record().version == 5


def test_a_renamed_portal_is_followed(installed: Stage) -> None:
    """facts/platform 5.6: the address is the portal's, its identity is not."""
    old = installed.record().domain
    renamed = old.replace("127.0.0.1", "localhost")
    installed.control("rename", origin=f"http://{renamed}")
    answer = installed.enter("analyst")
    assert answer.status_code == 200
    assert installed.record().domain == renamed
    assert answer.headers["Content-Security-Policy"].endswith(f"frame-ancestors http://{renamed}")


def test_the_generation_is_probed_once_and_again_only_after_it_changed(installed: Stage) -> None:
    """facts/biconnector 4.1: the portal's updates come without an event."""
    known = []
    for generation in ("newer", "newer", "older", "older", "newer"):
        installed.control("generation", generation=generation)
        remembered = installed.record().capabilities
        installed.enter("analyst")
        capabilities = installed.record().capabilities
        assert capabilities is not None
        known.append((capabilities["tables"], capabilities == remembered))
    assert known == [(True, False), (True, True), (False, False), (False, True), (True, False)]


def test_a_portal_that_does_not_answer_still_opens_the_session_and_says_so(installed: Stage) -> None:
    """The page offers a retry, which needs a session."""
    installed.control("fail", target="rest", times=50, shape="text")
    answer = installed.enter("admin")
    assert answer.status_code == 503
    token = re.search(r'name="_s" value="([^"]+)"', answer.text)
    assert token is not None
    installed.control("mend")
    again = installed.app.test_client().post("/start", data={"_s": token[1], "_view": "1"}, headers=OWN)
    assert again.status_code == 200


def test_an_authorization_server_that_does_not_answer_is_told_in_the_known_portals_frame(installed: Stage) -> None:
    installed.control("fail", target="oauth", times=50, shape="text")
    answer = installed.enter("analyst")
    assert answer.status_code == 503
    assert answer.headers["Content-Security-Policy"].endswith(f"frame-ancestors {installed.portal.url}")
    words = html.unescape(answer.text)
    assert "Bitrix24's authorization server does not answer, so nothing was sent to the portal." in words
    assert "The portal does not answer" not in words


def test_an_app_that_was_removed_is_not_opened_again_by_a_remembered_proof(installed: Stage) -> None:
    opening = installed.opening("analyst")
    installed.post("/", opening)
    installed.control("uninstall", clean=True)
    assert installed.post("/", opening).status_code == 403
    assert installed.record().state == "uninstalled"
    assert installed.rows()["user_sessions"] == []


def test_the_page_speaks_the_users_language(installed: Stage) -> None:
    installed.control("language", language="ru")
    answer = installed.enter("analyst")
    assert '<html lang="ru">' in answer.text
    assert '<html lang="ru">' in page(installed, token_of(answer), "/connectors/").text


# Renewal


def test_renewal_gives_a_new_token_and_keeps_the_old_one_for_requests_under_way(installed: Stage) -> None:
    old = token_of(installed.enter("analyst"))
    answer = renew(installed, old)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    new = answer.get_json()["session"]
    assert new != old
    assert page(installed, old).status_code == page(installed, new).status_code == 200


def test_an_opening_or_renewal_that_names_no_server_asks_the_one_that_vouched_before(tmp_path: Path) -> None:
    """facts/platform 3.1: two regions; a renewal never names its server, and older portals name none either."""
    with staged(f"sqlite:///{tmp_path / 'app.db'}", portals_count=2) as west:
        east = west.others[0]
        east.register()
        east.install()
        east.finish()
        token = token_of(east.enter("analyst"))
        before = west.portal.state()["calls"]
        assert renew(east, token).status_code == 200
        assert east.post("/", east.opening("analyst"), fields={"SERVER_ENDPOINT": None}).status_code == 200
        assert west.portal.state()["calls"] == before
        west.control("fail", target="oauth", shape="text", status=502, times=100)
        assert renew(east, token).status_code == 200


def test_renewal_gives_the_grant_the_fresh_token(installed: Stage) -> None:
    token = token_of(installed.enter("analyst"))
    installed.control("expire-tokens")
    fresh = installed.opening("analyst").fields["AUTH_ID"]
    assert renew(installed, token, fields={"AUTH_ID": fresh}).status_code == 200
    user = installed.portal.user("analyst")
    assert installed.services.tokens.access_token(installed.record().id, user.id) == fresh


@pytest.mark.parametrize("login", ["admin", "viewer"])
def test_a_session_is_not_renewed_with_a_colleagues_token(installed: Stage, login: str) -> None:
    token = token_of(installed.enter("analyst"))
    before = installed.rows()["user_sessions"]
    assert renew(installed, token, login).status_code == 403
    assert installed.rows()["user_sessions"] == before


@pytest.mark.parametrize(
    "fields",
    [{"AUTH_ID": None}, {"AUTH_ID": "forged"}, {"member_id": None}, {"member_id": "f" * 32}],
    ids=repr,
)
def test_a_forged_renewal_is_refused(installed: Stage, fields: dict[str, str | None]) -> None:
    token = token_of(installed.enter("analyst"))
    assert renew(installed, token, fields=fields).status_code == 403


def test_a_renewal_without_or_with_an_unknown_token_is_401(installed: Stage) -> None:
    assert renew(installed, "").status_code == 401
    assert renew(installed, "unknown").status_code == 401


def test_a_token_of_another_application_renews_nothing(installed: Stage) -> None:
    token = token_of(installed.enter("analyst"))
    foreign = installed.control("token", user="analyst", client_id="app.other")
    assert foreign["client_id"] != CLIENT_ID
    assert renew(installed, token, fields={"AUTH_ID": foreign["access_token"]}).status_code == 403


# What pages ask of their session


def test_an_expired_session_is_told_inside_the_portals_frame(installed: Stage) -> None:
    token = token_of(installed.enter("analyst"))
    with installed.services.sessions.begin() as session:
        session.query(UserSession).update({"expires_at": Clock()()})
    answer = page(installed, token)
    assert answer.status_code == 401
    assert answer.headers["Content-Security-Policy"].endswith(f"frame-ancestors {installed.portal.url}")
    assert "app-session" not in answer.text


def test_a_form_acts_once_and_a_failed_one_may_be_sent_again(installed: Stage) -> None:
    token = token_of(installed.enter("analyst"))
    nonce = web_session.new_nonce()
    outcomes = []
    for attempt in range(3):
        with installed.app.test_request_context("/connectors/new", method="POST", data={"_s": token, "_n": nonce}):
            web_session.session_required()
            try:
                with web_session.form_once() as use:
                    outcomes.append(use.outcome)
                    if attempt == 0:
                        raise ValueError("the input was wrong")
                    if use.outcome is None:
                        use.done("/connectors/7")
            except ValueError:
                continue
    assert outcomes == [None, None, "/connectors/7"]


def test_a_form_without_nonce_acts_every_time(installed: Stage) -> None:
    token = token_of(installed.enter("analyst"))
    for _ in range(2):
        with installed.app.test_request_context("/connectors/new", method="POST", data={"_s": token}):
            web_session.session_required()
            with web_session.form_once() as use:
                assert use.outcome is None
                use.done("/connectors/7")
