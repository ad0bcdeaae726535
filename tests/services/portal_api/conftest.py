"""A moment at which portals' answers are judged, since they name moments that are near."""

from __future__ import annotations

import pytest

from services.portal_api import replies
from tests.services.portal_api.portal import NOW


@pytest.fixture(autouse=True)
def judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between an answer and what is made of it no time passes, however loaded the machine is."""
    for judging in (replies.judge, replies.outcomes):
        monkeypatch.setattr(judging, "__kwdefaults__", {"now": lambda: NOW})
