"""Rotation in two phases: wherever a portal fails or lies, the key that it has registered opens (facts/security 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from errors import ApplicationError, PortalBusy, PortalRefused
from services.connections.keys import ConnectionKeys, KeyHolder
from tests.services.clocks import Clock
from tests.services.hosted import HostedStage, Trick, honest, hosted_stage, instead, lost_after, lost_before

WRITES = {"source": "biconnector.source.update", "connector": "biconnector.connector.update"}
READS = {"source": "biconnector.source.get", "connector": "biconnector.connector.get"}


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path_factory.mktemp("rotation")) as stage:
        stage.connect(stage.connection())
        yield stage


@pytest.fixture
def hosted(connected: HostedStage) -> Iterator[HostedStage]:
    yield connected
    connected.wire.trick = honest


def turn(hosted: HostedStage, kind: str) -> None:
    if kind == "source":
        hosted.house.portal_sync.rotate(hosted.portal, hosted.held(1))
    else:
        hosted.house.portal_sync.rotate_addresses(hosted.portal, hosted.portal_id)


def holder(hosted: HostedStage, kind: str) -> KeyHolder:
    return hosted.held(1) if kind == "source" else hosted.house.repository.connector(hosted.portal_id)


def registered(hosted: HostedStage, kind: str) -> str:
    return hosted.registered_key(1) if kind == "source" else hosted.registered_urls(1)[0].split("/")[-2]


def opens(hosted: HostedStage) -> bool:
    return hosted.opens(1, hosted.registered_key(1))


def nth(count: int, method: str, trick: Trick) -> Trick:
    """The trick for the `count`-th call of a method only."""
    seen = iter(range(1, 1000))

    def chosen(called: str, post: Callable[[], Any]) -> Any:
        return (trick if called == method and next(seen) == count else honest)(called, post)

    return chosen


def faults(kind: str) -> dict[str, Trick]:
    """A portal that fails or lies at each step."""
    read, write = READS[kind], WRITES[kind]
    stale: list[Any] = []

    def echo_of_before(method: str, post: Callable[[], Any]) -> Any:
        """Every read gives the answer of the first one."""
        if method != read:
            return post()
        if not stale:
            stale.append(post())
        return stale[0]

    return {
        "the first read fails": nth(1, read, lost_before(read)),
        "the first read is an error inside the result": nth(1, read, instead({read: {"error": {"error": "X"}}})),
        "the first read holds nothing": nth(1, read, instead({read: {"item": {}}})),
        "the write never arrives": lost_before(write),
        "the write arrives and its answer is lost": lost_after(write),
        "the write is claimed and not done": instead({write: True}),
        "the write is refused": instead({write: {"error": {"error": "ACCESS_DENIED", "error_description": ""}}}),
        "the write is lost and the read-back fails": lambda m, p: (
            lost_after(write)(m, p) if m == write else nth(2, read, lost_before(read))(m, p)
        ),
        "the read-back fails": nth(2, read, lost_before(read)),
        "the read-back fails and the write was not done": lambda m, p: (
            instead({write: True})(m, p) if m == write else p()
        ),
        "the read-back is stale": echo_of_before,
        "the read-back is nonsense": nth(2, read, instead({read: {"item": {"settings": "?", "urlCheck": 7}}})),
        "the read-back has another key": nth(
            2,
            read,
            instead({read: {"item": {"settings": [{"code": "key", "value": "bxs1_x"}], "urlCheck": "http://x/"}}}),
        ),
    }


NAMES = list(faults("source"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["source", "connector"])
def test_the_registered_key_opens_after_any_fault_and_the_next_rotation_heals(
    hosted: HostedStage, kind: str, name: str
) -> None:
    for _ in range(2):
        hosted.wire.trick = faults(kind)[name]
        before = registered(hosted, kind)
        try:
            turn(hosted, kind)
        except ApplicationError:
            pass
        else:
            assert registered(hosted, kind) != before
        assert opens(hosted)
    hosted.wire.trick = honest
    before = registered(hosted, kind)
    turn(hosted, kind)
    assert registered(hosted, kind) != before
    assert opens(hosted)
    assert hosted.house.connection_keys.slot(holder(hosted, kind), registered(hosted, kind)) == "current"


@pytest.mark.parametrize("kind", ["source", "connector"])
def test_a_former_key_opens_for_a_day_and_then_no_more(hosted: HostedStage, kind: str) -> None:
    former = registered(hosted, kind)
    turn(hosted, kind)
    clock = Clock()
    keys = ConnectionKeys(hosted.house.sessions, hosted.house.vault, clock=clock)
    assert keys.slot(holder(hosted, kind), former) == "old"
    clock.move(hours=25)
    assert keys.slot(holder(hosted, kind), former) == ""
    assert keys.slot(holder(hosted, kind), registered(hosted, kind)) == "current"


def test_a_claim_that_was_not_kept_is_told(hosted: HostedStage) -> None:
    hosted.wire.trick = instead({WRITES["source"]: True})
    with pytest.raises(PortalRefused) as refusal:
        turn(hosted, "source")
    assert refusal.value.code == "KEY_NOT_TAKEN"


def test_of_two_rotations_at_once_one_is_told_to_wait(hosted: HostedStage) -> None:
    """Two at once could overwrite the key that the portal is just being told of."""
    with hosted.house.connection_keys.claim(hosted.held(1)), pytest.raises(PortalBusy):
        turn(hosted, "source")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: _outcome(hosted), range(8)))
    assert "done" in outcomes
    assert set(outcomes) <= {"done", "PortalBusy"}
    assert opens(hosted)


def _outcome(hosted: HostedStage) -> str:
    try:
        turn(hosted, "source")
    except ApplicationError as problem:
        return type(problem).__name__
    return "done"


def test_after_many_rotations_one_key_is_current(tmp_path: Path, hosted: HostedStage) -> None:
    """facts/security 4: 1,000 rotations, 1 valid key at the end; the portal is a variable here."""
    keys, connection = hosted.house.connection_keys, hosted.held(1)
    has = [hosted.registered_key(1)]
    used = set()
    for _ in range(1000):
        keys.rotate(connection, lambda: has[-1], has.append)
        used.add(has[-1])
    assert len(used) == 1000
    assert keys.slot(connection, has[-1]) == "current"
    assert sum(keys.slot(connection, key) != "" for key in used) == 2
    with hosted.stage.portal.changed() as portal:
        portal.sources[1].settings[0].value = has[-1]
    assert opens(hosted)
