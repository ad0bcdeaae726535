"""From a call to an answer: keys, body, limits, database, spool, record (facts/security 4 and 6).

The app's own database is asked for keys and budgets before a query and told of the call after it, never while rows are
read; portals' tokens are not needed at all, so that a dead token never stops a chart. While our database is away,
connections that were opened within the last minute still open.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic

import orjson

from drivers.base import Guards, Session
from gateway.call_summary import names_of, table_of
from gateway.calls import Call, Reader
from gateway.problems import CALLER_GONE, NOT_FOUND, CallerGone, CallFailure, KeyRefused, problem_of
from gateway.spool import Room, Spool
from models import EndpointCall, identity_of
from services.connections import typed_credentials
from services.connections.access import Access, ConnectionClosed, target_of
from services.connections.call_log import CallLog
from services.connections.connection import Connection, Credentials, HostedConnector
from services.connections.keys import ConnectionKeys
from services.connections.table_lists import TableLists
from services.connections.typed_credentials import KnownTargets
from services.limits.budgets import BudgetSpent
from services.limits.concurrency import ConcurrencyLimit
from services.limits.fair_queue import FairQueue
from services.limits.heavy_work import HeavyWork, LargeAnswer
from services.limits.rate_limit import RateLimit
from services.limits.shared_memory import SharedMemory
from services.limits.stale_cache import StaleCache, if_it_answers
from services.limits.wrong_keys import WrongKeys

log = logging.getLogger(__name__)

# A failing check takes this many milliseconds at least, so that its time says little (facts/security 4).
FASTEST_REFUSAL = 300


@dataclass(frozen=True)
class Endpoint(Generic[Call]):
    """One of the four: how its body is read and its answer written."""

    name: str
    read: Reader[Call]
    write: Callable[[Call, Credentials, Session, TableLists, Spool], int]
    connection_of: Callable[[Call], Mapping[str, str]] = lambda call: call.connection


@dataclass(frozen=True)
class IncomingRequest:
    """A request before anything about it is believed.

    `body` reads it and may raise `CallRefused`; `is_waiting` says whether the caller has not hung up.
    """

    uid: str
    key: str = field(repr=False)
    source: str
    content_type: str
    body: Callable[[], bytes] = field(repr=False)
    is_waiting: Callable[[], bool] = field(repr=False)

    def check_waiting(self) -> None:
        """Raise `CallerGone` if the caller has hung up."""
        if not self.is_waiting():
            raise CallerGone


@dataclass(frozen=True)
class Answer:
    """What is sent: `length` bytes of JSON; `close` lets go of them and records the call when nobody waits any more."""

    status: int
    length: int
    body: Iterable[bytes]
    close: Callable[[], None]


@dataclass
class _RunningCall:
    """A call while it runs: its record, filled as things become known, and what ends with it."""

    record: EndpointCall
    started: float = field(default_factory=time.monotonic)
    connector: HostedConnector | None = None
    credentials: Credentials | None = None
    inside: str = ""
    """The tenant for which the call counts against the concurrency limit; empty while it does not."""

    @property
    def milliseconds(self) -> int:
        return int((time.monotonic() - self.started) * 1000)


class Pipeline:
    """Answers calls; one for the application, used by all threads.

    A call goes by the `guards` and the `rate_limit` that are set when it comes.
    """

    def __init__(
        self,
        keys: ConnectionKeys,
        call_log: CallLog,
        access: Access,
        targets: KnownTargets,
        guards: Guards,
        lists: TableLists,
        memory: SharedMemory,
        concurrency: ConcurrencyLimit,
        rate_limit: RateLimit,
        queue: FairQueue,
        heavy_work: HeavyWork,
        wrong_keys: WrongKeys,
    ) -> None:
        self._keys, self._call_log, self._access, self._targets = keys, call_log, access, targets
        self.guards, self._wrong_keys = guards, wrong_keys
        self._memory, self._concurrency, self.rate_limit, self._queue = memory, concurrency, rate_limit, queue
        self._heavy_work = heavy_work
        self._lists, self._stale_cache = lists, StaleCache()

    def answer(self, endpoint: Endpoint[Call], arrived: IncomingRequest) -> Answer:
        """The whole answer, ready to be sent; never raises, and is no 200 unless everything went well."""
        call = _RunningCall(EndpointCall(ref=secrets.token_hex(8), endpoint=endpoint.name, asked={}))
        try:
            spool, rows = self._spooled(endpoint, arrived, call)
        except Exception as error:  # noqa: BLE001 - whatever fails, a portal must see a failure and no traceback
            return self._refusal(error, call)
        milliseconds = call.milliseconds

        def close() -> None:
            spool.close()
            self._leave(call)
            cut: CallFailure | None = None
            if spool.taken < spool.size:
                cut = CallFailure("", CALLER_GONE, "not_taken", f"{spool.taken} of {spool.size} bytes were taken")
            self._record(call, milliseconds, problem=cut, rows=rows, size=spool.taken)

        return Answer(200, spool.size, spool.blocks(), close)

    def _spooled(self, endpoint: Endpoint[Call], arrived: IncomingRequest, call: _RunningCall) -> tuple[Spool, int]:
        """The whole answer, spooled, and its number of rows.

        Keys are asked for twice: nothing of a body is read before the key in the address is known to be right.
        """
        connector = self._enter(arrived)
        call.connector, tenant = connector, str(connector.portal_id)
        is_only = self._concurrency.enter(tenant)
        call.inside = tenant
        with self._heavy_work.answer(is_only=is_only) as large:
            return self._made(endpoint, arrived, call, connector, large)

    def _made(
        self,
        endpoint: Endpoint[Call],
        arrived: IncomingRequest,
        call: _RunningCall,
        connector: HostedConnector,
        large: LargeAnswer,
    ) -> tuple[Spool, int]:
        """The answer of a call that is inside."""
        tenant = str(connector.portal_id)
        asked = endpoint.read(arrived.body(), arrived.content_type)
        call.record.asked = names_of(asked)
        if table := table_of(asked):
            call.record.table_hash = identity_of(table)
        credentials = self._credentials(connector, endpoint.connection_of(asked), arrived.source)
        call.credentials = credentials
        if isinstance(credentials, Connection) and credentials.lost:
            raise ConnectionClosed.of(credentials)
        target = target_of(credentials.driver, credentials.settings)
        if connector.driver and not self._is_admitted(connector, target):
            raise BudgetSpent("new_targets")
        self.rate_limit.wait(credentials.budget)
        with (
            self._queue.slot(tenant, credentials.uid, target) as slot,
            Spool(Room(self._memory, tenant), grown=large.grow) as spool,
        ):
            arrived.check_waiting()
            limits = replace(self.guards.limits, is_wanted=arrived.is_waiting, is_silent=slot.is_silent)
            guards = replace(self.guards, limits=limits)
            with self._access.session(credentials, guards) as session:
                rows = endpoint.write(asked, credentials, session, self._lists, spool)
                call.record.unshown = dict(session.unshown) or None
            spool.finish()
            arrived.check_waiting()
        return spool, rows

    # --- keys

    def _enter(self, arrived: IncomingRequest) -> HostedConnector:
        connector = self._stale_cache.ask(
            ("enter", arrived.uid, arrived.key), lambda: self._keys.enter(arrived.uid, arrived.key)
        )
        if connector is None:
            self._wrong_keys.count(arrived.source)
            raise KeyRefused
        return connector

    def _credentials(self, connector: HostedConnector, sent: Mapping[str, str], source: str) -> Credentials:
        """What the call's `connection` means: credentials that were typed in the portal, or a key."""
        if connector.driver:
            return typed_credentials.credentials_of(connector, sent)
        key = sent.get("key", "")
        connection = self._stale_cache.ask(("open", str(connector.id), key), lambda: self._keys.open(connector, key))
        if connection is None:
            self._wrong_keys.count(source)
            raise KeyRefused
        return connection

    def _is_admitted(self, connector: HostedConnector, target: str) -> bool:
        """Whether a server may be asked through a connector whose credentials are typed in the portal."""
        number = connector.id
        asked = self._stale_cache.ask(
            ("admit", str(number), target), lambda: True if self._targets.admit(number, target) else None
        )
        return asked is not None

    # --- endings

    def _leave(self, call: _RunningCall) -> None:
        if call.inside:
            self._concurrency.leave(call.inside)
            call.inside = ""

    def _refusal(self, error: Exception, call: _RunningCall) -> Answer:
        problem, record = problem_of(error), call.record
        if problem.code == "internal":
            log.exception("call %s of %s failed", record.ref, record.endpoint)
        milliseconds = call.milliseconds
        # Not for a wrong key, which all cost the same: threads that sleep for those are missing for right ones.
        if record.endpoint == "check" and milliseconds < FASTEST_REFUSAL and not isinstance(error, KeyRefused):
            time.sleep((FASTEST_REFUSAL - milliseconds) / 1000)
        body = NOT_FOUND if problem.status == 404 else orjson.dumps({"error": problem.word, "ref": record.ref})

        def close() -> None:
            self._leave(call)
            self._record(call, milliseconds, problem=problem)

        return Answer(problem.status, len(body), [body], close)

    def _record(
        self, call: _RunningCall, milliseconds: int, *, problem: CallFailure | None = None, rows: int = 0, size: int = 0
    ) -> None:
        record = call.record
        record.status = problem.status if problem else 200
        told = f"{record.ref} {record.endpoint} {record.status} in {milliseconds} ms"
        if problem and problem.code != "key":
            log.warning("%s: %s", told, problem.code)
        else:
            log.info("%s: %s rows, %s bytes", told, rows, size)
        if call.connector is None:
            return
        record.portal_id = call.connector.portal_id
        record.code, record.reason = (problem.code, problem.reason) if problem else ("", "")
        record.rows, record.bytes, record.milliseconds = rows, size, milliseconds
        if isinstance(call.credentials, Connection):
            record.connection_id = call.credentials.id
        with if_it_answers():
            self._call_log.record(record, call.credentials)
