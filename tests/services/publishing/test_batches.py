"""Several tables published at once: names, round trips, what a lost answer and an early end leave (facts/field 3.7)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Session
from drivers.errors import TooBig
from drivers.query import TableName
from drivers.sqlite.driver import SQLiteSession
from egress.errors import Timeout
from errors import AccessDenied, InvalidInput, OutcomeUnknown, PortalBusy, PortalUnreachable
from services.bi import datasets
from services.contract.names import NameRefused, dataset_codes
from services.portal_api import Patience, Reply
from services.publishing import batches
from services.publishing.batches import DatasetRequest, Outcome, Publication, free_names, planned_datasets
from services.publishing.tables import TableInspection, external_code
from tests.services.hosted import HostedStage, Post, hosted_stage, instead, lost_after, lost_before

FAR = 1e12
"""A moment that no clock of these tests reaches."""
ADD = "biconnector.dataset.add"


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path) as stage:
        yield stage


def tables(hosted: HostedStage, *names: str, columns: int = 2) -> None:
    """Further tables of the shop."""
    described = ", ".join(f"c{number} INTEGER" for number in range(columns))
    with contextlib.closing(sqlite3.connect(hosted.folder / "shop.sqlite")) as database:
        for name in names:
            database.execute(f'CREATE TABLE "{name}" ({described})')


def inspected(hosted: HostedStage, *names: str) -> tuple[TableInspection, ...]:
    return hosted.house.publishing.inspect(hosted.held(1), names)


def wished(hosted: HostedStage, names: Mapping[str, str]) -> list[DatasetRequest]:
    """Tables with the names that their datasets shall have."""
    return [DatasetRequest(table, names[table.name]) for table in inspected(hosted, *names)]


def connected(hosted: HostedStage) -> int:
    source_id = hosted.connect(hosted.connection())
    hosted.wire.methods.clear()
    return source_id


def published(hosted: HostedStage, names: Mapping[str, str], end: float = FAR, **given: Any) -> list[Outcome]:
    source_id = hosted.held(1).source_id
    assert source_id is not None
    below = {row.external_code: row for row in datasets.of_source(hosted.client, hosted.caps, source_id)}
    return Publication(hosted.client, hosted.caps, source_id, end, **given).publish(wished(hosted, names), below)


def states(outcomes: Sequence[Outcome]) -> list[str]:
    return [row.state for row in outcomes]


def in_the_portal(hosted: HostedStage) -> dict[str, str]:
    """External codes by the names of the datasets that the portal really has."""
    return {row.name: row.external_code for row in hosted.stage.portal.whole().datasets.values()}


def same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


# --- names


def test_whatever_can_keep_its_own_name_does_and_only_the_others_are_numbered() -> None:
    assert dataset_codes(["Orders", "orders", "orders_2"]) == ["orders", "orders_3", "orders_2"]
    assert dataset_codes(["orders", "deals"], ["orders"]) == ["orders_2", "deals"]
    assert dataset_codes(["x" * 300, "x" * 300]) == ["x" * 230, "x" * 228 + "_2"]


def test_names_that_the_portal_has_are_numbered_and_so_are_their_numbers(hosted: HostedStage) -> None:
    connected(hosted)
    tables(hosted, "deals")
    assert states(published(hosted, {"orders": "orders", "deals": "orders_2"})) == ["created", "created"]
    assert free_names(hosted.client, hosted.caps, ["orders", "orders_2", "people"]) == [
        "orders_3",
        "orders_2_2",
        "people",
    ]


def test_names_of_a_review_cost_one_round_trip_where_nothing_is_taken(hosted: HostedStage) -> None:
    connected(hosted)
    names = [f"t{number}" for number in range(50)]
    assert free_names(hosted.client, hosted.caps, names) == names
    assert hosted.wire.methods == ["batch"]


# --- the review


def test_a_review_tells_columns_names_and_what_is_published(hosted: HostedStage) -> None:
    source_id = connected(hosted)
    published(hosted, same("orders"))
    below = {row.external_code: row for row in datasets.of_source(hosted.client, hosted.caps, source_id)}
    found = planned_datasets(hosted.client, hosted.caps, inspected(hosted, "orders", "Заказы клиентов", "gone"), below)
    assert [(row.name, len(row.inspection.columns)) for row in found] == [("", 4), ("zakazy_klientov", 2), ("", 0)]
    assert [row.dataset.id if row.dataset else None for row in found] == [1, None, None]
    assert isinstance(found[2].inspection.error, NameRefused)


def test_more_columns_than_an_answer_holds_are_told_and_leave_the_others_alone(hosted: HostedStage) -> None:
    connected(hosted)
    tables(hosted, "wide", columns=1601)
    wide, orders = inspected(hosted, "wide", "orders")
    assert isinstance(wide.error, TooBig)
    assert (wide.error.code, wide.error.limit) == ("columns", 1600)
    assert (orders.error, len(orders.columns)) == (None, 4)


def test_a_table_that_cannot_be_described_leaves_the_others_alone(
    hosted: HostedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session may be good for nothing more, so the next tables are asked for in another one."""
    connected(hosted)
    tables(hosted, "locked")
    describe, sessions = Session.describe, []

    def refusing(session: Session, table: TableName) -> Any:
        sessions.append(session)
        if table.name == "locked":
            raise Timeout("deadline")
        return describe(session, table)

    monkeypatch.setattr(SQLiteSession, "describe", refusing)
    first, locked, last = inspected(hosted, "orders", "locked", "Заказы клиентов")
    assert (first.error, last.error, len(last.columns)) == (None, None, 2)
    assert isinstance(locked.error, Timeout)
    assert sessions[0] is sessions[1] is not sessions[2]


