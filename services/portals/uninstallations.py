"""Uninstallations: a portal removes the app, by its event or by a sign (facts/platform 8, facts/security 1.21).

Whether it really did, `installation_check` finds out before. From the next request on sessions, tokens and keys are of
no use. What an event asks to delete, and what logs in where nobody could confirm the removal, waits for a quarantine:
an installation that returns meanwhile finds everything. Afterwards daily care deletes it, or whoever comes before that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from errors import ApplicationError
from models import (
    ConnectionRow,
    EndpointCall,
    HostedConnectorRow,
    LifecycleEvent,
    Portal,
    Sessions,
    UserSession,
    UserToken,
    Vault,
    now,
)
from services.connections.repository import close
from services.connections.uploads import Uploads
from services.portals.launches import Verifier

log = logging.getLogger(__name__)

SIGNS = frozenset({"not_installed", "application_not_found", "error_oauth"})
"""Codes of answers that say that the app was removed (facts/platform 8); none of them is believed at once."""
KEPT_AFTER_UNINSTALL = timedelta(days=30)
"""How long settings without secrets outlive an uninstallation that did not ask to delete them (facts/security 1.21)."""
KEPT_WITHOUT_SIGN = timedelta(days=180)
"""A portal whose users did not come for as long as a refresh token lives, and whose charts asked for nothing either,
has left without telling."""


@dataclass(frozen=True)
class Leaving:
    """A portal whose data daily care deletes now, and why: `removed`, `silent` or `erasure`.

    Of one with `logins` only passwords and keys go; nobody could confirm its removal.
    """

    portal_id: int
    member_id: str
    why: str


class Uninstallations:
    """Ends what a portal that left had here."""

    def __init__(
        self,
        sessions: Sessions,
        vault: Vault,
        verifier: Verifier,
        uploads: Uploads,
        *,
        quarantine: timedelta = timedelta(hours=48),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._sessions, self._vault, self._verifier = sessions, vault, verifier
        self._uploads, self._quarantine, self.clock = uploads, quarantine, clock

    def end_by_event(self, portal: Portal, *, clean: bool, confirmed: bool) -> bool:
        """Its event came: tokens, sessions and keys end at once, and everything is deleted later if `clean`.

        `confirmed`: the authorization server says so too; credentials that shall not be kept at all go at once then.
        The caller has compared the application token of `portal` as it was read. False, and nothing happens, if that
        changed meanwhile: it was sealed anew, came with a new installation, or another delivery was faster.
        """
        same = (Portal.id == portal.id, Portal.application_token == portal.application_token)
        with self._sessions.begin() as session:
            asked = self.clock() if clean else None
            if not _leave(session, *same, moment=self.clock(), application_token=None, erasure_asked_at=asked):
                return False
            self._end(session, portal.id, connections=confirmed and not clean)
            _forget_events(session, portal)
        self._verifier.forget()
        log.info(
            "portal %s uninstalled the app, its authorization server %s: tokens and sessions are deleted, %s",
            portal.member_id,
            "confirms it" if confirmed else "does not tell",
            f"everything else in {self._quarantine}" if clean else "settings stay for a while",
        )
        self.carry_out(portal.id)
        return True

    def end_by_sign(self, portal_id: int, code: str, *, confirmed: bool) -> None:
        """An answer of `SIGNS` was proved; the same as the event without `clean`.

        The application token stays, so that the event can still prove itself when it comes late.
        """
        installed = (Portal.id == portal_id, Portal.state.in_(("active", "closed")))
        with self._sessions.begin() as session:
            if _leave(session, *installed, moment=self.clock()):
                self._end(session, portal_id, connections=confirmed)
        self._verifier.forget()
        log.warning("portal %s answers %s: the app counts as removed", portal_id, code)

    def carry_out(self, portal_id: int) -> bool:
        """What the removal of a portal left to do after the quarantine, if that is over; whether all was deleted."""
        over = (Portal.id == portal_id, Portal.state == "uninstalled", Portal.uninstalled_at <= self._quarantined())
        with self._sessions.begin() as session:
            portal = session.scalar(select(Portal).where(*over))
            if portal is None:
                return False
            erased = portal.erasure_asked_at is not None
            if erased:
                _delete(session, portal)
            else:
                close(session, self._vault, portal_id, self.clock())
        if erased:
            self._erase_files(portal_id)
            log.info("portal %s asked to delete its data: deleted", portal_id)
        return erased

    def erase(self, member_id: str) -> bool:
        """Delete everything of a portal now, whatever its state; False if there is no such portal.

        Raises `NotOurs`, and nothing is deleted, where its files could not be.
        """
        self._uploads.owner.require()
        with self._sessions.begin() as session:
            portal = session.scalar(select(Portal).where(Portal.member_id == member_id))
            if portal is None:
                return False
            portal_id = portal.id
            _delete(session, portal)
        self._verifier.forget()
        self._uploads.erase(portal_id)
        log.info("all data of portal %s were deleted by the operator", member_id)
        return True

    def due(self) -> list[Leaving]:
        """What `purge` would delete now."""
        with self._sessions() as session:
            leaving = self._leaving(session)
            numbers = {each.portal_id for each in leaving}
            return leaving + [each for each in self._quarantine_over(session) if each.portal_id not in numbers]

    def purge(self) -> int:
        """Delete what was kept long enough of portals that left, with or without telling; returns how many."""
        with self._sessions.begin() as session:
            leaving = self._leaving(session)
            for portal in session.scalars(select(Portal).where(Portal.id.in_([each.portal_id for each in leaving]))):
                _delete(session, portal)
            longest = self.clock() - KEPT_WITHOUT_SIGN
            session.execute(delete(LifecycleEvent).where(LifecycleEvent.received_at < longest))
            due = self._quarantine_over(session)
        for each in leaving:
            if each.why == "silent":
                # Nobody said so: the files can still be brought back for a while.
                self._uploads.discard_all(each.portal_id)
            else:
                self._erase_files(each.portal_id)
        return len(leaving) + sum(self.carry_out(each.portal_id) for each in due)

    def _leaving(self, session: Session) -> list[Leaving]:
        moment = self.clock()
        told = (Portal.state == "uninstalled") & (Portal.uninstalled_at < moment - KEPT_AFTER_UNINSTALL)
        used = select(UserToken.portal_id).where(UserToken.expires_at >= moment - KEPT_WITHOUT_SIGN)
        asked = select(EndpointCall.portal_id).where(EndpointCall.at >= moment - KEPT_WITHOUT_SIGN)
        silent = (Portal.created_at < moment - KEPT_WITHOUT_SIGN) & Portal.id.not_in(used) & Portal.id.not_in(asked)
        found = session.scalars(select(Portal).where(Portal.state != "local", or_(told, silent)))
        return _as_leaving(found.all(), lambda portal: "removed" if portal.state == "uninstalled" else "silent")

    def _quarantine_over(self, session: Session) -> list[Leaving]:
        connected = select(HostedConnectorRow.portal_id).join(
            ConnectionRow, HostedConnectorRow.id == ConnectionRow.connector_id
        )
        open_ones = Portal.id.in_(connected.where(ConnectionRow.closed_at.is_(None)))
        over = (Portal.state == "uninstalled") & (Portal.uninstalled_at <= self._quarantined())
        due = or_(Portal.erasure_asked_at.is_not(None), open_ones)
        found = session.scalars(select(Portal).where(over, due))
        return _as_leaving(found.all(), lambda portal: "erasure" if portal.erasure_asked_at else "logins")

    def _erase_files(self, portal_id: int) -> None:
        """Delete the files of a portal whose rows are gone; what cannot be deleted is found by daily care again."""
        try:
            self._uploads.erase(portal_id)
        except (ApplicationError, OSError) as problem:
            log.error("files of portal %s stay where they are: %s", portal_id, problem)

    def _quarantined(self) -> datetime:
        """The moment before which a removal has to be for its quarantine to be over."""
        return self.clock() - self._quarantine

    def _end(self, session: Session, portal_id: int, *, connections: bool = True) -> None:
        for model in (UserToken, UserSession):
            session.execute(delete(model).where(model.portal_id == portal_id))
        if connections:
            close(session, self._vault, portal_id, self.clock())


def _leave(session: Session, *which: Any, moment: datetime, **values: datetime | None) -> bool:
    """Mark the portal as gone; whether it was this one caller who did."""
    gone = {"state": "uninstalled", "uninstalled_at": moment, "doubted_at": None}
    gone |= {"background_user_id": None, "capabilities": None}
    marked: Any = session.execute(
        update(Portal).where(*which).values(gone | values), execution_options={"synchronize_session": False}
    )
    return bool(marked.rowcount == 1)


def _as_leaving(portals: Sequence[Portal], why: Callable[[Portal], str]) -> list[Leaving]:
    return [Leaving(portal.id, portal.member_id, why(portal)) for portal in portals]


def _delete(session: Session, portal: Portal) -> None:
    _forget_events(session, portal)
    session.execute(delete(Portal).where(Portal.id == portal.id))


def _forget_events(session: Session, portal: Portal) -> None:
    """Let the events of the next installation be new, also those of the same second; `ts` counts no less."""
    session.execute(delete(LifecycleEvent).where(LifecycleEvent.member_id == portal.member_id))
