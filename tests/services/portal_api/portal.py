"""Doubles at the network's edge: tokens without a database, time without waiting, answers in both shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import responses

from egress.policy import Policy
from services.portal_api._authorized import Patience
from services.portal_api._transport import Reply, Transport
from services.portal_api.client import PortalClient

PORTAL = "https://acme.bitrix24.com/rest/"
RENAMED = "https://acme-group.bitrix24.com/rest/"
ACCESS = "b7c51f63006f4a1300000001000000f0canaryaccess"
FRESH = "9911a063006f4a1300000001000000f0canaryfresh"
NOW = 1_700_000_000.0
"""The moment at which answers are judged."""
TIME = {"start": 1725013197.63, "finish": 1725013198.58, "duration": 0.94, "processing": 0.68, "operating": 0}

Handler = Callable[[Mapping[str, Any]], "Answer"]


@dataclass(frozen=True)
class Answer:
    """What the portal answers to one call."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)

    def reply(self) -> Reply:
        return Reply(self.status, dict(self.headers), self.text.encode())


def result(value: Any) -> Answer:
    return Answer({"result": value, "time": TIME})


def root_error(code: str, description: str = "", status: int = 200) -> Answer:
    """The documented shape (facts/api 1.2)."""
    return Answer({"error": code, "error_description": description}, status)


def inner_error(code: str, description: str = "", status: int = 200) -> Answer:
    """The shape of newer portals (facts/biconnector 1.3)."""
    return Answer({"result": {"error": {"error": code, "error_description": description}}, "time": TIME}, status)


def batch_answer(
    values: Mapping[str, Any] | list[Any] | None = None, errors: Mapping[str, Any] | None = None
) -> Answer:
    """A batch as portals answer it: empty maps are `[]` (facts/platform 5.5)."""
    return result(
        {"result": values or [], "result_error": errors or [], "result_total": [], "result_next": [], "result_time": []}
    )


SHAPES = {"root": root_error, "result": inner_error}


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeTokens:
    """A token source that has one renewal to give and notes what the client tells it."""

    def __init__(self, token: str = ACCESS, endpoint: str = PORTAL) -> None:
        self.current = token
        self.address = endpoint
        self.rejected: list[str] = []
        self.moves: list[str] = []
        self.gone_codes: list[str] = []
        self.refuse_move: Exception | None = None

    def token(self) -> str:
        return self.current

    def renew(self, rejected: str) -> str:
        self.rejected.append(rejected)
        self.current = FRESH
        return self.current

    def endpoint(self) -> str:
        return self.address

    def moved_to(self, endpoint: str) -> None:
        self.moves.append(endpoint)
        if self.refuse_move:
            raise self.refuse_move
        self.address = endpoint

    def gone(self, code: str) -> None:
        self.gone_codes.append(code)


class Portal:
    """A scripted portal behind `responses`: `answers` are given in their order, the last one again and again."""

    def __init__(self, *answers: Answer | Exception | Handler, tokens: FakeTokens | None = None) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.tokens = tokens or FakeTokens()
        self.time = FakeTime()
        self.transport = Transport(Policy(lookup=lambda host, port: ["203.0.113.9"]))

    def client(self, **patience: Any) -> PortalClient:
        return PortalClient(
            self.transport,
            self.tokens,
            patience=Patience(**patience),
            sleep=self.time.sleep,
            clock=self.time.clock,
            jitter=lambda: 0.0,
        )

    def listen(self, mock: responses.RequestsMock) -> Portal:
        for base in (PORTAL, RENAMED):
            mock.add_callback("POST", _under(base), callback=self._answer)
        return self

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Parameters of every call, without the token."""
        return [{name: value for name, value in body.items() if name != "auth"} for _, body in self.calls]

    def _answer(self, request: Any) -> tuple[int, Mapping[str, str], str]:
        body = json.loads(request.body)
        self.calls.append((request.url.rpartition("/rest/")[2], body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, Answer):
            answer = answer(body)
        return answer.status, dict(answer.headers), answer.text


def commands(body: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    """The commands of a batch as the portal reads them: method and flat parameters."""
    found = {}
    for key, command in body["cmd"].items():
        method, _, query = command.partition("?")
        pairs = parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))
        found[key] = (method, {name: values[0] for name, values in pairs.items()})
    return found


def run_batch(run: Callable[[str, dict[str, str]], Any]) -> Handler:
    """A portal that runs every command of a batch with `run`, which gives a value or an error map."""

    def answer(body: Mapping[str, Any]) -> Answer:
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, (method, params) in commands(body).items():
            outcome = run(method, params)
            target = errors if isinstance(outcome, dict) and "error_description" in outcome else values
            target[key] = outcome
        return batch_answer(values, errors)

    return answer


def _under(base: str) -> re.Pattern[str]:
    return re.compile(re.escape(base) + r"[a-z0-9.]+$", re.ASCII)
