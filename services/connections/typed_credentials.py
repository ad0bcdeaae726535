"""The second kind of hosted connector: credentials are typed in the portal's own wizard and arrive with every call.

Such a connector has the settings `host`, `port`, `database`, `username`, `password` and `options`, as far as its driver
declares them; `options` holds the driver's other settings as `tls=verify-full; timezone=Europe/Berlin`. What arrives is
believed no more than a form: the driver checks it, the egress policy guards the target, and new targets are counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from drivers import catalogue
from drivers.base import Driver
from drivers.errors import SettingsWrong
from models import KnownTarget, Sessions, now
from services.bi import connectors
from services.bi.connectors import Connector
from services.bi.rules import trimmed
from services.connections.connection import Credentials, HostedConnector
from services.connections.portal_comparison import COMPARED, PortalComparison
from services.connections.repository import ConnectionRepository
from services.limits.budgets import NEW_TARGETS, Budgets
from services.portal_api.client import PortalClient

CODES = ("host", "port", "database", "username", "password")
OPTIONS = "options"
NONE = "-"
"""What is typed where nothing is to be said, since portals want a value for every setting (facts/biconnector 3.3c)."""
MOST_TARGETS = 20
"""Servers through one connector, until an analyst lets more in."""


def can_be_typed(driver: Driver) -> bool:
    """Whether a driver's credentials can be typed in the portal: those of servers, never files of this machine."""
    return any(declared.code == "host" for declared in driver.fields)


def setting_codes(driver: Driver) -> tuple[str, ...]:
    """The codes of the connector's settings, in their order."""
    declared = {field.code for field in driver.fields}
    return (*(code for code in CODES if code in declared), OPTIONS)


def read_typed(driver: Driver, values: Mapping[str, str]) -> dict[str, str]:
    """All settings of a driver from what the portal sent; raises `SettingsWrong`.

    Portals check values as they were typed and keep them trimmed (facts/biconnector 3.1a): what works trimmed only is
    found by the check, and nothing else passes it.
    """
    known = setting_codes(driver)
    may_lack = {OPTIONS, *(field.code for field in driver.fields if not field.required)}
    values = {code: trimmed(value) for code, value in values.items()}
    values = {code: "" if code in may_lack and value == NONE else value for code, value in values.items()}
    settings = {code: values.get(code, "") for code in known if code != OPTIONS}
    others = {field.code for field in driver.fields} - set(known)
    for part in filter(None, (piece.strip() for piece in values.get(OPTIONS, "").split(";"))):
        code, equals, value = part.partition("=")
        if not equals or code.strip() not in others:
            raise SettingsWrong(OPTIONS, "no_such_setting")
        settings[code.strip()] = value.strip()
    return driver.settings(settings)


def credentials_of(connector: HostedConnector, values: Mapping[str, str]) -> Credentials:
    """The credentials that the typed values are; raises `SettingsWrong`. Never proven: each call is a login."""
    settings = read_typed(catalogue.DRIVERS[connector.driver], values)
    text = "\0".join(f"{code}={value}" for code, value in sorted(settings.items()))
    uid = hashlib.sha256(f"{connector.id}\0{text}".encode()).hexdigest()[:32]
    return Credentials(uid, connector, connector.driver, settings)


class KnownTargets:
    """The servers of each such connector, and how many new ones may come."""

    def __init__(self, sessions: Sessions, budgets: Budgets, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._budgets, self._clock = sessions, budgets, clock

    def admit(self, connector_id: int, target: str) -> bool:
        """Whether a server may be asked: it is known, or there is room for a new one, which is then known."""
        hashed = hashlib.sha256(target.encode()).hexdigest()
        with self._sessions() as session:
            if session.get(KnownTarget, (connector_id, hashed)) is not None:
                return True
        if self.count(connector_id) >= MOST_TARGETS or self._budgets.is_spent(NEW_TARGETS, str(connector_id)):
            return False
        self._budgets.strike(NEW_TARGETS, str(connector_id))
        try:
            with self._sessions.begin() as session:
                session.add(KnownTarget(connector_id=connector_id, target_hash=hashed, created_at=self._clock()))
        except IntegrityError:
            # Another call of the same moment made it known.
            return True
        return True

    def count(self, connector_id: int) -> int:
        """How many servers are known."""
        wanted = select(func.count()).select_from(KnownTarget).where(KnownTarget.connector_id == connector_id)
        with self._sessions() as session:
            return session.scalar(wanted) or 0

    def forget(self, connector_id: int) -> None:
        """Make room for new servers; those that are used become known again by themselves."""
        with self._sessions.begin() as session:
            session.execute(delete(KnownTarget).where(KnownTarget.connector_id == connector_id))
        self._budgets.forgive(NEW_TARGETS, str(connector_id))


@dataclass(frozen=True)
class TypedConnector:
    """A driver whose credentials can be typed in the portal; without `connector_id` the portal does not offer it.

    `targets` is how many servers are known; `in_step`: the connector's addresses in the portal open something here.
    """

    driver: Driver
    connector_id: int | None = None
    targets: int = 0
    in_step: bool = True


class TypedConnectors:
    """The connectors of this kind that a portal has or may have."""

    def __init__(self, repository: ConnectionRepository, comparison: PortalComparison, targets: KnownTargets) -> None:
        self._repository, self._comparison, self._targets = repository, comparison, targets

    def all(self, client: PortalClient, portal_id: int) -> list[TypedConnector]:
        """One for each driver; raises the portal's errors."""
        kept = self._repository.typed_connectors(portal_id)
        listed = {row.id: row for row in connectors.everything(client, *COMPARED)} if kept else {}
        drivers = [driver for driver in catalogue.DRIVERS.values() if can_be_typed(driver)]
        return [self._state(driver, kept.get(driver.name), listed) for driver in drivers]

    def let_new_servers_in(self, portal_id: int, driver: str) -> None:
        """Make room for new servers of a connector, if the portal has it."""
        if (hosted := self._repository.typed_connectors(portal_id).get(driver)) is not None:
            self._targets.forget(hosted.id)

    def _state(self, driver: Driver, hosted: HostedConnector | None, listed: Mapping[int, Connector]) -> TypedConnector:
        portals = listed.get(hosted.registered_id or 0) if hosted else None
        if hosted is None or portals is None:
            return TypedConnector(driver)
        fits = self._comparison.fits(hosted, portals)
        return TypedConnector(driver, portals.id, self._targets.count(hosted.id), fits)
