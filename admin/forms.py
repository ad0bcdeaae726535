"""The inputs of the analysts' forms, under the API's field names."""

from __future__ import annotations

from typing import Any

from services.bi.connectors import Connector
from web.forms import FormField

SETTING_ROW = (FormField("code"), FormField("name"), FormField("type", default="STRING"))
COLUMN_ROW = (FormField("name"), FormField("externalCode"), FormField("type", default="string"))

CONNECTOR = (
    *map(FormField, ("title", "description", "logo")),
    FormField("sort", default="100"),
    *map(FormField, ("urlCheck", "urlTableList", "urlTableDescription", "urlData", "sourceCode")),
    FormField("supportMapping", "tick", default=False),
    FormField("settings", "rows", columns=SETTING_ROW),
)
SOURCE = (FormField("title"), FormField("description"), FormField("active", "tick", default=True))
"""Without its connector, which stays for good, and without settings, which depend on that (`admin.sources`)."""
SOURCE_CONNECTOR = FormField("connectorId")
DATASET = (
    *map(FormField, ("name", "externalName", "externalCode", "sourceId", "description")),
    FormField("fields", "rows", columns=COLUMN_ROW),
)
DESCRIPTION = (FormField("description"),)
"""All that can be changed of a dataset (facts/biconnector 4.3)."""
COLUMNS = (
    FormField("add", "rows", columns=COLUMN_ROW),
    *(FormField(name, "ids", default=frozenset()) for name in ("known", "visible", "delete")),
)
"""Columns to add to a dataset, and the numbers of those that the page shows, ticks as visible, and marks to delete."""
PUBLICATION = (
    *map(FormField, ("datasetName", "externalName", "description")),
    FormField("columns", "texts", default=()),
)
"""How a table is published; `columns` are codes, and `admin.drafts` reads what was chosen for each."""
REVIEW_ROW = (FormField("table", "exact", None), FormField("name", default=None), FormField("on", "tick", False))
REVIEW = (FormField("", "rows", columns=REVIEW_ROW),)
"""Tables to publish at once; a row without a `name` was not asked for one."""


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
