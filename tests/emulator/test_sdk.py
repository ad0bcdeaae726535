"""The official Python SDK works against the emulator, unchanged apart from host names.

The SDK insists on https and knows its authorization server by name, so the emulator serves TLS and the two addresses of
the authorization server are pointed at it. Everything else is the SDK as it comes from the registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from b24pysdk import BitrixApp, BitrixToken, Client
from b24pysdk.api.requesters import BitrixOAuthRequester
from b24pysdk.errors import BitrixAPIError, BitrixAPIInsufficientScope
from b24pysdk.errors.oauth import BitrixOAuthInvalidGrant

from emulator.config import EmulatorConfig
from emulator.server import RunningServer, start
from tests.emulator.certificates import write_certificate
from tests.waiting import HANG

COLUMNS = [
    {"name": "ORDER_ID", "externalCode": "ORDER_ID", "type": "int"},
    {"name": "ORDER_DATE", "externalCode": "ORDER_DATE", "type": "date"},
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """An emulator with TLS, and the certificate known to everybody in this process."""
    certificate, key = write_certificate(tmp_path_factory.mktemp("tls"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        config = EmulatorConfig(port=0, certificate=certificate, private_key=key)
        with start(config) as server:
            patch.setattr(BitrixOAuthRequester, "_OAUTH_TOKEN_URL", f"{server.url}/oauth/token/")
            patch.setattr(BitrixOAuthRequester, "_APP_INFO_URL", f"{server.url}/rest/app.info/")
            yield server


@pytest.fixture
def portal(served: RunningServer) -> RunningServer:
    """The same emulator, fresh for each test."""
    control(served, "reset")
    return served


def control(server: RunningServer, name: str, **order: Any) -> Any:
    """What a control answers."""
    answer = requests.post(f"{server.url}/_emulator/{name}", json=order, timeout=HANG)
    assert answer.status_code == 200, answer.text
    return answer.json()


def sdk_token(server: RunningServer, user: str = "analyst") -> BitrixToken:
    """The SDK's token object over a pair from the emulator."""
    pair = control(server, "token", user=user)
    return BitrixToken(
        domain=pair["domain"],
        auth_token=pair["access_token"],
        refresh_token=pair["refresh_token"],
        expires=datetime.now(UTC) + timedelta(hours=1),
        expires_in=pair["expires_in"],
        bitrix_app=BitrixApp(client_id=pair["client_id"], client_secret=server.config.client_secret),
    )


def connector_fields(server: RunningServer) -> dict[str, Any]:
    """The demonstration endpoint as a connector."""
    address = f"{server.url}/_demo"
    return {
        "title": "Made by the SDK",
        "logo": "data:image/svg+xml;base64,PHN2Zy8+",
        "urlCheck": f"{address}/check",
        "urlTableList": f"{address}/tables",
        "urlTableDescription": f"{address}/description",
        "urlData": f"{address}/data",
        "settings": [
            {"code": "login", "name": "Login", "type": "STRING"},
            {"code": "password", "name": "Password", "type": "STRING"},
        ],
    }


def test_connectors_sources_and_datasets_from_birth_to_deletion(portal: RunningServer) -> None:
    token = sdk_token(portal)
    bi = Client(token).biconnector

    connector_id = bi.connector.add(connector_fields(portal)).result["id"]
    assert bi.connector.update(connector_id, {"description": "changed"}).result is True
    assert bi.connector.get(connector_id).result["item"]["description"] == "changed"
    assert [item["id"] for item in bi.connector.list(select=["id"], order={"id": "ASC"}).result] == ["1"]
    assert bi.connector.fields().result["fields"][1]["title"] == "title"

    values = {"login": "demo", "password": "demo"}
    source = {"title": "Source", "connectorId": connector_id, "settings": values}
    source_id = bi.source.add(source).result["id"]
    assert bi.source.update(source_id, {"title": "Renamed", "settings": {"password": "demo"}}).result is True
    assert bi.source.get(source_id).result["item"]["connection"]["title"] == "Renamed"
    assert [item["title"] for item in bi.source.list(filter={"%title": "ren"}).result] == ["Renamed"]
    assert bi.source.fields().result["fields"]

    dataset = {
        "name": "orders",
        "externalName": "Orders",
        "externalCode": "sales_orders",
        "sourceId": source_id,
        "fields": COLUMNS,
    }
    dataset_id = bi.dataset.add(dataset).result["id"]
    assert bi.dataset.update(dataset_id, {"description": "d"}).result is True
    added = [{"name": "AMOUNT", "externalCode": "AMOUNT", "type": "double"}]
    hidden = [{"id": 1, "visible": False}]
    assert bi.dataset.fields.update(dataset_id, add=added, update=hidden, delete=[2]).result is True
    fields = bi.dataset.get(dataset_id).result["item"]["fields"]
    assert [(field["name"], field["visible"]) for field in fields] == [("ORDER_ID", False), ("AMOUNT", True)]
    assert [item["sourceId"] for item in bi.dataset.list(page=1).result] == ["1"]
    assert bi.dataset.fields().result["fields"]

    with pytest.raises(BitrixAPIError) as refused:
        bi.dataset.delete(dataset_id).call()
    assert refused.value.status_code == 500  # facts/biconnector 4.2: the SDK has no wrapper for table.delete
    assert token.call_method("biconnector.table.delete", {"id": dataset_id})["result"] is True
    assert bi.source.delete(source_id).result is True
    assert bi.connector.delete(connector_id).result is True


