"""The forms of connectors, sources and datasets: what was typed, under the API's field names, kept whatever is wrong.

Forms only read and keep; `services.bi.rules` judges. Lists of rows work without script: the submit buttons
`_add_<list>` and `_remove_<list>-<number>` change the number of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import request
from wtforms import BooleanField, FieldList, Form, FormField, StringField

from services.bi.connectors import Connector
from services.bi.datasets import Dataset
from services.portal_api.capabilities import Capabilities
from web.forms import MOST_ROWS

ROW = re.compile(r"-([0-9]{1,4})(?:-|\Z)")


def _strip(value: str | None) -> str:
    return (value or "").strip()


def _text() -> StringField:
    return StringField(filters=[_strip], default="")


class Tick(BooleanField):
    """A checkbox with a hidden `0` before it, so that a form without the question leaves the default."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """The last value counts: the box's own if it is ticked."""
        if valuelist:
            self.data = valuelist[-1] not in ("", "0", "false")


class Rows(FieldList):  # type: ignore[type-arg]  # the library knows the argument in its stubs only
    """A list of rows, numbered as the page numbers them; what carries another kind of number is no row of ours."""

    def _extract_indices(self, prefix: str, formdata: Iterable[str]) -> Iterator[int]:
        """The numbers of the rows in `formdata`; the library's own reading fails on thousands of digits and on `²`."""
        for name in formdata:
            if found := ROW.match(name.removeprefix(prefix)) if name.startswith(prefix) else None:
                yield int(found[1])


class SettingRow(Form):
    """One parameter of a connector."""

    code = _text()
    name = _text()
    type = StringField(filters=[_strip], default="STRING")


class ColumnRow(Form):
    """One column of a dataset that is to be made."""

    name = _text()
    externalCode = _text()  # noqa: N815 - the API's name
    type = StringField(filters=[_strip], default="string")


class ConnectorForm(Form):
    """A connector to be made or changed."""

    title = _text()
    description = _text()
    logo = _text()
    sort = StringField(filters=[_strip], default="100")
    urlCheck = _text()  # noqa: N815 - the API's name
    urlTableList = _text()  # noqa: N815 - the API's name
    urlTableDescription = _text()  # noqa: N815 - the API's name
    urlData = _text()  # noqa: N815 - the API's name
    sourceCode = _text()  # noqa: N815 - the API's name
    supportMapping = Tick()  # noqa: N815 - the API's name
    settings = Rows(FormField(SettingRow), max_entries=MOST_ROWS)

    def fields(self, caps: Capabilities) -> dict[str, Any]:
        """The values for the service; only what the portal knows, without rows left blank."""
        unknown = {
            name
            for name, known in (("supportMapping", caps.support_mapping), ("sourceCode", caps.source_code))
            if not known
        }
        values = {name: value for name, value in self.data.items() if name not in unknown}
        return values | {"settings": filled_rows(self.settings, ("code", "name"))}


class SourceForm(Form):
    """A source to be made or changed, without its settings: those depend on the connector (`admin.sources`)."""

    title = _text()
    description = _text()
    connectorId = _text()  # noqa: N815 - the API's name
    active = Tick(default=True)


class DatasetForm(Form):
    """A dataset to be made."""

    name = _text()
    externalName = _text()  # noqa: N815 - the API's name
    externalCode = _text()  # noqa: N815 - the API's name
    sourceId = _text()  # noqa: N815 - the API's name
    description = _text()
    fields = Rows(FormField(ColumnRow), max_entries=MOST_ROWS)

    def values(self) -> dict[str, Any]:
        """The values for the service, without rows left blank."""
        return {**self.data, "fields": filled_rows(self.fields, ("name", "externalCode"))}


class DescriptionForm(Form):
    """All that can be changed of a dataset (facts/biconnector 4.3)."""

    description = _text()


class ColumnsForm(Form):
    """Columns to add on a dataset's page; what to show, hide and delete are plain lists of ids (`admin.datasets`)."""

    add = Rows(FormField(ColumnRow), max_entries=MOST_ROWS)


def connector_values(connector: Connector) -> dict[str, Any]:
    """A connector as the values of its form."""
    return {
        "title": connector.title,
        "description": connector.description,
        "logo": connector.logo,
        "sort": str(connector.sort),
        "urlCheck": connector.url_check,
        "urlTableList": connector.url_table_list,
        "urlTableDescription": connector.url_table_description,
        "urlData": connector.url_data,
        "sourceCode": connector.source_code,
        "supportMapping": connector.support_mapping,
        "settings": [{"code": row.code, "name": row.name, "type": row.type} for row in connector.settings],
    }


def dataset_values(dataset: Dataset) -> dict[str, Any]:
    """What can be changed of a dataset, as the values of its form."""
    return {"description": dataset.description}


def filled_rows(rows: FieldList[Any], typed: Sequence[str]) -> list[dict[str, str]]:
    """The rows in which anything was typed; a row of which only the type is chosen is a blank one."""
    return [row for row in rows.data if any(row[name] for name in typed)]


def rows_changed(form: Form, *, blank: str | None = None) -> bool:
    """Add or remove the row that a submit button asks for; whether there was such a button.

    `blank` names a list that is never shown without a row to type into.
    """
    asked = next((name for name in request.form if name.startswith(("_add_", "_remove_"))), "")
    changed = bool(asked)
    verb, _, target = asked[1:].partition("_")
    lists = {field.name: field for field in form if isinstance(field, FieldList)}
    if verb == "add" and target in lists and len(lists[target]) < MOST_ROWS:
        lists[target].append_entry()
    elif verb == "remove":
        target, _, number = target.rpartition("-")
        if target in lists:
            lists[target].entries = [row for row in lists[target] if row.name != f"{target}-{number}"]
    if blank is not None and not lists[blank].entries:
        lists[blank].append_entry()
    return changed


def names_of(form: Form) -> set[str]:
    """The names under which a problem can be shown beside its field, rows counted from 0 as the page numbers them."""
    names: set[str] = set()
    for field in form:
        names.add(field.name)
        if isinstance(field, FieldList):
            names |= {f"{field.name}-{index}-{inner}" for index, row in enumerate(field) for inner in row.form._fields}
    return names


def keep_filled(rows: FieldList[Any], typed: Sequence[str]) -> None:
    """Drop blank rows, so that the problems' row numbers are those of the page."""
    rows.entries = [row for row in rows if any(row.form[name].data for name in typed)]
