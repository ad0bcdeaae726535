"""Errors become pages here, wherever a door has no answer of its own: this table is the contract of the pages.

    SessionEnded, TokenDead     401  open the app again; what was typed is shown as text
    AccessDenied                403  which right is missing
    NotFound, unknown address   404  it is gone, or another application made it
    InvalidInput, PortalRefused 422  the sentence of the code (forms show it beside the field instead)
    PortalBusy                  503  a limit, the portal's or ours; a retry sends again what was sent
    PortalUnreachable           503  the portal is down; a retry sends again what was sent
    NobodyVouches               503  the authorization server is down; a retry likewise
    OutcomeUnknown              503  it may have been done; look first
    PortalGone, PaymentRequired 403  the app is not installed, or not paid for, any more
    Forged                      403  nothing about why
    OSError                     507  the app's own disk is full; a retry sends again what was sent
    HTTP errors of Flask        their own status

Where a form has acted and only the page after it fails, the status is the same, but the page says that the action is
done, and its retry only looks.

The session script renews the session on 401 and repeats the request once (static/script/session.js).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from flask import Flask, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from errors import (
    AccessDenied,
    ApplicationError,
    AskUser,
    Forged,
    GiveUp,
    InvalidInput,
    NobodyVouches,
    NotFound,
    OutcomeUnknown,
    PaymentRequired,
    PortalBusy,
    PortalUnreachable,
    Reopen,
    SessionEnded,
    TryLater,
    is_disk_full,
)
from sentences.lookup import all_sentences, of_code
from sentences.objects import OUR_WAITS, OUTAGES
from web import logos, permissions, typed_secrets
from web.forms import number_in
from web.session import (
    AGAIN_FIELD,
    NONCE_FIELD,
    TOKEN_FIELD,
    VIEW_FIELD,
    has_acted,
    is_shown_again,
    learn_from,
    next_path,
    services,
    session_required,
)
from web.submission import problems_of

log = logging.getLogger(__name__)

OWN_FIELDS = frozenset({TOKEN_FIELD, NONCE_FIELD, VIEW_FIELD, AGAIN_FIELD})
LISTS = frozenset({"connections", "connectors", "sources", "datasets"})
SOURCE_FORMS = frozenset({"admin.new_source", "admin.edit_source", "admin.new_connection", "admin.edit_connection"})


@dataclass(frozen=True)
class Problem:
    """What a problem page says."""

    status: int
    heading: str
    text: str
    symbol: str


def register(app: Flask) -> None:
    """Let `app` answer with these pages wherever a door has no answer of its own."""
    handlers: Iterable[tuple[type[Exception], Callable[..., ResponseReturnValue]]] = (
        (Reopen, reopen),
        (AccessDenied, access_denied),
        (AskUser, refused),
        (TryLater, try_later),
        (GiveUp, give_up),
        (HTTPException, http_error),
        (OSError, disk_full),
        (ApplicationError, unexpected),
    )
    for kind, handler in handlers:
        app.register_error_handler(kind, handler)


def reopen(error: Reopen) -> ResponseReturnValue:
    """The session or the user's tokens are over; only the portal can open them again."""
    g.pop("app_session", None)
    problem = Problem(401, _("The session has ended"), _why_ended(error), "log-in")
    return _page(problem, typed=() if has_acted() else _typed_values())


def _why_ended(error: Reopen) -> str:
    cause = error.cause if isinstance(error, SessionEnded) else ""
    texts = {
        "": _("Bitrix24 no longer accepts the permission that you gave. Open it again from the portal's menu."),
        "time": _("For your safety the application closes after a while. Open it again from the portal's menu."),
        "opened_elsewhere": _(
            "You have opened the application in many other places since. Open it again from the portal's menu."
        ),
        "unknown": _("This session is not known any more, as after a removal. Open it again from the portal's menu."),
    }
    return str(texts[cause])


def access_denied(error: AccessDenied) -> ResponseReturnValue:
    """Which right is missing, in words."""
    problem = Problem(
        403,
        _("You may not work with BI data yet"),
        _("The portal refused the request. This is what it takes:"),
        "shield-alert",
    )
    return _page(problem, causes=permissions.causes(error), resend=_resend())


