"""Pages of hosted connections: list, gallery and form, view, change, delete, and what keeps the portal in step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint, file_previews
from admin.access import analysts_only
from admin.connection_forms import (
    PASTED,
    UPLOAD,
    ConnectionForm,
    driver_named,
    failure_beside,
    failure_of_test,
    groups,
    in_words,
    is_offered,
    settings_failure,
)
from admin.file_previews import PreviewPanel
from admin.listing import list_answer, list_state
from drivers import catalogue
from egress.errors import TargetError
from errors import FieldProblem, InvalidInput
from sentences import questions
from sentences.lookup import all_sentences, diagnosis
from services.bi.sources import Source
from services.connections.connection import Connection, checked_settings
from services.connections.connection_test import ConnectionTest, field_of
from services.connections.lifecycle import ConnectionTestFailed, PortalRefusal
from services.connections.portal_comparison import KEY
from services.connections.portal_sync import ConnectorTexts, PortalContext
from services.connections.uploads import shown_name
from web.answers import page_at, question_page, same_place
from web.forms import number_in
from web.session import (
    capabilities,
    current_session,
    form_once,
    is_shown_again,
    portal_client,
    portals_language,
    services,
    submitted,
)
from web.submission import NOTHING_WRONG, Failure, act_once, failure, lost_file, problems_of

RECENT = 5


@blueprint.route("/connections/", methods=["GET", "POST"])
@analysts_only
def connections() -> ResponseReturnValue:
    """A page of the portal's connections."""
    state = list_state("admin.connections", ("title",))
    page = services().repository.page(current_session().portal_id, state.search, state.page)
    known = services().portal_comparison.sources(portal_client(), current_session().portal_id)
    taken = services().repository.source_owners(current_session().portal_id)
    html = render_template(
        "connections/list.html",
        state=state,
        page=page,
        health=services().health.connections([row.id for row in page.items]),
        sources=known,
        strays=[row for row in known.values() if row.id not in taken],
        drivers=catalogue.DRIVERS,
    )
    return list_answer(html, state)


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
        return same_place(page)
    stray = _stray()
    form = ConnectionForm(driver, stray.title if stray else "")
    if not submitted():
        return _form_page(form)

    def create(settings: dict[str, str]) -> int:
        portal_id, stray_id = current_session().portal_id, stray.id if stray else None
        created, refusal = services().connection_lifecycle.create(
            portal_context(), portal_id, form.driver.name, form["title"], settings, stray_id
        )
        _tell(refusal)
        return created.id

    return _answer(form, None, create)


@blueprint.route("/connections/<int:connection_id>", methods=["GET", "POST"])
@analysts_only
def connection(connection_id: int) -> ResponseReturnValue:
    """One connection: how it is, what the portal has of it, what was asked of it lately."""
    connection = services().repository.get(current_session().portal_id, connection_id)
    sync_state = services().portal_comparison.state(portal_client(), capabilities(), connection)
    recent = services().call_log.page(current_session().portal_id, connection_id=connection.id, size=RECENT)
    driver = catalogue.DRIVERS[connection.driver]
    page = render_template(
        "connections/view.html",
        connection=connection,
        health=services().health.connections([connection.id]).get(connection.id),
        tables=services().health.tables([connection.id]),
        driver=driver,
        settings=_shown(connection),
        sync_state=sync_state,
        calls=recent,
        trial=g.get("trial"),
        afterword=g.get("afterword", ""),
    )
    return same_place(page)


@blueprint.route("/connections/<int:connection_id>/edit", methods=["GET", "POST"])
@analysts_only
def edit_connection(connection_id: int) -> ResponseReturnValue:
    """The form of a connection that exists; blank secrets stay as they are while what they are told to does."""
    connection = services().repository.get(current_session().portal_id, connection_id)
    form = ConnectionForm(catalogue.DRIVERS[connection.driver], connection.title, connection.settings)
    if not submitted():
        return _form_page(form, connection=connection)

    def change(settings: dict[str, str]) -> int:
        _tell(services().connection_lifecycle.change(portal_context(), connection, form["title"], settings))
        return connection.id

    return _answer(form, connection, change)


