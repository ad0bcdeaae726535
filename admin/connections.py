"""Pages of hosted connections: list, gallery and form, view, change, delete, and what keeps the portal in step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint, confirmations
from admin.access import analysts_only
from admin.connection_forms import (
    PASTED,
    UPLOAD,
    Draft,
    draft,
    driver_named,
    failed_trial,
    filled,
    groups,
    in_words,
    is_offered,
    kept_upload,
    pasted_text,
    sealed_pasted,
    wrong_settings,
)
from admin.diagnoses import diagnosis
from admin.listing import listed, number_in, shown
from admin.rendering import acted, page_at, stays
from admin.sentences import sentence
from admin.session import (
    capabilities,
    comes_back,
    current_session,
    form_once,
    portal_client,
    portals_language,
    services,
    submitted,
)
from admin.submission import NOTHING_WRONG, Failure, failure, file_lost, problems_of, saved
from drivers import catalogue
from drivers.base import Field
from egress.errors import TargetError
from errors import ApplicationError, AskUser, FieldProblem, InvalidInput, PortalRefused, TryLater
from models import EndpointCall
from services.bi import datasets
from services.bi.sources import Source
from services.connections.call_log import UNKNOWN_TABLE
from services.connections.connection import Connection, secret_settings
from services.connections.connection_test import ConnectionTest
from services.connections.lifecycle import checked_settings
from services.connections.portal_comparison import KEY
from services.connections.portal_sync import ConnectorTexts
from services.connections.uploads import shown_name

RECENT = 5
CHECK_FAILED = frozenset({"SOURCE_CREATE_CONNECTION_ERROR", "SOURCE_UPDATE_CONNECTION_ERROR"})


@dataclass
class TrialFailed(Exception):
    """The settings were not saved, since they do not work."""

    trial: ConnectionTest


@blueprint.route("/connections/", methods=["GET", "POST"])
@analysts_only
def connections() -> ResponseReturnValue:
    """A page of the portal's connections."""
    part = shown("admin.connections", ("title",))
    page = services().repository.page(current_session().portal_id, part.search, part.page)
    known = services().portal_comparison.sources(portal_client(), current_session().portal_id)
    taken = services().repository.source_owners(current_session().portal_id)
    html = render_template(
        "connections/list.html",
        shown=part,
        page=page,
        health=services().call_log.health([row.id for row in page.items]),
        sources=known,
        strays=[row for row in known.values() if row.id not in taken],
        drivers=catalogue.DRIVERS,
        diagnosis=diagnosis,
    )
    return listed(html, part)


@blueprint.route("/connections/new", methods=["GET", "POST"])
@analysts_only
def new_connection() -> ResponseReturnValue:
    """The gallery of drivers; with a driver chosen, the form of a connection to be made."""
    driver = driver_named(request.values.get("driver", ""))
    if driver is None or not is_offered(driver):
        search = request.values.get("search", "").strip()
        page = render_template(
            "connections/gallery.html", groups=groups(search), search=search, is_offered=is_offered, stray=_stray()
        )
        return stays(page) if submitted() else page
    stray = _stray()
    blank = draft(driver, request.form.get("title", stray.title if stray else "").strip(), {})
    if not submitted():
        return _form_page(blank)
    return _sent(blank, None, _made)


@blueprint.route("/connections/<int:connection_id>", methods=["GET", "POST"])
@analysts_only
def connection(connection_id: int) -> ResponseReturnValue:
    """One connection: how it is, what the portal has of it, what was asked of it lately."""
    held = services().repository.get(current_session().portal_id, connection_id)
    sync_state = services().portal_comparison.state(portal_client(), capabilities(), held)
    recent = services().call_log.page(current_session().portal_id, connection_id=held.id, size=RECENT)
    driver = catalogue.DRIVERS[held.driver]
    page = render_template(
        "connections/view.html",
        connection=held,
        health=services().call_log.health([held.id]).get(held.id),
        driver=driver,
        settings=_shown(held),
        sync_state=sync_state,
        calls=recent,
        trial=g.get("trial"),
        afterword=g.get("afterword", ""),
        diagnosis=diagnosis,
        needs_login=_needs_login(held),
        gone=services().call_log.gone_tables(held.portal_id, held.id),
    )
    return page if acted() or not submitted() else stays(page)


