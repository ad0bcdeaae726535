"""Pages of sources: list, view, create, change, delete.

A source's form asks for the values of its connector's settings, under `settings-<code>`. Secret ones are masked: the
page never holds their value, and a blank one keeps what the portal has, since portals merge settings by code
(facts/field 0.10, 0.12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.forms import SOURCE, SOURCE_CONNECTOR
from admin.listing import list_answer, list_state
from errors import FieldProblem, InvalidInput, NotFound, TryLater
from sentences.lookup import sentence
from services.bi import connectors
from services.bi import sources as service
from services.bi.connectors import Connector, Setting
from services.bi.sources import Source, SourceSetting
from services.connections.connection import Connection
from services.connections.portal_comparison import COMPARED
from web import typed_secrets
from web.answers import page_at, same_place
from web.forms import FormField, PageForm, number_in
from web.session import capabilities, current_session, portal_client, services, submitted
from web.submission import NOTHING_WRONG, Failure, act_once, failure, remark

SORTS = ("title", "dateCreate", "id")
PREFIX = typed_secrets.SETTINGS


@dataclass(frozen=True)
class SettingInput:
    """One setting on a page; a `masked` one is there without its `value`, `stored` tells whether the portal has one."""

    code: str
    name: str
    type: str
    masked: bool
    value: str = field(default="", repr=False)
    stored: bool = False

    @property
    def input_name(self) -> str:
        """The input's name in the form."""
        return PREFIX + self.code

    @property
    def declared(self) -> FormField:
        """The input of the form."""
        return FormField(self.input_name, "secret" if self.masked else "exact")


@blueprint.route("/sources/", methods=["GET", "POST"])
def sources() -> ResponseReturnValue:
    """A page of the portal's sources: of one connector or of all, active or off, of a day and later."""
    state = list_state("admin.sources", SORTS, ("connectorId", "active", "dateCreate"))
    above = connectors.everything(portal_client())
    connector_id = number_in(state.filters["connectorId"])
    active = state.filters["active"]
    filters = {
        **({"=connectorId": connector_id} if connector_id else {}),
        **({"=active": active} if active in ("Y", "N") else {}),
    }
    page = service.page(portal_client(), state.for_portal(filters))
    html = render_template(
        "sources/list.html",
        state=state,
        page=page,
        connectors=above,
        titles={row.id: row for row in above},
        owners=_owners(),
    )
    return list_answer(html, state)


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
        settings=_inputs(found.settings, {row.code: row.value for row in found.settings}),
        connection=_connection_of(found),
        is_stray=above is not None and _takes_key(above) and source_id not in _owners(),
    )


