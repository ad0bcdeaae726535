"""New sources and tables as the hub's wizards make them: forms read and checked, objects kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emulator.endpoints import DescribedColumn
from emulator.php_values import is_empty, trimmed
from emulator.portal import Portal
from emulator.records import Column, Connector, Dataset, Source, SourceSetting

TITLE_LENGTH = 512
TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")
TABLE_NAME_LENGTH = 230
COLUMN_NAME_LENGTH = 32


@dataclass(frozen=True)
class SourceForm:
    """A source as typed: `values` by setting code; `problems` by field name (`title` or `settings-CODE`)."""

    title: str
    description: str
    values: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether it can be checked with `urlCheck`."""
        return not self.problems

    @classmethod
    def empty(cls, connector: Connector) -> SourceForm:
        """The form before anything was typed."""
        return cls("", "", {setting.code: "" for setting in connector.settings})


def read_source(form: Mapping[str, str], connector: Connector) -> SourceForm:
    """The source form; a title and every setting are required, settings of type INT take whole numbers.

    A `0` counts as left empty (facts/biconnector 3.3c).
    """
    title = form.get("title", "").strip()
    values = {setting.code: form.get(f"settings-{setting.code}", "") for setting in connector.settings}
    problems: dict[str, str] = {}
    if not title:
        problems["title"] = "Enter a title."
    elif len(title) > TITLE_LENGTH:
        problems["title"] = "The title is too long."
    for setting in connector.settings:
        value = values[setting.code]
        if is_empty(value):
            problems[f"settings-{setting.code}"] = "Enter a value."
        elif setting.type == "INT" and not re.fullmatch(r"-?[0-9]+", value):
            problems[f"settings-{setting.code}"] = "Enter a whole number."
    return SourceForm(title, form.get("description", "").strip(), values, problems)


def keep_source(portal: Portal, connector: Connector, form: SourceForm) -> Source:
    """The new source, made by the current browser user; values are kept trimmed (facts/biconnector 3.1a)."""
    with portal.lock:
        source = Source(
            id=portal.next_id("source"),
            connector_id=connector.id,
            title=form.title,
            description=form.description or None,
            settings=[
                SourceSetting(
                    portal.next_id("source_setting"),
                    setting.code,
                    setting.name,
                    setting.type,
                    trimmed(form.values[setting.code]),
                )
                for setting in connector.settings
            ],
            date_create=portal.timestamp(),
            created_by_id=portal.browser_user.id,
        )
        portal.state.sources[source.id] = source
        return source


@dataclass(frozen=True)
class TableColumn:
    """A column as it will be kept."""

    code: str
    title: str
    name: str
    type: str
    visible: bool = True


@dataclass(frozen=True)
class TableForm:
    """A table as typed or suggested; `problems` by field name (`name`, `title` or `columns`)."""

    name: str
    title: str
    description: str
    columns: Sequence[TableColumn]
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether it can be kept."""
        return not self.problems


def suggest_table(code: str, title: str, described: Sequence[DescribedColumn], portal: Portal) -> TableForm:
    """Names that the portal accepts for what the source calls `code`."""
    base = re.sub(r"[^a-z0-9_]+", "_", code.lower()).strip("_")[: TABLE_NAME_LENGTH - 8]
    if not TABLE_NAME.fullmatch(base):
        base = f"table_{base}".rstrip("_")
    taken = _taken_names(portal)
    name = next(
        candidate
        for number in range(1, len(taken) + 2)
        if (candidate := base if number == 1 else f"{base}_{number}") not in taken
    )
    return TableForm(name, title[:TITLE_LENGTH], "", _columns(described))


def read_table(form: Mapping[str, str], described: Sequence[DescribedColumn], portal: Portal) -> TableForm:
    """The table form, checked against the rules of names (facts/biconnector 4.6)."""
    name, title = form.get("name", "").strip(), form.get("title", "").strip()
    columns = [
        TableColumn(column.code, column.title, column.name, column.type, f"column-{index}" in form)
        for index, column in enumerate(_columns(described))
    ]
    problems: dict[str, str] = {}
    if not TABLE_NAME.fullmatch(name) or len(name) > TABLE_NAME_LENGTH:
        problems["name"] = "Use small Latin letters, digits and underscores; begin with a letter."
    elif name in _taken_names(portal):
        problems["name"] = "The portal has a table of this name already."
    if not title or len(title) > TITLE_LENGTH:
        problems["title"] = "Enter a title of at most 512 characters."
    if not any(column.visible for column in columns):
        problems["columns"] = "Choose at least one column."
    return TableForm(name, title, form.get("description", "").strip(), columns, problems)


def keep_table(portal: Portal, source: Source, code: str, form: TableForm) -> Dataset:
    """The new table; like `table.add` it makes no BI Builder dataset (facts/biconnector 4.2)."""
    with portal.lock:
        dataset = Dataset(
            id=portal.next_id("dataset"),
            source_id=source.id,
            name=form.name,
            external_name=form.title,
            external_code=code,
            description=form.description or None,
            columns=[
                Column(portal.next_id("column"), column.type, column.name, column.code, column.visible)
                for column in form.columns
            ],
            date_create=portal.timestamp(),
            created_by_id=portal.browser_user.id,
        )
        portal.state.datasets[dataset.id] = dataset
        return dataset


def _columns(described: Sequence[DescribedColumn]) -> list[TableColumn]:
    """Columns under names of capital letters, digits and underscores, 32 at most and all different."""
    columns: list[TableColumn] = []
    taken: set[str] = set()
    for column in described:
        base = re.sub(r"[^A-Z0-9_]", "_", column.code.upper())[:COLUMN_NAME_LENGTH]
        if not base[:1].isalpha():
            base = f"C_{base}"[:COLUMN_NAME_LENGTH]
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base[: COLUMN_NAME_LENGTH - len(str(number)) - 1]}_{number}"
        taken.add(name)
        columns.append(TableColumn(column.code, column.name, name, column.type))
    return columns


def _taken_names(portal: Portal) -> set[str]:
    return {dataset.name for dataset in portal.datasets()}