def refused(error: AskUser) -> ResponseReturnValue:
    """A refusal outside a form: the object is gone, or the address asks for what the portal does not know."""
    if isinstance(error, NotFound):
        return _page(Problem(404, _("Nothing is here"), of_code(error.code), "compass"), list_url=_list_url())
    learn_from(error)
    return _page(Problem(422, _("The portal refused"), all_sentences(problems_of(error)), "alert"), resend=_resend())


def try_later(error: TryLater) -> ResponseReturnValue:
    """The portal is busy or down, or it is unknown what it did."""
    if isinstance(error, OutcomeUnknown):
        problem = Problem(503, _("It is unknown whether this was done"), all_sentences(problems_of(error)), "hourglass")
        return _page(problem, list_url=_list_url())
    if isinstance(error, PortalBusy | NobodyVouches):
        is_busy = isinstance(error, PortalBusy) and error.code not in OUR_WAITS
        heading = _("The portal is busy") if is_busy else _("This has to wait a moment")
        problem = Problem(503, heading, all_sentences(problems_of(error)), "hourglass")
    else:
        problem = Problem(503, _("The portal does not answer"), _down(error), "no-network")
    return _page(problem, resend=_resend(), launch=_sealed_launch())


def give_up(error: GiveUp) -> ResponseReturnValue:
    """No retry helps."""
    if isinstance(error, PaymentRequired):
        text = _("Its trial or subscription is over. An administrator can renew it in Bitrix24 Market.")
        return _page(Problem(403, _("The application is not paid for"), text, "lock"))
    if isinstance(error, Forged):
        text = _(
            "Bitrix24 does not confirm where this request comes from. Open the application from the portal's menu."
        )
        return _page(Problem(403, _("The request was refused"), text, "lock"))
    text = _("It was removed from the portal, or the portal is closed. An administrator can install it again.")
    return _page(Problem(403, _("The application is not installed"), text, "box"))


def http_error(error: HTTPException) -> ResponseReturnValue:
    """An address that does not exist, a body that is too large, and other errors of HTTP itself."""
    if error.code is None or error.code < 400:
        return error.get_response()
    if request.blueprint is None:
        # No route, so nobody has looked for the session yet; with it the page keeps its menu and its frame.
        with suppress(ApplicationError, HTTPException):
            session_required()
    if error.code == 404:
        text = _("The address leads nowhere. Go back to the start.")
        return _page(Problem(404, _("Nothing is here"), text, "compass"))
    if error.code == 413:
        text = _("The form is too large to be sent. Shorten it, for example by using a smaller logo.")
        return _page(Problem(413, _("Too much at once"), text, "alert"))
    if error.code >= 500:
        return _broken(error.code, getattr(error, "original_exception", None) or error)
    text = _("The request could not be understood. Open the application from the portal's menu again.")
    return _page(Problem(error.code, _("The request was refused"), text, "alert"))


def disk_full(error: OSError) -> ResponseReturnValue:
    """A file of the app itself had no room; any other `OSError` is a fault of ours."""
    if not is_disk_full(error):
        return _broken(500, error)
    log.error("the disk is full: %s", error.strerror)
    return _page(Problem(507, _("The disk is full"), of_code("DISK"), "alert"), resend=_resend())


def unexpected(error: ApplicationError) -> ResponseReturnValue:
    """An error of our own that no page expects."""
    return _broken(500, error)


def _broken(status: int, error: BaseException) -> ResponseReturnValue:
    """A fault of our own: noted under a reference that the page shows; the logs hide secrets (`services.logs`)."""
    reference = secrets.token_hex(6)
    where = request.endpoint or "an unknown address"
    log.error("%s: %s failed: %s", reference, where, type(error).__name__, exc_info=error)
    text = _(
        "This is our fault, and it has been noted. Try again; if it happens again, give the reference to the support."
    )
    return _page(Problem(status, _("Something broke"), text, "alert"), reference=reference)


