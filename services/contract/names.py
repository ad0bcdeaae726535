"""What tables and columns are called in the portal, and which real one a name from the portal means.

A published column has one spelling for code and name: transliterated, upper case, at most 32 characters, collisions
numbered in the order of the columns (facts/biconnector 4.6, facts/field 0 item 8). A name that was given out keeps its
meaning: what `contract.ledger` holds comes first, and only what it lacks is named anew, by names that nobody had.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from drivers.base import Table
from drivers.casts import is_castable
from drivers.columns import PortalType
from drivers.query import TableName
from errors import ApplicationError

LONGEST_COLUMN = 32
LONGEST_TABLE = 230
WIDER: frozenset[tuple[PortalType, PortalType]] = frozenset({("double", "int")})
"""Types whose values stand in JSON as those of another one do: the contract's, and today's."""
Unfit = Literal["", "refuse", "null"]
"""What becomes of values that a type does not hold; empty where nobody chose the type, so that nothing is converted."""
MOST_COLUMNS = 1600
"""Of one answer: more than any table of PostgreSQL has, and as many as every database gives in one row."""

# `LOGIC` beside a condition is the portal's word for how conditions are joined, so no column may be called so.
RESERVED = frozenset({"LOGIC"})

# Letters that have no ASCII letter inside, and the letters they become. Umlauts as their languages write them without
# dots; Russian and Belarusian, Ukrainian, Kazakh. The four written as escapes look like ASCII letters and are none.
_LATIN = "äöüßæœøđðþłħŋ\u0131"
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщыэюяў\u0456їєґәғқңөұ\u04af\u04bb"
_BECOME = (
    "ae oe ue ss ae oe o d d th l h n i "
    "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch y e yu ya u "
    "i yi ye g "
    "a g k n o u u h"
)
_ROMAN = {**dict(zip(_LATIN + _CYRILLIC, _BECOME.split(), strict=True)), "ъ": "", "ь": ""}


class NameRefused(ApplicationError):
    """A name means no table or column, or several.

    Codes: `unknown_table`, `unknown_column`, `ambiguous_name`; `name` is the one that was asked for. Of a name that was
    published: `published_table_gone`, `published_column_gone`, and `type_changed` for a column whose values are no
    longer of the type under which it was published, and `value_unfit` where one value is not of the type that was
    chosen; `name` tells the real one and the types as well.
    """

    def __init__(self, code: str, name: str = "") -> None:
        super().__init__(f"{code}: {name}" if name else code)
        self.code, self.name = code, name


@dataclass(frozen=True)
class KeptColumn:
    """A column as the contract holds it: `type` is the portal's, and `fixed` where a dataset has the column so.

    `told`: a portal was told of it, so that a dataset may rest on it that nobody here sees. `retired`: somebody
    accepted that the column is gone. `unfit` says that an analyst chose the type.
    """

    code: str
    name: str
    type: PortalType
    fixed: bool = False
    retired: bool = False
    told: bool = False
    unfit: Unfit = ""


@dataclass(frozen=True)
class PublishedColumn:
    """A column under its published `code`; `name` is the database's own, `type` the portal's.

    `type` is the contract's; `now` is what the column holds today, where that is another one.
    """

    code: str
    name: str
    type: PortalType
    now: PortalType | None = None
    unfit: Unfit = ""

    @property
    def is_cast(self) -> bool:
        """Whether values have to be converted into the contract's type."""
        return self.now is not None and (self.type, self.now) not in WIDER

    @property
    def keeps_its_type(self) -> bool:
        """Whether today's values can be told in the contract's type: losing nothing, or as an analyst chose it."""
        if self.now is None or not self.is_cast or self.type == "string":
            return True
        return bool(self.unfit) and is_castable(self.now, self.type)

    def check(self, asked: str = "") -> None:
        """Raise `NameRefused` unless the column keeps its type; `asked` is the name that was asked for."""
        if not self.keeps_its_type:
            raise self.refusal(asked)

    def refusal(self, asked: str = "", value: str = "") -> NameRefused:
        """Why it is not answered: its type and today's, and a value that does not fit."""
        told = f"{asked or self.code} ({self.name}): {self.type}, {self.now}" + (f", {value}" if value else "")
        return NameRefused("value_unfit" if self.keeps_its_type else "type_changed", told)


@dataclass(frozen=True)
class PublishedTable:
    """A table as it is listed to the portal.

    `code` is a valid dataset name; `id` spells schema and name exactly and becomes the dataset's `externalCode`
    (facts/biconnector 5.5), so that a dataset keeps its table whatever other tables come and go. A `part` of another
    table is found by its name and not offered.
    """

    code: str
    id: str
    table: TableName
    plain: bool
    part: bool = False
    any_case: bool = False

    def is_called(self, asked: str, name: str) -> bool:
        """Whether `asked` is this name of the table, in any case where its server tells none apart."""
        return asked == name or (self.any_case and asked.lower() == name.lower())


