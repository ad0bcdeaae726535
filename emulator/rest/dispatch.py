"""`/rest/...`: from an HTTP request to a method and back (facts/platform 5).

The order of refusals: a fault that was ordered, the tariff, the rate limit, an unknown method, the token, the scope,
and only then what the method itself finds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response, jsonify, request

from emulator import faults, tokens
from emulator.context import Emulator, current_emulator
from emulator.incoming import lower_names, read_parameters
from emulator.journal import Call, Fault, masked
from emulator.php_values import keys, members
from emulator.portal import UnknownThing
from emulator.records import Application, Grant, User
from emulator.rest.batch import run_batch
from emulator.rest.calls import RestCall
from emulator.rest.methods import find_method
from emulator.rest.replies import ModuleError, Reply, RestError, Stopwatch, SystemFault, failure, success

blueprint = Blueprint("rest", __name__)

CASELESS = re.compile(r"(event|placement)\..*|biconnector\..*\.list")
"""Methods whose parameters may be written in any case: the documentation's own calls of lists send SELECT, FILTER."""


@dataclass(frozen=True)
class Caller:
    """Who calls: a user with an application's token, or with a webhook."""

    user: User
    application: Application | None = None
    grant: Grant | None = None


@blueprint.route("/rest/<path:path>", methods=["GET", "POST"])
def rest(path: str) -> Response:
    """One call: `/rest/<method>`, or `/rest/<user>/<code>/<method>` for a webhook; `.json` is optional."""
    emulator, stopwatch = current_emulator(), Stopwatch()
    parts = path.strip("/").split("/")
    name = parts[-1].removesuffix(".json")
    params = read_parameters(request)
    fault = emulator.portal.journal.due_fault(name.lower(), _server_of(name))
    caller = None
    try:
        if fault is not None and not fault.late:
            broken = _meet(fault)
            if broken is not None:
                _record(emulator, "rest", name, None, params, _broken_reply(fault), stopwatch)
                return broken
        _admit(emulator, name)
        if name.lower() != "batch" and find_method(emulator.portal, name) is None:
            raise SystemFault("ERROR_METHOD_NOT_FOUND")
        caller = _webhook(emulator, parts) if len(parts) == 3 else _authorize(emulator, name, params)
        reply = success(_run(emulator, caller, name, params), stopwatch)
        if fault is not None and fault.late:
            broken = _meet(fault)
            if broken is not None:
                _record(emulator, "rest", name, caller, params, _broken_reply(fault), stopwatch)
                return broken
    except RestError as problem:
        reply = failure(problem, stopwatch, emulator.portal.state.error_shape)
    via: Literal["rest", "webhook"] = "webhook" if len(parts) == 3 else "rest"
    _record(emulator, via, name, caller, params, reply, stopwatch)
    response = jsonify(reply.body)
    response.status_code = reply.status
    return response


def _server_of(name: str) -> Literal["rest", "oauth"]:
    """`app.info` is the authorization server's as well and fails with it."""
    return "oauth" if name.lower() == "app.info" else "rest"


def _admit(emulator: Emulator, name: str) -> None:
    """Tariff and rate limit, which do not concern the authorization server."""
    if _server_of(name) == "oauth":
        return
    state = emulator.portal.state
    if not state.rest_enabled:
        raise SystemFault("ACCESS_DENIED")
    limit = state.rate_limit
    if limit is not None and not emulator.limiter.admit(request.remote_addr or "", limit):
        raise SystemFault("QUERY_LIMIT_EXCEEDED")


def _webhook(emulator: Emulator, parts: list[str]) -> Caller:
    try:
        return Caller(emulator.portal.user(int(parts[0])))
    except (UnknownThing, ValueError):
        raise SystemFault("NO_AUTH_FOUND") from None


def _authorize(emulator: Emulator, name: str, params: dict[str, Any]) -> Caller:
    """The caller behind the access token in `auth`, which is taken out of `params`.

    Raises the fitting system error; for `app.info` with the authorization server's words (facts/platform 3.4).
    """
    token = params.pop("auth", None)
    try:
        return _caller_of(emulator, token)
    except SystemFault as problem:
        if _server_of(name) == "oauth" and problem.code == "ERROR_OAUTH":
            raise SystemFault("NOT_INSTALLED") from None
        if _server_of(name) == "oauth" and problem.code == "NO_AUTH_FOUND" and _looks_like_a_token(token):
            raise SystemFault("invalid_client") from None
        raise


def _looks_like_a_token(token: object) -> bool:
    """Hexadecimal and as long as a token: then `app.info` says `invalid_client` instead of `NO_AUTH_FOUND`."""
    return isinstance(token, str) and re.fullmatch(r"[0-9a-f]{32,}", token) is not None


