"""A stage for tests of the doors: the application and an emulated portal, both listening, and databases to keep."""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import delete, make_url
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app import assemble
from config import Settings
from emulator.config import EmulatorConfig
from models import Base, Portal, UserSession, connect
from services.portal_api import Patience
from services.wiring import Services
from tests.databases import postgresql_database
from tests.portals import ListeningPortal, listening

POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1"
CLIENT_ID = "app.demo0000000000.00000001"
CLIENT_SECRET = "canary-client-secret"
FRAME = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}
"""What browsers send with the portal's form that fills a frame (facts/security 2.1)."""
OWN = {"Sec-Fetch-Site": "same-origin"}
KEPT = Path(tempfile.mkdtemp(prefix="doors-"))
"""A folder of this process, removed after the last test."""
TEMPLATES = FileSystemBytecodeCache(str(KEPT))
"""Every test has an application of its own; compiling its templates each time would take longer than the tests."""
UPLOADS = KEPT / "uploads"


def key(key_id: str) -> str:
    """One entry of SECRET_KEYS."""
    return f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}"


HOSTS = ("127.0.0.1", "localhost")
EAGER = Patience(first_delay=0.01, budget=2.0)
"""An outage is met as often as usual, and sooner."""
SECRET_KEYS = key("k1")
"""Those of applications that are given no others."""


def settings_for(database_url: str, **given: Any) -> Settings:
    """Settings of an application whose portals are on this machine."""
    values: dict[str, Any] = {
        "database_url": database_url,
        "secret_keys": SECRET_KEYS,
        "bitrix24_client_id": CLIENT_ID,
        "bitrix24_client_secret": CLIENT_SECRET,
        # Uninstalling deletes a portal's folder there, which must not be that of whoever runs the tests.
        "uploads": UPLOADS / uuid.uuid4().hex,
    }
    return Settings.from_environment(**(values | given))


@dataclass(frozen=True)
class Opening:
    """What a browser posts to open the application: the address with its query, and the body's fields."""

    action: str
    fields: Mapping[str, str]


@dataclass
class Stage:
    """The application (`app`, listening at `url`), its services, and the portal it is installed on."""

    app: Flask
    url: str
    portal: ListeningPortal
    ground: Ground
    others: tuple[Stage, ...] = ()
    """The same application seen from further portals."""

    @property
    def services(self) -> Services:
        """The application's services."""
        services: Services = self.app.extensions["services"]
        return services

    @property
    def member_id(self) -> str:
        """The portal's identity."""
        return self.portal.member_id

    def control(self, name: str, **order: Any) -> dict[str, Any]:
        """Tell the emulated portal what to do; fails if it cannot."""
        return self.portal.control(name, **order)

    def opening(self, login: str = "admin") -> Opening:
        """What the portal's page makes a user's browser post, with fresh tokens."""
        told = self.control("opening", user=login)
        return Opening(told["action"], told["fields"])

    def register(self) -> None:
        """Install the app at the portal up to the moment where its installer page is opened."""
        self.control("register")

    def finish(self) -> None:
        """What `BX24.installFinish` does, with all events delivered."""
        self.control("finish-install")

    def be_installed(self) -> None:
        """Installed by the administrator, events delivered; really so once a minute, else as it was left then."""
        if (left := self.ground.installation) is not None and left.fits(self):
            left.give(self)
            return
        self.register()
        assert self.install().status_code == 200
        self.finish()
        if self.services.engine.dialect.name == "sqlite":
            self.ground.installation = Installation(self)

    def post(
        self,
        path: str,
        opening: Opening,
        *,
        fields: Mapping[str, str | None] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Post an opening, with some of its fields changed or (None) left out."""
        posted = {**opening.fields, **(fields or {})}
        address = urlsplit(opening.action)
        return self.app.test_client(use_cookies=False).post(
            path,
            query_string=dict(parse_qsl(address.query)) | dict(query or {}),
            data={name: value for name, value in posted.items() if value is not None},
            headers=FRAME if headers is None else headers,
        )

    def install(self, login: str = "admin") -> TestResponse:
        """Run the installer in a user's frame."""
        return self.post("/install/", self.opening(login))

    def enter(self, login: str = "admin") -> TestResponse:
        """Open the app in a user's frame."""
        return self.post("/", self.opening(login))

    def tell(self, event: Mapping[str, str]) -> TestResponse:
        """Post an event to the installer's address, as the portal's queue does."""
        return self.app.test_client(use_cookies=False).post("/install/", data=dict(event))

    def end_sessions(self) -> None:
        """End all sessions, as the removal of their portal does."""
        with self.services.sessions.begin() as session:
            session.execute(delete(UserSession))

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that the database holds, for comparisons."""
        with self.services.engine.connect() as connection:
            return {
                table.name: [dict(row._mapping) for row in connection.execute(table.select())]
                for table in Base.metadata.sorted_tables
            }

    def record(self) -> Portal:
        """The portal's record; fails if there is none."""
        found = self.services.installations.find(self.member_id)
        assert found is not None
        return found


class Installation:
    """What an installation left: at the portal, and in the application's database."""

    def __init__(self, stage: Stage) -> None:
        self._at = time.monotonic()
        self._keys = stage.services.settings.secret_keys
        self._portal = stage.portal.whole()
        self._database = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(str(stage.services.engine.url.database))) as database:
            database.backup(self._database)

    def fits(self, stage: Stage) -> bool:
        """Whether the application could have been left so just now."""
        engine, keys = stage.services.engine, stage.services.settings.secret_keys
        return time.monotonic() < self._at + 60 and keys == self._keys and engine.dialect.name == "sqlite"

    def give(self, stage: Stage) -> None:
        """Portal and database are as they were left."""
        stage.portal.restore(self._portal)
        with closing(sqlite3.connect(str(stage.services.engine.url.database))) as database:
            self._database.backup(database)

    def close(self) -> None:
        """Forget it."""
        self._database.close()