Item = TypeVar("Item", PublishedColumn, PublishedTable)


class PublishedColumns:
    """The published columns of one table, and the way back from the names of a call.

    `kept` are those of the contract, in any order; whatever of `columns` it lacks is named anew. A column of the
    database may be several published ones, each with its code and type.
    """

    def __init__(
        self,
        columns: Iterable[tuple[str, PortalType]],
        map_fields: Mapping[str, str] | None = None,
        kept: Iterable[KeptColumn] = (),
    ) -> None:
        listed, known = list(columns), list(kept)
        by_name = itertools.groupby(sorted(known, key=lambda column: column.name), lambda column: column.name)
        held = {name: list(group) for name, group in by_name}
        fresh = [name for name, _ in listed if name not in held]
        codes = iter(column_codes(fresh, {column.code for column in known}))
        self.all = tuple(
            column
            for name, now in listed
            for column in (
                [_published(each, now) for each in held[name]]
                if name in held
                else [PublishedColumn(next(codes), name, now)]
            )
        )
        self._by_code = {column.code: column for column in self.all}
        self.gone = tuple(column for column in known if column.code not in self._by_code)
        self.is_new = bool(fresh)
        self._map_fields = map_fields or {}

    def resolve(self, asked: str) -> PublishedColumn:
        """The column that `asked` means, in the order of facts/biconnector 5.7a; raises `NameRefused` for none.

        A published code; the code that `mapFields` gives for it; the database's own name; the one column whose
        normalised name it is. A name that was published and whose column has gone means no other one.
        """
        found = self.find(asked)
        found.check(asked)
        return found

    def find(self, asked: str) -> PublishedColumn:
        """The same, whether or not the column keeps its type."""
        if found := self._by_code.get(asked):
            return found
        for column in self.gone:
            if column.code == asked:
                raise NameRefused("published_column_gone", f"{asked} ({column.name})")
        if codes := {code for code, name in self._map_fields.items() if name == asked}:
            exact = [column for column in self.all if column.code in codes]
            return _only(exact or self._first_of(lambda column: column.name in codes), asked, "column")
        if same := self._first_of(lambda column: column.name == asked):
            return _only(same, asked, "column")
        return _only(self._first_of(lambda column: asked in _normalised(column)), asked, "column")

    def _first_of(self, is_meant: Callable[[PublishedColumn], bool]) -> list[PublishedColumn]:
        """Of each column of the database that is meant, the published one that was there first."""
        found = filter(is_meant, reversed(self.all))
        return list({column.name: column for column in found}.values())


def _published(kept: KeptColumn, now: PortalType) -> PublishedColumn:
    return PublishedColumn(kept.code, kept.name, kept.type, None if now == kept.type else now, kept.unfit)


class PublishedTables:
    """The published tables of one connection, and the way back from the names of a call.

    `kept` are the codes that the contract holds, in the order in which they were given out.
    """

    def __init__(self, tables: Iterable[Table], kept: Mapping[str, TableName] | None = None) -> None:
        self._kept = kept or {}
        known = {table: code for code, table in self._kept.items()}
        listed = sorted(tables, key=lambda table: (not table.plain, table.name.schema, table.name.name))
        fresh = [table for table in listed if table.name not in known]
        named = known | _table_codes(fresh, self._kept)
        self.all = tuple(self._published(table, named[table.name]) for table in listed)

    def _published(self, table: Table, code: str) -> PublishedTable:
        exact = table_id(table.name)
        # The exact name is another table's code since before: it cannot mean both.
        is_taken = self._kept.get(exact, table.name) != table.name
        return PublishedTable(code, code if is_taken else exact, table.name, table.plain, table.part, table.any_case)

    def resolve(self, asked: str) -> PublishedTable:
        """The table that `asked` means; raises `NameRefused` for none or several.

        Its code if it was given out before; its exact id; its code; its own name where that needs no schema; the only
        table of that name. A code whose table has gone means no other one.
        """
        kept = self._kept.get(asked)
        ways: Sequence[Callable[[PublishedTable], bool]] = (
            lambda listed: kept is not None and listed.is_called(table_id(kept), table_id(listed.table)),
            lambda listed: listed.is_called(asked, listed.id),
            lambda listed: listed.is_called(asked, listed.code),
            lambda listed: listed.plain and listed.is_called(asked, listed.table.name),
            lambda listed: listed.is_called(asked, listed.table.name),
        )
        for way in ways[:1] if kept else ways[1:]:
            if found := [listed for listed in self.all if way(listed)]:
                return _only(found, asked, "table")
        raise NameRefused("published_table_gone" if kept else "unknown_table", asked)

    def has(self, asked: str) -> bool:
        """Whether `asked` means one table."""
        try:
            self.resolve(asked)
        except NameRefused:
            return False
        return True

    def matching(self, search: str) -> list[PublishedTable]:
        """The tables whose code, id or own name holds `search`, whatever the case (facts/biconnector 5.5)."""
        wanted = search.strip().casefold()
        return [
            listed
            for listed in self.all
            if not listed.part
            and any(wanted in name.casefold() for name in (listed.code, listed.id, listed.table.name))
        ]


