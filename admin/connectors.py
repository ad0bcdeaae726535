"""Pages of connectors: list, view, create, change, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.forms import ConnectorForm, connector_values, keep_filled, names_of, rows_changed
from admin.listing import list_answer, list_state
from errors import FieldProblem, InvalidInput
from services.bi import connectors as service
from services.bi import rules
from services.bi.connectors import Connector
from web import logos
from web.answers import has_acted, page_at, same_place
from web.session import capabilities, current_session, is_shown_again, portal_client, services, submitted
from web.submission import NOTHING_WRONG, Failure, act_once, failure, lost_file

SORTS = ("sort", "title", "dateCreate", "id")


@blueprint.route("/connectors/", methods=["GET", "POST"])
def connectors() -> ResponseReturnValue:
    """A page of the portal's connectors: all, those of a day and later, those that this application answers for."""
    part = list_state("admin.connectors", SORTS, ("dateCreate", "hosted"))
    page = service.page(portal_client(), part.wanted(_hosted(part.filters["hosted"])))
    return list_answer(render_template("connectors/list.html", state=part, page=page, ours=_ours(*page.items)), part)


@blueprint.route("/connectors/<int:connector_id>", methods=["GET", "POST"])
def connector(connector_id: int) -> ResponseReturnValue:
    """One connector and its sources."""
    found = service.get(portal_client(), connector_id)
    sources = service.below(portal_client(), connector_id)
    page = render_template(
        "connectors/view.html",
        connector=found,
        sources=sources,
        caps=capabilities(),
        ours=found.id in _ours(found),
        takes_key=_ours(found).get(found.id, False),
    )
    return page if has_acted() or not submitted() else same_place(page)


@blueprint.route("/connectors/new", methods=["GET", "POST"])
def new_connector() -> ResponseReturnValue:
    """The form of a connector to be made."""
    form = ConnectorForm(request.form if submitted() else None)
    wrong_logo = _take_logo(form)
    if is_shown_again():
        return _form_page(form, lost_file(logos.FIELD))
    if rows_changed(form, blank="settings") or not submitted():
        return _form_page(form)
    keep_filled(form.settings, ("code", "name"))
    return act_once(
        lambda: _made(form, wrong_logo),
        _("The connector was created."),
        lambda error: _form_page(form, failure(error, _names_of(form))),
    )


@blueprint.route("/connectors/<int:connector_id>/edit", methods=["GET", "POST"])
def edit_connector(connector_id: int) -> ResponseReturnValue:
    """The form of a connector that exists."""
    found = service.get(portal_client(), connector_id)
    if _ours(found):
        return page_at(url_for("admin.connector", connector_id=connector_id))
    form = ConnectorForm(request.form) if submitted() else ConnectorForm(data=connector_values(found))
    wrong_logo = _take_logo(form, found.logo)
    if is_shown_again():
        return _form_page(form, lost_file(logos.FIELD), connector=found)
    if rows_changed(form, blank="settings") or not submitted():
        return _form_page(form, connector=found)
    keep_filled(form.settings, ("code", "name"))
    return act_once(
        lambda: _changed(connector_id, form, wrong_logo),
        _("The connector was changed."),
        lambda error: _form_page(form, failure(error, _names_of(form)), connector=found),
    )


@blueprint.route("/connectors/<int:connector_id>/delete", methods=["GET", "POST"])
def delete_connector(connector_id: int) -> ResponseReturnValue:
    """Ask before a connector is deleted; tell what hangs below it and keeps it from being deleted."""
    if not submitted():
        return _delete_page(connector_id)
    return act_once(
        lambda: _deleted(connector_id),
        _("The connector was deleted."),
        lambda error: _delete_page(connector_id, failure(error, ())),
    )


def _delete_page(connector_id: int, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    found = service.get(portal_client(), connector_id)
    sources = service.below(portal_client(), connector_id)
    page = render_template("connectors/delete.html", connector=found, sources=sources, problem=problem)
    return same_place(page, problem.status)


def _ours(*found: Connector) -> Mapping[int, bool]:
    """Those that this application keeps itself (`PortalSync.ours`)."""
    return services().portal_comparison.ours(found, current_session().portal_id)


def _form_page(
    form: ConnectorForm, problem: Failure = NOTHING_WRONG, *, connector: Connector | None = None
) -> ResponseReturnValue:
    if not form.settings.entries:
        form.settings.append_entry()
    page = render_template("connectors/form.html", form=form, problem=problem, connector=connector, caps=capabilities())
    return same_place(page, problem.status)


def _hosted(chosen: str) -> dict[str, Any]:
    """The portal's filter for connectors that are ours, or not; by their numbers, since addresses change."""
    if chosen not in ("yes", "no"):
        return {}
    # An empty list would filter nothing; no connector has the number 0.
    numbers = sorted(services().repository.registered(current_session().portal_id)) or [0]
    return {"@id" if chosen == "yes" else "!@id": numbers}


def _names_of(form: ConnectorForm) -> set[str]:
    return names_of(form) | {logos.FIELD}


def _take_logo(form: ConnectorForm, kept: str = "") -> Sequence[FieldProblem]:
    """Let a chosen file take the place of the logo's text; what is wrong with either, if anything.

    `kept` is the connector's present logo: whatever it is, the portal took it.
    """
    try:
        form.logo.data = logos.chosen() or form.logo.data
    except InvalidInput as error:
        return error.problems
    text = (form.logo.data or "").strip()
    is_right = not text or text == kept.strip() or logos.is_address(text)
    return () if is_right else (FieldProblem(logos.TEXT, "LOGO_NOT_AN_ADDRESS"),)


def _fields(form: ConnectorForm, wrong_logo: Sequence[FieldProblem], *, updating: bool = False) -> dict[str, Any]:
    """What the form holds; a wrong logo is told together with everything else that is wrong, and told once."""
    fields = form.fields(capabilities())
    if wrong_logo:
        try:
            rules.connector(capabilities(), fields, updating=updating)
        except InvalidInput as error:
            others = [problem for problem in error.problems if problem.field != logos.TEXT]
            raise InvalidInput([*wrong_logo, *others]) from None
        raise InvalidInput(wrong_logo)
    return fields


def _made(form: ConnectorForm, wrong_logo: Sequence[FieldProblem]) -> str:
    made = service.add(portal_client(), capabilities(), _fields(form, wrong_logo))
    return url_for("admin.connector", connector_id=made)


def _changed(connector_id: int, form: ConnectorForm, wrong_logo: Sequence[FieldProblem]) -> str:
    service.update(portal_client(), capabilities(), connector_id, _fields(form, wrong_logo, updating=True))
    return url_for("admin.connector", connector_id=connector_id)


def _deleted(connector_id: int) -> str:
    service.delete(portal_client(), connector_id)
    return url_for("admin.connectors")