def _caller_of(emulator: Emulator, token: object) -> Caller:
    portal = emulator.portal
    with portal.lock:
        grant = tokens.find(portal, token) if isinstance(token, str) else None
        if grant is None:
            raise SystemFault("NO_AUTH_FOUND")
        application, user = portal.application(grant.client_id), portal.state.users.get(grant.user_id)
        if grant.revoked or not application.registered:
            raise SystemFault("ERROR_OAUTH")
        if grant.expires_at <= portal.clock():
            raise SystemFault("expired_token")
        if application.payment_required:
            raise SystemFault("PAYMENT_REQUIRED")
        if user is None or not user.active:
            raise SystemFault("authorization_error")
        if application.only_for_users is not None and user.id not in application.only_for_users:
            raise SystemFault("user_access_error")
        return Caller(user, application, grant)


def _run(emulator: Emulator, caller: Caller, name: str, params: Mapping[str, Any]) -> Any:
    if name.lower() != "batch":
        return _run_method(emulator, caller, name, params)

    def run_inside(inner: str, inner_params: Mapping[str, Any]) -> Any:
        return _run_in_batch(emulator, caller, inner.removesuffix(".json"), inner_params)

    return run_batch(params, run_inside)


def _run_method(emulator: Emulator, caller: Caller, name: str, params: Mapping[str, Any]) -> Any:
    method = find_method(emulator.portal, name)
    if method is None:
        raise SystemFault("ERROR_METHOD_NOT_FOUND")
    if CASELESS.fullmatch(name.lower()):
        params = lower_names(dict(params))
    call = RestCall(emulator, name.lower(), params, caller.user, caller.application, caller.grant)
    if not method.open_to(call.scope):
        raise SystemFault("insufficient_scope")
    return method.handler(call)


def _run_in_batch(emulator: Emulator, caller: Caller, name: str, params: Mapping[str, Any]) -> Any:
    """A call inside a batch: faults meet it by its own name, and module errors keep their place in `result`."""
    stopwatch, result = Stopwatch(), None
    problem: RestError | None = None
    try:
        fault = emulator.portal.journal.due_fault(name.lower(), "rest")
        if fault is not None and not fault.late:
            faults.wait_for(fault)
            _raise_ordered(fault)
        result = _run_method(emulator, caller, name, params)
        if fault is not None and fault.late:
            faults.wait_for(fault)
            _raise_ordered(fault)
    except RestError as raised:
        problem = raised
    shape = emulator.portal.state.error_shape
    reply = success(result, stopwatch) if problem is None else failure(problem, stopwatch, shape)
    _record(emulator, "batch", name, caller, params, reply, stopwatch)
    if isinstance(problem, ModuleError) and shape == "result":
        return {"error": problem.body}
    if problem is not None:
        raise problem
    return result


def _meet(fault: Fault) -> Response | None:
    """Wait, then raise the error that was ordered, or give an answer that is none."""
    faults.wait_for(fault)
    if (broken := faults.broken_answer(fault)) is None:
        _raise_ordered(fault)
    return broken


def _raise_ordered(fault: Fault) -> None:
    """Raise the error that was ordered; nothing for a fault that only delays."""
    if fault.shape == "result":
        raise ModuleError(fault.code, fault.message)
    if fault.shape is not None:
        raise SystemFault(fault.code, fault.message, fault.status)


def _broken_reply(fault: Fault) -> Reply:
    return Reply({}, fault.status, str(fault.shape))


def _record(
    emulator: Emulator,
    via: Literal["rest", "batch", "webhook"],
    name: str,
    caller: Caller | None,
    params: Mapping[str, Any],
    reply: Reply,
    stopwatch: Stopwatch,
) -> None:
    application = caller.application if caller is not None else None
    emulator.portal.journal.record(
        Call(
            at=emulator.portal.timestamp(),
            via=via,
            method=name.lower(),
            user_id=caller.user.id if caller is not None else 0,
            client_id=application.client_id if application is not None else "",
            parameters=_recordable(name, params),
            status=reply.status,
            error=reply.error,
            seconds=round(stopwatch.elapsed(), 3),
        )
    )


def _recordable(name: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters without secrets; of a batch only the methods, as its commands carry their parameters as text."""
    commands = params.get("cmd")
    if name.lower() != "batch" or not isinstance(commands, (list, dict)):
        recorded: Mapping[str, Any] = masked(dict(params))
        return recorded
    methods = [str(command).partition("?")[0] for command in members(commands)]
    return {"halt": params.get("halt"), "cmd": dict(zip(keys(commands), methods, strict=True))}
