"""Pages of sources: list, view, create, change, delete.

A source's form asks for the values of its connector's settings, under `settings-<code>`. Secret ones are masked: the
page never holds their value, and a blank one keeps what the portal has, since portals merge settings by code
(facts/field 0.10, 0.12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.forms import SourceForm, names_of
from admin.listing import list_answer, list_state
from errors import FieldProblem, InvalidInput, NotFound, TryLater
from services.bi import connectors
from services.bi import sources as service
from services.bi.connectors import Connector, Setting
from services.bi.sources import Source
from services.connections.connection import Connection
from services.connections.portal_comparison import COMPARED
from web import typed_secrets
from web.answers import page_at, same_place
from web.forms import number_in
from web.session import capabilities, current_session, portal_client, services, submitted
from web.submission import NOTHING_WRONG, Failure, act_once, failure

SORTS = ("title", "dateCreate", "id")
PREFIX = "settings-"


@dataclass(frozen=True)
class SettingInput:
    """One setting in the form: what is shown of it, and what is sent for it."""

    code: str
    name: str
    type: str
    masked: bool
    value: str = field(default="", repr=False)
    """What was typed, or what the portal has; never in the page if `masked`."""
    stored: bool = False
    """Whether the portal has a value that a blank input keeps."""
    sealed: str = field(default="", repr=False)

    @property
    def input_name(self) -> str:
        """The input's name in the form."""
        return PREFIX + self.code


@blueprint.route("/sources/", methods=["GET", "POST"])
def sources() -> ResponseReturnValue:
    """A page of the portal's sources: of one connector or of all, active or off, of a day and later."""
    part = list_state("admin.sources", SORTS, ("connectorId", "active", "dateCreate"))
    above = connectors.everything(portal_client())
    connector_id = number_in(part.filters["connectorId"])
    active = part.filters["active"]
    wanted = {
        **({"=connectorId": connector_id} if connector_id else {}),
        **({"=active": active} if active in ("Y", "N") else {}),
    }
    page = service.page(portal_client(), part.wanted(wanted))
    html = render_template(
        "sources/list.html",
        state=part,
        page=page,
        connectors=above,
        titles={row.id: row for row in above},
        owners=_owners(),
    )
    return list_answer(html, part)


@blueprint.route("/sources/<int:source_id>", methods=["GET", "POST"])
def source(source_id: int) -> ResponseReturnValue:
    """One source, its connector and its datasets."""
    found = service.get(portal_client(), source_id)
    datasets = service.below(portal_client(), capabilities(), source_id)
    return render_template(
        "sources/view.html",
        source=found,
        connector=(above := _connector(found.connector_id)),
        datasets=datasets,
        settings=[_shown_setting(row.code, row.name, row.type, row.value) for row in found.settings],
        connection=_connection_of(found),
        is_stray=above is not None and _takes_key(above) and source_id not in _owners(),
    )


@blueprint.route("/sources/new", methods=["GET", "POST"])
def new_source() -> ResponseReturnValue:
    """The form of a source to be made; its settings appear once a connector is chosen."""
    choice = [row for row in connectors.everything(portal_client(), *COMPARED) if not _takes_key(row)]
    form = SourceForm(request.form if submitted() else None)
    if not submitted():
        form.connectorId.data = request.args.get("connectorId", "") or (str(choice[0].id) if len(choice) == 1 else "")
    connector = next((_connector(row.id) for row in choice if str(row.id) == form.connectorId.data), None)
    choosing = "_choose" in request.form
    inputs = _inputs(connector.settings if connector else () if choosing else _posted_settings(), {})
    if not submitted() or choosing:
        return _form_page(form, inputs, choice=choice, connector=connector)
    names = names_of(form) | {row.input_name for row in inputs} | {"settings"}
    return act_once(
        lambda: _made(form, connector, inputs),
        _("The source was created."),
        lambda error: _form_page(form, inputs, failure(error, names), choice=choice, connector=connector),
    )


@blueprint.route("/sources/<int:source_id>/edit", methods=["GET", "POST"])
def edit_source(source_id: int) -> ResponseReturnValue:
    """The form of a source that exists."""
    found = service.get(portal_client(), source_id)
    if source_id in _owners():
        return page_at(url_for("admin.source", source_id=source_id))
    connector = _connector(found.connector_id)
    known = {row.code: row.value for row in found.settings}
    settings = connector.settings if connector else tuple(Setting(s.code, s.name, s.type) for s in found.settings)
    form = SourceForm(request.form) if submitted() else SourceForm(data=_values(found))
    inputs = _inputs(settings, known)
    if not submitted():
        return _form_page(form, inputs, connector=connector, source=found)
    names = names_of(form) - {"connectorId"} | {row.input_name for row in inputs} | {"settings"}
    return act_once(
        lambda: _changed(found, form, inputs),
        _("The source was changed."),
        lambda error: _form_page(form, inputs, failure(error, names), connector=connector, source=found),
    )


