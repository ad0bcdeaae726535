"""Two-phase rotation of a key that a portal keeps for us (facts/security 4 "Rotation").

    1  read what the portal has            a failure ends here: nothing was changed
    2  let that key be the current one     an earlier rotation may have ended half-way
    3  mint the next key                   it opens from now on, beside the current one
    4  write it to the portal              whatever comes of this, both keys open
    5  read what the portal has
    6  let that key be the current one     the former one opens for another day

Only what was read back moves a key, so wherever a portal fails or lies, the key that it has registered opens.
"""

from __future__ import annotations

from collections.abc import Callable

from errors import ApplicationError, PortalBusy, PortalRefused
from services.connections.repository import ConnectionRepository, KeyedModel

NOT_TAKEN = "KEY_NOT_TAKEN"


def rotate(
    rows: ConnectionRepository, model: KeyedModel, row_id: int, read: Callable[[], str], write: Callable[[str], None]
) -> None:
    """Give the row another key; `read` tells which one the portal has (empty for none), `write` tells it a new one.

    Raises `PortalBusy` while another rotation of the row runs, `PortalRefused` (`KEY_NOT_TAKEN`) if the portal still
    has another key, and what `read` and `write` raise.
    """
    if not rows.claim(model, row_id):
        raise PortalBusy("ROTATION_UNDER_WAY", retry_after=10)
    try:
        rows.settle(model, row_id, read())
        _replace(rows, model, row_id, read, write)
    finally:
        rows.release(model, row_id)


def _replace(
    rows: ConnectionRepository, model: KeyedModel, row_id: int, read: Callable[[], str], write: Callable[[str], None]
) -> None:
    key = rows.mint(model, row_id)
    problem: ApplicationError = PortalRefused("rotation", NOT_TAKEN)
    try:
        write(key)
    except ApplicationError as refused:
        # The answer may be lost while the key arrived: what the portal has decides.
        problem = refused
    try:
        found = read()
    except ApplicationError as lost:
        raise problem from lost
    rows.settle(model, row_id, found)
    if found != key:
        raise problem
