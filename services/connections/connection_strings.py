"""A connection string or JDBC address, pasted, as a driver and its settings (facts/field 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from drivers import catalogue

TLS: Mapping[str, str] = {
    "disable": "disable",
    "disabled": "disable",
    "false": "disable",
    "allow": "require",
    "prefer": "require",
    "preferred": "require",
    "require": "require",
    "required": "require",
    "true": "require",
    "verify-ca": "verify-ca",
    "verify_ca": "verify-ca",
    "verify-full": "verify-full",
    "verify_identity": "verify-full",
}
TLS_NAMES = frozenset({"sslmode", "ssl-mode", "ssl", "usessl", "tls", "encrypt"})
ALIASES: Mapping[str, str] = {
    "user": "username",
    "username": "username",
    "password": "password",
    "pwd": "password",
    "database": "database",
    "databasename": "database",
    "dbname": "database",
    "catalog": "database",
}


@dataclass(frozen=True)
class ConnectionString:
    """What one says: a driver's name and some of the settings that the driver declares."""

    driver: str
    settings: Mapping[str, str] = field(repr=False)


def read(text: str) -> ConnectionString | None:
    """The driver and settings in `text`, or None if it is no connection string of a driver's schemes."""
    text = text.strip().removeprefix("jdbc:")
    try:
        parts = urlsplit(text.partition(";")[0])
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        return None
    scheme = scheme.partition("+")[0]
    driver = next((driver for driver in catalogue.DRIVERS.values() if scheme in driver.schemes), None)
    if driver is None:
        return None
    settings = {
        "host": host,
        "port": str(port or ""),
        "database": unquote(parts.path).strip("/"),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    options = [*parse_qsl(parts.query), *(tuple(pair.partition("=")[::2]) for pair in text.split(";")[1:])]
    for name, value in options:
        settings |= _option(name.strip().lower(), value.strip())
    declared = {declared.code for declared in driver.fields}
    return ConnectionString(
        driver.name, {code: value for code, value in settings.items() if value and code in declared}
    )


def _option(name: str, value: str) -> dict[str, str]:
    if name in TLS_NAMES:
        return {"tls": TLS[value.lower()]} if value.lower() in TLS else {}
    return {ALIASES[name]: value} if name in ALIASES else {}
