"""The market: the application's card, installing and removing it (facts/platform 1, 8)."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from emulator import installations
from emulator.context import current_emulator
from emulator.pages.app_options import forget_options
from emulator.pages.layout import page_address

blueprint = Blueprint("market", __name__, url_prefix="/market")


@blueprint.get("/")
def show() -> str:
    """The card with the application's state; installing and removing are for administrators."""
    app = current_emulator().portal.app
    return render_template("portal/market.html", app=app, removed=request.args.get("removed") == "1")


@blueprint.post("/install/")
def install() -> AnyResponse:
    """Register the application and open its installer."""
    emulator = current_emulator()
    if not emulator.portal.browser_user.admin:
        abort(403)
    installations.register(emulator.portal, emulator.portal.app, emulator.portal.browser_user)
    return redirect(page_address("pages.frame.show"), 303)


@blueprint.post("/uninstall/")
def uninstall() -> AnyResponse:
    """Remove the application; `clean` also deletes its settings and data."""
    emulator = current_emulator()
    if not emulator.portal.browser_user.admin:
        abort(403)
    clean = request.form.get("clean") == "1"
    installations.remove(emulator.portal, emulator.deliveries, emulator.portal.app, clean=clean)
    if clean:
        forget_options()
    return redirect(page_address("pages.market.show", removed="1"), 303)
