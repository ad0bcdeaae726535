"""Lifecycle events: proved, applied once, and nothing else believed (facts/platform 4, facts/security 1)."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from errors import PortalBusy, PortalGone
from models import HostedConnectorRow, LifecycleEvent, Portal, UserSession, UserToken, now
from services.connections.unsaved_uploads import UNSAVED
from services.connections.upload_owner import MARK
from services.portals.uninstallations import Uninstallations
from tests.doors import Stage, database, staged
from tests.security.test_routes import token_of
from tests.services.clocks import Clock


def after(**passed: float) -> Clock:
    """The clock of a moment to come."""
    clock = Clock()
    clock.move(**passed)
    return clock


def flat(
    name: str, auth: Mapping[str, object], data: Mapping[str, object] | None = None, ts: str = "1466439714"
) -> dict[str, str]:
    """An event's body as portals encode it."""
    parts = {f"auth[{key}]": str(value) for key, value in auth.items()}
    parts |= {f"data[{key}]": str(value) for key, value in (data or {}).items()}
    return {"event": name, "ts": ts, **parts}


def bare_auth(stage: Stage) -> dict[str, object]:
    portal = stage.portal.state()["portal"]
    told = {name: portal[name] for name in ("domain", "server_endpoint", "client_endpoint", "member_id")}
    return {**told, "application_token": stage.portal.application().application_token}


def full_auth(stage: Stage, user: str = "admin") -> dict[str, object]:
    tokens = stage.control("token", user=user)
    return {**bare_auth(stage), **tokens}


def uninstalling(stage: Stage, *, clean: int = 0, **auth: object) -> dict[str, str]:
    return flat("ONAPPUNINSTALL", {**bare_auth(stage), **auth}, {"LANGUAGE_ID": "en", "CLEAN": clean})


def test_uninstalling_deletes_tokens_and_sessions_at_once_and_keeps_the_portals_name(installed: Stage) -> None:
    installed.enter("analyst")
    installed.control("uninstall", clean=False)
    portal = installed.record()
    assert (portal.state, portal.application_token, portal.background_user_id) == ("uninstalled", None, None)
    rows = installed.rows()
    assert rows["grants"] == rows["user_sessions"] == []


OF_NO_PORTAL = ("deployment", "key_checks")


def test_clean_leaves_no_trace_of_the_portal_and_every_byte_of_another(tmp_path: Path) -> None:
    """facts/security 1 row 21."""
    with staged(f"sqlite:///{tmp_path / 'app.db'}", portals_count=2) as stage:
        other = stage.others[0]
        for portal in (stage, other):
            portal.register()
            portal.install()
            portal.finish()
            portal.enter("analyst")
        kept = {
            name: [row for row in rows if name in OF_NO_PORTAL or _is_of(other, row)]
            for name, rows in other.rows().items()
        }
        stage.control("uninstall", clean=True)
        assert stage.services.uninstallations.purge() == 0
        stage.services.uninstallations.clock = after(hours=48)
        assert stage.services.uninstallations.purge() == 1
        assert other.rows() == kept
        dump = "\n".join(stage.services.engine.raw_connection().driver_connection.iterdump())  # type: ignore[union-attr]  # SQLite
        assert stage.member_id not in dump
        assert other.member_id in dump
        assert other.enter("analyst").status_code == 200


def _is_of(stage: Stage, row: Mapping[str, object]) -> bool:
    portal = stage.record()
    return stage.member_id in row.values() or row.get("portal_id") == portal.id


@pytest.mark.parametrize(
    "forged",
    [
        {"application_token": ""},
        {"application_token": "0" * 32},
        {"application_token": "я" * 32},
        {"application_token": "\x00"},
        {"member_id": "f" * 32},
        {"member_id": ""},
        {"member_id": "x" * 65},
        {"member_id": "' OR '1'='1"},
    ],
    ids=repr,
)
def test_a_forged_uninstall_deletes_nothing(installed: Stage, forged: dict[str, str]) -> None:
    before = installed.rows()
    assert installed.tell(uninstalling(installed, clean=1, **forged)).status_code == 403
    assert installed.tell(uninstalling(installed, clean=0, **forged)).status_code == 403
    assert installed.rows() == before


