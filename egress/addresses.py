"""What a host is spelt like and what an address is: pure functions, no network (facts/security 5.1, 5.2).

`ipaddress.is_global` alone is no guard: 17 of 56 dangerous addresses pass it on Python 3.11 (facts/security 0.6), hence
the list of networks of our own.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

import idna

from egress.errors import TargetRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
AddressKind = Literal["public", "private", "special", "metadata"]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DOTTED_QUAD = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", re.ASCII)
_LOCAL_SUFFIXES = (
    *("localhost", "local", "internal", "localdomain", "svc", "cluster.local", "arpa", "onion"),
    *("lan", "home", "corp", "intranet", "private"),
)


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_METADATA = _networks(
    "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "fd00:ec2::254/128", "fd20:ce::254/128"
)
_PRIVATE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_SPECIAL = _networks(
    *("0.0.0.0/8", "127.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2002::/16"),
    *("3fff::/20", "5f00::/16", "fe80::/10", "fec0::/10", "ff00::/8"),
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = _networks("64:ff9b::/96", "64:ff9b:1::/48")


def normal_host(host: str) -> str:
    """The one spelling of `host`: lower-case ASCII name, or an IP literal in its canonical form.

    Raises `TargetRefused("host_grammar")` for everything that a resolver could read in two ways: empty, NUL, spaces,
    lists, ports, brackets, zone ids, trailing dots, octal, hexadecimal and short forms of IPv4, look-alike digits.
    """
    if not 1 <= len(host) <= 253:
        raise TargetRefused("host_grammar")
    if ":" in host:
        return _ipv6_literal(host)
    name = host.lower() if host.isascii() else _ascii_name(host)
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise TargetRefused("host_grammar")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return _ipv4_literal(name, host)
    return name


def _ascii_name(host: str) -> str:
    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError:
        raise TargetRefused("host_grammar") from None


def _ipv4_literal(name: str, original: str) -> str:
    if not original.isascii() or not _DOTTED_QUAD.fullmatch(name):
        raise TargetRefused("host_grammar")
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise TargetRefused("host_grammar") from None


def _ipv6_literal(host: str) -> str:
    if "%" in host or not host.isascii():
        raise TargetRefused("host_grammar")
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise TargetRefused("host_grammar") from None


def normal_port(port: int | str) -> int:
    """A port as a number, 1 to 65535. Raises `TargetRefused("port_grammar")` for signs, spaces and foreign digits."""
    text = str(port)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise TargetRefused("port_grammar")
    return int(text)


def literal(host: str) -> Address | None:
    """The address that a normal host spells, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_local_name(name: str) -> bool:
    """Whether a normal name belongs to the machine or its own network rather than to the internet."""
    return "." not in name or any(name == suffix or name.endswith(f".{suffix}") for suffix in _LOCAL_SUFFIXES)


def kind_of(address: Address) -> AddressKind:
    """What an address is, after unwrapping IPv4-mapped forms.

    `metadata`: cloud metadata and link-local services, also when a translation prefix leads there; `private`: RFC 1918,
    unique local, carrier NAT; `special`: everything else that is no ordinary address on the internet.
    """
    address = unwrapped(address)
    if any(_within(inner, _METADATA) for inner in (address, *_translated(address))):
        return "metadata"
    if _within(address, _PRIVATE):
        return "private"
    if _within(address, _SPECIAL) or not address.is_global or address.is_multicast or address.is_reserved:
        return "special"
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return "special"
    return "public"


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped one, any other address as it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _translated(address: Address) -> list[Address]:
    """Where NAT64, 6to4, Teredo and IPv4-compatible addresses would lead to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    inner: list[Address] = [last] if _within(address, (*_NAT64, ipaddress.IPv6Network("::/96"))) else []
    if address.sixtofour:
        inner.append(address.sixtofour)
    if address.teredo:
        inner.extend(address.teredo)
    return inner


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
