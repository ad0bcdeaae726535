"""Form nonces: a form acts once, however often it is sent (facts/security 2.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from errors import PortalBusy
from models import FormNonce, Sessions, now

ABANDONED = timedelta(minutes=5)
"""A use that neither finished nor failed for this long died with its process; the form may act again."""


class FormNonces:
    """Claims of forms; a form is known by its own path and its nonce, within one session.

    A nonce that one form has used says nothing about a form elsewhere.
    """

    def __init__(self, sessions: Sessions, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._clock = sessions, clock

    def claim(self, session_id: int, form: str, nonce: str) -> str | None:
        """None if this is the first use of the form at the path `form` and the caller may act; else where that led to.

        Raises `PortalBusy` while the first use still runs.
        """
        key = _key(session_id, form, nonce)
        with self._sessions.begin() as session:
            stale = FormNonce.created_at <= self._clock() - ABANDONED
            session.execute(delete(FormNonce).where(FormNonce.nonce_hash == key, FormNonce.outcome.is_(None), stale))
        try:
            with self._sessions.begin() as session:
                session.add(FormNonce(nonce_hash=key, session_id=session_id, created_at=self._clock()))
        except IntegrityError:
            with self._sessions() as session:
                outcome = session.scalar(select(FormNonce.outcome).where(FormNonce.nonce_hash == key))
            if outcome is None:
                raise PortalBusy("FORM_UNDER_WAY", retry_after=2) from None
            return outcome
        return None

    def finish(self, session_id: int, form: str, nonce: str, path: str) -> None:
        """The form acted; `path` is the page that shows what came of it."""
        with self._sessions.begin() as session:
            use = update(FormNonce).where(FormNonce.nonce_hash == _key(session_id, form, nonce))
            session.execute(use.values(outcome=path))

    def release(self, session_id: int, form: str, nonce: str) -> None:
        """The form did not act (its input was refused, or the portal was): it may be sent again."""
        with self._sessions.begin() as session:
            unfinished = FormNonce.outcome.is_(None)
            session.execute(delete(FormNonce).where(FormNonce.nonce_hash == _key(session_id, form, nonce), unfinished))


def _key(session_id: int, form: str, nonce: str) -> str:
    return hashlib.sha256(f"{session_id}|{form}|{nonce}".encode()).hexdigest()
