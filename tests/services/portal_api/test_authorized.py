"""facts/platform 5.3, 5.4, 5.6 and facts/security 3: a user's token, a busy portal, a renamed portal."""

from __future__ import annotations

import json
import logging
import traceback

import pytest
import requests
import responses

from errors import (
    ApplicationError,
    Forged,
    PaymentRequired,
    PortalBusy,
    PortalGone,
    PortalRefused,
    PortalUnreachable,
    TokenDead,
)
from services.portal_api.client import PortalClient
from tests.services.portal_api.portal import (
    ACCESS,
    FRESH,
    NOW,
    PORTAL,
    RENAMED,
    SHAPES,
    Answer,
    FakeTokens,
    Portal,
    inner_error,
    result,
    root_error,
)

READ, CHANGE = "biconnector.connector.list", "biconnector.connector.add"
LIMIT = root_error("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
EXPIRED = root_error("expired_token", "The access token provided has expired.", 401)
BAD_GATEWAY = Answer("<html>Bad Gateway</html>", 502)


@responses.activate
def test_the_token_travels_in_the_body() -> None:
    """facts/platform 5.1"""
    portal = Portal(result([])).listen(responses.mock)
    portal.client().call(READ, page=1)
    assert portal.calls == [(READ, {"page": 1, "auth": ACCESS})]
    assert ACCESS not in str(responses.calls[0].request.url)


@pytest.mark.parametrize("method", [READ, CHANGE])
@responses.activate
def test_an_expired_token_is_renewed_once_and_the_call_repeated(method: str) -> None:
    """An expired token was refused before anything was done, so a change may be repeated too."""
    portal = Portal(EXPIRED, result({"id": 4})).listen(responses.mock)
    assert portal.client().call(method) == {"id": 4}
    assert portal.tokens.rejected == [ACCESS]
    assert [body["auth"] for _, body in portal.calls] == [ACCESS, FRESH]
    assert portal.time.slept == []


@responses.activate
def test_a_fresh_token_that_is_refused_as_well_ends_the_matter() -> None:
    portal = Portal(EXPIRED).listen(responses.mock)
    with pytest.raises(TokenDead):
        portal.client().call(READ)
    assert len(portal.calls) == 2


@pytest.mark.parametrize("code", ["NO_AUTH_FOUND", "invalid_token", "authorization_error"])
@responses.activate
def test_a_bad_token_is_not_renewed(code: str) -> None:
    """facts/platform 5.3: final for this token"""
    portal = Portal(root_error(code, "", 401)).listen(responses.mock)
    with pytest.raises(TokenDead):
        portal.client().call(READ)
    assert portal.tokens.rejected == []


@responses.activate
def test_a_renewal_that_fails_is_told_as_it_is() -> None:
    class Dead(FakeTokens):
        def renew(self, rejected: str) -> str:
            raise TokenDead("invalid_grant")

    portal = Portal(EXPIRED, tokens=Dead()).listen(responses.mock)
    with pytest.raises(TokenDead, match="invalid_grant"):
        portal.client().call(READ)


@pytest.mark.parametrize("method", [READ, CHANGE])
@pytest.mark.parametrize("shape", SHAPES)
@responses.activate
def test_a_rate_limit_is_waited_for_with_growing_delays(method: str, shape: str) -> None:
    """facts/platform 5.4; a call that met the limit was not run, so this holds for changes too"""
    limit = SHAPES[shape]("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
    portal = Portal(limit, limit, limit, result(True)).listen(responses.mock)
    assert portal.client().call(method) is True
    assert portal.time.slept == [0.5, 1.0, 2.0]


@responses.activate
def test_waiting_ends_with_the_budget() -> None:
    portal = Portal(LIMIT).listen(responses.mock)
    with pytest.raises(PortalBusy):
        portal.client(budget=10.0).call(READ)
    assert portal.time.slept == [0.5, 1.0, 2.0, 4.0]
    assert sum(portal.time.slept) <= 10


@responses.activate
def test_jitter_shortens_a_delay_by_half_at_most() -> None:
    portal = Portal(LIMIT, result(1)).listen(responses.mock)
    client = PortalClient(
        portal.transport, portal.tokens, sleep=portal.time.sleep, clock=portal.time.clock, jitter=lambda: 1.0
    )
    client.call(READ)
    assert portal.time.slept == [0.25]


@responses.activate
def test_the_operating_limit_is_told_at_once_with_its_end() -> None:
    """facts/platform 5.4: it lifts after minutes, nobody waits for that in front of a page"""
    body = {"error": "OPERATION_TIME_LIMIT", "time": {"operating_reset_at": 4_000_000_000}}
    portal = Portal(Answer(body, 429)).listen(responses.mock)
    with pytest.raises(PortalBusy) as caught:
        portal.client().call(READ)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 0
    assert len(portal.calls) == 1


def operating_limit(seconds: float) -> Answer:
    return Answer({"error": "OPERATION_TIME_LIMIT", "time": {"operating_reset_at": NOW + seconds}}, 429)


@pytest.mark.parametrize("method", [READ, CHANGE])
@responses.activate
def test_the_operating_limit_is_waited_for_when_it_ends_within_seconds(method: str) -> None:
    """facts/platform 5.3: wait until `operating_reset_at`; the call was not run, so this holds for changes too"""
    portal = Portal(operating_limit(3), result(True)).listen(responses.mock)
    assert portal.client().call(method) is True
    assert portal.time.slept == [3]


@responses.activate
def test_the_operating_limit_is_not_waited_for_when_it_does_not_tell_its_end() -> None:
    portal = Portal(root_error("OPERATION_TIME_LIMIT", "", 429)).listen(responses.mock)
    with pytest.raises(PortalBusy):
        portal.client().call(READ)
    assert portal.time.slept == []


@responses.activate
def test_a_limit_that_the_portal_prolongs_is_waited_for_within_the_budget_only() -> None:
    """facts/platform 5.4: after `operating_reset_at` the value may still exceed the limit"""
    portal = Portal(operating_limit(4)).listen(responses.mock)
    with pytest.raises(PortalBusy):
        portal.client(budget=10.0).call(READ)
    assert len(portal.calls) == 3


class Sourceless(FakeTokens):
    """A token source whose server cannot be asked, now or when the token is to be renewed."""

    def __init__(self, problem: ApplicationError, fails: str) -> None:
        super().__init__()
        self.problem, self.fails, self.asked = problem, fails, 0

    def _ask(self, what: str) -> None:
        if what == self.fails:
            self.asked += 1
            raise self.problem

    def token(self) -> str:
        self._ask("token")
        return super().token()

    def renew(self, rejected: str) -> str:
        self._ask("renew")
        return super().renew(rejected)

    def moved_to(self, endpoint: str) -> None:
        self._ask("moved_to")
        super().moved_to(endpoint)


@pytest.mark.parametrize(
    "problem",
    [
        PortalUnreachable("timeout"),
        PortalUnreachable("status", status=502),
        PortalBusy("QUERY_LIMIT_EXCEEDED"),
        PortalGone("NOT_INSTALLED"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("fails", ["token", "renew", "moved_to"])
@pytest.mark.parametrize("method", [READ, CHANGE])
@responses.activate
def test_trouble_of_the_token_source_is_told_at_once_and_leaves_no_doubt_about_the_portal(
    method: str, fails: str, problem: ApplicationError
) -> None:
    """facts/security 3 step 5: the source spaces its own attempts; asking again would only meet its pause"""
    tokens = Sourceless(problem, fails)
    portal = Portal(moved(RENAMED + method) if fails == "moved_to" else EXPIRED, tokens=tokens).listen(responses.mock)
    with pytest.raises(type(problem)) as caught:
        portal.client().call(method)
    assert str(caught.value) == str(problem)
    assert getattr(caught.value, "sent", False) is False
    assert (tokens.asked, portal.time.slept, tokens.gone_codes) == (1, [], [])
    assert len(portal.calls) == (fails != "token")


TROUBLE = [
    root_error("INTERNAL_SERVER_ERROR", "Internal server error", 500),
    root_error("ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response", 500),
    BAD_GATEWAY,
    requests.ReadTimeout("lost"),
    requests.ConnectionError("reset"),
]


@pytest.mark.parametrize("trouble", TROUBLE)
@responses.activate
def test_trouble_of_the_server_is_waited_for_when_reading(trouble: Answer | Exception) -> None:
    portal = Portal(trouble, trouble, result([{"id": "11"}])).listen(responses.mock)
    assert portal.client().call(READ) == [{"id": "11"}]
    assert len(portal.calls) == 3


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize(
    "method", [CHANGE, "biconnector.source.update", "biconnector.table.fields.update", "event.bind"]
)
@responses.activate
def test_a_change_is_never_repeated_blindly(method: str, trouble: Answer | Exception) -> None:
    """facts/platform 5.1: classic REST has no duplicate protection"""
    portal = Portal(trouble, result(True)).listen(responses.mock)
    with pytest.raises(PortalUnreachable) as caught:
        portal.client().call(method)
    assert len(portal.calls) == 1
    assert caught.value.sent


@pytest.mark.parametrize("method", [READ, CHANGE])
@responses.activate
def test_a_call_that_never_left_is_repeated_a_few_times(method: str) -> None:
    portal = Portal(requests.ConnectTimeout("no answer")).listen(responses.mock)
    with pytest.raises(PortalUnreachable):
        portal.client().call(method)
    assert len(portal.calls) == 3


@pytest.mark.parametrize(
    "answer",
    [
        root_error("OVERLOAD_LIMIT", "REST API is blocked due to overload", 503),
        root_error("ACCESS_DENIED", "REST API is available only on commercial plans", 403),
        inner_error("CONNECTOR_NOT_FOUND", "Connector was not found."),
        root_error("ERROR_METHOD_NOT_FOUND", "Method not found!", 404),
        Answer("<html>maintenance</html>", 200),
        requests.exceptions.SSLError("bad certificate"),
    ],
)
@responses.activate
def test_what_waiting_cannot_mend_is_told_at_once(answer: Answer | Exception) -> None:
    portal = Portal(answer).listen(responses.mock)
    with pytest.raises((PortalRefused, PortalUnreachable)):
        portal.client().call(READ)
    assert len(portal.calls) == 1


@pytest.mark.parametrize("code", ["PORTAL_DELETED", "ERROR_OAUTH", "NOT_INSTALLED", "APPLICATION_NOT_FOUND"])
@responses.activate
def test_removal_is_passed_on_to_whoever_keeps_the_tokens(code: str) -> None:
    """facts/platform 8: events are never retried, so these are removal signals"""
    portal = Portal(root_error(code, "", 401)).listen(responses.mock)
    with pytest.raises(PortalGone):
        portal.client().call(READ)
    assert portal.tokens.gone_codes == [code]


@responses.activate
def test_an_unpaid_portal_is_not_gone() -> None:
    portal = Portal(root_error("PAYMENT_REQUIRED", "", 401)).listen(responses.mock)
    with pytest.raises(PaymentRequired):
        portal.client().call(READ)
    assert portal.tokens.gone_codes == []


def moved(to: str, status: int = 302) -> Answer:
    return Answer("", status, {"Location": to})


@pytest.mark.parametrize("ending", ["biconnector.connector.add", "biconnector.connector.add.json", CHANGE + "?a=b"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@responses.activate
def test_a_renamed_portal_gets_the_same_body_at_its_new_address(ending: str, status: int) -> None:
    """facts/platform 5.6"""
    portal = Portal(moved(RENAMED + ending, status), result({"id": 4})).listen(responses.mock)
    assert portal.client().call(CHANGE, fields={"title": "Shop"}) == {"id": 4}
    assert portal.tokens.moves == [RENAMED]
    first, second = (call.request for call in responses.calls)
    assert str(first.url).startswith(PORTAL)
    assert str(second.url) == RENAMED + CHANGE
    assert json.loads(first.body or "") == json.loads(second.body or "")


@responses.activate
def test_a_new_address_that_nobody_vouches_for_gets_nothing() -> None:
    tokens = FakeTokens()
    tokens.refuse_move = Forged("app.info names another address")
    portal = Portal(moved(RENAMED + READ), tokens=tokens).listen(responses.mock)
    with pytest.raises(Forged):
        portal.client().call(READ)
    assert len(portal.calls) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://acme-group.bitrix24.com/rest/" + READ,
        "https://acme-group.bitrix24.com/",
        "https://acme-group.bitrix24.com/auth/?backurl=/rest/" + READ,
        "https://acme-group.bitrix24.com/rest/biconnector.connector.delete",
        "https://user:pw@acme-group.bitrix24.com/rest/" + READ,
        "/rest/" + READ,
        "javascript:alert(1)//rest/" + READ,
        "",
    ],
)
@responses.activate
def test_a_redirect_to_anything_but_the_same_method_over_https_is_not_followed(location: str) -> None:
    portal = Portal(moved(location)).listen(responses.mock)
    with pytest.raises(PortalUnreachable) as caught:
        portal.client().call(READ)
    assert caught.value.reason == "redirect"
    assert portal.tokens.moves == []
    assert len(portal.calls) == 1


@responses.activate
def test_only_one_hop_is_followed() -> None:
    portal = Portal(moved(RENAMED + READ), moved(PORTAL + READ)).listen(responses.mock)
    with pytest.raises(PortalUnreachable) as caught:
        portal.client().call(READ)
    assert caught.value.reason == "redirect"
    assert len(portal.calls) == 2


TITLE = "canary title 4711"
CANARY_ANSWERS = [
    root_error("CONNECTOR_NOT_FOUND", f"you sent {ACCESS}"),
    root_error(ACCESS, f"you sent {ACCESS}", 400),
    inner_error(f"code {ACCESS}", ""),
    root_error("expired_token", ACCESS, 401),
    root_error("INTERNAL_SERVER_ERROR", ACCESS, 500),
    Answer(f"<html>{ACCESS}</html>", 502),
    Answer(f'{{"result": "{ACCESS}', 200),
    moved(f"https://acme-group.bitrix24.com/rest/{READ}?auth={ACCESS}"),
    moved(f"https://{ACCESS}.example/"),
    requests.ReadTimeout(f"POST /rest/{READ}?auth={ACCESS}"),
    requests.ConnectionError(f"POST /rest/{READ}?auth={ACCESS}"),
]


@pytest.mark.parametrize("answer", CANARY_ANSWERS)
@responses.activate
def test_a_token_is_in_no_exception_traceback_or_log_at_debug(
    answer: Answer | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """facts/security 1 row 18; also when a hostile portal echoes what it was sent"""
    caplog.set_level(logging.DEBUG)
    portal = Portal(answer).listen(responses.mock)
    with pytest.raises(ApplicationError) as caught:
        portal.client().call(READ, title=TITLE)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    for secret in (ACCESS, FRESH, TITLE):
        assert secret not in shown


@responses.activate
def test_work_with_an_end_does_not_wait_for_a_limit_beyond_it() -> None:
    """Without an end, ten seconds are waited for (decision 7)."""
    portal = Portal(LIMIT).listen(responses.mock)
    with pytest.raises(PortalBusy):
        portal.client().until(portal.time.now + 2.0).call(CHANGE)
    assert portal.time.slept == [0.5, 1.0]
    assert portal.methods == [CHANGE] * 3


@responses.activate
def test_work_whose_end_has_come_sends_nothing() -> None:
    portal = Portal(result({"id": 4})).listen(responses.mock)
    with pytest.raises(PortalUnreachable) as late:
        portal.client().until(portal.time.now).call(CHANGE)
    assert (late.value.reason, late.value.sent, portal.calls) == ("timeout", False, [])
    assert portal.client().call(CHANGE) == {"id": 4}
