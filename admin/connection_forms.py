"""The form of a connection, made from the fields that its driver declares.

Inputs are called `settings-<code>`. Secret ones are write-only: the page never holds their value, a blank one keeps
what is stored; what was typed a moment ago travels sealed (`web.typed_secrets`).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import file_previews
from drivers import catalogue
from drivers.base import LONGEST_SETTING, Driver, Field
from errors import FieldProblem, InvalidInput
from sentences.lookup import by_field, diagnosis
from services.connections import connection_strings, uploads
from services.connections.connection import stored_secrets, targets
from services.connections.connection_test import ConnectionTest
from web.forms import FormField, Kind, PageForm
from web.session import current_session, services, submitted
from web.submission import Failure
from web.typed_secrets import SETTINGS as PREFIX

UPLOAD = "upload"
UPLOADED = "_uploaded"
AUTHORITY, AUTHORITY_TEXT = "authority", PREFIX + "ca"
"""A certificate authority: the file that may be chosen, and the field whose place it takes."""
PASTED = "settings-connection_string"
TYPES = "settings-types"
KINDS: Mapping[str, Kind] = {"secret": "secret", "choice": "choice"}
"""How an input is read by the kind of the driver's field; every other one holds exactly what was typed."""
GROUPS = {"databases": _l("Databases"), "files": _l("Files"), "web": _l("Web services")}
"""The headings of the gallery, in their order."""
ONE_OF_TWO = frozenset({"path_or_url", "path_and_url"})
"""Codes about file and address together; the file is asked for first."""


class ConnectionForm(PageForm):
    """A connection as it stands in the form; `stored` are the settings of one that exists."""

    def __init__(self, driver: Driver, title: str, stored: Mapping[str, str] | None = None) -> None:
        self.driver = driver
        known = {PREFIX + field.code: stored.get(field.code, "") for field in driver.fields} if stored else {}
        inputs = [
            FormField(PREFIX + field.code, KINDS.get(field.kind, "exact"), field.default) for field in driver.fields
        ]
        own = (FormField("title"), FormField(UPLOADED, "exact"), FormField(PASTED, "secret"))
        super().__init__([*own, *inputs], {"title": title, **known})
        self._part_secrets()
        if self.takes_files and submitted():
            self[TYPES] = file_previews.chosen_types(self[TYPES])
        self._read_authority()
        if self.takes_files and self.settings["url"] and self.upload_name:
            self.read_upload("")
        elif self.takes_files and not self.settings["url"] and uploads.shown_name(self[UPLOADED]):
            self.read_upload(self[UPLOADED])

    def _part_secrets(self) -> None:
        """Take secrets out of inputs that the page shows again."""
        for code, value in self.driver.parted(self._typed).items():
            if self[PREFIX + code] != value:
                self[PREFIX + code] = value

    def _read_authority(self) -> None:
        """Let a certificate that was chosen as a file, in either of its two forms, stand in the field as PEM text."""
        file = request.files.get(AUTHORITY)
        if file is None or not file.filename or AUTHORITY_TEXT not in self.declared:
            return
        content = file.stream.read(LONGEST_SETTING)
        is_pem = not content.startswith(b"\x30")
        self[AUTHORITY_TEXT] = content.decode(errors="replace") if is_pem else ssl.DER_cert_to_PEM_cert(content)

    @property
    def asks_for_authority(self) -> bool:
        """Whether a server's certificate authority can be chosen as a file."""
        return not self.takes_files and AUTHORITY_TEXT in self.declared

    @property
    def takes_files(self) -> bool:
        """Whether a file can be uploaded."""
        return self.driver.reads_uploads

    @property
    def upload_name(self) -> str:
        """The name of the file that was uploaded, or an empty text."""
        return uploads.shown_name(self.settings.get("path", ""))

    @property
    def settings(self) -> dict[str, str]:
        """The settings as they would be saved; without the stored secrets that `untold_secrets` names."""
        return self._typed | self._of_store[0]

    @property
    def untold_secrets(self) -> Sequence[FieldProblem]:
        """The stored secrets that are not told to the target which the form has now, as problems of their inputs."""
        return [FieldProblem(PREFIX + code, "SECRET_OF_OTHER_TARGET") for code in sorted(self._of_store[1])]

    @property
    def secret_targets(self) -> str:
        """Which settings ask for stored secrets again once they change, in words."""
        return ", ".join(_(label) for label in targets(self.driver.name))

    @property
    def _typed(self) -> dict[str, str]:
        return {field.code: self[PREFIX + field.code] for field in self.driver.fields}

    @property
    def _of_store(self) -> tuple[dict[str, str], set[str]]:
        stored = {name.removeprefix(PREFIX): value for name, value in self.stored.items() if name.startswith(PREFIX)}
        return stored_secrets(self.driver.name, stored, self._typed)

    @property
    def shown_fields(self) -> tuple[Field, ...]:
        """What is asked for: no path where a file was uploaded, or where no folder is open to paths."""
        needless = self.takes_files and (self.upload_name or services().settings.local_files is None)
        return tuple(field for field in self.driver.fields if not (needless and field.code == "path"))

    @property
    def main_fields(self) -> tuple[Field, ...]:
        """What is not below the fold; encryption stands beside the port, since its default fails on many servers."""
        fields = [field for field in self.shown_fields if not field.advanced]
        codes = [field.code for field in fields]
        if {"port", "tls"} <= set(codes):
            fields.insert(codes.index("port") + 1, fields.pop(codes.index("tls")))
        return tuple(fields)

    @property
    def names(self) -> set[str]:
        """The names beside which a problem can be shown."""
        return {"title", PASTED, UPLOAD} | {PREFIX + field.code for field in self.shown_fields}

    def opens_advanced(self, failure: Failure) -> bool:
        """Whether a problem is below the fold, or something there differs from its default."""
        settings, advanced = self.settings, [field for field in self.driver.fields if field.advanced]
        return any(
            PREFIX + field.code in failure.field_errors or settings[field.code] not in ("", field.default)
            for field in advanced
        )

    def read_upload(self, path: str) -> None:
        """Let the connection read the uploaded file at `path`, or none."""
        self[PREFIX + "path"] = path

    def keep_upload(self) -> Sequence[FieldProblem]:
        """Keep the file that came with the form, or the one that came before; what is wrong with that file."""
        file, who, named = request.files.get(UPLOAD), current_session(), self.settings.get("path", "")
        if not self.takes_files:
            return ()
        if file is None or not file.filename:
            if services().uploads.still_holds(who.portal_id, named, who.session_id):
                return ()
            self.read_upload("")
            return [FieldProblem(UPLOAD, "FILE_NOT_KEPT")]
        try:
            kept = services().connection_lifecycle.keep_upload(
                who.portal_id, file.filename, file.stream, session_id=who.session_id, instead_of=named
            )
        except InvalidInput as error:
            return error.problems
        self.read_upload(kept)
        return ()

    def fill_from_string(self) -> bool:
        """Fill the fields from the connection string; False if that fits another driver or none."""
        parsed = connection_strings.read(self[PASTED].strip())
        if parsed is None or parsed.driver != self.driver.name:
            return False
        for code, value in parsed.settings.items():
            if PREFIX + code in self.declared:
                self[PREFIX + code] = value
        self[PASTED] = ""
        return True