@blueprint.route("/connections/<int:connection_id>/delete", methods=["GET", "POST"])
@analysts_only
def delete_connection(connection_id: int) -> ResponseReturnValue:
    """Ask before a connection is deleted; tell which datasets keep it from being deleted."""
    connection = services().repository.get(current_session().portal_id, connection_id)
    if not submitted():
        return _delete_page(connection)

    def delete() -> str:
        services().connection_lifecycle.delete(portal_client(), connection)
        return url_for("admin.connections")

    return act_once(
        delete,
        _("The connection was deleted."),
        lambda error: _delete_page(connection, failure(error, ())),
    )


def _delete_page(connection: Connection, problem: Failure = NOTHING_WRONG) -> ResponseReturnValue:
    sync_state = services().portal_comparison.state(portal_client(), capabilities(), connection)
    page = render_template("connections/delete.html", connection=connection, sync_state=sync_state, problem=problem)
    return same_place(page, problem.status)


@blueprint.route("/connections/<int:connection_id>/<action>", methods=["POST"])
@analysts_only
def act_on_connection(connection_id: int, action: str) -> ResponseReturnValue:
    """One of the buttons on a connection's page: `check`, `restore`, `adopt`, `forget`, `rotate`, `addresses`.

    The last two ask first.
    """
    connection = services().repository.get(current_session().portal_id, connection_id)
    path = url_for("admin.connection", connection_id=connection_id)
    actions = _actions(connection)
    question = questions.of_connection(action)
    if question is not None and not submitted():
        return question_page(question, request.path, connection.title, path)
    if action not in actions or not submitted():
        return page_at(path)
    act, notice = actions[action]
    with form_once() as use:
        if use.outcome is None:
            _tell(services().connection_lifecycle.attempt(connection, act))
            use.done(path)
    return page_at(path, "" if g.get("afterword") else notice)


def _actions(connection: Connection) -> Mapping[str, tuple[Callable[[], object], str]]:
    """What each button does, and what is said once it is done."""
    sync = services().portal_sync

    def check() -> None:
        g.trial = services().connection_lifecycle.check(portal_client(), capabilities(), connection)

    return {
        "check": (check, ""),
        "restore": (
            lambda: sync.restore(portal_context(), connection),
            _("The portal has the connection as it is here."),
        ),
        "adopt": (lambda: sync.adopt(portal_client(), connection), _("The portal's title was taken over.")),
        "forget": (
            lambda: sync.forget(connection),
            _("The source in the portal has nothing to do with this connection any more."),
        ),
        "rotate": (
            lambda: sync.rotate(portal_context(), connection),
            _("The source has a new key. The former one opens for another day."),
        ),
        "addresses": (
            lambda: sync.rotate_addresses(portal_context(), connection.portal_id),
            _("The connector has new addresses. The former ones open for another day."),
        ),
    }


def _answer(
    form: ConnectionForm, connection: Connection | None, save: Callable[[dict[str, str]], int]
) -> ResponseReturnValue:
    """What the button that was pressed asks for: fill the form, test it, or save it, which gives the number."""
    if is_shown_again():
        return _form_page(form, lost_file(UPLOAD), connection=connection)
    if form.takes_files and file_previews.is_asked():
        return _previewed(form, connection)
    is_test = "_test" in request.form
    if "_fill" in request.form or (form.is_typed(PASTED) and not is_test):
        # Enter in the string's field presses the form's first button, which saves: it was typed to fill the fields.
        unknown = Failure({PASTED: str(diagnosis("string_unknown"))}, (), 422)
        return _form_page(form, NOTHING_WRONG if form.fill_from_string() else unknown, connection=connection)
    try:
        wrong = [*form.keep_upload(), *form.untold_secrets]
        settings = _checked_settings(form, form["title"] or ("-" if is_test else ""), wrong)
        if is_test:
            trial = services().connection_tester.run(current_session().portal_id, form.driver.name, settings)
            return _form_page(form, failure_of_test(trial, form), connection=connection, trial=trial)
        with form_once() as use:
            if use.outcome is None:
                use.done(url_for("admin.connection", connection_id=save(settings)))
        notice = "" if g.get("afterword") else _("The connection works and was saved.")
        return page_at(use.outcome or use.path or "/", notice)
    except ConnectionTestFailed as failed:
        return _form_page(form, failure_of_test(failed.test, form), connection=connection, trial=failed.test)
    except InvalidInput as error:
        return _form_page(form, settings_failure(error, form.names), connection=connection)


