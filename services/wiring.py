"""Wiring: every service, made once from the settings and handed to the doors."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from config import DEFAULT_PORTS, Settings, origin_of
from drivers.base import Guards
from egress.policy import Policy
from errors import ConfigurationError
from models import Base, Sessions, Vault, connect, sessions_for
from services.bi.discovery import Discovery
from services.connections.access import Access
from services.connections.call_log import CallLog
from services.connections.connection_test import ConnectionTester
from services.connections.keys import Connections
from services.connections.portal_sync import PortalSync
from services.connections.repository import ConnectionRepository
from services.connections.table_lists import TableLists
from services.connections.typed_credentials import KnownTargets
from services.connections.uploads import Uploads
from services.limits.budgets import Budgets
from services.limits.shared_memory import SharedMemory
from services.portal_api import Transport
from services.portal_api.oauth import AuthorizationServers
from services.portals.event_bindings import EventBindings
from services.portals.installations import Installations
from services.portals.launches import Verifier
from services.portals.lifecycle import Lifecycle
from services.portals.postponed_launches import PostponedLaunches
from services.portals.tokens import Tokens
from services.portals.uninstallations import Uninstallations
from services.publishing.tables import Publishing
from services.sessions.form_nonces import FormNonces
from services.sessions.user_sessions import UserSessions

log = logging.getLogger(__name__)

INSTALL_PATH = "/install/"
UPGRADE_COMMAND = "db-upgrade"
OFFICIAL_SERVERS = frozenset({"oauth.bitrix.info", "oauth.bitrix24.tech"})


@dataclass(frozen=True)
class Services:
    """All services of one application."""

    settings: Settings
    engine: Engine
    sessions: Sessions
    vault: Vault
    policy: Policy
    transport: Transport
    authorization_servers: AuthorizationServers
    verifier: Verifier
    postponed_launches: PostponedLaunches
    tokens: Tokens
    installations: Installations
    uninstallations: Uninstallations
    lifecycle: Lifecycle
    user_sessions: UserSessions
    form_nonces: FormNonces
    connections: Connections
    repository: ConnectionRepository
    portal_sync: PortalSync
    budgets: Budgets
    shared_memory: SharedMemory
    table_lists: TableLists
    guards: Guards
    access: Access
    connection_tester: ConnectionTester
    publishing: Publishing
    call_log: CallLog
    uploads: Uploads
    known_targets: KnownTargets
    discovery: Discovery


def build(settings: Settings) -> Services:
    """The services that `settings` describe; raises `ConfigurationError` for settings that contradict each other."""
    _check_authorization_servers(settings)
    _check_addresses(settings)
    _check_policy(settings)
    engine = _engine(settings)
    sessions, vault = sessions_for(engine), Vault(settings.secret_keys)
    repository = ConnectionRepository(sessions, vault)
    _check_keys(engine, sessions, vault)
    policy = _policy(settings)
    transport = Transport(policy)
    servers = AuthorizationServers(
        transport, settings.bitrix24_oauth_urls, settings.bitrix24_client_id, settings.bitrix24_client_secret
    )
    insecure_hosts = settings.bitrix24_insecure_hosts
    verifier = Verifier(servers, insecure_hosts=insecure_hosts)
    uploads = Uploads(settings.uploads.resolve(), settings.upload_megabytes * 1024 * 1024)
    uninstallations = Uninstallations(sessions, vault, verifier, uploads)
    tokens = Tokens(sessions, vault, servers, uninstallations, insecure_hosts=insecure_hosts)
    bindings = EventBindings(f"{settings.base_url}{INSTALL_PATH}")
    installations = Installations(sessions, vault, transport, verifier, tokens, bindings)
    connections, budgets = Connections(sessions, vault, settings.base_url), Budgets(sessions)
    guards = Guards(policy, _local_files(settings))
    shared_memory = SharedMemory()
    table_lists = TableLists(shared_memory)
    access = Access(connections, budgets, uploads)
    return Services(
        settings=settings,
        engine=engine,
        sessions=sessions,
        vault=vault,
        policy=policy,
        transport=transport,
        authorization_servers=servers,
        verifier=verifier,
        postponed_launches=PostponedLaunches(vault),
        tokens=tokens,
        installations=installations,
        uninstallations=uninstallations,
        lifecycle=Lifecycle(sessions, installations, uninstallations),
        user_sessions=UserSessions(
            sessions,
            idle=timedelta(minutes=settings.session_idle_minutes),
            longest=timedelta(hours=settings.session_hours),
        ),
        form_nonces=FormNonces(sessions),
        connections=connections,
        repository=repository,
        portal_sync=PortalSync(repository, settings.base_url),
        budgets=budgets,
        shared_memory=shared_memory,
        table_lists=table_lists,
        guards=guards,
        access=access,
        connection_tester=ConnectionTester(guards, access),
        publishing=Publishing(access, guards, table_lists),
        call_log=CallLog(sessions),
        uploads=uploads,
        known_targets=KnownTargets(sessions, budgets),
        discovery=Discovery(policy, transport),
    )


def _check_authorization_servers(settings: Settings) -> None:
    if not settings.bitrix24_oauth_urls:
        raise ConfigurationError("BITRIX24_OAUTH_URLS names no authorization server, so nobody could open the app.")
    for url in settings.bitrix24_oauth_urls:
        try:
            parts = urlsplit(url)
            host_and_port = f"{parts.hostname}:{parts.port or DEFAULT_PORTS.get(parts.scheme)}"
        except ValueError:
            raise ConfigurationError(f"BITRIX24_OAUTH_URLS: {url!r} is not an address.") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ConfigurationError(f"BITRIX24_OAUTH_URLS: {url!r} is not an address like https://oauth.bitrix.info.")
        if parts.scheme == "http" and host_and_port not in settings.bitrix24_insecure_hosts:
            raise ConfigurationError(
                f"BITRIX24_OAUTH_URLS: {url} must be https, unless BITRIX24_INSECURE_HOSTS lists {host_and_port}."
            )


def _check_addresses(settings: Settings) -> None:
    """These addresses stand in headers and in what portals are told."""
    for name, address in (("PUBLIC_URL", settings.base_url), ("BITRIX24_JS_URL", settings.bitrix24_js_url)):
        if not _origin(address):
            raise ConfigurationError(f"{name}: {address!r} is not an address like https://bi.example.com.")
    parts = urlsplit(settings.base_url)
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(
            f"PUBLIC_URL: {settings.base_url!r} is more than scheme, host and port. The app's pages stand at the root "
            f"of their address, so give it a host name of its own, like {_origin(settings.base_url)}."
        )
    for ancestor in settings.extra_frame_ancestors:
        if _origin(ancestor) != ancestor:
            raise ConfigurationError(
                f"EXTRA_FRAME_ANCESTORS: {ancestor!r} is not an origin like https://bi.example.com."
            )


def _origin(address: str) -> str:
    try:
        origin = origin_of(address)
    except ValueError:
        return ""
    return origin if re.fullmatch(r"[!-+\--:<-~]+", origin) else ""


def _check_policy(settings: Settings) -> None:
    official = any(urlsplit(url).hostname in OFFICIAL_SERVERS for url in settings.bitrix24_oauth_urls)
    if settings.egress_policy == "allow-all" and official and settings.base_url.startswith("https://"):
        raise ConfigurationError(
            "EGRESS_POLICY=allow-all is for tests: a public installation would reach every machine in its own network. "
            "Use external-only or allow-private, and open single places with EGRESS_ALLOW."
        )


def _policy(settings: Settings) -> Policy:
    log.info(
        "egress policy %s, allowed besides: %s, denied: %s, insecure portals: %s",
        settings.egress_policy,
        ", ".join(settings.egress_allow) or "nothing",
        ", ".join(settings.egress_deny) or "nothing",
        ", ".join(settings.bitrix24_insecure_hosts) or "none",
    )
    return Policy(
        settings.egress_policy,
        settings.egress_allow,
        settings.bitrix24_insecure_hosts,
        deny=settings.egress_deny,
        own=_own_database(make_url(settings.database_url)),
    )


def _own_database(url: URL) -> list[tuple[str, int]]:
    """Hosts and ports of our own database; none for a file or a socket of this machine."""
    usual = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}.get(url.get_backend_name())
    if usual is None:
        return []
    given = url.query.get("host", ())
    several = [place for each in ((given,) if isinstance(given, str) else given) for place in each.split(",")]
    places = [(url.host, url.port)] if url.host else [_host_and_port(place) for place in several]
    return [(host, port or usual) for host, port in places if host and not host.startswith("/")]


def _host_and_port(place: str) -> tuple[str, int | None]:
    host, _, port = place.rpartition(":") if re.fullmatch(r"[^:]+:\d+|\[.+\]:\d+", place) else (place, "", "")
    return host.strip("[]"), int(port) if port else None


def _local_files(settings: Settings) -> Path | None:
    if settings.local_files is None:
        return None
    folder = settings.local_files.resolve()
    if not folder.is_dir():
        raise ConfigurationError(f"LOCAL_FILES: {folder} is not a folder.")
    return folder


def _engine(settings: Settings) -> Engine:
    try:
        return connect(settings.database_url)
    except (ArgumentError, ImportError):
        raise ConfigurationError(
            "DATABASE_URL is not an address of a database that this installation has a driver for; "
            "examples: sqlite:///instance/app.db, postgresql+psycopg://user:password@host/name."
        ) from None
    except OSError as problem:
        raise ConfigurationError(f"DATABASE_URL: the folder of the file cannot be made ({problem.strerror}).") from None


def _check_keys(engine: Engine, sessions: Sessions, vault: Vault) -> None:
    """Refuse a key ring that lacks a key; a database of an earlier revision is checked as far as it goes."""
    try:
        lacking = _lacking_columns(engine)
        with sessions() as session:
            missing = vault.missing_keys(session, lacking=lacking)
    except SQLAlchemyError as problem:
        raise ConfigurationError(f"DATABASE_URL: the database does not answer ({type(problem).__name__}).") from None
    finally:
        # Workers fork after the start, and a connection must not be shared between processes.
        engine.dispose()
    if missing:
        raise ConfigurationError(
            f"SECRET_KEYS lacks {', '.join(sorted(missing))}, with which stored secrets are encrypted. "
            "Put the key back, or run `flask keys rotate` with it before it is dropped."
        )
    # The command needs the application, and would tell its operator to do what he is just doing.
    if lacking and UPGRADE_COMMAND not in sys.argv:
        log.warning("The database lacks tables or columns: run `flask %s`.", UPGRADE_COMMAND)


def _lacking_columns(engine: Engine) -> set[str]:
    """Columns (`table.column`) of the models that the database does not have, as before it is migrated."""
    found = inspect(engine).get_multi_columns()
    there = {f"{table}.{column['name']}" for (_, table), columns in found.items() for column in columns}
    return {str(column) for table in Base.metadata.tables.values() for column in table.columns} - there