def in_words(declared: Field, value: str) -> str:
    """A setting's value; one that was chosen from a list as the list calls it."""
    return _(declared.choices[value]) if value in declared.choices else value


def driver_named(name: str) -> Driver | None:
    """The driver that the form asks for, or None."""
    return catalogue.DRIVERS.get(name)


def is_offered(driver: Driver) -> bool:
    """Whether this installation can use a driver: files on this machine need a folder that the operator opened."""
    return not driver.needs_folder or services().settings.local_files is not None


def settings_failure(error: InvalidInput, names: set[str]) -> Failure:
    """What a driver says about the settings, beside their fields."""
    problems = [
        FieldProblem(UPLOAD if problem.code.lower() in ONE_OF_TWO else problem.field, problem.code, problem.details)
        for problem in error.problems
    ]
    texts = by_field(problems)
    form_errors = tuple(text for name, text in texts.items() if name not in names)
    return Failure({name: text for name, text in texts.items() if name in names}, form_errors, 422)


def failure_of_test(test: ConnectionTest, form: ConnectionForm) -> Failure:
    """What a connection test says, beside the field that caused it."""
    return Failure() if test.passed else failure_beside(test.field, test.code, form)


def failure_beside(field: str, code: str, form: ConnectionForm) -> Failure:
    """What is wrong with a setting, beside it; what is wrong with a file stands where the file was named."""
    name, text = PREFIX + field, str(diagnosis(code))
    if field == "path" and form.settings.get("url"):
        name = PREFIX + "url"
    elif field == "path" and name not in form.names:
        name = UPLOAD
    return Failure({name: text}, (), 422) if field and name in form.names else Failure({}, (text,), 422)


def groups(search: str) -> Sequence[tuple[str, Sequence[Driver]]]:
    """The gallery: drivers by group, those whose name holds `search`."""
    part = search.casefold()
    drivers = [driver for driver in catalogue.DRIVERS.values() if part in f"{driver.label} {driver.name}".casefold()]
    grouped = ((title, [driver for driver in drivers if driver.group == group]) for group, title in GROUPS.items())
    return [(str(title), group) for title, group in grouped if group]
