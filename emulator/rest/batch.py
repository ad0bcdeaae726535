"""`batch`: up to 50 calls in one request, in order, with references to earlier results (facts/platform 5.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from emulator import brackets
from emulator.php_values import is_empty, keys, members
from emulator.rest.replies import RestError, Stopwatch, SystemFault, php_map

MOST_CALLS = 50
REFERENCE = re.compile(r"\$result((?:\[[^\]]*\])+)")
KEY = re.compile(r"\[([^\]]*)\]")

Run = Callable[[str, Mapping[str, Any]], Any]
"""Runs one method with its parameters; answers its result or raises `RestError`."""


@dataclass
class Outcome:
    """What has come of the calls so far, by their keys."""

    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, Any] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)

    def answer(self) -> dict[str, Any]:
        """The `result` of the batch; empty maps are PHP's `[]`."""
        return {
            "result": php_map(self.results),
            "result_error": php_map(self.errors),
            "result_total": [],
            "result_next": [],
            "result_time": php_map(self.times),
        }


def run_batch(params: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Run `params["cmd"]` in order. Raises ERROR_BATCH_LENGTH_EXCEEDED for more than 50 calls."""
    commands = params.get("cmd")
    if not isinstance(commands, (list, dict)):
        commands = {}
    if len(commands) > MOST_CALLS:
        raise SystemFault("ERROR_BATCH_LENGTH_EXCEEDED")
    halt = not is_empty(params.get("halt"))
    outcome = Outcome()
    for key, command in zip(keys(commands), members(commands), strict=True):
        stopwatch = Stopwatch()
        try:
            outcome.results[key] = _run_one(str(command), outcome.results, run)
        except RestError as problem:
            outcome.errors[key] = problem.body
            if halt:
                break
        else:
            outcome.times[key] = stopwatch.block()
    return outcome.answer()


def _run_one(command: str, results: Mapping[str, Any], run: Run) -> Any:
    method, _, query = command.partition("?")
    method = method.strip().lstrip("/")
    if method.lower().removesuffix(".json") == "batch":
        raise SystemFault("ERROR_BATCH_METHOD_NOT_ALLOWED")
    params = brackets.decode(parse_qsl(query, keep_blank_values=True))
    return run(method, {name: _resolved(value, results) for name, value in params.items()})


def _resolved(value: Any, results: Mapping[str, Any]) -> Any:
    """`value` with `$result[key][field]` replaced; a lone reference keeps the type of what it points to."""
    if isinstance(value, dict):
        return {key: _resolved(inner, results) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, results) for inner in value]
    if not isinstance(value, str):
        return value
    alone = REFERENCE.fullmatch(value)
    if alone is not None:
        return _follow(alone.group(1), results)
    return REFERENCE.sub(lambda found: str(_follow(found.group(1), results) or ""), value)


def _follow(path: str, results: Mapping[str, Any]) -> Any:
    found: Any = results
    for key in KEY.findall(path):
        key = key.strip("'\"")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found
