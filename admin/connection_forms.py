"""The form of a connection, made from the fields that its driver declares.

Inputs are called `settings-<code>`. Secret ones are write-only: the page never holds their value, a blank one keeps
what is stored; what was typed a moment ago travels sealed (`web.typed_secrets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from drivers import catalogue
from drivers.base import Driver, Field
from errors import FieldProblem, InvalidInput
from sentences.lookup import diagnosis
from services.connections import connection_strings, uploads
from services.connections.connection_test import ConnectionTest
from web import typed_secrets
from web.session import current_session, services
from web.submission import Failure

PREFIX = "settings-"
UPLOAD = "upload"
UPLOADED = "_uploaded"
PASTED = "settings-connection_string"
GROUPS = {"databases": _l("Databases"), "files": _l("Files"), "web": _l("Web services")}
"""The headings of the gallery, in their order."""


@dataclass(frozen=True)
class Input:
    """One setting in the form; `value` is never in the page if `masked`."""

    declared: Field
    value: str = field(default="", repr=False)
    stored: bool = False
    sealed: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The input's name in the form."""
        return PREFIX + self.declared.code

    @property
    def masked(self) -> bool:
        """Whether the value is a secret."""
        return self.declared.kind == "secret"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What can be chosen, in words."""
        return [(code, in_words(self.declared, code)) for code in self.declared.choices]


@dataclass(frozen=True)
class Draft:
    """A connection as it stands in the form."""

    driver: Driver
    title: str
    inputs: tuple[Input, ...]

    @property
    def takes_files(self) -> bool:
        """Whether a file can be uploaded."""
        return self.driver.reads_uploads

    @property
    def uploaded(self) -> str:
        """The name of the file that was uploaded, or an empty text."""
        return uploads.shown_name(self.settings.get("path", ""))

    @property
    def shown_inputs(self) -> tuple[Input, ...]:
        """What is asked for: no path where a file was uploaded, or where no folder is open to paths."""
        needless = self.takes_files and (self.uploaded or services().settings.local_files is None)
        return tuple(row for row in self.inputs if not (needless and row.declared.code == "path"))

    @property
    def main_inputs(self) -> tuple[Input, ...]:
        """What is not below the fold; encryption stands beside the port, since its default fails on many servers."""
        rows = [row for row in self.shown_inputs if not row.declared.advanced]
        codes = [row.declared.code for row in rows]
        if {"port", "tls"} <= set(codes):
            rows.insert(codes.index("port") + 1, rows.pop(codes.index("tls")))
        return tuple(rows)

    @property
    def settings(self) -> dict[str, str]:
        """The settings as they would be saved."""
        return {row.declared.code: row.value for row in self.inputs}

    @property
    def names(self) -> set[str]:
        """The names beside which a problem can be shown."""
        return {"title", PASTED, UPLOAD} | {row.name for row in self.shown_inputs}

    def opens_advanced(self, failure: Failure) -> bool:
        """Whether a problem is below the fold, or something there differs from its default."""
        advanced = [row for row in self.inputs if row.declared.advanced]
        return any(row.name in failure.field_errors or row.value not in ("", row.declared.default) for row in advanced)


def in_words(declared: Field, value: str) -> str:
    """A setting's value; one that was chosen from a list as the list calls it."""
    return _(declared.choices[value]) if value in declared.choices else value


def driver_named(name: str) -> Driver | None:
    """The driver that the form asks for, or None."""
    return catalogue.DRIVERS.get(name)


def is_offered(driver: Driver) -> bool:
    """Whether this installation can use a driver: files on this machine need a folder that the operator opened."""
    return not driver.needs_folder or services().settings.local_files is not None


def draft(driver: Driver, title: str, stored: Mapping[str, str]) -> Draft:
    """The form as it was typed: what was typed counts, else what was sealed before, else what is stored."""
    form = Draft(driver, title, tuple(_input(declared, stored) for declared in driver.fields))
    before = request.form.get(UPLOADED, "")
    if form.takes_files and form.settings["url"] and form.uploaded:
        return with_upload(form, "")
    if form.takes_files and not form.settings["url"] and uploads.shown_name(before):
        return with_upload(form, before)
    return form


