"""Spellings and addresses: every row of facts/security 5.1 and 1 row 10, and what was measured to slip through."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egress.addresses import is_local_name, kind_of, normal_host, normal_port
from egress.errors import TargetRefused
from tests.fuzz import cases

UNREADABLE_HOSTS = [
    "",
    " ",
    "db.example.com ",
    " db.example.com",
    "db.example.com\n",
    "db.example.com\x00.evil.com",
    "\x00",
    "pub.example.com,127.0.0.1",
    "/run",
    "/var/run/postgresql",
    "\\\\server\\pipe",
    "@abstract",
    "user@db.example.com",
    "db.example.com:5432",
    "127.0.0.1:5432",
    "[::1]",
    "[::1]:5432",
    "fe80::1%eth0",
    "::1%lo",
    ":::",
    "1::2::3",
    "db.example.com.",
    "127.0.0.1.",
    ".db.example.com",
    "db..example.com",
    "-db.example.com",
    "db-.example.com",
    "my_db.example.com",
    "db example.com",
    "db.example.com#x",
    "db.example.com?x",
    "http://db.example.com",
    "%31%32%37.0.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.256",
    "127.0.0.1.5",
    "1.2.3.0x4",
    "example.0x",
    "example.123",
    "①②⑦.⓪.⓪.①",
    "\uff11\uff12\uff17.0.0.1",
    "127。0。0。1",
    "١٢٧.0.0.1",
    "a" * 64 + ".com",
    "a." * 130 + "com",
    "*.example.com",
    "db.exa\u200bmple..com",
    "localhost\u3002",
    "\ud800.com",
]


@pytest.mark.parametrize("host", UNREADABLE_HOSTS, ids=[ascii(host)[:40] for host in UNREADABLE_HOSTS])
def test_a_host_that_could_be_read_in_two_ways_is_refused(host: str) -> None:
    with pytest.raises(TargetRefused) as refusal:
        normal_host(host)
    assert refusal.value.code == "host_grammar"


@pytest.mark.parametrize(
    ("host", "spelling"),
    [
        ("DB.Example.COM", "db.example.com"),
        ("xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("1.2.3.4", "1.2.3.4"),
        ("2001:4860:4860:0:0:0:0:8888", "2001:4860:4860::8888"),
        ("localhost", "localhost"),
        ("3com.com", "3com.com"),
    ],
)
def test_a_readable_host_gets_one_spelling(host: str, spelling: str) -> None:
    assert normal_host(host) == spelling


ADDRESS_KINDS = {
    "public": (
        "8.8.8.8 1.1.1.1 93.184.216.34 172.32.0.1 100.128.0.1 ::ffff:8.8.8.8 2606:4700:4700::1111 "
        "2a02:6b8::2:242 192.0.1.1 11.0.0.1 198.20.0.1 223.255.255.254"
    ),
    "private": (
        "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 100.64.0.1 "
        "100.127.255.254 fc00::1 fd12:3456::1 ::ffff:10.0.0.1 ::ffff:192.168.1.1"
    ),
    "metadata": (
        "169.254.169.254 169.254.0.1 169.254.170.2 168.63.129.16 100.100.100.200 fd00:ec2::254 fd20:ce::254 "
        "::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 ::169.254.169.254 64:ff9b:1::a9fe:a9fe "
        "::ffff:100.100.100.200 64:ff9b::a83f:8110"
    ),
    "special": (
        "0.0.0.0 0.1.2.3 127.0.0.1 127.0.0.2 127.255.255.255 ::ffff:127.0.0.1 ::1 :: ::127.0.0.1 ::ffff:0.0.0.0 "
        "192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 "
        "224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 "
        "100::1 100:0:0:1::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1 2001:db8::1 "
        "2002:7f00:1::1 2002:808:808::1 3fff::1 5f00::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1 4000::1 8000::1 "
        "::ffff:224.0.0.1 ::2 ::ffff:0:7f00:1"
    ),
}
ADDRESS_ROWS = [(address, kind) for kind, text in ADDRESS_KINDS.items() for address in text.split()]


def test_the_two_tables_hold_the_eighty_rows_that_security_asks_for() -> None:
    assert len(ADDRESS_ROWS) >= 80
    assert len(UNREADABLE_HOSTS) >= 40


@pytest.mark.parametrize(("address", "kind"), ADDRESS_ROWS)
def test_an_address_is_of_its_kind(address: str, kind: str) -> None:
    assert kind_of(ipaddress.ip_address(address)) == kind


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "+5432", " 5432", "5432 ", "5e3", "٥٤٣٢", "99999999999", 0])
def test_a_port_is_a_plain_number(port: int | str) -> None:
    with pytest.raises(TargetRefused):
        normal_port(port)
    assert normal_port("5432") == normal_port(5432) == 5432


@pytest.mark.parametrize(
    "name", ["db", "localhost", "x.localhost", "printer.local", "db.prod.svc", "a.svc.cluster.local", "a.onion"]
)
def test_names_of_the_machine_and_its_network_are_local(name: str) -> None:
    assert is_local_name(name)
    assert not is_local_name(f"{name}.example.com")


@settings(max_examples=cases(5000))
@given(st.one_of(st.text(max_size=30), st.from_regex(r"[0-9a-fxX.:%\[\]]{1,25}", fullmatch=True)))
def test_any_text_is_one_safe_spelling_or_a_refusal(text: str) -> None:
    try:
        host = normal_host(text)
    except TargetRefused:
        return
    assert host == normal_host(host)
    assert host.isascii()
    assert not set(host) & set("/\\@%[], \0")


@settings(max_examples=cases(2000))
@given(st.ip_addresses())
def test_no_loopback_or_private_address_is_ever_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if kind_of(address) == "public":
        assert address.is_global or str(address).startswith("::ffff:")
        assert not address.is_private
        assert not address.is_multicast
