"""What a method gets to know about the call it serves, and how methods are declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.context import Emulator
from emulator.portal import Portal
from emulator.records import Application, Grant, User
from emulator.rest.replies import ModuleError, SystemFault


@dataclass(frozen=True)
class RestCall:
    """One authorised call. `application` and `grant` are None for a webhook."""

    emulator: Emulator
    method: str
    params: Mapping[str, Any]
    user: User
    application: Application | None
    grant: Grant | None

    @property
    def portal(self) -> Portal:
        """The portal that is called."""
        return self.emulator.portal

    @property
    def newer(self) -> bool:
        """Whether the portal is of the newer generation (facts/biconnector 4.1)."""
        return self.portal.generation == "newer"

    @property
    def client_id(self) -> str:
        """The calling application, which alone sees what it made. Raises ACCESS_DENIED for webhooks."""
        if self.application is None:
            raise access_denied()
        return self.application.client_id

    @property
    def own_application(self) -> Application:
        """The calling application, for methods that only applications may call. Raises WRONG_AUTH_TYPE."""
        if self.application is None:
            raise SystemFault("WRONG_AUTH_TYPE")
        return self.application

    @property
    def scope(self) -> list[str]:
        """Scopes that the call has; a webhook has those of the emulator's application."""
        return self.grant.scope if self.grant is not None else self.portal.app.scope


Handler = Callable[[RestCall], Any]


@dataclass(frozen=True)
class Method:
    """A method: who serves it, which scopes open it (any one of them; none for the basic scope), since when."""

    handler: Handler
    scopes: tuple[str, ...] = ()
    newer_only: bool = False

    def exists(self, portal: Portal) -> bool:
        """Whether portals of this generation know the method."""
        return portal.generation == "newer" or not self.newer_only

    def open_to(self, scope: list[str]) -> bool:
        """Whether one of the granted scopes is enough."""
        return not self.scopes or any(name in scope for name in self.scopes)


def access_denied() -> ModuleError:
    """The module's own refusal: missing right, webhook, or no application (facts/biconnector 1.8)."""
    return ModuleError("ACCESS_DENIED", "Access denied.")


def needs_rights(handler: Handler) -> Handler:
    """`handler`, refused for users without both rights (facts/biconnector 1.8)."""

    def guarded(call: RestCall) -> Any:
        if not call.user.may_use_bi:
            raise access_denied()
        return handler(call)

    return guarded


def needs_application(handler: Handler) -> Handler:
    """`handler`, refused for users without both rights and for webhooks (facts/biconnector 1.8)."""

    def guarded(call: RestCall) -> Any:
        if call.application is None:
            raise access_denied()
        return handler(call)

    return needs_rights(guarded)
