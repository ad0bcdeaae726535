"""A published name keeps its meaning and its type, or is refused, in 1,000 random sequences of changes of a table."""

from __future__ import annotations

import contextlib
import io
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from drivers import catalogue
from drivers.base import Guards, Session
from drivers.errors import QueryRefused
from drivers.query import TableQuery
from egress.policy import Policy
from gateway.calls import DataCall, data_call
from gateway.rows import write_rows
from gateway.table_query import query_of
from models import Base, HostedConnectorRow, Portal, connect, sessions_for
from services.contract.delivery import Delivery
from services.contract.ledger import ColumnChoice, Ledger, Owner
from services.contract.names import NameRefused, PublishedTable, PublishedTables
from tests.gateway.bodies import FORM, form_body
from tests.suite.databases import MariaDBDatabase, PostgreSQLDatabase, SQLiteDatabase

SEQUENCES, BATCHES = 1000, 10
# A file is read anew after each change, which takes its time.
STEPS = {"file": 2}
GUARDS = Guards(Policy(allow=["127.0.0.1:5432", "127.0.0.1:3306"]))
# Several of them have the same code by themselves, which is what goes wrong where names are computed anew.
NAMES = (
    *(f"revenue_from_existing_customers_{year}" for year in (2023, 2024, 2025)),
    "Sum a",
    "sum_a",
    "SUM-A",
    "город",
    "gorod",
    "id",
)
TYPES = ("int", "double", "string", "date")
CASTS = {
    "int": ("int", "double", "string"),
    "double": ("int", "double", "string"),
    "string": ("string", "int", "double", "date", "datetime"),
    "date": ("date", "datetime", "string"),
}


@dataclass
class Table:
    """The model: the columns as they are now, and three rows whose values tell of which column they are."""

    columns: dict[str, str] = field(default_factory=lambda: {"id": "int"})

    def cells(self, name: str) -> list[Any]:
        number = NAMES.index(name)
        kind = self.columns[name]
        if kind == "int":
            return [number * 100 + row for row in range(3)]
        if kind == "double":
            return [number * 100 + row + 0.5 for row in range(3)]
        if kind == "date":
            return [f"20{10 + number}-03-0{row + 1}" for row in range(3)]
        return [f"of {NAMES[number]} {row}" for row in range(3)]

    def change(self, dice: random.Random) -> None:
        """Add, drop, rename, reorder, retype or replace."""
        free = [name for name in NAMES if name not in self.columns]
        there = list(self.columns)
        match dice.choice(("add", "add", "drop", "rename", "reorder", "retype", "replace")):
            case "add" if free:
                self.columns[dice.choice(free)] = dice.choice(TYPES)
            case "drop" if len(there) > 1:
                del self.columns[dice.choice(there)]
            case "rename" if free:
                old, new = dice.choice(there), dice.choice(free)
                self.columns = {new if name == old else name: kind for name, kind in self.columns.items()}
            case "retype":
                self.columns[dice.choice(there)] = dice.choice(TYPES)
            case "replace":
                chosen = dice.sample(NAMES, dice.randint(1, 5))
                self.columns = {name: self.columns.get(name) or dice.choice(TYPES) for name in chosen}
            case _:
                dice.shuffle(there)
                self.columns = {name: self.columns[name] for name in there}


class Store(ABC):
    """Where such a table is kept, under one name all the time."""

    driver: str
    settings: dict[str, str]
    guards = GUARDS

    @abstractmethod
    def keep(self, table: Table) -> None:
        """Let the table be as the model is now."""


class Csv(Store):
    driver = "file"

    def __init__(self, folder: Path) -> None:
        self.guards = Guards(GUARDS.policy, local_files=folder)
        self.settings, self._path = {"path": "orders.csv"}, folder / "orders.csv"

    def keep(self, table: Table) -> None:
        cells = [table.cells(name) for name in table.columns]
        lines = [",".join(table.columns), *(",".join(map(str, row)) for row in zip(*cells, strict=True))]
        self._path.with_suffix(".new").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._path.with_suffix(".new").rename(self._path)


