"""The second kind of hosted connector: analysts type server and password in the portal's own wizard."""

from __future__ import annotations

from dataclasses import dataclass

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import blueprint, confirmations
from admin.access import analysts_only
from admin.rendering import acted, page_at, stays
from admin.session import capabilities, current_session, portal_client, portals_language, services, submitted
from admin.submission import NOTHING_WRONG, Failure, failure, saved
from drivers import catalogue
from drivers.base import Driver
from services.bi import connectors
from services.connections.portal_comparison import COMPARED
from services.connections.portal_sync import ConnectorTexts
from services.connections.typed_credentials import MOST_TARGETS, OPTIONS, can_be_typed, setting_codes

TITLE = _l("Passwords kept in Bitrix24")


@dataclass(frozen=True)
class Wizard:
    """A driver, its connector in the portal (None if there is none), and how many servers are known."""

    driver: Driver
    connector_id: int | None
    targets: int
    in_step: bool = True
    """Whether the connector's addresses in the portal open anything here."""


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
        question = confirmations.of_wizard(action, found.label, MOST_TARGETS)
        return page_at(path) if question is None else confirmations.asked(question, request.path, str(TITLE), path)

    def act() -> str:
        _act(found, action)
        return path

    return saved(act, notices[action], lambda error: _page(failure(error, ())))


def _act(driver: Driver, action: str) -> None:
    house, portal_id = services(), current_session().portal_id
    if action == "register":
        house.portal_sync.register(portal_client(), capabilities(), portal_id, _texts(driver), driver.name)
    elif action == "remove":
        house.portal_sync.unregister(portal_client(), portal_id, driver.name)
    elif action == "addresses":
        house.portal_sync.rotate_addresses(portal_client(), capabilities(), portal_id, driver.name)
    elif (known := house.repository.typed_connectors(portal_id).get(driver.name)) is not None:
        house.known_targets.forget(known.id)


def _page(problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    house = services()
    known = house.repository.typed_connectors(current_session().portal_id)
    there = {row.id: row for row in connectors.everything(portal_client(), *COMPARED)} if known else {}
    shown = [
        Wizard(
            driver,
            hosted.registered_id if hosted and hosted.registered_id in there else None,
            house.known_targets.count(hosted.id) if hosted else 0,
            hosted is None
            or (found := there.get(hosted.registered_id or 0)) is None
            or house.portal_comparison.fits(hosted, found),
        )
        for driver in catalogue.DRIVERS.values()
        if can_be_typed(driver)
        for hosted in [known.get(driver.name)]
    ]
    page = render_template("connections/wizards.html", wizards=shown, problem=problem, most=MOST_TARGETS)
    return page if acted() else stays(page, problem.status)


def _texts(driver: Driver) -> ConnectorTexts:
    with portals_language():
        names = {field.code: _(field.label) for field in driver.fields}
        # Portals show the name alone, and want a value in every field.
        names["password"] = _("Password (type - if there is none)")
        names[OPTIONS] = _("Options (type - for none, or for example tls=verify-full; timezone=Europe/Berlin)")
        description = _("Server, user and password are typed here, in Bitrix24.")
    return ConnectorTexts(driver.label, description, {code: names[code] for code in setting_codes(driver)})
