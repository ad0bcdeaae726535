"""The egress policy: who may be connected to (facts/security 5).

A name is resolved once, every answer is checked, and the connection goes to a checked address: a resolver that changes
its mind between check and connect gains nothing. Database drivers use `Policy.resolve` and `egress.sockets`; HTTP
clients use `egress.http.guarded_session`, whose certificate checks and `Host` keep the name.
"""

from __future__ import annotations

import contextlib
import copy
import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from egress.addresses import Address, Network, is_local_name, kind_of, literal, normal_host, normal_port, unwrapped
from egress.errors import TargetRefused, Unreachable
from errors import ConfigurationError

PolicyName = Literal["external-only", "allow-private", "allow-all"]
Purpose = Literal["database", "web", "portal"]
Lookup = Callable[[str, int], Sequence[str]]

RESOLVE_SECONDS = 5.0
# How long it is believed where a closed name leads.
CLOSED_SECONDS = 60.0
MOST_ADDRESSES = 16

_DATABASE_PORTS = frozenset({3306, 5432})
_WEB_PORTS = frozenset({443})
_SERVICE_PORTS = frozenset(
    {2049, 2375, 2376, 2379, 2380, 4001, 4194, 5601, 5984, 5985, 5986, 6000, 6379, 6443, 6666, 7001, 8500}
    | {8600, 9042, 9090, 9092, 9100, 9200, 9300, 10250, 10255, 11211, 15672, 16379, 27017, 27018, 50000, 50070}
)
_RUNNING_LOOKUPS = threading.BoundedSemaphore(32)


@dataclass(frozen=True)
class Target:
    """Where a connection may go: the name for TLS and `Host`, and the addresses that were checked for it."""

    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class _Exceptions:
    """A parsed list of `host:port` and `CIDR:port` entries."""

    entries: tuple[str, ...]
    names: frozenset[tuple[str, int]]
    networks: tuple[tuple[Network, int], ...]

    @classmethod
    def parse(cls, setting: str, entries: Iterable[str]) -> _Exceptions:
        names: set[tuple[str, int]] = set()
        networks: list[tuple[Network, int]] = []
        entries = tuple(entries)
        for entry in entries:
            host, _, port_text = entry.strip().rpartition(":")
            host = host.removeprefix("[").removesuffix("]")
            try:
                port = normal_port(port_text)
                if "/" in host or literal(host):
                    networks.append((ipaddress.ip_network(host, strict=False), port))
                else:
                    names.add((normal_host(host), port))
            except (TargetRefused, ValueError):
                raise ConfigurationError(f"{setting}: {entry!r} is neither host:port nor CIDR:port.") from None
        return cls(entries, frozenset(names), tuple(networks))

    def has_name(self, host: str, port: int) -> bool:
        return (host, port) in self.names

    def has_address(self, address: Address, port: int) -> bool:
        candidates = {address, unwrapped(address)}
        return any(
            port == open_port and candidate.version == network.version and candidate in network
            for network, open_port in self.networks
            for candidate in candidates
        )

    def has_place(self, host: str, address: Address | None) -> bool:
        """Whether the host or address is open at some port."""
        candidates = {address, unwrapped(address)} if address else set()
        return any(host == name for name, _ in self.names) or any(
            candidate.version == network.version and candidate in network
            for network, _ in self.networks
            for candidate in candidates
        )

    def has_port(self, port: int) -> bool:
        return any(port == open_port for _, open_port in self.networks)


