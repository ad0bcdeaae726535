"""Several tables of a connection published at once (facts/field 3 row 7).

Datasets are made ten in a round trip: `batch` would take fifty, but a portal ends every request after 60 s
(facts/platform 5.4), and `dataset.add` makes a dataset of BI Builder as well (facts/biconnector 4.2). An addition whose
answer is lost is looked up and never repeated, and so is a name that turns out to be taken: what is there already was
made by an earlier try (facts/field 3 row 22). A failure leaves alone what was made before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from egress.errors import TargetError
from errors import (
    AccessDenied,
    ApplicationError,
    FieldProblem,
    GiveUp,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    PortalRefused,
    PortalUnreachable,
    Reopen,
    TryLater,
)
from services.bi import datasets, rules
from services.bi.datasets import Dataset
from services.bi.listing import id_of
from services.connections.connection import Connection
from services.connections.portal_sync import PortalContext, PortalSync
from services.contract.names import NameRefused, dataset_codes
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient
from services.publishing.tables import (
    MOST_NUMBERS,
    NAME_TAKEN,
    Publishing,
    TableInspection,
    external_code,
    fields_of,
    published_datasets,
)

MOST_TABLES = 50
"""Of one publication: as many as a page of tables shows, and five round trips."""
AT_ONCE = 10
MOST_VARIABLES = 1000
"""What PHP reads of a query string before it drops the rest without an error (`max_input_vars`). Commands of a batch
are query strings, so a table with more goes alone, as JSON."""
LOOK_SECONDS = 15.0
"""For reading the columns of all tables."""
WORK_SECONDS = 75.0
"""For a whole publication: browsers wait for 90 s (templates/base.html), proxies longer."""
ROUND_SECONDS = 20.0
"""No further round begins with less than this left."""
LOOK_UP_SECONDS = 10.0
"""Of these, what is kept for looking up what became of it."""

CONCERNS_ALL = (TryLater, Reopen, GiveUp, AccessDenied, NotFound)
"""After these the tables whose turn has not come yet would fare the same."""
METHOD = "biconnector.dataset.add"
State = Literal["created", "existing", "failed", "waiting"]


@dataclass(frozen=True)
class PlannedDataset:
    """What would become of a table: `name` is proposed for its dataset, empty where none is to be made.

    `dataset` is the one that it has already.
    """

    inspection: TableInspection
    name: str = ""
    dataset: Dataset | None = None

    @property
    def is_numbered(self) -> bool:
        """Whether another dataset, or another chosen table, has the name that the table would have by itself."""
        return bool(self.inspection.table and self.name and self.name != self.inspection.table.code)


@dataclass(frozen=True)
class DatasetRequest:
    """A table and the name that its dataset shall have."""

    inspection: TableInspection
    name: str


@dataclass(frozen=True)
class Outcome:
    """What has become of a table: `created` now, `there` before, `failed` with an error, or still `waiting`.

    A waiting one may have an error too: what stopped the work before its turn came.
    """

    request: DatasetRequest
    state: State
    dataset_id: int | None = None
    name: str = ""
    error: TargetError | ApplicationError | None = None


def planned_datasets(
    client: PortalClient, caps: Capabilities, inspections: Sequence[TableInspection], below: Mapping[str, Dataset]
) -> list[PlannedDataset]:
    """What would become of tables, with names that none of the application's datasets has.

    `below` is what is published of the connection, by external code. Raises the portal's errors.
    """
    known = {row.name: below.get(external_code(row.table)) if row.table else None for row in inspections}
    named = [row for row in inspections if row.table is not None and row.error is None and known[row.name] is None]
    names = dict(
        zip(
            [row.name for row in named],
            free_names(client, caps, [row.table.code for row in named if row.table is not None]),
            strict=True,
        )
    )
    return [PlannedDataset(row, names.get(row.name, ""), known[row.name]) for row in inspections]


def free_names(client: PortalClient, caps: Capabilities, codes: Sequence[str]) -> list[str]:
    """A dataset name for each code; those that the application's datasets have already are numbered."""
    asked: set[str] = set()
    taken: set[str] = set()
    proposed = dataset_codes(codes)
    for _ in range(MOST_NUMBERS):
        fresh = set(proposed) - asked
        if not fresh:
            break
        asked |= fresh
        taken |= datasets.named(client, caps, fresh).keys()
        proposed = dataset_codes(codes, taken)
    return proposed


