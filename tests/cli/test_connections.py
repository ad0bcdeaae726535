"""`flask connections`: the road from a database to four addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import update

from models import ConnectionRow
from tests.gateway.bodies import FORM, form_body
from tests.gateway.hosting import MEMBER_ID, Host, hosting

SQLITE = ("--driver", "sqlite", "--title", "Deals", "--set", "path=deals.sqlite")
SERVER = ("--driver", "postgresql", "--title", "Server", "--set", "host=db.example.com", "--set", "database=d")
PASSWORD = "canary-password"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "deals.sqlite").touch()
    with hosting(tmp_path) as host:
        yield host


def run(host: Host, *words: str) -> Result:
    return host.app.test_cli_runner().invoke(args=["connections", *words])


def add(host: Host, *words: str) -> Result:
    return run(host, "add", "--portal", MEMBER_ID, *words)


def test_adding_prints_one_object_with_id_key_and_urls(host: Host) -> None:
    told = add(host, *SQLITE)
    assert told.exit_code == 0
    issued = json.loads(told.stdout)
    assert issued.keys() == {"id", "key", "urls"}
    assert issued["urls"].keys() == {"urlCheck", "urlTableList", "urlTableDescription", "urlData"}
    for name, part in [("urlCheck", "check"), ("urlTableList", "tables"), ("urlTableDescription", "description")]:
        assert issued["urls"][name].endswith(f"/{part}")
    assert issued["urls"]["urlData"].startswith("http://app.test/gateway/")


def test_what_was_printed_opens_the_endpoints(host: Host) -> None:
    issued = json.loads(add(host, *SQLITE).stdout)
    body = form_body({"connection": {"key": issued["key"]}})
    path = issued["urls"]["urlCheck"].removeprefix("http://app.test")
    assert host.app.test_client().post(path, data=body, content_type=FORM).status_code == 200


def test_the_list_tells_everything_but_secrets(host: Host) -> None:
    key = json.loads(add(host, *SERVER, "--set", "username=u", "--set", f"password={PASSWORD}").stdout)["key"]
    told = run(host, "list", "--json")
    (row,) = json.loads(told.stdout)
    assert (row["portal"], row["driver"], row["title"]) == (MEMBER_ID, "postgresql", "Server")
    assert row["settings"]["host"] == "db.example.com"
    assert row["settings"]["tls"] == "verify-full"  # the default
    assert "password" not in row["settings"]
    for secret in (PASSWORD, key, "bxk1_"):
        assert secret not in told.output
    assert "Server" in run(host, "list").output


def test_an_empty_list_is_valid_json(host: Host) -> None:
    assert json.loads(run(host, "list", "--json").stdout) == []


def test_rotating_prints_the_new_key(host: Host) -> None:
    issued = json.loads(add(host, *SQLITE).stdout)
    told = run(host, "rotate", str(issued["id"]))
    assert told.exit_code == 0
    fresh = json.loads(told.stdout)
    assert fresh["key"] != issued["key"]
    assert (fresh["id"], fresh["urls"]) == (issued["id"], issued["urls"])


def test_a_key_that_a_source_in_the_portal_holds_is_not_changed_behind_its_back(host: Host) -> None:
    """facts/security 4 "Rotation": never revoke before the read-back, and only the page can read back."""
    issued = json.loads(add(host, *SQLITE).stdout)
    with host.app.extensions["services"].sessions.begin() as session:
        session.execute(update(ConnectionRow).values(source_id=7))
    told = run(host, "rotate", str(issued["id"]))
    assert told.exit_code == 1
    assert "Its source in the portal holds the key" in told.output


def test_removing_closes_the_endpoints(host: Host) -> None:
    issued = json.loads(add(host, *SQLITE).stdout)
    assert run(host, "remove", str(issued["id"])).exit_code == 0
    body = form_body({"connection": {"key": issued["key"]}})
    path = issued["urls"]["urlCheck"].removeprefix("http://app.test")
    assert host.app.test_client().post(path, data=body, content_type=FORM).status_code == 404
    assert json.loads(run(host, "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "--portal", "nobody", *SQLITE), "portal: The application is not installed in this portal"),
        (("add", "--portal", MEMBER_ID, "--driver", "dbase", "--title", "T"), "driver: There is no such driver"),
        (("add", "--portal", MEMBER_ID, "--driver", "sqlite", "--title", " "), "title: The connection needs a title"),
        (("add", "--portal", MEMBER_ID, "--driver", "sqlite", "--title", "T"), "path: This is needed to connect"),
        (
            ("add", "--portal", MEMBER_ID, *SQLITE, "--set", "host=x"),
            "host: This kind of connection has no such setting",
        ),
        (
            ("add", "--portal", MEMBER_ID, *SERVER, "--set", "username=u", "--set", "port=x"),
            "port: This is no whole number",
        ),
        (("add", "--portal", MEMBER_ID, *SERVER, "--set", "username=u", "--set", "tls=maybe"), "tls: This is none"),
        (
            ("add", "--portal", MEMBER_ID, *SQLITE, "--set", "timezone=Mars/Base"),
            "timezone: There is no such time zone",
        ),
        (("add", "--portal", MEMBER_ID, *SQLITE, "--set", "path=b"), "--set names path twice"),
        (("add", "--portal", MEMBER_ID, *SQLITE, "--set", "path"), "--set takes NAME=VALUE"),
        (("rotate", "77"), "id: There is no such connection"),
        (("remove", "77"), "id: There is no such connection"),
    ],
)
def test_what_is_wrong_is_said_beside_its_name(host: Host, words: tuple[str, ...], said: str) -> None:
    told = run(host, *words)
    assert told.exit_code == 1
    assert said in told.output
    assert told.stdout == ""


def test_a_value_may_hold_any_character(host: Host) -> None:
    told = add(host, *SERVER, "--set", "username=u", "--set", "password=a=b c&d\"'%")
    assert told.exit_code == 0
