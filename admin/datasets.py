"""Pages of datasets: list, view with columns, create, change, delete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.discovery import Panel, connection_of, is_asked, panel_for, search_text
from admin.forms import COLUMNS, DATASET, DESCRIPTION
from admin.listing import list_answer, list_state
from errors import ApplicationError, FieldProblem, InvalidInput, NotFound, OutcomeUnknown
from services.bi import datasets as service
from services.bi import sources
from services.bi.datasets import Dataset
from services.bi.sources import Source
from services.connections.connection import Connection
from services.connections.health import TableHealth
from web.answers import same_place
from web.forms import PageForm, number_in
from web.session import capabilities, current_session, portal_client, probe_anew, services, submitted
from web.submission import NOTHING_WRONG, Failure, act_once, failure, remark

SORTS = ("name", "dateCreate", "dateUpdate", "id")


@blueprint.route("/datasets/", methods=["GET", "POST"])
def datasets() -> ResponseReturnValue:
    """A page of the portal's datasets: of one source or of all, of a day and later."""
    state = list_state("admin.datasets", SORTS, ("sourceId", "dateCreate"))
    above = sources.everything(portal_client())
    source_id = number_in(state.filters["sourceId"])
    listing = state.for_portal({"=sourceId": source_id} if source_id else {})
    page = service.page(portal_client(), capabilities(), listing)
    owners = services().repository.source_owners(current_session().portal_id)
    html = render_template(
        "datasets/list.html",
        state=state,
        page=page,
        sources=above,
        titles={row.id: row for row in above},
        owners=owners,
        health=services().health.tables({owners[row.source_id] for row in page.items if row.source_id in owners}),
    )
    return list_answer(html, state)


@blueprint.route("/datasets/<int:dataset_id>", methods=["GET", "POST"])
def dataset(dataset_id: int) -> ResponseReturnValue:
    """One dataset; its form adds, shows, hides and deletes columns."""
    found = service.get(portal_client(), capabilities(), dataset_id)
    form = PageForm(COLUMNS, {"visible": frozenset(column.id for column in found.columns if column.visible)})
    if form.rows_changed() or not submitted():
        return _dataset_page(found, form)
    form.drop_blank_rows()

    def show_refusal(error: ApplicationError) -> ResponseReturnValue:
        problem = failure(error, form.names)
        return _dataset_page(service.get(portal_client(), capabilities(), dataset_id), form, problem)

    return act_once(lambda: _change_columns(found, form), _("The columns were changed."), show_refusal)


@blueprint.route("/datasets/new", methods=["GET", "POST"])
def new_dataset() -> ResponseReturnValue:
    """The form of a dataset to be made."""
    form = PageForm(DATASET, {"sourceId": request.args.get("sourceId", "")})
    if form.rows_changed() or not submitted():
        return _form_page(form)
    if is_asked():
        return _form_page(form, panel=panel_for(form))
    form.drop_blank_rows()
    return act_once(
        lambda: _create(form),
        _("The dataset was created."),
        lambda error: _form_page(form, failure(error, form.names)),
    )


@blueprint.route("/datasets/<int:dataset_id>/edit", methods=["GET", "POST"])
def edit_dataset(dataset_id: int) -> ResponseReturnValue:
    """The form of what can be changed of a dataset: its description."""
    found = service.get(portal_client(), capabilities(), dataset_id)
    form = PageForm(DESCRIPTION, {"description": found.description})
    if not submitted():
        return _edit_page(found, form)
    return act_once(
        lambda: _update(dataset_id, form),
        _("The dataset was changed."),
        lambda error: _edit_page(found, form, failure(error, form.names)),
    )


@blueprint.route("/datasets/<int:dataset_id>/delete", methods=["GET", "POST"])
def delete_dataset(dataset_id: int) -> ResponseReturnValue:
    """Ask before a dataset is deleted; tell what stays in BI Builder."""
    if not submitted():
        return _delete_page(dataset_id)
    return act_once(
        lambda: _delete(dataset_id),
        _("The dataset was deleted."),
        lambda error: _delete_page(dataset_id, failure(error, ())),
    )


