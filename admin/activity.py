"""The activity page: what the portal asked of hosted connections, and how that ended."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from admin import blueprint
from admin.access import analysts_only
from admin.listing import list_answer, list_state
from web.forms import number_in
from web.session import current_session, services


@blueprint.route("/activity/", methods=["GET", "POST"])
@analysts_only
def activity() -> ResponseReturnValue:
    """Calls, newest first; of one connection or all, answered or failed, or the one with a reference."""
    portal_id = current_session().portal_id
    state = list_state("admin.activity", ("at",), ("status", "connection"), descending=True)
    titles = services().repository.titles(portal_id)
    page = services().call_log.page(
        portal_id,
        connection_id=number_in(state.filters["connection"]),
        status=state.filters["status"],
        search=state.search,
        number=state.page,
    )
    chosen = number_in(state.filters["connection"])
    failing = services().health.failing([number for number in titles if chosen in (None, number)])
    html = render_template("activity/list.html", state=state, page=page, titles=titles, failing=failing)
    return list_answer(html, state)
