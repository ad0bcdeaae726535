"""The way into a customer's database: whoever opens a connection goes by the same budgets and to checked addresses.

Endpoints, pages of tables and trials all come this way (facts/security 4 layer 4). Failed logins are counted for the
addresses that a server's name leads to, so another spelling, port notation or name of the same server gives no further
guesses. The name is resolved once: what is counted is what is connected to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from drivers import catalogue
from drivers.base import Guards, Session
from drivers.errors import LoginFailed
from egress.addresses import normal_host, normal_port
from egress.errors import TargetError, TargetRefused, Unreachable
from services.connections.keys import Connections
from services.connections.uploads import Uploads
from services.limits.budgets import FAILED_CONNECTS, FAILED_LOGINS, Budget, Budgets, BudgetSpent
from services.limits.stale_cache import StaleCache, if_it_answers


class ConnectionClosed(TargetError):
    """Nothing was connected: the portal had removed the app, and the secrets were deleted then. Code: `closed`."""


class Known(Protocol):
    """A connection as far as opening it goes; `id` is None where its credentials were typed in the portal."""

    @property
    def id(self) -> int | None:
        """Its number."""

    @property
    def uid(self) -> str:
        """What no other connection, and no connection with other settings, has."""

    @property
    def portal_id(self) -> int:
        """Whose it is."""

    @property
    def driver(self) -> str:
        """The driver's name."""

    @property
    def settings(self) -> Mapping[str, str]:
        """All settings, as the driver has taken them."""

    @property
    def proven(self) -> bool:
        """Whether these very settings have logged in: then opening them is no guess."""


@dataclass(frozen=True)
class Place:
    """Where settings lead, for one call: `guards` has a policy that resolves each name once."""

    driver: str
    settings: Mapping[str, str]
    guards: Guards
    target: str

    def open(self) -> Session:
        """A session; raises what `drivers.base.Driver.open` does."""
        return catalogue.DRIVERS[self.driver].open(self.settings, self.guards)

    def logins(self) -> list[tuple[str, str]]:
        """What failed logins are counted for; looks up the server's name. Raises `TargetRefused`, `Unreachable`."""
        user = self.settings.get("username", "")
        if "host" not in self.settings:
            return [(self.target, user)]
        target = self.guards.policy.resolve(self.settings["host"], self.settings["port"])
        return [(f"{address} {target.port}", user) for address in target.addresses]


class Access:
    """Opens connections behind the budgets."""

    def __init__(self, connections: Connections, budgets: Budgets, uploads: Uploads) -> None:
        self._connections, self._budgets, self._uploads = connections, budgets, uploads
        self._lately = StaleCache()

    def place(self, portal_id: int, driver: str, settings: Mapping[str, str], guards: Guards) -> Place:
        """Where settings of a portal lead; nothing is asked yet."""
        placed, guards = self._uploads.place(portal_id, settings, guards)
        pinned = replace(guards, policy=guards.policy.pinned())
        return Place(driver, placed, pinned, target_of(driver, settings))

    @contextlib.contextmanager
    def session(self, known: Known, guards: Guards, subject: str = "") -> Iterator[Session]:
        """An open session; raises `BudgetSpent` and the driver's errors.

        `subject` is whose failed connects are counted; empty means those of this very connection. Failures count until
        the settings have logged in for the first time.
        """
        place = self.place(known.portal_id, known.driver, known.settings, guards)
        subject = subject or known.uid
        try:
            if not known.proven:
                self.check(place, subject, known.uid)
            session = place.open()
        except TargetError as problem:
            self.count(problem, place, subject)
            raise
        if not known.proven and known.id is not None:
            with if_it_answers():
                self._connections.prove(known.id)
        with session:
            yield session

    def check(self, place: Place, subject: str, uid: str) -> None:
        """Raise `BudgetSpent` where no further attempt may be made; looks up the server's name before the login is.

        While our own database is away, what `uid` was allowed within the last minute is allowed.
        """
        self.check_connects(subject, uid)
        self.check_logins(place, uid)

    def check_connects(self, subject: str, uid: str) -> None:
        """The part of `check` that asks nobody but us."""
        self._check(FAILED_CONNECTS, [(subject,)], uid, "failed_connects")

    def check_logins(self, place: Place, uid: str) -> None:
        """The part of `check` that needs the server's addresses."""
        self._check(FAILED_LOGINS, place.logins(), uid, "failed_logins")

    def _check(self, budget: Budget, subjects: Sequence[tuple[str, ...]], uid: str, code: str) -> None:
        def ask() -> bool | None:
            return None if any(self._budgets.is_spent(budget, *subject) for subject in subjects) else True

        if not self._lately.ask((budget.name, uid), ask):
            raise BudgetSpent(code)

    def count(self, problem: TargetError, place: Place, subject: str) -> None:
        """Count a failure to open, if it is one that guesses or scans make."""
        with if_it_answers():
            if isinstance(problem, LoginFailed) and problem.code in {"password", "refused"}:
                for login in place.logins():
                    self._budgets.strike(FAILED_LOGINS, *login)
            elif isinstance(problem, Unreachable | TargetRefused):
                self._budgets.strike(FAILED_CONNECTS, subject)


def target_of(driver: str, settings: Mapping[str, str]) -> str:
    """What is limited together, spelt in one way: one server or one file. Nothing is looked up."""
    if "host" not in settings:
        return f"{driver} {settings.get('path') or settings.get('url', '')}"
    host, port = settings["host"], settings.get("port", "")
    with contextlib.suppress(TargetRefused):
        host, port = normal_host(host), str(normal_port(port))
    return f"{driver} {host}:{port}"
