"""The demonstration: a connector, a source and a dataset over the invented sales data, made by the analyst."""

from __future__ import annotations

from typing import Any

from emulator import demo_data, demo_endpoint
from emulator.context import Emulator
from emulator.rest import connectors, datasets, sources
from emulator.rest.calls import Handler, RestCall

LOGO = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAzMiAzMiI+"
    "PHJlY3Qgd2lkdGg9IjMyIiBoZWlnaHQ9IjMyIiByeD0iOCIgZmlsbD0iIzAwNzVmZiIvPjxwYXRoIGQ9Ik04IDIzdi02aDR2NnptNiAw"
    "VjloNHYxNHptNiAwdi0xMGg0djEweiIgZmlsbD0iI2ZmZiIvPjwvc3ZnPg=="
)


def create(emulator: Emulator, *, address: str, login: str, password: str) -> dict[str, int]:
    """Make the three objects for the emulator's application; answers their ids by kind.

    `address` is where the four demonstration endpoints are. Raises `RestError` when the portal refuses, for example
    because a wrong password fails the check or the dataset's name is taken.
    """
    connector = {
        "title": "Coffee shop",
        "logo": LOGO,
        "description": "Invented sales of a coffee wholesaler.",
        "urlCheck": f"{address}/check",
        "urlTableList": f"{address}/tables",
        "urlTableDescription": f"{address}/description",
        "urlData": f"{address}/data",
        "settings": [
            {"code": "login", "name": "Login", "type": "STRING"},
            {"code": "password", "name": "Password", "type": "STRING"},
        ],
    }
    connector_id = _call(emulator, connectors.add, connector)
    source = {
        "title": "Coffee shop, live",
        "connectorId": connector_id,
        "settings": {"login": login, "password": password},
    }
    source_id = _call(emulator, sources.add, source)
    table = demo_data.tables()["sales_orders"]
    dataset = {
        "name": table.code,
        "externalName": table.title,
        "externalCode": table.code,
        "sourceId": source_id,
        "description": "Orders of two years, one row per order.",
        "fields": [{"name": c.code, "externalCode": c.code, "type": c.type} for c in table.columns],
    }
    dataset_id = _call(emulator, datasets.add_dataset, dataset)
    return {"connector": connector_id, "source": source_id, "dataset": dataset_id}


def create_default(emulator: Emulator) -> dict[str, int]:
    """The demonstration over this emulator's own endpoints."""
    address = f"{emulator.config.public_url}{demo_endpoint.blueprint.url_prefix}"
    return create(emulator, address=address, login=demo_endpoint.LOGIN, password=demo_endpoint.PASSWORD)


def _call(emulator: Emulator, handler: Handler, fields: dict[str, Any]) -> int:
    portal = emulator.portal
    call = RestCall(emulator, "demo", {"fields": fields}, portal.user("analyst"), portal.app, None)
    new_id: int = handler(call)["id"]
    return new_id
