"""The session behind a page: who looks at it, and with whose rights the portal is called.

The token travels in the header `X-App-Session` or the form field `_s`, never in an address or a cookie
(facts/security 2.3).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from flask import abort, current_app, g, has_request_context, request
from flask_babel import force_locale, get_locale

from errors import ApplicationError, SessionEnded
from services.portal_api.capabilities import Capabilities, contradicted
from services.portal_api.client import PortalClient
from services.portals.languages import SPOKEN, spoken
from services.sessions.user_sessions import ActiveSession
from services.wiring import Services

HEADER = "X-App-Session"
TOKEN_FIELD = "_s"  # noqa: S105 - a field's name
NONCE_FIELD = "_n"
VIEW_FIELD = "_view"
AGAIN_FIELD = "_again"


def services() -> Services:
    """What `services.wiring.build` made for this application."""
    return cast(Services, current_app.extensions["services"])


def session_required() -> None:
    """Find the session of this request before any view runs; raises `SessionEnded`.

    The header is read before the body: a body that is too large must not cost its page the session and the frame.
    """
    in_header = _only(request.headers.getlist(HEADER))
    if in_header:
        _find(in_header)
    token = carried_token()
    if token != in_header:
        _find(token)


def _find(token: str) -> None:
    user_sessions = services().user_sessions
    try:
        begin(token, user_sessions.find(token))
    except SessionEnded:
        ended = user_sessions.ended(token)
        if ended is not None:
            show_in_frame(ended.origin, ended.language)
        raise


def begin(token: str, current: ActiveSession) -> None:
    """Let this request's pages be those of `current`: its language, its frame, its token."""
    g.app_session, g.current_session = token, current
    show_in_frame(current.origin, current.language)


def show_in_frame(origin: str, language: str) -> None:
    """Let the page of this request be framed by a verified portal's origin, in its user's language."""
    g.portal_origin, g.language = origin, spoken(language)


def carried_token() -> str:
    """The token that the request carries in its header or body.

    Raises `SessionEnded` without one; two different ones are a 400.
    """
    token = _only([*request.headers.getlist(HEADER), *request.form.getlist(TOKEN_FIELD)])
    if not token:
        raise SessionEnded("no session token")
    return token


def _only(given: Iterable[str]) -> str:
    tokens = {token for token in given if token}
    if len(tokens) > 1:
        abort(400, "The request carries two different session tokens.")
    return tokens.pop() if tokens else ""


def current_session() -> ActiveSession:
    """Who looks at this page; raises `SessionEnded` outside a session."""
    found = g.get("current_session")
    if found is None:
        raise SessionEnded("no session")
    return cast(ActiveSession, found)


def portal_client() -> PortalClient:
    """The portal's REST with the token of the user who opened this page."""
    if "portal_client" not in g:
        who = current_session()
        tokens = services().tokens.tokens(who.portal_id, who.user_id)
        g.portal_client = services().portal_clients(tokens)
    return cast(PortalClient, g.portal_client)


def limit_portal_time(end: float) -> None:
    """Let every call of this request to the portal be over at the moment `end` of the monotonic clock."""
    g.portal_client = portal_client().until(end)


def capabilities() -> Capabilities:
    """What this portal's generation knows; probed once per portal, then remembered."""
    if "capabilities" not in g:
        g.capabilities = services().installations.capabilities(current_session().portal_id, portal_client())
    return cast(Capabilities, g.capabilities)


def probe_anew() -> None:
    """Let the next `capabilities` ask the portal again, which may have been updated while a page was open."""
    services().installations.doubt(current_session().portal_id)
    g.pop("capabilities", None)


def learn_from(error: ApplicationError) -> None:
    """Probe the portal anew if `error` contradicts what is remembered of it."""
    if g.get("current_session") is not None and contradicted(error):
        probe_anew()


def language() -> str:
    """The language of this answer: the one its user has in Bitrix24, else the browser's; English for commands."""
    if not has_request_context():
        return SPOKEN[0]
    return str(g.get("language") or request.accept_languages.best_match(SPOKEN, SPOKEN[0]))


@contextmanager
def portals_language() -> Iterator[None]:
    """Sentences in the portal's language: for texts that stay there, whoever looks at this page."""
    with force_locale(spoken(services().installations.language(current_session().portal_id))):
        yield


def submitted() -> bool:
    """Whether this POST sends a form which has not acted yet, rather than following a link without JavaScript."""
    return request.method == "POST" and VIEW_FIELD not in request.form and not has_acted()


def has_acted() -> bool:
    """Whether a form of this request has acted already, and its answer is being drawn."""
    return bool(next_path())


def next_path() -> str:
    """The address of the page that answers a form of this request which has acted, or an empty text."""
    return str(g.get("next_path", ""))


def is_shown_again() -> bool:
    """Whether the form is only to be shown again as it was typed, since a file of it could not be kept (`_again`)."""
    return AGAIN_FIELD in request.form


class FormSubmission:
    """One use of a form: `outcome` is the path that its first use led to, or None if it shall act now."""

    def __init__(self, outcome: str | None) -> None:
        self.outcome = outcome
        self.path: str | None = None

    def done(self, path: str) -> None:
        """The form acted; a repetition shows the page at `path`."""
        self.path = path


@contextmanager
def form_once(nonce: str = "") -> Iterator[FormSubmission]:
    """Let the form of this request's path act once; `nonce` defaults to its field `_n`, without one every use acts.

        with form_once() as use:
            if use.outcome is None:
                use.done(f"/connectors/{add(...)}")
        path = use.outcome or use.path

    Leaving the block by an error, or without `done`, lets the same form be sent again. Raises `PortalBusy` while the
    first use still runs.
    """
    nonce = nonce or request.form.get(NONCE_FIELD, "")
    if not nonce:
        yield FormSubmission(None)
        return
    who, submissions = current_session(), services().form_nonces
    use = FormSubmission(submissions.claim(who.session_id, request.path, nonce))
    try:
        yield use
    finally:
        if use.path is not None:
            submissions.finish(who.session_id, request.path, nonce, use.path)
        elif use.outcome is None:
            submissions.release(who.session_id, request.path, nonce)


def new_nonce() -> str:
    """A value for a form's field `_n`."""
    return secrets.token_urlsafe(16)


def page_values() -> dict[str, Any]:
    """What every template may use: the session, `nonce()`, `language()` for `<html lang>`, and the `notice` that an
    action left for the page that follows it.
    """
    return {
        "current_session": g.get("current_session"),
        "app_session": g.get("app_session", ""),
        "bx24_js_url": services().settings.bitrix24_js_url,
        "nonce": new_nonce,
        "language": lambda: str(get_locale() or "en"),
        "notice": g.get("notice", ""),
    }
