"""The product as `make run` starts it, on a fresh folder, and a browser that blocks third-party cookies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect, sync_playwright

from tests.ports import kept_port
from tests.waiting import HANG, eventually

expect.set_options(timeout=HANG * 1000)
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
BLOCKING = {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}}
"""Chromium's own switch for third-party cookies (facts/security 2.7)."""
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@dataclass
class Road:
    """Both programs, listening on different sites."""

    app: str
    portal: str

    def control(self, name: str, **order: Any) -> dict[str, Any]:
        """Tell the emulated portal what to do."""
        answer = requests.post(f"{self.portal}/_emulator/{name}", json=order, timeout=HANG)
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def state(self) -> dict[str, Any]:
        """What the portal counts."""
        told: dict[str, Any] = requests.get(f"{self.portal}/_emulator/state", timeout=HANG).json()
        return told


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    """An empty portal and the app, started by the command behind `make run`."""
    log = tmp_path / "demo.log"
    command = [sys.executable, "-m", "cli.demo", "--empty", "--instance", str(tmp_path / "instance")]

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        return "Ctrl+C stops both" in log.read_text()

    with kept_port() as app, kept_port() as portal, log.open("w") as written:
        environment = os.environ | {"PORT": str(app), "EMULATOR_PORT": str(portal)}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=written, stderr=subprocess.STDOUT)
        try:
            eventually(is_up, log.read_text)
            yield Road(f"http://127.0.0.1:{app}", f"http://localhost:{portal}")
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(HANG)
    assert ended == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


Browser = Callable[..., BrowserContext]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Opens browser profiles in which third-party cookies are blocked; other options are Playwright's."""
    with sync_playwright() as playwright:
        opened: list[BrowserContext] = []

        def open_profile(**options: Any) -> BrowserContext:
            folder = tmp_path / f"profile-{len(opened)}"
            (folder / "Default").mkdir(parents=True)
            (folder / "Default" / "Preferences").write_text(json.dumps(BLOCKING))
            size = options.pop("viewport", {"width": 1280, "height": 800})
            context = playwright.chromium.launch_persistent_context(
                folder, executable_path=CHROMIUM, args=QUIET, viewport=size, **options
            )
            context.set_default_timeout(HANG * 1000)
            opened.append(context)
            return context

        yield open_profile
        for context in opened:
            context.close()


@dataclass
class Desk:
    """A page of the portal with the app in its frame; whatever the browser complains about is kept."""

    page: Page
    complaints: list[str]

    @property
    def app(self) -> FrameLocator:
        """The app's frame."""
        return self.page.frame_locator(".stage iframe")

    def fill(self, **values: str) -> None:
        """Fill form fields of the app by their names (`__` stands for `-`)."""
        for name, value in values.items():
            field = self.app.locator(f'[name="{name.replace("__", "-")}"]:not([type=hidden])')
            if field.evaluate("element => element.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)


def sit_down(context: BrowserContext) -> Desk:
    """A new page whose console is watched: CSP reports and script errors arrive there."""
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return Desk(page, complaints)
