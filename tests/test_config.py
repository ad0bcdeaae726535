"""Settings are one table: parsed once, explained when wrong, documented where operators look."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
KEY_1 = base64.b64encode(b"1" * 32).decode()
KEY_2 = base64.b64encode(b"2" * 32).decode()
NEEDED = {"secret_keys": f"k1:{KEY_1}", "bitrix24_client_id": "app.test", "bitrix24_client_secret": "client-secret"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings(**given: Any) -> Settings:
    return Settings.from_environment(**{**NEEDED, **given})


def test_the_defaults_are_those_that_a_marketplace_app_needs() -> None:
    made = settings()
    assert made.database_url == "sqlite:///instance/app.db"
    assert made.base_url == "http://127.0.0.1:8000"
    # facts/platform 3.1: the only two authorization servers that may see the client secret
    assert made.bitrix24_oauth_urls == ("https://oauth.bitrix.info", "https://oauth.bitrix24.tech")
    assert made.egress_policy == "external-only"
    assert made.egress_allow == made.bitrix24_insecure_hosts == ()


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEYS", f"k2:{KEY_2},k1:{KEY_1}")
    monkeypatch.setenv("BITRIX24_CLIENT_ID", "app.environment")
    monkeypatch.setenv("BITRIX24_CLIENT_SECRET", "s")
    monkeypatch.setenv("BITRIX24_OAUTH_URLS", "https://one.example/, https://two.example")
    monkeypatch.setenv("PUBLIC_URL", "https://app.example/")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///here.db")
    made = Settings.from_environment()
    assert [key_id for key_id, _ in made.secret_keys] == ["k2", "k1"]
    assert made.bitrix24_client_id == "app.environment"
    assert made.bitrix24_oauth_urls == ("https://one.example", "https://two.example")
    assert made.base_url == "https://app.example"


def test_in_production_no_database_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty database beside the real one knows no portal, and daily care would find all files left over."""
    for unset in (False, True):
        if unset:
            monkeypatch.setenv("DATABASE_URL", "")
        with pytest.raises(ConfigurationError, match=r"^DATABASE_URL is missing\. Where PUBLIC_URL is https"):
            settings(public_url="https://bi.example.com")
    assert settings(public_url="http://10.0.0.5:8000").database_url == "sqlite:///instance/app.db"
    named = settings(public_url="https://bi.example.com", database_url="sqlite:///instance/app.db")
    assert named.database_url == "sqlite:///instance/app.db"


def test_an_empty_value_in_the_environment_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "DATABASE_URL", "EGRESS_POLICY", "BITRIX24_OAUTH_URLS"):
        monkeypatch.setenv(name, "")
    assert settings() == Settings.from_environment(**NEEDED, port=8000)
    assert settings().bitrix24_oauth_urls == ("https://oauth.bitrix.info", "https://oauth.bitrix24.tech")


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_missing_secret_stops_the_start_and_says_what_to_do(name: str) -> None:
    given = {key: value for key, value in NEEDED.items() if key != name}
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment(**given)
    text = str(caught.value)
    assert text.startswith(f"{name.upper()} is missing. ")
    assert len(text.split(". ")) >= 2


@pytest.mark.parametrize(
    "keys",
    ["", "k1", "k1:", "k1:c2hvcnQ=", f"k1:{KEY_1},k1:{KEY_2}", f":{KEY_1}", f"k 1:{KEY_1}", f"k1:{KEY_1[:-4]}"],
)
def test_a_key_ring_that_cannot_work_is_refused(keys: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEYS"):
        settings(secret_keys=keys)


def test_url_safe_keys_are_the_same_keys() -> None:
    raw = bytes(range(224, 256))
    plain = settings(secret_keys=f"k:{base64.b64encode(raw).decode()}")
    url_safe = settings(secret_keys=f"k:{base64.urlsafe_b64encode(raw).decode().rstrip('=')}")
    assert plain.secret_keys[0][1].get_secret_value() == url_safe.secret_keys[0][1].get_secret_value()


@pytest.mark.parametrize(
    ("name", "value"),
    [("egress_policy", "everything"), ("port", "0"), ("port", "70000"), ("session_hours", "0"), ("log_level", "LOUD")],
)
def test_a_value_outside_its_range_names_the_setting(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name.upper()}: "):
        settings(**{name: value})


def test_no_secret_shows_in_a_printed_settings_object() -> None:
    shown = repr(settings()) + str(settings())
    assert KEY_1 not in shown
    assert "client-secret" not in shown


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    page = (ROOT / "docs/operate/settings.md").read_text()
    for name, field in Settings.model_fields.items():
        row = next((line for line in page.splitlines() if line.startswith(f"| `{name.upper()}` |")), None)
        assert row is not None, f"{name.upper()} is not in docs/operate/settings.md"
        assert field.description is not None
        assert field.description.replace("|", "\\|") in row
        if isinstance(field.default, str | int) and not isinstance(field.default, bool) and field.default != "":
            assert f"`{field.default}`" in row
    documented = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert documented == {name.upper() for name in Settings.model_fields}
