"""Pages of connectors: list, view, create, change, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.forms import CONNECTOR, connector_values
from admin.listing import list_answer, list_state
from errors import FieldProblem, InvalidInput
from services.bi import connectors as service
from services.bi import rules, sources
from services.bi.connectors import Connector
from web import logos
from web.answers import page_at, same_place
from web.forms import PageForm
from web.session import capabilities, current_session, is_shown_again, portal_client, services, submitted
from web.submission import NOTHING_WRONG, Failure, act_once, failure, lost_file

SORTS = ("sort", "title", "dateCreate", "id")


@blueprint.route("/connectors/", methods=["GET", "POST"])
def connectors() -> ResponseReturnValue:
    """A page of the portal's connectors: all, those of a day and later, those that this application answers for."""
    state = list_state("admin.connectors", SORTS, ("dateCreate", "hosted"))
    page = service.page(portal_client(), state.for_portal(_hosted(state.filters["hosted"])))
    return list_answer(render_template("connectors/list.html", state=state, page=page, ours=_ours(*page.items)), state)


@blueprint.route("/connectors/<int:connector_id>", methods=["GET", "POST"])
def connector(connector_id: int) -> ResponseReturnValue:
    """One connector and its sources."""
    found = service.get(portal_client(), connector_id)
    listed = service.below(portal_client(), connector_id)
    ours = _ours(found)
    takes_key = ours.get(found.id, False)
    names = {setting.code: setting.name or setting.code for setting in found.settings}
    page = render_template(
        "connectors/view.html",
        connector=found,
        sources=listed,
        misfits=() if takes_key else sources.misfits(portal_client(), listed, names),
        caps=capabilities(),
        ours=found.id in ours,
        takes_key=takes_key,
    )
    return same_place(page)


@blueprint.route("/connectors/new", methods=["GET", "POST"])
def new_connector() -> ResponseReturnValue:
    """The form of a connector to be made."""
    form = PageForm(CONNECTOR)
    wrong_logo = _take_logo(form)
    if is_shown_again():
        return _form_page(form, lost_file(logos.FIELD))
    if form.rows_changed() or not submitted():
        return _form_page(form)
    form.drop_blank_rows()
    return act_once(
        lambda: _create(form, wrong_logo),
        _("The connector was created."),
        lambda error: _form_page(form, failure(error, form.names | {logos.FIELD})),
    )


@blueprint.route("/connectors/<int:connector_id>/edit", methods=["GET", "POST"])
def edit_connector(connector_id: int) -> ResponseReturnValue:
    """The form of a connector that exists."""
    found = service.get(portal_client(), connector_id)
    if _ours(found):
        return page_at(url_for("admin.connector", connector_id=connector_id))
    form = PageForm(CONNECTOR, connector_values(found))
    wrong_logo = _take_logo(form, found.logo)
    if is_shown_again():
        return _form_page(form, lost_file(logos.FIELD), connector=found)
    if form.rows_changed() or not submitted():
        return _form_page(form, connector=found)
    form.drop_blank_rows()
    return act_once(
        lambda: _update(connector_id, form, wrong_logo),
        _("The connector was changed."),
        lambda error: _form_page(form, failure(error, form.names | {logos.FIELD}), connector=found),
    )


@blueprint.route("/connectors/<int:connector_id>/delete", methods=["GET", "POST"])
def delete_connector(connector_id: int) -> ResponseReturnValue:
    """Ask before a connector is deleted; tell what hangs below it and keeps it from being deleted."""
    if not submitted():
        return _delete_page(connector_id)
    return act_once(
        lambda: _delete(connector_id),
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
    form: PageForm, problem: Failure = NOTHING_WRONG, *, connector: Connector | None = None
) -> ResponseReturnValue:
    if not form["settings"]:
        form.add_row("settings")
    page = render_template("connectors/form.html", form=form, problem=problem, connector=connector, caps=capabilities())
    return same_place(page, problem.status)


def _hosted(chosen: str) -> dict[str, Any]:
    """The portal's filter for connectors that are ours, or not; by their numbers, since addresses change."""
    if chosen not in ("yes", "no"):
        return {}
    # An empty list would filter nothing; no connector has the number 0.
    numbers = sorted(services().repository.registered(current_session().portal_id)) or [0]
    return {"@id" if chosen == "yes" else "!@id": numbers}


def _take_logo(form: PageForm, present: str = "") -> Sequence[FieldProblem]:
    """Let a chosen file take the place of the logo's text; what is wrong with either, if anything.

    `present` is the connector's logo as it is: whatever that is, the portal took it.
    """
    try:
        form["logo"] = logos.chosen() or form["logo"]
    except InvalidInput as error:
        return error.problems
    text = form["logo"].strip()
    is_right = not text or text == present.strip() or logos.is_address(text)
    return () if is_right else (FieldProblem(logos.TEXT, "LOGO_NOT_AN_ADDRESS"),)


def _fields(form: PageForm, wrong_logo: Sequence[FieldProblem], *, updating: bool = False) -> dict[str, Any]:
    """What the form holds; a wrong logo is told together with everything else that is wrong, and told once."""
    caps = capabilities()
    unknown = {"supportMapping": not caps.support_mapping, "sourceCode": not caps.source_code}
    fields = {name: value for name, value in form.data.items() if not unknown.get(name)}
    if wrong_logo:
        try:
            rules.connector(caps, fields, updating=updating)
        except InvalidInput as error:
            others = [problem for problem in error.problems if problem.field != logos.TEXT]
            raise InvalidInput([*wrong_logo, *others]) from None
        raise InvalidInput(wrong_logo)
    return fields


def _create(form: PageForm, wrong_logo: Sequence[FieldProblem]) -> str:
    created = service.add(portal_client(), capabilities(), _fields(form, wrong_logo))
    return url_for("admin.connector", connector_id=created)


def _update(connector_id: int, form: PageForm, wrong_logo: Sequence[FieldProblem]) -> str:
    service.update(portal_client(), capabilities(), connector_id, _fields(form, wrong_logo, updating=True))
    return url_for("admin.connector", connector_id=connector_id)


def _delete(connector_id: int) -> str:
    service.delete(portal_client(), connector_id)
    return url_for("admin.connectors")
