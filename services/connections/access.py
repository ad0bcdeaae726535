"""The way into a customer's database: whoever opens a connection goes by the same budgets and to checked addresses.

Endpoints, pages of tables and connection tests all come this way (facts/security 4 layer 4). Failed logins are counted
for the addresses that a server's name leads to, so another spelling, port notation or name of the same server gives no
further guesses. The name is resolved once: what is counted is what is connected to. Nobody is locked out by what
others guess: logins of all portals together count against those only who have guessed themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from drivers import catalogue
from drivers.base import Guards, Limits, Session
from drivers.errors import LoginFailed
from egress.addresses import normal_host, normal_port
from egress.errors import TargetError, TargetRefused, Unreachable
from services.connections.connection import Connection, Credentials
from services.connections.repository import ConnectionRepository
from services.connections.uploads import Uploads
from services.limits.budgets import (
    FAILED_CONNECTS,
    FAILED_LOGINS,
    GUESSED_LOGINS,
    GUESSES,
    Budgets,
    BudgetSpent,
)
from services.limits.stale_cache import StaleCache, if_it_answers

PAGE_LIMITS = Limits(seconds=30.0, bytes=8_000_000)
"""Of a session whose answer goes into a page."""


class ConnectionClosed(TargetError):
    """Nothing was connected, since what it takes is gone.

    Codes: `closed`, the portal had removed the app, and the secrets were deleted then; `settings_lost`, the key that
    sealed them is lost.
    """

    @classmethod
    def of(cls, connection: Connection) -> ConnectionClosed:
        """Why nothing is connected with it."""
        return cls("settings_lost") if connection.lost else cls("closed")


@dataclass(frozen=True)
class Destination:
    """Where settings of a portal lead, for one call: `guards` has a policy that resolves each name once."""

    portal_id: int
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

    def __init__(self, repository: ConnectionRepository, budgets: Budgets, uploads: Uploads) -> None:
        self._repository, self._budgets, self._uploads = repository, budgets, uploads
        self._stale_cache = StaleCache()

    def destination(self, portal_id: int, driver: str, settings: Mapping[str, str], guards: Guards) -> Destination:
        """Where settings of a portal lead; nothing is asked yet."""
        target = target_of(driver, settings)
        settings, guards = self._uploads.located(portal_id, settings, guards)
        return Destination(portal_id, driver, settings, replace(guards, policy=guards.policy.pinned()), target)

    @contextlib.contextmanager
    def session(self, credentials: Credentials, guards: Guards) -> Iterator[Session]:
        """An open session; raises `BudgetSpent` and the driver's errors.

        Failures count until the credentials have logged in for the first time.
        """
        destination = self.destination(credentials.portal_id, credentials.driver, credentials.settings, guards)
        session = destination.open() if credentials.proven else self._tried(destination, credentials)
        with session:
            yield session

    def _tried(self, destination: Destination, credentials: Credentials) -> Session:
        try:
            self.check_connects(credentials.budget, credentials.uid)
            self.check_logins(destination, credentials.uid)
            session = destination.open()
        except TargetError as problem:
            self.count(problem, destination, credentials.budget)
            raise
        self.lift(destination)
        if isinstance(credentials, Connection):
            with if_it_answers():
                self._repository.prove(credentials.id)
        return session

    def page_session(
        self, connection: Connection, guards: Guards, seconds: float = PAGE_LIMITS.seconds
    ) -> contextlib.AbstractContextManager[Session]:
        """An open session for somebody who waits for a page; raises `ConnectionClosed` besides."""
        if connection.closed:
            raise ConnectionClosed.of(connection)
        limits = replace(PAGE_LIMITS, seconds=min(seconds, PAGE_LIMITS.seconds))
        return self.session(connection, replace(guards, limits=limits))

    def check_connects(self, subject: str, uid: str) -> None:
        """Raise `BudgetSpent` if `subject` has failed to connect too often; asks nobody but us.

        While our own database is away, what `uid` was allowed within the last minute is allowed.
        """
        self._check("failed_connects", uid, lambda: self._budgets.is_spent(FAILED_CONNECTS, subject))

    def check_logins(self, destination: Destination, uid: str) -> None:
        """The same for failed logins; looks up the server's name."""
        logins, own = destination.logins(), str(destination.portal_id)

        def is_spent() -> bool:
            for login in logins:
                failed = self._budgets.count(FAILED_LOGINS, own, *login)
                most = GUESSES if self._budgets.is_spent(GUESSED_LOGINS, *login) else FAILED_LOGINS.most
                if failed >= most:
                    return True
            return False

        self._check("failed_logins", f"{own} {uid}", is_spent)

    def _check(self, code: str, uid: str, is_spent: Callable[[], bool]) -> None:
        if not self._stale_cache.ask((code, uid), lambda: None if is_spent() else True):
            raise BudgetSpent(code)

    def count(self, problem: TargetError, destination: Destination, subject: str) -> None:
        """Count a failure to open, if it is one that guesses or scans make."""
        with if_it_answers():
            if isinstance(problem, LoginFailed) and problem.code in {"password", "refused"}:
                for login in destination.logins():
                    self._budgets.strike(FAILED_LOGINS, str(destination.portal_id), *login)
                    self._budgets.strike(GUESSED_LOGINS, *login)
            elif isinstance(problem, Unreachable | TargetRefused):
                self._budgets.strike(FAILED_CONNECTS, subject)

    def lift(self, destination: Destination) -> None:
        """Forget the failed logins of the portal there, since it knows the password."""
        with if_it_answers():
            for login in destination.logins():
                if self._budgets.count(FAILED_LOGINS, own := str(destination.portal_id), *login):
                    self._budgets.forgive(FAILED_LOGINS, own, *login)


def target_of(driver: str, settings: Mapping[str, str]) -> str:
    """What is limited together, spelt in one way: one server or one file. Nothing is looked up."""
    if "host" not in settings:
        return f"{driver} {settings.get('path') or settings.get('url', '')}"
    host, port = settings["host"], settings.get("port", "")
    with contextlib.suppress(TargetRefused):
        host, port = normal_host(host), str(normal_port(port))
    return f"{driver} {host}:{port}"
