"""Lifecycle events: what a portal tells about the app, proved and applied once (facts/platform 4).

Events carry no signature, and the application token in them proves no sender: every user's frame is posted with it. It
is compared, and then an authorization server decides: about the access token that an event brings, or, since the event
of a removal has none, about the tokens that the portal's users left here.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from errors import Forged, PortalBusy, TryLater
from models import LifecycleEvent, Portal, Sessions, now
from services.portals.installation_check import InstallationCheck, Standing
from services.portals.installations import Installations
from services.portals.languages import portal_language
from services.portals.launches import MEMBER_ID, Launch, Proof
from services.portals.postponed_removals import PostponedRemoval, PostponedRemovals
from services.portals.uninstallations import Uninstallations

log = logging.getLogger(__name__)
security_log = logging.getLogger("security")

_NAME = re.compile(r"[A-Z0-9_.:]{1,64}\Z")
MOST_COMPARISONS = 8
REMOVAL = "ONAPPUNINSTALL"
RETRY_SECONDS = 30.0
"""How often removals are tried that came while the database was away."""
_TS = re.compile(r"[0-9.]{0,20}\Z")


@dataclass(frozen=True)
class Event:
    """An event as it was posted; `auth` and `data` are flat, and their leaves are texts (facts/platform 4)."""

    name: str
    ts: str
    auth: Mapping[str, str] = field(repr=False)
    data: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> Event:
        """The event in a body with PHP's brackets. Raises `Forged` for one that no portal would send."""
        name, ts, auth = form.get("event", "").upper(), form.get("ts", ""), _part(form, "auth")
        if not _NAME.match(name) or not _TS.match(ts) or not MEMBER_ID.match(auth.get("member_id", "")):
            raise Forged("an event in a foreign form")
        return cls(name=name, ts=ts, auth=auth, data=_part(form, "data"))

    @property
    def member_id(self) -> str:
        """The portal that the event claims to come from."""
        return self.auth["member_id"]

    @property
    def application_token(self) -> str:
        """The proof that it may carry."""
        return self.auth.get("application_token", "")

    @property
    def language(self) -> str:
        """The portal's language."""
        return portal_language(self.data.get("LANGUAGE_ID", ""))


