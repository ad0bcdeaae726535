"""Connections of an installed portal, hosted for real: the portal calls the application's endpoints while it waits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from errors import PortalUnreachable
from services.connections.connection import Connection
from services.connections.portal_sync import ConnectorTexts, PortalContext
from services.portal_api import Patience, Reply, Transport
from services.portal_api.capabilities import Capabilities, probe
from services.portal_api.client import PortalClient
from services.wiring import Services
from tests.doors import Stage, staged

LABEL = ConnectorTexts("Databases and files", "Read through the application.", {"key": "Connection key"})
IMPATIENT = Patience(first_delay=0.01, growth=1.1, budget=0.05)

Post = Callable[[], Reply]
Trick = Callable[[str, Post], Reply]
"""What becomes of a call: gets the method and the way to really make it."""


def honest(method: str, post: Post) -> Reply:
    """Pass the call on."""
    return post()


@dataclass
class Wire:
    """A transport whose calls a test may lose or answer falsely; everything else is the real one."""

    transport: Transport
    trick: Trick = honest
    methods: list[str] = field(default_factory=list)

    def post(self, url: str, **given: Any) -> Reply:
        """Send, or whatever the trick does instead."""
        method = url.rpartition("/rest/")[2]
        self.methods.append(method)
        return self.trick(method, lambda: self.transport.post(url, **given))


@dataclass
class HostedStage:
    """The application, one portal's analyst, and what the application keeps of the portal's connections."""

    stage: Stage
    make_client: Callable[..., PortalClient]
    client: PortalClient
    wire: Wire
    caps: Capabilities
    portal_id: int
    folder: Path

    @property
    def house(self) -> Services:
        """The application's services."""
        return self.stage.services

    @property
    def portal(self) -> PortalContext:
        """The portal as its analyst reaches it."""
        return PortalContext(self.client, self.caps, LABEL)

    def client_with(self, transport: Any = None, **given: Any) -> PortalClient:
        """Another client of the same user, over the wire or another transport, with arguments of `PortalClient`."""
        return self.make_client(transport or self.wire, **given)

    def connection(self, title: str = "Shop", path: str = "shop.sqlite") -> Connection:
        """A new connection to a file in the folder; the portal knows nothing of it yet."""
        issued = self.house.connections.add(self.stage.member_id, "sqlite", title, {"path": path})
        return self.held(issued.id)

    def held(self, connection_id: int) -> Connection:
        """A connection as it is now."""
        return self.house.repository.get(self.portal_id, connection_id)

    def connect(self, held: Connection) -> int:
        """Register and make the source."""
        return self.house.portal_sync.connect(self.portal, held)

    def registered_key(self, source_id: int) -> str:
        """The key that the portal really has."""
        source = self.stage.portal.whole().sources[source_id]
        return str(next(setting.value for setting in source.settings if setting.code == "key"))

    def registered_urls(self, connector_id: int) -> list[str]:
        """The four addresses that the portal really has."""
        connector = self.stage.portal.whole().connectors[connector_id]
        return [connector.url_check, connector.url_table_list, connector.url_table_description, connector.url_data]

    def opens(self, connector_id: int, key: str) -> bool:
        """Whether the registered address and a key open a connection, asked as the portal asks."""
        path = self.registered_urls(connector_id)[0].removeprefix(self.stage.url)
        # Buffered, the answer is read and closed as portals do, and the call recorded.
        answer = self.stage.app.test_client().post(path, data={"connection[key]": key}, buffered=True)
        return answer.status_code == 200


def shop(folder: Path) -> None:
    """A small database."""
    with sqlite3.connect(folder / "shop.sqlite") as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, city TEXT, amount NUMERIC, made TIMESTAMP)")
        database.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?)",
            [(1, "Köln", 10.5, "2026-01-02 03:04:05"), (2, "<b>Омск</b>", None, None), (3, "", 0, "1899-01-01")],
        )
        database.execute('CREATE VIEW "Заказы клиентов" AS SELECT city, count(*) AS "Число" FROM orders GROUP BY city')


@contextmanager
def hosted_stage(folder: Path, **given: Any) -> Iterator[HostedStage]:
    """An installed application that may read files of `folder` and connect to this machine."""
    shop(folder)
    # As fast as tests call: what is paced has tests of its own.
    values = {"egress_policy": "allow-all", "requests_per_minute": 0, "local_files": folder, **given}
    with staged(f"sqlite:///{folder / 'app.db'}", **values) as stage:
        stage.be_installed()
        assert stage.enter("analyst").status_code == 200
        house, record = stage.services, stage.record()
        analyst = stage.portal.user("analyst")
        wire = Wire(house.transport)
        make = partial(PortalClient, tokens=house.tokens.tokens(record.id, analyst.id), patience=IMPATIENT)
        client = make(wire)  # type: ignore[arg-type]  # a transport at the edge
        yield HostedStage(stage, make, client, wire, probe(client), record.id, folder)


def lost_before(*methods: str) -> Trick:
    """The call never arrives, and nobody knows."""

    def trick(method: str, post: Post) -> Reply:
        if method in methods:
            raise PortalUnreachable("timeout")
        return post()

    return trick


def lost_after(*methods: str) -> Trick:
    """The call is carried out and its answer is lost."""

    def trick(method: str, post: Post) -> Reply:
        answer = post()
        if method in methods:
            raise PortalUnreachable("timeout")
        return answer

    return trick


def instead(answers: Mapping[str, Any]) -> Trick:
    """The call is not carried out, and answered with this result all the same."""

    def trick(method: str, post: Post) -> Reply:
        if method in answers:
            return Reply(200, {"content-type": "application/json"}, json.dumps({"result": answers[method]}).encode())
        return post()

    return trick
