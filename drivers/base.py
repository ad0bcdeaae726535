"""The manual for drivers: what a driver declares, what it does, what it may raise.

A driver is one folder. Its class starts with declared facts (`name`, `label`, `fields`, capabilities), which make its
place in the gallery, the form, the validation, the masking, what is read from a pasted connection string, and the
connector's settings; then come few methods:

    with driver.open(settings, guards) as session:      # TargetRefused, Unreachable, LoginFailed, ...
        session.check()                                  # what answered there
        session.tables("deal")                           # tables and views of all visible schemas
        session.describe(TableName("public", "deals"))   # its columns and their portal types: QueryRefused
        for chunk in session.rows(query):                # JSON rows: QueryRefused, TooBig, Timeout, Broken
            send(chunk.data)

To add a driver: write its folder, add it to `drivers/catalogue.py`, add one configuration to `tests/suite/`. Nothing
outside `drivers/` knows a driver by its name. Texts for people are marked with `N_` and translated when they are shown.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Literal

from drivers.columns import Column, ColumnCasts, PortalType
from drivers.errors import QueryRefused, SettingsWrong, TooBig, misfit_in
from drivers.hidden import NOTHING_HIDDEN, HiddenTables
from drivers.limits import Guards as Guards
from drivers.limits import Limits as Limits
from drivers.limits import SilenceLimit
from drivers.previews import Preview, PreviewRequest
from drivers.query import TableName, TableQuery
from drivers.unshown import UnshownValues
from drivers.zones import zone_name
from egress.deadline import Deadline
from egress.errors import TargetError

Group = Literal["databases", "files", "web"]
FieldKind = Literal["text", "secret", "number", "choice", "long"]
TableKind = Literal["table", "view"]
SettingValues = Mapping[str, str]

LONGEST_SETTING = 64 * 1024
STOP_SECONDS = 1.0
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)


def N_(text: str) -> str:  # noqa: N802 - the name that the translators' tools look for
    """The text itself, marked for the translators."""
    return text


@dataclass(frozen=True)
class Field:
    """One setting of a connection, as the form shows it and the validation reads it.

    `choices` maps each possible value to its words. `advanced` settings hide below the form's fold. A `target` decides
    who gets the secrets and how safely: once it changes, those that are stored have to be typed again.
    """

    code: str
    label: str
    kind: FieldKind = "text"
    required: bool = False
    default: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    hint: str = ""
    advanced: bool = False
    target: bool = False

    def clean(self, value: str) -> str:
        """The value to use, or the default for an empty one. Raises `SettingsWrong` naming this field."""
        text = value if self.kind in ("secret", "long") else value.strip()
        text = text or self.default
        if not text and self.required:
            raise SettingsWrong(self.code, "required")
        if len(text) > LONGEST_SETTING or "\0" in text:
            raise SettingsWrong(self.code, "not_readable")
        if self.choices and text not in self.choices:
            raise SettingsWrong(self.code, "no_such_choice")
        if self.kind == "number" and text and not (text.isascii() and text.isdigit()):
            raise SettingsWrong(self.code, "not_a_number")
        return text


HOST = Field(
    "host",
    N_("Server"),
    required=True,
    example="db.example.com",
    hint=N_("Its name or IP address, as your hosting or your administrator gives it."),
    target=True,
)
DATABASE = Field("database", N_("Database"), required=True)
USERNAME = Field("username", N_("User"), required=True, hint=N_("A user that may only read."), target=True)
PASSWORD = Field("password", N_("Password"), kind="secret")
TLS = Field(
    "tls",
    N_("Encryption"),
    kind="choice",
    default="verify-full",
    choices={
        "verify-full": N_("Encrypted, certificate and name verified"),
        "verify-ca": N_("Encrypted, certificate verified"),
        "require": N_("Encrypted, server not verified"),
        "disable": N_("Not encrypted"),
    },
    hint=N_(
        "A server that is not verified may be an impostor, who gets password and data. Without encryption everybody on "
        "the way can read the data."
    ),
    target=True,
)
CA = Field(
    "ca",
    N_("Certificate authority"),
    kind="long",
    hint=N_("PEM text; empty means the public authorities."),
    advanced=True,
    target=True,
)
TIMEZONE = Field(
    "timezone",
    N_("Time zone"),
    default="UTC",
    example="Europe/Berlin",
    hint=N_("Times are shown in this zone; +03:00 is one as well."),
    advanced=True,
)


def port_field(default: int) -> Field:
    """The field for a server's port."""
    return Field("port", N_("Port"), kind="number", default=str(default), target=True)