def system_lookup(host: str, port: int) -> Sequence[str]:
    """Addresses of a name from the machine's resolver, without duplicates. Raises `OSError`."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


def is_here(address: Address) -> bool:
    """Whether an address is one of this machine: a socket can be bound to no other."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class Policy:
    """Which targets this installation may connect to (facts/security 5.2).

    `policy` is one of Metabase's three words; `allow` and `deny` hold `host:port` and `CIDR:port`, and deny wins;
    `insecure_hosts` holds `host:port` of portals that may be private and plain HTTP, for the purpose `portal` only.
    Metadata addresses stay closed whatever is allowed. Raises `ConfigurationError` for entries that cannot be read.

    `own` are hosts and ports of the app's own database: closed to everybody, unless `allow` names them. What is closed
    by its name is closed under every other name and address that leads there. All addresses of this machine count as
    loopback does, whatever network they are from; only portals may be on it.
    """

    def __init__(
        self,
        policy: PolicyName = "external-only",
        allow: Iterable[str] = (),
        insecure_hosts: Iterable[str] = (),
        *,
        deny: Iterable[str] = (),
        own: Iterable[tuple[str, int]] = (),
        lookup: Lookup = system_lookup,
        here: Callable[[Address], bool] = is_here,
    ) -> None:
        self.name: PolicyName = policy
        self._allow = _Exceptions.parse("EGRESS_ALLOW", allow)
        self._insecure = _Exceptions.parse("BITRIX24_INSECURE_HOSTS", insecure_hosts)
        self._deny = _Exceptions.parse("EGRESS_DENY", deny)
        self._own = frozenset((host.lower(), port) for host, port in own)
        self.lookup, self._is_here = lookup, here
        self._led_to: dict[tuple[str, int], tuple[float, frozenset[Address]]] = {}

    def __str__(self) -> str:
        closed, portals = ", ".join(self._deny.entries) or "nothing", ", ".join(self._insecure.entries) or "none"
        allowed = ", ".join(self._allow.entries) or "nothing"
        return f"{self.name}, allowed besides: {allowed}, denied: {closed}, insecure portals: {portals}"

    def pinned(self) -> Policy:
        """The same policy for the steps of one call, which all mean the addresses that a name has first."""
        answers: dict[tuple[str, int], Sequence[str]] = {}

        def once(host: str, port: int) -> Sequence[str]:
            if (host, port) not in answers:
                answers[host, port] = self.lookup(host, port)
            return answers[host, port]

        same = copy.copy(self)
        same.lookup = once
        return same

    def resolve(self, host: str, port: int | str, purpose: Purpose = "database") -> Target:
        """The target with all its addresses, each of them checked; one resolver call at most.

        Raises `TargetRefused` when the host, the port or any single address is not allowed, `Unreachable` when the name
        has no address or the resolver takes longer than 5 s.
        """
        host, port = normal_host(host), normal_port(port)
        trusted = self._allow.has_name(host, port) or (purpose == "portal" and self.is_insecure(host, port))
        if self._deny.has_name(host, port):
            raise TargetRefused("denied")
        given = literal(host)
        if given is None and not trusted:
            self._check_name(host, port)
        addresses = [given] if given else self._addresses(host, port)
        for address in addresses:
            self._check_address(address, host, port, purpose, trusted)
        return Target(host, port, tuple(str(address) for address in addresses))

    def is_insecure(self, host: str, port: int) -> bool:
        """Whether the operator declared this portal or authorization server as plain HTTP or private."""
        address = literal(host)
        return self._insecure.has_name(host, port) or bool(address and self._insecure.has_address(address, port))

    def _check_name(self, host: str, port: int) -> None:
        if self.name == "external-only" and is_local_name(host) and not self._allow.has_port(port):
            raise TargetRefused("port_closed" if self._allow.has_place(host, None) else "local_name")

    def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            texts = _within(RESOLVE_SECONDS, self.lookup, host, port)
            addresses = [ipaddress.ip_address(text) for text in texts]
        except TimeoutError:
            raise Unreachable("name_timeout") from None
        except (OSError, UnicodeError, ValueError):
            raise Unreachable("name_not_found") from None
        if not addresses:
            raise Unreachable("name_not_found")
        if len(addresses) > MOST_ADDRESSES:
            raise TargetRefused("too_many_addresses")
        return addresses

    def _check_address(self, address: Address, host: str, port: int, purpose: Purpose, trusted: bool) -> None:
        kind = kind_of(address)
        if kind == "metadata":
            raise TargetRefused("metadata")
        if self._deny.has_address(address, port) or self._leads_to(self._deny.names, address, port):
            raise TargetRefused("denied")
        is_named = trusted or self._allow.has_address(address, port)
        if not is_named and ((host, port) in self._own or self._leads_to(self._own, address, port)):
            raise TargetRefused("denied")
        if is_named or self.name == "allow-all":
            return
        if kind != "public" and self._allow.has_place(host, address):
            raise TargetRefused("port_closed")
        if literal(host) is None and self.name == "external-only" and is_local_name(host):
            raise TargetRefused("local_name")
        if kind == "special" or (kind == "private" and self.name != "allow-private"):
            raise TargetRefused("not_public")
        if purpose != "portal" and self._is_here(address):
            raise TargetRefused("denied")
        if self.name == "external-only" and not _is_open_port(port, purpose):
            raise TargetRefused("port_closed")

    def _leads_to(self, names: Iterable[tuple[str, int]], address: Address, port: int) -> bool:
        """Whether one of the names leads to this address and port."""
        return any(port == closed and unwrapped(address) in self._behind(host, port) for host, closed in names)

    def _behind(self, host: str, port: int) -> frozenset[Address]:
        """Where a closed name leads; while the resolver is silent, where it led last."""
        if given := literal(host):
            return frozenset({unwrapped(given)})
        until, known = self._led_to.get((host, port), (0.0, frozenset[Address]()))
        if time.monotonic() >= until:
            with contextlib.suppress(OSError, UnicodeError, ValueError):
                found = _within(RESOLVE_SECONDS, self.lookup, host, port)
                known = frozenset(unwrapped(ipaddress.ip_address(each)) for each in found)
            self._led_to[host, port] = (time.monotonic() + CLOSED_SECONDS, known)
        return known


def _is_open_port(port: int, purpose: Purpose) -> bool:
    known = _DATABASE_PORTS if purpose == "database" else _WEB_PORTS
    return port in known or (port >= 1024 and port not in _SERVICE_PORTS)


def _within(seconds: float, lookup: Lookup, host: str, port: int) -> Sequence[str]:
    """Run a lookup in a thread of its own, since the system's resolver knows no time limit."""
    answers: queue.SimpleQueue[Sequence[str] | BaseException] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(lookup(host, port))
        except BaseException as problem:  # noqa: BLE001 - carried over to the asking thread and raised there
            answers.put(problem)
        finally:
            _RUNNING_LOOKUPS.release()

    if not _RUNNING_LOOKUPS.acquire(timeout=seconds):
        raise TimeoutError
    threading.Thread(target=ask, name="lookup", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, BaseException):
        raise answer
    return answer