@blueprint.route("/sources/<int:source_id>/delete", methods=["GET", "POST"])
def delete_source(source_id: int) -> ResponseReturnValue:
    """Ask before a source is deleted; tell which datasets keep it from being deleted."""
    if not submitted():
        return _delete_page(source_id)
    return act_once(
        lambda: _deleted(source_id),
        _("The source was deleted."),
        lambda error: _delete_page(source_id, failure(error, ())),
    )


def _delete_page(source_id: int, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    found = service.get(portal_client(), source_id)
    datasets = service.below(portal_client(), capabilities(), source_id)
    page = render_template("sources/delete.html", source=found, datasets=datasets, problem=problem)
    return same_place(page, problem.status)


def _form_page(
    form: SourceForm,
    inputs: Sequence[SettingInput],
    problem: Failure = NOTHING_WRONG,
    *,
    choice: Sequence[Connector] = (),
    connector: Connector | None = None,
    source: Source | None = None,
) -> ResponseReturnValue:
    page = render_template(
        "sources/form.html",
        form=form,
        inputs=inputs,
        problem=problem,
        choice=choice,
        connector=connector,
        source=source,
    )
    return same_place(page, problem.status)


def _owners() -> Mapping[int, int]:
    """The application's connections by the numbers of their sources."""
    return services().repository.source_owners(current_session().portal_id)


def _connection_of(source: Source) -> Connection | None:
    """The application's connection that a source belongs to, or None."""
    return services().repository.of_source(current_session().portal_id, source.id)


def _takes_key(connector: Connector) -> bool:
    """Whether only connections of this application make sources of a connector, since nobody else knows a key."""
    return services().portal_comparison.ours([connector], current_session().portal_id).get(connector.id, False)


def _connector(connector_id: int) -> Connector | None:
    """A whole connector, or None if it is gone."""
    try:
        return connectors.get(portal_client(), connector_id)
    except NotFound:
        return None


def _values(source: Source) -> dict[str, Any]:
    return {
        "title": source.title,
        "description": source.description,
        "connectorId": str(source.connector_id),
        "active": source.active,
    }


def _posted_settings() -> tuple[Setting, ...]:
    """Settings as typed for a connector that could not be found, so that they are not lost."""
    names = [name.removeprefix(PREFIX) for name in request.form if name.startswith(PREFIX)]
    return tuple(Setting(code, code) for code in names)


def _inputs(settings: Iterable[Setting], known: dict[str, str]) -> list[SettingInput]:
    """The form's inputs: what was typed counts, else what was typed and sealed before, else what the portal has."""
    inputs = []
    for setting in settings:
        stored = known.get(setting.code, "")
        masked = typed_secrets.is_secret(setting.code, stored)
        typed = request.form.get(PREFIX + setting.code, "" if masked else stored)
        if masked:
            typed = typed or typed_secrets.opened(setting.code, request.form)
        sealed = typed_secrets.seal(setting.code, typed) if masked else ""
        inputs.append(
            SettingInput(setting.code, setting.name or setting.code, setting.type, masked, typed, bool(stored), sealed)
        )
    return inputs


def _shown_setting(code: str, name: str, kind: str, value: str) -> SettingInput:
    masked = typed_secrets.is_secret(code, value)
    return SettingInput(code, name or code, kind, masked, "" if masked else value, bool(value))


def _made(form: SourceForm, connector: Connector | None, inputs: Sequence[SettingInput]) -> str:
    if connector is None and form.connectorId.data:
        raise InvalidInput([FieldProblem("connectorId", "CONNECTOR_NOT_FOUND")])
    fields = {**form.data, "settings": {row.code: row.value for row in inputs}}
    codes = None if connector is None else [setting.code for setting in connector.settings]
    made = service.add(portal_client(), capabilities(), fields, codes)
    return url_for("admin.source", source_id=made)


def _changed(found: Source, form: SourceForm, inputs: Sequence[SettingInput]) -> str:
    settings = {row.code: row.value for row in inputs if row.value or not row.masked}
    fields = {name: value for name, value in form.data.items() if name != "connectorId"}
    if settings:
        fields["settings"] = settings
    service.update(portal_client(), capabilities(), found.id, fields, [row.code for row in inputs])
    if form.active.data != found.active and _ignored(form.active.data, found.id):
        # Some portals ignore `active` in updates (facts/field 0.12) and say nothing: say it for them.
        raise InvalidInput([FieldProblem("active", "ACTIVE_IGNORED")])
    return url_for("admin.source", source_id=found.id)


def _ignored(active: bool, source_id: int) -> bool:
    """Whether the portal kept the source's switch as it was; if it cannot tell now, the next page shows it."""
    try:
        return service.get(portal_client(), source_id).active != active
    except TryLater:
        return False


def _deleted(source_id: int) -> str:
    service.delete(portal_client(), source_id)
    return url_for("admin.sources")
