"""Secrets stand nowhere: not in logs at DEBUG, not in answers, not in the database (facts/security 1 row 18)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from admin import entry
from services.logs import redacted
from tests.doors import CLIENT_SECRET, Stage, staged
from tests.install.test_events import flat, full_auth, uninstalling

SESSION = re.compile(r'(?:name="_s" value|name="app-session" content)="([^"]+)"')


@pytest.fixture
def noisy(tmp_path: Path) -> Iterator[Stage]:
    with staged(f"sqlite:///{tmp_path / 'app.db'}", log_level="DEBUG") as stage:
        yield stage


def secrets_of(stage: Stage) -> set[str]:
    """Every token that the portal issued, and the application's own secrets."""
    found = {CLIENT_SECRET, stage.portal.application().application_token}
    for grant in stage.portal.whole().grants:
        found |= {grant.access_token, grant.refresh_token}
    found |= {key.get_secret_value() for _, key in stage.services.settings.secret_keys}
    return {secret for secret in found if secret}


def test_no_secret_reaches_logs_or_answers_or_the_database_on_any_way(
    noisy: Stage, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens: set[str] = set()
    noisy.register()
    pages = [noisy.install("analyst"), noisy.install()]
    noisy.finish()
    pages += [noisy.enter(), noisy.enter("viewer"), noisy.enter("analyst")]
    for fault in (
        {"shape": "text"},
        {"shape": "drop"},
        {"status": 500, "code": "INTERNAL_SERVER_ERROR"},
        {"status": 401, "code": "expired_token"},
        {"status": 401, "code": "NO_AUTH_FOUND"},
        {"status": 403, "code": "insufficient_scope"},
    ):
        for target in ("oauth", "rest"):
            noisy.control("fail", target=target, times=2, **fault)
            pages.append(noisy.enter("analyst"))
            noisy.control("mend")
    noisy.control("expire-tokens")
    client = noisy.app.test_client()
    for token in {token for page in pages for token in SESSION.findall(page.text)}:
        pages.append(client.get("/connectors/", headers={"X-App-Session": token}, buffered=True))
    pages.append(noisy.tell(flat("ONAPPUPDATE", full_auth(noisy), {"VERSION": 2})))
    pages.append(noisy.tell(uninstalling(noisy, application_token="canary-wrong-token")))
    crash(noisy, monkeypatch)
    noisy.control("uninstall", clean=False)

    for page in pages:
        tokens |= set(SESSION.findall(page.text))
    texts = {
        "standard error": capfd.readouterr().err,
        "records": "\n".join(
            record.getMessage() for record in caplog.records if record.name.partition(".")[0] != "emulator"
        ),
        "answers": "\n".join(page.text + str(page.headers) for page in pages),
        "database": "\n".join(noisy.services.engine.raw_connection().driver_connection.iterdump()),  # type: ignore[union-attr]  # SQLite
    }
    assert len(texts["records"]) > 1000
    secrets = secrets_of(noisy)
    assert len(secrets) > 30
    for place, text in texts.items():
        assert {secret for secret in secrets if secret in text} == set(), place
    assert tokens
    for place in ("standard error", "records", "database"):
        assert {token for token in tokens if token in texts[place]} == set(), place


def crash(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library's exception that quotes a request, as `requests` does, in the middle of a view."""

    def broken() -> str:
        grant = stage.portal.whole().grants[-1]
        raise RuntimeError(
            f"GET https://oauth.example/oauth/token/?refresh_token={grant.refresh_token}&auth={grant.access_token}"
        )

    app: Flask = stage.app
    with monkeypatch.context() as patched:
        patched.setattr(entry, "start_page", broken)
        assert app.testing is False
        answer = stage.enter("analyst")
    assert answer.status_code == 500
    assert "oauth.example" not in answer.text


@pytest.mark.parametrize(
    "text",
    [
        "https://acme.bitrix24.com/rest/x?auth=SECRETSECRET&a=1",
        "refresh_token=SECRETSECRET",
        '{"access_token": "SECRETSECRET", "a": 1}',
        "{'client_secret': 'SECRETSECRET'}",
        "[('AUTH_ID', 'SECRETSECRET'), ('a', 'b')]",
        "ImmutableMultiDict([('REFRESH_ID', 'SECRETSECRET')])",
        "auth[application_token]=SECRETSECRET",
        "auth%5Baccess_token%5D=SECRETSECRET",
        "data[refresh_token]: SECRETSECRET",
        "X-App-Session: SECRETSECRET",
        "_s=SECRETSECRET",
        "{'password': b'SECRETSECRET'}",
        "known-SECRETSECRET",
        "POST /gateway/552feead/SECRETSECRET/data HTTP/1.1",
        "the portal has bxk1_SECRETSECRET",
        "bxs1_SECRETSECRET opens nothing",
    ],
)
def test_a_line_that_quotes_a_secret_is_written_without_it(text: str) -> None:
    line = redacted(text, ["known-SECRETSECRET"])
    assert "SECRET" not in line
    assert "[hidden]" in line


@pytest.mark.parametrize(
    "text",
    [
        "call 78af0c: oauth.token at oauth.bitrix.info answered 200, ok, 12 ms",
        "portal a223c6b3710f85df22e9377d6c4f7553 answers NOT_INSTALLED: its tokens are not used any more",
        "grant 7 could not be kept alive: timeout",
    ],
)
def test_a_line_without_secrets_is_written_as_it_is(text: str) -> None:
    assert redacted(text) == text