def test_what_there_was_no_time_to_look_at_waits_under_its_name(hosted: HostedStage) -> None:
    connected(hosted)
    ticks = iter([0.0, 0.0, 1.0, 9999.0, 9999.0, 9999.0])
    found = hosted.house.publishing.inspect(
        hosted.held(1), ["orders", "Заказы клиентов"], seconds=1000, clock=lambda: next(ticks)
    )
    assert [row.is_unread for row in found] == [False, True]
    assert found[1].table is not None
    assert external_code(found[1].table) == "Заказы клиентов"


# --- the publication


def test_twelve_tables_take_two_batches_and_one_look_at_the_names(hosted: HostedStage) -> None:
    connected(hosted)
    names = [f"t{number}" for number in range(12)]
    tables(hosted, *names)
    outcomes = published(hosted, same(*names))
    assert states(outcomes) == ["created"] * 12
    assert in_the_portal(hosted) == same(*names)
    # What is published already, the names, ten tables, two tables.
    assert hosted.wire.methods == ["batch"] * 4
    numbers = {row.name: row.id for row in hosted.stage.portal.whole().datasets.values()}
    assert {row.name: row.dataset_id for row in outcomes} == numbers


def test_columns_arrive_whole_from_a_batch_and_those_of_wide_tables_alone_as_json(hosted: HostedStage) -> None:
    """PHP drops what follows 1,000 variables of a query string, without an error."""
    connected(hosted)
    tables(hosted, "narrow", "slim")
    tables(hosted, "wide", columns=400)
    assert states(published(hosted, same("narrow", "wide", "slim"))) == ["created"] * 3
    assert hosted.wire.methods == ["batch", "batch", ADD, "batch"]
    columns = {row.name: row.columns for row in hosted.stage.portal.whole().datasets.values()}
    assert {name: len(made) for name, made in columns.items()} == {"narrow": 2, "wide": 400, "slim": 2}
    assert [(row.name, row.external_code, row.type) for row in columns["slim"]] == [
        ("C0", "C0", "int"),
        ("C1", "C1", "int"),
    ]


def test_publishing_twice_makes_nothing_twice(hosted: HostedStage) -> None:
    """facts/field 3.22: also under another name."""
    connected(hosted)
    tables(hosted, "deals")
    first = published(hosted, same("orders", "deals"))
    again = published(hosted, {"orders": "orders", "deals": "deals_again"})
    assert states(again) == ["existing", "existing"]
    assert [row.dataset_id for row in again] == [row.dataset_id for row in first]
    assert in_the_portal(hosted) == same("orders", "deals")


