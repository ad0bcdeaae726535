"""The portal: its state behind one lock, and the questions and changes that everything else is made of.

The lock is re-entrant and must never be held during an outgoing call; `with portal.lock:` around several calls
makes them one step. Unknown users, applications and objects raise `UnknownThing` with a sentence.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

from emulator.config import EmulatorConfig
from emulator.journal import Journal
from emulator.languages import LANGUAGES, Language
from emulator.records import Application, Connector, Dataset, Generation, PortalState, Source, User

Thing = TypeVar("Thing")

SCOPE = ["biconnector", "placement", "user_brief"]

APP_TITLE = "BI connectors"
"""The title of the application's card in the market; the portal's pages translate it, as its vendor would."""
FIRST_USERS = (
    User(1, "admin", "Anna", "Keller", "anna.keller@example.com", "Head of operations", True, True, True),
    User(2, "analyst", "Mark", "Weber", "mark.weber@example.com", "Data analyst", False, True, True),
    User(3, "viewer", "Lena", "Vogt", "lena.vogt@example.com", "Sales assistant"),
    User(4, "half", "Paul", "Brandt", "paul.brandt@example.com", "Controller", bi_builder=True),
    User(5, "gone", "Ida", "Falk", "ida.falk@example.com", "Former analyst", False, True, True, active=False),
)


class UnknownThing(LookupError):
    """Somebody asked for a user, an application or an object that the portal does not have."""


class Portal:
    """A portal, its authorization server's books included.

    `state` is plain data that may be read under the lock; `journal` remembers what happened and what shall fail.
    """

    def __init__(self, config: EmulatorConfig, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.lock = threading.RLock()
        self.clock = self._own_clock = clock
        self.journal = Journal()
        self.state = first_state(config)

    # Who the portal is

    @property
    def origin(self) -> str:
        """Scheme and address, for example `http://localhost:8001`; changes with a rename."""
        return self.state.origin

    @property
    def domain(self) -> str:
        """The address without scheme, with the port if there is one, as in `DOMAIN` (facts/platform 2)."""
        return urlsplit(self.state.origin).netloc

    @property
    def protocol(self) -> str:
        """`1` for HTTPS, `0` for HTTP, as in `PROTOCOL` (facts/platform 2)."""
        return "1" if self.state.origin.startswith("https:") else "0"

    @property
    def client_endpoint(self) -> str:
        """Base address of the portal's REST, with a trailing slash."""
        return f"{self.state.origin}/rest/"

    @property
    def server_endpoint(self) -> str:
        """Base address of the authorization server's REST; a rename of the portal does not change it."""
        return f"{self.config.public_url}/rest/"

    @property
    def member_id(self) -> str:
        """The portal's identity, 32 hexadecimal digits, unchanged by renames and resets."""
        return self.state.member_id

    @property
    def generation(self) -> Generation:
        """`newer` portals know `biconnector.table.*`, `older` ones do not (facts/biconnector 4.1)."""
        return self.state.generation

    @property
    def language(self) -> Language:
        """The portal's language with its site's date format."""
        return LANGUAGES[self.state.language]

    def now(self) -> datetime:
        """The portal's present moment, in UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def timestamp(self) -> str:
        """The present moment as `Y-m-d H:i:s`, as dates of objects are written."""
        return self.now().strftime("%Y-%m-%d %H:%M:%S")

    # Whom and what it knows

    @property
    def users(self) -> list[User]:
        """The people of the portal, by id, without the hidden users of applications."""
        with self.lock:
            people = [user for user in self.state.users.values() if not user.system]
            return sorted(people, key=lambda user: user.id)

    def user(self, key: int | str) -> User:
        """The user with this id or login."""
        with self.lock:
            for user in self.state.users.values():
                if str(user.id) == str(key) or user.login == key:
                    return user
        raise UnknownThing(f"There is no user {key!r}. Known logins: {', '.join(u.login for u in self.users)}.")

    @property
    def browser_user(self) -> User:
        """The user as whom a browser sees the portal's pages; switched by a control or the portal's menu."""
        return self.user(self.state.browser_user_id)

    def switch_browser_user(self, key: int | str) -> User:
        """From now on browsers see the portal as this user."""
        with self.lock:
            user = self.user(key)
            self.state.browser_user_id = user.id
            return user

    @property
    def app(self) -> Application:
        """The application that this emulator was started for."""
        return self.application(self.config.client_id)

    def application(self, client_id: str) -> Application:
        """The application with this `client_id`."""
        with self.lock:
            try:
                return self.state.applications[client_id]
            except KeyError:
                raise UnknownThing(f"There is no application {client_id!r}.") from None

    def connectors(self, client_id: str | None = None) -> list[Connector]:
        """Connectors by id: all, or those that the application `client_id` made (facts/biconnector 1.8)."""
        with self.lock:
            return [
                connector
                for _, connector in sorted(self.state.connectors.items())
                if client_id in (None, connector.client_id)
            ]

    def sources(self, client_id: str | None = None) -> list[Source]:
        """Sources by id: all, or those of the connectors that the application `client_id` made."""
        with self.lock:
            visible = {connector.id for connector in self.connectors(client_id)}
            return [item for _, item in sorted(self.state.sources.items()) if item.connector_id in visible]

    def datasets(self, client_id: str | None = None) -> list[Dataset]:
        """Datasets by id: all, or those of the sources that the application `client_id` may see."""
        with self.lock:
            visible = {source.id for source in self.sources(client_id)}
            return [item for _, item in sorted(self.state.datasets.items()) if item.source_id in visible]

    def connector(self, connector_id: int) -> Connector:
        """The connector with this id."""
        with self.lock:
            return _found(self.state.connectors, connector_id, "connector")

    def source(self, source_id: int) -> Source:
        """The source with this id."""
        with self.lock:
            return _found(self.state.sources, source_id, "source")

    def dataset(self, dataset_id: int) -> Dataset:
        """The dataset with this id."""
        with self.lock:
            return _found(self.state.datasets, dataset_id, "dataset")

    def next_id(self, kind: str) -> int:
        """A fresh id for an object of this kind; ids count from 1 and are never used twice."""
        with self.lock:
            self.state.last_ids[kind] = self.state.last_ids.get(kind, 0) + 1
            return self.state.last_ids[kind]

    # Changes of the portal as a whole

    def reset(self) -> None:
        """Forget everything but the portal's identity, as after a fresh start."""
        with self.lock:
            self.state = first_state(self.config)
            self.journal.clear()
            self.stop_clock(None)

    def stop_clock(self, at: float | None) -> None:
        """Let the clock stand at a moment, in Unix seconds; None lets it go on."""
        self.clock = self._own_clock if at is None else lambda: at

    def rename(self, origin: str) -> None:
        """Give the portal another address; the old one answers with a redirect (facts/platform 5.6)."""
        with self.lock:
            former = [known for known in [*self.state.former_origins, self.state.origin] if known != origin]
            self.state.former_origins = former
            self.state.origin = origin

    def redirect_origin(self, host: str) -> str | None:
        """The present origin if `host` (the request's `Host`) is a former address of the portal, else None."""
        with self.lock:
            former = {urlsplit(origin).netloc for origin in self.state.former_origins}
            return self.state.origin if host in former and host != self.domain else None


def first_state(config: EmulatorConfig) -> PortalState:
    """The state of a fresh portal: its users, the application not installed, no objects.

    The `member_id` follows from the public address, so that a restarted emulator is still the same portal.
    """
    return PortalState(
        member_id=hashlib.sha256(config.public_url.encode()).hexdigest()[:32],
        origin=config.public_url,
        users={user.id: User(**vars(user)) for user in FIRST_USERS},
        applications={
            config.client_id: Application(
                client_id=config.client_id,
                client_secret=config.client_secret,
                title=APP_TITLE,
                app_url=f"{config.app_url}/",
                install_url=f"{config.app_url}/install/",
                scope=list(SCOPE),
            )
        },
    )


def _found(things: dict[int, Thing], key: int, kind: str) -> Thing:
    try:
        return things[key]
    except KeyError:
        raise UnknownThing(f"There is no {kind} {key}.") from None
