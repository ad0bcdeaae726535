"""A session on files: DuckDB in memory, which may read these files and nothing else, and writes nothing.

What it reads of each file is settled by `preparation.py`, once for each version of the file.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb

from drivers.base import (
    Chunk,
    Description,
    Guards,
    Limits,
    Server,
    Session,
    Table,
)
from drivers.casts import Casts, CastSql, TextConversion
from drivers.columns import Column, Form, PortalType, duckdb_row, spelling_of
from drivers.conditions import as_double
from drivers.errors import Broken, QueryRefused, SettingsWrong
from drivers.files.arrow_texts import text_batches
from drivers.files.engine_pool import Warm
from drivers.files.numbers import fitted
from drivers.files.preparation import Preparation, without_folders
from drivers.files.prepared import KEPT, Prepared, Temporary
from drivers.files.share_links import is_shared
from drivers.files.source import downloaded, is_known, state_of, title_of, without_wildcards
from drivers.files.sql_texts import literal, quoted
from drivers.local_files import local_path
from drivers.query import TableName, TableQuery, Value
from drivers.rows import lower_escapes
from drivers.sql import Dialect, Shape, Sql
from egress.errors import TargetError, Timeout

WARM = Warm()

_TEXT = Shape()
# Statistics of Parquet know no NaN: DuckDB takes `isfinite` alone for true where they show numbers only.
_FINITE = Shape(present="CASE WHEN isfinite({x}) THEN 1 ELSE 0 END = 1", unshown="'NaN'::DOUBLE")
_SECONDS = Shape(
    shown="date_trunc('second', {x})",
    present="({x} > TIMESTAMP '1900-01-01 00:00:00.999999' AND {x} < TIMESTAMP '10000-01-01 00:00:00')",
    unshown="TIMESTAMP '-infinity'",
)
SHAPES = {
    Form.BOOLEAN: Shape(),
    Form.INTEGER: Shape(),
    Form.EXACT: Shape(),
    Form.FLOAT: _FINITE,
    Form.TEXT: _TEXT,
    Form.RENDERED: _TEXT,
    Form.BINARY: _TEXT,
    Form.DATE: Shape(present="{x} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'", unshown="DATE '-infinity'"),
    Form.DATETIME: _SECONDS,
    Form.INSTANT: _SECONDS,
}
_BETWEEN = ",\n"
# What decides how a file is read, beside its bytes.
_READING = (
    *("format", "encoding", "delimiter", "header", "header_row", "skip_rows", "quote", "decimal", "thousands"),
    *("day_first", "nulls", "sheet", "types"),
)


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
CASTS = Casts(
    DIALECT,
    CastSql(
        "regexp_matches({t}, '{p}')",
        {
            "int": TextConversion(Form.INTEGER, "CAST(split_part({t}, '.', 1) AS BIGINT)", "BIGINT"),
            "double": TextConversion(Form.FLOAT, "CAST({t} AS DOUBLE)", "DOUBLE"),
            "date": TextConversion(Form.DATE, "CAST({t} AS DATE)", "DATE"),
            "datetime": TextConversion(Form.DATETIME, "CAST({t} AS TIMESTAMP)", "TIMESTAMP"),
        },
    ),
)


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
        # All files, those that DuckDB itself reads, and tables of a folder that cannot be read with the reason.
        self._paths: list[Path] = []
        self._read: list[_Source] = []
        self._names: list[str] = []
        self._problems: dict[str, tuple[str, str, str]] = {}
        super().__init__(limits, self._interrupt)

    def prepare(self, settings: dict[str, str], guards: Guards) -> None:
        """Make the file's tables known, then take DuckDB every other access away. Raises `SettingsWrong`."""
        sources = self._sources(settings, guards)
        self._paths = [source.path for source in sources]
        keys = [(str(source.path), source.state, *(settings[code] for code in _READING)) for source in sources]
        key = (settings["timezone"], tuple((key, KEPT.get(key)) for key in keys))
        database = WARM.take(key)
        if database is not None:
            self._database, self._connection = database, database.cursor()
            files = [found for _, found in key[1] if isinstance(found, Prepared)]
        else:
            files = self._prepared_files(settings, sources, keys)
            key = (settings["timezone"], tuple(zip(keys, files, strict=True)))
            self._connection = self._connection.cursor()
        self._read = [source for source, file in zip(sources, files, strict=True) if source.path in file.paths]
        named = _named(sources, files)
        self._names = [name for name, _ in named]
        self._problems = {name: file.problem for name, file in named if isinstance(file, Prepared) and file.problem}
        self._key = key

    def _prepared_files(
        self, settings: dict[str, str], sources: Sequence[_Source], keys: Sequence[Hashable]
    ) -> list[Prepared]:
        """What the files hold, after the database knows it and nothing else."""
        self._open_database(settings["timezone"])
        preparation = Preparation(self._connection, settings, self.deadline)
        files = [
            KEPT.once(
                key,
                Prepared,
                functools.partial(self._prepared, preparation, source, len(sources) > 1),
                self.deadline,
            )
            for source, key in zip(sources, keys, strict=True)
        ]
        if all(file.problem for file in files):
            raise SettingsWrong(*next(file.problem for file in files if file.problem))
        named = [(name, rows) for name, rows in _named(sources, files) if isinstance(rows, str)]
        self._confine(named, [path for file in files for path in file.paths])
        return files

    def _open_database(self, timezone: str) -> None:
        self._database = self._connection = duckdb.connect(":memory:")
        self._run("SET threads = 2; SET memory_limit = '256MB'; SET temp_directory = ''")
        self._run("SET enable_progress_bar = false; SET arrow_large_buffer_size = true")
        self._run("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        # Files are read from the disk each time: what is kept open shall not fill the memory.
        self._run("SET enable_external_file_cache = false")
        self._run(f"SET GLOBAL TimeZone = {literal(timezone)}")

    def _confine(self, tables: Sequence[tuple[str, str]], paths: Sequence[Path]) -> None:
        """Let the database know the tables, each a name and its SELECT, and read nothing but `paths`."""
        allowed = ", ".join(literal(str(path)) for path in paths)
        self._run(f"SET allowed_paths = [{allowed}]; SET enable_external_access = false")
        for name, rows in tables:
            self._run(f"CREATE VIEW {quote(name)} AS {rows}")
        self._run("SET lock_configuration = true")

    def _sources(self, settings: dict[str, str], guards: Guards) -> list[_Source]:
        """The files to read."""
        if settings["url"]:
            file = downloaded(settings["url"], settings["login"], settings["ca"], guards.policy, self.deadline)
            named = "" if is_shared(settings["url"]) else unquote(urlsplit(settings["url"]).path)
            title = title_of(Path(named)) or "data"
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

    @property
    def casts(self) -> Casts:
        """DuckDB's casts."""
        return CASTS

    def check(self) -> Server:
        """DuckDB and its version; the file was looked at when the session was opened."""
        return Server("DuckDB", str(self._fetch("SELECT version()")[0][0]).removeprefix("v"), encrypted=False)

    def tables(self, search: str = "") -> list[Table]:
        """Tables by name; those that cannot be read come last, and asking for one of them raises why."""
        return sorted(super().tables(search), key=lambda table: table.name.name in self._problems)

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        shown = ", ".join(DIALECT.told(description.column(name)) for name in query.columns)
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

    def _prepared(self, preparation: Preparation, source: _Source, among_others: bool) -> Prepared:
        """What a file holds; one of several that cannot be read leaves the others alone."""
        try:
            with self._errors():
                found = preparation.prepared(source.path)
        except SettingsWrong as problem:
            if not among_others:
                raise
            told = f"{source.path.name}\n{problem.detail}".strip()
            found = Prepared((), (), problem=(problem.field, problem.code, told))
        source.check_unchanged()
        return replace(found, holds=(*found.holds, *source.holds))

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
            columns.append(Column(name, form, native, nullable == "YES", "", expression, spelling_of(native)))
        return columns

    def first_misfit(self, table: TableName, column: Column, wanted: PortalType) -> tuple[int, str] | None:
        """Row and text of the first value that a type does not hold."""
        numbered = f"SELECT row_number() OVER () AS n, {CASTS.misfit(column, wanted)} AS v FROM {DIALECT.name(table)}"  # noqa: S608 - names are quoted
        found = self._fetch(f"SELECT n, v FROM ({numbered}) WHERE v IS NOT NULL ORDER BY n LIMIT 1")  # noqa: S608 - the same
        return (int(found[0][0]), str(found[0][1])) if found else None

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
            raise translated(problem, self._paths) from problem

    def _interrupt(self) -> None:
        self._key = None
        if self._database is not None:
            with contextlib.suppress(duckdb.Error):
                self._connection.interrupt()

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is None:
            return
        # Whoever still knows the session, a timer for one, holds none of its files by that.
        key, self._key, self._read = self._key, None, []
        with contextlib.suppress(duckdb.Error):
            self._connection.close()
            if key is not None:
                WARM.give(key, database)
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


def translated(problem: duckdb.Error, paths: Sequence[Path] = ()) -> TargetError:
    """What a failed statement means to the caller; of the paths of files, their names alone are told."""
    said = without_folders(str(problem), paths)
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
