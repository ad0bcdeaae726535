"""The entry: a portal's page posts a launch, and gets a session and the first page for it (facts/security 2.2).

`POST /` answers with the page itself, 200: a redirect could not carry the session's token. `POST /session/renew` gives
a page that stays open another token.
"""

from __future__ import annotations

import logging

from flask import Blueprint, abort, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from admin.start import start_page
from config import origin_of
from errors import Forged, SessionEnded
from services.portals import postponed_launches
from services.portals.launches import Launch
from services.portals.origins import is_framed
from web.session import begin, carried_token, services, session_required, show_in_frame

security_log = logging.getLogger("security")

blueprint = Blueprint("entry", __name__)


@blueprint.get("/")
def front() -> ResponseReturnValue:
    """A page for those who come without a portal; also what the vendor's check of the address gets.

    In a session it is the first page: the browser's way back to the launch asks for this address with the token.
    """
    try:
        session_required()
    except SessionEnded:
        return render_template("install/front.html")
    return start_page()


@blueprint.post("/")
def open_app() -> ResponseReturnValue:
    """Open a session for the user of a portal's frame and show the first page."""
    framed = is_framed(request.headers.get("Sec-Fetch-Dest"))
    if not framed and not services().settings.allow_open_outside_frame:
        security_log.warning("a launch outside a frame was refused")
        abort(403, "The app opens in a frame of Bitrix24 only.")
    launch = g.launch = _launch()
    # Whatever goes wrong from here on is told inside the frame of a portal that was verified before.
    installations = services().installations
    show_in_frame(installations.known_origin(launch), launch.language)
    proof = installations.prove(launch)
    show_in_frame(origin_of(proof.endpoint), launch.language)
    arrival = installations.open(proof, launch)
    token, current = services().user_sessions.open(
        arrival.portal_id,
        arrival.user_id,
        is_admin=arrival.is_admin,
        language=arrival.language,
    )
    begin(token, current)
    return start_page()


def _launch() -> Launch:
    """What the portal's page posts, or our own page that offers another try (`web.error_pages`)."""
    sealed = request.form.get(postponed_launches.FIELD, "")
    if sealed:
        return services().postponed_launches.unsealed(sealed, blueprint.name)
    return Launch.parse(request.args, request.form)


@blueprint.post("/session/renew")
def renew() -> ResponseReturnValue:
    """A new token for a page that stays open: `{"session": token}`.

    The page sends the old token like any request, and in the body what BX24.refreshAuth gave it: `AUTH_ID`,
    `member_id`, and `REFRESH_ID` if it has one (facts/security 2.4). Both limits of the session start anew.
    """
    old_token = carried_token()
    launch = Launch.parse({}, request.form)
    proof = services().installations.prove(launch)
    try:
        token, current = services().user_sessions.renew(old_token, proof.member_id, proof.user_id)
    except Forged:
        security_log.warning("user %s of portal %s tried to renew a foreign session", proof.user_id, proof.member_id)
        raise
    services().tokens.keep(
        current.portal_id, current.user_id, launch.access_token, proof.expires_at, launch.refresh_token or None
    )
    begin(token, current)
    return jsonify(session=token)
