"""Changing calls to a portal whose answer got lost: looked up, never repeated.

Classic REST has no protection against doing a thing twice (facts/platform 5.1): when the answer to an `add` is lost,
the object is looked up instead of being added again. Nothing keeps titles apart, so only an object with a higher id
than any that looked like it before counts as made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from errors import ApplicationError, NotFound, OutcomeUnknown, PortalUnreachable

T = TypeVar("T")


def settled(change: Callable[[], T], look_up: Callable[[], T | None]) -> T:
    """The outcome of `change`; if its answer is lost, what `look_up` finds.

    Raises `OutcomeUnknown` if the look-up finds nothing or fails as well, and whatever else `change` raises.
    """
    try:
        return change()
    except PortalUnreachable as lost:
        if not lost.sent:
            raise
        try:
            found = look_up()
        except ApplicationError as problem:
            raise OutcomeUnknown("the answer was lost and so was the look-up") from problem
        if found is None:
            raise OutcomeUnknown("the answer was lost") from lost
        return found


def added(add: Callable[[], int], newest_like: Callable[[], int]) -> int:
    """The id of what `add` makes; `newest_like` gives the highest id of objects that look like it, 0 if there is none.

    Such objects are looked up before the addition, and again if its answer is lost. Raises `OutcomeUnknown` if there is
    no new one then, and whatever else the calls raise.
    """
    before = newest_like()

    def made() -> int | None:
        newest = newest_like()
        return newest if newest > before else None

    return settled(add, made)


def updated(change: Callable[[], Any]) -> None:
    """Make a change that cannot be looked up by its result; raises `OutcomeUnknown` if its answer is lost."""
    settled(lambda: bool(change()) or True, lambda: None)


def deleted(change: Callable[[], Any], read: Callable[[], Any]) -> None:
    """Make a deletion; if its answer is lost, it counts as done when `read` no longer finds the object."""

    def is_absent() -> bool | None:
        try:
            read()
        except NotFound:
            return True
        return None

    settled(lambda: bool(change()) or True, is_absent)
