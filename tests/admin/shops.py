"""What tests of hosted connections' pages begin with."""

from __future__ import annotations

from tests.pages import PageClient, opened
from tests.services.hosted import HostedStage

PASSWORD = "canary-Passw0rd/ü"


def watched(hosted: HostedStage) -> PageClient:
    """The browser of an analyst who has opened the app, in whose pages `PASSWORD` must not stand."""
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    return opened(hosted.stage.app, answer, hosted.stage.portal.url, secrets=[PASSWORD])[0]


def shop(**changes: str) -> dict[str, str]:
    """The form of a connection to the SQLite file."""
    return {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite", **changes}


def made(client: PageClient) -> None:
    """Make that connection, whose number is 1."""
    page = client.post("/connections/new", shop())
    assert (page.status, page.place) == (200, "/connections/1"), page.alerts