def test_dataset_delete_on_an_older_portal(portal: RunningServer) -> None:
    """facts/biconnector 4.1"""
    control(portal, "generation", generation="older")
    dataset_id = control(portal, "demo")["dataset"]
    assert Client(sdk_token(portal)).biconnector.dataset.delete(dataset_id).result is True


def test_an_expired_token_is_refreshed_and_the_call_repeated(portal: RunningServer) -> None:
    """facts/platform 3.3, 5.3"""
    token = sdk_token(portal)
    old = token.oauth_token
    control(portal, "expire-tokens")
    assert Client(token).biconnector.connector.list().result == []
    assert token.auth_token != old.access_token
    assert token.refresh_token != old.refresh_token
    calls = requests.get(f"{portal.url}/_emulator/state", timeout=HANG).json()["calls"]
    assert [(call["method"], call["status"]) for call in calls] == [
        ("biconnector.connector.list", 401),
        ("oauth/token", 200),
        ("biconnector.connector.list", 200),
    ]


def test_a_used_refresh_token_is_an_invalid_grant(portal: RunningServer) -> None:
    """facts/platform 3.3"""
    token = sdk_token(portal)
    stale = token.refresh_token
    token.refresh_and_set_oauth_token()
    token.refresh_token = stale
    with pytest.raises(BitrixOAuthInvalidGrant):
        token.refresh_and_set_oauth_token()


def test_a_code_is_exchanged_for_tokens(portal: RunningServer) -> None:
    """facts/platform 3.2"""
    token = sdk_token(portal)
    renewed = token.get_oauth_token(control(portal, "code", user="admin")["code"])
    assert renewed.user_id == 1
    assert renewed.member_id == control(portal, "token")["member_id"]


def test_app_info_of_the_authorization_server(portal: RunningServer) -> None:
    """facts/platform 3.5"""
    info = sdk_token(portal).get_app_info().result
    assert info.client_id == portal.config.client_id
    assert info.install.installed is True
    assert info.install.client_endpoint == f"{portal.url}/rest/"
    assert info.user_id == 2


def test_batches_of_the_sdk(portal: RunningServer) -> None:
    """facts/platform 5.5"""
    client = Client(sdk_token(portal))
    bi = client.biconnector
    requested = {"add": bi.connector.add(connector_fields(portal)), "list": bi.connector.list(order={"id": "ASC"})}
    result = client.call_batch(requested).result.result
    assert result["add"] == {"id": 1}
    assert result["list"][0]["title"] == "Made by the SDK"


def test_the_sdk_takes_an_error_inside_result_for_a_success(portal: RunningServer) -> None:
    """facts/biconnector 1.3: what a client must not do."""
    bi = Client(sdk_token(portal, "viewer")).biconnector
    assert bi.connector.list().result == {"error": {"error": "ACCESS_DENIED", "error_description": "Access denied."}}
    control(portal, "error-shape", shape="root")
    with pytest.raises(BitrixAPIError, match="Access denied"):
        bi.connector.list().call()


def test_system_errors_become_the_sdks_exceptions(portal: RunningServer) -> None:
    """facts/platform 5.3"""
    control(portal, "fail", code="insufficient_scope")
    with pytest.raises(BitrixAPIInsufficientScope):
        Client(sdk_token(portal)).biconnector.connector.list().call()
