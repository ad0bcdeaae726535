"""The installer's address: one URL, told apart by what is posted (facts/platform 1.3).

| what comes | what it is | answer |
|---|---|---|
| `GET`, `HEAD` | the vendor's check of the address | 200 |
| `event=...` | a lifecycle event | 200, 403 if not proved, 503 if it could not be proved now |
| `AUTH_ID=...` | an administrator's browser in the installer's frame | the page that ends the installation |
| `_s=...` | the same browser, trying again after binding failed | the same |
| `_launch=...` | the same browser, trying again after nothing could be proved | the same |

Errors become pages here and nowhere else: `Forged` 403, `AccessDenied` 403, `Reopen` 401, `TryLater` 503 with a way to
try again, `GiveUp` 409.
"""

from __future__ import annotations

import logging

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from config import origin_of
from errors import (
    AccessDenied,
    ApplicationError,
    AskUser,
    Forged,
    GiveUp,
    PaymentRequired,
    PortalRefused,
    Reopen,
    TryLater,
)
from sentences.lookup import of_code
from services.portals import postponed_launches
from services.portals.launches import Launch
from services.portals.lifecycle import Event
from services.portals.origins import is_framed, is_own_request
from services.sessions.user_sessions import ActiveSession
from services.wiring import INSTALL_PATH
from web.session import TOKEN_FIELD, services, show_in_frame

log = logging.getLogger(__name__)

blueprint = Blueprint("install", __name__, url_prefix=INSTALL_PATH.rstrip("/"), static_folder="static")


@blueprint.get("/")
def check() -> ResponseReturnValue:
    """The vendor's console asks whether the address answers (facts/platform 9 T1)."""
    return render_template("install/front.html")


@blueprint.post("/")
def arrive() -> ResponseReturnValue:
    """An event, the installer's launch, or another try of it; after the removals that came while nobody could look."""
    services().lifecycle.catch_up()
    if "event" in request.form:
        return take_event()
    if "AUTH_ID" not in request.form and TOKEN_FIELD in request.form:
        return try_again()
    return install()


def take_event() -> ResponseReturnValue:
    """Apply a lifecycle event; the answer says nothing but its status."""
    try:
        services().lifecycle.accept(Event.parse(request.form))
    except Forged:
        return _plain(403)
    except ApplicationError as problem:
        log.warning("an event could not be applied: %s", problem)
        return _plain(409 if isinstance(problem, GiveUp) else 503)
    return _plain(200)


def install() -> ResponseReturnValue:
    """Record the portal, bind its events, and send the page that tells Bitrix24 that the installation is complete."""
    framed = is_framed(request.headers.get("Sec-Fetch-Dest"))
    if not framed and not services().settings.allow_open_outside_frame:
        abort(403, "The installer opens in a frame of Bitrix24 only.")
    installations = services().installations
    launch: Launch | None = None
    try:
        launch = _launch()
        show_in_frame(installations.known_origin(launch), launch.language)
        proof = installations.prove(launch, remembered=False)
        show_in_frame(origin_of(proof.endpoint), launch.language)
        arrival = installations.install(proof, launch)
    except ApplicationError as problem:
        return _problem(problem, launch=launch)
    token, current = services().user_sessions.open(
        arrival.portal_id, arrival.user_id, is_admin=arrival.is_admin, language=arrival.language
    )
    return _bind(token, current)


def _launch() -> Launch:
    """What the portal's page posts, or our own page that offers another try."""
    sealed = request.form.get(postponed_launches.FIELD, "")
    if sealed:
        return services().postponed_launches.unsealed(sealed, blueprint.name)
    return Launch.parse(request.args, request.form)


def try_again() -> ResponseReturnValue:
    """Bind again, for the administrator whose first try failed; only our own page asks for this."""
    own = {origin_of(request.host_url), origin_of(services().settings.base_url)}
    if not is_own_request(request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin"), own):
        abort(403, "The request comes from another site.")
    token = request.form[TOKEN_FIELD]
    try:
        current = services().user_sessions.find(token)
    except ApplicationError as problem:
        return _problem(problem)
    show_in_frame(current.origin, current.language)
    if not current.is_admin:
        return _problem(AccessDenied("user.admin", "ADMINISTRATOR_NEEDED"))
    return _bind(token, current)


def _bind(token: str, current: ActiveSession) -> ResponseReturnValue:
    show_in_frame(current.origin, current.language)
    try:
        services().installations.bind(current.portal_id, current.user_id)
    except ApplicationError as problem:
        return _problem(problem, retry_token=token)
    return render_template("install/finish.html")


def _problem(problem: ApplicationError, *, retry_token: str = "", launch: Launch | None = None) -> ResponseReturnValue:
    status, code = _code_of(problem)
    log.warning("installing failed: %s", problem)
    fields: dict[str, str] = {}
    if isinstance(problem, TryLater | AskUser) and not _is_for_administrators(problem):
        if retry_token:
            fields = {TOKEN_FIELD: retry_token}
        elif launch is not None:
            fields = {postponed_launches.FIELD: services().postponed_launches.sealed(launch, blueprint.name)}
    return render_template("install/problem.html", sentence=of_code(code), retry=fields), status


def _is_for_administrators(problem: ApplicationError) -> bool:
    return isinstance(problem, AccessDenied) and problem.code == "ADMINISTRATOR_NEEDED"


def _code_of(problem: ApplicationError) -> tuple[int, str]:
    """Status and code of an error; the codes are those of `sentences.installation`."""
    if isinstance(problem, Forged):
        return 403, "INSTALLER_FORGED"
    if _is_for_administrators(problem):
        return 403, "ADMINISTRATOR_NEEDED"
    if isinstance(problem, PortalRefused) and problem.code == "METHOD_MISSING":
        return 409, problem.code
    if isinstance(problem, AskUser):
        return 403, "INSTALLATION_REFUSED"
    if isinstance(problem, Reopen):
        return 401, "INSTALLER_TOO_OLD"
    if isinstance(problem, PaymentRequired):
        return 409, "INSTALLATION_NOT_PAID"
    if isinstance(problem, GiveUp):
        return 409, "INSTALLATION_REMOVED"
    return 503, "INSTALLATION_UNANSWERED"


def _plain(status: int) -> ResponseReturnValue:
    return "", status, {"Content-Type": "text/plain; charset=utf-8"}
