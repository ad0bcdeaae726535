"""Objects to make on an emulated portal, over its own demo endpoint."""

from __future__ import annotations

from typing import Any

from services.bi import connectors, datasets, sources
from services.portal_api.capabilities import NEWER, OLDER, Capabilities
from services.portal_api.client import PortalClient
from tests.services.emulated import EmulatedPortal

SHAPES = ("result", "root")
GENERATIONS = ("older", "newer")
CAPS = {"older": OLDER, "newer": NEWER}

Either = tuple[PortalClient, Capabilities]


def connector_fields(portal: EmulatedPortal, **changes: Any) -> dict[str, Any]:
    base = f"{portal.url}/_demo"
    return {
        "title": "Warehouse",
        "logo": "data:image/svg+xml;base64,PHN2Zy8+",
        "urlCheck": f"{base}/check",
        "urlTableList": f"{base}/tables",
        "urlTableDescription": f"{base}/description",
        "urlData": f"{base}/data",
        "settings": [
            {"code": "login", "name": "Login", "type": "STRING"},
            {"code": "password", "name": "Password", "type": "STRING"},
        ],
        **changes,
    }


SOURCE: dict[str, Any] = {"title": "Main", "settings": {"login": "demo", "password": "demo"}}
COLUMNS = [
    {"name": "ID", "externalCode": "id", "type": "int"},
    {"name": "CITY", "externalCode": "city", "type": "string"},
]
DATASET: dict[str, Any] = {"name": "orders", "externalName": "Orders", "externalCode": "orders", "fields": COLUMNS}


def fill(portal: EmulatedPortal, client: PortalClient, caps: Capabilities = NEWER) -> tuple[int, int, int]:
    """A connector, a source and a dataset; their ids."""
    connector_id = connectors.add(client, caps, connector_fields(portal))
    source_id = sources.add(client, caps, {**SOURCE, "connectorId": connector_id})
    return connector_id, source_id, datasets.add(client, caps, {**DATASET, "sourceId": source_id})