def test_another_portals_application_token_uninstalls_nothing(tmp_path: Path) -> None:
    with staged(f"sqlite:///{tmp_path / 'app.db'}", portals_count=2) as stage:
        for portal in (stage, stage.others[0]):
            portal.register()
            portal.install()
        foreign = stage.others[0].portal.application().application_token
        before = stage.rows()
        assert stage.tell(uninstalling(stage, application_token=foreign)).status_code == 403
        assert stage.rows() == before


def test_an_application_token_that_was_never_learned_is_no_empty_password(installed: Stage) -> None:
    with installed.services.sessions.begin() as session:
        session.query(Portal).update({"application_token": None})
    for guess in ("", "None", "null"):
        assert installed.tell(uninstalling(installed, application_token=guess)).status_code == 403
    assert installed.record().state == "active"


@pytest.fixture(params=["sqlite", "postgresql"])
def counted(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Stage, list[bool]]]:
    """A stage on each database, and what every call of `Uninstallations.end_by_event` answered."""
    answers: list[bool] = []
    told = Uninstallations.end_by_event

    def counting(self: Uninstallations, portal: Portal, *, clean: bool, confirmed: bool) -> bool:
        answers.append(told(self, portal, clean=clean, confirmed=confirmed))
        return answers[-1]

    monkeypatch.setattr(Uninstallations, "end_by_event", counting)
    with database(request.param, tmp_path) as url, staged(url) as stage:
        stage.register()
        stage.install()
        stage.finish()
        yield stage, answers


@pytest.mark.parametrize("clean", [0, 1])
def test_the_same_uninstall_20_times_in_parallel_deletes_once(counted: tuple[Stage, list[bool]], clean: int) -> None:
    stage, removed = counted
    event = uninstalling(stage, clean=clean)
    stage.control("uninstall", lost=True)
    with ThreadPoolExecutor(20) as pool:
        statuses = set(pool.map(lambda _number: stage.tell(event).status_code, range(20)))
    assert removed.count(True) == 1
    # Who comes after the first finds no token to compare with, as for a portal that we never knew.
    assert statuses <= {200, 403}
    assert 200 in statuses
    assert stage.rows()["grants"] == []


def test_a_lost_install_event_is_no_loss_and_a_repeated_one_no_gain(installed: Stage) -> None:
    event = flat("ONAPPINSTALL", full_auth(installed), {"VERSION": 1}, ts="1")
    assert [installed.tell(event).status_code for _ in range(3)] == [200, 200, 200]
    with installed.services.sessions() as session:
        assert session.query(LifecycleEvent).filter_by(ts="1").count() == 1
        assert session.query(Portal).count() == 1


def test_an_install_event_alone_takes_a_portal_in(stage: Stage) -> None:
    """The script-only flow, or an installer page that never came (facts/platform 1.1)."""
    auth = full_auth(stage)
    assert stage.tell(flat("ONAPPINSTALL", auth, {"VERSION": 3, "LANGUAGE_ID": "de"})).status_code == 200
    portal = stage.record()
    assert (portal.state, portal.version, portal.language, portal.background_user_id) == ("active", 3, "de", 1)
    assert stage.services.installations.knows_token(portal, str(auth["application_token"]))


@pytest.mark.parametrize("name", ["ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUSERREADY"])
@pytest.mark.parametrize(("told", "kept"), [("de", "de"), ("LA", "la"), ("xx", "en"), ("", "ru"), (None, "ru")])
def test_a_known_portal_takes_its_language_from_its_events_not_from_who_came_first(
    stage: Stage, name: str, told: str | None, kept: str
) -> None:
    """facts/platform 7: `LANG` is the user's, `LANGUAGE_ID` the portal's; an event without it tells nothing."""
    stage.register()
    stage.post("/install/", stage.opening(), query={"LANG": "ru"}, fields={"LANG": "ru"})
    assert stage.record().language == "ru"
    data = stage.control("token", user="analyst") | ({} if told is None else {"LANGUAGE_ID": told})
    assert stage.tell(flat(name, full_auth(stage), data)).status_code == 200
    assert stage.record().language == kept
    stage.post("/", stage.opening(), query={"LANG": "fr"}, fields={"LANG": "fr"})
    assert stage.record().language == kept


