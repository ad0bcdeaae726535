"""A cache of answers of our own database, for the minute in which it gives none (facts/security 7)."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cachetools import TTLCache
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 60.0
MOST_ANSWERS = 5000

Said = TypeVar("Said")


class StaleCache:
    """Remembers answers; only their hashed subjects are kept beside them, since those hold keys and passwords."""

    def __init__(self, seconds: float = REMEMBERED_SECONDS) -> None:
        self._answers: TTLCache[str, Any] = TTLCache(MOST_ANSWERS, seconds)
        self._lock = threading.Lock()

    def ask(self, about: tuple[str, ...], question: Callable[[], Said | None]) -> Said | None:
        """What `question` says now, or said within the last minute if our database does not answer.

        None is never remembered, and ends what was. Raises `SQLAlchemyError` where nothing is remembered.
        """
        subject = hashlib.sha256("\0".join(about).encode()).hexdigest()
        try:
            said = question()
        except SQLAlchemyError:
            with self._lock:
                remembered: Said | None = self._answers.get(subject)
            if remembered is None:
                raise
            return remembered
        with self._lock:
            if said is None:
                self._answers.pop(subject, None)
            else:
                self._answers[subject] = said
        return said


@contextlib.contextmanager
def if_it_answers() -> Iterator[None]:
    """Write something to our own database; whatever that fails at is no reason to fail the call."""
    try:
        yield
    except SQLAlchemyError as failure:
        log.warning("the app's database did not answer: %s", type(failure).__name__)
