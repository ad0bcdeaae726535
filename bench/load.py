"""What the product holds under load, and for long (facts/security 7), on PostgreSQL and MariaDB.

    .venv/bin/python -m bench.load [--seconds N] [--calls N] [--save]

One server in production form, its client on the same machine. Nothing here fails: what misses its goal is said in the
table.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import http.client
import itertools
import multiprocessing
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import deals, product
from bench.__main__ import DOCUMENT, table_of
from bench.processes import Asked, Fetched, Held, Server
from bench.product import Application, Connection
from bench.race import Checker
from bench.report import machine, save, verdict
from bench.stores import DATABASE, MariaDB, PostgreSQL, Store

ROWS = 100_000
TENANTS = 20
ANSWER_SECONDS = 120.0
MARK = "## Under load\n"
SEED = 20261125


@dataclass
class Taken:
    """Answers to many calls: how many of each status (0 where the connection failed), and their seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, asked: Asked, due: float | None = None, source: str = "") -> None:
        """Ask, and note what came; seconds count from `due`, the moment at which a caller wanted to ask."""
        started = time.perf_counter() if due is None else due
        status, body = _answer(asked, source)
        seconds = time.perf_counter() - started
        digest = hashlib.sha256(body).digest()
        with self._lock:
            self.statuses[status] += 1
            self.seconds.append(seconds)
            self.bodies.setdefault(digest, body if len(body) > 1_000_000 else b"")

    def p99(self) -> float:
        """Seconds within which 99 of 100 calls were answered."""
        return sorted(self.seconds)[max(0, -(-len(self.seconds) * 99 // 100) - 1)]

    def failed(self, wanted: int = 200) -> int:
        """How many calls ended with another status."""
        return self.statuses.total() - self.statuses[wanted]


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    what: str
    found: str
    goal: str
    is_met: bool


def _answer(asked: Asked, source: str = "") -> tuple[int, bytes]:
    parts = urlsplit(asked.url)
    own = (source, 0) if source else None
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, ANSWER_SECONDS, own)
    with contextlib.closing(connection):
        try:
            connection.request("POST", parts.path, asked.body, {"Content-Type": asked.content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


def at_rate(calls: Iterable[Asked], per_second: float, seconds: float, sources: Sequence[str] = ("",)) -> Taken:
    """Ask so often, whether or not the answers before have come: callers of many portals do not wait for each other.

    The calls come from the addresses of this machine in `sources`, one after another.
    """
    taken, start = Taken(), time.perf_counter()
    with ThreadPoolExecutor(64) as pool:
        for number, asked in enumerate(calls):
            due = start + number / per_second
            if due - start > seconds:
                break
            time.sleep(max(0.0, due - time.perf_counter()))
            pool.submit(taken.take, asked, due, sources[number % len(sources)])
    return taken


def at_once(calls: Sequence[Asked]) -> Taken:
    """Ask everything at the same moment."""
    taken = Taken()
    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(taken.take, calls))
    return taken


def noise_of(calls: Sequence[Asked]) -> tuple[Counter[int], float]:
    """How many of calls at the same moment end with each status, and the seconds until the last one did."""
    started = time.perf_counter()
    statuses = at_once(calls).statuses
    return statuses, time.perf_counter() - started


@contextlib.contextmanager
def watched(server: Server, every: float) -> Iterator[list[dict[int, Held]]]:
    """What the server's processes hold, looked at `every` so many seconds while the block runs."""
    seen, stop = [server.forked()], threading.Event()

    def look() -> None:
        while not stop.wait(every):
            seen.append(server.forked())

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield seen
    finally:
        stop.set()
        watching.join()


def metadata(tenants: Sequence[Connection], seconds: float) -> Iterator[Line]:
    """Check, tables and description, a login to the database each; and calls with a wrong key."""
    kinds = itertools.cycle(("urlCheck", "urlTableList", "urlTableDescription"))
    calls = (tenant.called(kind) for tenant, kind in zip(itertools.cycle(tenants), kinds, strict=False))
    for each in tenants:
        _answer(each.called("urlTableDescription"))
    taken = at_rate(calls, 60, seconds)
    told = f"{taken.statuses.total():,} calls, {taken.failed()} failed, p99 {taken.p99() * 1000:.0f} ms"
    good = not taken.failed() and taken.p99() < 0.3
    yield Line(f"60 metadata calls a second of {len(tenants)} portals", told, "p99 < 300 ms, none failed", good)
    yield from wrong_keys(tenants[0], seconds)


def wrong_keys(tenant: Connection, seconds: float) -> Iterator[Line]:
    """Calls with a wrong key, from many addresses and from one that others send right ones from."""
    key = "bxk1_" + "A" * 43
    # The address has a key of its own, before the name of the endpoint.
    before, _, _ = tenant.urls["urlData"].rsplit("/", 2)
    stranger = dataclasses.replace(tenant, urls=dict.fromkeys(tenant.urls, f"{before}/{key}/data"))
    # One address that tries many keys is made to wait (facts/security 4): these come from many.
    sources = [f"127.0.{third}.{fourth}" for third in range(1, 11) for fourth in range(1, 251)]
    guesses = {"a wrong key in the address": stranger, "a wrong key in the body": dataclasses.replace(tenant, key=key)}
    for what, guess in guesses.items():
        taken = at_rate(itertools.repeat(guess.called("urlData")), 200, seconds, sources)
        told = f"{taken.statuses.total():,} calls, {taken.failed(404)} not refused with 404"
        good = not taken.failed(404) and taken.p99() < 0.05
        told += f", p99 {taken.p99() * 1000:.0f} ms"
        yield Line(f"200 calls a second with {what}, from 2,500 addresses", told, "p99 < 50 ms", good)
    yield from shared_address(tenant, stranger, seconds)


def shared_address(tenant: Connection, stranger: Connection, seconds: float) -> Iterator[Line]:
    """Right keys from an address that others send wrong ones from without end."""
    right = itertools.repeat(tenant.called("urlTableDescription"))
    alone = at_rate(right, 10, seconds)
    with ThreadPoolExecutor(1) as elsewhere:
        guesses = elsewhere.submit(at_rate, itertools.repeat(stranger.called("urlData")), 40, seconds + 1)
        time.sleep(1)
        beside = at_rate(right, 10, seconds)
        wrong = guesses.result().statuses
    told = f"p99 {alone.p99() * 1000:.0f} ms alone, {beside.p99() * 1000:.0f} ms beside, {beside.failed()} failed"
    answered = ", ".join(f"{count} x {status}" for status, count in sorted(wrong.items()))
    good = not beside.failed() and beside.p99() < 2 * alone.p99()
    what = f"10 calls a second with a right key, beside 40 wrong ones from the same address ({answered})"
    yield Line(what, told, "p99 < 2 x alone, none failed", good)


def data(server: Server, tenants: Sequence[Connection], checker: Checker) -> Iterator[Line]:
    """Thirty whole tables at once."""
    calls = [tenant.asked() for tenant in itertools.islice(itertools.cycle(tenants), 30)]
    with watched(server, 0.1) as seen:
        taken = at_once(calls)
    for body in taken.bodies.values():
        checker.check("this app", Fetched(200, 0, memoryview(body)))
    most = max(sum(held.memory for held in each.values()) for each in seen)
    told = f"{taken.failed()} failed, all rows right, p99 {taken.p99():.1f} s, {most:.0f} MB in all"
    good = not taken.failed() and taken.p99() < 30 and most < 600
    yield Line(f"30 x {ROWS:,} rows at once", told, "p99 < 30 s, < 600 MB, none failed", good)


def fairness(quiet: Connection, noisy: Connection) -> Iterator[Line]:
    """A portal that asks ten times a second, alone and beside one that asks for everything 200 times at once."""
    asked = quiet.asked(limit=20)
    alone, disturbed = at_rate(itertools.repeat(asked), 10, 20), Taken()
    # In a process of its own: two callers on one interpreter would wait for each other.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        noise = elsewhere.submit(noise_of, [noisy.asked()] * 200)
        time.sleep(2)
        while not noise.done():
            part = at_rate(itertools.repeat(asked), 10, 2)
            disturbed.statuses += part.statuses
            disturbed.seconds += part.seconds
    failed = alone.failed() + disturbed.failed()
    statuses, seconds = noise.result()
    told = (
        f"p99 {alone.p99() * 1000:.0f} ms alone, {disturbed.p99() * 1000:.0f} ms beside, {failed} failed; "
        f"the other one got {statuses[200] / seconds:.1f} whole tables a second"
    )
    good = not failed and disturbed.p99() < 2 * alone.p99()
    answered = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    yield Line(f"a quiet portal beside 200 calls of another ({answered})", told, "p99 < 2 x alone", good)


def soak(server: Server, tenants: Sequence[Connection], calls: int) -> Iterator[Line]:
    """Calls of every kind by four callers, one after another each: what grows, what stays open."""
    taken, left = Taken(), iter(range(calls))

    def call(seed: int) -> None:
        chance = random.Random(seed)
        while next(left, None) is not None:
            taken.take(_any_call(chance.choice(tenants), chance))

    with watched(server, 5) as seen:
        started = time.monotonic()
        threads = [threading.Thread(target=call, args=(SEED + number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        hours = (time.monotonic() - started) / 3600
    with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres") as database:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        sessions = database.execute(query, [DATABASE]).fetchone() or (0,)
    fifth = len(seen) // 5 + 1
    first, last = _mean(seen[fifth : 2 * fifth] or seen), _mean(seen[-fifth:])
    told = (
        f"{taken.statuses.total():,} calls in {hours * 60:.0f} min, {taken.failed()} failed; a process: memory "
        f"{first.memory:.0f} to {last.memory:.0f} MB, files {first.files} to {last.files}, threads {first.threads} to "
        f"{last.threads}; {sessions[0]} sessions left open"
    )
    yield Line("calls of every kind", told, "none failed, none left", not taken.failed() and not sessions[0])


def _any_call(tenant: Connection, chance: random.Random) -> Asked:
    """Mostly charts of a few rows, as portals ask; now and then many rows, or what a form asks."""
    kind = chance.choices(("urlCheck", "urlTableList", "urlTableDescription", "few", "many"), (2, 2, 2, 12, 2))[0]
    if kind == "few":
        return tenant.asked(limit=chance.choice((20, 500)))
    return tenant.asked(deals.NARROW, limit=20_000) if kind == "many" else tenant.called(kind)


def _mean(seen: Sequence[dict[int, Held]]) -> Held:
    some = [held for each in seen for held in each.values()]
    means = (sum(values) / len(some) for values in zip(*map(dataclasses.astuple, some), strict=True))
    memory, files, threads = means
    return Held(memory, round(files), round(threads))


def _measured(application: Application, stores: Sequence[Store], seconds: float, calls: int) -> Iterator[Line]:
    tenants = [application.connect(f"portal{number}", stores[number % len(stores)]) for number in range(TENANTS)]
    checker = Checker(deals.fingerprint(stores[0].rows(deals.NAMES)), deals.NAMES)
    yield from metadata(tenants, seconds)
    yield from data(application.server, tenants, checker)
    yield from fairness(tenants[0], tenants[2])
    yield from soak(application.server, tenants, calls)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.load", description="Measure what the product holds under load.")
    parser.add_argument("--seconds", type=float, default=60, help="how long calls come at a steady rate")
    parser.add_argument("--calls", type=int, default=20_000, help="how many calls of every kind follow")
    parser.add_argument("--save", action="store_true", help=f"keep the table in {DOCUMENT.name}")
    given = parser.parse_args()
    source = table_of(ROWS)
    stores = [kind(source.parent, source) for kind in (PostgreSQL, MariaDB)]
    lines = ["| what | found | goal |", "|---|---|---|"]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        for store in stores:
            stack.callback(store.drop)
            store.load()
        application = stack.enter_context(product.running(source.parent, folder))
        for line in _measured(application, stores, given.seconds, given.calls):
            lines.append(f"| {line.what} | {line.found} | {verdict(line.is_met, line.goal)} |")
            print(lines[-1], flush=True)
    if given.save:
        save(DOCUMENT, MARK, "\n".join([*lines, "", machine()]))


if __name__ == "__main__":
    main()
