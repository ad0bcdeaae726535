"""The app's own database: portals, tokens, sessions, hosted connections and sealed secrets."""

from models.base import Base, Sessions, connect, new_uid, now, servers_of, sessions_for
from models.connection import ConnectionRow, EndpointCall, HostedConnectorRow, KeySlots, KnownTarget, Strike
from models.contract import ContractColumn, ContractTable, identity_of
from models.deployment import Deployment, KeyCheck, deployment_of, note_care
from models.portal import FormNonce, LifecycleEvent, Portal, UserSession, UserToken
from models.startup import Fault, check_database
from models.vault import Sealed, Vault, VaultBroken

__all__ = [
    "Base",
    "ConnectionRow",
    "ContractColumn",
    "ContractTable",
    "Deployment",
    "EndpointCall",
    "Fault",
    "FormNonce",
    "HostedConnectorRow",
    "KeyCheck",
    "KeySlots",
    "KnownTarget",
    "LifecycleEvent",
    "Portal",
    "Sealed",
    "Sessions",
    "Strike",
    "UserSession",
    "UserToken",
    "Vault",
    "VaultBroken",
    "check_database",
    "connect",
    "deployment_of",
    "identity_of",
    "new_uid",
    "note_care",
    "now",
    "servers_of",
    "sessions_for",
]
