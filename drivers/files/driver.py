"""Files as tables: CSV, TSV, XLSX, Parquet, JSON and JSON lines, local or at an https address, through DuckDB.

Each sheet of a workbook is a table; any other file is one table named after it; a folder holds the tables of its files.
What is declared stands here; `session.py` reads what `preparation.py` made of the files.
"""

from __future__ import annotations

from typing import ClassVar

from drivers.base import CA, N_, TIMEZONE, Driver, Field, Group, Guards, Session, SettingValues
from drivers.errors import SettingsWrong
from drivers.files.preview import PreviewSession
from drivers.files.session import FileSession
from drivers.files.source import without_login
from drivers.previews import Preview, PreviewRequest


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
        Field(
            "url",
            N_("Address"),
            example="https://example.com/sales.csv",
            hint=N_("Read again every five minutes."),
            target=True,
        ),
        Field(
            "login",
            N_("Login of the address"),
            kind="secret",
            hint=N_("As user:password, where the address asks for one."),
            advanced=True,
        ),
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
        Field(
            "header_row",
            N_("Row with the names"),
            kind="number",
            hint=N_("Its number in the file, from 1; rows above are passed over. Empty: found by the content."),
            advanced=True,
        ),
        Field(
            "skip_rows",
            N_("Rows to pass over"),
            kind="number",
            hint=N_("So many rows at the top are no part of the table."),
            advanced=True,
        ),
        Field(
            "quote",
            N_("Quotes around texts"),
            kind="choice",
            default="auto",
            choices={
                "auto": N_("Found by the content"),
                '"': N_("Double quotes"),
                "'": N_("Apostrophes"),
                "none": N_("None"),
            },
            advanced=True,
        ),
        Field(
            "decimal",
            N_("Decimal mark"),
            kind="choice",
            default="auto",
            choices={"auto": N_("Found by the content"), ",": N_("Comma"), ".": N_("Point")},
            advanced=True,
        ),
        Field(
            "thousands",
            N_("Mark of thousands"),
            kind="choice",
            default="auto",
            choices={
                "auto": N_("Found by the content"),
                "none": N_("None"),
                "space": N_("Blank"),
                ",": N_("Comma"),
                ".": N_("Point"),
                "'": N_("Apostrophe"),
            },
            advanced=True,
        ),
        Field(
            "day_first",
            N_("Day before month"),
            kind="choice",
            default="auto",
            choices={"auto": N_("Found by the content"), "yes": N_("Yes"), "no": N_("No")},
            advanced=True,
            hint=N_("For dates like 01/02/2026, which are left as texts while nothing tells what they mean."),
        ),
        Field(
            "nulls",
            N_("Words for nothing"),
            kind="long",
            example="n/a",
            hint=N_("One a line: cells with one of them are empty, in every column."),
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
        clean, faults = super().validate(self.parted(values))
        if {"path", "url"} <= clean.keys() and (fault := _one_of_two(clean)):
            faults.append(fault)
        if clean.get("header_row", "").strip("0") == "" != clean.get("header_row", ""):
            faults.append(SettingsWrong("header_row", "no_such_row"))
        return clean, faults

    def parted(self, values: SettingValues) -> dict[str, str]:
        """Without a login in the address, which is shown: it is the setting `login`."""
        url, login = without_login(values.get("url", ""))
        return {**values, "url": url, "login": login} if login else dict(values)

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session on the file's tables (see `Driver.open`)."""
        session = FileSession(guards.limits)
        try:
            session.prepare(self.settings(values), guards)
        except BaseException:
            session.__exit__(None, None, None)
            raise
        return session

    def preview(self, values: SettingValues, guards: Guards, asked: PreviewRequest) -> Preview:
        """What is understood of the file (see `Driver.preview`)."""
        session = PreviewSession(guards.limits)
        with session:
            return session.look(self.settings(values), guards, asked)


def _one_of_two(settings: SettingValues) -> SettingsWrong | None:
    if settings.get("path") and settings.get("url"):
        return SettingsWrong("path", "path_and_url")
    return None if settings.get("path") or settings.get("url") else SettingsWrong("path", "path_or_url")
