"""The program: addresses, TLS, dropped connections, the state file, the command line."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from emulator.__main__ import main, read_arguments
from emulator.config import EmulatorConfig
from emulator.server import start
from emulator.statefile import StateFile, UnreadableState
from tests.emulator.certificates import write_certificate
from tests.emulator.portals import EmulatedPortal
from tests.waiting import HANG

ROOT = Path(__file__).resolve().parents[2]


def test_both_loopbacks_answer() -> None:
    """`localhost` may be either of them."""
    with start(EmulatorConfig(port=0)) as server:
        assert requests.get(f"{server.url}/_emulator/state", timeout=HANG).status_code == 200
        if socket.has_ipv6 and _has_ipv6_loopback():
            address = f"http://[::1]:{server.config.port}/_emulator/state"
            assert requests.get(address, timeout=HANG).status_code == 200


def _has_ipv6_loopback() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
        return True


def test_tls_with_a_given_certificate(tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    with start(EmulatorConfig(port=0, certificate=certificate, private_key=key)) as server:
        assert server.url.startswith("https://")
        answer = requests.post(f"{server.url}/_emulator/token", timeout=HANG, verify=str(certificate))
        assert answer.json()["client_endpoint"] == f"{server.url}/rest/"
        assert server.emulator.portal.protocol == "1"


def test_a_connection_can_be_dropped_without_an_answer(tmp_path: Path) -> None:
    with start(EmulatorConfig(port=0)) as server:
        token = requests.post(f"{server.url}/_emulator/token", timeout=HANG).json()["access_token"]
        requests.post(f"{server.url}/_emulator/fail", json={"shape": "drop"}, timeout=HANG)
        with pytest.raises(requests.ConnectionError):
            requests.post(f"{server.url}/rest/profile", json={"auth": token}, timeout=HANG)
        assert requests.post(f"{server.url}/rest/profile", json={"auth": token}, timeout=HANG).status_code == 200


def test_a_delay_is_longer_than_an_impatient_client() -> None:
    with start(EmulatorConfig(port=0)) as server:
        token = requests.post(f"{server.url}/_emulator/token", timeout=HANG).json()["access_token"]
        # So long that the answer is not there when the client looks for it, however late that is.
        requests.post(f"{server.url}/_emulator/fail", json={"delay_seconds": 8}, timeout=HANG)
        with pytest.raises(requests.ReadTimeout):
            requests.post(f"{server.url}/rest/profile", json={"auth": token}, timeout=0.2)
        assert requests.post(f"{server.url}/rest/profile", json={"auth": token}, timeout=HANG).status_code == 200


def test_the_state_survives_a_restart(tmp_path: Path) -> None:
    config = EmulatorConfig(state_file=tmp_path / "portal.json")
    before = EmulatedPortal(config=config)
    before.add_dataset(before.add_source(before.add_connector(sourceCode="mysql")))
    before.control("generation", generation="older")
    before.control("rate-limit", capacity=7)
    before.call("event.bind", event="ONAPPTEST", handler="http://app.test/")
    token = before.token()
    after = EmulatedPortal(config=config)
    assert after.portal.state == before.portal.state
    assert after.http.post("/rest/profile", json={"auth": token}).status_code == 200
    assert after.add_connector().id == 2


def test_the_command_line_wins_over_a_saved_state(tmp_path: Path) -> None:
    config = EmulatorConfig(state_file=tmp_path / "portal.json")
    before = EmulatedPortal(config=config)
    before.token()
    moved = EmulatedPortal(config=replace(config, public_url="http://localhost:9", app_url="http://app.test"))
    assert moved.portal.origin == "http://localhost:9"
    assert moved.portal.app.install_url == "http://app.test/install/"
    assert moved.portal.member_id == before.portal.member_id


def test_the_state_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "portal.json"
    emulated = EmulatedPortal(config=EmulatorConfig(state_file=path))
    emulated.token()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = path.stat().st_mtime_ns
    emulated.http.get("/_emulator/state")
    assert path.stat().st_mtime_ns == written
    assert [entry.name for entry in tmp_path.iterdir()] == ["portal.json"]


@pytest.mark.parametrize("path", ["/_static/portal.css", "/api/v1/", "/_emulator/state", "/_demo/data"])
def test_requests_that_change_nothing_do_not_go_through_the_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    emulated = EmulatedPortal(config=EmulatorConfig(state_file=tmp_path / "portal.json"))
    saved: list[object] = []
    monkeypatch.setattr(StateFile, "save", lambda _file, portal: saved.append(portal))
    emulated.http.open(path, method="POST" if path.startswith("/_demo") else "GET").close()
    assert saved == []
    emulated.http.get("/oauth/token/")
    assert saved == [emulated.portal]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"origin": 5}'])
def test_a_file_that_holds_something_else_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.json"
    path.write_text(text)
    with pytest.raises(UnreadableState, match=r"notes\.json"):
        EmulatedPortal(config=EmulatorConfig(state_file=path))
    assert path.read_text() == text
    assert main(["--state", str(path), "--port", "0"]) == 1


def test_without_a_state_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    EmulatedPortal().token()
    assert list(tmp_path.iterdir()) == []


def test_the_environment_and_the_command_line_decide() -> None:
    config = EmulatorConfig.from_environment(
        {
            "EMULATOR_PORT": "8123",
            "EMULATOR_HOST": "127.0.0.2",
            "APP_URL": "http://app.test/",
            "BITRIX24_CLIENT_ID": "app.x.1",
            "BITRIX24_CLIENT_SECRET": "secret",
        }
    )
    assert (config.port, config.host, config.app_url) == (8123, "127.0.0.2", "http://app.test")
    assert (config.client_id, config.client_secret, config.public_url) == ("app.x.1", "secret", "http://localhost:8123")
    given = read_arguments(config, ["--port", "8124", "--app-url", "http://other.test/", "--state", "x.json"])
    assert (given.port, given.public_url, given.app_url) == (8124, "http://localhost:8124", "http://other.test")
    assert given.state_file == Path("x.json")
    public = read_arguments(config, ["--public-url", "https://portal.test/"])
    assert public.public_url == "https://portal.test"
    assert EmulatorConfig.from_environment({}) == EmulatorConfig()


def test_a_certificate_needs_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(EmulatorConfig(), ["--certificate", "c.pem"])
    assert "--private-key" in capsys.readouterr().err


def test_a_taken_port_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


def test_the_program_says_where_it_is_and_stops() -> None:
    environment = {**os.environ, "EMULATOR_PORT": "0"}
    program = subprocess.Popen(
        [sys.executable, "-m", "emulator"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        line = program.stdout.readline()
        found = re.fullmatch(r"Emulated portal: (http://\S+)/\n", line)
        assert found is not None, line
        assert requests.get(f"{found.group(1)}/_emulator/state", timeout=HANG).status_code == 200
    finally:
        program.terminate()
        program.communicate(timeout=HANG)


def test_a_state_file_is_read_once_and_written_on_change_only(tmp_path: Path) -> None:
    path = tmp_path / "portal.json"
    emulated = EmulatedPortal()
    file = StateFile(path)
    file.load_into(emulated.portal)
    file.save(emulated.portal)
    path.unlink()
    file.save(emulated.portal)
    assert not path.exists()
    emulated.control("language", language="de")
    file.save(emulated.portal)
    assert path.exists()
