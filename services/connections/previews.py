"""Previews: what is understood of a file while its connection is still a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from drivers import catalogue
from drivers.base import Guards, Limits
from drivers.previews import Preview, PreviewRequest
from egress.errors import TargetError, Timeout
from services.connections.access import Access

SECONDS = 20.0
"""How long one look may take; somebody is waiting for it."""


class Previews:
    """Looks at files behind the guards of the application."""

    def __init__(self, guards: Guards, access: Access) -> None:
        self._guards, self._access = guards, access

    def look(self, portal_id: int, driver: str, settings: Mapping[str, str], asked: PreviewRequest) -> Preview:
        """What a driver that `reads_uploads` understands of a file; `settings` are those that it has taken.

        Where all rows take longer than `SECONDS`, the first ones alone are told. `portal_id` is whose budget of failed
        connections is used, and whose uploaded files are read. Raises the driver's errors and `BudgetSpent`.
        """
        guards = replace(self._guards, limits=Limits(seconds=SECONDS, bytes=4_000_000))
        destination = self._access.destination(portal_id, driver, settings, guards)
        subject = f"portal {portal_id}"
        self._access.check_connects(subject, subject)
        try:
            return catalogue.DRIVERS[driver].preview(destination.settings, destination.guards, asked)
        except Timeout:
            if not asked.whole:
                raise Timeout("preview_too_long") from None
        except TargetError as problem:
            self._access.count(problem, destination, subject)
            raise
        return self.look(portal_id, driver, settings, replace(asked, whole=False))
