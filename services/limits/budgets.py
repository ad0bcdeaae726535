"""Budgets of failures: how many wrong passwords and connects are allowed until we refuse (facts/security 4).

Counts are in the database, so that they hold for all processes together. Only failures are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from egress.errors import TargetError
from models import Sessions, Strike, now


class BudgetSpent(TargetError):
    """Nothing was connected: too much of something before.

    Codes: `failed_logins`, `failed_connects`, `new_targets`, `bad_keys`, `requests`.
    """


@dataclass(frozen=True)
class Budget:
    """`most` failures within `window`, counted from the first one, are borne."""

    name: str
    most: int
    window: timedelta


FAILED_LOGINS = Budget("login", 5, timedelta(minutes=15))
"""Of one user at one server, by whichever connection of one portal; a login that works lifts it."""
GUESSED_LOGINS = Budget("guess", 5, timedelta(minutes=15))
"""Of one user at one server, of all portals together: over it only those are refused that have guessed themselves."""
GUESSES = 2
"""Failures of one's own that make a guesser: one of them is a slip."""
FAILED_CONNECTS = Budget("connect", 30, timedelta(hours=1))
"""Of one connection."""
NEW_TARGETS = Budget("target", 5, timedelta(hours=1))
"""Servers that were never asked before, through one connector whose credentials are typed in the portal."""


class Budgets:
    """Counts failures and tells when there were too many."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self.clock = sessions, clock

    def is_spent(self, budget: Budget, *subject: str) -> bool:
        """Whether no further attempt may be made for `subject` now."""
        return self.count(budget, *subject) >= budget.most

    def count(self, budget: Budget, *subject: str) -> int:
        """How many failures of `subject` count now."""
        with self._sessions() as session:
            strike = session.get(Strike, (budget.name, _hashed(subject)))
            return strike.count if strike is not None and self.clock() < strike.since + budget.window else 0

    def strike(self, budget: Budget, *subject: str) -> None:
        """Count one failure of `subject`; the first after the window starts a new one."""
        moment, key = self.clock(), _hashed(subject)
        mine = (Strike.budget == budget.name, Strike.subject == key)
        with self._sessions.begin() as session:
            session.execute(delete(Strike).where(*mine, Strike.since <= moment - budget.window))
        one_more = update(Strike).where(*mine).values(count=Strike.count + 1)
        with self._sessions.begin() as session:
            counted: Any = session.execute(one_more, execution_options={"synchronize_session": False})
            if counted.rowcount:
                return
        try:
            with self._sessions.begin() as session:
                session.add(Strike(budget=budget.name, subject=key, count=1, since=moment))
        except IntegrityError:
            # Another process was the first one.
            with self._sessions.begin() as session:
                session.execute(one_more, execution_options={"synchronize_session": False})

    def forgive(self, budget: Budget, *subject: str) -> None:
        """Forget the failures of `subject`."""
        with self._sessions.begin() as session:
            session.execute(delete(Strike).where(Strike.budget == budget.name, Strike.subject == _hashed(subject)))

    def purge(self) -> None:
        """Delete counts that no budget needs any more."""
        with self._sessions.begin() as session:
            session.execute(delete(Strike).where(Strike.since < self.clock() - timedelta(days=1)))


def _hashed(subject: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(subject).encode()).hexdigest()
