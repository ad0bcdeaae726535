"""Lists of tables, remembered with their age: a chart does not ask for the list each time, nor does a page turn.

Only lists are remembered: a table's columns are asked for with every call, since rows are put together by their types.
Each process has its own; whoever wants a fresh list outdates those of all processes.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cachetools import TTLCache

from drivers.base import Description, Session, Table
from drivers.hidden import HiddenTables
from models import now
from services.connections.connection import Credentials
from services.contract.ledger import Ledger
from services.contract.names import PublishedColumns, PublishedTable, PublishedTables
from services.limits.shared_memory import SharedMemory

CALL_SECONDS = 60.0
"""How old a list may be for a portal's call: nobody sees its age there."""
PAGE_SECONDS = 600.0
"""How old it may be on a page, which tells its age and offers a fresh one."""
LISTS_KEPT = 200


@dataclass(frozen=True)
class TableList:
    """Tables and views as the database had them at a moment, and the names under which they are published."""

    listed: Mapping[str, Table]
    """By the published id."""
    tables: PublishedTables
    at: datetime
    read: float
    hidden: HiddenTables | None = None
    """What the user may not read; None where nobody has asked."""


class TableLists:
    """The lists of all connections, each of certain credentials; `clock` tells the moment that people see."""

    def __init__(self, memory: SharedMemory, ledger: Ledger, *, clock: Callable[[], datetime] = now) -> None:
        self._memory, self.ledger, self.clock = memory, ledger, clock
        self._lists: TTLCache[str, TableList] = TTLCache(LISTS_KEPT, PAGE_SECONDS)
        self._lock = threading.Lock()

    def recent(self, of: Credentials, seconds: float) -> TableList | None:
        """The remembered list, if it is no older than `seconds` and nobody has outdated it."""
        key = _key(of)
        with self._lock:
            known = self._lists.get(key)
        if known is None:
            return None
        outdated = self._memory.moment(f"tables {key}") - PAGE_SECONDS
        return known if known.read >= max(time.monotonic() - seconds, outdated) else None

    def read(self, of: Credentials, session: Session, *, with_hidden: bool = False) -> TableList:
        """The list as it is now; `with_hidden` tells also which tables the user may not read, and lists none of them.

        Pages ask for those; portals' calls save the time.
        """
        at, read = self.clock(), time.monotonic()
        listed, hidden = session.tables(), None
        if with_hidden:
            hidden = session.hidden()
            closed = frozenset(hidden.tables)
            listed = [table for table in listed if table.name not in closed]
        tables = PublishedTables(listed, self.ledger.codes(of.ledger_owner))
        by_name = {table.name: table for table in listed}
        known = TableList({row.id: by_name[row.table] for row in tables.all}, tables, at, read, hidden)
        with self._lock:
            self._lists[_key(of)] = known
        return known

    def outdate(self, of: Credentials) -> None:
        """No list that was read before this moment is used any more, in whichever process."""
        moment = time.monotonic() + PAGE_SECONDS
        self._memory.change(f"tables {_key(of)}", lambda _: moment)

    def find(self, of: Credentials, session: Session, asked: str) -> PublishedTable:
        """The table that `asked` means; a name that the remembered list lacks is looked for in a fresh one.

        Raises `NameRefused`.
        """
        known = self.recent(of, CALL_SECONDS)
        if known is None or not known.tables.has(asked):
            known = self.read(of, session)
        return known.tables.resolve(asked)

    def describe(
        self, of: Credentials, session: Session, table: PublishedTable, *, told: bool = False
    ) -> tuple[Description, PublishedColumns]:
        """A table's columns as its database has them, and under their names of the contract, which this adds to.

        `told` where a portal asks.
        """
        description = session.describe(table.table)
        return description, self.ledger.describe(of.ledger_owner, table, description.portal_types, told=told)

    def matching(self, of: Credentials, session: Session, search: str) -> list[PublishedTable]:
        """The tables that a search finds; one that finds nothing in the remembered list is made in a fresh one."""
        known = self.recent(of, CALL_SECONDS)
        return (known.tables.matching(search) if known else []) or self.read(of, session).tables.matching(search)


def _key(of: Credentials) -> str:
    return hashlib.sha256(f"{of.uid} {json.dumps(dict(of.settings), sort_keys=True)}".encode()).hexdigest()