@blueprint.route("/sources/new", methods=["GET", "POST"])
def new_source() -> ResponseReturnValue:
    """The form of a source to be made; its settings appear once a connector is chosen."""
    choice = [row for row in connectors.everything(portal_client(), *COMPARED) if not _takes_key(row)]
    only = str(choice[0].id) if len(choice) == 1 else ""
    form = PageForm([SOURCE_CONNECTOR, *SOURCE], {"connectorId": request.args.get("connectorId", "") or only})
    connector = next((_connector(row.id) for row in choice if str(row.id) == form["connectorId"]), None)
    choosing = "_choose" in request.form
    inputs = _inputs(connector.settings if connector else () if choosing else _posted_settings(), {})
    form.declare((row.declared for row in inputs), {})
    if not submitted() or choosing:
        return _form_page(form, inputs, choice=choice, connector=connector)
    return act_once(
        lambda: _create(form, connector, inputs),
        _("The source was created."),
        lambda error: _form_page(
            form, inputs, failure(error, form.names | {"settings"}), choice=choice, connector=connector
        ),
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
    inputs = _inputs(settings, known)
    stored = {row.input_name: known.get(row.code, "") for row in inputs}
    own = {"title": found.title, "description": found.description, "active": found.active}
    form = PageForm([*SOURCE, *(row.declared for row in inputs)], own | stored)
    if not submitted():
        return _form_page(form, inputs, connector=connector, source=found)
    return act_once(
        lambda: _update(found, form, inputs),
        _("The source was changed."),
        lambda error: _form_page(
            form, inputs, failure(error, form.names | {"settings"}), connector=connector, source=found
        ),
    )


@blueprint.route("/sources/<int:source_id>/delete", methods=["GET", "POST"])
def delete_source(source_id: int) -> ResponseReturnValue:
    """Ask before a source is deleted; tell which datasets keep it from being deleted."""
    if not submitted():
        return _delete_page(source_id)
    return act_once(
        lambda: _delete(source_id),
        _("The source was deleted."),
        lambda error: _delete_page(source_id, failure(error, ())),
    )


def _delete_page(source_id: int, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    found = service.get(portal_client(), source_id)
    datasets = service.below(portal_client(), capabilities(), source_id)
    page = render_template("sources/delete.html", source=found, datasets=datasets, problem=problem)
    return same_place(page, problem.status)


def _form_page(
    form: PageForm,
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


def _posted_settings() -> tuple[Setting, ...]:
    """Settings as typed for a connector that could not be found, so that they are not lost."""
    names = [name.removeprefix(PREFIX) for name in request.form if name.startswith(PREFIX)]
    return tuple(Setting(code, code) for code in names)


def _inputs(settings: Iterable[Setting | SourceSetting], known: Mapping[str, str]) -> list[SettingInput]:
    """The settings for a page; `known` are the values that the portal has."""
    inputs = []
    for setting in settings:
        value = known.get(setting.code, "")
        masked = typed_secrets.is_secret(setting.code, value)
        name, shown = setting.name or setting.code, "" if masked else value
        inputs.append(SettingInput(setting.code, name, setting.type, masked, shown, bool(value)))
    return inputs


def _create(form: PageForm, connector: Connector | None, inputs: Sequence[SettingInput]) -> str:
    if connector is None and form["connectorId"]:
        raise InvalidInput([FieldProblem("connectorId", "CONNECTOR_NOT_FOUND")])
    own = {field.name: form[field.name] for field in (SOURCE_CONNECTOR, *SOURCE)}
    fields = {**own, "settings": {row.code: form[row.input_name] for row in inputs}}
    codes = None if connector is None else [setting.code for setting in connector.settings]
    created = service.add(portal_client(), capabilities(), fields, codes)
    if not form["active"] and _ignored(False, created):
        # Sent once more, the form would make a second source: so it is no refusal.
        remark(sentence(FieldProblem("active", "ACTIVE_IGNORED")))
    return url_for("admin.source", source_id=created)


def _update(found: Source, form: PageForm, inputs: Sequence[SettingInput]) -> str:
    fields = {field.name: form[field.name] for field in SOURCE}
    # A blank secret keeps what the portal has.
    settings = {row.code: value for row in inputs if (value := form[row.input_name]) or not row.masked}
    if settings:
        fields["settings"] = settings
    service.update(portal_client(), capabilities(), found.id, fields, [row.code for row in inputs])
    if form["active"] != found.active and _ignored(form["active"], found.id):
        # Portals ignore `active` (facts/biconnector 3.3a) and say nothing: say it for them.
        raise InvalidInput([FieldProblem("active", "ACTIVE_IGNORED")])
    _check_kept(found, settings)
    return url_for("admin.source", source_id=found.id)


def _check_kept(before: Source, settings: Mapping[str, str]) -> None:
    """Raise `InvalidInput` for values of parameters that the source lacked before and that the portal has not taken.

    Parameters that a connector gains do not come into its sources by themselves (facts/biconnector 3.3d).
    """
    gained = {code for code, value in settings.items() if value} - {row.code for row in before.settings}
    if not gained:
        return
    with suppress(TryLater):
        kept = {row.code for row in service.get(portal_client(), before.id).settings if row.value}
        if lost := [code for code in settings if code in gained - kept]:
            raise InvalidInput([FieldProblem(PREFIX + code, "VALUE_NOT_KEPT") for code in lost])


def _ignored(active: bool, source_id: int) -> bool:
    """Whether the portal kept the source's switch as it was; if it cannot tell now, the next page shows it."""
    try:
        return service.get(portal_client(), source_id).active != active
    except TryLater:
        return False


def _delete(source_id: int) -> str:
    service.delete(portal_client(), source_id)
    return url_for("admin.sources")
