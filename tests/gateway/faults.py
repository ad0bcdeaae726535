"""Faults of databases and of the way to them, and what a call is answered while each lasts and after it.

    results = provoked("postgresql", folder, seed=1, times=20)

Every answer is the whole one, compared with what the database gave before, or a failure with a documented status
(`gateway/problems.py`). A proxy in front of a real server makes the faults; the seed decides at which byte.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from egress.policy import Policy
from gateway.pipeline import Pipeline
from tests.drivers.tls_proxies import tls_proxy
from tests.gateway.cutting import Cut, cutting
from tests.gateway.databases import DATABASES
from tests.gateway.generated import rows
from tests.gateway.hosting import Connected, Host, hosting

ROWS = 300
PORTS = {"postgresql": 5432, "mysql": 3306}
CALL = {"table": "orders__quoted"}
SILENCE_SECONDS = 1
CONNECT_SECONDS = 2.0
RECOVERY_SECONDS = 5.0


@dataclass(frozen=True)
class Place:
    """A hosted connection whose server is behind a proxy; a whole answer has `bytes_whole` bytes of the server."""

    orders: Connected
    cut: Cut
    bytes_whole: int

    @property
    def pipeline(self) -> Pipeline:
        """Of the application, whose guards a fault may change."""
        pipeline: Pipeline = self.orders.app.extensions["pipeline"]
        return pipeline


Fault = Callable[[Place, random.Random], contextlib.AbstractContextManager[None]]


def _cutting(**how: object) -> Fault:
    """The connection breaks, stands still or talks nonsense somewhere in the middle of the answer."""

    @contextlib.contextmanager
    def fault(place: Place, dice: random.Random) -> Iterator[None]:
        cut = place.cut
        changes = {"after": dice.randrange(1, place.bytes_whole - 1000), "passed": 0, **how}
        if "garbage" in changes:
            changes["garbage"] = dice.randbytes(dice.randrange(1, 2000))
        for name, value in changes.items():
            setattr(cut, name, value)
        yield
        cut.after, cut.passed, cut.reset, cut.stalls, cut.garbage = None, 0, True, False, b""

    return fault


@contextlib.contextmanager
def _frozen(place: Place, dice: random.Random) -> Iterator[None]:
    """Nothing passes, of new connections neither."""
    place.cut.flows.clear()
    yield
    place.cut.flows.set()


@contextlib.contextmanager
def _slow(place: Place, dice: random.Random) -> Iterator[None]:
    """A kilobyte a second, which the deadline ends."""
    limits = place.pipeline.guards.limits
    place.pipeline.guards = replace(place.pipeline.guards, limits=replace(limits, seconds=2.0))
    place.cut.bytes_per_second = 1024
    yield
    place.cut.bytes_per_second = 0
    place.pipeline.guards = replace(place.pipeline.guards, limits=limits)


def _elsewhere(port: Callable[[], int]) -> Fault:
    """The proxy leads to another port."""

    @contextlib.contextmanager
    def fault(place: Place, dice: random.Random) -> Iterator[None]:
        own, place.cut.server_port = place.cut.server_port, port()
        yield
        place.cut.server_port = own

    return fault


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _resolving(lookup: Callable[[str, int], list[str]]) -> Fault:
    """The server's name, which the connection is given by, is resolved so."""

    @contextlib.contextmanager
    def fault(place: Place, dice: random.Random) -> Iterator[None]:
        guards = place.pipeline.guards
        policy: Policy = guards.policy.pinned()
        policy.lookup = lookup
        place.pipeline.guards = replace(guards, policy=policy)
        yield
        place.pipeline.guards = guards

    return fault


def _unresolved(host: str, port: int) -> list[str]:
    raise socket.gaierror("no answer")


NO_ANSWER, ELSEWHERE = _resolving(_unresolved), _resolving(lambda host, port: ["169.254.169.254"])
OF_NAMES = (NO_ANSWER, ELSEWHERE)

FAULTS: Mapping[str, tuple[Fault, frozenset[int]]] = {
    "killed in the middle of a row": (_cutting(reset=True), frozenset({502})),
    "ended in the middle of a row": (_cutting(reset=False), frozenset({502})),
    "garbage in the middle of a row": (_cutting(reset=False, garbage=b"?"), frozenset({502, 507})),
    "standing still in the middle of a row": (_cutting(stalls=True), frozenset({502, 504})),
    "frozen altogether": (_frozen, frozenset({502, 504})),
    "a kilobyte a second": (_slow, frozenset({502, 504})),
    "refused": (_elsewhere(_closed_port), frozenset({502})),
    "another protocol": (_elsewhere(lambda: 6379), frozenset({502})),
    "the name is not resolved": (NO_ANSWER, frozenset({502})),
    "the name leads elsewhere": (ELSEWHERE, frozenset({502})),
}


@dataclass(frozen=True)
class FaultResult:
    """What one fault led to: the status, whether that was right, and after how many seconds all was well again."""

    fault: str
    status: int
    is_right: bool
    recovered: float


def provoked(kind: str, folder: Path, seed: int, times: int, *, encrypted: bool = False) -> list[FaultResult]:
    """Each fault so many times in front of a real server of this kind; `encrypted`: the proxy sees TLS only."""
    dice, results = random.Random(seed), []
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(DATABASES[kind](rows(count=ROWS), folder))
        settings, port = {**source.settings, "host": "localhost"}, PORTS[kind]
        if encrypted:
            port, authority = stack.enter_context(tls_proxy(kind, port, folder))
            settings |= {"host": "127.0.0.1", "tls": "verify-full", "ca": authority}
        cut = stack.enter_context(cutting(port))
        with hosting(folder, silence_seconds=SILENCE_SECONDS) as host:
            orders = host.connect(source.driver, {**settings, "port": str(cut.port)})
            whole = sorted(orders.data(**CALL)[1:])
            cut.passed = 0
            assert sorted(orders.data(**CALL)[1:]) == whole
            place = Place(orders, cut, cut.passed)
            guards = place.pipeline.guards
            place.pipeline.guards = replace(guards, limits=replace(guards.limits, connect_seconds=CONNECT_SECONDS))
            for name, (fault, statuses) in FAULTS.items():
                if encrypted and fault in OF_NAMES:
                    continue
                for _ in range(times):
                    with fault(place, dice):
                        answer = orders.call("urlData", CALL)
                    told = answer.get_json(silent=True)
                    is_whole = answer.status_code == 200 and told is not None and sorted(told[1:]) == whole
                    is_right = is_whole or answer.status_code in statuses
                    results.append(FaultResult(name, answer.status_code, is_right, _recovery(orders, whole)))
            _assert_nothing_stuck(host)
    return results


def _recovery(orders: Connected, whole: list[list[object]]) -> float:
    """Seconds until the whole answer comes again."""
    began = time.monotonic()
    while True:
        answer = orders.call("urlData", CALL)
        seconds = time.monotonic() - began
        if answer.status_code == 200 or seconds > 10 * RECOVERY_SECONDS:
            assert answer.status_code != 200 or sorted(answer.get_json()[1:]) == whole
            return seconds


def _assert_nothing_stuck(host: Host) -> None:
    """No query holds a place any more: the first of each kind is free."""
    places = host.services.shared_memory.places()
    assert [places.take(name, 1) for name in ("altogether", "slow", "room")] == [0, 0, 0]
    places.release()
