"""Files as tables: CSV, TSV, XLSX, Parquet and JSON lines, local or at an https address, through DuckDB.

Each sheet of a workbook is a table; any other file is one table named after it; a folder holds the tables of its files.
DuckDB runs in memory, may read these files and nothing else, and writes nothing. Types of CSV and
XLSX columns: `drivers/file_types.py`.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted

from __future__ import annotations

import contextlib
import functools
from collections.abc import Hashable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import duckdb

from drivers.arrow_texts import text_batches
from drivers.base import (
    CA,
    N_,
    TIMEZONE,
    Chunk,
    Description,
    Driver,
    Field,
    Guards,
    Limits,
    Server,
    Session,
    SettingValues,
    Table,
)
from drivers.columns import Column, Form, duckdb_row
from drivers.conditions import floating
from drivers.errors import Broken, DriverError, QueryRefused, SettingsWrong, Timeout
from drivers.file_layout import Layout, layout_of, misfits
from drivers.file_numbers import fitted
from drivers.file_source import (
    KEPT,
    Prepared,
    as_utf8,
    downloaded,
    is_known,
    kind_of_file,
    prepared,
    without_wildcards,
)
from drivers.file_types import conversions, literal, overrides, quoted
from drivers.local_files import local_path
from drivers.query import TableName, TableQuery, Value
from drivers.rows import CHUNK_ROWS, json_rows, lower_escapes
from drivers.spreadsheet import sheets_as_csv
from drivers.sql import Dialect, Shape, Sql
from drivers.warm import Warm

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


def quote(name: str) -> str:
    """A name in double quotes."""
    if "\0" in name:
        raise QueryRefused("unknown_column", name)
    return quoted(name)


def bound(value: Value, column: Column) -> Any:
    """A value as DuckDB compares it; numbers of other columns fit already (`drivers/file_numbers.py`)."""
    return floating(value, column) if column.form is Form.FLOAT else value  # type: ignore[arg-type]


DIALECT = Dialect(
    quote,
    SHAPES,
    text="CAST({x} AS VARCHAR)",
    folded="lower({x})",
    like="{x} LIKE {v} ESCAPE '|'",
    bound=bound,
)


class File(Driver):
    """CSV, TSV, XLSX, Parquet and JSON lines."""

    name: ClassVar[str] = "file"
    label: ClassVar[str] = "CSV, Excel, Parquet, JSON"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("path", N_("File or folder"), hint=N_("Below the folder that the operator opened for local files.")),
        Field("url", N_("Address"), example="https://example.com/sales.csv", hint=N_("Read again every five minutes.")),
        Field(
            "format",
            N_("Kind of file"),
            kind="choice",
            default="auto",
            choices=("auto", "csv", "tsv", "xlsx", "parquet", "jsonl"),
        ),
        Field("encoding", N_("Encoding"), example="cp1251", hint=N_("Empty: found by the content.")),
        Field("delimiter", N_("Delimiter"), example=";", hint=N_("Empty: found by the content.")),
        Field("header", N_("First row holds names"), kind="choice", default="auto", choices=("auto", "yes", "no")),
        Field("sheet", N_("Sheet"), hint=N_("Empty: every sheet is a table.")),
        Field("types", N_("Types of columns"), kind="long", example="article: string", hint=N_("One column a line.")),
        CA,
        TIMEZONE,
    )
    proven: ClassVar[bool] = True
    reads_files: ClassVar[bool] = True

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session on the file's tables (see `Driver.open`)."""
        session = FileSession(guards.limits)
        try:
            session.prepare(self.settings(values), guards)
        except BaseException:
            session.__exit__(None, None, None)
            raise
        return session


