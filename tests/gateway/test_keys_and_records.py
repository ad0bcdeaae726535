"""Who may call, what is remembered of it, and how much failing is borne (facts/security 4)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from models import ConnectionRow, EndpointCall, now
from services.connections.call_log import CallLog
from services.connections.connection import Connection
from services.connections.keys import OLD_KEY_OPENS, ConnectionKeys, addresses
from services.connections.operators import IssuedKey, OperatorConnections
from services.connections.repository import ConnectionRepository
from services.connections.typed_credentials import KnownTargets
from services.limits.budgets import FAILED_CONNECTS, FAILED_LOGINS, Budgets, BudgetSpent
from services.limits.rate_limit import RateLimit
from services.limits.shared_memory import SharedMemory
from services.limits.wrong_keys import DELAY, DELAYED_OF_ONE, MOST, WrongKeys
from tests.gateway.bodies import FORM, form_body
from tests.gateway.hosting import MEMBER_ID, Connected, Host, hosting
from tests.waiting import HANG, eventually

URLS = ["urlCheck", "urlTableList", "urlTableDescription", "urlData"]
DATA = {"table": "deals"}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with sqlite3.connect(tmp_path / "deals.sqlite") as database:
        database.execute("CREATE TABLE deals (id int, status text)")
        database.execute("INSERT INTO deals VALUES (1, 'new'), (2, NULL)")
    database.close()
    with hosting(tmp_path) as host:
        yield host


@pytest.fixture
def deals(host: Host) -> Connected:
    return host.connect("sqlite", {"path": "deals.sqlite"})


def stored(host: Host, connected: Connected) -> Connection:
    (own,) = (row for row in host.services.connections.all() if row.id == connected.issued.id)
    return own


def unreachable(host: Host) -> Connected:
    return host.connect(
        "mysql", {"host": "127.0.0.1", "port": "1", "database": "d", "username": "u", "password": "canary-password"}
    )


# --- keys


def strangers(host: Host, deals: Connected) -> dict[str, tuple[str, str]]:
    """Address and body key of callers that must not come in."""
    path = urlsplit(deals.issued.urls["urlData"]).path
    uid, key = path.split("/")[2:4]
    removed = host.connect("sqlite", {"path": "deals.sqlite"})
    host.services.connections.remove(removed.issued.id)
    host.services.installations.add_local("other-portal")
    other = host.connect("sqlite", {"path": "deals.sqlite"}, member_id="other-portal")
    return {
        "unknown connector": (path.replace(uid, "0" * 32), deals.issued.key),
        "wrong key in the address": (path.replace(key, "bxk1_" + "A" * 43), deals.issued.key),
        "another portal's key in the address": (urlsplit(other.issued.urls["urlData"]).path, deals.issued.key),
        "no key in the body": (path, ""),
        "wrong key in the body": (path, "bxs1_" + "A" * 43),
        "the address key in the body": (path, key),
        "another portal's key in the body": (path, other.issued.key),
        "revoked key": (path, removed.issued.key),
        "a key with letters of another script": (path, "ключ"),
    }


def test_unknown_wrong_and_revoked_keys_are_one_and_the_same_404(host: Host, deals: Connected) -> None:
    answers = set()
    for name, (path, key) in strangers(host, deals).items():
        body = form_body({**DATA, "connection": {"key": key}})
        answer = deals.post(path, body, FORM, source=name)
        answers.add((answer.status_code, answer.data, tuple(answer.headers)))
    assert {status for status, _, _ in answers} == {404}
    assert len(answers) == 1
    assert deals.data(**DATA)[1:] == [[1, "new"], [2, None]]


@pytest.mark.parametrize("url", URLS)
def test_every_endpoint_needs_the_connections_key(deals: Connected, url: str) -> None:
    fields = {"table": "deals"}
    assert deals.call(url, fields).status_code == 200
    assert deals.call(url, fields, key="bxs1_wrong").status_code == 404


def test_a_stranger_learns_nothing_from_bodies_that_cannot_be_read(deals: Connected) -> None:
    path = urlsplit(deals.issued.urls["urlData"]).path.replace("bxk1_", "bxk1_x")
    for body, kind in [(b"x" * 3_000_000, FORM), (b"{", "application/json"), (b"<a/>", "text/xml")]:
        assert deals.post(path, body, kind).status_code == 404


def test_keys_are_stored_as_hashes_and_credentials_sealed(host: Host, tmp_path: Path) -> None:
    connected = unreachable(host)
    host.services.engine.dispose()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("app.db*"))
    address_key = urlsplit(connected.issued.urls["urlData"]).path.split("/")[3]
    for secret in (connected.issued.key, address_key, "canary-password"):
        assert secret.encode() not in stored
        assert secret not in repr(connected.issued)


def test_keys_have_256_random_bits_and_tell_scanners_what_they_are(host: Host, deals: Connected) -> None:
    assert deals.issued.key.startswith("bxs1_")
    assert len(deals.issued.key) == len("bxs1_") + 43
    assert host.connect("sqlite", {"path": "deals.sqlite"}).issued.key != deals.issued.key


def test_connections_of_one_portal_share_their_addresses_and_not_their_keys(host: Host, deals: Connected) -> None:
    second = host.connect("sqlite", {"path": "deals.sqlite"})
    assert second.issued.urls == deals.issued.urls
    assert second.issued.urls["urlData"].startswith("http://app.test/gateway/")
    assert all(len(url) < 2048 for url in second.issued.urls.values())


def test_a_key_rotates_in_two_phases(host: Host, deals: Connected) -> None:
    # facts/security 4: the next key opens before it is confirmed; the former one opens for another day
    moment = now()
    keys = ConnectionKeys(host.services.sessions, host.services.vault, clock=lambda: moment)
    connections = OperatorConnections(host.services.repository, keys, "http://app.test")
    issued = connections.mint(deals.issued.id)
    fresh = issued.key
    assert [deals.call("urlCheck", key=key).status_code for key in (deals.issued.key, fresh)] == [200, 200]
    connections.confirm(issued)
    assert [deals.call("urlCheck", key=key).status_code for key in (deals.issued.key, fresh)] == [200, 200]
    path = urlsplit(deals.issued.urls["urlCheck"]).path.split("/")
    connector = keys.enter(path[2], path[3])
    assert connector is not None
    moment += OLD_KEY_OPENS - timedelta(seconds=1)
    assert keys.open(connector, deals.issued.key) is not None
    moment += timedelta(seconds=1)
    assert keys.open(connector, deals.issued.key) is None
    assert keys.open(connector, fresh) is not None


def test_a_key_that_the_portal_may_have_got_is_the_one_that_the_command_hands_out(host: Host, deals: Connected) -> None:
    # facts/security 4 "Rotation": no end state in which the registered key is invalid
    pending = host.services.connection_keys.mint(stored(host, deals))
    issued = host.services.connections.mint(deals.issued.id)
    assert issued.key == pending
    host.services.connections.confirm(issued)
    assert deals.call("urlCheck", key=pending).status_code == 200


def test_a_key_that_opens_nothing_any_more_is_never_handed_out_again(host: Host, deals: Connected) -> None:
    # facts/security 4: the app once registered a dead key again and again after `flask connections rotate`
    keys, connections = host.services.connection_keys, host.services.connections
    handed_out = [keys.mint(stored(host, deals))]
    for _ in range(3):
        issued = connections.mint(deals.issued.id)
        handed_out.append(issued.key)
        connections.confirm(issued)
        handed_out.append(keys.mint(stored(host, deals)))
        assert deals.call("urlCheck", key=handed_out[-1]).status_code == 200
    assert len(set(handed_out)) == 4


def test_a_next_key_without_its_hash_is_replaced(host: Host, deals: Connected) -> None:
    # as an earlier version of the command left rows behind
    dead = host.services.connection_keys.mint(stored(host, deals))
    with host.services.sessions.begin() as session:
        session.get_one(ConnectionRow, deals.issued.id).next_hash = None
    fresh = host.services.connection_keys.mint(stored(host, deals))
    assert fresh != dead
    assert deals.call("urlCheck", key=fresh).status_code == 200


def test_twelve_at_once_make_one_connector(tmp_path: Path) -> None:
    # the unique key of portal and driver decides who was first; the others find its row
    with hosting(tmp_path) as host, ThreadPoolExecutor(12) as pool:
        portal = host.services.installations.find(MEMBER_ID)
        assert portal is not None
        made = list(pool.map(lambda _: host.services.repository.connector(portal.id, "mysql"), range(12)))
    assert len({(each.id, each.key) for each in made}) == 1


def test_confirming_without_a_next_key_revokes_nothing(host: Host, deals: Connected) -> None:
    host.services.connections.confirm(deals.issued)
    assert deals.call("urlCheck").status_code == 200


def test_a_removed_portal_closes_its_endpoints_and_forgets_credentials(host: Host, tmp_path: Path) -> None:
    connected = unreachable(host)
    portal = host.services.installations.find(MEMBER_ID)
    assert portal is not None
    assert host.services.uninstallations.end_by_event(portal, clean=False, confirmed=True)
    assert connected.call("urlCheck").status_code == 404
    # facts/security 1 row 21: what logs in is deleted at once, other settings are kept for 30 days.
    kept = host.services.repository.get(portal.id, connected.issued.id)
    assert (kept.closed, kept.settings["host"], kept.settings["password"]) == (True, "127.0.0.1", "")


# --- lists of tables


def test_a_list_of_tables_is_remembered_for_a_minute_unless_a_search_or_a_person_wants_more(
    host: Host, deals: Connected, tmp_path: Path
) -> None:
    # facts/field 5.23: cached with their age and a refresh, which is on the app's page of tables
    def titles(**fields: str) -> list[str]:
        return [item["title"] for item in deals.call("urlTableList", fields).get_json()]

    def make(name: str) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "deals.sqlite")) as database:
            database.execute(f"CREATE TABLE {name} (id int)")
            database.commit()

    assert titles() == ["deals"]
    make("later")
    assert titles() == ["deals"]
    assert titles(searchString="late") == ["later"]
    assert titles() == ["deals", "later"]
    make("latest")
    portal = host.services.installations.find(MEMBER_ID)
    assert portal is not None
    held = host.services.repository.get(portal.id, deals.issued.id)
    host.services.publishing.tables(held, fresh=True)
    assert titles() == ["deals", "later", "latest"]


# --- records


def test_calls_are_recorded_with_names_and_numbers_only(host: Host, deals: Connected) -> None:
    asked = {
        **DATA,
        "select": ["ID"],
        "filter": {"=STATUS": ["canary-value"], "0": {"LOGIC": "OR", ">ID": ["77123"]}},
        "limit": "9",
    }
    deals.call("urlCheck")
    deals.call("urlTableList", {"searchString": "canary-search"})
    deals.call("urlTableDescription", DATA)
    answer = deals.call("urlData", asked)
    calls = host.calls()
    assert [(call.endpoint, call.status, call.rows) for call in calls] == [
        ("check", 200, 0),
        ("tables", 200, 0),
        ("description", 200, 2),
        ("data", 200, 0),
    ]
    assert calls[3].asked == {"table": "deals", "select": ["ID"], "filter": ["=STATUS", "LOGIC", ">ID"], "limit": 9}
    assert calls[3].bytes == len(answer.data)
    assert all(call.connection_id == deals.issued.id and call.code == call.reason == "" for call in calls)
    stored = json.dumps([{name: str(value) for name, value in vars(call).items()} for call in calls])
    assert not [canary for canary in ("canary-value", "canary-search", "77123", deals.issued.key) if canary in stored]


def test_a_reason_is_kept_under_the_reference_that_the_portal_gets(host: Host) -> None:
    # facts/field 0 item 5: the portal shows no reason, so the app must have it
    connected = unreachable(host)
    started = time.monotonic()
    answer = connected.call("urlCheck")
    # facts/security 4: a failing check takes 300 ms at least
    assert time.monotonic() - started >= 0.3
    assert answer.status_code == 502
    said = answer.get_json()
    assert said["error"] == "connection_failed"
    (call,) = host.calls()
    assert (call.ref, call.status, call.code) == (said["ref"], 502, "connect_refused")
    assert b"127.0.0.1" not in answer.data
    assert b"connect_refused" not in answer.data


def test_a_wrong_key_in_the_body_is_shown_to_the_portals_people(host: Host, deals: Connected) -> None:
    deals.call("urlCheck", key="bxs1_typo")
    (call,) = host.calls()
    assert (call.status, call.code, call.connection_id) == (404, "key", None)


def test_endless_names_are_not_kept_endlessly(host: Host, deals: Connected) -> None:
    deals.call("urlData", {"table": "t" * 500, "select": ["S" * 500] * 200, "filter": {"F" * 300: "1"}})
    (call,) = host.calls()
    assert len(call.asked["table"]) == 128
    assert call.asked["table"].endswith("…")
    assert len(call.asked["select"]) == 101
    assert call.asked["select"][-1] == "…"


def test_records_are_deleted_after_two_weeks(host: Host, deals: Connected) -> None:
    deals.call("urlCheck")
    later = now() + timedelta(days=14, seconds=10)
    assert host.services.call_log.purge() == 0
    assert CallLog(host.services.sessions, clock=lambda: later).purge() == 1
    assert host.calls() == []


# --- our own database


def away(*_: object, **__: object) -> object:
    raise OperationalError("SELECT", {}, Exception("gone"))


def test_typed_credentials_go_on_for_a_minute_while_our_own_database_is_away(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    # facts/security 7: own database down, direct mode; and no password is guessed meanwhile
    portal = host.services.installations.find(MEMBER_ID)
    assert portal is not None
    hosted = host.services.repository.connector(portal.id, "postgresql")
    path = urlsplit(addresses("http://app.test", hosted.uid, hosted.key)["urlCheck"]).path
    typed = {
        "host": "127.0.0.1",
        "port": "5432",
        "database": "postgres",
        "username": "postgres",
        "options": "tls=disable",
    }

    def call(**other: str) -> int:
        body = form_body({"connection": {**typed, **other}})
        return Connected(host.app, IssuedKey(0, "", {})).post(path, body, FORM).status_code

    assert call() == 200
    for owner in (ConnectionKeys, CallLog, ConnectionRepository, Budgets, KnownTargets):
        for name in ("enter", "open", "record", "prove", "is_spent", "strike", "admit"):
            if hasattr(owner, name):
                monkeypatch.setattr(owner, name, away)
    assert call() == 200
    assert [call(password="a guess"), call(username="another"), call(port="3306")] == [503] * 3


def test_charts_go_on_for_a_minute_while_our_own_database_is_away(
    deals: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    # facts/security 7: own database down
    assert len(deals.data(**DATA)) == 3

    for name in ("enter", "open"):
        monkeypatch.setattr(ConnectionKeys, name, away)
    monkeypatch.setattr(CallLog, "record", away)
    monkeypatch.setattr(ConnectionRepository, "prove", away)
    monkeypatch.setattr("services.limits.budgets.Budgets.is_spent", away)
    monkeypatch.setattr("services.limits.budgets.Budgets.strike", away)
    answer = deals.call("urlData", DATA, key="bxs1_never-seen")
    assert (answer.status_code, answer.get_json()["error"]) == (503, "busy")
    assert len(deals.data(**DATA)) == 3


def test_a_key_that_stops_opening_is_forgotten_at_once(
    host: Host, deals: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deals.call("urlCheck").status_code == 200
    host.services.connections.remove(deals.issued.id)
    assert deals.call("urlCheck").status_code == 404

    monkeypatch.setattr(ConnectionKeys, "open", away)
    assert deals.call("urlCheck").status_code == 503


def test_an_unexpected_error_is_a_failure_without_words(
    host: Host, deals: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("canary-internal")

    monkeypatch.setattr("gateway.answers.write_rows", broken)
    answer = deals.call("urlData", DATA)
    assert answer.status_code == 500
    assert b"canary" not in answer.data
    assert host.calls()[0].code == "internal"


# --- budgets


def test_a_port_scan_through_one_connection_ends(host: Host) -> None:
    # facts/security 4: failed connects per key
    connected = unreachable(host)
    statuses = [connected.call("urlTableList").status_code for _ in range(FAILED_CONNECTS.most + 1)]
    assert statuses == [502] * FAILED_CONNECTS.most + [503]
    assert host.calls()[-1].code == "failed_connects"


def test_guessing_a_password_ends_whoever_guesses(host: Host) -> None:
    # facts/security 4: failed logins per host, port and user, of all portals together; here both have guessed
    host.services.installations.add_local("other-portal")
    statuses = []
    for number in range(FAILED_LOGINS.most + 1):
        settings = {"host": "127.0.0.1", "database": "mysql", "username": "no-such-user", "tls": "disable"}
        member_id = ("other-portal", MEMBER_ID)[number % 2]
        guess = host.connect("mysql", {**settings, "password": f"guess{number}"}, member_id)
        statuses.append(guess.call("urlCheck").status_code)
    assert statuses == [502] * FAILED_LOGINS.most + [503]
    assert [call.code for call in host.calls()] == ["password"] * FAILED_LOGINS.most + ["failed_logins"]


@pytest.mark.parametrize(("host_name", "port"), [("LOCALHOST", "3306"), ("localhost", "03306"), ("127.0.0.1", "3306")])
def test_another_spelling_of_a_server_gives_no_further_guesses(host: Host, host_name: str, port: str) -> None:
    # facts/security 4: per server, whatever it is called
    settings = {"host": "localhost", "database": "mysql", "username": "no-such-user", "tls": "disable"}
    for number in range(FAILED_LOGINS.most):
        assert host.connect("mysql", {**settings, "password": f"guess{number}"}).call("urlCheck").status_code == 502
    other = host.connect("mysql", {**settings, "password": "one more", "host": host_name, "port": port})
    assert other.call("urlCheck").status_code == 503
    assert host.calls()[-1].code == "failed_logins"


def test_a_connection_that_has_worked_is_not_locked_out_by_others(host: Host, deals: Connected) -> None:
    assert deals.call("urlCheck").status_code == 200
    for _ in range(FAILED_LOGINS.most):
        host.services.budgets.strike(FAILED_LOGINS, "1", "sqlite deals.sqlite", "")
    assert deals.call("urlCheck").status_code == 200
    newcomer = host.connect("sqlite", {"path": "deals.sqlite"})
    assert newcomer.call("urlCheck").status_code == 503


@dataclass
class Standing:
    """A moment that does not pass; whoever would sleep is noted and goes on."""

    moment: float = field(default_factory=lambda: float(int(time.monotonic()) + 1000))
    naps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Standing:
    """The moment at which all calls come, by the clock of the pace."""
    clock = Standing()
    monkeypatch.setattr("services.limits.rate_limit.time", clock)
    return clock


def guess(connected: Connected, source: str = "198.51.100.7") -> int:
    return connected.call("urlData", DATA, key="bxs1_guess", source=source).status_code


def test_sources_that_try_many_keys_wait_and_others_do_not(
    deals: Connected, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("services.limits.wrong_keys.time", SimpleNamespace(sleep=naps.append))
    assert [guess(deals) for _ in range(MOST)] == [404] * MOST
    assert naps == []
    assert guess(deals) == 404
    assert naps == [DELAY]
    assert guess(deals, "198.51.100.8") == 404
    # Portals share addresses: the right key still opens.
    assert deals.call("urlData", DATA, source="198.51.100.7").status_code == 200
    assert naps == [DELAY]
    standing.moment += 60.0
    assert [guess(deals) for _ in range(MOST)] == [404] * MOST
    assert naps == [DELAY]


@pytest.mark.parametrize("part", ["address", "body"])
def test_right_keys_are_answered_while_guesses_from_the_same_address_wait(
    deals: Connected, standing: Standing, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    # facts/security 4: 404 after a fixed delay, for the wrong ones; once, right keys from there were refused with 503
    naps: list[float] = []
    over = threading.Event()
    path = urlsplit(deals.issued.urls["urlData"]).path
    key = path.split("/")[-2]
    wrong_path = path.replace(key, "bxk1_" + "A" * 43) if part == "address" else path
    body = form_body({**DATA, "connection": {"key": deals.issued.key if part == "address" else "bxs1_guess"}})

    def nap(seconds: float) -> None:
        naps.append(seconds)
        assert over.wait(HANG)

    def guessed(_: int) -> int:
        return deals.post(wrong_path, body, FORM, "198.51.100.7").status_code

    monkeypatch.setattr("services.limits.wrong_keys.time", SimpleNamespace(sleep=nap))
    assert [guessed(0) for _ in range(MOST)] == [404] * MOST
    with ThreadPoolExecutor(DELAYED_OF_ONE) as first, ThreadPoolExecutor(20) as more:
        waiting = first.map(guessed, range(DELAYED_OF_ONE))
        try:
            eventually(lambda: len(naps) == DELAYED_OF_ONE, lambda: naps)
            others = list(more.map(guessed, range(20)))
            right = [deals.call("urlData", DATA, source="198.51.100.7").status_code for _ in range(20)]
            assert guess(deals, "198.51.100.8") == 404
        finally:
            over.set()
        delayed = list(waiting)
    assert right == [200] * 20
    assert set(others) == {503}
    assert delayed == [404] * DELAYED_OF_ONE
    assert naps == [DELAY] * DELAYED_OF_ONE


def test_guesses_of_all_sources_take_a_quarter_of_the_threads(standing: Standing) -> None:
    wrong_keys = WrongKeys(room=0)
    for _ in range(MOST):
        wrong_keys.count("198.51.100.7")
    with pytest.raises(BudgetSpent, match="bad_keys"):
        wrong_keys.count("198.51.100.7")


def test_a_wrong_key_in_the_address_writes_nothing_and_sleeps_on_no_thread(
    host: Host, deals: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guesses are no load of their own: 200 of them a second queued for seconds while each was noted in the database.
    statements: list[str] = []
    event.listen(host.services.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    naps: list[float] = []
    monkeypatch.setattr("gateway.pipeline.time", SimpleNamespace(monotonic=time.monotonic, sleep=naps.append))
    path = urlsplit(deals.issued.urls["urlCheck"]).path
    wrong = path.replace(path.split("/")[-2], "bxk1_" + "A" * 43)
    assert deals.post(wrong, form_body({}), FORM).status_code == 404
    assert [statement.split()[0] for statement in statements] == ["SELECT"]
    assert naps == []


def test_a_key_that_asks_without_end_waits_and_is_refused_at_last(
    host: Host, deals: Connected, standing: Standing
) -> None:
    # facts/security 4 layer 4: requests per key
    pipeline = host.app.extensions["pipeline"]
    pipeline.rate_limit = RateLimit(host.services.shared_memory, 60, burst=5, longest_wait=5.0)
    assert [deals.call("urlCheck").status_code for _ in range(5)] == [200] * 5
    assert standing.naps == [0.0] * 5
    assert [deals.call("urlCheck").status_code for _ in range(4)] == [200] * 4
    assert standing.naps[5:] == [1.0, 2.0, 3.0, 4.0]
    with ThreadPoolExecutor(30) as pool:
        statuses = Counter(pool.map(lambda _: deals.call("urlCheck").status_code, range(30)))
    assert statuses == {200: 1, 429: 29}
    assert standing.naps[9:] == [5.0]
    assert [call.code for call in host.calls() if call.status == 429] == ["requests"] * 29
    second = host.connect("sqlite", {"path": "deals.sqlite"})
    assert second.call("urlCheck").status_code == 200
    standing.moment += 6.0
    assert deals.call("urlCheck").status_code == 200
    assert standing.naps[10:] == [0.0, 0.0]


def test_the_pace_is_that_of_all_processes_together(standing: Standing) -> None:
    board = SharedMemory()
    first, second = (RateLimit(board, 60, burst=4, longest_wait=0.0) for _ in range(2))
    for pace in (first, second, first, second):
        pace.wait("key")
    for pace in (first, second):
        with pytest.raises(BudgetSpent, match="requests"):
            pace.wait("key")
        pace.wait("another key of " + str(id(pace)))


def test_counts_start_anew_after_their_window(host: Host) -> None:
    moment = now()
    budgets = type(host.services.budgets)(host.services.sessions, clock=lambda: moment)
    for _ in range(FAILED_LOGINS.most):
        assert not budgets.is_spent(FAILED_LOGINS, "server", "user")
        budgets.strike(FAILED_LOGINS, "server", "user")
    assert budgets.is_spent(FAILED_LOGINS, "server", "user")
    assert not budgets.is_spent(FAILED_LOGINS, "server", "other")
    moment += FAILED_LOGINS.window
    assert not budgets.is_spent(FAILED_LOGINS, "server", "user")
    budgets.strike(FAILED_LOGINS, "server", "user")
    assert not budgets.is_spent(FAILED_LOGINS, "server", "user")


def test_a_record_belongs_to_its_portal_and_goes_with_it(host: Host, deals: Connected) -> None:
    deals.call("urlCheck")
    portal = host.services.installations.find(MEMBER_ID)
    assert portal is not None
    assert [call.portal_id for call in host.calls()] == [portal.id]
    assert host.services.uninstallations.erase(MEMBER_ID)
    with host.services.sessions() as session:
        assert session.query(EndpointCall).count() == 0


def test_what_could_not_be_shown_is_counted_by_its_column(host: Host, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "deals.sqlite") as database:
        database.execute("CREATE TABLE orders (id int, made datetime, paid datetime)")
        database.execute(
            "INSERT INTO orders VALUES (1, '1899-12-31 10:00:00', NULL), (2, '1812-06-24 00:00:00', NULL), "
            "(3, '2025-01-01 10:00:00', '2025-01-02 10:00:00')"
        )
    database.close()
    orders = host.connect("sqlite", {"path": "deals.sqlite"})
    answer = json.loads(orders.call("urlData", {"table": "orders"}).data)
    assert [row[1:] for row in answer[1:3]] == [[None, None], [None, None]]
    assert host.calls()[-1].unshown == {"made": 2}
    orders.call("urlData", {"table": "orders", "select": ["ID", "PAID"]})
    assert host.calls()[-1].unshown is None