def test_an_event_without_an_administrators_token_changes_no_language(installed: Stage) -> None:
    before = installed.record().language
    for name in ("ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUSERREADY"):
        installed.tell(flat(name, bare_auth(installed), {"LANGUAGE_ID": "de"}))
        installed.tell(flat(name, full_auth(installed, "analyst"), {"LANGUAGE_ID": "de"}))
    assert installed.record().language == before == "en"


@pytest.mark.parametrize("user", ["analyst", "viewer"])
def test_the_token_of_a_user_who_is_no_administrator_brings_no_application_token(stage: Stage, user: str) -> None:
    """Otherwise any employee could choose the password with which events are proved."""
    auth = full_auth(stage, user) | {"application_token": "chosen-by-the-employee"}
    assert stage.tell(flat("ONAPPINSTALL", auth, {"VERSION": 1})).status_code == 403
    assert stage.rows()["portals"] == stage.rows()["lifecycle_events"] == []


def test_an_update_brings_a_new_application_token_with_an_administrators_access_token(installed: Stage) -> None:
    """facts/platform 4: a changed token cannot match the stored one."""
    event = flat(
        "ONAPPUPDATE", full_auth(installed) | {"application_token": "renewed"}, {"VERSION": 2, "PREVIOUS_VERSION": 1}
    )
    assert installed.tell(event).status_code == 200
    portal = installed.record()
    assert portal.version == 2
    assert installed.services.installations.knows_token(portal, "renewed")


@pytest.mark.parametrize("user", ["analyst", None])
def test_a_changed_application_token_without_an_administrator_is_refused(installed: Stage, user: str | None) -> None:
    auth = full_auth(installed, user) if user else bare_auth(installed)
    before = installed.rows()
    event = flat("ONAPPUPDATE", auth | {"application_token": "chosen"}, {"VERSION": 2})
    assert installed.tell(event).status_code == 403
    assert installed.rows() == before


def test_an_employee_cannot_make_himself_the_system_user(installed: Stage) -> None:
    own = installed.control("token", user="analyst")
    before = installed.rows()
    event = flat("ONAPPUSERREADY", {**own, "application_token": "guess"}, own)
    assert installed.tell(event).status_code == 403
    assert installed.rows() == before


@pytest.mark.parametrize("hand", ["analyst", "viewer", None])
def test_knowing_the_application_token_makes_nobody_the_system_user(installed: Stage, hand: str | None) -> None:
    """facts/platform 4: every user's frame is posted with that one, so an administrator's access token comes too."""
    own = installed.control("token", user="analyst")
    auth = full_auth(installed, hand) if hand else bare_auth(installed)
    before = installed.rows()
    assert installed.tell(flat("ONAPPUSERREADY", auth, own)).status_code == 403
    assert installed.rows() == before


@pytest.mark.parametrize("token", ["administrator's own", "invented", ""])
def test_an_administrator_brings_another_users_real_token_for_the_system_user(installed: Stage, token: str) -> None:
    auth = full_auth(installed)
    brought = auth if token == "administrator's own" else {**auth, "access_token": token}
    before = installed.rows()
    assert installed.tell(flat("ONAPPUSERREADY", auth, brought)).status_code == 403
    assert installed.rows() == before


def test_the_system_user_that_the_installing_administrator_vouches_for_works_in_the_background(stage: Stage) -> None:
    """facts/platform 3.3 and 4, as the emulated portal tells it: its user is hidden and is not user 1."""
    stage.register()
    stage.install()
    assert stage.record().background_user_id == 1
    stage.finish()
    system = stage.record().background_user_id
    assert system not in (None, 1)
    assert system in {row["user_id"] for row in stage.rows()["grants"]}


@pytest.mark.parametrize(("hand", "status"), [(None, 200), ("analyst", 403)])
@pytest.mark.parametrize("name", ["ONAPPINSTALL", "ONAPPUPDATE"])
def test_knowing_the_application_token_changes_no_version(
    installed: Stage, name: str, hand: str | None, status: int
) -> None:
    """Tokens are absent from events of automation (facts/platform 4), which are therefore no forgeries."""
    auth = full_auth(installed, hand) if hand else bare_auth(installed)
    before = installed.rows() | {"lifecycle_events": []}
    assert installed.tell(flat(name, auth, {"VERSION": 7, "PREVIOUS_VERSION": 1})).status_code == status
    assert installed.rows() | {"lifecycle_events": []} == before


