"""Values that PostgreSQL reads in several spellings and shows in one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from drivers.columns import uuid_spelling

_NO_DIGIT = re.compile(r"[:.-]")
_MAC = re.compile(r"[0-9a-f]{12}", re.ASCII)


def _address(text: str) -> str:
    """An address of the type `inet`, without the mask of a single host."""
    try:
        address = ipaddress.ip_interface(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Interface) and "." in text:
        # Addresses of version 4 inside of those of version 6 are shown with points.
        return text
    return str(address.ip if address.network.prefixlen == address.max_prefixlen else address)


def _hardware_address(text: str) -> str:
    digits = _NO_DIGIT.sub("", text.lower())
    return ":".join(re.findall("..", digits)) if _MAC.fullmatch(digits) else text


SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "uuid": uuid_spelling,
    "inet": _address,
    "macaddr": _hardware_address,
}
"""What turns a text into the one that is shown, by names of types in `pg_catalog`."""
