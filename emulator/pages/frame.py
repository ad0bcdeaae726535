"""The application in its frame, and what the portal's script asks for it (facts/platform 1.2, 2, 6)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, send_from_directory, url_for
from werkzeug.wrappers import Response as AnyResponse

from emulator import installations, tokens
from emulator.context import current_emulator
from emulator.languages import LANGUAGES
from emulator.launch import LaunchForm, open_application
from emulator.pages.app_options import current_options
from emulator.pages.layout import app_title, local_address, page_address, say
from emulator.portal import Portal
from emulator.records import Application, User

blueprint = Blueprint("frame", __name__)

REST_PATH = "/rest"


@blueprint.get("/")
def start() -> AnyResponse:
    """The start page: the application where it is installed, else the market."""
    installed = current_emulator().portal.app.registered
    return redirect(url_for("pages.frame.show" if installed else "pages.market.show"), 302)


@blueprint.get("/marketplace/app/")
def show() -> str | AnyResponse:
    """The application in its frame: the installer until it has finished, then the application itself.

    While the installation is unfinished ordinary users get a notice instead (facts/platform 1.2). `options` is a
    JSON object that becomes `PLACEMENT_OPTIONS`, as `BX24.openApplication` passes it.
    """
    portal = current_emulator().portal
    app, user = portal.app, portal.browser_user
    if not app.registered:
        return redirect(page_address("pages.market.show"), 302)
    if not app.finished and not user.admin:
        return render_template("portal/notice.html", title=app_title(app), reason="unfinished")
    if app.only_for_users is not None and user.id not in app.only_for_users:
        return render_template("portal/notice.html", title=app_title(app), reason="denied")
    launch = open_application(portal, app, user, options=_placement_options())
    return render_template(
        "portal/frame.html",
        title=app_title(app) if app.finished else say()("Installation: {title}", title=app_title(app)),
        launch=launch,
        frame=_frame(portal, app, user, launch),
    )


@blueprint.post("/marketplace/app/refresh/")
def refresh() -> Response:
    """A fresh pair for the current user, in the handshake's names; what `BX24.refreshAuth` ends in."""
    portal = current_emulator().portal
    if not portal.app.registered:
        abort(409)
    grant = tokens.issue(portal, portal.app, portal.browser_user)
    return jsonify(AUTH_ID=grant.access_token, REFRESH_ID=grant.refresh_token, AUTH_EXPIRES=str(tokens.ACCESS_SECONDS))


@blueprint.post("/marketplace/app/finish/")
def finish() -> Response:
    """`installFinish`: the portal marks the application as installed; only administrators get this far."""
    emulator = current_emulator()
    if not emulator.portal.browser_user.admin:
        abort(403)
    finished = installations.finish(emulator.portal, emulator.deliveries, emulator.portal.app)
    return jsonify(finished=finished)


@blueprint.post("/marketplace/app/first-run/")
def first_run() -> Response:
    """The current user has run the application."""
    current_options().note_run(current_emulator().portal.browser_user.id)
    return jsonify({})


@blueprint.post("/marketplace/app/option/")
def option() -> Response:
    """Keep an option; those of the application are for administrators (facts/platform 6)."""
    user = current_emulator().portal.browser_user
    given = request.get_json()
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        abort(400)
    if given.get("kind") == "user":
        return jsonify(current_options().set_user_option(user.id, given["name"], given.get("value")))
    if not user.admin:
        abort(403)
    return jsonify(current_options().set_app_option(given["name"], given.get("value")))


@blueprint.get("/api/v1/")
def bx24() -> Response:
    """The stand-in for the script at `https://api.bitrix24.com/api/v1/`."""
    folder = f"{blueprint.root_path}/../static"
    response = send_from_directory(folder, "bx24.js", mimetype="text/javascript")
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@blueprint.after_app_request
def let_scripts_call_rest(response: Response) -> Response:
    """`BX24.callMethod` runs in a page of another site and reads REST's answers with a token of its own."""
    if request.path.startswith(f"{REST_PATH}/"):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return response


@blueprint.post("/portal/user/")
def switch_user() -> AnyResponse:
    """See the portal as somebody else."""
    current_emulator().portal.switch_browser_user(request.form["user"])
    return redirect(local_address(request.form.get("next", "/")), 303)


@blueprint.post("/portal/language/")
def switch_language() -> AnyResponse:
    """Switch the portal's language, and with it the site's date format."""
    portal = current_emulator().portal
    code = request.form["language"]
    if code not in LANGUAGES:
        abort(400)
    with portal.lock:
        portal.state.language = code
    return redirect(local_address(request.form.get("next", "/")), 303)


def _placement_options() -> dict[str, str] | None:
    written = request.args.get("options")
    if written is None:
        return None
    try:
        options = json.loads(written)
    except ValueError:
        abort(400)
    if not isinstance(options, dict):
        abort(400)
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}


def _frame(portal: Portal, app: Application, user: User, launch: LaunchForm) -> dict[str, Any]:
    """What the page's script must know: whom to answer (`origin`, `sid`), what, and where to ask."""
    sentences = say()
    action = urlsplit(launch.action)
    return {
        "sid": launch.app_sid,
        "origin": f"{action.scheme}://{action.netloc}",
        "init": _handshake(portal, app, user, launch),
        "page": {
            "title": app_title(app),
            "open": url_for("pages.frame.show"),
            "refresh": url_for("pages.frame.refresh"),
            "finish": url_for("pages.frame.finish"),
            "firstRun": url_for("pages.frame.first_run"),
            "option": url_for("pages.frame.option"),
            "refreshFailed": sentences("The portal could not renew the authorization. Reload the page."),
            "unsupported": sentences("The application asked for {command}, which this emulator does not do.").replace(
                "{command}", "COMMAND"
            ),
        },
    }


def _handshake(portal: Portal, app: Application, user: User, launch: LaunchForm) -> dict[str, Any]:
    """The answer to `getInitData`."""
    options = current_options()
    posted = launch.fields
    return {
        "DOMAIN": portal.domain,
        "PROTOCOL": portal.protocol,
        "PATH": REST_PATH,
        "LANG": portal.language.code,
        "MEMBER_ID": portal.member_id,
        "IS_ADMIN": user.admin,
        "AUTH_ID": posted["AUTH_ID"],
        "REFRESH_ID": posted["REFRESH_ID"],
        "AUTH_EXPIRES": posted["AUTH_EXPIRES"],
        "APP_OPTIONS": dict(options.app_options),
        "USER_OPTIONS": options.options_of(user.id),
        "PLACEMENT": posted["PLACEMENT"],
        "PLACEMENT_OPTIONS": json.loads(posted["PLACEMENT_OPTIONS"]),
        "INSTALL": not app.finished,
        "FIRST_RUN": options.is_first_run(user.id),
    }
