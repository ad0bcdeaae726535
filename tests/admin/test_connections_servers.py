"""The form of a connection to a database server, with a real PostgreSQL behind it."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.limits.budgets import FAILED_LOGINS
from tests.admin.shops import PASSWORD, watched
from tests.databases import POSTGRESQL, own_name, postgresql_database
from tests.drivers.servers import Canary, certificates
from tests.pages import PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    return watched(hosted)


@pytest.fixture
def database() -> Iterator[str]:
    with postgresql_database("pages") as name:
        with psycopg.connect(f"{POSTGRESQL} dbname={name}", autocommit=True) as own:
            own.execute("CREATE TABLE deals (id bigint PRIMARY KEY, amount numeric(12,2), made timestamptz)")
            own.execute("INSERT INTO deals VALUES (9007199254740993, 10.50, '2026-01-02 03:04:05+00')")
        yield name


def server(name: str, **changes: str) -> dict[str, str]:
    fields = {"host": "127.0.0.1", "port": "5432", "database": name, "username": "postgres", "tls": "disable"}
    values = {**fields, "password": PASSWORD, **changes}
    return {"driver": "postgresql", "title": "CRM", **{f"settings-{code}": value for code, value in values.items()}}


def test_a_server_is_tried_step_by_step(client: PageClient, database: str) -> None:
    page = client.post("/connections/new", {**server(database), "_test": "1"})
    assert page.status == 200
    ticks = [item.text for item in page.all(".ticks li.good")]
    assert [tick.rsplit(" ", 2)[0] for tick in ticks if "Login" not in tick] == [
        "Address can be read",
        "Name is known 127.0.0.1",
        "Port is open",
        "List of tables 1",
        "One row read",
    ]
    assert "Login PostgreSQL" in ticks[3]


@pytest.mark.parametrize(
    ("wrong", "field", "step"),
    [
        ({"host": "nowhere.invalid"}, "settings-host", "Name is known"),
        ({"host": "http://db"}, "settings-host", "Address can be read"),
        ({"port": "1"}, "settings-port", "Port is open"),
        ({"tls": "require"}, "settings-tls", "Connection is encrypted"),
        ({"database": "no_such_base"}, "settings-database", "Login"),
        ({"username": "nobody_here"}, "settings-username", "Login"),
    ],
)
def test_a_failing_step_is_told_beside_its_field(
    client: PageClient, database: str, wrong: dict[str, str], field: str, step: str
) -> None:
    page = client.post("/connections/new", server(database, **wrong))
    assert page.status == 422
    assert list(page.sentences()) == [field]
    assert page.one(".ticks li.bad").text.startswith(step)


def test_encryption_is_asked_for_beside_the_port(client: PageClient) -> None:
    """Its default fails on every server without TLS, so it may not hide below the fold."""
    page = client.get("/connections/new?driver=postgresql")
    names = [control.get("name") for control in page.all(".columns .card:first-child input, select")]
    visible = [name for name in names if name.startswith("settings-")]
    assert visible[:3] == ["settings-host", "settings-port", "settings-tls"]
    assert "settings-tls" not in [control.get("name") for control in page.all("details select")]


def test_the_statements_name_the_database_that_was_typed(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "mssql", "settings-database": "warehouse", "_test": "1"})
    assert "USE warehouse;" in page.one("pre").text


def test_a_server_without_read_only_sessions_says_what_guards_its_data(client: PageClient) -> None:
    said = "This server knows no read-only session"
    assert said in client.get("/connections/new?driver=mssql").words
    assert said not in client.get("/connections/new?driver=postgresql").words


def test_what_failed_is_told_in_one_place(client: PageClient, database: str) -> None:
    page = client.post("/connections/new", server(database, port="1"))
    assert page.words.count("Nothing listens at this port.") == 1
    assert page.one(".ticks li.bad").text.startswith("Port is open")


def test_a_typed_password_survives_a_failed_save_and_is_never_in_the_page(
    hosted: HostedStage, client: PageClient, database: str
) -> None:
    page = client.post("/connections/new", server(database, port="1"))
    page = client.submit(page, "Save and connect", {"settings-port": "5432"})
    assert page.place == "/connections/1"
    assert hosted.held(1).settings["password"] == PASSWORD


def test_a_blank_password_keeps_the_stored_one(hosted: HostedStage, client: PageClient, database: str) -> None:
    client.post("/connections/new", server(database))
    page = client.get("/connections/1/edit")
    assert page.value("settings-password") == ""
    assert client.submit(page, "Test and save", {"title": "Deals"}).heading == "Deals"
    assert hosted.held(1).settings["password"] == PASSWORD
    page = client.submit(client.get("/connections/1/edit"), "Test and save", {"settings-password": "another"})
    assert hosted.held(1).settings["password"] == "another"


CHANGED = [
    {"settings-host": "localhost"},
    {"settings-port": "5433"},
    {"settings-username": "root"},
    {"settings-tls": "require"},
    {"settings-ca": "-----BEGIN CERTIFICATE-----"},
]


@pytest.mark.parametrize("button", ["Test and save", "Test the connection"])
@pytest.mark.parametrize("changed", CHANGED, ids=repr)
def test_a_stored_password_is_asked_for_again_where_it_would_go_elsewhere(
    hosted: HostedStage, client: PageClient, database: str, changed: dict[str, str], button: str
) -> None:
    """Whoever edits a connection could otherwise have its password sent to a server of his own."""
    client.post("/connections/new", server(database))
    held = hosted.held(1).settings
    page = client.submit(client.get("/connections/1/edit"), button, changed | {"title": "Moved"})
    assert page.status == 422
    assert "typed for another server" in page.sentences()["settings-password"]
    assert {name: page.value(name) for name in changed} == changed
    assert page.value("title") == "Moved"
    assert (hosted.held(1).settings, hosted.held(1).title) == (held, "CRM")
    assert not page.all(".ticks li")


def test_a_rogue_server_in_place_of_the_real_one_hears_nothing(
    hosted: HostedStage, client: PageClient, database: str
) -> None:
    client.post("/connections/new", server(database))
    with Canary(["127.0.0.1"]) as rogue:
        changed = {"settings-port": str(rogue.port)}
        for button in ("Test the connection", "Test and save"):
            client.submit(client.get("/connections/1/edit"), button, changed)
        assert rogue.connections == 0
        client.submit(client.get("/connections/1/edit"), "Test the connection", changed | {"settings-password": "mine"})
        assert rogue.connections > 0


def test_what_does_not_lead_elsewhere_keeps_the_stored_password(
    hosted: HostedStage, client: PageClient, database: str
) -> None:
    client.post("/connections/new", server(database))
    changed = {"settings-host": " 127.0.0.1 ", "settings-port": "", "settings-timezone": "Asia/Almaty"}
    page = client.submit(client.get("/connections/1/edit"), "Test and save", changed)
    assert page.place == "/connections/1"
    assert hosted.held(1).settings["password"] == PASSWORD


def test_the_form_says_when_a_stored_password_has_to_be_typed_again(client: PageClient, database: str) -> None:
    client.post("/connections/new", server(database))
    words = client.get("/connections/1/edit").words
    assert "type it again if you change one of these: Server, Port, User, Encryption, Certificate authority." in words


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_certificate_authority_can_be_chosen_as_a_file(
    hosted: HostedStage, client: PageClient, database: str, tmp_path: Path, form: str
) -> None:
    text = Path(certificates(tmp_path, "127.0.0.1").ca_file).read_text()
    content = text.encode() if form == "PEM" else ssl.PEM_cert_to_DER_cert(text)
    chosen = {"authority": (io.BytesIO(content), "ca.crt")}
    page = client.submit(client.post("/connections/new", server(database, port="1")), "Test the connection", chosen)
    assert page.value("settings-ca").strip() == text.strip()


def test_a_pasted_connection_string_fills_the_fields(client: PageClient, database: str) -> None:
    pasted = f"jdbc:postgresql://postgres:canary-Passw0rd%2F%C3%BC@127.0.0.1:5433/{database}?sslmode=disable"
    page = client.submit(
        client.get("/connections/new?driver=postgresql"),
        "Fill the fields",
        {"title": "CRM", "settings-connection_string": pasted},
    )
    shown = {name: page.value(f"settings-{name}") for name in ("host", "port", "database", "username", "tls")}
    assert shown == {
        "host": "127.0.0.1",
        "port": "5433",
        "database": database,
        "username": "postgres",
        "tls": "disable",
    }
    assert "canary" not in page.text
    assert client.submit(page, "Save and connect", {"settings-port": "5432"}).place == "/connections/1"


def test_enter_in_the_connection_string_fills_the_fields_and_saves_nothing(
    hosted: HostedStage, client: PageClient
) -> None:
    """Enter presses the first button of a form, which is the one that saves."""
    pasted = "postgresql://reader:canary-Passw0rd%2F%C3%BC@db.example.com:6432/shop"
    page = client.post(
        "/connections/new", {"driver": "postgresql", "title": "CRM", "settings-connection_string": pasted}
    )
    assert (page.status, page.sentences()) == (200, {})
    assert [page.value(f"settings-{code}") for code in ("host", "port")] == ["db.example.com", "6432"]
    assert hosted.house.repository.page(hosted.portal_id).items == ()


def test_a_pasted_string_is_kept_sealed_until_it_has_filled_the_fields(client: PageClient) -> None:
    pasted = "postgresql://reader:canary-Passw0rd%2F%C3%BC@db.example.com:6432/shop"
    fields = {"driver": "postgresql", "title": "CRM", "settings-host": "db", "settings-port": "x"}
    page = client.post("/connections/new", {**fields, "settings-connection_string": pasted, "_test": "1"})
    assert "settings-port" in page.sentences()
    assert "6432" not in page.text
    page = client.submit(page, "Fill the fields")
    assert page.value("settings-host") == "db.example.com"
    assert "_kept-connection_string" not in page.text


def test_what_is_no_connection_string_is_told(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "postgresql", "_fill": "1", "settings-connection_string": "x"})
    assert list(page.sentences()) == ["settings-connection_string"]


def test_after_five_wrong_passwords_nobody_asks_the_server(hosted: HostedStage, client: PageClient) -> None:
    """facts/security 4 layer 4: failed logins of one user at one server, whoever asks."""
    for _ in range(5):
        hosted.house.budgets.strike(FAILED_LOGINS, str(hosted.portal_id), "127.0.0.1 5432", "postgres")
    page = client.post("/connections/new", server("whatever"))
    assert "This user failed to log in there too often" in page.alerts[0]


def test_tables_without_a_right_are_counted_with_what_to_run_for_them(client: PageClient, database: str) -> None:
    role = own_name("pages_reader")
    with psycopg.connect(f"{POSTGRESQL} dbname={database}", autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN".encode())
        owner.execute("CREATE SCHEMA crm; CREATE TABLE crm.leads (id int); CREATE TABLE open_to_all (id int)")
        owner.execute(f"GRANT SELECT ON open_to_all TO {role}".encode())
        page = client.post("/connections/new", {**server(database, username=role), "_test": "1"})
        assert page.one(".alert.warn h2").text == "2 tables are hidden: no right"
        client.post("/connections/new", server(database, username=role))
        page = client.get("/connections/1/tables")
        assert [row.text for row in page.all("tbody .item-title")] == ["open_to_all"]
        assert page.one(".alert.warn h2").text == "2 tables are hidden: no right"
        owner.execute(page.one(".alert.warn pre").text.encode())
        page = client.get("/connections/1/tables?refresh=1")
        assert page.all(".alert.warn") == []
        assert [row.text for row in page.all("tbody .item-title")] == ["deals", "open_to_all", "leads"]
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