def test_tokens_of_another_portal_cannot_become_this_portals_system_user(tmp_path: Path) -> None:
    with staged(f"sqlite:///{tmp_path / 'app.db'}", portals_count=2) as stage:
        other = stage.others[0]
        for portal in (stage, other):
            portal.register()
            portal.install()
        foreign = other.control("token", user="admin")
        before = stage.rows()
        assert stage.tell(flat("ONAPPUSERREADY", full_auth(stage), foreign)).status_code == 403
        assert (
            stage.tell(flat("ONAPPUSERREADY", full_auth(stage), {**foreign, "member_id": stage.member_id})).status_code
            == 403
        )
        assert [row["background_user_id"] for row in stage.rows()["portals"]] == [
            row["background_user_id"] for row in before["portals"]
        ]


def test_an_event_that_cannot_be_proved_now_is_answered_503_and_forgotten(installed: Stage) -> None:
    installed.control("fail", target="oauth", times=5, shape="text")
    event = flat("ONAPPUPDATE", full_auth(installed) | {"application_token": "renewed"}, {"VERSION": 2}, ts="9")
    assert installed.tell(event).status_code == 503
    with installed.services.sessions() as session:
        assert session.query(LifecycleEvent).filter_by(ts="9").count() == 0


@pytest.mark.parametrize("name", ["ONAPPPAYMENT", "ONCRMDEALADD", "OnAppTest"])
def test_an_event_that_is_not_for_us_needs_its_proof_too_and_does_nothing(installed: Stage, name: str) -> None:
    before = {table: rows for table, rows in installed.rows().items() if table != "lifecycle_events"}
    assert installed.tell(flat(name, {**bare_auth(installed), "application_token": "forged"})).status_code == 403
    assert installed.tell(flat(name, bare_auth(installed))).status_code == 200
    assert {table: rows for table, rows in installed.rows().items() if table != "lifecycle_events"} == before


@pytest.mark.parametrize(
    "broken",
    [
        {"event": ""},
        {"event": "x" * 500},
        {"event": "ONAPPUNINSTALL\x00"},
        {"event": "ON APP"},
        {"ts": "\x00"},
        {"ts": "9" * 21},
        {"ts": "' OR 1=1"},
        {"auth[member_id]": "\x00"},
    ],
    ids=repr,
)
def test_an_event_that_no_portal_would_send_is_refused_before_anything_is_looked_up(
    installed: Stage, broken: dict[str, str]
) -> None:
    before = installed.rows()
    assert installed.tell({**uninstalling(installed), **broken}).status_code == 403
    assert installed.rows() == before


def test_the_answer_to_an_event_tells_nothing(installed: Stage) -> None:
    for event in (uninstalling(installed, application_token="wrong"), uninstalling(installed)):
        answer = installed.tell(event)
        assert answer.data == b""
        assert answer.mimetype == "text/plain"


def test_settings_of_an_uninstalled_portal_are_purged_after_30_days(installed: Stage) -> None:
    installed.control("uninstall", clean=False)
    clock = Clock()
    installed.services.uninstallations.clock = clock
    clock.move(days=29)
    assert installed.services.uninstallations.purge() == 0
    clock.move(days=2)
    assert installed.services.uninstallations.purge() == 1
    assert installed.rows()["portals"] == installed.rows()["lifecycle_events"] == []


def test_a_portal_without_sign_of_life_for_180_days_is_purged_and_one_by_hand_is_kept(installed: Stage) -> None:
    installed.services.installations.add_local("by-hand")
    clock = Clock()
    installed.services.uninstallations.clock = clock
    clock.move(days=179)
    assert installed.services.uninstallations.purge() == 0
    clock.move(days=2)
    assert installed.services.uninstallations.purge() == 1
    assert [row["member_id"] for row in installed.rows()["portals"]] == ["by-hand"]