class Lifecycle:
    """Applies events to installations."""

    def __init__(
        self,
        sessions: Sessions,
        installations: Installations,
        uninstallations: Uninstallations,
        check: InstallationCheck,
        postponed: PostponedRemovals,
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._sessions, self._installations, self._uninstallations = sessions, installations, uninstallations
        self._check, self._postponed, self._clock = check, postponed, clock
        self._retrying = threading.Lock()

    def accept(self, event: Event) -> None:
        """Apply an event, or nothing if it was applied before.

        A removal that cannot be applied now, since our database is away, is kept for later: it comes only once. Raises
        `Forged` for an event that is not proved, `TryLater` if it could not be proved now.
        """
        try:
            if event.name == REMOVAL:
                self._uninstalled_or_postponed(event)
            elif self._is_new(event) and self._apply(event):
                self._remember(event)
        except Forged as problem:
            security_log.warning("%s for portal %s refused: %s", event.name, event.member_id, problem.reason)
            raise

    def catch_up(self) -> int:
        """Prove and apply the removals that were postponed; returns how many were carried out.

        What cannot be applied yet goes on waiting.
        """
        carried_out = 0
        for removal in self._postponed.waiting():
            try:
                self._uninstalled(_as_event(removal))
                carried_out += 1
            except (SQLAlchemyError, TryLater) as problem:
                log.warning("the removal by portal %s goes on waiting: %s", removal.member_id, type(problem).__name__)
                break
            except Forged as problem:
                security_log.warning("%s for portal %s refused: %s", REMOVAL, removal.member_id, problem.reason)
            self._postponed.forget(removal)
        return carried_out

    def _uninstalled_or_postponed(self, event: Event) -> None:
        try:
            self._uninstalled(event)
        except (SQLAlchemyError, TryLater) as problem:
            clean = event.data.get("CLEAN") == "1"
            if not self._postponed.keep(PostponedRemoval(event.member_id, event.application_token, clean, event.ts)):
                raise
            log.warning("the removal by portal %s is postponed: %s", event.member_id, type(problem).__name__)
            if self._retrying.acquire(blocking=False):
                self._later()

    def _later(self) -> None:
        timer = threading.Timer(RETRY_SECONDS, self._try_again)
        timer.daemon = True
        timer.start()

    def _try_again(self) -> None:
        """Until nothing waits any more; after the end of this process daily care and the next event do it."""
        self.catch_up()
        if any(True for _ in self._postponed.waiting()):
            self._later()
        else:
            self._retrying.release()

    def _apply(self, event: Event) -> bool:
        """Whether the event did something; one that did not must not keep a later one of the same second away."""
        if event.name == "ONAPPUSERREADY":
            self._user_ready(event)
            return True
        if event.name in ("ONAPPINSTALL", "ONAPPUPDATE") and event.auth.get("access_token"):
            self._installed(event)
            return True
        self._known_portal(event)
        log.info("%s of portal %s brings nothing to act on", event.name, event.member_id)
        return False

    def _installed(self, event: Event) -> None:
        """Note the version that an administrator vouches for; one of automation has no token and changes nothing."""
        portal = self._taken_in(event, *self._vouched(event))
        version = event.data.get("VERSION", "")
        if version.isdecimal() and len(version) < 10 and int(version) != portal.version:
            self._installations.updated(portal, int(version))

    def _uninstalled(self, event: Event) -> None:
        """End the installation unless the authorization server says that it stands; its silence ends it, too.

        The event comes once, so it is compared with what is stored until both hold still.
        """
        standing = self._check.contradicts(self._known_portal(event).id)
        if standing is Standing.INSTALLED:
            raise Forged("the authorization server says that the app is installed")
        clean, confirmed = event.data.get("CLEAN") == "1", standing is Standing.REMOVED
        for _ in range(MOST_COMPARISONS):
            portal = self._known_portal(event)
            if self._uninstallations.end_by_event(portal, clean=clean, confirmed=confirmed):
                return
        raise PortalBusy("PORTAL_UNDER_CHANGE", retry_after=1)

    def _user_ready(self, event: Event) -> None:
        """Tokens of the system user are in `data`; `auth` says by whose hand the app was installed.

        The application token proves nothing here, because every user's frame is posted with it: an administrator's
        access token must come in `auth`, and another user's of the same portal in `data`.
        """
        launch, installer = self._vouched(event)
        claims = {**event.data, "member_id": event.member_id}
        given = Launch.of_event(claims, event.application_token, event.language)
        system = self._installations.prove(given, remembered=False)
        if system.user_id == installer.user_id:
            raise Forged("the installing user's own token came as the system user's")
        portal = self._taken_in(event, launch, installer)
        self._installations.keep_system_user(portal, system, given)

    def _vouched(self, event: Event) -> tuple[Launch, Proof]:
        """The user whose token the event brings in `auth`, proved now; `take_in` wants an administrator."""
        launch = Launch.of_event(event.auth, event.application_token, event.language)
        return launch, self._installations.prove(launch, remembered=False)

    def _taken_in(self, event: Event, launch: Launch, proof: Proof) -> Portal:
        portal = self._installations.take_in(proof, launch)
        if event.data.get("LANGUAGE_ID") and portal.language != event.language:
            self._installations.speaks(portal, event.language)
        return portal

    def _known_portal(self, event: Event) -> Portal:
        portal = self._installations.find(event.member_id)
        if portal is None or not self._installations.knows_token(portal, event.application_token):
            raise Forged("the application token is not this portal's")
        return portal

    def _is_new(self, event: Event) -> bool:
        with self._sessions() as session:
            same = select(LifecycleEvent.id).where(
                LifecycleEvent.member_id == event.member_id,
                LifecycleEvent.event == event.name,
                LifecycleEvent.ts == event.ts,
            )
            return session.scalar(same) is None

    def _remember(self, event: Event) -> None:
        try:
            with self._sessions.begin() as session:
                session.add(
                    LifecycleEvent(member_id=event.member_id, event=event.name, ts=event.ts, received_at=self._clock())
                )
        except IntegrityError:
            log.info("%s of portal %s came twice at once; its effect is the same", event.name, event.member_id)


def _as_event(removal: PostponedRemoval) -> Event:
    auth = {"member_id": removal.member_id, "application_token": removal.application_token}
    return Event(REMOVAL, removal.ts, auth, {"CLEAN": "1" if removal.clean else "0"})


def _part(form: Mapping[str, str], name: str) -> dict[str, str]:
    """The leaves `name[key]` of a form, one level deep; lifecycle events have no deeper ones."""
    start, end = f"{name}[", "]"
    return {key[len(start) : -1]: value for key, value in form.items() if key.startswith(start) and key.endswith(end)}