def with_upload(form: Draft, path: str) -> Draft:
    """The form with an uploaded file as what is read."""
    return Draft(
        form.driver,
        form.title,
        tuple(_with(row, path if row.declared.code == "path" else None) for row in form.inputs),
    )


def kept_upload(form: Draft) -> tuple[Draft, Sequence[FieldProblem]]:
    """The form with the file that came with it, if one did, and what is wrong with that file."""
    sent = request.files.get(UPLOAD)
    if not form.takes_files or sent is None or not sent.filename:
        return form, ()
    lifecycle, portal_id = services().connection_lifecycle, current_session().portal_id
    try:
        return with_upload(form, lifecycle.keep_upload(portal_id, sent.filename, sent.stream)), ()
    except InvalidInput as error:
        return form, error.problems


def filled(blank: Draft, text: str) -> Draft | None:
    """The form with the settings of a pasted connection string, or None if that fits another driver or none."""
    pasted = connection_strings.read(text)
    if pasted is None or pasted.driver != blank.driver.name:
        return None
    inputs = tuple(_with(row, pasted.settings.get(row.declared.code)) for row in blank.inputs)
    return Draft(blank.driver, blank.title, inputs)


def pasted_text() -> str:
    """The connection string that was typed, now or at an earlier showing."""
    code = PASTED.removeprefix(PREFIX)
    return request.form.get(PASTED, "").strip() or typed_secrets.opened(code, request.form)


def sealed_pasted() -> str:
    """The connection string that was typed and has filled nothing yet, sealed; empty without one."""
    return typed_secrets.seal(PASTED.removeprefix(PREFIX), pasted_text()) if pasted_text() else ""


ONE_OF_TWO = frozenset({"path_or_url", "path_and_url"})
"""Codes about file and address together; the file is asked for first."""


def wrong_settings(error: InvalidInput, names: set[str]) -> Failure:
    """What a driver says about the settings, beside their fields."""
    told: dict[str, str] = {}
    for problem in error.problems:
        name = UPLOAD if problem.code.lower() in ONE_OF_TWO else problem.field
        told.setdefault(name, str(diagnosis(problem.code)))
    general = tuple(text for name, text in told.items() if name not in names)
    return Failure({name: text for name, text in told.items() if name in names}, general, 422)


def failed_trial(trial: ConnectionTest, names: set[str]) -> Failure:
    """What a trial says, beside the field that caused it."""
    if trial.passed:
        return Failure()
    name, text = PREFIX + trial.field, str(diagnosis(trial.code))
    if trial.field == "path" and name not in names:
        name = UPLOAD
    if trial.field and name in names:
        return Failure({name: text}, (), 422)
    return Failure({}, (text,), 422)


def groups(search: str) -> Sequence[tuple[str, Sequence[Driver]]]:
    """The gallery: drivers by group, those whose name holds `search`."""
    wanted = search.casefold()
    found = [driver for driver in catalogue.DRIVERS.values() if wanted in f"{driver.label} {driver.name}".casefold()]
    grouped = ((title, [driver for driver in found if driver.group == group]) for group, title in GROUPS.items())
    return [(str(title), drivers) for title, drivers in grouped if drivers]


def _input(declared: Field, stored: Mapping[str, str]) -> Input:
    held = stored.get(declared.code, "")
    typed = request.form.get(PREFIX + declared.code)
    if typed is None or (declared.kind == "secret" and not typed):
        typed = typed_secrets.opened(declared.code, request.form) or None
    is_typed_secret = declared.kind == "secret" and typed is not None
    value = typed if typed is not None else held or ("" if stored else declared.default)
    if declared.kind == "choice":
        value = value or declared.default
    sealed = typed_secrets.seal(declared.code, value) if is_typed_secret else ""
    return Input(declared, value, stored=declared.kind == "secret" and bool(held), sealed=sealed)


def _with(row: Input, value: str | None) -> Input:
    if value is None:
        return row
    return Input(row.declared, value, row.stored, typed_secrets.seal(row.declared.code, value) if row.masked else "")
