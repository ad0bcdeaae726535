"""The app's own database: portals, grants, sessions, hosted connections and sealed secrets."""

from models.base import Base, Sessions, connect, new_uid, now, sessions_for
from models.connection import Connection, EndpointCall, HostedConnector, Keyed, KnownTarget, Strike
from models.portal import FormUse, Grant, LifecycleEvent, Portal, UserSession
from models.vault import Sealed, Vault, VaultBroken

__all__ = [
    "Base",
    "Connection",
    "EndpointCall",
    "FormUse",
    "Grant",
    "HostedConnector",
    "Keyed",
    "KnownTarget",
    "LifecycleEvent",
    "Portal",
    "Sealed",
    "Sessions",
    "Strike",
    "UserSession",
    "Vault",
    "VaultBroken",
    "connect",
    "new_uid",
    "now",
    "sessions_for",
]