def _page(problem: Problem, **values: object) -> ResponseReturnValue:
    known = {"typed": (), "causes": (), "resend": None, "list_url": "", "reference": "", "launch": ""}
    shown = _after_acting(problem) if has_acted() else problem
    page = render_template("problems/problem.html", problem=shown, **{**known, **values})
    place = next_path() or "false"
    return page, problem.status, {"HX-Push-Url": place} if request.method == "POST" else {}


def _after_acting(problem: Problem) -> Problem:
    """The problem of the page that follows a form which has acted: `notice` says what was done, if it was."""
    if g.get("notice"):
        heading = _("Done, but the next page cannot be shown")
        return replace(problem, heading=heading, text=f"{problem.heading}. {problem.text}")
    return replace(problem, text=" ".join(filter(None, (g.get("afterword", ""), problem.text))))


def _down(error: TryLater) -> str:
    code = f"PORTAL_{error.reason.upper().replace('-', '_')}" if isinstance(error, PortalUnreachable) else ""
    text = of_code(code if code in OUTAGES else "PORTAL_DOWN")
    return text if has_acted() else " ".join((text, _("Nothing was changed.")))


@dataclass(frozen=True)
class Resend:
    """The request as a form that sends it once more; typed secrets travel sealed, a chosen logo as its text.

    Another file cannot travel: `shows_form` then lets the form be shown again instead of acting without the file.
    """

    url: str
    fields: tuple[tuple[str, str], ...]
    is_view: bool
    shows_form: bool = False


def _resend() -> Resend | None:
    """The same request again, if there is a session to send it in; after a form has acted, a look at the next page."""
    if not g.get("app_session"):
        return None
    if has_acted():
        return Resend(next_path(), (), True)
    if request.blueprint != "admin":
        # The launch of the app carries the user's tokens, which must not stand in a page.
        return Resend(url_for("admin.start"), (), True)
    is_view = request.method != "POST" or VIEW_FIELD in request.form
    logo = _chosen_logo()
    files = {name for name, file in request.files.items(multi=True) if file.filename}
    is_lost = bool(files - ({logos.FIELD} if logo else set()))
    return Resend(
        request.full_path.removesuffix("?"), tuple(_fields(logo)), is_view, shows_form=is_lost or is_shown_again()
    )


def _sealed_launch() -> str:
    """The launch of this request, sealed for another try; an empty text if it led to a session, or there is none."""
    launch = g.get("launch")
    if launch is None or g.get("app_session"):
        return ""
    return services().postponed_launches.sealed(launch, request.blueprint or "")


def _chosen_logo() -> str:
    try:
        return logos.chosen()
    except InvalidInput:
        return ""


def _fields(logo: str) -> Iterable[tuple[str, str]]:
    if logo:
        yield logos.TEXT, logo
    for name, value in request.form.items(multi=True):
        if name in OWN_FIELDS or (logo and name == logos.TEXT):
            continue
        if request.endpoint in SOURCE_FORMS and _may_be_secret(name, value):
            if sealed := typed_secrets.seal(name, value):
                yield typed_secrets.hidden_name(name), sealed
        else:
            yield name, value


def _typed_values() -> list[tuple[str, str]]:
    """What was typed, for somebody to copy; settings of sources are left out where they may be secrets."""
    if request.method != "POST" or VIEW_FIELD in request.form or request.blueprint != "admin":
        return []
    return [
        (name, value)
        for name, value in request.form.items(multi=True)
        if value
        and not name.startswith("_")
        and not (request.endpoint in SOURCE_FORMS and _may_be_secret(name, value))
        and not _is_list_of_ids(name, value)
    ]


def _may_be_secret(name: str, value: str) -> bool:
    code = name.removeprefix(typed_secrets.SETTINGS)
    return name != code and typed_secrets.is_secret(code, value)


def _is_list_of_ids(name: str, value: str) -> bool:
    return name in ("known", "visible", "delete") and number_in(value) is not None


def _list_url() -> str:
    """The list of the objects that this address is about: there the outcome of an unanswered change can be seen."""
    section = request.path.split("/")[1]
    return url_for(f"admin.{section}" if section in LISTS else "admin.start")