def column_code(name: str) -> str:
    """`name` as the portal takes column names: `^[A-Z][A-Z0-9_]*$`, at most 32 characters; not yet unique."""
    return _valid(_transliterated(name).upper(), "C_")[:LONGEST_COLUMN]


def column_codes(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """`names` as the portal takes column names, unique in the dataset and none of those that are `taken`."""
    return _numbered([column_code(name) for name in names], LONGEST_COLUMN, RESERVED.union(taken))


def table_code(table: Table) -> str:
    """The table as a dataset name: `^[a-z][a-z0-9_]*$`, at most 230 characters; not yet unique."""
    return dataset_code(table.name.name if table.plain else f"{table.name.schema}_{table.name.name}")


def _table_codes(tables: Sequence[Table], taken: Collection[str]) -> dict[TableName, str]:
    """Codes of tables, unique and none of those that are `taken`.

    An exact name that is a code as well is its own table's code: no other table's may lead there.
    """
    exact = {table_id(table.name): table.name for table in tables}
    own = {table.name: code for table in tables if exact.get(code := table_code(table)) == table.name}
    own = {table: code for table, code in own.items() if code not in taken}
    others = [table for table in tables if table.name not in own]
    codes = _numbered([table_code(table) for table in others], LONGEST_TABLE, frozenset(taken).union(exact))
    return own | {table.name: code for table, code in zip(others, codes, strict=True)}


def dataset_code(name: str, taken: Collection[str] = ()) -> str:
    """`name` as the portal takes dataset names, numbered if it is among those that are `taken`."""
    code = _valid(_transliterated(name).lower(), "t_")[:LONGEST_TABLE]
    return _numbered([code], LONGEST_TABLE, frozenset(taken))[0]


def dataset_codes(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """`names` as the portal takes dataset names, unique and none of those that are `taken`.

    Whatever can keep its own code does; only the others are numbered, in their order.
    """
    given = set(taken)
    kept: dict[int, str] = {}
    for number, name in enumerate(names):
        code = dataset_code(name)
        if code not in given:
            kept[number] = code
            given.add(code)
    for number, name in enumerate(names):
        if number not in kept:
            kept[number] = dataset_code(name, given)
            given.add(kept[number])
    return [kept[number] for number in range(len(names))]


def table_id(table: TableName) -> str:
    """Schema and name exactly; a part with a dot or a quote is quoted, so that no two tables share an id."""
    return ".".join(_quoted(part) for part in (table.schema, table.name) if part)


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"' if re.search(r'[."]', part) else part


def _transliterated(name: str) -> str:
    return "".join(_ascii(letter) for letter in unicodedata.normalize("NFC", name))


def _ascii(letter: str) -> str:
    """ASCII letters, digits and `_` for one character; another script's letter becomes its code point."""
    if letter.isascii():
        return letter if letter.isalnum() else "_"
    if (known := _ROMAN.get(letter.lower())) is not None:
        return known
    plain = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    if plain != letter and plain:
        return "".join(_ascii(part) for part in plain)
    return f"U{ord(letter):X}" if letter.isalnum() else "_"


def _valid(name: str, prefix: str) -> str:
    name = name.lstrip("_")
    return name if name[:1].isalpha() else prefix + name if name else prefix + "1"


def _numbered(codes: Sequence[str], longest: int, reserved: frozenset[str]) -> list[str]:
    """`codes` made unique by `_2`, `_3`, ... in their order."""
    taken = set(reserved)
    unique: list[str] = []
    for code in codes:
        candidate, number = code, 1
        while candidate in taken:
            number += 1
            candidate = f"{code[: longest - len(str(number)) - 1]}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


def _normalised(column: PublishedColumn) -> set[str]:
    """How a portal, or a person, may have normalised the column's name (facts/biconnector 5.7a)."""
    cut = re.sub(r"[^A-Z0-9_]", "_", column.name.upper())[:LONGEST_COLUMN]
    return {cut, column_code(column.name)}


def _only(found: Sequence[Item], asked: str, kind: str) -> Item:
    if not found:
        raise NameRefused(f"unknown_{kind}", asked)
    if len(found) > 1:
        raise NameRefused("ambiguous_name", asked)
    return found[0]
