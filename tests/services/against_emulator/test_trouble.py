"""facts/platform 3, 5.3-5.6 and 8: tokens, limits, failures, lost answers, renaming and removal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from egress.policy import Policy
from emulator.config import EmulatorConfig
from errors import (
    AccessDenied,
    ApplicationError,
    Forged,
    OutcomeUnknown,
    PaymentRequired,
    PortalBusy,
    PortalGone,
    PortalRefused,
    PortalUnreachable,
    TokenDead,
)
from services.bi import connectors, datasets, sources
from services.portal_api import Transport
from services.portal_api.capabilities import NEWER
from services.portal_api.client import PortalClient
from tests.portals import listening
from tests.services.against_emulator.objects import DATASET, SOURCE, connector_fields, fill
from tests.services.emulated import EAGER, EmulatedPortal, LosingProxy
from tests.waiting import eventually


def test_expired_tokens_are_renewed_once_alone_and_in_batches(portal: EmulatedPortal) -> None:
    """facts/platform 3.3"""
    tokens = portal.tokens()
    client = portal.client(tokens=tokens)
    before = tokens.access
    portal.control("expire-tokens")
    connector_id = connectors.add(client, NEWER, connector_fields(portal))
    assert (tokens.renewals, tokens.access != before) == (1, True)
    portal.control("expire-tokens")
    assert [connector.id for connector in connectors.everything(client)] == [connector_id]
    assert tokens.renewals == 2


def test_a_dead_refresh_token_ends_the_grant(portal: EmulatedPortal) -> None:
    tokens = portal.tokens()
    portal.control("expire-tokens", refresh=True)
    with pytest.raises(TokenDead):
        connectors.everything(portal.client(tokens=tokens))


def test_a_refresh_token_works_once(portal: EmulatedPortal) -> None:
    """facts/platform 3.3: every refresh returns a new pair"""
    tokens = portal.tokens()
    used = tokens.refresh
    tokens.renew(tokens.access)
    with pytest.raises(TokenDead):
        portal.servers.refresh(portal.url, used)


def test_a_token_is_identified(portal: EmulatedPortal) -> None:
    """facts/platform 3.5"""
    pair = portal.control("token", user="analyst")
    identity = portal.servers.identify(pair["access_token"], pair["server_endpoint"])
    assert (identity.member_id, identity.user_id, identity.client_endpoint, identity.client_id) == (
        pair["member_id"],
        pair["user_id"],
        pair["client_endpoint"],
        pair["client_id"],
    )
    assert "biconnector" in identity.scope
    assert identity.expires_at is not None


def test_tokens_that_are_unknown_expired_or_for_another_application_are_forged(portal: EmulatedPortal) -> None:
    foreign = portal.control("token", user="analyst", client_id="app.other.00000001")["access_token"]
    expired = portal.control("token", user="analyst")["access_token"]
    portal.control("expire-tokens")
    for token in ("0" * 70, "", foreign, expired):
        with pytest.raises(Forged):
            portal.servers.identify(token)


def test_a_rate_limit_is_waited_out(portal: EmulatedPortal, client: PortalClient) -> None:
    """facts/platform 5.4"""
    portal.control("rate-limit", per_second=1.0, capacity=1)

    def was_refused() -> bool:
        # How soon that is depends on how fast this machine calls.
        assert client.call("biconnector.connector.list") == []
        return any(call["error"] == "QUERY_LIMIT_EXCEEDED" for call in portal.state()["calls"])

    eventually(was_refused, portal.state)


TROUBLE: list[dict[str, Any]] = [
    {"shape": "root", "status": 500, "code": "INTERNAL_SERVER_ERROR"},
    {"shape": "root", "status": 503, "code": "QUERY_LIMIT_EXCEEDED"},
    {"shape": "text", "status": 502},
    {"shape": "drop"},
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda order: str(order.get("code", order["shape"])))
def test_reading_survives_two_failures_in_a_row(
    portal: EmulatedPortal, client: PortalClient, trouble: dict[str, Any]
) -> None:
    portal.control("fail", target="biconnector.connector.list", times=2, **trouble)
    assert client.call("biconnector.connector.list") == []


@pytest.mark.parametrize(
    "trouble", [TROUBLE[0], *TROUBLE[2:]], ids=lambda order: str(order.get("code", order["shape"]))
)
def test_an_add_that_fails_without_a_trace_has_an_unknown_outcome_and_is_made_once_at_most(
    portal: EmulatedPortal, client: PortalClient, trouble: dict[str, Any]
) -> None:
    portal.control("fail", target="biconnector.connector.add", **trouble)
    with pytest.raises(OutcomeUnknown):
        connectors.add(client, NEWER, connector_fields(portal))
    assert connectors.everything(client) == ()


def test_twins_of_objects_whose_add_failed_are_not_taken_for_them(portal: EmulatedPortal, client: PortalClient) -> None:
    """Titles may repeat: an older object that looks the same was not made by the add whose answer is lost"""
    connector_id, source_id, _ = fill(portal, client)
    again: dict[str, Callable[[], int]] = {
        "connector": lambda: connectors.add(client, NEWER, connector_fields(portal)),
        "source": lambda: sources.add(client, NEWER, {**SOURCE, "connectorId": connector_id}),
        "dataset": lambda: datasets.add(client, NEWER, {**DATASET, "sourceId": source_id}),
    }
    for kind, add in again.items():
        portal.control("fail", target=f"biconnector.{kind}.add", shape="text", status=502)
        with pytest.raises(OutcomeUnknown):
            add()
    with LosingProxy(portal.url, r"\.add$") as proxy:
        twin = connectors.add(losing(portal, proxy), NEWER, connector_fields(portal))
    assert [connector.id for connector in connectors.everything(client)] == [connector_id, twin]


def losing(portal: EmulatedPortal, proxy: LosingProxy) -> PortalClient:
    tokens = portal.tokens()
    tokens.address = proxy.endpoint
    transport = Transport(Policy(insecure_hosts=[f"127.0.0.1:{proxy.port}"]))
    return PortalClient(transport, tokens, patience=EAGER)


def test_objects_whose_add_was_answered_into_the_void_are_found_and_made_once(portal: EmulatedPortal) -> None:
    """facts/platform 5.1: each add is carried out by the portal, its answer is lost"""
    with LosingProxy(portal.url, r"\.add$") as proxy:
        ids = fill(portal, losing(portal, proxy))
    client = portal.client()
    assert [connector.id for connector in connectors.everything(client)] == [ids[0]]
    assert [source.id for source in sources.everything(client)] == [ids[1]]
    assert [dataset.id for dataset in sources.below(client, NEWER, ids[1])] == [ids[2]]


def test_deletions_that_were_answered_into_the_void_count_as_done(portal: EmulatedPortal) -> None:
    connector_id, source_id, dataset_id = fill(portal, portal.client())
    with LosingProxy(portal.url, r"\.delete$") as proxy:
        client = losing(portal, proxy)
        datasets.delete(client, NEWER, dataset_id)
        sources.delete(client, source_id)
        connectors.delete(client, connector_id)
    assert connectors.everything(portal.client()) == ()


def test_a_renamed_portal_is_followed_after_the_authorization_server_confirmed_it(portal: EmulatedPortal) -> None:
    """facts/platform 5.6"""
    tokens = portal.tokens()
    client = portal.client(tokens=tokens)
    portal.control("rename", origin=f"http://localhost:{portal.port}")
    connector_id = connectors.add(client, NEWER, connector_fields(portal))
    assert tokens.address == f"http://localhost:{portal.port}/rest/"
    assert connectors.get(client, connector_id).title == "Warehouse"


def test_a_portal_whose_plan_has_no_rest_denies_access(portal: EmulatedPortal) -> None:
    """facts/platform 5.3"""
    client = portal.client()
    portal.control("plan", rest=False)
    with pytest.raises(AccessDenied):
        connectors.everything(client)


def test_an_unpaid_application_gets_no_new_tokens(portal: EmulatedPortal) -> None:
    """facts/platform 3.4"""
    tokens = portal.tokens()
    portal.control("payment", required=True)
    with pytest.raises(PaymentRequired):
        portal.servers.refresh(portal.url, tokens.refresh)


def test_an_uninstalled_application_is_told_so(portal: EmulatedPortal) -> None:
    """facts/platform 8"""
    tokens = portal.tokens()
    portal.control("uninstall")
    with pytest.raises((PortalGone, TokenDead)):
        connectors.everything(portal.client(tokens=tokens))
    with pytest.raises((PortalGone, TokenDead)):
        portal.servers.refresh(portal.url, tokens.refresh)


@pytest.mark.parametrize("code", ["OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT", "user_access_error", "PORTAL_DELETED"])
def test_system_errors_of_the_emulator_are_those_of_the_tree(
    portal: EmulatedPortal, client: PortalClient, code: str
) -> None:
    """facts/platform 5.3"""
    kinds: dict[str, type[ApplicationError]] = {
        "OPERATION_TIME_LIMIT": PortalBusy,
        "OVERLOAD_LIMIT": PortalRefused,
        "user_access_error": AccessDenied,
        "PORTAL_DELETED": PortalGone,
    }
    portal.control("fail", target="rest", shape="root", code=code)
    with pytest.raises(kinds[code]):
        client.call("biconnector.connector.list")


def test_a_portal_that_is_down_is_reported_soon() -> None:
    with listening(EmulatorConfig(port=0)) as running:
        portal = EmulatedPortal(running.url)
        tokens = portal.tokens()
    with pytest.raises(PortalUnreachable) as caught:
        connectors.everything(portal.client(tokens=tokens))
    assert caught.value.reason == "connection"
