"""The application opened by an analyst on an emulated portal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.doors import Stage
from tests.pages import Page, PageClient, opened
from tests.services.hosted import HostedStage, hosted_stage

LOGO = "data:image/png;base64,iVBORw0KGgo="
Control = Callable[..., Mapping[str, Any]]
Enter = Callable[..., tuple[PageClient, Page]]


@pytest.fixture
def control(installed: Stage) -> Control:
    """Work a control of the emulator: `control("fail", method="...", code="...")`."""

    def work(name: str, **order: Any) -> Mapping[str, Any]:
        answer = requests.post(f"{installed.portal.url}/_emulator/{name}", json=order, timeout=30)
        assert answer.status_code == 200, answer.text
        found: Mapping[str, Any] = answer.json()
        return found

    return work


@pytest.fixture
def enter(installed: Stage) -> Enter:
    """Open the app as a user; gives the client and the first page."""

    def open_as(login: str = "analyst", status: int = 200) -> tuple[PageClient, Page]:
        answer = installed.enter(login)
        assert answer.status_code == status
        installed.app.testing = True
        return opened(installed.app, answer, installed.portal.url)

    return open_as


@pytest.fixture
def client(enter: Enter) -> PageClient:
    """The browser of an analyst who has opened the app; the pattern page exists for it."""
    return enter()[0]


@pytest.fixture
def endpoints(installed: Stage) -> dict[str, str]:
    """The addresses of the emulator's demonstration endpoints, as fields of a connector."""
    address = f"{installed.portal.url}/_demo"
    return {
        "urlCheck": f"{address}/check",
        "urlTableList": f"{address}/tables",
        "urlTableDescription": f"{address}/description",
        "urlData": f"{address}/data",
    }


@pytest.fixture
def connector(endpoints: dict[str, str]) -> dict[str, str]:
    """The fields of a connector that every portal takes."""
    return {
        "title": "Online shop",
        "logo": LOGO,
        "settings-0-code": "login",
        "settings-0-name": "Login",
        "settings-0-type": "STRING",
        "settings-1-code": "password",
        "settings-1-name": "Password",
        "settings-1-type": "STRING",
        **endpoints,
    }


@pytest.fixture
def demo(control: Control) -> Mapping[str, Any]:
    """The demonstration's connector, source and dataset, all with the number 1."""
    return control("demo")


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    """The application with a SQLite file to connect to."""
    with hosted_stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def with_shop(hosted: HostedStage) -> PageClient:
    """The browser of an analyst who has connected that file."""
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    client = opened(hosted.stage.app, answer, hosted.stage.portal.url)[0]
    client.post("/connections/new", {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite"})
    return client