def _edit_page(found: Dataset, form: PageForm, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    page = render_template("datasets/edit.html", dataset=found, source=_source_of(found), form=form, problem=problem)
    return same_place(page, problem.status)


def _delete_page(dataset_id: int, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    found = service.get(portal_client(), capabilities(), dataset_id)
    page = render_template("datasets/delete.html", dataset=found, problem=problem, caps=capabilities())
    return same_place(page, problem.status)


def _dataset_page(found: Dataset, form: PageForm, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    connection = _connection_of(found)
    if connection is not None:
        services().contract_reports.see(connection, found)
    health = services().health.tables([connection.id]) if connection else TableHealth()
    page = render_template(
        "datasets/view.html",
        dataset=found,
        source=_source_of(found),
        connection=connection,
        health=health.of(connection.id, found.external_code) if connection else None,
        kept_preview=connection and services().health.failed_preview(connection.id, found.external_code),
        form=form,
        problem=problem,
        caps=capabilities(),
    )
    return same_place(page, problem.status)


def _form_page(form: PageForm, problem: Failure = NOTHING_WRONG, *, panel: Panel | None = None) -> ResponseReturnValue:
    if not form["fields"]:
        form.add_row("fields")
    choice = sources.everything(portal_client())
    if not submitted() and not form["sourceId"] and len(choice) == 1:
        form["sourceId"] = str(choice[0].id)
    page = render_template(
        "datasets/form.html",
        form=form,
        problem=problem,
        choice=choice,
        caps=capabilities(),
        panel=replace(panel or Panel(search_text()), connection=connection_of(form)),
    )
    return same_place(page, problem.status)


def _source_of(dataset: Dataset) -> Source | None:
    """The source of a dataset, or None if it is gone or the portal does not tell."""
    if not dataset.source_id:
        return None
    try:
        return sources.get(portal_client(), dataset.source_id)
    except NotFound:
        return None


def _connection_of(dataset: Dataset) -> Connection | None:
    """The application's connection that a dataset reads through, or None."""
    return services().repository.of_source(current_session().portal_id, dataset.source_id)


def _change_columns(found: Dataset, form: PageForm) -> str:
    """Change what differs between the ticks and the dataset; a column that the page did not show stays as it is."""
    show, hide = _switched(found, form["known"], form["visible"])
    if not (form["add"] or show or hide or form["delete"]):
        raise InvalidInput([FieldProblem("", "NOTHING_TO_CHANGE")])
    is_whole = service.update_columns(
        portal_client(),
        capabilities(),
        found.id,
        add=form["add"],
        show=show,
        hide=hide,
        delete=form["delete"],
    )
    if not is_whole:
        remark(_("Only BI Builder was not told: press “Synchronize with source” in the table's card there."))
    return url_for("admin.dataset", dataset_id=found.id)


def _switched(found: Dataset, known: Collection[int], visible: Collection[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Columns to show and to hide; `known` are those whose box was in the form, since an unticked box is not sent."""
    show = [column.id for column in found.columns if column.id in visible and not column.visible]
    strangers = sorted(set(visible) - {column.id for column in found.columns})
    hide = [c.id for c in found.columns if c.visible and c.id in known and c.id not in visible]
    return [*show, *strangers], hide


def _create(form: PageForm) -> str:
    created = service.add(portal_client(), capabilities(), form.data)
    return url_for("admin.dataset", dataset_id=created)


def _update(dataset_id: int, form: PageForm) -> str:
    service.update(portal_client(), capabilities(), dataset_id, form.data)
    return url_for("admin.dataset", dataset_id=dataset_id)


def _delete(dataset_id: int) -> str:
    try:
        service.delete(portal_client(), capabilities(), dataset_id)
    except OutcomeUnknown as unknown:
        if not _was_updated():
            raise unknown
        service.delete(portal_client(), capabilities(), dataset_id)
    return url_for("admin.datasets")


def _was_updated() -> bool:
    """Whether the portal is of the newer generation by now, where `dataset.delete` breaks (facts/biconnector 4.2)."""
    if capabilities().tables:
        return False
    probe_anew()
    with suppress(ApplicationError):
        return capabilities().tables
    return False
