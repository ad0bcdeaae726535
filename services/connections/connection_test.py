"""A connection tried step by step, before it is saved: what works, how long each step took, what fails and why.

Steps of a server: `address`, `name`, `port`, `tls` (unless it is switched off), `login`, `tables`, `row`; of a file at
an address: `name`, `open`, `tables`, `row`; of a file here: `open`, `tables`, `row`. The budgets against guessing and
scanning hold here as they do for portals (facts/security 4 layer 4).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

from drivers.base import Guards, Limits, Session, Table
from drivers.errors import LoginFailed, SettingsWrong
from drivers.hidden import NOTHING_HIDDEN, HiddenTables
from drivers.query import TableQuery
from egress.addresses import normal_host, normal_port
from egress.errors import TargetError, TargetRefused, Unreachable
from egress.sockets import open_socket
from services.connections.access import Access, Destination

StepName = Literal["address", "name", "port", "tls", "login", "open", "tables", "row"]
StepState = Literal["good", "bad", "not reached", "nothing"]

SECONDS = 25.0
"""How long one test may take altogether; somebody is waiting for it."""
ENOUGH = frozenset({"tables", "row"})
"""Steps that may fail without making the connection useless: a view may be broken, a database empty."""


@dataclass(frozen=True)
class Step:
    """One step; `note` is a fact for people (how many tables, which version), never a secret."""

    name: StepName
    state: StepState
    milliseconds: int = 0
    note: str = ""


@dataclass(frozen=True)
class ConnectionTest:
    """What came of it. `code`, `field` and `detail` belong to the step that failed: a word of ours, the setting that
    caused it or an empty text, and what the server said. `hidden` are tables that the user may not read.
    """

    steps: tuple[Step, ...]
    code: str = ""
    field: str = ""
    detail: str = ""
    hidden: HiddenTables = NOTHING_HIDDEN

    @property
    def passed(self) -> bool:
        """Whether charts can read through the connection."""
        return all(step.state == "good" or step.name in ENOUGH for step in self.steps)

    @property
    def milliseconds(self) -> int:
        """How long all steps took."""
        return sum(step.milliseconds for step in self.steps)


@dataclass
class _Run:
    """A test under way."""

    wanted: tuple[StepName, ...]
    steps: list[Step] = field(default_factory=list)
    hidden: HiddenTables = NOTHING_HIDDEN

    @contextlib.contextmanager
    def step(self, name: StepName) -> Iterator[list[str]]:
        """Time one step; the block may leave a note."""
        notes: list[str] = []
        started = time.monotonic()
        try:
            yield notes
        except TargetError:
            self.steps.append(Step(name, "bad", _milliseconds(started)))
            raise
        self.steps.append(Step(name, "good", _milliseconds(started), "".join(notes)))

    def rest(self) -> tuple[Step, ...]:
        """All steps, those not reached among them."""
        known = {step.name for step in self.steps}
        return (*self.steps, *(Step(name, "not reached") for name in self.wanted if name not in known))


class ConnectionTester:
    """Tries connections behind the guards of the application."""

    def __init__(self, guards: Guards, access: Access) -> None:
        self._guards = replace(guards, limits=Limits(seconds=SECONDS, bytes=4_000_000))
        self._access = access

    def run(self, portal_id: int, driver: str, settings: Mapping[str, str]) -> ConnectionTest:
        """Try settings that the driver has already taken; never raises a driver's error.

        `portal_id` is whose budget of failed connections is used, and whose uploaded files are read.
        """
        destination = self._access.destination(portal_id, driver, settings, self._guards)
        subject = f"portal {portal_id}"
        run = _Run(steps_of(destination.settings))
        try:
            self._access.check_connects(subject, subject)
            self._run_steps(run, destination)
        except TargetError as problem:
            self._access.count(problem, destination, subject)
            return ConnectionTest(run.rest(), problem.code, field_of(problem, settings), problem.detail)
        return ConnectionTest(run.rest(), hidden=run.hidden)

    def _run_steps(self, run: _Run, destination: Destination) -> None:
        settings, policy = destination.settings, destination.guards.policy
        if "host" in settings:
            with run.step("address"):
                host, port = normal_host(settings["host"]), normal_port(settings["port"])
            with run.step("name") as note:
                target = policy.resolve(host, port)
                note.append(", ".join(target.addresses[:3]))
            self._access.check_logins(destination, destination.target)
            with run.step("port"):
                open_socket(target).close()
        elif settings.get("url"):
            with run.step("name"):
                policy.resolve(*_parts(settings["url"]), "web")
        with _logged_in(run, destination) as session:
            self._access.lift(destination)
            with run.step("tables") as note:
                run.hidden = session.hidden()
                closed = frozenset(run.hidden.tables)
                tables = [table for table in session.tables() if not table.part and table.name not in closed]
                note.append(str(len(tables)))
            if tables:
                with run.step("row"):
                    _read_a_row(session, tables)
            else:
                run.steps.append(Step("row", "nothing"))


def steps_of(settings: Mapping[str, str]) -> tuple[StepName, ...]:
    """The steps that a test of these settings has."""
    if "host" in settings:
        encrypted: tuple[StepName, ...] = () if settings.get("tls", "disable") == "disable" else ("tls",)
        return ("address", "name", "port", *encrypted, "login", "tables", "row")
    return ("name", "open", "tables", "row") if settings.get("url") else ("open", "tables", "row")


def field_of(problem: TargetError, settings: Mapping[str, str]) -> str:
    """The setting that a problem was caused by, or an empty text where it may be any."""
    if isinstance(problem, SettingsWrong):
        return problem.field
    place = "host" if "host" in settings else "url"
    if isinstance(problem, TargetRefused):
        return "port" if problem.code in {"port_grammar", "port_closed"} and place == "host" else place
    if isinstance(problem, Unreachable):
        return "port" if problem.code == "connect_refused" and place == "host" else place
    if isinstance(problem, LoginFailed):
        known = {"password": "password", "database": "database", "unsafe_method": "tls"}
        known |= dict.fromkeys(("refused", "unknown_method"), "username")
        return known.get(problem.code, "")
    return ""


@contextlib.contextmanager
def _logged_in(run: _Run, destination: Destination) -> Iterator[Session]:
    """An open session; where a server was asked for, encryption and login are told apart by what went wrong."""
    names = [name for name in run.wanted if name in ("tls", "login", "open")]
    started = time.monotonic()
    try:
        session = destination.open()
    except TargetError as problem:
        taken = _milliseconds(started)
        if names[0] == "tls" and _passed_encryption(problem):
            run.steps.append(Step("tls", "good"))
            names = names[1:]
        run.steps.append(Step(names[0], "bad", taken))
        raise
    with session:
        try:
            server = session.check()
        except TargetError:
            run.steps.append(Step(names[-1], "bad", _milliseconds(started)))
            raise
        taken = _milliseconds(started)
        if names[0] == "tls":
            run.steps.append(Step("tls", "good"))
        run.steps.append(Step(names[-1], "good", taken, f"{server.product} {server.version}".strip()))
        yield session


def _passed_encryption(problem: TargetError) -> bool:
    return isinstance(problem, LoginFailed) or (
        isinstance(problem, SettingsWrong) and problem.field not in ("tls", "ca")
    )


def _read_a_row(session: Session, tables: list[Table]) -> None:
    description = session.describe(tables[0].name)
    names = tuple(column.name for column in description.columns)
    for _ in session.rows(TableQuery(tables[0].name, names, limit=1), description):
        pass


def _parts(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise SettingsWrong("url", "not_readable") from None
    if parts.scheme != "https":
        raise SettingsWrong("url", "https_only")
    return host, port


def _milliseconds(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