@dataclass(frozen=True)
class Server:
    """What answered: product, version, and whether the way there is encrypted."""

    product: str
    version: str
    encrypted: bool


@dataclass(frozen=True)
class Table:
    """A table or view that the user may read; `plain` where its name needs no schema before it.

    `part`: its rows are those of another table that is listed as well, a partition for example. It is not offered.
    `any_case`: its server takes the same name in other letters, large or small, for the same table.
    """

    name: TableName
    kind: TableKind
    plain: bool = True
    comment: str = ""
    part: bool = False
    any_case: bool = False


@dataclass(frozen=True)
class Description:
    """A table's columns in their order."""

    table: TableName
    columns: tuple[Column, ...]

    @property
    def portal_types(self) -> list[tuple[str, PortalType]]:
        """Names and types of the columns."""
        return [(column.name, column.type) for column in self.columns]

    def column(self, name: str) -> Column:
        """The column of exactly this name. Raises `QueryRefused("unknown_column")`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise QueryRefused("unknown_column", name)


@dataclass(frozen=True)
class Chunk:
    r"""Some whole rows as JSON arrays, separated by `,\n`, with nothing before the first and after the last."""

    data: bytes
    rows: int


class Session(ABC):
    """One open connection, for one request and one thread: read-only, with a deadline, closed by leaving its block.

    A driver gives its sockets to the deadline to hold; `interrupt` ends what runs in this process, see `Deadline`.
    """

    def __init__(self, limits: Limits, interrupt: Callable[[], None] | None = None) -> None:
        self.limits = limits
        #: How many values of the rows so far could not be shown, by the names of their columns.
        self.unshown: Counter[str] = Counter()
        silence = SilenceLimit(limits, self.is_computing)
        self.deadline = Deadline(limits.seconds, interrupt, limits.is_wanted, silence.is_passed)

    @property
    def casts(self) -> ColumnCasts | None:
        """How columns are delivered in other types than their own (`drivers/casts.py`); None where none are."""
        return None

    @abstractmethod
    def check(self) -> Server:
        """Ask the server who it is. Raises `Timeout`, `Broken`."""

    @abstractmethod
    def _tables(self) -> list[Table]:
        """All tables and views that the user may read."""

    @abstractmethod
    def _describe(self, table: TableName) -> list[Column]:
        """The columns of a table or view, in their order; none where there is no such table."""

    @abstractmethod
    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        """The rows. Columns are known to exist."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the connection at once, without reading what the server still has to say; must not raise.

        Where `deadline.is_over`, the connection is cut already. A server that would not notice is told that nobody
        waits for its statement, within `STOP_SECONDS`.
        """

    def tables(self, search: str = "") -> list[Table]:
        """Tables and views whose `schema.name` contains `search`, ignoring case, by schema and name."""
        wanted = search.casefold()
        found = [table for table in self._tables() if wanted in f"{table.name.schema}.{table.name.name}".casefold()]
        return sorted(found, key=lambda table: (not table.plain, table.name.schema, table.name.name))

    def is_computing(self, begun: bool) -> bool:
        """Whether the server, silent for `limits.silence` seconds, still works at what it was asked.

        Asked in a thread of its own, on another connection and within `ASK_SECONDS`; `begun`: a part of the answer has
        come. Where a server cannot be asked, what has not begun may still be computed.
        """
        return not begun

    def hidden(self) -> HiddenTables:
        """Tables that exist and that the user may not read; none where the server does not tell of such."""
        return NOTHING_HIDDEN

    def describe(self, table: TableName) -> Description:
        """The columns of a table. Raises `QueryRefused("unknown_table")`."""
        columns = [] if "\0" in table.schema + table.name else self._describe(table)
        if not columns:
            raise QueryRefused("unknown_table", table.name)
        return Description(table, tuple(columns))

    def rows(self, query: TableQuery, description: Description | None = None) -> Iterator[Chunk]:
        """The rows of a query as JSON, chunk by chunk, without a header; nothing at all for no rows.

        `description` saves asking the catalogue again. Raises `QueryRefused` for unknown names and values that do not
        fit, `TooBig` over a cap, `Timeout` and `Broken`; after an error no further chunk comes.
        """
        described = description if description and description.table == query.table else self.describe(query.table)
        for name in query.columns:
            described.column(name)
        if not query.columns:
            raise QueryRefused("unknown_column")
        sent_bytes = sent_rows = 0
        unshown = UnshownValues([described.column(name) for name in query.columns], self.unshown)
        try:
            for found in self._chunks(query, described):
                chunk = Chunk(unshown.replaced(found.data), found.rows)
                sent_bytes += len(chunk.data)
                sent_rows += chunk.rows
                if sent_bytes > self.limits.bytes:
                    raise TooBig("bytes", self.limits.bytes)
                if self.limits.rows is not None and sent_rows > self.limits.rows:
                    raise TooBig("rows", self.limits.rows)
                yield chunk
        except TargetError as problem:
            if misfit := misfit_in(problem):
                raise QueryRefused("value_unfit", *misfit) from problem
            raise

    def first_misfit(self, table: TableName, column: Column, wanted: PortalType) -> tuple[int, str] | None:
        """Row and text of the first value that a type does not hold, where that is cheap to find out; else None."""
        return None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.deadline.close()
        self._close()


class Driver(ABC):
    """One kind of database or file. Instances hold nothing; `drivers/catalogue.py` has one of each."""

    #: What it is called in stored connections and commands; never changed.
    name: ClassVar[str]
    #: What people call it: the maker's own name.
    label: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    #: Under which heading the gallery shows it.
    group: ClassVar[Group] = "databases"
    #: Two letters that stand beside its label; without them the first two of the label do.
    mark: ClassVar[str] = ""
    #: A symbol of `static/icons.svg` in place of letters.
    icon: ClassVar[str] = ""
    #: One line below its label in the gallery.
    note: ClassVar[str] = ""
    #: Schemes of its connection strings, those that other programs use among them; none where nobody writes such.
    schemes: ClassVar[tuple[str, ...]] = ()
    #: Statements that make a user who may only read, with `{database}` for the quoted name; empty where none do.
    read_only_user: ClassVar[str] = ""
    #: What stands before and after a name in these statements.
    quotes: ClassVar[tuple[str, str]] = ('"', '"')

    #: Proved against a real server by `tests/suite/`; others are listed as "unproven".
    proven: ClassVar[bool] = False
    #: Its sessions refuse whatever would write. Without that, the rights of the user are the only guard.
    reads_only: ClassVar[bool] = True
    #: Reads nothing but the operator's folder of local files, and cannot be used without one.
    needs_folder: ClassVar[bool] = False
    #: Takes a zone by an offset that no name has, such as `+05:30`.
    knows_offsets: ClassVar[bool] = False
    #: Reads a file that was uploaded, named by the field `path`, in place of one at the address in the field `url`, and
    #: tells what it understands of it (`preview`).
    reads_uploads: ClassVar[bool] = False

    def settings(self, values: SettingValues) -> dict[str, str]:
        """All settings by code, defaults filled in. Raises `SettingsWrong` with the first field at fault."""
        clean, faults = self.validate(values)
        if faults:
            raise faults[0]
        return clean

    def validate(self, values: SettingValues) -> tuple[dict[str, str], list[SettingsWrong]]:
        """The settings that are in order, defaults filled in, and what is wrong with each of the others."""
        known = {declared.code for declared in self.fields}
        faults = [SettingsWrong(code, "no_such_setting") for code in values if code not in known]
        clean: dict[str, str] = {}
        for declared in self.fields:
            try:
                clean[declared.code] = declared.clean(values.get(declared.code, ""))
            except SettingsWrong as fault:
                faults.append(fault)
        if "timezone" in clean:
            if zone := zone_name(clean["timezone"], any_offset=self.knows_offsets):
                clean["timezone"] = zone
            else:
                faults.append(SettingsWrong("timezone", "no_such_zone"))
        return clean, faults

    def parted(self, values: SettingValues) -> dict[str, str]:
        """The settings with each secret in its own field, where people write it into another one."""
        return dict(values)

    def read_only_user_of(self, database: str = "") -> str:
        """The statements that make a user who may only read, for a database or for an example's `shop`."""
        name, (start, end) = database or "shop", self.quotes
        quoted = name if _PLAIN_NAME.fullmatch(name) else f"{start}{name.replace(end, end * 2)}{end}"
        return self.read_only_user.replace("{database}", quoted)

    @abstractmethod
    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session that is logged in.

        Raises `SettingsWrong`, `TargetRefused`, `Unreachable`, `LoginFailed`, `Timeout` and `Broken`.
        """

    def preview(self, values: SettingValues, guards: Guards, asked: PreviewRequest) -> Preview:
        """What is understood of a file before it is a connection, where the driver `reads_uploads`.

        Raises what `open` does, but for values that do not fit a chosen type: these are counted.
        """
        raise NotImplementedError
