"""facts/biconnector 1.5, 1.6, 1.8 and facts/platform 5.5: lists, filters, batches and whose objects they show."""

from __future__ import annotations

from typing import Any

import pytest

from errors import (
    AccessDenied,
    NotFound,
)
from services.bi import connectors
from services.bi.listing import Listing
from services.portal_api.capabilities import NEWER
from services.portal_api.client import PortalClient
from tests.services.against_emulator.objects import SHAPES, connector_fields
from tests.services.emulated import EmulatedPortal


def many(portal: EmulatedPortal, client: PortalClient, count: int) -> list[int]:
    return [
        connectors.add(client, NEWER, connector_fields(portal, title=f"Connector {number:03}", sort=number))
        for number in range(count)
    ]


def test_lists_of_more_than_one_page_are_read_by_page_and_by_batch(
    portal: EmulatedPortal, client: PortalClient
) -> None:
    """facts/biconnector 1.5, 1.6"""
    ids = many(portal, client, 101)
    walked = [int(item["id"]) for page in client.pages("biconnector.connector.list") for item in page]
    at_once = [int(item["id"]) for item in client.everything("biconnector.connector.list")]
    assert walked == at_once == ids
    first, second, third = (connectors.page(client, Listing(page=number, direction="ASC")) for number in (1, 2, 3))
    assert [len(page.items) for page in (first, second, third)] == [50, 50, 1]
    assert [page.has_next for page in (first, second, third)] == [True, True, False]
    assert connectors.page(client, Listing(page=9)).items == ()
    assert [connector.id for connector in first.items + second.items + third.items] == ids


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"sort": 3}, [3]),
    ({"=sort": 3}, [3]),
    ({">=sort": 8}, [8, 9]),
    ({">sort": 8}, [9]),
    ({"<=sort": 1}, [0, 1]),
    ({"<sort": 1}, [0]),
    ({"@sort": [2, 4]}, [2, 4]),
    ({"!@sort": [0, 1, 2, 3, 4, 5, 6, 7]}, [8, 9]),
    ({"%title": "tor 00"}, list(range(10))),
    ({"=%title": "%007"}, [7]),
    ({"%=title": "Connector%5"}, [5]),
    ({"!=sort": 0, "<sort": 2}, [1]),
    ({"!sort": 0, "<=sort": 2}, [1, 2]),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_every_documented_prefix_filters_a_page(
    portal: EmulatedPortal, client: PortalClient, filters: dict[str, Any], expected: list[int]
) -> None:
    """facts/api 1.4; in a batch every value is a string"""
    many(portal, client, 10)
    page = connectors.page(client, Listing(filters=filters, order="sort", direction="ASC"))
    assert [connector.sort for connector in page.items] == expected


def test_objects_of_another_application_are_not_found(portal: EmulatedPortal, client: PortalClient) -> None:
    """facts/biconnector 1.8"""
    connector_id = connectors.add(client, NEWER, connector_fields(portal))
    tokens = portal.tokens("analyst", client_id="app.other.00000001")
    stranger = portal.client(tokens=tokens)
    with pytest.raises(NotFound):
        connectors.get(stranger, connector_id)
    assert connectors.everything(stranger) == ()


@pytest.mark.parametrize("user", ["viewer", "half"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_user_without_both_rights_is_denied(portal: EmulatedPortal, user: str, shape: str) -> None:
    """facts/biconnector 1.8"""
    portal.control("error-shape", shape=shape)
    with pytest.raises(AccessDenied):
        connectors.everything(portal.client(user))


def test_a_batch_of_more_than_fifty_commands_is_answered_in_full(client: PortalClient) -> None:
    """facts/platform 5.5"""
    found = client.batch({f"k{number}": ("biconnector.connector.get", {"id": number}) for number in range(1, 121)})
    assert list(found) == [f"k{number}" for number in range(1, 121)]
    assert all(isinstance(outcome, NotFound) for outcome in found.values())


@pytest.mark.parametrize(("shape", "ran"), [("root", {"a", "b"}), ("result", {"a", "b", "c"})])
def test_halt_stops_at_errors_that_the_portal_itself_sees_as_such(
    portal: EmulatedPortal, client: PortalClient, shape: str, ran: set[str]
) -> None:
    """facts/biconnector 1.3: to `batch` an error inside `result` is a success"""
    portal.control("error-shape", shape=shape)
    commands = {"a": ("profile", {}), "b": ("biconnector.connector.get", {"id": 9}), "c": ("scope", {})}
    found = client.batch(commands, halt=True)
    assert set(found) == ran
    assert isinstance(found["b"], NotFound)
