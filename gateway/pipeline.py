"""From a call to an answer: keys, body, turn, database, spool, record (facts/security 4 and 6).

The app's own database is asked for keys and budgets before a query and told of the call after it, never while rows are
read; portals' tokens are not needed at all, so that a dead token never stops a chart. While our database is away,
connections that were opened within the last minute still open.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

import orjson

from drivers.base import Guards, Session
from gateway.call_summary import names_of
from gateway.calls import Call, Reader
from gateway.problems import NOT_FOUND, KeyRefused, Problem, problem_of
from gateway.spool import Room, Spool
from gateway.wire import Wire
from services.connections import typed_credentials
from services.connections.access import Access, target_of
from services.connections.keys import CallRecord, Connections, Doorway, Opened, secret_settings
from services.connections.table_lists import TableLists
from services.connections.typed_credentials import KnownTargets
from services.limits.budgets import BAD_KEYS, Budgets, BudgetSpent
from services.limits.concurrency import ConcurrencyLimit
from services.limits.fair_queue import FairQueue
from services.limits.rate_limit import RateLimit
from services.limits.shared_memory import SharedMemory
from services.limits.stale_cache import StaleCache, if_it_answers

log = logging.getLogger(__name__)
security_log = logging.getLogger("security")

# A failing check takes this many milliseconds at least, so that its time says little (facts/security 4).
FASTEST_REFUSAL = 300
# What a source that tried too many keys waits for each further one. One source has so many calls waiting at most, and
# its others are not looked at meanwhile; all sources together a quarter of the threads.
BAD_KEY_DELAY = 1.0
DELAYED_OF_ONE = 8
# How a call is recorded whose answer was sent with 200 and not taken as a whole; nginx has the same number for it.
NOT_TAKEN = 499
LONGEST_REASON = 4000
HIDDEN = "[hidden]"


@dataclass(frozen=True)
class Endpoint(Generic[Call]):
    """One of the four: how its body is read and its answer written."""

    name: str
    read: Reader[Call]
    write: Callable[[Call, Opened, Session, TableLists, Spool], int]
    connection_of: Callable[[Call], Mapping[str, str]] = lambda call: call.connection


@dataclass(frozen=True)
class IncomingRequest:
    """A request before anything about it is believed; `body` reads it and may raise `CallRefused`."""

    uid: str
    key: str = field(repr=False)
    source: str
    content_type: str
    body: Callable[[], bytes] = field(repr=False)
    wire: Wire = field(default_factory=Wire)


@dataclass(frozen=True)
class Answer:
    """What is sent: `length` bytes of JSON; `close` lets go of them and records the call when nobody waits any more."""

    status: int
    length: int
    body: Iterable[bytes]
    close: Callable[[], None]


@dataclass
class _Trail:
    """What becomes known of a call while it runs."""

    endpoint: str
    ref: str = field(default_factory=lambda: secrets.token_hex(8))
    started: float = field(default_factory=time.monotonic)
    portal_id: int | None = None
    opened: Opened | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    inside: str = ""
    """Under which name the call is counted as inside."""

    @property
    def milliseconds(self) -> int:
        return int((time.monotonic() - self.started) * 1000)


class Pipeline:
    """Answers calls; one for the application, used by all threads."""

    def __init__(
        self,
        connections: Connections,
        access: Access,
        targets: KnownTargets,
        budgets: Budgets,
        guards: Guards,
        lists: TableLists,
        memory: SharedMemory,
        concurrency: ConcurrencyLimit,
        rate_limit: RateLimit,
        queue: FairQueue,
    ) -> None:
        self._connections, self._access, self._targets = connections, access, targets
        self._budgets, self._guards = budgets, guards
        self._memory, self._concurrency, self._rate_limit, self._queue = memory, concurrency, rate_limit, queue
        self._lists, self._lately = lists, StaleCache()
        self._delayed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def answer(self, endpoint: Endpoint[Call], arrived: IncomingRequest) -> Answer:
        """The whole answer, ready to be sent; never raises, and is no 200 unless everything went well."""
        trail = _Trail(endpoint.name)
        try:
            spool, rows = self._spooled(endpoint, arrived, trail)
        except Exception as error:  # noqa: BLE001 - whatever fails, a portal must see a failure and no traceback
            return self._refusal(error, trail)
        milliseconds = trail.milliseconds

        def close() -> None:
            missing = arrived.wire.missing(spool.size)
            spool.close()
            self._leave(trail)
            if missing:
                told = Problem("", NOT_TAKEN, "not_taken", f"{spool.size - missing} of {spool.size} bytes were taken")
                self._record(trail, NOT_TAKEN, milliseconds, problem=told, rows=rows, size=spool.size - missing)
            else:
                self._record(trail, 200, milliseconds, rows=rows, size=spool.size)

        return Answer(200, spool.size, spool.blocks(), close)

    def _spooled(self, endpoint: Endpoint[Call], arrived: IncomingRequest, trail: _Trail) -> tuple[Spool, int]:
        doorway = self._enter(arrived)
        trail.portal_id = doorway.portal_id
        self._concurrency.enter(str(doorway.portal_id))
        trail.inside = str(doorway.portal_id)
        call = endpoint.read(arrived.body(), arrived.content_type)
        trail.asked = names_of(call)
        if doorway.driver:
            opened = trail.opened = typed_credentials.opened(doorway, endpoint.connection_of(call))
        else:
            opened = trail.opened = self._open(doorway, endpoint.connection_of(call).get("key", ""), arrived.source)
        target = target_of(opened.driver, opened.settings)
        if doorway.driver and not self._is_admitted(doorway, target):
            raise BudgetSpent("new_targets")
        self._rate_limit.wait(opened.budget or opened.uid)
        tenant = str(opened.portal_id)
        with self._queue.slot(tenant, opened.uid, target), Spool(Room(self._memory, tenant)) as spool:
            with self._access.session(opened, self._guards, opened.budget) as session:
                rows = endpoint.write(call, opened, session, self._lists, spool)
            spool.finish()
        return spool, rows

    # --- keys

    def _enter(self, arrived: IncomingRequest) -> Doorway:
        if self._delayed[arrived.source] >= DELAYED_OF_ONE:
            raise BudgetSpent("bad_keys")
        doorway = self._lately.ask(
            ("enter", arrived.uid, arrived.key), lambda: self._connections.enter(arrived.uid, arrived.key)
        )
        if doorway is None:
            raise self._bad_key(arrived.source)
        return doorway

    def _open(self, doorway: Doorway, key: str, source: str) -> Opened:
        opened = self._lately.ask(
            ("open", str(doorway.connector_id), key), lambda: self._connections.open(doorway, key)
        )
        if opened is None:
            raise self._bad_key(source)
        return opened

    def _is_admitted(self, doorway: Doorway, target: str) -> bool:
        """Whether a server may be asked through a connector whose credentials are typed in the portal."""
        number = doorway.connector_id
        asked = self._lately.ask(
            ("admit", str(number), target), lambda: True if self._targets.admit(number, target) else None
        )
        return asked is not None

    def _bad_key(self, source: str) -> KeyRefused:
        """Counts the attempt; sources that try too many keys wait for every further one."""
        is_spent = False
        with if_it_answers():
            is_spent = self._budgets.is_spent(BAD_KEYS, source)
            if not is_spent:
                self._budgets.strike(BAD_KEYS, source)
        if is_spent:
            security_log.warning("too many bad connector keys from %s", source)
            self._delay(source)
        return KeyRefused()

    def _delay(self, source: str) -> None:
        with self._lock:
            if self._delayed.total() >= self._concurrency.room // 4:
                return
            self._delayed[source] += 1
        time.sleep(BAD_KEY_DELAY)
        with self._lock:
            self._delayed[source] -= 1
            if not self._delayed[source]:
                del self._delayed[source]

    # --- endings

    def _leave(self, trail: _Trail) -> None:
        if trail.inside:
            self._concurrency.leave(trail.inside)
            trail.inside = ""

    def _refusal(self, error: Exception, trail: _Trail) -> Answer:
        problem = problem_of(error)
        if problem.code == "internal":
            log.exception("call %s of %s failed", trail.ref, trail.endpoint)
        milliseconds = trail.milliseconds
        if trail.endpoint == "check" and milliseconds < FASTEST_REFUSAL:
            time.sleep((FASTEST_REFUSAL - milliseconds) / 1000)
        body = NOT_FOUND if problem.status == 404 else orjson.dumps({"error": problem.word, "ref": trail.ref})

        def close() -> None:
            self._leave(trail)
            self._record(trail, problem.status, milliseconds, problem=problem)

        return Answer(problem.status, len(body), [body], close)

    def _record(
        self,
        trail: _Trail,
        status: int,
        milliseconds: int,
        *,
        rows: int = 0,
        size: int = 0,
        problem: Problem | None = None,
    ) -> None:
        log.info("%s %s %s in %s ms: %s rows, %s bytes", trail.ref, trail.endpoint, status, milliseconds, rows, size)
        if trail.portal_id is None:
            return
        with if_it_answers():
            self._connections.record(
                CallRecord(
                    ref=trail.ref,
                    portal_id=trail.portal_id,
                    connection_id=trail.opened.id if trail.opened else None,
                    endpoint=trail.endpoint,
                    asked=trail.asked,
                    status=status,
                    code=problem.code if problem else "",
                    reason=_without_secrets(problem.reason, trail.opened) if problem else "",
                    rows=rows,
                    bytes=size,
                    milliseconds=milliseconds,
                )
            )


def _without_secrets(reason: str, opened: Opened | None) -> str:
    if opened is not None:
        for code in secret_settings(opened.driver):
            secret = opened.settings.get(code, "")
            if len(secret) > 2:
                reason = reason.replace(secret, HIDDEN)
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"