class Ground:
    """Listening servers that tests use one after another: starting and stopping them takes longer than most tests."""

    free: ClassVar[list[Ground]] = []
    """Grounds that no test stands on; tests may nest, so there can be several."""

    def __init__(self) -> None:
        self.app: Flask | None = None
        self.portals: list[ListeningPortal] = []
        self.installation: Installation | None = None
        self._running = ExitStack()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        assert self.app is not None
        return self.app(environ, start_response)

    def fresh_portals(self, count: int) -> list[ListeningPortal]:
        """So many emulated portals, as after their first start."""
        config = EmulatorConfig(port=0, app_url=self.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        while len(self.portals) < count:
            self.portals.append(self._running.enter_context(listening(config)))
        for portal in self.portals:
            portal.reset()
        return self.portals[:count]

    def close(self) -> None:
        """Stop all servers."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._running.close()


@pytest.fixture(scope="session", autouse=True)
def grounds_are_closed() -> Iterator[None]:
    """Stop the servers after the last test, and leave no files."""
    yield
    while Ground.free:
        Ground.free.pop().close()
    shutil.rmtree(KEPT)


def lay_tables(database_url: str) -> None:
    """Make the tables of a database that lacks them; a new file is a copy of one that has them, which takes no time."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database != ":memory:":
        if not Path(str(url.database)).exists():
            shutil.copyfile(_empty_database(), str(url.database))
        return
    engine = connect(database_url)
    Base.metadata.create_all(engine)
    engine.dispose()


@cache
def _empty_database() -> Path:
    path = KEPT / "empty.db"
    engine = connect(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    return path


@contextmanager
def staged(database_url: str, *, portals_count: int = 1, patience: Patience = EAGER, **given: Any) -> Iterator[Stage]:
    """The application on `database_url` and emulated portals; nothing is installed yet."""
    ground = Ground.free.pop() if Ground.free else Ground()
    try:
        portals = ground.fresh_portals(portals_count)
        urls = [portal.url for portal in portals]
        settings = settings_for(
            database_url,
            public_url=ground.url,
            bitrix24_oauth_urls=",".join(urls),
            # Under both names, since portals may be renamed.
            bitrix24_insecure_hosts=",".join(f"{host}:{urlsplit(url).port}" for url in urls for host in HOSTS),
            bitrix24_js_url=f"{urls[0]}/api/v1/",
            **given,
        )
        lay_tables(database_url)
        app = ground.app = assemble(settings, patience=patience)
        app.jinja_env.bytecode_cache = TEMPLATES
        first, *others = [Stage(app, ground.url, portal, ground) for portal in portals]
        first.others = tuple(others)
        yield first
        for portal in portals:
            portal.reset()
    finally:
        if ground.app is not None:
            ground.app.extensions["services"].engine.dispose()
        Ground.free.append(ground)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The address of a new database, `sqlite` or `postgresql`."""
    if kind == "postgresql":
        with postgresql_database("doors") as name:
            yield f"{POSTGRESQL}/{name}"
    else:
        yield f"sqlite:///{folder / 'app.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database, once on each system that the product supports."""
    with database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Application and portal, nothing installed, on a SQLite file."""
    with staged(f"sqlite:///{tmp_path / 'app.db'}") as ready:
        yield ready


@pytest.fixture
def installed(stage: Stage) -> Stage:
    """Application and portal after the administrator's installation, events delivered."""
    stage.be_installed()
    return stage
