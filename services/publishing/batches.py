"""Several tables of a connection published at once (facts/field 3 row 7).

Datasets are made ten in a round trip: `batch` would take fifty, but a portal ends every request after 60 s
(facts/platform 5.4), and `dataset.add` makes a dataset of BI Builder as well (facts/biconnector 4.2). An addition whose
answer is lost is looked up and never repeated, and so is a name that turns out to be taken: what is there already was
made by an earlier try (facts/field 3 row 22). A failure leaves alone what was made before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from services.contract.names import NameRefused, dataset_codes
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient
from services.publishing.tables import MOST_NUMBERS, NAME_TAKEN, Looked, external_code, fields_of, title_of

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
State = Literal["created", "there", "failed", "waiting"]


@dataclass(frozen=True)
class Prospect:
    """What would become of a table: `name` is proposed for its dataset, empty where none is to be made.

    `dataset` is the one that it has already.
    """

    looked: Looked
    name: str = ""
    dataset: Dataset | None = None

    @property
    def is_numbered(self) -> bool:
        """Whether another dataset, or another chosen table, has the name that the table would have by itself."""
        return bool(self.looked.table and self.name and self.name != self.looked.table.code)


@dataclass(frozen=True)
class Wish:
    """A table and the name that its dataset shall have."""

    looked: Looked
    name: str


@dataclass(frozen=True)
class Outcome:
    """What has become of a table: `created` now, `there` before, `failed` with an error, or still `waiting`.

    A waiting one may have an error too: what stopped the work before its turn came.
    """

    wish: Wish
    state: State
    dataset_id: int | None = None
    name: str = ""
    error: TargetError | ApplicationError | None = None


def prospects(
    client: PortalClient, caps: Capabilities, looked: Sequence[Looked], below: Mapping[str, Dataset]
) -> list[Prospect]:
    """What would become of tables, with names that none of the application's datasets has.

    `below` is what is published of the connection, by external code. Raises the portal's errors.
    """
    known = {row.asked: below.get(external_code(row.table)) if row.table else None for row in looked}
    named = [row for row in looked if row.table is not None and row.error is None and known[row.asked] is None]
    names = dict(
        zip(
            [row.asked for row in named],
            free_names(client, caps, [row.table.code for row in named if row.table is not None]),
            strict=True,
        )
    )
    return [Prospect(row, names.get(row.asked, ""), known[row.asked]) for row in looked]


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

    def publish(self, wishes: Sequence[Wish], below: Mapping[str, Dataset]) -> list[Outcome]:
        """What has become of each, in their order.

        Raises `InvalidInput` with the fields `name-<number of the wish>` before anything is made, and what concerns all
        of them (rights, the session, the portal's plan) if nothing was made.
        """
        done = {number: outcome for number, wish in enumerate(wishes) if (outcome := _settled(wish, below))}
        todo = {number: wish for number, wish in enumerate(wishes) if number not in done}
        self._check_names(todo)
        ready = {number: wish for number, wish in todo.items() if wish.looked.columns}
        stopped: ApplicationError | None = None
        for number, turn in enumerate(_turns(ready)):
            if number and self._end - self._clock() < ROUND_SECONDS:
                break
            made = self._made(turn)
            done |= made
            stopped = next((row.error for row in made.values() if isinstance(row.error, CONCERNS_ALL)), None)
            if stopped is not None:
                break
        _raise_if_nothing_was_made(done.values(), stopped)
        return [done.get(number) or Outcome(wish, "waiting", error=stopped) for number, wish in enumerate(wishes)]

    def _check_names(self, todo: Mapping[int, Wish]) -> None:
        problems = [found for number, wish in todo.items() for found in rules.dataset_name(f"name-{number}", wish.name)]
        first: dict[str, int] = {}
        for number, wish in todo.items():
            if wish.name and first.setdefault(wish.name, number) != number:
                problems.append(FieldProblem(f"name-{number}", "NAME_CHOSEN_TWICE"))
        if problems:
            raise InvalidInput(problems)
        taken = datasets.named(self._looking, self._caps, first.keys())
        problems = [FieldProblem(f"name-{first[name]}", "NAME_EXISTS") for name in taken]
        if problems:
            raise InvalidInput(problems)

    def _made(self, turn: Mapping[int, Wish]) -> dict[int, Outcome]:
        """What one round trip makes of tables, and what a look-up says of those that it leaves open."""
        outcomes, commands = {}, {}
        for number, wish in turn.items():
            try:
                commands[number] = rules.dataset(self._caps, self._fields(wish))
            except (InvalidInput, NameRefused) as problem:
                outcomes[number] = Outcome(wish, "failed", error=problem)
        answers = self._answers(commands)
        open_ones = [turn[number].name for number, answer in answers.items() if _needs_look_up(answer)]
        found = self._found(open_ones)
        return outcomes | {number: self._outcome(turn[number], answer, found) for number, answer in answers.items()}

    def _fields(self, wish: Wish) -> dict[str, Any]:
        table = wish.looked.table
        assert table is not None  # noqa: S101 - narrows the type: only tables with columns come here
        return {**fields_of(table, wish.looked.columns, self._source_id), "name": wish.name}

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

    def _found(self, names: Sequence[str]) -> Mapping[str, Dataset] | None:
        """The datasets of these names, or None if that could not be found out."""
        try:
            return datasets.named(self._looking, self._caps, names)
        except ApplicationError:
            return None

    def _outcome(self, wish: Wish, answer: int | ApplicationError, found: Mapping[str, Dataset] | None) -> Outcome:
        if isinstance(answer, int):
            return Outcome(wish, "created", answer, wish.name)
        if not _needs_look_up(answer):
            return Outcome(wish, "waiting" if isinstance(answer, TryLater) else "failed", error=answer)
        known = found.get(wish.name) if found is not None else None
        if known is not None and self._is_of(known, wish):
            return Outcome(wish, "created" if _is_lost(answer) else "there", known.id, known.name)
        if _is_lost(answer):
            if known is not None:
                return Outcome(wish, "failed", error=PortalRefused(METHOD, "NAME_EXISTS"))
            return Outcome(wish, "failed", error=OutcomeUnknown("the answer was lost"))
        return Outcome(wish, "failed", error=answer)

    def _is_of(self, known: Dataset, wish: Wish) -> bool:
        table = wish.looked.table
        return table is not None and (known.source_id, known.external_code) == (self._source_id, external_code(table))


def title(looked: Looked) -> str:
    """What people call the table; what was asked for where there is none."""
    return title_of(looked.table) if looked.table else looked.asked


def _settled(wish: Wish, below: Mapping[str, Dataset]) -> Outcome | None:
    """What is clear before the portal is asked for anything."""
    table, error = wish.looked.table, wish.looked.error
    known = below.get(external_code(table)) if table is not None else None
    if known is not None:
        return Outcome(wish, "there", known.id, known.name)
    return Outcome(wish, "failed", error=error) if error is not None else None


def _turns(wishes: Mapping[int, Wish]) -> Iterator[dict[int, Wish]]:
    """The tables of one round trip after another; one that is too wide for a batch goes alone."""
    turn: dict[int, Wish] = {}
    for number, wish in wishes.items():
        if 3 * len(wish.looked.columns) + 4 > MOST_VARIABLES:
            yield {number: wish}
            continue
        turn[number] = wish
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
