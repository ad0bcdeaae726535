"""What DuckDB reads of a file: the SELECT of each table, with columns of proven types, over the file itself or a copy.

A text is read as it lies there only if DuckDB takes its first rows apart just as we do, and all others to the end;
anything else is written anew by `converter/` in the one form that leaves nothing to interpret. So is every workbook and
JSON.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from drivers.errors import Broken, SettingsWrong
from drivers.files.column_types import Columns, Told, null_words
from drivers.files.conversion import Converted, Kinds, converted
from drivers.files.encoding import Text, text_of
from drivers.files.kinds import kind_of_file
from drivers.files.layout import Layout, converted_layout, layout_of, refuse_long_lines
from drivers.files.prepared import FOLDER, Prepared
from drivers.files.source import unpacked
from drivers.files.sql_texts import literal, quoted
from egress.deadline import Deadline

#: DuckDB reads decimals of more digits as doubles.
MOST_DIGITS = 38
COMPARED_ROWS = 1000


class Preparation:
    """Reads files with one connection and one set of settings."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: Mapping[str, str], deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline
        found = {
            code: "" if value == "auto" and code not in ("format", "header") else value
            for code, value in settings.items()
        }
        self._settings = found

    def prepared(self, path: Path) -> Prepared:
        """What a file holds. Raises `SettingsWrong`, `duckdb.Error`, `Timeout`, `Broken`."""
        inner, copy = unpacked(path, self._deadline)
        kind = kind_of_file(inner, self._settings["format"])
        if kind == "parquet":
            return Prepared((("", self._parquet(inner)),), (inner,), copy)
        found = self._text(inner) if kind == "csv" else self._tables(inner, kind)
        return Prepared(found.tables, found.paths, (*found.holds, *copy))

    def _parquet(self, path: Path) -> str:
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

    def _text(self, path: Path) -> Prepared:
        text = text_of(path, self._settings["encoding"], self._deadline.check)
        settings = self._settings
        if settings["format"] == "tsv":
            settings = {**settings, "delimiter": settings["delimiter"] or "\t"}
        layout = layout_of(path, text, settings)
        told = Told.of(settings, layout.columns, layout.form.delimiter == ";")
        if layout.line_end and (select := self._direct(path, layout, told)):
            return Prepared((("", select),), (path,))
        folder, tables = converted(path, "csv", self._deadline, _task_of(layout, text))
        (table,) = tables
        plain = converted_layout(layout.columns, layout.form.delimiter)
        return Prepared((("", self._converted(table, plain, told)),), (table.path,), (folder,))

    def _direct(self, path: Path, layout: Layout, told: Told) -> str:
        """The SELECT on the file itself; empty where DuckDB reads it otherwise than it is meant."""
        try:
            refuse_long_lines(path, self._deadline.check)
            compared = layout.sample[:COMPARED_ROWS]
            rows = self._connection.execute(f"SELECT * FROM {layout.source(path)} LIMIT {len(compared)}").fetchall()
            if rows != list(compared):
                return ""
            return self._typed(path, layout, told)[0]
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            return ""

    def _tables(self, path: Path, kind: str) -> Prepared:
        settings = self._settings
        nulls = list(null_words(settings["nulls"]))
        if kind == "xlsx":
            folder, tables = converted(
                path,
                "xlsx",
                self._deadline,
                {
                    "sheet": settings["sheet"],
                    "header": settings["header"],
                    "header_row": int(settings["header_row"] or 0),
                    "skip_rows": int(settings["skip_rows"] or 0),
                    "nulls": nulls,
                    "named": settings["format"] == "xlsx" or path.suffix.lower() in (".xlsx", ".xlsm"),
                },
            )
        else:
            text = text_of(path, settings["encoding"], self._deadline.check)
            folder, tables = converted(path, "jsonl", self._deadline, {**_encoding_of(text), "nulls": nulls})
        if not tables:
            raise SettingsWrong("path", "empty_file")
        prepared = []
        for table in tables:
            columns = table.columns or ()
            layout = converted_layout([name for name, _ in columns])
            told = Told.of(settings, layout.columns, semicolons=False)
            kinds = dict(zip(layout.columns, (found for _, found in columns), strict=True))
            prepared.append((table.name, self._converted(table, layout, told, kinds)))
        return Prepared(tuple(prepared), tuple(table.path for table in tables), (folder,))

    def _converted(self, table: Converted, layout: Layout, told: Told, kinds: Mapping[str, Kinds] | None = None) -> str:
        select, rows = self._typed(table.path, layout, told, kinds)
        if rows != table.rows:
            raise Broken("server_error", f"{rows} of {table.rows} rows were read")
        return select

    def _typed(
        self, path: Path, layout: Layout, told: Told, kinds: Mapping[str, Kinds] | None = None
    ) -> tuple[str, int]:
        """The SELECT that reads a text with its types, and how many rows it gives."""
        columns = Columns(self._connection, layout.source(path), layout.columns, told, kinds, self._deadline.check)
        found = columns.conversions()
        items = ", ".join(f"{found[name].sql} AS {quoted(name)}" for name in layout.columns)
        types = {name: conversion.read_as for name, conversion in found.items()}
        return f"SELECT {items} FROM {layout.source(path, types)}", columns.rows


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
