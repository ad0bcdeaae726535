"""Files as tables: CSV, TSV, XLSX, Parquet, JSON and JSON lines, local or at an https address, through DuckDB.

Each sheet of a workbook is a table; any other file is one table named after it; a folder holds the tables of its files.
DuckDB runs in memory, may read these files and nothing else, and writes nothing. Workbooks and JSON are read as the CSV
that `conversion.py` makes of them; layout and types of CSV: `layout.py`, `column_types.py`.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import duckdb

from drivers.base import (
    CA,
    N_,
    TIMEZONE,
    Chunk,
    Description,
    Driver,
    Field,
    Group,
    Guards,
    Limits,
    Server,
    Session,
    SettingValues,
    Table,
)
from drivers.columns import Column, Form, duckdb_row
from drivers.conditions import as_double
from drivers.errors import Broken, QueryRefused, SettingsWrong
from drivers.files.arrow_texts import text_batches
from drivers.files.column_types import conversions, literal, overrides, quoted
from drivers.files.conversion import converted
from drivers.files.engine_pool import Warm
from drivers.files.layout import Layout, converted_layout, layout_of, misfits, refuse_long_lines
from drivers.files.numbers import fitted
from drivers.files.prepared import KEPT, Prepared, Temporary
from drivers.files.source import (
    as_utf8,
    downloaded,
    is_known,
    kind_of_file,
    state_of,
    title_of,
    unpacked,
    without_wildcards,
)
from drivers.local_files import local_path
from drivers.query import TableName, TableQuery, Value
from drivers.rows import lower_escapes
from drivers.sql import Dialect, Shape, Sql
from egress.errors import TargetError, Timeout

WARM = Warm()

_TEXT = Shape()
_FINITE = Shape(present="isfinite({x})")
_SECONDS = Shape(
    shown="date_trunc('second', {x})",
    present="({x} > TIMESTAMP '1900-01-01 00:00:00.999999' AND {x} < TIMESTAMP '10000-01-01 00:00:00')",
)
SHAPES = {
    Form.BOOLEAN: Shape(),
    Form.INTEGER: Shape(),
    Form.EXACT: Shape(),
    Form.FLOAT: _FINITE,
    Form.TEXT: _TEXT,
    Form.RENDERED: _TEXT,
    Form.BINARY: _TEXT,
    Form.DATE: Shape(present="{x} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"),
    Form.DATETIME: _SECONDS,
    Form.INSTANT: _SECONDS,
}
_BETWEEN = ",\n"
# What decides how a file is read, beside its bytes.
_READING = ("format", "encoding", "delimiter", "header", "sheet", "types")


def quote(name: str) -> str:
    """A name in double quotes."""
    if "\0" in name:
        raise QueryRefused("unknown_column", name)
    return quoted(name)


def bind(value: Value, column: Column) -> Any:
    """A value as DuckDB compares it; numbers of other columns fit already (`drivers/files/numbers.py`)."""
    return as_double(value, column) if column.form is Form.FLOAT else value  # type: ignore[arg-type]


DIALECT = Dialect(
    quote,
    SHAPES,
    text="CAST({x} AS VARCHAR)",
    folded="lower({x})",
    like="{x} LIKE {v} ESCAPE '|'",
    bind=bind,
)


class File(Driver):
    """CSV, TSV, XLSX, Parquet and JSON lines."""

    name: ClassVar[str] = "file"
    label: ClassVar[str] = "CSV, Excel, Parquet, JSON"
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "path",
            N_("File or folder on the server"),
            hint=N_("Below the folder that the operator opened for local files."),
        ),
        Field("url", N_("Address"), example="https://example.com/sales.csv", hint=N_("Read again every five minutes.")),
        Field(
            "format",
            N_("Kind of file"),
            kind="choice",
            default="auto",
            choices={
                "auto": N_("Found by the content"),
                "csv": "CSV",
                "tsv": "TSV",
                "xlsx": "Excel (XLSX)",
                "parquet": "Parquet",
                "jsonl": N_("JSON or JSON lines"),
            },
            advanced=True,
        ),
        Field("encoding", N_("Encoding"), example="cp1251", hint=N_("Empty: found by the content."), advanced=True),
        Field("delimiter", N_("Delimiter"), example=";", hint=N_("Empty: found by the content."), advanced=True),
        Field(
            "header",
            N_("First row holds names"),
            kind="choice",
            default="auto",
            choices={"auto": N_("Found by the content"), "yes": N_("Yes"), "no": N_("No")},
            advanced=True,
        ),
        Field("sheet", N_("Sheet"), hint=N_("Empty: every sheet is a table."), advanced=True),
        Field(
            "types",
            N_("Types of columns"),
            kind="long",
            example="article: string",
            hint=N_("One column a line."),
            advanced=True,
        ),
        CA,
        TIMEZONE,
    )
    group: ClassVar[Group] = "files"
    icon: ClassVar[str] = "file"
    note: ClassVar[str] = N_("From an address, or uploaded")
    proven: ClassVar[bool] = True
    reads_uploads: ClassVar[bool] = True

    def validate(self, values: SettingValues) -> tuple[dict[str, str], list[SettingsWrong]]:
        """Like every driver's; also, a file lies here or at an address, and not at both."""
        clean, faults = super().validate(values)
        if {"path", "url"} <= clean.keys() and (fault := _one_of_two(clean)):
            faults.append(fault)
        return clean, faults

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session on the file's tables (see `Driver.open`)."""
        session = FileSession(guards.limits)
        try:
            session.prepare(self.settings(values), guards)
        except BaseException:
            session.__exit__(None, None, None)
            raise
        return session