SIGNS = ["NOT_INSTALLED", "APPLICATION_NOT_FOUND", "ERROR_OAUTH"]


@pytest.fixture
def used(installed: Stage) -> Stage:
    """An installation with sessions, connections and an uploaded file."""
    installed.enter("analyst")
    file = installed.services.uploads.keep(installed.record().id, "deals.csv", io.BytesIO(b"id\n1\n"))
    installed.services.connections.add(installed.member_id, "file", "Deals", {"path": file})
    settings = {"host": "db.example.com", "database": "shop", "username": "reader", "password": "canary-password"}
    installed.services.connections.add(installed.member_id, "postgresql", "Shop", settings)
    return installed


def closed(stage: Stage) -> bool:
    """Whether all connections are closed, and nothing is kept that logs in; fails if only some are."""
    numbers = [row["id"] for row in stage.rows()["connections"]]
    held = [stage.services.repository.get(stage.record().id, number) for number in numbers]
    states = {one.closed and one.settings.get("password", "") == "" for one in held}
    assert len(states) == 1
    assert {one.title for one in held} == {"Deals", "Shop"}
    return states.pop()


def doorway(stage: Stage) -> bool:
    """Whether the key in the addresses of the hosted connector opens."""
    with stage.services.sessions() as session:
        row = session.query(HostedConnectorRow).one()
    key = stage.services.vault.get(row, "key")
    return stage.services.connection_keys.enter(row.uid, str(key)) is not None


def files(stage: Stage) -> list[Path]:
    """All files of portals, also those in the trash."""
    folder = stage.services.settings.uploads.resolve()
    return [path for path in folder.rglob("*") if path.is_file() and path.name != MARK and path.parent.name != UNSAVED]


class Opened:
    """A page of an analyst that stays open."""

    def __init__(self, stage: Stage) -> None:
        self._token, self._browser = token_of(stage.enter("analyst")), stage.app.test_client()

    def status(self) -> int:
        return self._browser.get("/connectors/", headers={"X-App-Session": self._token}).status_code


def gone(stage: Stage, code: str) -> None:
    """The portal removes the app, its event is lost, and a user's calls are answered `code` twice within seconds."""
    stage.control("uninstall", lost=True)
    with pytest.raises(PortalBusy, match="INSTALLATION_DOUBTED"):
        stage.services.tokens.gone(stage.record().id, 1, code)
    later(stage)
    with pytest.raises(PortalGone):
        stage.services.tokens.gone(stage.record().id, 1, code)


def be_back(stage: Stage) -> None:
    """The app is installed again on the portal that removed it."""
    stage.register()
    assert stage.install().status_code == 200


def later(stage: Stage) -> None:
    """Let some seconds pass since a sign came."""
    with stage.services.sessions.begin() as session:
        session.query(Portal).update({"doubted_at": now() - timedelta(seconds=6)})


@pytest.mark.parametrize("code", SIGNS)
def test_an_answer_that_the_app_is_not_installed_ends_what_the_lost_event_would_have_ended(
    used: Stage, code: str
) -> None:
    """facts/platform 8 and facts/security 1.21: sessions, keys, tokens and credentials at once, the rest in 30 days."""
    page = Opened(used)
    used.control("uninstall", lost=True)
    used.control("fail", target="batch", shape="root", status=401, code=code, times=2)
    assert (page.status(), used.record().state, doorway(used)) == (503, "active", True)
    later(used)
    assert page.status() == 403
    assert used.rows()["grants"] == used.rows()["user_sessions"] == []
    assert closed(used)
    assert not doorway(used)
    assert len(files(used)) == 1
    assert used.record().state == "uninstalled"
    assert page.status() == 401


@pytest.mark.parametrize("code", SIGNS)
def test_a_sign_that_the_authorization_server_contradicts_ends_nothing(used: Stage, code: str) -> None:
    """facts/platform 5.3: a portal that cannot ask its authorization server says ERROR_OAUTH as well."""
    page, before = Opened(used), used.rows()
    used.control("fail", target="batch", shape="root", status=401, code=code, times=3)
    assert page.status() == 503
    assert doorway(used)
    for _ in range(2):
        later(used)
        assert page.status() == 503
        assert doorway(used)
    assert page.status() == 200
    after = used.rows()
    for table in ("grants", "connections", "hosted_connectors"):
        assert after[table] == before[table]
    assert [row["token_hash"] for row in after["user_sessions"]] == [
        row["token_hash"] for row in before["user_sessions"]
    ]