class Server(Store):
    """A table of a database, made anew as it is after each change."""

    def __init__(self, database: SQLiteDatabase | MariaDBDatabase | PostgreSQLDatabase, kinds: dict[str, str]) -> None:
        self._database, self._kinds = database, kinds
        self.driver, self.settings = database.driver, database.settings
        self.guards = Guards(GUARDS.policy, local_files=database.folder)
        self.close = database.close

    def keep(self, table: Table) -> None:
        self._database.execute(f"DROP TABLE IF EXISTS {self._database.qualified('orders')}")
        cells = [
            [date.fromisoformat(cell) for cell in table.cells(name)] if kind == "date" else table.cells(name)
            for name, kind in table.columns.items()
        ]
        kinds = {name: self._kinds[kind] for name, kind in table.columns.items()}
        self._database.create("orders", kinds, zip(*cells, strict=True))


KINDS = {"int": "bigint", "double": "double precision", "string": "text", "date": "date"}
STORES: dict[str, Callable[[Path], Store]] = {
    "csv": Csv,
    "sqlite": lambda folder: Server(SQLiteDatabase(folder), KINDS),
    "mariadb": lambda folder: Server(MariaDBDatabase(folder), KINDS),
    "postgresql": lambda folder: Server(PostgreSQLDatabase(folder), KINDS),
}


@contextlib.contextmanager
def kept(kind: str, folder: Path) -> Iterator[Store]:
    """A store of this kind."""
    store = STORES[kind](folder)
    yield store
    if isinstance(store, Server):
        store.close()


@contextlib.contextmanager
def ledger_in(folder: Path) -> Iterator[Ledger]:
    """A ledger in a database of its own."""
    engine = connect(f"sqlite:///{folder / 'app.db'}")
    Base.metadata.create_all(engine)
    sessions = sessions_for(engine)
    with sessions.begin() as session:
        session.add(Portal(member_id="m", state="local"))
        session.flush()
        session.add(HostedConnectorRow(portal_id=1, key_hash="0" * 64))
    yield Ledger(sessions)
    engine.dispose()


class Portals:
    """What portals see of the table in one session."""

    def __init__(self, session: Session, ledger: Ledger, owner: Owner) -> None:
        self._session, self._ledger, self._owner = session, ledger, owner
        tables = PublishedTables(session.tables())
        self._table: PublishedTable = next(row for row in tables.all if row.code.endswith("orders"))
        self._description = session.describe(self._table.table)

    def described(self) -> dict[str, str]:
        """Codes and types as an endpoint tells them."""
        columns = self._ledger.describe(self._owner, self._table, self._description.portal_types)
        return {column.code: column.type for column in columns.all}

    def choose(self, choices: dict[str, ColumnChoice]) -> None:
        """An analyst chooses codes and types of columns, which are given by their own names."""
        today = self._description.portal_types
        codes = {column.name: column.code for column in self._ledger.published(self._owner, self._table, today).all}
        by_code = {codes[name]: choice for name, choice in choices.items()}
        self._ledger.choose(self._owner, self._table, today, by_code)

    def publish(self, types: dict[str, Any]) -> None:
        """A dataset is made of what was described."""
        self._ledger.fix(self._owner, self._table, [], types)

    def rows(self, codes: list[str], chosen: Collection[str]) -> dict[str, list[Any] | None]:
        """The values of each code; None where it is refused by itself.

        What is `chosen` is asked for by itself, since a value may not fit. A refusal may end the session's use: what is
        left then is not asked for.
        """
        columns = self._ledger.published(self._owner, self._table, self._description.portal_types)
        answers: dict[str, list[Any] | None] = dict.fromkeys(codes)
        delivery = Delivery(self._session, self._description, columns)
        answered = [code for code in codes if not self._is_refused(code, delivery)]
        together = [code for code in answered if code not in chosen]
        for turn in filter(None, (together, *([code] for code in answered if code in chosen))):
            body = io.BytesIO()
            header, query = self._query(turn, delivery)
            try:
                write_rows(header, self._session.rows(query, delivery.description), body)  # type: ignore[arg-type]  # it has `write`
            except QueryRefused as refused:
                if (refused.code, refused.name) != ("value_unfit", turn[0]):
                    raise
                left = [code for code in answered if code in chosen]
                return {code: cells for code, cells in answers.items() if code not in left[left.index(turn[0]) + 1 :]}
            rows = json.loads(body.getvalue())[1:]
            answers |= {code: sorted((row[place] for row in rows), key=str) for place, code in enumerate(turn)}
        return answers

    def _query(self, codes: list[str], delivery: Delivery) -> tuple[list[str], TableQuery]:
        call: DataCall = data_call(form_body({"select": codes, "table": "orders"}), FORM)
        return query_of(call, delivery, "en")

    def _is_refused(self, code: str, delivery: Delivery) -> bool:
        try:
            self._query([code], delivery)
        except NameRefused:
            return True
        return False


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("kind", STORES)
def test_every_answer_is_that_of_the_contract_or_a_refusal(kind: str, batch: int, tmp_path: Path) -> None:
    with kept(kind, tmp_path) as store, ledger_in(tmp_path) as ledger:
        prove(store, ledger, batch)


