"""Third ring: methods by name, one by one, in batches, and lists page by page."""

from __future__ import annotations

import copy
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from errors import ApplicationError, PortalBusy, PortalGone, PortalUnreachable
from services.portal_api import replies
from services.portal_api._authorized import AuthorizedCalls, Patience, TokenSource, soon_over
from services.portal_api._transport import Transport

log = logging.getLogger(__name__)

BATCH_LIMIT = 50
PAGE_SIZE = 50
PAGES_PER_ROUND = (4, 21, 50)
"""How many pages the first, second and every later round trip asks for: most portals have fewer than 200 objects of a
kind, and 1,000 (20 full pages and the short one that ends them) need two round trips."""
MOST_PAGES = 2000
READING = frozenset({"get", "list", "fields", "info", "scope", "profile", "current", "admin"})

Command = tuple[str, Mapping[str, Any]]


class PortalClient:
    """A portal's REST methods, called as one user; cheap to make, one per request or task.

    Every method raises the errors of `replies.judge` and of the token source.
    """

    def __init__(
        self,
        transport: Transport,
        tokens: TokenSource,
        *,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._calls = AuthorizedCalls(transport, tokens, patience=patience, sleep=sleep, clock=clock, jitter=jitter)

    def until(self, end: float) -> PortalClient:
        """The same client for work that has an end: each call is over at the moment `end` of its clock."""
        limited = copy.copy(self)
        limited._calls = self._calls.until(end)
        return limited

    def call(self, method: str, /, **params: Any) -> Any:
        """The `result` of one method. A parameter that is None is not sent."""
        return self._calls.ask(method, _Single(method, params))

    def batch(self, commands: Mapping[str, Command], halt: bool = False) -> dict[str, Any]:
        """What became of each command: its value, or the error it failed with as an `ApplicationError` (not raised).

        Commands run in their order, at most 50 per round trip. With `halt` the first error stops the rest, whose keys
        are then missing; errors of `biconnector` inside `result` do not, since the portal takes them for success.
        Parameters travel as query strings, where a boolean becomes `1` or `0`: methods that insist on JSON booleans
        are called one by one (facts/biconnector 1.7). A command whose token expired or that met a limit which is soon
        over is repeated; one that was run is not.
        """
        done: dict[str, Any] = {}
        keys = list(commands)
        for start in range(0, len(keys), BATCH_LIMIT):
            chunk = _Chunk({key: commands[key] for key in keys[start : start + BATCH_LIMIT]}, halt)
            done |= self._run(chunk)
            if halt and any(isinstance(outcome, ApplicationError) for outcome in done.values()):
                break
        return {key: done[key] for key in keys if key in done}

    def pages(
        self, method: str, /, *, order: Mapping[str, str] | None = None, **params: Any
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of a list one after another, at most 50 objects each, until a page is not full.

        Without an `order` the portal promises none, so lists are walked by `id` (facts/biconnector 1.5).
        """
        for number in range(1, MOST_PAGES + 1):
            page = as_page(self.call(method, **params, order=dict(order or {"id": "ASC"}), page=number))
            if page:
                yield page
            if len(page) < PAGE_SIZE:
                return
        raise PortalUnreachable("not-json")

    def everything(
        self, method: str, /, *, order: Mapping[str, str] | None = None, **params: Any
    ) -> list[dict[str, Any]]:
        """All objects of a list, several pages per round trip; an object seen twice is kept once.

        Objects that are made or deleted meanwhile may be missed, as with any list by pages. Raises
        `PortalUnreachable` if the list does not end.
        """
        found: dict[str, dict[str, Any]] = {}
        first, rounds = 1, 0
        while first <= MOST_PAGES:
            count = PAGES_PER_ROUND[min(rounds, len(PAGES_PER_ROUND) - 1)]
            pages = self._pages_at_once(method, {**params, "order": dict(order or {"id": "ASC"})}, first, count)
            known = len(found)
            for page in pages:
                found.update((str(item.get("id", f"#{len(found)}")), item) for item in page)
                if len(page) < PAGE_SIZE:
                    return list(found.values())
            if len(found) == known:
                break
            first, rounds = first + count, rounds + 1
        raise PortalUnreachable("not-json")

    def _pages_at_once(
        self, method: str, params: Mapping[str, Any], first: int, count: int
    ) -> Iterator[list[dict[str, Any]]]:
        outcomes = self.batch(
            {str(number): (method, {**params, "page": number}) for number in range(first, first + count)}
        )
        # One by one, since what lies behind the last page does not matter.
        return (as_page(value_of(outcome)) for outcome in outcomes.values())

    def _run(self, chunk: _Chunk) -> dict[str, Any]:
        try:
            return self._calls.ask("batch", chunk)
        except ApplicationError as problem:
            if not chunk.done:
                raise
            # Some commands were run and their outcomes must not get lost; the rest share what stopped them.
            return chunk.done | dict.fromkeys(chunk.pending, problem)


PortalClients = Callable[[TokenSource], PortalClient]
"""Makes the client of the user whose tokens these are; all share how they connect, and how long they are patient."""


def value_of(outcome: Any) -> Any:
    """The value of one outcome of a batch; raises it if it is an error."""
    if isinstance(outcome, ApplicationError):
        raise outcome
    return outcome


def as_page(result: Any) -> list[dict[str, Any]]:
    """A list answer as objects; raises `PortalUnreachable` if it is none."""
    if isinstance(result, list) and all(isinstance(item, dict) for item in result):
        return result
    raise PortalUnreachable("not-json")


def reads(method: str) -> bool:
    """Whether calling a method twice changes nothing, by the last word of its name."""
    return method.lower().rpartition(".")[2] in READING


class _Single:
    def __init__(self, method: str, params: Mapping[str, Any]) -> None:
        self.label = method
        self.only_reads = reads(method)
        self._params = {name: value for name, value in params.items() if value is not None}

    def parameters(self) -> Mapping[str, Any]:
        return self._params

    def settle(self, result: Any) -> Any:
        return result


class _Chunk:
    """Up to 50 commands that share a round trip, and what is known about them so far."""

    def __init__(self, commands: Mapping[str, Command], halt: bool) -> None:
        self.pending = dict(commands)
        self.done: dict[str, Any] = {}
        self._halt = halt

    @property
    def label(self) -> str:
        return f"batch of {len(self.pending)} ({', '.join(sorted({method for method, _ in self.pending.values()}))})"

    @property
    def only_reads(self) -> bool:
        return all(reads(method) for method, _ in self.pending.values())

    def parameters(self) -> Mapping[str, Any]:
        # Keys of our own: PHP would turn numeric ones into a list.
        commands = {f"c{index}": f"{method}?{php_query(params)}" for index, (method, params) in self._numbered()}
        return {"halt": int(self._halt), "cmd": commands}

    def settle(self, result: Any) -> dict[str, Any]:
        numbered = {f"c{index}": key for index, key in enumerate(self.pending)}
        outcomes = replies.outcomes({name: self.pending[key][0] for name, key in numbered.items()}, result)
        again: ApplicationError | None = None
        for name, key in numbered.items():
            outcome = outcomes.get(name, _NOT_RUN)
            if _is_about_all(outcome):
                again = outcome
            elif outcome is not _NOT_RUN or not self._halt:
                self._keep(key, outcome)
        if again is not None:
            raise again
        return self.done

    def _keep(self, key: str, outcome: Any) -> None:
        method, _ = self.pending.pop(key)
        if outcome is _NOT_RUN:
            outcome = PortalUnreachable("not-json")
        if isinstance(outcome, ApplicationError):
            log.info("batch command %s failed: %s (%s)", method, type(outcome).__name__, outcome)
        self.done[key] = outcome

    def _numbered(self) -> Iterator[tuple[int, Command]]:
        return enumerate(self.pending.values())


_NOT_RUN = object()


def _is_about_all(outcome: Any) -> bool:
    """Whether the second ring has to hear of it: it renews tokens, waits for limits, and notes that a portal is gone.

    The command was not run then.
    """
    if isinstance(outcome, replies.TokenExpired | PortalGone):
        return True
    return isinstance(outcome, PortalBusy) and soon_over(outcome)


def php_query(params: Mapping[str, Any]) -> str:
    """Parameters as PHP's `http_build_query` writes them: brackets for nesting, None and empty lists left out."""
    return "&".join(f"{quote(name, safe='[]')}={quote(text, safe='')}" for name, text in _flat("", params))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix}[{key}]" if prefix else str(key), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, inner in enumerate(value):
            yield from _flat(f"{prefix}[{index}]", inner)
    elif value is not None:
        yield prefix, str(int(value)) if isinstance(value, bool) else str(value)
