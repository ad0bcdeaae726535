"""Previews: what is understood of a file while its connection is still a form."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import replace

from drivers import catalogue
from drivers.base import Guards, Limits
from drivers.previews import Preview, PreviewRequest
from egress.errors import TargetError, Timeout
from services.connections.access import Access, Destination

SECONDS = 20.0
"""How long one look may take; somebody is waiting for it."""


MOST_WHOLE = 2
"""So many large files are looked at whole at a time, in one process."""


class Previews:
    """Looks at files behind the guards of the application; of each owner the latest look alone is carried on."""

    def __init__(self, guards: Guards, access: Access) -> None:
        self._guards, self._access = guards, access
        self._latest: dict[Hashable, object] = {}
        self._whole = threading.BoundedSemaphore(MOST_WHOLE)

    def look(
        self, portal_id: int, driver: str, settings: Mapping[str, str], asked: PreviewRequest, owner: Hashable
    ) -> Preview:
        """What a driver that `reads_uploads` understands of a file; `settings` are those that it has taken.

        Where all rows take longer than `SECONDS`, the first ones alone are told. `portal_id` is whose budget of failed
        connections is used, and whose uploaded files are read; a look of the same `owner` that still runs is ended.
        Raises the driver's errors and `BudgetSpent`.
        """
        ticket = self._latest[owner] = object()
        limits = Limits(seconds=SECONDS, bytes=4_000_000, is_wanted=lambda: self._latest.get(owner) is ticket)
        destination = self._access.destination(portal_id, driver, settings, replace(self._guards, limits=limits))
        subject = f"portal {portal_id}"
        self._access.check_connects(subject, subject)
        try:
            if asked.whole:
                with contextlib.suppress(_TooLong):
                    return self._whole_look(destination, asked)
            return _look(destination, replace(asked, whole=False))
        except _TooLong:
            raise Timeout("preview_too_long") from None
        except TargetError as problem:
            self._access.count(problem, destination, subject)
            raise
        finally:
            if self._latest.get(owner) is ticket:
                del self._latest[owner]

    def _whole_look(self, destination: Destination, asked: PreviewRequest) -> Preview:
        end = time.monotonic() + SECONDS / 2
        while not self._whole.acquire(timeout=0.25):
            if not destination.guards.limits.is_wanted():
                raise Timeout("cancelled")
            if time.monotonic() > end:
                raise _TooLong("deadline")
        try:
            return _look(destination, asked)
        finally:
            self._whole.release()


class _TooLong(Timeout):
    """Nobody ended the look but its time limit."""


def _look(destination: Destination, asked: PreviewRequest) -> Preview:
    try:
        return catalogue.DRIVERS[destination.driver].preview(destination.settings, destination.guards, asked)
    except Timeout as problem:
        if problem.code == "deadline":
            raise _TooLong(problem.code) from problem
        raise
