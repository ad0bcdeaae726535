"""The way to a PostgreSQL server: login through libpq at a checked address, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import psycopg
from psycopg import pq

from drivers.base import Limits
from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong
from drivers.postgresql.copy import Connection
from drivers.postgresql.meter import MeteredConnection
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
        if settings["tls"] == "disable":
            options["require_auth"] = "!password"
        options = {**_defaults_instead_of_environment(), **options}
        try:
            connection = MeteredConnection.connect(autocommit=True, **options)
        except (psycopg.Error, OSError) as problem:
            raise _login_error(problem) from problem
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
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ca.pem"
            path.write_text(settings["ca"])
            yield {"sslrootcert": str(path)}


def _check_peer(connection: Connection, target: Target) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as peer:
        if peer.getpeername()[0] not in target.addresses:
            raise Unreachable("connect_failed", "connected to another address than the checked one")


#: libpq tells why a connection failed in words only: words of its own, and of servers that speak English.
_LOCAL_SIGNS: tuple[tuple[str, type[TargetError], tuple[str, ...]], ...] = (
    ("does not support SSL", SettingsWrong, ("tls", "not_offered")),
    ("root certificate", SettingsWrong, ("ca", "not_readable")),
    ("certificate", SettingsWrong, ("tls", "certificate_refused")),
    ("authentication method requirement", LoginFailed, ("unsafe_method",)),
    ("no password supplied", LoginFailed, ("password",)),
    ("Connection refused", Unreachable, ("connect_refused",)),
    ("timeout", Unreachable, ("connect_timeout",)),
)
_SERVER_SIGNS: tuple[tuple[str, type[TargetError], tuple[str, ...]], ...] = (
    ("SSL off", SettingsWrong, ("tls", "required_by_server")),
    ("no encryption", SettingsWrong, ("tls", "required_by_server")),
    ("password", LoginFailed, ("password",)),
    ("too many", LoginFailed, ("too_many_connections",)),
    ("connection slots", LoginFailed, ("too_many_connections",)),
    ("database system is", Unreachable, ("starting",)),
    ("database", LoginFailed, ("database",)),
)
_FROM_SERVER = re.compile(r"failed: \S+:  (.*)")


def _login_error(problem: Exception) -> TargetError:
    """What a failed connection means; the server's own words follow a severity and two spaces."""
    said = str(problem).strip()
    from_server = _FROM_SERVER.search(said)
    signs = _SERVER_SIGNS if from_server else _LOCAL_SIGNS
    text = from_server[1] if from_server else said
    kind: type[TargetError] = LoginFailed if from_server else Unreachable
    arguments: tuple[str, ...] = ("refused",) if from_server else ("connect_failed",)
    for sign, sign_kind, sign_arguments in signs:
        if sign in text:
            kind, arguments = sign_kind, sign_arguments
            break
    error = kind(*arguments)
    error.detail = said
    return error


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
    if not state or state.startswith(("08", "57P")):
        return Broken("connection_lost", detail)
    return Broken("server_error", detail)