class BatchPublishing:
    """Plans and makes the datasets of several tables of a connection."""

    def __init__(self, publishing: Publishing, portal_sync: PortalSync) -> None:
        self._publishing, self._portal_sync = publishing, portal_sync

    def plan(
        self, portal: PortalContext, connection: Connection, tables: Collection[str], seconds: float = LOOK_SECONDS
    ) -> list[PlannedDataset]:
        """What would become of tables; raises the driver's errors if the connection does not open, and the portal's."""
        inspections = self._publishing.inspect(connection, tables, seconds=seconds)
        below = published_datasets(portal.client, portal.caps, connection)
        return planned_datasets(portal.client, portal.caps, inspections, below)

    def publish(
        self, portal: PortalContext, connection: Connection, names: Mapping[str, str], end: float
    ) -> list[Outcome]:
        """What has become of tables whose datasets shall have `names`, until the moment `end` of the monotonic clock.

        Raises what `plan` and `Publication.publish` raise, before anything was made.
        """
        inspections = self._publishing.inspect(connection, names, seconds=LOOK_SECONDS)
        source_id, present = self._portal_sync.ready_source(portal, connection)
        below = {row.external_code: row for row in present}
        requests = [
            DatasetRequest(self._with_types_of_today(connection, row, below), names[row.name]) for row in inspections
        ]
        outcomes = Publication(portal.client, portal.caps, source_id, end).publish(requests, below)
        for outcome in outcomes:
            if outcome.state == "created" and (table := outcome.request.inspection.table) is not None:
                self._publishing.hold(connection, table, outcome.request.inspection.columns)
        return outcomes

    def _with_types_of_today(
        self, connection: Connection, inspection: TableInspection, below: Collection[str]
    ) -> TableInspection:
        """A table with the types that its columns have today, unless it is one of those that are published."""
        table = inspection.table
        if table is None or not inspection.columns or external_code(table) in below:
            return inspection
        return replace(inspection, columns=self._publishing.renewed(connection, table, inspection.columns))


