"""Databases as people have them: each case of `databases/` is set up on its server and asked for as portals ask.

A case is a folder: `setup.sql` for the `server` (`database_servers.py`), and `case.json` with `settings` where they are
not the usual ones, what another session does `meanwhile`, and `steps`: an `endpoint` with `table`, `select`, `filter`
(fields of a form as portals send them) or `search`, statements that run `before` it, and what to `expect` (`status`,
`rows` in any order, `or_status` and `or_rows` where another answer is right as well, `count`, types of `columns`, codes
of `tables`, and of the record that is kept of the call `log_code`, or a word of it: `log_has`), or what the customer's
own program is told through the same pooler (`psql`). `right` says in words what is right; `source` is the public report
behind it.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.cases.database_servers import FOLDER, KINDS, Server, case_of, setup_of
from tests.gateway.hosting import Connected, Host, hosting

CASES = sorted(path.parent.name for path in FOLDER.glob("*/case.json"))
RUN = [name for name in CASES if case_of(name)["server"] in KINDS]
ENDPOINTS = {"check": "urlCheck", "tables": "urlTableList", "description": "urlTableDescription", "data": "urlData"}


class Stage:
    """The application, and the servers that cases have needed so far."""

    def __init__(self, host: Host, folder: Path, closing: contextlib.ExitStack) -> None:
        self.host, self._folder, self._closing = host, folder, closing
        self._servers: dict[str, Server] = {}

    def server(self, kind: str) -> Server:
        """The server of a kind, for all cases."""
        if kind not in self._servers:
            self._servers[kind] = KINDS[kind](self._folder)
            self._closing.callback(self._servers[kind].close)
        return self._servers[kind]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("cases")
    with hosting(folder) as host, contextlib.ExitStack() as closing:
        yield Stage(host, folder, closing)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for as usual, for a shorter time."""
    monkeypatch.setattr("drivers.sqlite.driver.BUSY_SECONDS", 0.05)
    monkeypatch.setattr("drivers.mysql.driver.LOCK_SECONDS", 1)
    monkeypatch.setattr("drivers.postgresql.driver.LOCK_SECONDS", 1)


@pytest.mark.parametrize("name", RUN)
def test_a_database_answers_as_it_is_meant(name: str, stage: Stage) -> None:
    case = case_of(name)
    server = stage.server(case["server"])
    with contextlib.ExitStack() as sessions:
        if setup := setup_of(name):
            with server.run(name, case, setup):
                pass
        if meanwhile := case.get("meanwhile"):
            sessions.enter_context(server.run(name, case, meanwhile))
        connected = stage.host.connect(server.driver, server.settings(name, case))
        for step in case["steps"]:
            if "psql" in step:
                assert server.said(name, case, step["psql"]) == step["expect"]
                continue
            if before := step.get("before"):
                with server.run(name, case, before):
                    pass
            answer = asked(connected, server, step)
            check_record(step["expect"], answer, stage.host)
            if answer.status_code == 200:
                check_answer(step["expect"], json.loads(answer.data, parse_float=Decimal))


def asked(connected: Connected, server: Server, step: Mapping[str, Any]) -> TestResponse:
    fields: dict[str, Any] = dict(step.get("filter", {}))
    if "table" in step:
        fields["table"] = server.own(step["table"])
    if "search" in step:
        fields["searchString"] = step["search"]
    return connected.call(ENDPOINTS[step["endpoint"]], {**fields, "select": step.get("select")})


def check_record(expected: Mapping[str, Any], answer: TestResponse, host: Host) -> None:
    record = host.calls()[-1]
    said = f"{record.status} {record.code}: {record.reason}"
    assert answer.status_code == record.status
    if answer.status_code == expected.get("or_status"):
        return
    assert answer.status_code == expected.get("status", answer.status_code), said
    assert answer.status_code not in expected.get("not_status", []), said
    assert record.code == expected.get("log_code", record.code), said
    assert expected.get("log_has", "").lower() in said.lower()


def check_answer(expected: Mapping[str, Any], answer: Any) -> None:
    if "columns" in expected:
        types = {column["code"]: column["type"] for column in answer}
        assert {code: types.get(code) for code in expected["columns"]} == expected["columns"]
    codes = {table["code"] for table in answer} if {"tables", "tables_have", "tables_lack"} & set(expected) else set()
    assert codes == set(expected.get("tables", codes))
    assert codes >= set(expected.get("tables_have", ()))
    assert not codes & set(expected.get("tables_lack", ()))
    if "rows" in expected:
        either = [expected["rows"], expected.get("or_rows", expected["rows"])]
        # Numbers are the same by value, however they are written.
        assert counted(answer[1:]) in [counted(json.loads(json.dumps(rows), parse_float=Decimal)) for rows in either]
    if "count" in expected:
        assert len(answer) - 1 == expected["count"]


def counted(rows: list[list[Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(map(tuple, rows))
