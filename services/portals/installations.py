"""Installations: portals as they come, move and come back (facts/platform 1, 4); `uninstallations` ends them.

A portal's record is made or changed only on a proof (`portals.launches`). The application token, with which events are
told from forgeries, is accepted first or changed only together with a verified administrator's token.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from config import origin_of
from errors import (
    AccessDenied,
    ApplicationError,
    AskUser,
    Forged,
    NobodyVouches,
    PortalBusy,
    PortalUnreachable,
    TryLater,
)
from models import Portal, Sessions, Vault
from services.portal_api import capabilities as generations
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient, PortalClients
from services.portals.event_bindings import EventBindings
from services.portals.launches import Launch, Proof, ProvenToken, Verifier
from services.portals.origins import normal_domain
from services.portals.tokens import Tokens
from services.portals.uninstallations import Uninstallations

log = logging.getLogger(__name__)
security_log = logging.getLogger("security")

NEEDED_METHOD = "biconnector.connector.add"
NEWER_MARK = "biconnector.table.fields"
"""A method that only the newer generation of portals has, see `portal_api.capabilities`."""


@dataclass(frozen=True)
class Arrival:
    """A verified user of a registered portal; `is_admin` is False also where the portal could not be asked."""

    portal_id: int
    user_id: int
    is_admin: bool
    language: str


class Installations:
    """Registers portals and keeps their records true."""

    def __init__(
        self,
        sessions: Sessions,
        vault: Vault,
        portal_clients: PortalClients,
        verifier: Verifier,
        tokens: Tokens,
        bindings: EventBindings,
        uninstallations: Uninstallations,
    ) -> None:
        self._sessions, self._vault, self._portal_clients = sessions, vault, portal_clients
        self._verifier, self._tokens, self._bindings = verifier, tokens, bindings
        self._uninstallations = uninstallations

    def open(self, proof: Proof, launch: Launch) -> Arrival:
        """A proved user opens the app: recorded, and bindings mended if an administrator comes.

        Also takes in a portal that we have no record of, since its event may be lost. Raises `Forged` if the app is not
        installed there, `PortalGone` and `PaymentRequired` if it may not be used.
        """
        if not proof.installed:
            raise Forged("the authorization server says that the app is not installed")
        portal = self.register(proof, launch.language)
        self._keep_tokens(portal, proof, launch)
        client = self._portal_clients(self._tokens.tokens(portal.id, proof.user_id))
        try:
            survey = self._bindings.survey(client, mark=NEWER_MARK)
        except (AskUser, TryLater) as problem:
            # The page that follows shows what is wrong with the portal, with a way to try again.
            log.warning("portal %s could not be surveyed: %s", portal.member_id, problem)
            return self._arrival(portal, proof, launch, is_admin=False)
        self._note_generation(portal, newer=survey.marked)
        if survey.is_admin:
            self._welcome_administrator(portal, proof, launch)
            self._mend(client, survey.missing)
        return self._arrival(portal, proof, launch, is_admin=survey.is_admin)

    def install(self, proof: Proof, launch: Launch) -> Arrival:
        """A proved administrator runs the installer: recorded; binding events is `bind`'s work.

        Raises `AccessDenied` for a user who is no administrator, and what the portal's REST raises; nothing is stored
        then.
        """
        portal = self._registered(proof, launch, AccessDenied("user.admin", "ADMINISTRATOR_NEEDED"))
        # The installer runs again after updates: what the portal knows may have changed.
        self._change(portal, {"capabilities": None})
        return self._arrival(portal, proof, launch, is_admin=True)

    def take_in(self, proof: Proof, launch: Launch) -> Portal:
        """The portal of an event that was proved by an access token; raises `Forged` unless an administrator's."""
        return self._registered(proof, launch, Forged("the access token is no administrator's"))

    def keep_system_user(self, portal: Portal, proof: Proof, launch: Launch) -> None:
        """Let the portal's system user serve work without a person (facts/platform 3.3, 4)."""
        self._keep_tokens(portal, proof, launch)
        self._change(portal, {"background_user_id": proof.user_id})

    def bind(self, portal_id: int, user_id: int) -> None:
        """Bind the lifecycle events that are not bound yet; may be repeated. Raises like `Bindings.complete`."""
        client = self._portal_clients(self._tokens.tokens(portal_id, user_id))
        self._bindings.complete(client, needed=NEEDED_METHOD)

    def prove(self, launch: Launch, *, remembered: bool = True) -> Proof:
        """The proof behind a launch; raises `Forged`, leaving a line in the security log, and `NobodyVouches`."""
        known = self.find(launch.member_id)
        active = known is not None and known.state == "active"
        try:
            return self._verifier.prove(
                launch,
                earlier_domain=known.domain if known else "",
                earlier_server=known.oauth_url if known else "",
                remembered=remembered and active,
            )
        except Forged as problem:
            security_log.warning("launch for portal %s refused: %s", launch.member_id, problem.reason)
            raise
        except PortalUnreachable as problem:
            raise NobodyVouches(problem) from problem

    def register(self, proof: Proof, language: str) -> Portal:
        """The portal's record, made or brought up to date: first installation, reinstallation and renaming."""
        values: dict[str, Any] = {
            "domain": proof.domain,
            "client_endpoint": proof.endpoint,
            "oauth_url": proof.oauth_url,
            "status": proof.status,
            "state": "active",
            "uninstalled_at": None,
            "erasure_asked_at": None,
            "doubted_at": None,
        }
        for _ in range(2):
            portal = self.find(proof.member_id)
            if portal is not None and portal.state == "uninstalled" and self._uninstallations.carry_out(portal.id):
                portal = None
            if portal is not None:
                changed = {name: value for name, value in values.items() if getattr(portal, name) != value}
                if changed:
                    self._change(portal, changed)
                return portal
            portal = Portal(member_id=proof.member_id, version=proof.version, language=language, **values)
            try:
                with self._sessions.begin() as session:
                    session.add(portal)
            except IntegrityError:  # two launches of a new portal at the same moment
                continue
            log.info("portal %s is registered", proof.member_id)
            return portal
        raise PortalBusy("PORTAL_UNDER_CHANGE", retry_after=1)

    def find(self, member_id: str) -> Portal | None:
        """The portal with this `member_id`, if we know it."""
        with self._sessions() as session:
            return session.scalar(select(Portal).where(Portal.member_id == member_id))

    def known_origin(self, launch: Launch) -> str:
        """The origin under which we verified a portal earlier, or an empty text.

        Only whoever names it gets it: nothing of a launch is proved yet, and a portal's `member_id` is no secret.
        """
        known = self.find(launch.member_id)
        if known is None or normal_domain(launch.domain) != urlsplit(known.client_endpoint).netloc:
            return ""
        return origin_of(known.client_endpoint)

    def capabilities(self, portal_id: int, client: PortalClient) -> Capabilities:
        """What the portal's generation knows; asked once, then remembered until the generation changes."""
        with self._sessions() as session:
            remembered = session.scalar(select(Portal.capabilities).where(Portal.id == portal_id))
        if remembered:
            return Capabilities.from_json(remembered)
        probed = generations.probe(client)
        with self._sessions.begin() as session:
            session.execute(update(Portal).where(Portal.id == portal_id).values(capabilities=probed.to_json()))
        return probed

    def doubt(self, portal_id: int) -> None:
        """Ask again what the portal's generation knows, because an answer contradicted what is remembered."""
        with self._sessions.begin() as session:
            session.execute(update(Portal).where(Portal.id == portal_id).values(capabilities=None))

    def knows_token(self, portal: Portal, application_token: str) -> bool:
        """Whether an event's application token is the portal's, compared in constant time."""
        stored = self._vault.get(portal, "application_token")
        return bool(stored) and hmac.compare_digest(str(stored).encode(), application_token.encode())

    def accept_token(self, portal: Portal, application_token: str) -> None:
        """Keep the application token that came with a verified administrator's token."""
        if not application_token or self.knows_token(portal, application_token):
            return
        if portal.application_token is not None:
            security_log.warning("the application token of portal %s changed", portal.member_id)
        self._vault.put(portal, "application_token", application_token)
        self._change(portal, {"application_token": portal.application_token})

    def speaks(self, portal: Portal, language: str) -> None:
        """The portal told its own language; until then it has that of the user who came first (facts/platform 7)."""
        self._change(portal, {"language": language})

    def language(self, portal_id: int) -> str:
        """The portal's own language, in which texts that stay there are written."""
        with self._sessions() as session:
            return session.scalar(select(Portal.language).where(Portal.id == portal_id)) or ""

    def updated(self, portal: Portal, version: int) -> None:
        """The app has another version on this portal: its bindings and what we remembered are due for a look."""
        self._change(portal, {"version": version, "capabilities": None})

    def all(self) -> list[Portal]:
        """Every portal, oldest first."""
        with self._sessions() as session:
            return list(session.scalars(select(Portal).order_by(Portal.id)))

    def add_local(self, member_id: str, language: str = "") -> Portal:
        """A record for a portal without REST, as operators add it; its language is empty if they do not tell it.

        Raises `ApplicationError` if there is one.
        """
        portal = Portal(member_id=member_id, state="local", language=language)
        try:
            with self._sessions.begin() as session:
                session.add(portal)
        except IntegrityError:
            raise ApplicationError(f"There is a portal with member_id {member_id} already.") from None
        return portal

    def _keep_tokens(self, portal: Portal, proof: Proof, launch: Launch) -> None:
        self._tokens.keep(portal.id, proof.user_id, launch.access_token, proof.expires_at, launch.refresh_token or None)

    def _registered(self, proof: Proof, launch: Launch, otherwise: ApplicationError) -> Portal:
        """The portal of a proved administrator; raises `otherwise` for another user, of whom nothing is stored."""
        client = self._portal_clients(ProvenToken(proof, launch.access_token))
        if client.call("user.admin") is not True:
            raise otherwise
        portal = self.register(proof, launch.language)
        self._keep_tokens(portal, proof, launch)
        self._welcome_administrator(portal, proof, launch)
        return portal

    def _welcome_administrator(self, portal: Portal, proof: Proof, launch: Launch) -> None:
        self.accept_token(portal, launch.application_token)
        if portal.background_user_id is None:
            self._change(portal, {"background_user_id": proof.user_id})
        if portal.version != proof.version:
            self.updated(portal, proof.version)

    def _mend(self, client: PortalClient, missing: tuple[str, ...]) -> None:
        if not missing:
            return
        try:
            self._bindings.bind(client, missing)
        except ApplicationError as problem:
            # The user came to work; the next administrator's launch tries again.
            log.warning("events could not be bound: %s", problem)

    def _note_generation(self, portal: Portal, *, newer: bool | None) -> None:
        if newer is not None and portal.capabilities and Capabilities.from_json(portal.capabilities).tables != newer:
            self._change(portal, {"capabilities": None})

    def _change(self, portal: Portal, values: dict[str, Any]) -> None:
        with self._sessions.begin() as session:
            session.execute(update(Portal).where(Portal.id == portal.id).values(values))
        for name, value in values.items():
            setattr(portal, name, value)

    def _arrival(self, portal: Portal, proof: Proof, launch: Launch, *, is_admin: bool) -> Arrival:
        return Arrival(portal.id, proof.user_id, is_admin, launch.language)
