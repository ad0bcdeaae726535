"""Who may see hosted connections: only whom the portal lets work with BI data.

Connections live in our own database, so a page about them could show a colleague without any right what a database
holds. The portal decides: a list of connectors needs both of its permissions (facts/biconnector 1.8).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from cachetools import TTLCache
from flask import current_app
from flask.blueprints import BlueprintSetupState

from admin import blueprint
from web.session import current_session, portal_client

P = ParamSpec("P")
R = TypeVar("R")

PROVEN_SECONDS = 60.0
_lock = threading.Lock()


@blueprint.record_once
def remember_analysts(state: BlueprintSetupState) -> None:
    """Make what the application remembers of whom the portal has shown its connectors."""
    state.app.extensions["analysts"] = TTLCache(10_000, PROVEN_SECONDS)


def analysts_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view run only for users whom the portal shows its connectors; raises `AccessDenied` for others.

    The portal's answer is good for a minute.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        who = current_session()
        # Databases give numbers again: that of an ended session may be another user's within the minute.
        key = (who.member_id, who.user_id, who.session_id)
        with _lock:
            known = key in current_app.extensions["analysts"]
        if not known:
            portal_client().call("biconnector.connector.list", select=["id"], order={"id": "ASC"}, page=1)
            with _lock:
                current_app.extensions["analysts"][key] = True
        return view(*args, **kwargs)

    return guarded