def test_a_sign_about_which_the_authorization_server_is_silent_ends_nothing(used: Stage) -> None:
    page = Opened(used)
    used.control("fail", target="batch", shape="root", status=401, code="ERROR_OAUTH", times=2)
    assert page.status() == 503
    later(used)
    used.control("fail", target="oauth", times=50, shape="text")
    assert page.status() == 503
    assert (used.record().state, doorway(used)) == ("active", True)


def test_the_page_says_that_a_sign_is_being_looked_into(used: Stage) -> None:
    token = token_of(used.enter("analyst"))
    used.control("fail", target="batch", shape="root", status=401, code="ERROR_OAUTH")
    answer = used.app.test_client().get("/connectors/", headers={"X-App-Session": token})
    assert "The portal says that the application is not installed. Bitrix24 is asked again" in html.unescape(
        answer.text
    )
    assert "was removed" not in answer.text


@pytest.mark.parametrize("code", SIGNS)
def test_the_event_that_comes_after_the_sign_still_proves_itself(used: Stage, code: str) -> None:
    """facts/platform 4: events travel through a queue and are late."""
    event = uninstalling(used, clean=1)
    gone(used, code)
    assert used.tell(event).status_code == 200
    used.services.uninstallations.clock = after(hours=48)
    used.services.uninstallations.purge()
    assert used.rows()["portals"] == used.rows()["connections"] == []
    assert not files(used)


@pytest.mark.parametrize("clean", [0, 1])
def test_an_employee_who_knows_the_application_token_cannot_end_an_installation(used: Stage, clean: int) -> None:
    """facts/platform 2: every user's frame is posted with it."""
    page, before = Opened(used), used.rows()
    assert used.opening("viewer").fields["APPLICATION_TOKEN"] == used.portal.application().application_token
    assert used.tell(uninstalling(used, clean=clean)).status_code == 403
    assert page.status() == 200
    assert doorway(used)
    after = used.rows()
    assert after.pop("portals")[0]["doubted_at"] is not None
    assert before.pop("portals")[0]["doubted_at"] is None
    assert {name: after[name] for name in ("connections", "grants", "lifecycle_events")} == {
        name: before[name] for name in ("connections", "grants", "lifecycle_events")
    }
    assert len(files(used)) == 1


def test_an_employee_with_expired_tokens_of_others_before_him_cannot_either(used: Stage) -> None:
    """Tokens that have expired are renewed to find out, and are not taken for dead ones."""
    used.control("expire-tokens")
    with used.services.sessions.begin() as session:
        session.query(UserToken).update({"expires_at": now() - timedelta(minutes=1)})
    assert used.tell(uninstalling(used, clean=1)).status_code == 403
    assert (used.record().state, doorway(used)) == ("active", True)


def test_an_event_that_the_authorization_server_contradicts_too_early_is_looked_into_again(used: Stage) -> None:
    """It comes once (facts/platform 4), and the server may hear of the removal after the portal's queue."""
    assert used.tell(uninstalling(used)).status_code == 403
    later(used)
    used.control("uninstall", lost=True)
    assert used.services.tokens.check.settle() == 1
    assert used.record().state == "uninstalled"


@pytest.mark.parametrize("silent", [False, True], ids=["confirmed", "nobody answers"])
def test_what_clean_deletes_waits_for_the_quarantine_and_a_returning_installation_finds_all(
    used: Stage, silent: bool
) -> None:
    page, event = Opened(used), uninstalling(used, clean=1)
    held = used.rows()["connections"]
    used.control("uninstall", lost=True)
    if silent:
        used.control("fail", target="oauth", times=1, shape="text")
    assert used.tell(event).status_code == 200
    assert (used.record().state, doorway(used), page.status()) == ("uninstalled", False, 401)
    used.services.uninstallations.clock = after(hours=47)
    assert used.services.uninstallations.purge() == 0
    be_back(used)
    assert used.rows()["connections"] == held
    assert doorway(used)
    assert len(files(used)) == 1
    used.services.uninstallations.clock = after(hours=100)
    assert used.services.uninstallations.purge() == 0


