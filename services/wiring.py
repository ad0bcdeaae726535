"""Wiring: every service, made once from the settings and handed to the doors."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import Engine

from config import Settings
from drivers.base import Guards, Limits
from egress.policy import Policy
from models import Fault, Sessions, Vault, check_database, connect, deployment_of, servers_of, sessions_for
from services.bi.discovery import Discovery
from services.connections.access import Access
from services.connections.call_log import CallLog
from services.connections.connection_test import ConnectionTester
from services.connections.health import Health
from services.connections.keys import ConnectionKeys
from services.connections.lifecycle import ConnectionLifecycle
from services.connections.operators import OperatorConnections
from services.connections.portal_comparison import PortalComparison
from services.connections.portal_sync import PortalSync
from services.connections.previews import Previews
from services.connections.repository import ConnectionRepository
from services.connections.table_lists import TableLists
from services.connections.typed_credentials import KnownTargets, TypedConnectors
from services.connections.uploads import Uploads
from services.contract.ledger import Ledger
from services.limits.budgets import Budgets
from services.limits.shared_memory import SharedMemory
from services.portal_api import Patience, Transport
from services.portal_api.client import PortalClient, PortalClients
from services.portal_api.oauth import AuthorizationServers
from services.portals.event_bindings import EventBindings
from services.portals.installations import Installations
from services.portals.launches import Verifier
from services.portals.lifecycle import Lifecycle
from services.portals.lost_keys import LostKeys
from services.portals.postponed_launches import PostponedLaunches
from services.portals.postponed_removals import PostponedRemovals
from services.portals.tokens import Tokens
from services.portals.uninstallations import Uninstallations
from services.publishing.batches import BatchPublishing
from services.publishing.contract_report import ContractReports
from services.publishing.drafts import Drafts
from services.publishing.tables import Publishing
from services.sessions.form_nonces import FormNonces
from services.sessions.user_sessions import UserSessions

log = logging.getLogger(__name__)

INSTALL_PATH = "/install/"


@dataclass(frozen=True)
class Services:
    """All services of one application."""

    settings: Settings
    engine: Engine
    sessions: Sessions
    vault: Vault
    policy: Policy
    transport: Transport
    portal_clients: PortalClients
    authorization_servers: AuthorizationServers
    verifier: Verifier
    postponed_launches: PostponedLaunches
    tokens: Tokens
    installations: Installations
    uninstallations: Uninstallations
    lifecycle: Lifecycle
    user_sessions: UserSessions
    form_nonces: FormNonces
    connections: OperatorConnections
    connection_lifecycle: ConnectionLifecycle
    connection_keys: ConnectionKeys
    repository: ConnectionRepository
    portal_comparison: PortalComparison
    portal_sync: PortalSync
    budgets: Budgets
    shared_memory: SharedMemory
    table_lists: TableLists
    guards: Guards
    access: Access
    connection_tester: ConnectionTester
    previews: Previews
    publishing: Publishing
    batch_publishing: BatchPublishing
    contract_reports: ContractReports
    drafts: Drafts
    call_log: CallLog
    health: Health
    uploads: Uploads
    lost_keys: LostKeys
    known_targets: KnownTargets
    typed_connectors: TypedConnectors
    discovery: Discovery


def build(settings: Settings, *, patience: Patience | None = None, tolerated: Collection[Fault] = ()) -> Services:
    """The services that `settings` describe; raises `ConfigurationError` for settings that contradict each other.

    `patience` says how long calls of portals are repeated, if not as long as usual; `tolerated` is what is wrong with
    what the settings name, and no reason to stop since it is about to be mended.
    """
    engine = connect(settings.database_url)
    sessions, vault = sessions_for(engine), Vault(settings.secret_keys)
    repository, connection_keys = ConnectionRepository(sessions, vault), ConnectionKeys(sessions, vault)
    is_named = check_database(engine, sessions, vault, tolerated=tolerated)
    policy = Policy(
        settings.egress_policy,
        settings.egress_allow,
        settings.bitrix24_insecure_hosts,
        deny=settings.egress_deny,
        own=servers_of(settings.database_url),
    )
    log.info("egress policy %s", policy)
    transport = Transport(policy)
    portal_clients = partial(PortalClient, transport, patience=patience)
    servers = AuthorizationServers(
        transport, settings.bitrix24_oauth_urls, settings.bitrix24_client_id, settings.bitrix24_client_secret
    )
    insecure_hosts = settings.bitrix24_insecure_hosts
    verifier = Verifier(servers, insecure_hosts=insecure_hosts)
    uploads = Uploads(
        settings.uploads.resolve(),
        settings.upload_megabytes * 1024 * 1024,
        lambda: deployment_of(sessions).uid,
        settings.upload_trash_days,
        quota_bytes=settings.upload_quota_megabytes * 1024 * 1024,
    )
    lost_keys = LostKeys(sessions, vault)
    if is_named:
        if "uploads" not in tolerated:
            uploads.owner.refuse_foreign()
        if waiting := lost_keys.waiting():
            log.warning("%s connections have lost their settings: `flask connections list` names them", waiting)
        engine.dispose()
    quarantine = timedelta(hours=settings.uninstall_quarantine_hours)
    uninstallations = Uninstallations(sessions, vault, verifier, uploads, quarantine=quarantine)
    tokens = Tokens(sessions, vault, servers, uninstallations, insecure_hosts=insecure_hosts)
    postponed_removals = PostponedRemovals(settings.uploads.resolve() / ".removals", vault)
    bindings = EventBindings(f"{settings.base_url}{INSTALL_PATH}")
    installations = Installations(sessions, vault, portal_clients, verifier, tokens, bindings, uninstallations)
    budgets = Budgets(sessions)
    guards = Guards(policy, settings.local_files, Limits(silence=settings.silence_seconds))
    shared_memory = SharedMemory()
    table_lists = TableLists(shared_memory, Ledger(sessions, shared_memory))
    comparison = PortalComparison(repository, connection_keys, settings.base_url)
    portal_sync = PortalSync(repository, connection_keys, comparison, settings.base_url)
    access, call_log = Access(repository, budgets, uploads), CallLog(sessions)
    health = Health(sessions)
    known_targets = KnownTargets(sessions, budgets)
    tester = ConnectionTester(guards, access)
    user_sessions = UserSessions(
        sessions, idle=timedelta(minutes=settings.session_idle_minutes), longest=timedelta(hours=settings.session_hours)
    )
    publishing = Publishing(access, guards, table_lists, portal_sync)
    return Services(
        settings=settings,
        engine=engine,
        sessions=sessions,
        vault=vault,
        policy=policy,
        transport=transport,
        portal_clients=portal_clients,
        authorization_servers=servers,
        verifier=verifier,
        postponed_launches=PostponedLaunches(vault),
        tokens=tokens,
        installations=installations,
        uninstallations=uninstallations,
        lifecycle=Lifecycle(sessions, installations, uninstallations, tokens.check, postponed_removals),
        user_sessions=user_sessions,
        form_nonces=FormNonces(sessions),
        connections=OperatorConnections(repository, connection_keys, settings.base_url),
        connection_lifecycle=ConnectionLifecycle(
            repository,
            tester,
            portal_sync,
            access,
            guards,
            table_lists,
            call_log,
            health,
            uploads,
            user_sessions.still_open,
        ),
        connection_keys=connection_keys,
        repository=repository,
        portal_comparison=comparison,
        portal_sync=portal_sync,
        budgets=budgets,
        shared_memory=shared_memory,
        table_lists=table_lists,
        guards=guards,
        access=access,
        connection_tester=tester,
        previews=Previews(guards, access),
        publishing=publishing,
        batch_publishing=BatchPublishing(publishing, portal_sync),
        contract_reports=ContractReports(access, guards, table_lists, call_log),
        drafts=Drafts(access, guards, table_lists),
        call_log=call_log,
        health=health,
        uploads=uploads,
        lost_keys=lost_keys,
        known_targets=known_targets,
        typed_connectors=TypedConnectors(repository, comparison, known_targets),
        discovery=Discovery(policy, transport),
    )