class FileSession(Session):
    """A database in memory whose only tables are those of the file."""

    def __init__(self, limits: Limits) -> None:
        self._database: duckdb.DuckDBPyConnection | None = None
        self._connection: duckdb.DuckDBPyConnection
        # What the database may be given back under, once it is ready and unless something fails.
        self._key: Hashable = None
        super().__init__(limits)

    def prepare(self, settings: dict[str, str], guards: Guards) -> None:
        """Make the file's tables known, then take DuckDB every other access away. Raises `SettingsWrong`."""
        files: dict[Hashable, tuple[str, Path]] = {}
        for title, path in self._files(settings, guards):
            state = path.stat()
            chosen = tuple(settings[code] for code in ("format", "encoding", "delimiter", "header", "sheet", "types"))
            files[(str(path), state.st_mtime_ns, state.st_size, title, chosen)] = (title, path)
        key = (settings["timezone"], tuple((key, KEPT.get(key)) for key in files))
        database = WARM.take(key)
        if database is not None:
            self._database, self._connection = database, database.cursor()
        else:
            self._database = self._connection = duckdb.connect(":memory:")
            tables = self._confined(settings, files)
            key = (settings["timezone"], tuple(zip(files, tables, strict=True)))
            self._connection = self._database.cursor()
        self._key = key

    def _confined(self, settings: dict[str, str], files: dict[Hashable, tuple[str, Path]]) -> list[Prepared]:
        """The tables, after the database knows them and nothing else."""
        self._run("SET threads = 2; SET memory_limit = '256MB'; SET temp_directory = ''")
        self._run("SET enable_progress_bar = false; SET arrow_large_buffer_size = true")
        self._run("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        # Files are read from the disk each time: what is kept open shall not fill the memory.
        self._run("SET enable_external_file_cache = false")
        self._run(f"SET GLOBAL TimeZone = {literal(settings['timezone'])}")
        tables = [
            prepared(key, functools.partial(self._prepared, path, title, settings))
            for key, (title, path) in files.items()
        ]
        allowed = ", ".join(literal(str(path)) for found in tables for path in found.paths)
        self._run(f"SET allowed_paths = [{allowed}]; SET enable_external_access = false")
        for found in tables:
            for name, rows in found.tables:
                self._run(f"CREATE VIEW {quote(name)} AS {rows}")
        self._run("SET lock_configuration = true")
        return tables

    def _files(self, settings: dict[str, str], guards: Guards) -> list[tuple[str, Path]]:
        """The files to read, each with the name of its table."""
        if bool(settings["path"]) == bool(settings["url"]):
            raise SettingsWrong("path", "path_or_url")
        if settings["url"]:
            path = downloaded(settings["url"], settings["ca"], guards.policy, self.deadline)
            return [(Path(unquote(urlsplit(settings["url"]).path)).stem or "data", path)]
        path = local_path(guards.local_files, settings["path"])
        if path.is_dir():
            files = [(file.stem, file) for file in sorted(path.iterdir()) if is_known(file)]
            if len({title for title, _ in files}) < len(files):
                files = [(file.name, file) for _, file in files]
        else:
            files = [(path.stem, path)]
        if not files:
            raise SettingsWrong("path", "empty_folder")
        return [(title, without_wildcards(file)) for title, file in files]

    def check(self) -> Server:
        """DuckDB and its version; the file was looked at when the session was opened."""
        return Server("DuckDB", str(self._fetched("SELECT version()")[0][0]).removeprefix("v"), encrypted=False)

    def general_rows(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        """What `rows` gives, put together here cell by cell."""
        columns = [description.column(name) for name in query.columns]
        number = "CASE WHEN ({x}) IS NOT NULL THEN CAST(to_json({x}) AS VARCHAR) END"
        statement = DIALECT.select(_fitted(query, description), description, "CAST({x} AS VARCHAR)", number)
        with self._errors():
            rows = self._rows(statement)
            yield from json_rows(([None if cell is None else cell.encode() for cell in row] for row in rows), columns)

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        shown = ", ".join(DIALECT.shown(description.column(name)) for name in query.columns)
        selected = Sql(f"SELECT json_array({shown}) || '{_BETWEEN}'")
        statement = DIALECT.tail(selected, _fitted(query, description), description)
        cap = self.limits.row_bytes + len(_BETWEEN)
        with self._errors():
            batches = text_batches(self._connection, statement.placed("?"), statement.values, cap, ending=len(_BETWEEN))
            for texts, count in batches:
                self.deadline.check()
                yield Chunk(lower_escapes(texts), count)

    def _rows(self, statement: Sql) -> Iterator[tuple[Any, ...]]:
        result = self._connection.execute(statement.placed("?"), list(statement.values))
        while rows := result.fetchmany(CHUNK_ROWS):
            yield from rows

    def _prepared(self, path: Path, title: str, settings: dict[str, str], folder: Path) -> Prepared:
        kind = kind_of_file(path, settings["format"])
        if kind == "parquet":
            return Prepared(((title, f"SELECT * FROM read_parquet({literal(str(path))})"),), (path,))
        if kind == "jsonl":
            source = f"read_json({literal(str(path))}, format='newline_delimited', sample_size=-1, maximum_depth=2)"
            return Prepared(((title, f"SELECT * FROM {source}"),), (path,))
        if kind == "xlsx":
            sheets = sheets_as_csv(path, folder, settings["sheet"])
        else:
            sheets = {title: as_utf8(path, settings["encoding"])}
            if settings["format"] == "tsv":
                settings = {**settings, "delimiter": settings["delimiter"] or "\t"}
        tables = tuple(
            (name, self._typed(sheet, layout_of(sheet, settings, kind == "xlsx"), settings))
            for name, sheet in sheets.items()
        )
        if not tables:
            raise SettingsWrong("path", "empty_file")
        paths = tuple(sheets.values())
        return Prepared(tables, paths, tuple(made for made in paths if made != path))

    def _typed(
        self,
        path: Path,
        layout: Layout,
        settings: dict[str, str],
    ) -> str:
        """The SELECT that reads a CSV file with its types."""
        source = layout.source(path)
        chosen = overrides(settings["types"], layout.columns)
        try:
            with self._errors():
                types = conversions(self._connection, source, layout.columns, chosen)
        except SettingsWrong as problem:
            if problem.code != "file_structure":
                raise
            with self._errors():
                rows = misfits(self._connection, path, layout)
            raise SettingsWrong("path", "file_structure", rows or problem.detail) from problem
        items = ", ".join(f"{types[name]} AS {quoted(name)}" for name in layout.columns)
        return f"SELECT {items} FROM {source}"

    def _tables(self) -> list[Table]:
        names = self._fetched("SELECT view_name FROM duckdb_views() WHERE NOT internal")
        return [Table(TableName("", name), "table") for (name,) in names]

    def _describe(self, table: TableName) -> list[Column]:
        if table.schema or table not in [known.name for known in self._tables()]:
            return []
        columns = []
        for name, native, nullable, *_ in self._fetched(f"DESCRIBE {quote(table.name)}"):
            form, expression = duckdb_row(native)
            columns.append(Column(name, form, native, nullable == "YES", "", expression))
        return columns

    def _run(self, statement: str) -> None:
        with self._errors():
            self._connection.execute(statement)

    def _fetched(self, statement: str) -> list[tuple[Any, ...]]:
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


def translated(problem: duckdb.Error) -> DriverError:
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
