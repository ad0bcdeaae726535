"""Tokens are renewed once, by whoever comes first, and survive whatever happens on the way (facts/security 3)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from egress.policy import Policy
from errors import Forged, PaymentRequired, PortalBusy, PortalGone, PortalUnreachable, TokenDead
from models import Base, Portal, Sessions, UserToken, Vault, connect, sessions_for
from services.connections.uploads import Uploads
from services.portal_api import Transport
from services.portal_api.oauth import AuthorizationServers
from services.portals import token_refresh
from services.portals.launches import Verifier
from services.portals.tokens import Tokens
from services.portals.uninstallations import Uninstallations
from tests.doors import database, key, settings_for
from tests.services.clocks import Clock
from tests.services.oauth_server import CLIENT_ID, Answer, OAuthServer, oauth_server
from tests.waiting import HANG

ENDPOINT = "https://acme.bitrix24.com/rest/"
USER = 7


@dataclass
class Bench:
    """Portals with expired tokens, and as many independent users of their grants as a test wants."""

    sessions: Sessions
    vault: Vault
    server: OAuthServer
    clock: Clock

    def tokens(self, servers: AuthorizationServers | None = None, **given: Callable[..., object]) -> Tokens:
        """Grants as one process has them: it shares nothing with another but the database."""
        servers = servers or self.servers()
        uninstallations = Uninstallations(
            self.sessions, self.vault, Verifier(servers), Uploads(Path("no uploads"), 0, str), clock=self.clock
        )
        return Tokens(self.sessions, self.vault, servers, uninstallations, clock=self.clock, **given)  # type: ignore[arg-type]  # sleep and wait_clock

    def servers(self) -> AuthorizationServers:
        transport = Transport(Policy("external-only", (), (urlsplit(self.server.url).netloc,)))
        return AuthorizationServers(transport, (self.server.url,), CLIENT_ID, SecretStr("canary-client-secret"))

    def portal(self, name: str = "acme") -> int:
        """A portal whose one user has tokens that the portal rejects; the refresh token is proven."""
        with self.sessions.begin() as session:
            portal = Portal(
                member_id=name, client_endpoint=ENDPOINT, domain="acme.bitrix24.com", oauth_url=self.server.url
            )
            session.add(portal)
            session.flush()
            row = UserToken(portal_id=portal.id, user_id=USER, expires_at=self.clock() - timedelta(minutes=1))
            self.vault.put(row, "access_token", f"old-{name}")
            self.vault.put(row, "refresh_token", self.server.issue(name, USER))
            session.add(row)
            return portal.id

    def row(self, portal_id: int) -> UserToken:
        with self.sessions() as session:
            return session.query(UserToken).filter_by(portal_id=portal_id, user_id=USER).one()

    def secret(self, portal_id: int, column: str) -> str | None:
        return self.vault.get(self.row(portal_id), column)


@contextmanager
def bench_on(database_url: str) -> Iterator[Bench]:
    engine = connect(database_url)
    Base.metadata.create_all(engine)
    with oauth_server() as server:
        settings = settings_for(database_url, secret_keys=key("k1"))
        yield Bench(sessions_for(engine), Vault(settings.secret_keys), server, Clock())
    engine.dispose()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_on(f"sqlite:///{tmp_path / 'app.db'}") as ready:
        yield ready


@pytest.fixture
def any_bench(any_database: str) -> Iterator[Bench]:
    with bench_on(any_database) as ready:
        yield ready


def test_32_threads_of_4_processes_renew_20_portals_with_exactly_20_refreshes(
    any_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a loaded machine a renewal may take longer than people should wait for it.
    monkeypatch.setattr(token_refresh, "WAIT_SECONDS", HANG)
    any_bench.server.delay = 0.05
    portals = [any_bench.portal(f"portal{number}") for number in range(20)]
    processes = [any_bench.tokens() for _ in range(4)]
    start = threading.Barrier(32)

    def work(number: int) -> list[str]:
        start.wait(timeout=HANG)
        order = portals[number % 20 :] + portals[: number % 20]
        return [processes[number % 4].renew(portal, USER, f"old-portal{portals.index(portal)}") for portal in order]

    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(work, range(32)))
    assert (any_bench.server.refreshes, any_bench.server.invalid_grants) == (20, 0)
    for portal in portals:
        row = any_bench.row(portal)
        assert (row.state, row.lease_owner, row.lease_until) == ("valid", None, None)
        assert any_bench.secret(portal, "refresh_token") in any_bench.server.owners
    assert len({token for tokens in got for token in tokens}) == 20


def test_no_transaction_is_open_while_the_authorization_server_is_asked(tmp_path: Path) -> None:
    """A slow server must not hold connections of the database (facts/security 3)."""
    open_transactions = []
    watching = text(
        "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND state <> 'idle' AND backend_type = 'client backend'"
    )
    with database("postgresql", tmp_path) as url, bench_on(url) as bench:
        portal = bench.portal()
        other = connect(url)

        def look() -> tuple[int, dict[str, Any]]:
            with other.connect() as connection:
                open_transactions.append(list(connection.execute(watching)))
            return 200, bench.server.pair("acme", USER)

        bench.server.next_answers.append(look)
        bench.tokens().renew(portal, USER, "old-acme")
        other.dispose()
    assert open_transactions == [[]]


def test_a_token_is_used_until_the_portal_rejects_it_whatever_our_clock_says(bench: Bench) -> None:
    """Renewing by the clock may get the app blocked (facts/platform 3.3); clocks may differ by minutes."""
    portal = bench.portal()
    for minutes in (-5, 5, 600):
        bench.clock.move(minutes=minutes)
        assert bench.tokens().access_token(portal, USER) == "old-acme"
    assert bench.server.forms == []


def test_a_caller_whose_token_was_already_replaced_does_not_refresh_again(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    fresh = tokens.renew(portal, USER, "old-acme")
    assert tokens.renew(portal, USER, "old-acme") == fresh
    assert bench.server.refreshes == 1


def test_the_secret_travels_in_the_body_and_never_in_the_address(bench: Bench) -> None:
    bench.tokens().renew(bench.portal(), USER, "old-acme")
    assert bench.server.queries == [b""]
    assert bench.server.forms[0]["client_secret"] == "canary-client-secret"


def test_while_another_process_holds_the_lease_nobody_asks_and_callers_are_told_when_to_return(bench: Bench) -> None:
    portal = bench.portal()
    bench.tokens()._refresh._win(bench.row(portal))
    ticks = iter(range(0, 1000, 5))
    waiting = bench.tokens(sleep=lambda _seconds: None, wait_clock=lambda: float(next(ticks)))
    with pytest.raises(PortalBusy) as busy:
        waiting.renew(portal, USER, "old-acme")
    assert busy.value.code == "REFRESH_UNDER_WAY"
    assert bench.server.forms == []


def test_a_waiting_process_uses_the_token_that_the_winner_stored(bench: Bench) -> None:
    portal, winner = bench.portal(), bench.tokens()
    lease = winner._refresh._win(bench.row(portal))
    assert lease is not None

    def meanwhile(_seconds: float) -> None:
        winner._refresh._ask(lease)

    fresh = bench.tokens(sleep=meanwhile).renew(portal, USER, "old-acme")
    assert fresh == bench.secret(portal, "access_token")
    assert bench.server.refreshes == 1


def test_no_answer_keeps_the_pair_and_rests_2_s_then_30_s_doubling_to_30_min(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    refresh_token = bench.secret(portal, "refresh_token")
    rests = []
    for _ in range(9):
        bench.server.next_answers.append((502, {}))
        with pytest.raises(PortalUnreachable):
            tokens.renew(portal, USER, "old-acme")
        with pytest.raises(PortalBusy) as busy:
            tokens.renew(portal, USER, "old-acme")
        rests.append(busy.value.retry_after)
        assert bench.row(portal).state == "uncertain"
        bench.clock.move(seconds=busy.value.retry_after or 0)
    assert rests == [2, 30, 60, 120, 240, 480, 960, 1800, 1800]
    assert bench.secret(portal, "refresh_token") == refresh_token
    tokens.renew(portal, USER, "old-acme")
    row = bench.row(portal)
    assert (row.state, row.fail_count, row.retry_after) == ("valid", 0, None)


def test_a_dead_refresh_token_without_candidate_stops_all_calls_until_the_user_opens_the_app(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    bench.server.owners.clear()
    with pytest.raises(TokenDead):
        tokens.renew(portal, USER, "old-acme")
    with pytest.raises(TokenDead):
        tokens.access_token(portal, USER)
    with pytest.raises(TokenDead):
        tokens.renew(portal, USER, "old-acme")
    assert len(bench.server.forms) == 1
    assert bench.row(portal).state == "needs_reopen"

    candidate = bench.server.issue("acme", USER)
    tokens.keep(portal, USER, "opened", bench.clock() + timedelta(hours=1), candidate)
    assert tokens.access_token(portal, USER) == "opened"
    assert tokens.renew(portal, USER, "opened").startswith("access-")
    assert (bench.row(portal).state, bench.secret(portal, "candidate_token")) == ("valid", None)


def test_a_posted_refresh_token_is_used_only_when_the_proven_one_is_dead(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    proven, candidate = bench.secret(portal, "refresh_token"), bench.server.issue("acme", USER)
    tokens.keep(portal, USER, "opened", bench.clock() + timedelta(hours=1), candidate)
    tokens.renew(portal, USER, "opened")
    assert [form["refresh_token"] for form in bench.server.forms] == [proven]
    assert bench.secret(portal, "candidate_token") == candidate


def test_a_garbage_refresh_token_in_an_opening_does_not_knock_out_the_good_pair(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    tokens.keep(portal, USER, "opened", bench.clock() + timedelta(hours=1), "garbage")
    assert tokens.renew(portal, USER, "opened").startswith("access-")
    assert bench.server.invalid_grants == 0


@pytest.mark.parametrize(("member_id", "user_id"), [("other", USER), ("acme", 8)])
def test_a_candidate_is_dropped_when_the_answer_names_another_portal_or_user(
    bench: Bench, member_id: str, user_id: int
) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    bench.server.owners.clear()
    tokens.keep(portal, USER, "opened", bench.clock() + timedelta(hours=1), bench.server.issue(member_id, user_id))
    with pytest.raises(TokenDead):
        tokens.renew(portal, USER, "opened")
    assert bench.secret(portal, "access_token") is None
    assert bench.row(portal).state == "needs_reopen"


def test_an_opening_during_the_refresh_does_not_lose_the_rotated_refresh_token(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    lease = tokens._refresh._win(bench.row(portal))
    assert lease is not None
    tokens.keep(portal, USER, "opened", bench.clock() + timedelta(hours=1), None)
    tokens._refresh._ask(lease)
    assert bench.secret(portal, "refresh_token") in bench.server.owners
    assert bench.row(portal).lease_owner is None


def test_a_winner_that_was_too_slow_leaves_the_later_pair_alone(bench: Bench) -> None:
    """OAuth answers after 20 s: the lease is over and another process has renewed already."""
    portal, slow = bench.portal(), bench.tokens()
    lease = slow._refresh._win(bench.row(portal))
    assert lease is not None
    late_answer = slow._refresh._pair(lease.row, lease.tokens[0])
    assert late_answer is not None
    bench.clock.move(seconds=20)
    with bench.sessions.begin() as session:
        row = session.query(UserToken).one()
        bench.vault.put(row, "refresh_token", bench.server.issue("acme", USER))
    fresh = bench.tokens().renew(portal, USER, "old-acme")
    with bench.sessions.begin() as session:
        session.query(UserToken).update({"expires_at": late_answer.expires_at + timedelta(seconds=1)})
    assert slow._refresh._store(lease, late_answer, lease.tokens[0]) == fresh
    assert bench.secret(portal, "refresh_token") in bench.server.owners


@pytest.mark.parametrize("code", ["PAYMENT_REQUIRED", "payment_required"])
def test_an_unpaid_app_is_asked_once_an_hour_and_works_again_as_soon_as_it_is_paid(bench: Bench, code: str) -> None:
    """facts/platform 3.4: pause, probe rarely"""
    portal, tokens = bench.portal(), bench.tokens()
    for hours in (1, 2):
        bench.server.next_answers.append((401, {"error": code}))
        for _ in range(3):
            with pytest.raises(PaymentRequired):
                tokens.renew(portal, USER, "old-acme")
        assert len(bench.server.forms) == hours
        assert bench.row(portal).state == "unpaid"
        assert bench.secret(portal, "refresh_token") is not None
        bench.clock.move(minutes=61)
    assert tokens.renew(portal, USER, tokens.access_token(portal, USER)).startswith("access-")
    row = bench.row(portal)
    assert (row.state, row.retry_after) == ("valid", None)


NOT_INSTALLED = (401, {"error": "NOT_INSTALLED"})
HICCUP = timedelta(seconds=6)
"""Longer than a sign is in doubt."""


def test_not_installed_said_twice_is_taken_for_the_uninstall_event_that_was_lost(bench: Bench) -> None:
    """facts/platform 8: events are never repeated."""
    portal, tokens = bench.portal(), bench.tokens()
    bench.server.next_answers += [NOT_INSTALLED, NOT_INSTALLED]
    with pytest.raises(PortalBusy, match="INSTALLATION_DOUBTED"):
        tokens.renew(portal, USER, "old-acme")
    assert (state_of(bench, portal), bench.secret(portal, "refresh_token") is not None) == ("active", True)
    bench.clock.move(seconds=HICCUP.seconds)
    for _ in range(3):
        with pytest.raises(PortalGone):
            tokens.renew(portal, USER, "old-acme")
    assert len(bench.server.forms) == 2
    with bench.sessions() as session:
        assert session.query(UserToken).count() == 0
        assert session.query(Portal).one().state == "uninstalled"


def test_a_sign_that_another_users_token_contradicts_ends_nothing(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    tokens.keep(portal, USER + 1, "living", bench.clock() + timedelta(minutes=30), None)
    bench.server.knows("living", "acme", USER + 1, ENDPOINT)
    for _ in range(3):
        bench.server.next_answers.append(NOT_INSTALLED)
        with pytest.raises(PortalBusy):
            tokens.renew(portal, USER, "old-acme")
        bench.clock.move(minutes=5)
    assert state_of(bench, portal) == "active"
    assert tokens.renew(portal, USER, "old-acme").startswith("access-")


@pytest.mark.parametrize("answer", [(500, {}), (200, {"error": "internal"}), (401, {"error": "PAYMENT_REQUIRED"})])
def test_a_sign_about_which_the_authorization_server_says_nothing_ends_nothing(bench: Bench, answer: Answer) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    for _ in range(3):
        bench.server.next_answers.append(answer)
        with pytest.raises(PortalBusy):
            tokens.gone(portal, USER, "ERROR_OAUTH")
        bench.clock.move(minutes=10)
    assert state_of(bench, portal) == "active"
    assert bench.secret(portal, "refresh_token") is not None


def test_daily_care_finds_out_about_a_sign_that_nobody_came_back_to(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    with pytest.raises(PortalBusy):
        tokens.gone(portal, USER, "ERROR_OAUTH")
    bench.clock.move(hours=20)
    bench.server.next_answers.append(NOT_INSTALLED)
    assert tokens.check.settle() == 1
    assert state_of(bench, portal) == "uninstalled"
    assert tokens.check.settle() == 0


def state_of(bench: Bench, portal_id: int) -> str:
    with bench.sessions() as session:
        return session.get_one(Portal, portal_id).state


@pytest.mark.parametrize("code", ["PORTAL_DELETED", "", "SOMETHING_NEW"])
def test_a_closed_portal_keeps_its_tokens_and_is_tried_again_after_an_hour(bench: Bench, code: str) -> None:
    """PORTAL_DELETED is also a box whose public part is closed for a while: suspend (facts/platform 5.3)."""
    portal, tokens = bench.portal(), bench.tokens()
    tokens.gone(portal, USER, code)
    with pytest.raises(PortalGone):
        tokens.access_token(portal, USER)
    assert (bench.row(portal).state, state_of(bench, portal)) == ("closed", "closed")
    assert bench.secret(portal, "refresh_token") is not None
    bench.clock.move(minutes=61)
    assert tokens.access_token(portal, USER) == "old-acme"
    # Its answer that the token has expired shows that it is open.
    tokens.renew(portal, USER, "old-acme")
    assert (bench.row(portal).state, state_of(bench, portal)) == ("valid", "active")


@pytest.mark.parametrize("why", ["closed", "unpaid"])
def test_one_user_who_opens_the_app_wakes_the_grants_of_all(bench: Bench, why: str) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    if why == "closed":
        tokens.gone(portal, USER, "PORTAL_DELETED")
    else:
        bench.server.next_answers.append((401, {"error": "PAYMENT_REQUIRED"}))
        with pytest.raises(PaymentRequired):
            tokens.renew(portal, USER, "old-acme")
    tokens.keep(portal, USER + 1, "opened", bench.clock() + timedelta(hours=1), None)
    assert tokens.access_token(portal, USER) == "old-acme"
    assert (bench.row(portal).state, state_of(bench, portal)) == ("valid", "active")


def test_a_grant_that_needs_its_user_is_not_woken_without_him(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    bench.server.owners.clear()
    with pytest.raises(TokenDead):
        tokens.renew(portal, USER, "old-acme")
    tokens.gone(portal, USER, "PORTAL_DELETED")
    tokens.keep(portal, USER + 1, "opened", bench.clock() + timedelta(hours=1), None)
    assert bench.row(portal).state == "needs_reopen"


def serve_background(bench: Bench) -> None:
    with bench.sessions.begin() as session:
        session.query(Portal).update({"background_user_id": USER})


@pytest.mark.parametrize("why", ["closed", "unpaid"])
def test_daily_care_tries_the_background_grant_of_a_closed_or_unpaid_portal(bench: Bench, why: str) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    serve_background(bench)
    if why == "closed":
        tokens.gone(portal, USER, "PORTAL_DELETED")
    else:
        bench.server.next_answers.append((401, {"error": "PAYMENT_REQUIRED"}))
        with pytest.raises(PaymentRequired):
            tokens.renew(portal, USER, "old-acme")
    assert tokens.keep_alive() == (0, 0)
    bench.clock.move(days=1)
    assert tokens.keep_alive() == (1, 0)
    assert (bench.row(portal).state, state_of(bench, portal)) == ("valid", "active")
    assert tokens.keep_alive() == (0, 0)


def test_grants_of_users_who_are_gone_are_deleted_when_their_refresh_token_has_died(any_bench: Bench) -> None:
    """facts/platform 3.3: a refresh token lives 180 days; who was here later keeps his."""
    portal, tokens = any_bench.portal(), any_bench.tokens()
    serve_background(any_bench)
    any_bench.clock.move(days=100)
    tokens.keep(portal, USER + 1, "opened", any_bench.clock() + timedelta(hours=1), None)
    any_bench.clock.move(days=79)
    assert tokens.forget_dead() == 0
    any_bench.clock.move(days=2)
    assert tokens.forget_dead() == 1
    with any_bench.sessions() as session:
        assert [row.user_id for row in session.query(UserToken)] == [USER + 1]
        # The next administrator who opens the app takes over.
        assert session.get_one(Portal, portal).background_user_id is None


def test_a_refresh_follows_a_renamed_portal_but_not_to_an_address_that_could_break_a_header(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    for named, kept in (
        ("https://renamed.bitrix24.com/rest/", "https://renamed.bitrix24.com/rest/"),
        ("https://user@evil.example/rest/", "https://renamed.bitrix24.com/rest/"),
        ("http://evil.example/rest/", "https://renamed.bitrix24.com/rest/"),
    ):
        bench.server.endpoint = named
        tokens.renew(portal, USER, tokens.access_token(portal, USER))
        assert tokens.endpoint(portal) == kept


def test_a_redirect_is_followed_only_where_the_authorization_server_confirms_it(bench: Bench) -> None:
    """facts/platform 5.6."""
    portal = bench.portal()
    tokens = bench.tokens().tokens(portal, USER)
    bench.server.knows("old-acme", "acme", USER, "https://new.bitrix24.com/rest/")
    with pytest.raises(Forged):
        tokens.moved_to("https://evil.example/rest/")
    assert tokens.endpoint() == ENDPOINT
    bench.server.knows("old-acme", "another portal", USER, "https://new.bitrix24.com/rest/")
    with pytest.raises(Forged):
        tokens.moved_to("https://new.bitrix24.com/rest/")
    assert tokens.endpoint() == ENDPOINT
    bench.server.knows("old-acme", "acme", USER, "https://new.bitrix24.com/rest/")
    tokens.moved_to("https://new.bitrix24.com/rest/")
    assert tokens.endpoint() == "https://new.bitrix24.com/rest/"


def test_another_user_of_the_same_portal_has_no_part_in_the_grant(bench: Bench) -> None:
    portal = bench.portal()
    with pytest.raises(TokenDead):
        bench.tokens().access_token(portal, USER + 1)
    with pytest.raises(PortalGone):
        bench.tokens().access_token(portal + 1, USER)


def test_background_grants_are_kept_alive_after_120_days_and_no_sooner(bench: Bench) -> None:
    portal, tokens = bench.portal(), bench.tokens()
    serve_background(bench)
    bench.clock.move(days=119)
    assert tokens.keep_alive() == (0, 0)
    bench.clock.move(days=22)
    assert tokens.keep_alive() == (1, 0)
    assert bench.secret(portal, "access_token") != "old-acme"


KILLED = """
import os, pathlib, signal, sys
from pydantic import SecretStr
from egress.policy import Policy
from models import Vault, connect, sessions_for
from services.portals.uninstallations import Uninstallations
from services.portals.tokens import Tokens
from services.portals.launches import Verifier
from services.portal_api import Transport
from services.portal_api.oauth import AuthorizationServers
from services.connections.uploads import Uploads

