"""What the server writes of a request: never a key, never a line that the caller made up (facts/security 1 row 18)."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.doors import key

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The server's configuration, read as gunicorn reads it."""
    for name, value in {"SECRET_KEYS": key("k1"), "BITRIX24_CLIENT_ID": "a", "BITRIX24_CLIENT_SECRET": "s"}.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


def access_line(server: dict[str, Any], path: str) -> str:
    logger = object.__new__(server["logger_class"])
    answer = SimpleNamespace(status="404 NOT FOUND", sent=7, headers=[])
    request = SimpleNamespace(headers=[])
    environ = {
        "REMOTE_ADDR": "192.0.2.1",
        "REQUEST_METHOD": "GET",
        "RAW_URI": path,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    line: str = server["access_log_format"] % logger.atoms(answer, request, environ, timedelta(milliseconds=3))
    return line


@pytest.mark.parametrize("noise", ["\n", "\r\n", "\x00", "\x1b[31m", "\u2028"])
def test_a_path_cannot_begin_a_line_of_its_own(server: dict[str, Any], noise: str) -> None:
    line = access_line(server, f"/x{noise}2026-01-01 WARNING security: made up")
    assert line.isascii()
    assert line.isprintable()


def test_the_key_in_a_gateway_address_is_hidden(server: dict[str, Any]) -> None:
    assert (
        access_line(server, "/gateway/abc/bxk1_canary/data")
        == "192.0.2.1 GET /gateway/abc/[hidden]/data 404 7 bytes 3 ms"
    )
