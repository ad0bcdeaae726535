"""The demonstration's environment: what a newcomer may connect to, and the files that wait for him."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import requests

from cli import demo
from egress.policy import Policy
from tests.doors import Stage
from tests.gateway.production import ROOT
from tests.ports import kept_port
from tests.waiting import HANG, eventually

WITHOUT = """
import fcntl, os, select
for module, name in [(os, "memfd_create"), (os, "fork"), (os, "O_TMPFILE"), (select, "epoll")]:
    delattr(module, name)
for name in [name for name in dir(fcntl) if name.startswith("F_OFD_")]:
    delattr(fcntl, name)
"""
"""What other systems than Linux lack; Python runs it first of all."""


def environment(folder: Path) -> dict[str, str]:
    return demo._environment(folder, "8000", "http://127.0.0.1:8000", "8001", "http://localhost:8001")


@pytest.mark.parametrize("port", [5432, 3306, 8123, 1433, 8080])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_demo_reaches_databases_of_this_machine_at_their_usual_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, port: int
) -> None:
    monkeypatch.delenv("EGRESS_ALLOW", raising=False)
    policy = Policy(allow=environment(tmp_path)["EGRESS_ALLOW"].split(","))
    assert policy.resolve(host, port).port == port


def test_what_the_caller_sets_comes_before_the_demos_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGRESS_ALLOW", "db.example.com:5432")
    assert environment(tmp_path)["EGRESS_ALLOW"] == "db.example.com:5432"


def test_the_invented_sales_wait_as_a_database_and_as_files(stage: Stage, tmp_path: Path) -> None:
    for _ in range(2):
        demo._write_files(stage.portal.url, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} >= {"sales.sqlite", "sales_orders.csv"}
    with closing(sqlite3.connect(tmp_path / "sales.sqlite")) as database:
        count, first = database.execute("SELECT count(*), min(order_date) FROM sales_orders").fetchone()
    assert count > 100
    assert len(first) == 10
    lines = (tmp_path / "sales_orders.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == count + 1


def test_the_demo_runs_where_the_system_has_less_than_linux(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    log = tmp_path / "demo.log"
    command = [sys.executable, "-m", "cli.demo", "--instance", str(tmp_path / "instance")]

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        return "Ctrl+C stops both" in log.read_text()

    with kept_port() as app, kept_port() as portal, log.open("w") as written:
        given = os.environ | {"PORT": str(app), "EMULATOR_PORT": str(portal), "PYTHONPATH": str(tmp_path)}
        process = subprocess.Popen(command, cwd=ROOT, env=given, stdout=written, stderr=subprocess.STDOUT)
        try:
            eventually(is_up, log.read_text)
            assert requests.get(f"http://127.0.0.1:{app}/", timeout=HANG).status_code == 200
            assert requests.post(f"http://127.0.0.1:{app}/gateway/u/k/data", timeout=HANG).status_code == 404
            state = requests.get(f"http://localhost:{portal}/_emulator/state", timeout=HANG).json()
            assert state["application"]["finished"]
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(HANG)
    assert ended == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()
