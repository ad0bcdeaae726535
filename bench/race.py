"""One store measured: its limit, the product and the peers, one after another in every run."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench import deals, product
from bench.deals import Fingerprint
from bench.peers import servers
from bench.processes import Asked, Fetched, Server, fetch
from bench.product import Application
from bench.stores import Store

PREVIEW_ROWS = 20
PREVIEW_CALLS = 100
#: Both processes of the server have answered after these.
WARM_UP_CALLS = 40
MEGABYTE = 1e6


@dataclass
class Way:
    """One way to the whole table: `take` returns seconds; `server`, where there is one, is watched."""

    name: str
    take: Callable[[], float]
    server: Server | None = None
    #: Seconds of the first call, which also fills caches.
    first: float = 0.0
    #: Median seconds of a call for twenty rows.
    preview: float | None = None
    #: Megabytes of the answer.
    size: float = 0.0
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median seconds of all runs."""
        return statistics.median(self.seconds)

    @property
    def memory(self) -> float | None:
        """Megabytes above idle, if somebody watches."""
        return self.server.memory() if self.server else None


@dataclass
class Race:
    """A store with its ways: the limit first, the product second, then the peers."""

    store: Store
    ways: list[Way]

    def run(self) -> None:
        """Take every way once."""
        for way in self.ways:
            way.seconds.append(way.take())


class WrongAnswer(Exception):
    """A server did not answer the table: it measures nothing."""


class Checker:
    """Compares answers with the database's rows; bytes that were found right once need no second look."""

    def __init__(self, expected: Fingerprint, names: tuple[str, ...]) -> None:
        self._expected, self._header = expected, [name.casefold() for name in names]
        self._right: set[bytes] = set()

    def check(self, who: str, fetched: Fetched) -> None:
        """Raise `WrongAnswer` unless the answer holds exactly the rows that the database holds."""
        if fetched.status != 200:
            raise WrongAnswer(f"{who}: status {fetched.status}: {bytes(fetched.body[:300])!r}")
        if (digest := fetched.digest) in self._right:
            return
        answer = orjson.loads(fetched.body)
        rows = answer["rows"] if isinstance(answer, dict) else answer[1:]
        header = answer["columns"] if isinstance(answer, dict) else answer[0]
        found = deals.fingerprint(rows)
        if [name.casefold() for name in header] != self._header or found != self._expected:
            raise WrongAnswer(f"{who}: {found} instead of {self._expected}")
        self._right.add(digest)


@contextlib.contextmanager
def race(store: Store, rows: int, folder: Path, *, with_peers: bool) -> Iterator[Race]:
    """The store is loaded and read by itself, all servers are started, and each has answered once and rightly."""
    store.load()
    try:
        expected = deals.fingerprint(store.rows(deals.NAMES))
        if expected.rows != rows:
            raise WrongAnswer(f"{store.name} holds {expected.rows} rows instead of {rows}")
        checker = Checker(expected, deals.NAMES)
        with contextlib.ExitStack() as stack:
            running = stack.enter_context(product.running(store.folder, folder / "product"))
            ways = [Way(store.reference, store.limit), _of_product(running, store, checker)]
            for name in servers.PEERS[type(store)] if with_peers else ():
                peer = stack.enter_context(servers.running(name, store, rows, folder / name.partition(",")[0]))
                ways.append(_way(peer.name, peer.server, peer.asked, peer.preview, checker))
            yield Race(store, ways)
    finally:
        store.drop()


def _of_product(running: Application, store: Store, checker: Checker) -> Way:
    connection = running.connect("bench", store)
    preview = connection.asked(limit=PREVIEW_ROWS)
    return _way("this app", running.server, connection.asked(), preview, checker)


def _way(name: str, server: Server, whole: Asked, preview: Asked, checker: Checker) -> Way:
    def take() -> float:
        fetched = fetch(whole)
        way.size = len(fetched.body) / MEGABYTE
        checker.check(name, fetched)
        return fetched.seconds

    print(f"  {name}", file=sys.stderr, flush=True)
    first = fetch(preview).seconds
    for _ in range(WARM_UP_CALLS):
        fetch(preview)
    way = Way(name, take, server, first, statistics.median(fetch(preview).seconds for _ in range(PREVIEW_CALLS)))
    take()
    return way
