"""The egress policy: what it opens, its exceptions, resolvers that lie (facts/security 5)."""

from __future__ import annotations

import ipaddress
import itertools
import socket
import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egress import policy
from egress.errors import TargetRefused, Unreachable
from egress.policy import Policy, PolicyName, Purpose, Target
from errors import ConfigurationError
from tests.drivers.servers import Canary
from tests.fuzz import cases
from tests.waiting import HANG

PUBLIC, PRIVATE, LOOPBACK, METADATA = "93.184.216.34", "10.1.2.3", "127.0.0.1", "169.254.169.254"


def answering(*addresses: str) -> policy.Lookup:
    return lambda host, port: addresses


def refusal(policy: Policy, host: str, port: int | str = 5432, purpose: Purpose = "database") -> str:
    with pytest.raises(TargetRefused) as problem:
        policy.resolve(host, port, purpose)
    return problem.value.code


@pytest.mark.parametrize(
    ("name", "address", "code"),
    [
        ("external-only", PUBLIC, None),
        ("external-only", PRIVATE, "not_public"),
        ("external-only", LOOPBACK, "not_public"),
        ("external-only", METADATA, "metadata"),
        ("allow-private", PUBLIC, None),
        ("allow-private", PRIVATE, None),
        ("allow-private", "fd12::1", None),
        ("allow-private", "100.64.1.1", None),
        ("allow-private", LOOPBACK, "not_public"),
        ("allow-private", "::1", "not_public"),
        ("allow-private", "224.0.0.1", "not_public"),
        ("allow-private", METADATA, "metadata"),
        ("allow-private", "100.100.100.200", "metadata"),
        ("allow-all", LOOPBACK, None),
        ("allow-all", "::1", None),
        ("allow-all", METADATA, "metadata"),
    ],
)
def test_a_policy_opens_what_its_column_says(name: PolicyName, address: str, code: str | None) -> None:
    by_name, by_address = Policy(name, lookup=answering(address)), Policy(name, lookup=answering())
    if code is None:
        assert by_name.resolve("db.example.com", 5432).addresses == (address,)
        assert by_address.resolve(address, 5432).addresses == (address,)
    else:
        assert refusal(by_name, "db.example.com") == code
        assert refusal(by_address, address) == code


@pytest.mark.parametrize("policy", ["external-only", "allow-private", "allow-all"])
@pytest.mark.parametrize(
    "host", ["appdb.example", "APPDB.example", "93.184.216.34", "::ffff:93.184.216.34", "alias.example"]
)
def test_the_apps_own_database_is_closed_under_every_name_and_address(policy: PolicyName, host: str) -> None:
    # facts/security 5.1 step 3
    guard = Policy(policy, own=[("AppDB.example", 5432)], lookup=answering(PUBLIC))
    assert refusal(guard, host) == "denied"
    assert guard.resolve("alias.example", 5433).addresses == (PUBLIC,)


def test_what_is_closed_by_its_name_is_closed_by_its_address_too() -> None:
    names = {"secret.example": [PRIVATE], "alias.example": [PRIVATE], "other.example": ["10.1.2.4"]}
    guard = Policy("allow-private", deny=["secret.example:5432"], lookup=lambda host, port: names[host])
    assert {refusal(guard, host) for host in ("secret.example", "alias.example", PRIVATE)} == {"denied"}
    assert guard.resolve("other.example", 5432).addresses == ("10.1.2.4",)


