"""Pages of datasets: list, view with columns, create, change, delete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.discovery import Panel, asked, connection_of, is_asked, searched
from admin.forms import (
    ColumnsForm,
    DatasetForm,
    DescriptionForm,
    dataset_values,
    filled_rows,
    keep_filled,
    names_of,
    rows_changed,
)
from admin.listing import list_answer, list_state
from errors import ApplicationError, FieldProblem, InvalidInput, NotFound, OutcomeUnknown
from services.bi import datasets as service
from services.bi import sources
from services.bi.datasets import Dataset
from services.bi.sources import Source
from services.connections.connection import Connection
from web.answers import has_acted, same_place
from web.forms import number_in
from web.session import capabilities, current_session, portal_client, probe_anew, services, submitted
from web.submission import NOTHING_WRONG, Failure, act_once, failure

SORTS = ("name", "dateCreate", "dateUpdate", "id")
TYPED = ("name", "externalCode")


@dataclass(frozen=True)
class Marks:
    """What is ticked in the table of columns: visible ones and those to delete, by id."""

    visible: frozenset[int] = field(default_factory=frozenset)
    deleted: frozenset[int] = field(default_factory=frozenset)


@blueprint.route("/datasets/", methods=["GET", "POST"])
def datasets() -> ResponseReturnValue:
    """A page of the portal's datasets: of one source or of all, of a day and later."""
    part = list_state("admin.datasets", SORTS, ("sourceId", "dateCreate"))
    above = sources.everything(portal_client())
    source_id = number_in(part.filters["sourceId"])
    wanted = part.wanted({"=sourceId": source_id} if source_id else {})
    page = service.page(portal_client(), capabilities(), wanted)
    html = render_template(
        "datasets/list.html", state=part, page=page, sources=above, titles={row.id: row for row in above}
    )
    return list_answer(html, part)


@blueprint.route("/datasets/<int:dataset_id>", methods=["GET", "POST"])
def dataset(dataset_id: int) -> ResponseReturnValue:
    """One dataset; its form adds, shows, hides and deletes columns."""
    found = service.get(portal_client(), capabilities(), dataset_id)
    visible = frozenset(column.id for column in found.columns if column.visible)
    if not submitted() or has_acted():
        return _dataset_page(found, ColumnsForm(), Marks(visible))
    form = ColumnsForm(request.form)
    marks = Marks(_ids("visible"), _ids("delete"))
    if rows_changed(form):
        return _dataset_page(found, form, marks)
    keep_filled(form.add, TYPED)

    def refused(error: ApplicationError) -> ResponseReturnValue:
        problem = failure(error, names_of(form) | {"delete"})
        return _dataset_page(service.get(portal_client(), capabilities(), dataset_id), form, marks, problem)

    return act_once(lambda: _columns_changed(found, form, marks), _("The columns were changed."), refused)


@blueprint.route("/datasets/new", methods=["GET", "POST"])
def new_dataset() -> ResponseReturnValue:
    """The form of a dataset to be made."""
    form = DatasetForm(request.form if submitted() else None)
    if not submitted():
        form.sourceId.data = request.args.get("sourceId", "")
    if rows_changed(form, blank="fields") or not submitted():
        return _form_page(form)
    if is_asked():
        return _form_page(form, panel=asked(form))
    keep_filled(form.fields, TYPED)
    return act_once(
        lambda: _made(form),
        _("The dataset was created."),
        lambda error: _form_page(form, failure(error, names_of(form))),
    )


@blueprint.route("/datasets/<int:dataset_id>/edit", methods=["GET", "POST"])
def edit_dataset(dataset_id: int) -> ResponseReturnValue:
    """The form of what can be changed of a dataset: its description."""
    found = service.get(portal_client(), capabilities(), dataset_id)
    form = DescriptionForm(request.form) if submitted() else DescriptionForm(data=dataset_values(found))
    if not submitted():
        return _edit_page(found, form)
    return act_once(
        lambda: _changed(dataset_id, form),
        _("The dataset was changed."),
        lambda error: _edit_page(found, form, failure(error, names_of(form))),
    )


@blueprint.route("/datasets/<int:dataset_id>/delete", methods=["GET", "POST"])
def delete_dataset(dataset_id: int) -> ResponseReturnValue:
    """Ask before a dataset is deleted; tell what stays in BI Builder."""
    if not submitted():
        return _delete_page(dataset_id)
    return act_once(
        lambda: _deleted(dataset_id),
        _("The dataset was deleted."),
        lambda error: _delete_page(dataset_id, failure(error, ())),
    )


def _edit_page(found: Dataset, form: DescriptionForm, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    page = render_template("datasets/edit.html", dataset=found, source=_source_of(found), form=form, problem=problem)
    return same_place(page, problem.status)


def _delete_page(dataset_id: int, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    found = service.get(portal_client(), capabilities(), dataset_id)
    page = render_template("datasets/delete.html", dataset=found, problem=problem, caps=capabilities())
    return same_place(page, problem.status)


def _dataset_page(
    found: Dataset, form: ColumnsForm, marks: Marks, problem: Failure = NOTHING_WRONG
) -> ResponseReturnValue:
    page = render_template(
        "datasets/view.html",
        dataset=found,
        source=_source_of(found),
        connection=_connection_of(found),
        form=form,
        marks=marks,
        problem=problem,
        caps=capabilities(),
    )
    return page if has_acted() else same_place(page, problem.status)


def _form_page(
    form: DatasetForm, problem: Failure = NOTHING_WRONG, *, panel: Panel | None = None
) -> ResponseReturnValue:
    if not form.fields.entries:
        form.fields.append_entry()
    choice = sources.everything(portal_client())
    if not submitted() and not form.sourceId.data and len(choice) == 1:
        form.sourceId.data = str(choice[0].id)
    page = render_template(
        "datasets/form.html",
        form=form,
        problem=problem,
        choice=choice,
        caps=capabilities(),
        panel=replace(panel or Panel(searched()), connection=connection_of(form)),
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


def _ids(name: str) -> frozenset[int]:
    return frozenset(number for text in request.form.getlist(name) if (number := number_in(text)))


def _columns_changed(found: Dataset, form: ColumnsForm, marks: Marks) -> str:
    """Change what differs between the ticks and the dataset; a column that the page did not show stays as it is."""
    show, hide = _turned(found, _ids("known"), marks.visible)
    added = filled_rows(form.add, TYPED)
    if not (added or show or hide or marks.deleted):
        raise InvalidInput([FieldProblem("", "NOTHING_TO_CHANGE")])
    service.update_columns(
        portal_client(),
        capabilities(),
        found.id,
        add=added,
        show=show,
        hide=hide,
        delete=marks.deleted,
    )
    return url_for("admin.dataset", dataset_id=found.id)


def _turned(found: Dataset, known: Collection[int], visible: Collection[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Columns to show and to hide; `known` are those whose box was in the form, since an unticked box is not sent."""
    show = [column.id for column in found.columns if column.id in visible and not column.visible]
    strangers = sorted(set(visible) - {column.id for column in found.columns})
    hide = [c.id for c in found.columns if c.visible and c.id in known and c.id not in visible]
    return [*show, *strangers], hide


def _made(form: DatasetForm) -> str:
    made = service.add(portal_client(), capabilities(), form.values())
    return url_for("admin.dataset", dataset_id=made)


def _changed(dataset_id: int, form: DescriptionForm) -> str:
    service.update(portal_client(), capabilities(), dataset_id, form.data)
    return url_for("admin.dataset", dataset_id=dataset_id)


def _deleted(dataset_id: int) -> str:
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