class Publication:
    """One publication: makes the datasets of a source until all are made or the moment `end` of `clock` is near."""

    def __init__(
        self,
        client: PortalClient,
        caps: Capabilities,
        source_id: int,
        end: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caps, self._source_id, self._end, self._clock = caps, source_id, end, clock
        self._adding, self._looking = client.until(end - LOOK_UP_SECONDS), client.until(end)

    def publish(self, requests: Sequence[DatasetRequest], below: Mapping[str, Dataset]) -> list[Outcome]:
        """What has become of each, in their order.

        Raises `InvalidInput` with the fields `name-<number of the request>` before anything is made, and what concerns
        all of them (rights, the session, the portal's plan) if nothing was made.
        """
        done = {
            number: outcome for number, request in enumerate(requests) if (outcome := _known_outcome(request, below))
        }
        todo = {number: request for number, request in enumerate(requests) if number not in done}
        self._check_names(todo)
        ready = {number: request for number, request in todo.items() if request.inspection.columns}
        stopped: ApplicationError | None = None
        for number, turn in enumerate(_rounds(ready)):
            if number and self._end - self._clock() < ROUND_SECONDS:
                break
            added = self._add(turn)
            done |= added
            stopped = next((row.error for row in added.values() if isinstance(row.error, CONCERNS_ALL)), None)
            if stopped is not None:
                break
        _raise_if_nothing_was_made(done.values(), stopped)
        return [
            done.get(number) or Outcome(request, "waiting", error=stopped) for number, request in enumerate(requests)
        ]

    def _check_names(self, todo: Mapping[int, DatasetRequest]) -> None:
        problems = [
            found for number, request in todo.items() for found in rules.dataset_name(f"name-{number}", request.name)
        ]
        first: dict[str, int] = {}
        for number, request in todo.items():
            if request.name and first.setdefault(request.name, number) != number:
                problems.append(FieldProblem(f"name-{number}", "NAME_CHOSEN_TWICE"))
        if problems:
            raise InvalidInput(problems)
        taken = datasets.named(self._looking, self._caps, first.keys())
        problems = [FieldProblem(f"name-{first[name]}", "NAME_EXISTS") for name in taken]
        if problems:
            raise InvalidInput(problems)

    def _add(self, turn: Mapping[int, DatasetRequest]) -> dict[int, Outcome]:
        """What one round trip makes of tables, and what a look-up says of those that it leaves open."""
        outcomes, commands = {}, {}
        for number, request in turn.items():
            try:
                commands[number] = rules.dataset(self._caps, self._fields(request))
            except (InvalidInput, NameRefused) as problem:
                outcomes[number] = Outcome(request, "failed", error=problem)
        answers = self._answers(commands)
        open_ones = [turn[number].name for number, answer in answers.items() if _needs_look_up(answer)]
        found = self._look_up(open_ones)
        return outcomes | {number: self._outcome(turn[number], answer, found) for number, answer in answers.items()}

    def _fields(self, request: DatasetRequest) -> dict[str, Any]:
        table = request.inspection.table
        assert table is not None  # noqa: S101 - narrows the type: only tables with columns come here
        return {**fields_of(table, request.inspection.columns, self._source_id), "name": request.name}

    def _answers(self, commands: Mapping[int, dict[str, Any]]) -> dict[int, int | ApplicationError]:
        """The new dataset's number, or what the portal says instead."""
        if not commands:
            return {}
        try:
            if len(commands) == 1:
                told: Mapping[str, Any] = {
                    str(number): self._adding.call(METHOD, fields=fields) for number, fields in commands.items()
                }
            else:
                told = self._adding.batch({str(row): (METHOD, {"fields": fields}) for row, fields in commands.items()})
        except ApplicationError as problem:
            return dict.fromkeys(commands, problem)
        return {number: _number_in(told.get(str(number))) for number in commands}

    def _look_up(self, names: Sequence[str]) -> Mapping[str, Dataset] | None:
        """The datasets of these names, or None if that could not be found out."""
        try:
            return datasets.named(self._looking, self._caps, names)
        except ApplicationError:
            return None

    def _outcome(
        self, request: DatasetRequest, answer: int | ApplicationError, found: Mapping[str, Dataset] | None
    ) -> Outcome:
        if isinstance(answer, int):
            return Outcome(request, "created", answer, request.name)
        if not _needs_look_up(answer):
            return Outcome(request, "waiting" if isinstance(answer, TryLater) else "failed", error=answer)
        known = found.get(request.name) if found is not None else None
        if known is not None and self._is_of(known, request):
            return Outcome(request, "created" if _is_lost(answer) else "existing", known.id, known.name)
        if _is_lost(answer):
            if known is not None:
                return Outcome(request, "failed", error=PortalRefused(METHOD, "NAME_EXISTS"))
            return Outcome(request, "failed", error=OutcomeUnknown("the answer was lost"))
        return Outcome(request, "failed", error=answer)

    def _is_of(self, known: Dataset, request: DatasetRequest) -> bool:
        table = request.inspection.table
        return table is not None and (known.source_id, known.external_code) == (self._source_id, external_code(table))


def _known_outcome(request: DatasetRequest, below: Mapping[str, Dataset]) -> Outcome | None:
    """What is clear before the portal is asked for anything."""
    table, error = request.inspection.table, request.inspection.error
    known = below.get(external_code(table)) if table is not None else None
    if known is not None:
        return Outcome(request, "existing", known.id, known.name)
    return Outcome(request, "failed", error=error) if error is not None else None


def _rounds(requests: Mapping[int, DatasetRequest]) -> Iterator[dict[int, DatasetRequest]]:
    """The tables of one round trip after another; one that is too wide for a batch goes alone."""
    turn: dict[int, DatasetRequest] = {}
    for number, request in requests.items():
        if 3 * len(request.inspection.columns) + 4 > MOST_VARIABLES:
            yield {number: request}
            continue
        turn[number] = request
        if len(turn) == AT_ONCE:
            yield turn
            turn = {}
    if turn:
        yield turn


def _number_in(answer: Any) -> int | ApplicationError:
    if isinstance(answer, ApplicationError):
        return answer
    try:
        return id_of(answer)
    except PortalUnreachable as broken:
        return broken


def _is_lost(answer: ApplicationError) -> bool:
    return isinstance(answer, PortalUnreachable) and answer.sent


def _needs_look_up(answer: int | ApplicationError) -> bool:
    """Whether the dataset may be there although the portal did not say that it was made."""
    if isinstance(answer, int):
        return False
    is_taken = isinstance(answer, PortalRefused) and answer.code.upper() in NAME_TAKEN
    return is_taken or _is_lost(answer)


def _raise_if_nothing_was_made(done: Any, stopped: ApplicationError | None) -> None:
    """Missing rights and ended sessions have pages of their own, which are right as long as nothing was made."""
    is_ours = isinstance(stopped, Reopen | GiveUp | AccessDenied)
    if stopped is not None and is_ours and not any(row.state == "created" for row in done):
        raise stopped
