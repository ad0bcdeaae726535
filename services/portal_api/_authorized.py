"""Second ring: calls with a user's token, renewed once; growing delays while a portal is busy; a renamed portal."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from errors import ApplicationError, NobodyVouches, PortalBusy, PortalGone, PortalUnreachable
from services.portal_api import replies
from services.portal_api._transport import REST_TIMEOUT, Reply, TimeLimits, Transport, exchange

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LONGEST_OPERATING_WAIT = 5.0


class TokenSource(Protocol):
    """Whose token the calls carry, and where they go; `services.portals.tokens` implements it."""

    def token(self) -> str:
        """The access token to use now. Raises `Reopen`, `GiveUp` or `TryLater` if there is none."""
        ...

    def renew(self, rejected: str) -> str:
        """A token that is not `rejected`, renewed at most once for all callers. Raises like `token`."""
        ...

    def endpoint(self) -> str:
        """Base address of REST calls, ends in `/rest/`."""
        ...

    def moved_to(self, endpoint: str) -> None:
        """The portal redirects to `endpoint`; afterwards `endpoint()` answers the new address.

        Raises `Forged` if the authorization server does not confirm it.
        """
        ...

    def gone(self, code: str) -> None:
        """The portal says that the app was removed or that it is closed itself.

        Raises `PortalBusy` while the former is in doubt.
        """
        ...


class PortalCall(Protocol[T_co]):
    """One call to make: what to send now, and what its `result` means.

    Both are asked anew on every attempt, so that a batch repeats only what is left of it.
    """

    @property
    def label(self) -> str:
        """The method for logs and errors."""
        ...

    @property
    def only_reads(self) -> bool:
        """Whether asking twice changes nothing."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """Parameters without the token."""
        ...

    def settle(self, result: Any) -> T_co:
        """What the caller gets. May raise an error that calls for another attempt."""
        ...


@dataclass(frozen=True)
class Patience:
    """How long a call is repeated: delays in seconds grow by `growth` and are shortened by jitter up to a half."""

    first_delay: float = 0.5
    growth: float = 2.0
    budget: float = 10.0
    """No new attempt starts later than this many seconds after the first one."""
    repeats_when_unreachable: int = 2
    """A portal that is down should be reported soon; the budget is for portals that ask for patience."""


class AuthorizedCalls:
    """Asks questions in the name of one user of one portal."""

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
        self._transport = transport
        self._tokens = tokens
        self._patience = patience or Patience()
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._end: float | None = None

    def until(self, end: float) -> AuthorizedCalls:
        """The same calls, each of which is over at the moment `end` of the clock, repetitions included.

        One that would begin later raises `PortalUnreachable` that was not sent.
        """
        limited = copy.copy(self)
        limited._end = end
        return limited

    def ask(self, method: str, question: PortalCall[T]) -> T:
        """The settled answer to `question`, with the repetitions that are safe.

        A limit of the portal is waited for with every call, since a refused call was not run; a lost answer and 5xx
        are repeated only for calls that read (facts/platform 5.1, 5.3, 5.4). Raises what `replies.judge`, the token
        source and `question.settle` raise. Trouble of the token source is told at once: the source knows best when to
        ask its own server again, and until it has a token nothing was sent to the portal.
        """
        try:
            return self._patiently(method, question)
        except _SourceTrouble as trouble:
            raise trouble.problem from None

    def _patiently(self, method: str, question: PortalCall[T]) -> T:
        started, delay, unreachable = self._clock(), self._patience.first_delay, 0
        while True:
            try:
                return self._with_fresh_token(method, question)
            except (PortalBusy, PortalUnreachable) as problem:
                unreachable += isinstance(problem, PortalUnreachable)
                pause = max(delay * (1 - self._jitter() / 2), _asked_for(problem))
                in_time = self._clock() - started + pause <= self._patience.budget and pause < self._left()
                if not in_time or not self._may_repeat(problem, question, unreachable):
                    raise
            except PortalGone as problem:
                self._tokens.gone(problem.code)
                raise
            self._sleep(pause)
            delay *= self._patience.growth

    def _may_repeat(self, problem: ApplicationError, question: PortalCall[Any], unreachable: int) -> bool:
        if isinstance(problem, PortalBusy):
            return soon_over(problem)
        assert isinstance(problem, PortalUnreachable)  # noqa: S101 - narrows the type, its caller catches these two
        transient = problem.reason in ("connection", "timeout") or (problem.status or 0) >= 500
        safe = question.only_reads or not problem.sent
        return transient and safe and unreachable <= self._patience.repeats_when_unreachable

    def _with_fresh_token(self, method: str, question: PortalCall[T]) -> T:
        with _asking_the_source():
            token = self._tokens.token()
        try:
            return self._where_the_portal_is(method, question, token)
        except replies.TokenExpired:
            with _asking_the_source():
                token = self._tokens.renew(token)
        return self._where_the_portal_is(method, question, token)

    def _where_the_portal_is(self, method: str, question: PortalCall[T], token: str) -> T:
        def judge(reply: Reply) -> T | _Moved:
            if reply.status in REDIRECTS:
                return _Moved(self._new_endpoint(method, reply))
            return question.settle(replies.judge(method, reply))

        for _hop in range(2):
            with _asking_the_source():
                url = self._tokens.endpoint() + method
            body = {**question.parameters(), "auth": token}
            answer = exchange(self._transport, question.label, url, judge, json=body, timeout=self._timeout())
            if not isinstance(answer, _Moved):
                return answer
            if _hop == 0:
                with _asking_the_source():
                    self._tokens.moved_to(answer.endpoint)
        raise PortalUnreachable("redirect")

    def _left(self) -> float:
        """Seconds until the end; without one no call is shortened."""
        return math.inf if self._end is None else self._end - self._clock()

    def _timeout(self) -> TimeLimits:
        left = self._left()
        if left <= 0:
            raise PortalUnreachable("timeout", sent=False)
        connect = min(REST_TIMEOUT.connect, left / 2)
        return TimeLimits(connect, min(REST_TIMEOUT.answer, left - connect))

    def _new_endpoint(self, method: str, reply: Reply) -> str:
        """The base address in a redirect's `Location` (facts/platform 5.6); anything else there is not followed."""
        location = reply.headers.get("location", "")
        if self._transport.is_allowed(location):
            parts = urlsplit(location)
            for ending in (method, f"{method}.json"):
                if parts.path.endswith(f"/rest/{ending}"):
                    path = parts.path.removesuffix(ending)
                    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        raise PortalUnreachable("redirect", status=reply.status)


