"""The second kind of hosted connector: analysts type server and password in the portal's own wizard."""

from __future__ import annotations

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import blueprint
from admin.access import analysts_only
from drivers import catalogue
from drivers.base import Driver
from sentences import questions
from services.connections.portal_sync import ConnectorTexts, PortalContext
from services.connections.typed_credentials import MOST_TARGETS, OPTIONS, can_be_typed, setting_codes
from web.answers import page_at, question_page, same_place
from web.session import capabilities, current_session, portal_client, portals_language, services, submitted
from web.submission import NOTHING_WRONG, Failure, act_once, failure

TITLE = _l("Passwords kept in Bitrix24")


@blueprint.route("/connections/wizards", methods=["GET", "POST"])
@analysts_only
def typed_connectors() -> ResponseReturnValue:
    """The drivers whose credentials can be typed in the portal, and which of them it offers."""
    return _page()


@blueprint.route("/connections/wizards/<driver>/<action>", methods=["POST"])
@analysts_only
def act_on_wizard(driver: str, action: str) -> ResponseReturnValue:
    """One of the buttons: `register`, `remove`, `addresses`, or `more` to let new servers in. All but one ask first."""
    found = catalogue.DRIVERS.get(driver)
    path = url_for("admin.typed_connectors")
    notices = {
        "register": _("Bitrix24 offers the connector now."),
        "remove": _("The connector was removed."),
        "more": _("New servers are let in."),
        "addresses": _("The connector has new addresses. The former ones open for another day."),
    }
    if found is None or not can_be_typed(found) or action not in notices:
        return page_at(path)
    if not submitted():
        question = questions.of_wizard(action, found.label, MOST_TARGETS)
        return page_at(path) if question is None else question_page(question, request.path, str(TITLE), path)

    def act() -> str:
        _act(found, action)
        return path

    return act_once(act, notices[action], lambda error: _page(failure(error, ())))


def _act(driver: Driver, action: str) -> None:
    sync, portal_id = services().portal_sync, current_session().portal_id
    if action == "register":
        sync.register(_context(driver), portal_id, driver.name)
    elif action == "remove":
        sync.unregister(portal_client(), portal_id, driver.name)
    elif action == "addresses":
        sync.rotate_addresses(_context(driver), portal_id, driver.name)
    else:
        services().typed_connectors.let_new_servers_in(portal_id, driver.name)


def _page(problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    shown = services().typed_connectors.all(portal_client(), current_session().portal_id)
    page = render_template("connections/wizards.html", wizards=shown, problem=problem, most=MOST_TARGETS)
    return same_place(page, problem.status)


def _context(driver: Driver) -> PortalContext:
    with portals_language():
        names = {field.code: _(field.label) for field in driver.fields}
        # Portals show the name alone, and want a value in every field.
        names["password"] = _("Password (type - if there is none)")
        names[OPTIONS] = _("Options (type - for none, or for example tls=require; timezone=Europe/Berlin)")
        description = _("Server, user and password are typed here, in Bitrix24.")
    texts = ConnectorTexts(driver.label, description, {code: names[code] for code in setting_codes(driver)})
    return PortalContext(portal_client(), capabilities(), texts)