database_url, server_url, host, key, portal = sys.argv[1:]

class Doomed(AuthorizationServers):
    def refresh(self, server_url, refresh_token):
        super().refresh(server_url, refresh_token)
        os.kill(os.getpid(), signal.SIGKILL)

servers = Doomed(Transport(Policy("external-only", (), (host,))), (server_url,), "app", SecretStr("secret"))
vault = Vault((("k1", SecretStr(key)),))
sessions = sessions_for(connect(database_url))
uninstallations = Uninstallations(sessions, vault, Verifier(servers), Uploads(pathlib.Path("no uploads"), 0, str))
Tokens(sessions, vault, servers, uninstallations).renew(int(portal), 7, "old-acme")
"""


def test_kill_9_between_answer_and_store_is_healed_by_the_next_opening(any_database: str) -> None:
    with bench_on(any_database) as bench:
        portal = bench.portal()
        secret_key = key("k1").partition(":")[2]
        bench.vault = Vault((("k1", SecretStr(secret_key)),))
        with bench.sessions.begin() as session:
            row = session.query(UserToken).one()
            bench.vault.put(row, "access_token", "old-acme")
            bench.vault.put(row, "refresh_token", bench.server.issue("acme", USER))
        killed = subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED,
                any_database,
                bench.server.url,
                urlsplit(bench.server.url).netloc,
                secret_key,
                str(portal),
            ],
            cwd=Path(__file__).parents[3],
            timeout=HANG,
            check=False,
        )
        assert killed.returncode == -9
        assert bench.server.refreshes == 1
        tokens = bench.tokens(sleep=lambda _seconds: bench.clock.move(seconds=5))
        # The lease ends by itself; the rotated token is lost, which the next caller finds out and says so.
        with pytest.raises(TokenDead):
            tokens.renew(portal, USER, "old-acme")
        assert bench.row(portal).state == "needs_reopen"
        tokens.keep(portal, USER, "opened", bench.clock() + timedelta(hours=1), bench.server.issue("acme", USER))
        assert tokens.renew(portal, USER, "opened").startswith("access-")