def prove(store: Store, ledger: Ledger, batch: int) -> None:
    """Fail unless each answer of a tenth of the sequences is that of the contract or a refusal."""
    for number in range(batch, SEQUENCES, BATCHES):
        dice, table = random.Random(number), Table()
        for _ in range(3):
            table.change(dice)
        owner = Owner(f"{store.driver}-{number}", 1)
        meaning: dict[str, str] = {}
        types: dict[str, str] = {}
        fixed: dict[str, str] = {}
        chosen: dict[str, str] = {}
        for step in range(STEPS.get(store.driver, 3)):
            if step:
                table.change(dice)
            store.keep(table)
            with catalogue.DRIVERS[store.driver].open(store.settings, store.guards) as session:
                portals = Portals(session, ledger, owner)
                if step == 0:
                    choices = chosen_columns(table, dice)
                    portals.choose(choices)
                    meaning = {choice.code: name for name, choice in choices.items()}
                    chosen = {choice.code: choice.unfit for choice in choices.values()}
                if step == 0 or dice.random() < 0.5:
                    types |= portals.described()
                    if step == 0:
                        fixed = dict(types)
                        portals.publish(fixed)
                    types |= fixed
                check(portals.rows(list(types), chosen), table, meaning, types, chosen, number)


def chosen_columns(table: Table, dice: random.Random) -> dict[str, ColumnChoice]:
    """What an analyst chooses for some columns, each with a code of its own."""
    return {
        name: ColumnChoice(f"CHOSEN_{number}", dice.choice(CASTS[kind]), dice.choice(("refuse", "null")))  # type: ignore[arg-type]
        for number, (name, kind) in enumerate(table.columns.items())
        if dice.random() < 0.3
    }


def converted(cells: list[Any], kind: str, wanted: str, unfit: str) -> list[Any] | None:
    """What is delivered of cells of one type in another one; None where they are refused."""
    if wanted == kind or (wanted, kind) == ("double", "int"):
        return cells
    if wanted == "string":
        return sorted(map(str, cells))
    if unfit and (kind, wanted) == ("date", "datetime"):
        return [f"{cell} 00:00:00" for cell in cells]
    # No other value of the model fits another type.
    return [None] * len(cells) if unfit == "null" and wanted in CASTS[kind] else None


def check(
    answers: dict[str, list[Any] | None],
    table: Table,
    meaning: dict[str, str],
    types: dict[str, str],
    chosen: dict[str, str],
    number: int,
) -> None:
    for code, cells in answers.items():
        where = f"sequence {number}, {code} ({types[code]}): {cells}"
        told = {
            name: converted(table.cells(name), kind, types[code], chosen.get(code, ""))
            for name, kind in table.columns.items()
        }
        if code not in meaning:
            found = [name for name, values in told.items() if values == cells and cells is not None]
            if found:
                meaning[code] = found[0]
        assert code in meaning or cells is None, where
        assert cells == told.get(meaning.get(code, "")), where
