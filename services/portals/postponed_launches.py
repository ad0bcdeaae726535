"""Launches that wait for another try: sealed into the page that says why the first one failed (facts/security 2.2).

The page's form posts the launch again. It stays the browser's own data: nothing is stored here, and no token can be
read in the page or stands in an address.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from errors import Forged, SessionEnded
from models import Vault, VaultBroken, now
from services.portals.launches import Launch

FIELD = "_launch"
"""The form's field that carries a sealed launch."""
GOOD_FOR = timedelta(minutes=10)
"""Outages that last longer are over when the app is opened anew; each try that fails seals the launch again."""


@dataclass
class SealedLaunch:
    """A launch on its way from one page of a door to the next; `Vault` binds it to that door."""

    door: str
    value: str | None = field(default=None, repr=False)

    __tablename__: str = "postponed_openings"

    def seal_context(self) -> str:
        """Another door cannot open it."""
        return self.door


class PostponedLaunches:
    """Seals launches for another try at the same door, and opens them again."""

    def __init__(self, vault: Vault, *, clock: Callable[[], datetime] = now) -> None:
        self._vault, self._clock = vault, clock

    def sealed(self, launch: Launch, door: str) -> str:
        """The text that stands for a launch in a page."""
        row = SealedLaunch(door)
        claims = {"sealed_at": self._clock().timestamp(), "launch": asdict(launch)}
        self._vault.put(row, "value", json.dumps(claims))
        return row.value or ""

    def unsealed(self, sealed: str, door: str) -> Launch:
        """The launch in a sealed text; not yet proved, like every launch.

        Raises `SessionEnded` ten minutes after it was sealed, `Forged` if it was not sealed here for this door.
        """
        try:
            claims = json.loads(self._vault.get(SealedLaunch(door, sealed), "value") or "{}")
            sealed_at, launch = float(claims["sealed_at"]), Launch(**claims["launch"])
        except (VaultBroken, ValueError, KeyError, TypeError):
            raise Forged("a postponed launch does not open") from None
        if self._clock().timestamp() - sealed_at > GOOD_FOR.total_seconds():
            raise SessionEnded("the launch was postponed for too long", cause="time")
        return launch
