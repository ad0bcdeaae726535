"""Event bindings: the lifecycle events that a portal shall send us (facts/platform 4, 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from errors import ApplicationError, PortalRefused, PortalUnreachable
from services.portal_api.client import PortalClient, value_of

EVENTS = ("ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUNINSTALL")
"""ONAPPUSERREADY comes to the installer's address by itself (facts/platform 1.3)."""


@dataclass(frozen=True)
class Survey:
    """What one round trip says when a user opens the app.

    `missing` are events without our handler, which only an administrator sees truly (facts/platform 4); `marked` tells
    whether the portal has the method that was asked for, None if it does not say.
    """

    is_admin: bool
    missing: tuple[str, ...]
    marked: bool | None


class EventBindings:
    """Looks at and completes the bindings to one handler address, the installer's."""

    def __init__(self, handler: str) -> None:
        self._handler = handler

    def survey(self, client: PortalClient, *, mark: str) -> Survey:
        """Administrator or not, missing bindings, and whether the method `mark` exists, in one round trip."""
        outcomes = client.batch(
            {"admin": ("user.admin", {}), "bound": ("event.get", {}), "mark": ("method.get", {"name": mark})}
        )
        bound, marked = outcomes.get("bound"), outcomes.get("mark")
        return Survey(
            is_admin=value_of(outcomes.get("admin")) is True,
            missing=self._missing(bound) if isinstance(bound, list) else (),
            marked=marked.get("isExisting") is True if isinstance(marked, Mapping) else None,
        )

    def complete(self, client: PortalClient, *, needed: str) -> None:
        """Bind what is missing, so that afterwards every event is bound, once.

        `needed` is a method without which the app is of no use; a portal that lacks it raises `PortalRefused` with the
        code METHOD_MISSING (facts/platform 9 T12). Raises otherwise what the portal's REST raises.
        """
        outcomes = client.batch({"bound": ("event.get", {}), "needed": ("method.get", {"name": needed})})
        found = outcomes.get("needed")
        if isinstance(found, Mapping) and found.get("isExisting") is False:
            raise PortalRefused(needed, "METHOD_MISSING")
        missing = self._missing(value_of(outcomes.get("bound")))
        if missing:
            self.bind(client, missing)

    def bind(self, client: PortalClient, missing: Iterable[str]) -> None:
        """Bind these events; one that another launch bound in the meantime counts as bound."""
        outcomes = client.batch({name: ("event.bind", {"event": name, "handler": self._handler}) for name in missing})
        failed = [outcome for outcome in outcomes.values() if isinstance(outcome, ApplicationError)]
        if failed and self._missing(client.call("event.get")):
            raise failed[0]

    def _missing(self, bound: Any) -> tuple[str, ...]:
        if not isinstance(bound, list):
            raise PortalUnreachable("not-json")
        ours = {
            str(binding.get("event", "")).upper()
            for binding in bound
            if isinstance(binding, Mapping) and binding.get("handler") == self._handler
        }
        return tuple(name for name in EVENTS if name not in ours)