def test_wrong_names_are_told_beside_each_before_anything_is_made(hosted: HostedStage) -> None:
    connected(hosted)
    tables(hosted, "a", "b", "c", "d", "e")
    names = {"a": "", "b": "Большие", "c": "x" * 231, "d": "twice", "e": "twice"}
    with pytest.raises(InvalidInput) as wrong:
        published(hosted, names)
    assert [(problem.field, problem.code) for problem in wrong.value.problems] == [
        ("name-0", "VALIDATION_REQUIRED_FIELD_MISSING"),
        ("name-1", "VALIDATION_DATASET_NAME_INVALID"),
        ("name-2", "VALIDATION_DATASET_NAME_TOO_LONG"),
        ("name-4", "NAME_CHOSEN_TWICE"),
    ]
    assert in_the_portal(hosted) == {}


def test_a_name_of_another_dataset_is_told_before_anything_is_made(hosted: HostedStage) -> None:
    connected(hosted)
    tables(hosted, "deals")
    published(hosted, same("orders"))
    with pytest.raises(InvalidInput) as wrong:
        published(hosted, {"Заказы клиентов": "clients", "deals": "orders"})
    assert [(problem.field, problem.code) for problem in wrong.value.problems] == [("name-1", "NAME_EXISTS")]
    assert list(in_the_portal(hosted)) == ["orders"]


def test_a_name_that_only_the_portal_knows_fails_alone(hosted: HostedStage) -> None:
    """Other applications' datasets are not listed (facts/biconnector 1.8)."""
    connected(hosted)
    tables(hosted, "a", "b")
    outcomes = published(hosted, {"a": "a", "orders": "crm_deal", "b": "b"})
    assert states(outcomes) == ["created", "failed", "created"]
    assert getattr(outcomes[1].error, "code", "") == "DATASET_ALREADY_EXIST"
    assert in_the_portal(hosted) == same("a", "b")


def test_a_lost_answer_is_looked_up_and_nothing_is_repeated(hosted: HostedStage) -> None:
    """facts/platform 5.1: classic REST has no protection against duplicates."""
    connected(hosted)
    tables(hosted, "deals")
    requests = wished(hosted, same("orders", "deals"))
    work = Publication(hosted.client, hosted.caps, 1, FAR)
    calls: list[str] = []

    def lose_the_second(method: str, post: Post) -> Reply:
        calls.append(method)
        return (lost_after("batch") if len(calls) == 2 else lambda _, really: really())(method, post)

    hosted.wire.trick = lose_the_second
    outcomes = work.publish(requests, {})
    assert states(outcomes) == ["created", "created"]
    assert [row.dataset_id for row in outcomes] == [1, 2]
    # The names, the batch whose answer was lost, the look-up.
    assert calls == ["batch"] * 3


def test_an_addition_that_never_arrived_is_not_repeated_but_told(hosted: HostedStage) -> None:
    connected(hosted)
    tables(hosted, "a", "b", *(f"t{number}" for number in range(10)))
    calls: list[str] = []

    def lose_the_first_addition(method: str, post: Post) -> Reply:
        calls.append(method)
        return (lost_before("batch") if len(calls) == 2 else lambda _, really: really())(method, post)

    names = same("a", "b", *(f"t{number}" for number in range(10)))
    requests = wished(hosted, names)
    hosted.wire.trick = lose_the_first_addition
    outcomes = Publication(hosted.client, hosted.caps, 1, FAR).publish(requests, {})
    assert states(outcomes) == ["failed"] * 10 + ["waiting"] * 2
    assert all(isinstance(row.error, OutcomeUnknown) for row in outcomes)
    assert len(calls) == 3
    assert states(published(hosted, names)) == ["created"] * 12


def test_what_an_earlier_try_made_meanwhile_is_found_by_its_table(hosted: HostedStage) -> None:
    """The first request may go on in the portal after nobody waits for it any more."""
    connected(hosted)
    requests = wished(hosted, same("orders"))
    calls: list[str] = []

    def made_by_somebody_else_first(method: str, post: Post) -> Reply:
        calls.append(method)
        if method == ADD:
            post()
        return post()

    hosted.wire.trick = made_by_somebody_else_first
    outcomes = Publication(hosted.client, hosted.caps, 1, FAR).publish(requests, {})
    assert (states(outcomes), outcomes[0].dataset_id) == (["existing"], 1)
    assert in_the_portal(hosted) == same("orders")


