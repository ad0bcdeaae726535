"""What DuckDB reads of a file: the SELECT of each table, with columns of proven types, over the file itself or a copy.

A text is read as it lies there only if DuckDB takes its first rows apart just as we do, and all others to the end;
anything else is written anew by `converter/` in the one form that leaves nothing to interpret. So is every workbook and
JSON.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import duckdb

from drivers.errors import Broken, SettingsWrong
from drivers.files.column_types import Columns
from drivers.files.conversion import Kinds, converted
from drivers.files.encoding import Text, text_of
from drivers.files.kinds import FileKind, kind_of_file
from drivers.files.layout import Layout, converted_layout, layout_of, refuse_long_lines
from drivers.files.prepared import FOLDER, Prepared, Temporary
from drivers.files.source import unpacked
from drivers.files.sql_texts import literal, quoted
from drivers.files.told import Told, null_words
from egress.deadline import Deadline

#: DuckDB reads decimals of more digits as doubles.
MOST_DIGITS = 38
COMPARED_ROWS = 1000

_T = TypeVar("_T")


@dataclass(frozen=True)
class TableText:
    """A table as texts that DuckDB reads from `path`, and what the user says of it.

    `kinds` are those of its values, where its file has some; `rows` their number in a copy, None in the file itself.
    """

    name: str
    path: Path
    layout: Layout
    told: Told
    kinds: Mapping[str, Kinds] | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Reading:
    """One way of reading a file: its tables, and the copies that have to stay for it."""

    tables: tuple[TableText, ...]
    holds: tuple[Temporary, ...] = ()


class Preparation:
    """Reads files with one connection and one set of settings; copies have `most_rows` of each table at most."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: Mapping[str, str],
        deadline: Deadline,
        most_rows: int | None = None,
    ) -> None:
        self._connection, self.deadline, self._most_rows = connection, deadline, most_rows
        found = {
            code: "" if value == "auto" and code not in ("format", "header") else value
            for code, value in settings.items()
        }
        self._settings = found

    def prepared(self, path: Path) -> Prepared:
        """What a file holds. Raises `SettingsWrong`, `duckdb.Error`, `Timeout`, `Broken`."""
        inner, copy = unpacked(path, self.deadline)
        kind = kind_of_file(inner, self._settings["format"])
        if kind == "parquet":
            return Prepared((("", self.parquet(inner)),), (inner,), copy)
        return self.first_that_reads(inner, kind, lambda reading: self._prepared(reading, copy))

    def first_that_reads(self, path: Path, kind: FileKind, read: Callable[[Reading], _T]) -> _T:
        """What `read` makes of the first way of reading a file that DuckDB can go; a copy is the last one."""
        for reading in self._readings(path, kind):
            try:
                return read(reading)
            except duckdb.InterruptException:
                raise
            except duckdb.Error:
                if reading.holds:
                    raise
        raise Broken("server_error", "no way of reading the file")

    def parquet(self, path: Path) -> str:
        """The SELECT that reads a Parquet file. Raises `SettingsWrong`."""
        schema = f"SELECT name, precision FROM parquet_schema({literal(str(path))}) WHERE precision > {MOST_DIGITS}"
        select = f"SELECT * FROM read_parquet({literal(str(path))})"
        try:
            long = self._connection.execute(schema).fetchall()
            self._connection.execute(f"{select} LIMIT 1").fetchall()
        except duckdb.InterruptException:
            raise
        except duckdb.Error as problem:
            raise SettingsWrong("path", "file_structure", without_folders(str(problem), [path])) from problem
        if long:
            told = "\n".join(f"column {name}: {digits} digits" for name, digits in long)
            raise SettingsWrong("path", "too_many_digits", told)
        return select

    def _prepared(self, reading: Reading, copy: Sequence[Temporary]) -> Prepared:
        tables = tuple((table.name, self._select(table)) for table in reading.tables)
        return Prepared(tables, tuple(table.path for table in reading.tables), (*reading.holds, *copy))

    def _readings(self, path: Path, kind: FileKind) -> Iterator[Reading]:
        """The ways of reading a text, a workbook or JSON: as it lies there, where that is possible, and over a copy."""
        if kind != "csv":
            yield self._tables(path, kind)
            return
        text = text_of(path, self._settings["encoding"], self.deadline.check)
        settings = self._settings
        if settings["format"] == "tsv":
            settings = {**settings, "delimiter": settings["delimiter"] or "\t"}
        layout = layout_of(path, text, settings)
        told = Told.of(settings, layout.form.delimiter == ";")
        told.refuse_unknown([layout.columns])
        if layout.line_end and self._reads_alike(path, layout):
            yield Reading((TableText("", path, layout, told),))
        folder, (table,) = converted(path, "csv", self.deadline, _task_of(layout, text), self._most_rows)
        plain = converted_layout(layout.columns, layout.form.delimiter)
        plain = replace(plain, titles=layout.titles, header_row=layout.header_row)
        yield Reading((TableText("", table.path, plain, told, rows=table.rows),), (folder,))

    def _reads_alike(self, path: Path, layout: Layout) -> bool:
        """Whether DuckDB takes the first rows apart as we do."""
        refuse_long_lines(path, self.deadline.check)
        compared = layout.sample[:COMPARED_ROWS]
        try:
            rows = self._connection.execute(f"SELECT * FROM {layout.source(path)} LIMIT {len(compared)}").fetchall()
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            return False
        return rows == list(compared)

    def _tables(self, path: Path, kind: FileKind) -> Reading:
        settings = self._settings
        nulls = list(null_words(settings["nulls"]))
        if kind == "xlsx":
            folder, tables = converted(
                path,
                "xlsx",
                self.deadline,
                {
                    "sheet": settings["sheet"],
                    "header": settings["header"],
                    "header_row": int(settings["header_row"] or 0),
                    "skip_rows": int(settings["skip_rows"] or 0),
                    "nulls": nulls,
                    "named": settings["format"] == "xlsx" or path.suffix.lower() in (".xlsx", ".xlsm"),
                },
                self._most_rows,
            )
        else:
            text = text_of(path, settings["encoding"], self.deadline.check)
            asked = {**_encoding_of(text), "nulls": nulls}
            folder, tables = converted(path, "jsonl", self.deadline, asked, self._most_rows)
        if not tables:
            raise SettingsWrong("path", "empty_file")
        told = Told.of(settings, semicolons=False)
        found = []
        for table in tables:
            columns = table.columns or ()
            layout = replace(
                converted_layout([name for name, _ in columns]), titles=table.titles, header_row=table.header_row
            )
            kinds = dict(zip(layout.columns, (found for _, found in columns), strict=True))
            found.append(TableText(table.name, table.path, layout, told, kinds, table.rows))
        told.refuse_unknown([table.layout.columns for table in found])
        return Reading(tuple(found), (folder,))

    def _select(self, table: TableText) -> str:
        """The SELECT that reads a table with its types."""
        layout = table.layout
        columns = Columns(
            self._connection, layout.source(table.path), layout.columns, table.told, table.kinds, self.deadline.check
        )
        found = columns.conversions()
        if table.rows is not None and columns.rows != table.rows:
            raise Broken("server_error", f"{columns.rows} of {table.rows} rows were read")
        items = ", ".join(f"{found[name].sql} AS {quoted(name)}" for name in layout.columns)
        types = {name: conversion.read_as for name, conversion in found.items()}
        return f"SELECT {items} FROM {layout.source(table.path, types)}"


def _encoding_of(text: Text) -> dict[str, str]:
    encoding = "utf-8-sig" if text.encoding == "utf-8" else text.encoding
    return {"encoding": encoding, "errors": text.errors}


def _task_of(layout: Layout, text: Text) -> dict[str, object]:
    return {
        **_encoding_of(text),
        "form": layout.form,
        "above": layout.above,
        "width": len(layout.columns),
    }


def without_folders(said: str, paths: Sequence[Path]) -> str:
    """A message with the names of files instead of their places."""
    for path in paths:
        said = said.replace(str(path), path.name)
    return re.sub(rf"{re.escape(str(FOLDER))}[^\s\"']*", "file", said)
