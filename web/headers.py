"""What every answer of the application says to browsers, and which requests it takes from other sites.

Pages may be framed by the verified portal of their session and by nobody else (facts/security 1 rows 4 and 6, 2.6).
"""

from __future__ import annotations

import logging

from flask import Flask, Response, abort, current_app, g, request

from config import Settings, origin_of
from services.portals.origins import is_own_request
from web.forms import MOST_ROWS

security_log = logging.getLogger("security")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_TO_OTHER_SITES = frozenset({"entry.open_app", "install.arrive"})
"""Endpoints that the portal's page posts to; they prove who is asking by themselves."""
CALLED_BY_PORTALS = "gateway"
"""The blueprint of the four endpoints, which no browser calls."""

ENTRY_LIMIT = 64 * 1024
BODY_LIMIT = 256 * 1024
LOGO_FILE_LIMIT = 8 * 1024 * 1024
"""A photo that is chosen as a logo gets in, so that the form can say beside it that it is too large (`web.logos`)."""
LOGOS = frozenset({"admin.new_connector", "admin.edit_connector"})
UPLOADS = frozenset({"admin.new_connection", "admin.edit_connection"})
"""Forms that take a file, as large as the operator allows."""
SMALL_BODIES = frozenset({"entry.open_app", "entry.renew", "install.arrive"})
YEAR = 365 * 24 * 3600


def protect(app: Flask, settings: Settings) -> None:
    """Set headers on every answer of `app`, refuse changes that other sites send, and limit bodies."""
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.config["MAX_FORM_MEMORY_SIZE"] = BODY_LIMIT
    app.before_request(limit_body)
    app.before_request(refuse_other_sites)
    app.after_request(set_headers)
    app.extensions["script_origin"] = origin_of(settings.bitrix24_js_url)


def limit_body() -> None:
    """Openings and events are small (facts/security 2.2 step 1); a body that does not tell its length is refused.

    Werkzeug cuts such a body at the limit instead of refusing it. Browsers and portals always tell the length; the
    endpoints that portals call read their bodies themselves.
    """
    if request.content_length is None and "Transfer-Encoding" in request.headers:
        if request.blueprint != CALLED_BY_PORTALS:
            abort(411)
    elif request.endpoint in SMALL_BODIES:
        request.max_content_length = ENTRY_LIMIT
    elif request.endpoint in LOGOS and request.mimetype == "multipart/form-data":
        request.max_content_length = LOGO_FILE_LIMIT + BODY_LIMIT
        # Each row has three inputs; the others are fewer than 100.
        request.max_form_parts = 3 * MOST_ROWS + 100
    elif request.endpoint in UPLOADS and request.mimetype == "multipart/form-data":
        settings: Settings = current_app.extensions["services"].settings
        request.max_content_length = settings.upload_megabytes * 1024 * 1024 + BODY_LIMIT


def refuse_other_sites() -> None:
    """Refuse a change unless one of our own pages sends it."""
    if request.method in SAFE_METHODS or request.endpoint in OPEN_TO_OTHER_SITES:
        return
    if request.blueprint == CALLED_BY_PORTALS:
        return
    own = {origin_of(request.host_url), origin_of(current_app.extensions["services"].settings.base_url)}
    if not is_own_request(request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin"), own):
        security_log.warning("a change by %s from another site was refused", request.endpoint or "an unknown address")
        abort(403, "The request comes from another site.")


def set_headers(response: Response) -> Response:
    """The headers of one answer: those of a page, or those of data that is no page."""
    headers = response.headers
    is_page = response.mimetype == "text/html"
    headers["Content-Security-Policy"] = page_policy() if is_page else "default-src 'none'; frame-ancestors 'none'"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Strict-Transport-Security"] = f"max-age={YEAR}"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if request.endpoint is None or not request.endpoint.endswith("static") or response.status_code >= 400:
        headers["Cache-Control"] = "no-store"
    return response


def page_policy() -> str:
    """The content security policy of a page; the frame's ancestors are the verified portal, or nobody."""
    settings: Settings = current_app.extensions["services"].settings
    portal = g.get("portal_origin", "")
    ancestors = " ".join([portal, *settings.extra_frame_ancestors]) if portal else "'none'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {current_app.extensions['script_origin']}".rstrip(),
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            f"frame-ancestors {ancestors}",
        )
    )