@blueprint.route("/connections/<int:connection_id>/edit", methods=["GET", "POST"])
@analysts_only
def edit_connection(connection_id: int) -> ResponseReturnValue:
    """The form of a connection that exists; blank secrets stay as they are."""
    held = services().repository.get(current_session().portal_id, connection_id)
    typed = request.form.get("title", "").strip() if submitted() else held.title
    form = draft(catalogue.DRIVERS[held.driver], typed, held.settings)
    if not submitted():
        return _form_page(form, held=held)
    return _sent(form, held, lambda sent, settings: _changed(held, sent.title, settings))


@blueprint.route("/connections/<int:connection_id>/delete", methods=["GET", "POST"])
@analysts_only
def delete_connection(connection_id: int) -> ResponseReturnValue:
    """Ask before a connection is deleted; tell which datasets keep it from being deleted."""
    held = services().repository.get(current_session().portal_id, connection_id)
    if not submitted():
        return _delete_page(held)
    return saved(
        lambda: _deleted(held),
        _("The connection was deleted."),
        lambda error: _delete_page(held, failure(error, ())),
    )


def _delete_page(held: Connection, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    sync_state = services().portal_comparison.state(portal_client(), capabilities(), held)
    page = render_template("connections/delete.html", connection=held, sync_state=sync_state, problem=problem)
    return stays(page, problem.status)


@blueprint.route("/connections/<int:connection_id>/<action>", methods=["POST"])
@analysts_only
def act_on_connection(connection_id: int, action: str) -> ResponseReturnValue:
    """One of the buttons on a connection's page: `check`, `restore`, `adopt`, `forget`, `rotate`, `addresses`.

    The last two ask first.
    """
    held = services().repository.get(current_session().portal_id, connection_id)
    path = url_for("admin.connection", connection_id=connection_id)
    actions = _actions()
    question = confirmations.of_connection(action)
    if question is not None and not submitted():
        return confirmations.asked(question, request.path, held.title, path)
    if action not in actions or not submitted():
        return page_at(path)
    act, notice = actions[action]
    with form_once() as use:
        if use.outcome is None:
            if not _tried(lambda: act(held), held):
                notice = ""
            use.done(path)
    return page_at(path, notice)


def _actions() -> Mapping[str, tuple[Callable[[Connection], Any], str]]:
    hosting = services().portal_sync
    return {
        "check": (_checked, ""),
        "restore": (
            lambda held: hosting.restore(portal_client(), capabilities(), held, connector_texts()),
            _("The portal has the connection as it is here."),
        ),
        "adopt": (lambda held: hosting.adopt(portal_client(), held), _("The portal's title was taken over.")),
        "forget": (hosting.forget, _("The source in the portal has nothing to do with this connection any more.")),
        "rotate": (
            lambda held: hosting.rotate(portal_client(), capabilities(), held),
            _("The source has a new key. The former one opens for another day."),
        ),
        "addresses": (
            lambda held: hosting.rotate_addresses(portal_client(), capabilities(), held.portal_id),
            _("The connector has new addresses. The former ones open for another day."),
        ),
    }


def _sent(form: Draft, held: Connection | None, act: Callable[[Draft, dict[str, str]], str]) -> ResponseReturnValue:
    """What the button that was pressed asks for: fill the form, test it, or save it."""
    if comes_back():
        return _form_page(form, file_lost(UPLOAD), held=held)
    is_test = "_test" in request.form
    if "_fill" in request.form or (request.form.get(PASTED, "").strip() and not is_test):
        # Enter in the string's field presses the form's first button, which saves: it was typed to fill the fields.
        ready = filled(form, pasted_text())
        if ready is None:
            return _form_page(form, Failure({PASTED: str(diagnosis("string_unknown"))}, (), 422), held=held)
        return _form_page(ready, held=held, keeps_pasted=False)
    try:
        form, wrong = kept_upload(form)
        settings = _all_checked(form, form.title or ("-" if is_test else ""), wrong)
        if is_test:
            trial = services().connection_tester.run(current_session().portal_id, form.driver.name, settings)
            return _form_page(form, failed_trial(trial, form.names), held=held, trial=trial)
        return _saved(lambda: act(form, settings))
    except TrialFailed as failed:
        return _form_page(form, failed_trial(failed.trial, form.names), held=held, trial=failed.trial)
    except InvalidInput as error:
        return _form_page(form, wrong_settings(error, form.names), held=held)


def _all_checked(form: Draft, title: str, wrong: Sequence[FieldProblem]) -> dict[str, str]:
    """The form's settings; raises `InvalidInput` with everything that is wrong, the uploaded file among it."""
    try:
        settings = checked_settings(form.driver.name, title, form.settings)
    except InvalidInput as error:
        # A file that was not kept is the reason why none is there.
        others = [problem for problem in error.problems if not wrong or problem.field != "settings-path"]
        raise InvalidInput([*wrong, *others]) from None
    if wrong:
        raise InvalidInput(wrong)
    return settings


def _saved(act: Callable[[], str]) -> ResponseReturnValue:
    with form_once() as use:
        if use.outcome is None:
            use.done(act())
    return page_at(
        use.outcome or use.path or "/", "" if g.get("afterword") else _("The connection works and was saved.")
    )


def _made(form: Draft, settings: dict[str, str]) -> str:
    """Try the settings, keep them, and make the source; a portal that refuses is told on the connection's page."""
    _try(form.driver.name, settings)
    who = current_session()
    held, _key = services().repository.add(who.portal_id, form.driver.name, form.title, settings)
    services().repository.prove(held.id)
    stray, connect = _stray(), services().portal_sync.connect
    if stray is not None:
        services().repository.set_source(held.id, stray.id)
        held, connect = services().repository.get(who.portal_id, held.id), services().portal_sync.restore
    _tried(lambda: connect(portal_client(), capabilities(), held, connector_texts()), held)
    return url_for("admin.connection", connection_id=held.id)


def _changed(held: Connection, title: str, settings: dict[str, str]) -> str:
    _try(held.driver, settings)
    services().repository.change(held, title, settings)
    services().repository.prove(held.id)
    _discard(held, settings.get("path", ""))
    if held.closed:
        fresh = services().repository.get(held.portal_id, held.id)
        _tried(lambda: services().portal_sync.restore(portal_client(), capabilities(), fresh, connector_texts()), fresh)
    elif title != held.title:
        fresh = services().repository.get(held.portal_id, held.id)
        _tried(lambda: services().portal_sync.rename(portal_client(), capabilities(), fresh), fresh)
    return url_for("admin.connection", connection_id=held.id)


def _deleted(held: Connection) -> str:
    services().portal_sync.remove(portal_client(), held)
    _discard(held)
    return url_for("admin.connections")


def _discard(held: Connection, still: str = "") -> None:
    """Delete the uploaded file that a connection read until now, unless it or another one still does."""
    path = held.settings.get("path", "")
    if path != still and path not in services().repository.uploads_in_use(held.portal_id):
        services().uploads.discard(held.portal_id, path)


def _checked(held: Connection) -> None:
    """Try a stored connection and keep the outcome as its health."""
    trial = services().connection_tester.run(held.portal_id, held.driver, held.settings)
    if trial.passed:
        services().repository.prove(held.id)
        _look_for_tables(held)
    g.trial = trial
    _keep_test(
        held,
        status=200 if trial.passed else 502,
        code="" if trial.passed else trial.code,
        reason="" if trial.passed else trial.detail,
        milliseconds=trial.milliseconds,
    )


def _look_for_tables(held: Connection) -> None:
    """Note which published tables are gone, and which have come back."""
    if held.source_id is None:
        return
    published = {row.external_code for row in datasets.of_source(portal_client(), capabilities(), held.source_id)}
    known = services().call_log.gone_tables(held.portal_id, held.id)
    try:
        gone = services().publishing.missing(held, published)
    except TargetError:
        return
    for table in sorted(gone - known):
        _keep_test(held, status=404, code=UNKNOWN_TABLE, asked={"table": table})
    for table in sorted((known - gone) & published):
        _keep_test(held, status=200, asked={"table": table})


def _keep_test(held: Connection, *, asked: Mapping[str, Any] | None = None, **outcome: Any) -> None:
    services().call_log.record(
        EndpointCall(
            ref=secrets.token_hex(8),
            portal_id=held.portal_id,
            connection_id=held.id,
            endpoint="test",
            asked=asked or {},
            **outcome,
        ),
        held,
    )


def _try(driver: str, settings: dict[str, str]) -> None:
    trial = services().connection_tester.run(current_session().portal_id, driver, settings)
    if not trial.passed:
        raise TrialFailed(trial)


def _tried(act: Callable[[], Any], held: Connection) -> bool:
    """Do something with the portal; what it refuses is told on the page that follows."""
    try:
        act()
    except (AskUser, TryLater) as error:
        g.afterword = _told(error, held)
        return False
    return True


def _told(error: ApplicationError, held: Connection) -> str:
    """A refusal in words; where our own `urlCheck` said no, what it said (facts/field 0.5)."""
    if isinstance(error, PortalRefused) and error.code.upper() in CHECK_FAILED:
        trial = services().connection_tester.run(held.portal_id, held.driver, held.settings)
        if trial.passed:
            return str(_("It works from here, but Bitrix24 cannot reach this application, so nothing changed there."))
        return " ".join((_("The portal asked for the connection, and it did not work."), str(diagnosis(trial.code))))
    return " ".join(dict.fromkeys(sentence(problem) for problem in problems_of(error)))


def connector_texts() -> ConnectorTexts:
    """What analysts read about our connector in the portal."""
    with portals_language():
        return ConnectorTexts(
            _("Databases and files"),
            _("Databases and files that are connected in the application."),
            {KEY: _("Connection key")},
        )


def _stray() -> Source | None:
    """The source that the connection to be made shall open, where the page of connections led here for it."""
    number = number_in(request.values.get("source", ""))
    if number is None:
        return None
    strays = services().portal_comparison.strays(portal_client(), current_session().portal_id)
    return next((row for row in strays if row.id == number), None)


def _needs_login(held: Connection) -> bool:
    """Whether a connection was closed with something deleted that it cannot read without."""
    return held.closed and bool(secret_settings(held.driver) or held.settings.get("url"))


def _shown(held: Connection) -> list[tuple[str, str, bool]]:
    """Settings for people: label, value in words, and whether it is a stored secret."""
    declared = [field for field in catalogue.DRIVERS[held.driver].fields if held.settings.get(field.code)]
    return [
        (
            _label_of(field, held),
            "" if field.kind == "secret" else _in_words(field, held.settings[field.code]),
            field.kind == "secret",
        )
        for field in declared
        if field.kind != "long"
    ]


def _label_of(field: Field, held: Connection) -> str:
    return _("Uploaded file") if shown_name(held.settings[field.code]) else field.label


def _in_words(field: Field, value: str) -> str:
    return shown_name(value) or in_words(field, value)


def _form_page(
    form: Draft,
    problem: Failure = NOTHING_WRONG,
    *,
    held: Connection | None = None,
    trial: ConnectionTest | None = None,
    keeps_pasted: bool = True,
) -> ResponseReturnValue:
    page = render_template(
        "connections/form.html",
        form=form,
        problem=problem,
        connection=held,
        needs_login=held is not None and _needs_login(held),
        stray=_stray() if held is None else None,
        trial=trial,
        advanced_open=form.opens_advanced(problem),
        statements=form.driver.read_only_user_of(form.settings.get("database", "")),
        pasted_name=PASTED,
        pasted_kept=sealed_pasted() if keeps_pasted else "",
        most_megabytes=services().settings.upload_megabytes,
        diagnosis=diagnosis,
    )
    return stays(page, problem.status)
