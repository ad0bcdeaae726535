"""The app's own database: portals, tokens, sessions, hosted connections and sealed secrets."""

from models.base import Base, Sessions, connect, new_uid, now, servers_of, sessions_for
from models.connection import ConnectionRow, EndpointCall, HostedConnectorRow, KeySlots, KnownTarget, Strike
from models.contract import ContractColumn, ContractTable, identity_of
from models.portal import FormNonce, LifecycleEvent, Portal, UserSession, UserToken
from models.startup import check_keys
from models.vault import Sealed, Vault, VaultBroken

__all__ = [
    "Base",
    "ConnectionRow",
    "ContractColumn",
    "ContractTable",
    "EndpointCall",
    "FormNonce",
    "HostedConnectorRow",
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
    "check_keys",
    "connect",
    "identity_of",
    "new_uid",
    "now",
    "servers_of",
    "sessions_for",
]