@dataclass(frozen=True)
class _Moved:
    endpoint: str


class _SourceTrouble(Exception):
    """The token source has no token or no address; `problem` says why."""

    def __init__(self, problem: ApplicationError) -> None:
        super().__init__()
        self.problem = problem


@contextmanager
def _asking_the_source() -> Iterator[None]:
    """Keep trouble of the token source apart from the portal's own."""
    try:
        yield
    except PortalUnreachable as problem:
        # A lost answer of an authorization server leaves no doubt about the portal, which was not asked.
        raise _SourceTrouble(NobodyVouches(problem)) from None
    except ApplicationError as problem:
        raise _SourceTrouble(problem) from None


def soon_over(problem: PortalBusy) -> bool:
    """Whether a limit of the portal is worth waiting for while somebody looks at a page (decision 7).

    The rate limit drains within seconds. The operating limit lifts at a moment that the portal tells, mostly minutes
    away (facts/platform 5.4).
    """
    code = problem.code.lower()
    if code == "operation_time_limit":
        return problem.retry_after is not None and problem.retry_after <= LONGEST_OPERATING_WAIT
    return code == "query_limit_exceeded"


def _asked_for(problem: PortalBusy | PortalUnreachable) -> float:
    """Seconds that the portal asks to wait, if it does."""
    return problem.retry_after or 0.0 if isinstance(problem, PortalBusy) else 0.0