def test_what_was_made_before_a_failure_stays_and_the_rest_waits(hosted: HostedStage) -> None:
    connected(hosted)
    names = [f"t{number}" for number in range(25)]
    tables(hosted, *names)
    requests = wished(hosted, same(*names))
    calls: list[str] = []

    def refuse_the_second_ten(method: str, post: Post) -> Reply:
        calls.append(method)
        if len(calls) == 3:
            return Reply(401, {}, json.dumps({"error": "NO_AUTH_FOUND"}).encode())
        return post()

    hosted.wire.trick = refuse_the_second_ten
    outcomes = Publication(hosted.client, hosted.caps, 1, FAR).publish(requests, {})
    assert states(outcomes) == ["created"] * 10 + ["failed"] * 10 + ["waiting"] * 5
    assert len(in_the_portal(hosted)) == 10


def test_missing_rights_are_raised_where_nothing_was_made(hosted: HostedStage) -> None:
    connected(hosted)
    requests = wished(hosted, same("orders"))
    hosted.wire.trick = instead({ADD: {"error": {"error": "ACCESS_DENIED", "error_description": ""}}})
    with pytest.raises(AccessDenied):
        Publication(hosted.client, hosted.caps, 1, FAR).publish(requests, {})


def test_a_limit_is_waited_for_and_only_what_met_it_is_repeated(hosted: HostedStage) -> None:
    connected(hosted)
    tables(hosted, "deals")
    hosted.client = hosted.client_with(patience=Patience(first_delay=0.001, budget=600))
    hosted.stage.control("fail", target=ADD, code="QUERY_LIMIT_EXCEEDED")
    assert states(published(hosted, same("orders", "deals"))) == ["created", "created"]
    assert in_the_portal(hosted) == same("orders", "deals")


def test_a_limit_that_does_not_end_leaves_the_rest_waiting_with_it(hosted: HostedStage) -> None:
    connected(hosted)
    names = [f"t{number}" for number in range(12)]
    tables(hosted, *names)
    hosted.stage.control("fail", target=ADD, code="OPERATION_TIME_LIMIT", times=1)
    outcomes = published(hosted, same(*names))
    assert states(outcomes) == ["waiting"] + ["created"] * 9 + ["waiting"] * 2
    assert isinstance(outcomes[0].error, PortalBusy)
    assert isinstance(outcomes[11].error, PortalBusy)
    assert states(published(hosted, same(*names))) == ["created"] + ["existing"] * 9 + ["created"] * 2


def test_no_round_begins_when_time_is_short_and_the_rest_can_go_on(hosted: HostedStage) -> None:
    connected(hosted)
    names = [f"t{number}" for number in range(12)]
    tables(hosted, *names)
    late = FAR - batches.ROUND_SECONDS + 1
    outcomes = published(hosted, same(*names), clock=lambda: late)
    assert states(outcomes) == ["created"] * 10 + ["waiting"] * 2
    assert [row.error for row in outcomes[10:]] == [None, None]
    assert states(published(hosted, same(*names))) == ["existing"] * 10 + ["created"] * 2


def test_a_call_of_a_client_with_an_end_gets_no_more_time_than_is_left(hosted: HostedStage) -> None:
    given: list[float] = []

    class Watched:
        def post(self, url: str, **more: Any) -> Reply:
            given.append(more["timeout"].connect + more["timeout"].answer)
            return hosted.wire.post(url, **more)

    now = 1000.0
    hosted.client = hosted.client_with(Watched(), clock=lambda: now)
    hosted.client.until(now + 4).call("profile")
    hosted.client.call("profile")
    assert given == [4.0, 68.0]
    with pytest.raises(PortalUnreachable) as late:
        hosted.client.until(now).call("profile")
    assert (late.value.reason, late.value.sent) == ("timeout", False)
    assert len(given) == 2
