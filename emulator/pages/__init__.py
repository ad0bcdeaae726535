"""The pages that people see: the portal around the application's frame, its market, its BI hub.

`blueprint` holds them all. Pages carry their own rules: no cookies (the emulator has one browser user at a time),
changes only by POST from the portal's own pages, no inline scripts or styles.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, render_template, request
from flask.blueprints import BlueprintSetupState
from jinja2 import StrictUndefined
from werkzeug.exceptions import NotFound

from emulator.context import current_emulator
from emulator.pages.frame import blueprint as frame
from emulator.pages.hub import blueprint as hub
from emulator.pages.layout import context
from emulator.pages.market import blueprint as market
from emulator.pages.people import blueprint as people
from emulator.pages.table import blueprint as table
from emulator.pages.wizards import blueprint as wizards
from emulator.portal import UnknownThing

FOR_PROGRAMS = ("/rest/", "/oauth/", "/api/", "/_")

blueprint = Blueprint(
    "pages", __name__, template_folder="../templates", static_folder="../static", static_url_path="/_static"
)
for part in (frame, market, people, hub, table, wizards):
    blueprint.register_blueprint(part)
blueprint.context_processor(context)


@blueprint.record
def _forbid_undefined_names(state: BlueprintSetupState) -> None:
    state.app.jinja_env.undefined = StrictUndefined


@blueprint.before_request
def _refuse_foreign_posts() -> None:
    """The application's frame is another site and must not push the portal's buttons."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403)


@blueprint.after_request
def _protect(response: Response) -> Response:
    app = current_emulator().portal.app
    origins = " ".join(sorted({_origin(app.app_url), _origin(app.install_url)}))
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: http: https:; "
        f"connect-src 'self'; frame-src 'self' {origins}; form-action 'self' {origins}; "
        "base-uri 'none'; object-src 'none'; frame-ancestors 'self'",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "pages.static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


@blueprint.errorhandler(UnknownThing)
def _unknown(_: UnknownThing) -> tuple[str, int]:
    return render_template("portal/missing.html"), 404


@blueprint.app_errorhandler(404)
def _missing(problem: NotFound) -> tuple[str, int] | NotFound:
    """A page of the portal for people; programs keep Werkzeug's plain answer."""
    if request.path.startswith(FOR_PROGRAMS):
        return problem
    return render_template("portal/missing.html", **context()), 404


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
