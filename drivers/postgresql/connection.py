"""The way to a PostgreSQL server: login through libpq at a checked address, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import certifi
import psycopg
from psycopg import pq

from drivers.base import Limits
from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong, writing_to_disk
from drivers.postgresql.copy import Connection
from drivers.postgresql.meter import LoginProblem, MeteredConnection
from drivers.tls import is_verified
from egress.errors import TargetError, Timeout, Unreachable
from egress.policy import Target


def connect(settings: dict[str, str], target: Target, limits: Limits) -> Connection:
    """A connection to one of the checked addresses that is logged in.

    Raises `SettingsWrong`, `Unreachable`, `LoginFailed`, `Broken("bad_answer")`.
    """
    with _certificate_authority(settings) as root:
        count = len(target.addresses)
        options: dict[str, Any] = {
            "host": ",".join([target.host] * count),
            "hostaddr": ",".join(target.addresses),
            "port": ",".join([str(target.port)] * count),
            "dbname": settings["database"],
            "user": settings["username"],
            "password": settings["password"],
            "sslmode": settings["tls"],
            "connect_timeout": max(int(limits.connect_seconds / count), 2),
            "client_encoding": "UTF8",
            "application_name": "bi-connectors",
            "gssencmode": "disable",
            "passfile": f"{os.devnull}/none",
            **root,
        }
        if not is_verified(settings):
            options["require_auth"] = "!password"
        options = {**_defaults_instead_of_environment(), **options}
        try:
            connection = MeteredConnection.connect(autocommit=True, **options)
        except (psycopg.Error, OSError) as problem:
            raise _login_error(problem, settings["tls"] != "disable") from problem
    try:
        _check_peer(connection, target)
    except BaseException:
        connection.close()
        raise
    return connection


def _defaults_instead_of_environment() -> dict[str, str]:
    """libpq's own defaults for every option that a `PG*` variable of this process would set."""
    return {
        option.keyword.decode(): (option.compiled or b"").decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar and option.envvar.decode() in os.environ and option.keyword != b"service"
    }


@contextlib.contextmanager
def _certificate_authority(settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """Where libpq finds the certificate authorities: the given ones, or the public ones."""
    if not settings["tls"].startswith("verify"):
        yield {}
    elif not settings["ca"].strip():
        yield {"sslrootcert": certifi.where()}
    else:
        with contextlib.ExitStack() as stack:
            with writing_to_disk():
                path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ca.pem"
                path.write_text(settings["ca"])
            yield {"sslrootcert": str(path)}


def _check_peer(connection: Connection, target: Target) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as peer:
        if peer.getpeername()[0] not in target.addresses:
            raise Unreachable("connect_failed", "connected to another address than the checked one")


Meaning = tuple[type[TargetError], tuple[str, ...]]
#: libpq tells in words why it does not go on; they are English, since it is the one that comes with psycopg.
_LOCAL_SIGNS: tuple[tuple[str, Meaning], ...] = (
    ("does not support SSL", (SettingsWrong, ("tls", "not_offered"))),
    ("root certificate", (SettingsWrong, ("ca", "not_readable"))),
    ("does not match host name", (SettingsWrong, ("tls", "certificate_name"))),
    ("certificate", (SettingsWrong, ("tls", "certificate_refused"))),
    ("authentication method requirement", (LoginFailed, ("unsafe_method",))),
    ("Connection refused", (Unreachable, ("connect_refused",))),
    ("timeout", (Unreachable, ("connect_timeout",))),
)
_PASSWORD: Meaning = (LoginFailed, ("password",))
_TLS_REQUIRED: Meaning = (SettingsWrong, ("tls", "required_by_server"))
_DATABASE: Meaning = (LoginFailed, ("database",))
_TOO_MANY: Meaning = (LoginFailed, ("too_many_connections",))
_STARTING: Meaning = (Unreachable, ("starting",))
#: SQLSTATE of a server that refuses a login, whichever language it speaks. 55000: the database takes no connections.
_STATES: dict[str, Meaning] = {
    "28P01": _PASSWORD,
    "3D000": _DATABASE,
    "42501": _DATABASE,
    "55000": _DATABASE,
    "53300": _TOO_MANY,
    "57P03": _STARTING,
    "57P01": _STARTING,
}
#: Poolers have one state for everything, and speak English.
_POOLER_SIGNS: tuple[tuple[str, Meaning], ...] = (
    ("SSL required", _TLS_REQUIRED),
    ("SSL connection is required", _TLS_REQUIRED),
    ("connection is insecure", _TLS_REQUIRED),
    ("no such database", _DATABASE),
    ('database "', _DATABASE),
    ("password", _PASSWORD),
    ("auth", _PASSWORD),
    ("no more connections", _TOO_MANY),
    ("shutting down", _STARTING),
)
# A severity and the server's words are in its own language; state, and the name of the function, never are.
_FROM_SERVER = re.compile(r":  ([0-9A-Z]{5}): (.*)")
_LOCATION = re.compile(r"\nLOCATION:  (\w+), .*")
_RULES = "ClientAuthentication"
"""The server's function that looks into its rules of who may come from where, and whether encrypted."""


def _login_error(problem: Exception, encrypted: bool) -> TargetError:
    """What a failed connection means."""
    said = str(problem).strip()
    kind, arguments = _meaning(problem, said, encrypted)
    error = kind(*arguments)
    error.detail = _LOCATION.sub("", said)
    return error


def _meaning(problem: Exception, said: str, encrypted: bool) -> Meaning:
    if not (from_server := _FROM_SERVER.search(said)):
        if isinstance(problem, LoginProblem) and problem.needs_password:
            return _PASSWORD
        return _first(_LOCAL_SIGNS, said, (Unreachable, ("connect_failed",)))
    state, words = from_server.groups()
    if state in _STATES:
        return _STATES[state]
    location = _LOCATION.search(said)
    if location and location[1] == _RULES and not encrypted:
        return _TLS_REQUIRED
    return _first(_POOLER_SIGNS, words, (LoginFailed, ("refused",)))


def _first(signs: Iterable[tuple[str, Meaning]], text: str, otherwise: Meaning) -> Meaning:
    return next((meaning for sign, meaning in signs if sign in text), otherwise)


def target_error(problem: Exception) -> TargetError:
    """What a failed statement means to the caller."""
    state = getattr(problem, "sqlstate", None) or ""
    detail = str(problem)
    known = {"42P01": "unknown_table", "3F000": "unknown_table", "42703": "unknown_column", "42501": "no_permission"}
    if state in known:
        return QueryRefused(known[state], detail=detail)
    if state in ("22023", "22P05"):
        return QueryRefused("value_type", detail=detail)
    if state == "57014":
        return Timeout("deadline", detail)
    # 08P01 is what poolers say of everything that they do not like.
    if not state or (state.startswith(("08", "57P")) and state != "08P01"):
        return Broken("connection_lost", detail)
    return Broken("server_error", detail)