def _one_of_two(settings: SettingValues) -> SettingsWrong | None:
    if settings.get("path") and settings.get("url"):
        return SettingsWrong("path", "path_and_url")
    return None if settings.get("path") or settings.get("url") else SettingsWrong("path", "path_or_url")


@dataclass(frozen=True)
class _Source:
    """A file to read: the name for its table, the state that it was found in, and what has to stay for it."""

    title: str
    path: Path
    state: tuple[int, ...]
    holds: tuple[Temporary, ...] = ()

    def check_unchanged(self) -> None:
        """Raise `Broken("file_changed")` if somebody has written the file since."""
        try:
            if state_of(self.path) == self.state:
                return
        except SettingsWrong:
            pass
        raise Broken("file_changed", self.path.name)


class FileSession(Session):
    """A database in memory whose only tables are those of the file."""

    def __init__(self, limits: Limits) -> None:
        self._database: duckdb.DuckDBPyConnection | None = None
        self._connection: duckdb.DuckDBPyConnection
        # What the database may be given back under, once it is ready and unless something fails.
        self._key: Hashable = None
        # Files that DuckDB itself reads, and tables of a folder that cannot be read with the reason.
        self._read: list[_Source] = []
        self._names: list[str] = []
        self._problems: dict[str, tuple[str, str, str]] = {}
        super().__init__(limits, self._interrupt)

    def prepare(self, settings: dict[str, str], guards: Guards) -> None:
        """Make the file's tables known, then take DuckDB every other access away. Raises `SettingsWrong`."""
        sources = self._sources(settings, guards)
        keys = [(str(source.path), source.state, *(settings[code] for code in _READING)) for source in sources]
        key = (settings["timezone"], tuple((key, KEPT.get(key)) for key in keys))
        database = WARM.take(key)
        if database is not None:
            self._database, self._connection = database, database.cursor()
            files = [found for _, found in key[1] if isinstance(found, Prepared)]
        else:
            self._database = self._connection = duckdb.connect(":memory:")
            files = self._confined(settings, sources, keys)
            key = (settings["timezone"], tuple(zip(keys, files, strict=True)))
            self._connection = self._database.cursor()
        self._read = [source for source, file in zip(sources, files, strict=True) if source.path in file.paths]
        named = _named(sources, files)
        self._names = [name for name, _ in named]
        self._problems = {name: file.problem for name, file in named if isinstance(file, Prepared) and file.problem}
        self._key = key

    def _confined(
        self, settings: dict[str, str], sources: Sequence[_Source], keys: Sequence[Hashable]
    ) -> list[Prepared]:
        """What the files hold, after the database knows it and nothing else."""
        self._run("SET threads = 2; SET memory_limit = '256MB'; SET temp_directory = ''")
        self._run("SET enable_progress_bar = false; SET arrow_large_buffer_size = true")
        self._run("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        # Files are read from the disk each time: what is kept open shall not fill the memory.
        self._run("SET enable_external_file_cache = false")
        self._run(f"SET GLOBAL TimeZone = {literal(settings['timezone'])}")
        files = [
            KEPT.once(
                key, Prepared, functools.partial(self._prepared, source, settings, len(sources) > 1), self.deadline
            )
            for source, key in zip(sources, keys, strict=True)
        ]
        if all(file.problem for file in files):
            raise SettingsWrong(*next(file.problem for file in files if file.problem))
        allowed = ", ".join(literal(str(path)) for file in files for path in file.paths)
        self._run(f"SET allowed_paths = [{allowed}]; SET enable_external_access = false")
        for name, rows in _named(sources, files):
            if isinstance(rows, str):
                self._run(f"CREATE VIEW {quote(name)} AS {rows}")
        self._run("SET lock_configuration = true")
        return files

    def _sources(self, settings: dict[str, str], guards: Guards) -> list[_Source]:
        """The files to read."""
        if settings["url"]:
            file = downloaded(settings["url"], settings["ca"], guards.policy, self.deadline)
            title = title_of(Path(unquote(urlsplit(settings["url"]).path))) or "data"
            return [_Source(title, file.path, state_of(file.path), (file,))]
        path = local_path(guards.local_files, settings["path"])
        if path.is_dir():
            files = [file for file in sorted(path.iterdir()) if is_known(file)]
            titles = Counter(title_of(file).casefold() for file in files)
            titled = [(title_of(file) if titles[title_of(file).casefold()] == 1 else file.name, file) for file in files]
        else:
            titled = [(title_of(path), path)]
        if not titled:
            raise SettingsWrong("path", "empty_folder")
        return [
            _Source(title, file, state_of(file), holds)
            for title, found in titled
            for file, holds in [without_wildcards(found)]
        ]

    def check(self) -> Server:
        """DuckDB and its version; the file was looked at when the session was opened."""
        return Server("DuckDB", str(self._fetch("SELECT version()")[0][0]).removeprefix("v"), encrypted=False)

    def tables(self, search: str = "") -> list[Table]:
        """Tables by name; those that cannot be read come last, and asking for one of them raises why."""
        return sorted(super().tables(search), key=lambda table: table.name.name in self._problems)

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        shown = ", ".join(DIALECT.shown(description.column(name)) for name in query.columns)
        selected = Sql(f"SELECT json_array({shown}) || '{_BETWEEN}'")
        statement = DIALECT.tail(selected, _fitted(query, description), description)
        cap = self.limits.row_bytes + len(_BETWEEN)
        with self._errors():
            batches = text_batches(
                self._connection, statement.with_markers("?"), statement.values, cap, ending=len(_BETWEEN)
            )
            for texts, count in batches:
                self.deadline.check()
                yield Chunk(lower_escapes(texts), count)
        self._check_unchanged()

    def _prepared(self, source: _Source, settings: dict[str, str], among_others: bool) -> Prepared:
        """What a file holds; one of several that cannot be read leaves the others alone."""
        try:
            path, copy = unpacked(source.path, self.deadline)
            found = self._looked_through(path, settings)
            found = replace(found, holds=(*found.holds, *copy))
        except SettingsWrong as problem:
            if not among_others:
                raise
            told = f"{source.path.name}\n{problem.detail}".strip()
            found = Prepared((), (), problem=(problem.field, problem.code, told))
        source.check_unchanged()
        return replace(found, holds=(*found.holds, *source.holds))

    def _looked_through(self, path: Path, settings: dict[str, str]) -> Prepared:
        kind = kind_of_file(path, settings["format"])
        if kind == "parquet":
            return Prepared((("", f"SELECT * FROM read_parquet({literal(str(path))})"),), (path,))
        if kind == "csv":
            text, holds = as_utf8(path, settings["encoding"], self.deadline)
            if settings["format"] == "tsv":
                settings = {**settings, "delimiter": settings["delimiter"] or "\t"}
            refuse_long_lines(text, self.deadline.check)
            return Prepared((("", self._typed(text, layout_of(text, settings), settings)),), (text,), holds)
        if kind == "jsonl":
            path, holds = as_utf8(path, settings["encoding"], self.deadline)
        folder, tables = converted(path, kind, self.deadline, settings["sheet"])
        if not tables:
            raise SettingsWrong("path", "empty_file")
        prepared = []
        for table in tables:
            refuse_long_lines(table.path, self.deadline.check)
            if table.columns is None:
                layout, kinds = layout_of(table.path, settings, made=True), None
            else:
                layout = converted_layout([name for name, _ in table.columns])
                kinds = dict(zip(layout.columns, (found for _, found in table.columns), strict=True))
            prepared.append((table.name, self._typed(table.path, layout, settings, kinds)))
        return Prepared(tuple(prepared), tuple(table.path for table in tables), (folder,))

    def _typed(
        self,
        path: Path,
        layout: Layout,
        settings: dict[str, str],
        kinds: Mapping[str, frozenset[str]] | None = None,
    ) -> str:
        """The SELECT that reads a CSV file with its types."""
        source = layout.source(path)
        chosen = overrides(settings["types"], layout.columns)
        try:
            with self._errors():
                found = conversions(self._connection, source, layout.columns, chosen, kinds, self.deadline.check)
        except SettingsWrong as problem:
            if problem.code != "file_structure":
                raise
            with self._errors():
                rows = misfits(self._connection, path, layout)
            raise SettingsWrong("path", "file_structure", rows or problem.detail) from problem
        items = ", ".join(f"{found[name].sql} AS {quoted(name)}" for name in layout.columns)
        types = {name: conversion.read_as for name, conversion in found.items()}
        return f"SELECT {items} FROM {layout.source(path, types=types)}"

    def _tables(self) -> list[Table]:
        self.deadline.check()
        return [Table(TableName("", name), "table") for name in self._names]

    def _describe(self, table: TableName) -> list[Column]:
        self.deadline.check()
        if table.schema or table.name not in self._names:
            return []
        if table.name in self._problems:
            raise SettingsWrong(*self._problems[table.name])
        columns = []
        for name, native, nullable, *_ in self._fetch(f"DESCRIBE {quote(table.name)}"):
            form, expression = duckdb_row(native)
            columns.append(Column(name, form, native, nullable == "YES", "", expression))
        return columns

    def _check_unchanged(self) -> None:
        for source in self._read:
            source.check_unchanged()

    def _run(self, statement: str) -> None:
        with self._errors():
            self._connection.execute(statement)

    def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._connection.execute(statement).fetchall()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """DuckDB's errors become ours; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except duckdb.Error as problem:
            self._key = None
            self.deadline.check()
            self._check_unchanged()
            raise translated(problem) from problem

    def _interrupt(self) -> None:
        self._key = None
        if self._database is not None:
            with contextlib.suppress(duckdb.Error):
                self._connection.interrupt()

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is None:
            return
        with contextlib.suppress(duckdb.Error):
            self._connection.close()
            if self._key is not None:
                WARM.give(self._key, database)
            else:
                database.close()


def _fitted(query: TableQuery, description: Description) -> TableQuery:
    return query if query.where is None else replace(query, where=fitted(query.where, description))


def _named(sources: Sequence[_Source], files: Sequence[Prepared]) -> list[tuple[str, str | Prepared]]:
    """Every table's name with its SQL, or with the file that cannot be read; DuckDB's names do not differ by case only.

    A sheet is called after itself. Where several files have one of that name, all of them carry their file's, so that
    no name leads to another file when one is added.
    """
    found: list[tuple[str, str, str | Prepared]] = []
    for source, file in zip(sources, files, strict=True):
        found += [(source.title, name, rows) for name, rows in file.tables]
        if file.problem:
            found.append((source.title, "", file))
    shared = Counter((name or title).casefold() for title, name, _ in found)
    names: list[tuple[str, str | Prepared]] = []
    taken: set[str] = set()
    for title, name, rows in found:
        called = name or title
        if name and shared[called.casefold()] > 1:
            called = f"{title} {name}"
        first, number = called, 1
        while called.casefold() in taken:
            number += 1
            called = f"{first} ({number})"
        taken.add(called.casefold())
        names.append((called, rows))
    return names


def translated(problem: duckdb.Error) -> TargetError:
    """What a failed statement means to the caller."""
    said = str(problem)
    match problem:
        case duckdb.InterruptException():
            return Timeout("deadline", said)
        case duckdb.CatalogException() if "Table with name" in said:
            return QueryRefused("unknown_table", detail=said)
        case duckdb.BinderException() if "column" in said:
            return QueryRefused("unknown_column", detail=said)
        case duckdb.InvalidInputException() | duckdb.ConversionException():
            return SettingsWrong("path", "file_structure", said)
    return Broken("server_error", said)
