"""Uninstallations: a portal removes the app, by its event or by a sign (facts/platform 8, facts/security 1.21).

An event is proved by the portal's application token. It comes once, late or never, so an answer which says that the app
is not installed counts as well. Either way sessions, tokens and keys are of no use from the next request on, and
nothing stays that logs in anywhere; what else is kept of connections lets a reinstallation find them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from models import (
    ConnectionRow,
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

DOUBTFUL_SIGNS = frozenset({"error_oauth"})
"""Also what a portal says when it cannot ask its authorization server, so it may pass (decision 8)."""
SIGNS = frozenset({"not_installed", "application_not_found"}) | DOUBTFUL_SIGNS
"""Codes of answers that mean that the app was removed (facts/platform 8)."""
KEPT_IN_DOUBT = timedelta(days=3)
"""How long connections, whose keys open nothing then, wait for somebody who opens the app after a doubtful sign."""
KEPT_AFTER_UNINSTALL = timedelta(days=30)
"""How long settings without secrets outlive an uninstallation that did not ask to delete them (facts/security 1.21)."""
KEPT_WITHOUT_SIGN = timedelta(days=180)
"""A portal whose users did not come for as long as a refresh token lives has left without telling."""


class Uninstallations:
    """Ends what a portal that left had here."""

    def __init__(
        self,
        sessions: Sessions,
        vault: Vault,
        verifier: Verifier,
        uploads: Uploads,
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._sessions, self._vault, self._verifier = sessions, vault, verifier
        self._uploads, self.clock = uploads, clock

    def end_by_event(self, portal: Portal, *, clean: bool) -> bool:
        """Its event came: tokens, sessions, keys and credentials end at once, everything else too if `clean`.

        The caller has compared the application token of `portal` as it was read. False, and nothing happens, if that
        changed meanwhile: it was sealed anew, came with a new installation, or another delivery was faster.
        """
        same = (Portal.id == portal.id, Portal.application_token == portal.application_token)
        with self._sessions.begin() as session:
            if not _leave(session, *same, moment=self.clock(), application_token=None):
                return False
            if clean:
                _delete(session, portal)
            else:
                self._end(session, portal.id)
                _forget_events(session, portal)
        self._verifier.forget()
        if clean:
            self._uploads.discard_all(portal.id)
        what = "all data" if clean else "tokens and credentials"
        log.info("portal %s uninstalled the app, %s deleted", portal.member_id, what)
        return True

    def end_by_sign(self, portal_id: int, code: str) -> None:
        """The portal or its authorization server answers one of `SIGNS`; the same as the event without `clean`.

        The application token stays, so that the event can still prove itself when it comes late; and connections stay
        whole for a while if the sign is doubtful.
        """
        doubtful = code.lower() in DOUBTFUL_SIGNS
        installed = (Portal.id == portal_id, Portal.state.in_(("active", "closed")))
        with self._sessions.begin() as session:
            _leave(session, *installed, moment=self.clock())
            self._end(session, portal_id, connections=not doubtful)
        self._verifier.forget()
        log.warning("portal %s answers %s: the app counts as removed", portal_id, code)

    def purge(self) -> int:
        """Delete what was kept long enough of portals that left, with or without telling; returns how many."""
        moment = self.clock()
        told = Portal.uninstalled_at < moment - KEPT_AFTER_UNINSTALL
        doubted = (Portal.state == "uninstalled") & (Portal.uninstalled_at < moment - KEPT_IN_DOUBT)
        with self._sessions.begin() as session:
            alive = select(UserToken.portal_id).where(UserToken.expires_at >= moment - KEPT_WITHOUT_SIGN)
            silent = (Portal.created_at < moment - KEPT_WITHOUT_SIGN) & Portal.id.not_in(alive)
            left = session.scalars(select(Portal).where(Portal.state != "local", or_(told, silent))).all()
            over = [portal.id for portal in left]
            for portal in left:
                _delete(session, portal)
            session.execute(delete(LifecycleEvent).where(LifecycleEvent.received_at < moment - KEPT_WITHOUT_SIGN))
            connected = (
                select(Portal.id)
                .join(HostedConnectorRow)
                .join(ConnectionRow, HostedConnectorRow.id == ConnectionRow.connector_id)
            )
            in_doubt = session.scalars(connected.where(doubted, ConnectionRow.closed_at.is_(None)).distinct()).all()
            for portal_id in in_doubt:
                self._end(session, portal_id)
        for portal_id in over:
            self._uploads.discard_all(portal_id)
        return len(left)

    def _end(self, session: Session, portal_id: int, *, connections: bool = True) -> None:
        for model in (UserToken, UserSession):
            session.execute(delete(model).where(model.portal_id == portal_id))
        if connections:
            close(session, self._vault, portal_id, self.clock())


def _leave(session: Session, *which: Any, moment: datetime, **values: None) -> bool:
    """Mark the portal as gone; whether it was this one caller who did."""
    gone = {"state": "uninstalled", "uninstalled_at": moment, "background_user_id": None, "capabilities": None}
    marked: Any = session.execute(
        update(Portal).where(*which).values(gone | values), execution_options={"synchronize_session": False}
    )
    return bool(marked.rowcount == 1)


def _delete(session: Session, portal: Portal) -> None:
    _forget_events(session, portal)
    session.execute(delete(Portal).where(Portal.id == portal.id))


def _forget_events(session: Session, portal: Portal) -> None:
    """Let the events of the next installation be new, also those of the same second; `ts` counts no less."""
    session.execute(delete(LifecycleEvent).where(LifecycleEvent.member_id == portal.member_id))