def test_a_resolver_that_forgets_a_closed_name_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "CLOSED_SECONDS", 0.0)
    guard = Policy("allow-private", own=[("appdb.example", 5432)], lookup=answering(PRIVATE))
    assert refusal(guard, PRIVATE) == "denied"

    def silent(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror

    guard.lookup = silent
    assert refusal(guard, PRIVATE) == "denied"


def test_the_operator_may_open_the_apps_own_database_and_not_what_he_closed() -> None:
    own = [("appdb.example", 5432)]
    opened = Policy("allow-private", [f"{PRIVATE}/32:5432"], own=own, lookup=answering(PRIVATE))
    assert opened.resolve(PRIVATE, 5432).addresses == (PRIVATE,)
    closed = Policy("allow-private", [f"{PRIVATE}:5432"], deny=["appdb.example:5432"], lookup=answering(PRIVATE))
    assert refusal(closed, PRIVATE) == "denied"


@pytest.mark.parametrize(("policy", "address"), [("allow-private", PRIVATE), ("external-only", PUBLIC)])
def test_every_address_of_this_machine_counts_as_loopback(policy: PolicyName, address: str) -> None:
    # facts/security 5.2: services that listen on all addresses are reached by the machine's own one, too
    guard = Policy(policy, lookup=answering(address), here=lambda found: str(found) == address)
    assert refusal(guard, "db.example.com") == "denied"
    assert refusal(guard, address, 443, "web") == "denied"
    assert guard.resolve("portal.example.com", 443, "portal").addresses == (address,)
    opened = Policy(policy, [f"{address}:5432"], lookup=answering(address), here=lambda _: True)
    assert opened.resolve("db.example.com", 5432).addresses == (address,)


def test_this_machine_knows_its_own_addresses() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((PUBLIC, listener.getsockname()[1]))
        mine = probe.getsockname()[0]
    assert policy.is_here(ipaddress.ip_address(mine))
    assert policy.is_here(ipaddress.ip_address("127.0.0.1"))
    assert not policy.is_here(ipaddress.ip_address(PUBLIC))


def test_a_pinned_policy_asks_the_resolver_once() -> None:
    # facts/security 1 row 9
    answers = iter([[PUBLIC], [PRIVATE]])
    guard = Policy(lookup=lambda host, port: next(answers)).pinned()
    assert {guard.resolve("db.example.com", 5432).addresses for _ in range(3)} == {(PUBLIC,)}


def test_one_bad_answer_among_good_ones_refuses_the_name() -> None:
    assert refusal(Policy(lookup=answering(PUBLIC, "1.1.1.1", PRIVATE)), "db.example.com") == "not_public"


def test_more_than_sixteen_answers_are_refused() -> None:
    many = [f"93.184.216.{number}" for number in range(1, 18)]
    assert refusal(Policy(lookup=answering(*many)), "db.example.com") == "too_many_addresses"
    assert len(Policy(lookup=answering(*many[:16])).resolve("db.example.com", 5432).addresses) == 16


@pytest.mark.parametrize(
    ("port", "purpose", "is_open"),
    [
        (5432, "database", True),
        (3306, "database", True),
        (15432, "database", True),
        (8443, "database", True),
        (22, "database", False),
        (25, "database", False),
        (443, "database", False),
        (6379, "database", False),
        (2375, "database", False),
        (9200, "database", False),
        (11211, "database", False),
        (27017, "database", False),
        (443, "web", True),
        (443, "portal", True),
        (80, "web", False),
        (8443, "web", True),
        (6379, "web", False),
    ],
)
def test_external_only_opens_database_ports_and_high_ports_but_no_known_services(
    port: int, purpose: Purpose, is_open: bool
) -> None:
    policy = Policy(lookup=answering(PUBLIC))
    if is_open:
        assert policy.resolve("db.example.com", port, purpose).port == port
    else:
        assert refusal(policy, "db.example.com", port, purpose) == "port_closed"
    assert Policy("allow-private", lookup=answering(PUBLIC)).resolve("db.example.com", port, purpose)


@pytest.mark.parametrize("host", ["db", "localhost", "db.local", "db.internal", "a.svc.cluster.local"])
def test_local_names_are_refused_without_asking_the_resolver(host: str) -> None:
    asked: list[str] = []

    def lookup(name: str, port: int) -> Sequence[str]:
        asked.append(name)
        return [PUBLIC]

    assert refusal(Policy(lookup=lookup), host) == "local_name"
    assert asked == []
    assert Policy("allow-private", lookup=lookup).resolve(host, 5432)


def test_an_exception_opens_exactly_its_address_and_port() -> None:
    policy = Policy(allow=["127.0.0.1:5432", "10.0.0.0/8:3306", "[::1]:5432", "fd00::/8:5432"], lookup=answering())
    for host, port in [("127.0.0.1", 5432), ("10.9.9.9", 3306), ("::1", 5432), ("fd00::7", 5432)]:
        assert policy.resolve(host, port).addresses == (host,)
    for host, port in [("127.0.0.1", 3306), ("10.9.9.9", 5432), ("::1", 3306)]:
        assert refusal(policy, host, port) == "port_closed"
    assert refusal(policy, "127.0.0.2", 5432) == "not_public"
    assert policy.resolve("::ffff:127.0.0.1", 5432)


def test_an_exception_for_a_name_opens_its_private_address() -> None:
    policy = Policy(allow=["db.internal:5432"], lookup=answering(PRIVATE))
    assert policy.resolve("DB.internal", 5432) == Target("db.internal", 5432, (PRIVATE,))
    assert refusal(policy, "db.internal", 5433) == "port_closed"
    assert refusal(policy, "other.internal", 5432) == "local_name"


def test_a_local_name_passes_when_every_address_of_it_is_an_exception() -> None:
    allowed = Policy(allow=["127.0.0.1:5432", "[::1]:5432"], lookup=answering("127.0.0.1", "::1"))
    assert allowed.resolve("localhost", 5432).addresses == ("127.0.0.1", "::1")
    assert refusal(Policy(allow=["127.0.0.1:5432"], lookup=answering(PUBLIC)), "localhost") == "local_name"


@pytest.mark.parametrize("entry", ["169.254.0.0/16:5432", "0.0.0.0/0:5432", "trusted.example.com:5432"])
@pytest.mark.parametrize("name", ["external-only", "allow-private", "allow-all"])
def test_no_exception_opens_metadata(name: PolicyName, entry: str) -> None:
    policy = Policy(name, allow=[entry], insecure_hosts=["trusted.example.com:5432"], lookup=answering(METADATA))
    assert refusal(policy, METADATA) == "metadata"
    assert refusal(policy, "trusted.example.com", 5432, "portal") == "metadata"


def test_deny_wins_over_allow() -> None:
    policy = Policy(
        "allow-all", allow=["127.0.0.1:5432"], deny=["127.0.0.1:5432", "own.example.com:443"], lookup=answering(PUBLIC)
    )
    assert refusal(policy, "127.0.0.1") == "denied"
    assert refusal(policy, "::ffff:127.0.0.1") == "denied"
    assert refusal(policy, "own.example.com", 443) == "denied"


def test_insecure_hosts_are_open_for_portals_only() -> None:
    policy = Policy(insecure_hosts=["127.0.0.1:8001", "portal.test:8001"], lookup=answering("127.0.0.1"))
    assert policy.resolve("127.0.0.1", 8001, "portal")
    assert policy.resolve("portal.test", 8001, "portal")
    assert refusal(policy, "127.0.0.1", 8001, "database") == "not_public"
    assert refusal(policy, "127.0.0.1", 8001, "web") == "not_public"
    assert refusal(policy, "127.0.0.1", 8002, "portal") == "not_public"


@pytest.mark.parametrize("entry", ["", "db", "db:", ":5432", "db:http", "::1:5432x", "10.0.0.0/33:5432", "a,b:1"])
def test_an_exception_that_cannot_be_read_stops_the_start(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="EGRESS_ALLOW"):
        Policy(allow=[entry])


def test_a_name_without_address_is_unreachable_not_refused() -> None:
    def lookup(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for resolver in (lookup, answering()):
        with pytest.raises(Unreachable) as problem:
            Policy(lookup=resolver).resolve("nowhere.example.com", 5432)
        assert problem.value.code == "name_not_found"


def test_a_resolver_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def lookup(host: str, port: int) -> Sequence[str]:
        never.wait(HANG)
        return [PUBLIC]

    monkeypatch.setattr(policy, "RESOLVE_SECONDS", 0.1)
    started = time.monotonic()
    with pytest.raises(Unreachable) as problem:
        Policy(lookup=lookup).resolve("slow.example.com", 5432)
    never.set()
    assert problem.value.code == "name_timeout"
    assert time.monotonic() - started < HANG / 2


def test_a_rebinding_resolver_gains_nothing_in_a_thousand_tries(canary: Canary) -> None:
    """facts/security 1 row 9: the resolver flips between public and private; the checked address is what is dialled."""
    flips = itertools.cycle(["192.0.2.1", "127.0.0.1"])
    policy = Policy(allow=[f"192.0.2.1:{canary.port}"], lookup=lambda host, port: [next(flips)])
    dialled: set[str] = set()
    for _ in range(1000):
        try:
            dialled.update(policy.resolve("flip.example.com", canary.port).addresses)
        except TargetRefused:
            continue
    assert dialled == {"192.0.2.1"}
    assert canary.connections == 0


def test_the_resolver_is_asked_once_per_connection() -> None:
    asked: list[str] = []

    def lookup(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [PUBLIC]

    Policy(lookup=lookup).resolve("db.example.com", 5432)
    assert asked == ["db.example.com"]


@settings(max_examples=cases(1000))
@given(st.text(max_size=40), st.one_of(st.integers(-5, 70000), st.text(max_size=6)), st.ip_addresses())
def test_random_hosts_end_in_a_public_target_or_the_guards_own_error(
    host: str, port: int | str, answer: object
) -> None:
    try:
        target = Policy(lookup=answering(str(answer))).resolve(host, port)
    except (TargetRefused, Unreachable):
        return
    assert Policy(lookup=answering()).resolve(target.addresses[0], target.port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 3399), ("localhost", 3399), ("10.1.2.3", 5432)])
def test_a_place_that_is_open_at_another_port_only_says_that_the_port_is_closed(host: str, port: int) -> None:
    policy = Policy(allow=["127.0.0.1:3306", "localhost:3306", "10.1.0.0/16:3306"], lookup=answering("127.0.0.1"))
    assert refusal(policy, host, port) == "port_closed"


def test_a_private_place_that_is_open_at_no_port_is_still_not_public() -> None:
    policy = Policy(allow=["127.0.0.1:3306"], lookup=answering("10.9.9.9"))
    assert refusal(policy, "10.9.9.9", 3306) == "not_public"
    assert refusal(policy, "db.example.com", 3306) == "not_public"