def test_after_the_quarantine_a_returning_installation_finds_nothing_even_if_nobody_tended(used: Stage) -> None:
    used.control("uninstall", clean=True)
    used.services.uninstallations.clock = after(hours=48)
    be_back(used)
    assert used.rows()["connections"] == used.rows()["hosted_connectors"] == []
    assert not files(used)
    assert used.record().state == "active"


def test_a_removal_that_nobody_confirms_keeps_credentials_for_the_quarantine_only(used: Stage) -> None:
    event = uninstalling(used)
    used.control("fail", target="oauth", times=50, shape="text")
    assert used.tell(event).status_code == 200
    assert (used.record().state, doorway(used), closed(used)) == ("uninstalled", False, False)
    used.services.uninstallations.clock = after(hours=48)
    used.services.uninstallations.purge()
    assert closed(used)


def test_a_quarantine_of_no_hours_deletes_at_once(tmp_path: Path) -> None:
    with staged(f"sqlite:///{tmp_path / 'app.db'}", uninstall_quarantine_hours=0) as stage:
        stage.register()
        stage.install()
        stage.finish()
        stage.control("uninstall", clean=True)
        assert stage.rows()["portals"] == []


@pytest.mark.parametrize("name", ["ONAPPINSTALL", "ONAPPUPDATE", "ONAPPPAYMENT"])
def test_an_event_without_an_access_token_does_not_keep_the_real_one_of_that_second_away(
    installed: Stage, name: str
) -> None:
    """Whoever knows the application token could name seconds to come, in which the portal's own event would be lost."""
    assert installed.tell(flat(name, bare_auth(installed), {"VERSION": 9}, ts="77")).status_code == 200
    assert not [row for row in installed.rows()["lifecycle_events"] if row["ts"] == "77"]
    assert installed.tell(flat("ONAPPUPDATE", full_auth(installed), {"VERSION": 2}, ts="77")).status_code == 200
    assert installed.record().version == 2


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let something happen once between reading a portal and ending it."""
    told, once = Uninstallations.end_by_event, iter([act])

    def late(self: Uninstallations, portal: Portal, *, clean: bool, confirmed: bool) -> bool:
        for happens in once:
            happens()
        return told(self, portal, clean=clean, confirmed=confirmed)

    monkeypatch.setattr(Uninstallations, "end_by_event", late)


def test_an_uninstall_event_is_not_lost_when_the_token_is_sealed_anew_meanwhile(
    used: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event comes once (facts/platform 4); `flask keys rotate` may run at the same moment."""

    def rotate() -> None:
        portal = used.record()
        used.services.vault.put(portal, "application_token", used.services.vault.get(portal, "application_token"))
        with used.services.sessions.begin() as session:
            session.query(Portal).update({"application_token": portal.application_token})

    meanwhile(monkeypatch, rotate)
    event = uninstalling(used)
    used.control("uninstall", lost=True)
    assert used.tell(event).status_code == 200
    assert used.record().state == "uninstalled"
    assert used.rows()["grants"] == []
    assert closed(used)


def test_an_uninstall_event_of_an_installation_that_was_replaced_meanwhile_ends_nothing(
    used: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    installations = used.services.installations
    meanwhile(monkeypatch, lambda: installations.accept_token(used.record(), "of the new installation"))
    event = uninstalling(used)
    used.control("uninstall", lost=True)
    assert used.tell(event).status_code == 403
    assert used.record().state == "active"
    assert not closed(used)
    assert len(files(used)) == 1


def test_a_removed_portal_that_opens_again_is_taken_in_again(installed: Stage) -> None:
    """The events of removal and reinstallation may both be late or lost."""
    gone(installed, "NOT_INSTALLED")
    with installed.services.sessions() as session:
        assert session.query(UserToken).count() == 0
    installed.register()
    assert installed.enter("analyst").status_code == 200
    assert installed.record().state == "active"
    with installed.services.sessions() as session:
        assert session.query(UserSession).count() == 1