def _previewed(form: ConnectionForm, connection: Connection | None) -> ResponseReturnValue:
    """The form with what is understood of its file, or with what keeps that from being read."""
    asked, who = file_previews.asked(), current_session()
    try:
        settings = _checked_settings(form, "-", form.keep_upload())
        found = services().previews.look(who.portal_id, form.driver.name, settings, asked, owner=who.session_id)
    except InvalidInput as error:
        problem = settings_failure(error, form.names)
        told = " ".join([*problem.field_errors.values(), *problem.form_errors])
        return _form_page(form, problem, connection=connection, panel=PreviewPanel(problem=told))
    except TargetError as error:
        problem = failure_beside(field_of(error, settings), error.code, form)
        panel = PreviewPanel(problem=str(diagnosis(error.code)), detail=error.detail)
        return _form_page(form, problem, connection=connection, panel=panel)
    panel = PreviewPanel(found, gave_up=asked.whole and not found.is_whole)
    return _form_page(form, connection=connection, panel=panel)


def _checked_settings(form: ConnectionForm, title: str, wrong: Sequence[FieldProblem]) -> dict[str, str]:
    """The form's settings; raises `InvalidInput` with everything that is wrong, the uploaded file among it."""
    try:
        settings = checked_settings(form.driver.name, title, form.settings)
    except InvalidInput as error:
        # A file that was not kept is the reason why none is there.
        told = {"settings-path" if problem.field == UPLOAD else problem.field for problem in wrong}
        raise InvalidInput([*wrong, *(problem for problem in error.problems if problem.field not in told)]) from None
    if wrong:
        raise InvalidInput(wrong)
    return settings


def _tell(refusal: PortalRefusal | None) -> None:
    """Let the page that follows tell what the portal refused; where our own `urlCheck` said no, what it said."""
    if refusal is None:
        return
    if refusal.test is None:
        g.afterword = all_sentences(problems_of(refusal.error))
    elif refusal.test.passed:
        g.afterword = _("It works from here, but Bitrix24 cannot reach this application, so nothing changed there.")
    else:
        why = str(diagnosis(refusal.test.code))
        g.afterword = " ".join((_("The portal asked for the connection, and it did not work."), why))


def portal_context() -> PortalContext:
    """The portal as the user of this page reaches it, with what analysts read about our connector there."""
    with portals_language():
        description = _("Databases and files that are connected in the application.")
        texts = ConnectorTexts(_("Databases and files"), description, {KEY: _("Connection key")})
    return PortalContext(portal_client(), capabilities(), texts)


def _stray() -> Source | None:
    """The source that the connection to be made shall open, where the page of connections led here for it."""
    number = number_in(request.values.get("source", ""))
    if number is None:
        return None
    strays = services().portal_comparison.strays(portal_client(), current_session().portal_id)
    return next((row for row in strays if row.id == number), None)


def _shown(connection: Connection) -> list[tuple[str, str, bool]]:
    """Settings for people: label, value in words, and whether it is a stored secret."""
    rows = []
    for field in catalogue.DRIVERS[connection.driver].fields:
        value, is_secret = connection.settings.get(field.code, ""), field.kind == "secret"
        if value and field.kind != "long":
            upload = shown_name(value)
            words = "" if is_secret else upload or in_words(field, value)
            rows.append((_("Uploaded file") if upload else field.label, words, is_secret))
    return rows


def _form_page(
    form: ConnectionForm,
    problem: Failure = NOTHING_WRONG,
    *,
    connection: Connection | None = None,
    trial: ConnectionTest | None = None,
    panel: PreviewPanel | None = None,
) -> ResponseReturnValue:
    if form.takes_files and panel is None:
        panel = PreviewPanel(wanted=bool(form.settings["path"] or form.settings["url"]))
    page = render_template(
        "connections/form.html",
        form=form,
        problem=problem,
        connection=connection,
        stray=_stray() if connection is None else None,
        trial=trial,
        panel=panel,
        advanced_open=form.opens_advanced(problem),
        statements=form.driver.read_only_user_of(form.settings.get("database", "")),
        pasted_name=PASTED,
        most_megabytes=services().settings.upload_megabytes,
    )
    return same_place(page, problem.status)
