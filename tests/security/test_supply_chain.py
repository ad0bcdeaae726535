"""Dependencies are pinned, licences judged, and an audit that looked at nothing is no good news."""

from __future__ import annotations

import subprocess

import pytest

from bench.security import supply_chain
from bench.security.supply_chain import NOTHING_KNOWN, is_forbidden, known_faults, names_of, of_audit, pins


def test_every_dependency_has_one_version_and_hashes() -> None:
    promise = pins()
    assert promise.kept, promise.measured
    assert {"flask", "sqlalchemy", "requests", "jinja2", "psycopg"} <= {
        name.lower() for name in names_of("requirements.txt")
    }


def test_an_audit_that_reached_no_database_finds_nothing_out() -> None:
    skipped = {"name": "flask", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    promise = of_audit("no known fault", "0", [skipped, {"name": "requests", "version": "2", "vulns": []}])
    assert not promise.kept
    assert "the database was not reached for 1 of 2" in promise.measured


def test_a_known_fault_breaks_the_promise_and_none_keeps_it() -> None:
    fault = {"name": "flask", "version": "1", "vulns": [{"id": "PYSEC-2018-66"}]}
    assert "PYSEC-2018-66" in of_audit("no known fault", "0", [fault]).measured
    assert not of_audit("no known fault", "0", [fault]).kept
    assert of_audit("no known fault", "0", [{"name": "flask", "version": "3", "vulns": []}]).kept
    assert not of_audit("no known fault", "0", []).kept


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("MIT", False),
        ("BSD-3-Clause", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("LGPL-3.0-only", False),
        ("GNU General Public License v3 (GPLv3)", True),
        ("AGPL-3.0", True),
        ("UNKNOWN", True),
        ("", True),
    ],
)
def test_a_licence_that_wants_the_apps_own_source_is_told(licence: str, forbidden: bool) -> None:
    assert is_forbidden(licence) is forbidden


def test_an_audit_that_does_not_end_is_no_good_news_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*command: str, seconds: float) -> str:
        raise subprocess.TimeoutExpired(command, seconds)

    monkeypatch.setattr(supply_chain, "run", endless)
    promise = known_faults()
    assert not promise.kept
    assert NOTHING_KNOWN in promise.measured
