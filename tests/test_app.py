"""The start: settings that contradict each other end it with a sentence, and the chosen policy is logged."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from egress.errors import TargetRefused
from errors import ConfigurationError
from models import Base, servers_of
from services import wiring
from tests.doors import key, settings_for
from tests.waiting import HANG

ROOT = Path(__file__).parent.parent
PROGRAMS = {"flask": ["flask", "routes"], "gunicorn": ["gunicorn", "--config", "gunicorn.conf.py", "app:create_app()"]}


def environment(**given: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SECRET_KEYS": key("k1"),
        "BITRIX24_CLIENT_ID": "app.test",
        "BITRIX24_CLIENT_SECRET": "canary-client-secret",
        "DATABASE_URL": "sqlite://",
        **given,
    }


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"SECRET_KEYS": "k1:short"}, "SECRET_KEYS: expected"),
        ({"BITRIX24_OAUTH_URLS": "http://oauth.example"}, "BITRIX24_OAUTH_URLS: http://oauth.example must be https"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_a_sentence_and_without_a_traceback(
    program: str, wrong: dict[str, str], sentence: str
) -> None:
    told = subprocess.run(
        PROGRAMS[program], cwd=ROOT, env=environment(**wrong), capture_output=True, text=True, timeout=HANG, check=False
    )
    assert told.returncode != 0
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr
    assert "canary" not in told.stderr + told.stdout


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"bitrix24_oauth_urls": ""}, "BITRIX24_OAUTH_URLS names no authorization server"),
        ({"bitrix24_oauth_urls": "oauth.bitrix.info"}, "is not an address like"),
        ({"bitrix24_oauth_urls": "https://user@oauth.bitrix.info"}, "is not an address like"),
        ({"bitrix24_oauth_urls": "https://oauth.bitrix.info:x"}, "is not an address"),
        ({"bitrix24_oauth_urls": "ftp://oauth.bitrix.info"}, "is not an address like"),
        (
            {"bitrix24_oauth_urls": "http://localhost:8001", "bitrix24_insecure_hosts": "localhost:8002"},
            "localhost:8001",
        ),
        ({"egress_allow": "nonsense"}, "EGRESS_ALLOW"),
        ({"public_url": "bi.example.com"}, "PUBLIC_URL"),
        ({"public_url": "https://bi.example.com:x"}, "PUBLIC_URL"),
        ({"public_url": "https://example.com/bi"}, "give it a host name of its own, like https://example.com."),
        ({"public_url": "https://example.com/bi/"}, "is more than scheme, host and port"),
        ({"public_url": "https://bi.example.com?portal=1"}, "is more than scheme, host and port"),
        ({"public_url": "https://bi.example.com#start"}, "is more than scheme, host and port"),
        ({"public_url": "https://user@bi.example.com"}, "is more than scheme, host and port"),
        ({"bitrix24_js_url": "//api.bitrix24.com/api/v1/"}, "BITRIX24_JS_URL"),
        ({"bitrix24_js_url": "https://a;script-src *"}, "BITRIX24_JS_URL"),
        ({"extra_frame_ancestors": "https://desktop.example/path"}, "EXTRA_FRAME_ANCESTORS"),
        ({"extra_frame_ancestors": "*"}, "EXTRA_FRAME_ANCESTORS"),
        ({"extra_frame_ancestors": "https://a.example; script-src *"}, "EXTRA_FRAME_ANCESTORS"),
        ({"bitrix24_insecure_hosts": "nonsense"}, "BITRIX24_INSECURE_HOSTS"),
        (
            {"egress_policy": "allow-all", "public_url": "https://bi.example.com"},
            "EGRESS_POLICY=allow-all is for tests",
        ),
    ],
)
def test_settings_that_would_be_unsafe_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises((ConfigurationError, SystemExit), match=sentence):
        create_app(settings_for("sqlite://", **given))


@pytest.mark.parametrize(
    "given",
    [
        {"bitrix24_oauth_urls": "http://localhost:8001", "bitrix24_insecure_hosts": "localhost:8001"},
        {"bitrix24_oauth_urls": "http://localhost", "bitrix24_insecure_hosts": "localhost:80"},
        {"bitrix24_oauth_urls": "https://oauth.bitrix.info/"},
        {"egress_policy": "allow-all"},
        {"extra_frame_ancestors": "https://desktop.example,https://[2001:db8::1]:8443"},
        {"public_url": "https://bi.example.com/"},
    ],
)
def test_settings_of_closed_networks_and_tests_are_taken(given: dict[str, Any]) -> None:
    create_app(settings_for("sqlite://", **given)).extensions["services"].engine.dispose()


def test_the_egress_policy_is_logged_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    wiring.build(
        settings_for("sqlite://", egress_policy="allow-private", egress_allow="10.0.0.0/8:5432")
    ).engine.dispose()
    assert (
        "egress policy allow-private, allowed besides: 10.0.0.0/8:5432, denied: nothing, insecure portals: none"
        in caplog.text
    )


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("postgresql+psycopg://postgres@appdb.example/app", [("appdb.example", 5432)]),
        ("mariadb+pymysql://root@[fd00::5]:3307/app", [("fd00::5", 3307)]),
        ("postgresql+psycopg://u@/app?host=one:6000&host=two", [("one", 6000), ("two", 5432)]),
        ("postgresql+psycopg://u@/app?host=one,[fd00::6]:6001", [("one", 5432), ("fd00::6", 6001)]),
        ("postgresql+psycopg://u@/app?host=/run/postgresql", []),
        ("sqlite:///app.db", []),
    ],
)
def test_the_apps_own_database_is_known_however_its_address_is_written(url: str, own: list[tuple[str, int]]) -> None:
    assert servers_of(url) == own


@pytest.mark.parametrize(("allow", "is_open"), [("", False), ("127.0.0.1:5432", True), ("localhost:5432", False)])
def test_the_apps_own_database_is_no_target_of_connections_unless_the_operator_says_so(
    allow: str, is_open: bool
) -> None:
    url = "postgresql+psycopg://postgres@127.0.0.1/postgres"
    services = wiring.build(settings_for(url, egress_policy="allow-all", egress_allow=allow))
    services.engine.dispose()
    with nullcontext() if is_open else pytest.raises(TargetRefused, match="denied"):
        services.policy.resolve("127.0.0.1", 5432)


def test_what_the_operator_closes_stays_closed() -> None:
    """facts/security 5.2: deny wins."""
    given = {"egress_policy": "allow-all", "egress_allow": "10.9.8.7:6379", "egress_deny": "10.0.0.0/8:6379"}
    services = wiring.build(settings_for("sqlite://", **given))
    services.engine.dispose()
    with pytest.raises(TargetRefused, match="denied"):
        services.policy.resolve("10.9.8.7", 6379)
    with pytest.raises(ConfigurationError, match="EGRESS_DENY"):
        wiring.build(settings_for("sqlite://", egress_deny="nonsense"))


def test_an_unmigrated_database_is_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    built = wiring.build(settings_for(url))
    assert "flask db-upgrade" in caplog.text
    caplog.clear()
    Base.metadata.create_all(built.engine)
    wiring.build(settings_for(url)).engine.dispose()
    built.engine.dispose()
    assert "flask db-upgrade" not in caplog.text


def test_behind_a_trusted_proxy_the_outer_address_counts() -> None:
    """The check of the origin compares with what the browser sees."""
    app = create_app(settings_for("sqlite://", trusted_proxies=1))
    headers = {"Origin": "https://bi.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "bi.example.com"}
    assert app.test_client().post("/connectors/", headers=headers).status_code == 401
    alone = create_app(settings_for("sqlite://"))
    assert alone.test_client().post("/connectors/", headers=headers).status_code == 403
    for made in (app, alone):
        made.extensions["services"].engine.dispose()


@pytest.mark.parametrize("address", ["", "https://bi.example.com", "https://bi.example.com/", "http://10.0.0.5:8000"])
def test_an_address_without_a_path_starts(address: str) -> None:
    wiring.build(settings_for("sqlite://", public_url=address)).engine.dispose()
