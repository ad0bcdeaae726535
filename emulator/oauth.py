"""The authorization server: `/oauth/token/` (facts/platform 3.2-3.4). Its `app.info` is in `rest.system`.

Errors are `{"error", "error_description"}` with statuses of their own, among them 200 for an unknown application.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from emulator import faults, tokens
from emulator.context import Emulator, current_emulator
from emulator.incoming import read_parameters
from emulator.journal import MASK, Call, masked
from emulator.portal import Portal, UnknownThing
from emulator.records import Application, Grant
from emulator.rest.replies import Stopwatch

blueprint = Blueprint("oauth", __name__)

ERRORS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "Invalid request"),
    "unsupported_grant_type": (400, "Unsupported grant type"),
    "invalid_client": (400, "Client authentication failed"),
    "wrong_client": (200, "Wrong client"),
    "invalid_grant": (400, "Invalid grant"),
    "NOT_INSTALLED": (401, "Application not installed"),
    "PAYMENT_REQUIRED": (401, "Payment required"),
}
"""Code, status and text (facts/platform 3.4)."""


class OAuthError(Exception):
    """The authorization server refuses; `code` is one of `ERRORS`."""

    def __init__(self, code: str, text: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status, usual_text = ERRORS[code]
        self.text = usual_text if text is None else text


@blueprint.route("/oauth/token/", methods=["GET", "POST"])
@blueprint.route("/oauth/token", methods=["GET", "POST"])
def token() -> Response:
    """A pair of tokens for an authorization code or a refresh token; documented as GET, POST works too."""
    emulator, stopwatch = current_emulator(), Stopwatch()
    params = read_parameters(request)
    fault = emulator.portal.journal.due_fault("oauth/token", "oauth")
    if fault is not None:
        faults.wait_for(fault)
        if fault.shape is not None:
            _record(emulator, params, fault.status, fault.code or fault.shape, None, stopwatch)
            return faults.broken_answer(fault) or _error(fault.code, fault.message, fault.status)
    try:
        grant = _grant(emulator.portal, params)
    except OAuthError as problem:
        _record(emulator, params, problem.status, problem.code, None, stopwatch)
        return _error(problem.code, problem.text, problem.status)
    _record(emulator, params, 200, "", grant, stopwatch)
    return jsonify(token_answer(emulator.portal, grant))


def _error(code: str, text: str, status: int) -> Response:
    response = jsonify({"error": code, "error_description": text})
    response.status_code = status
    return response


def token_answer(portal: Portal, grant: Grant) -> dict[str, Any]:
    """A pair as the authorization server writes it; `domain` is the server's own (facts/platform 3.3)."""
    return {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires": int(grant.expires_at),
        "expires_in": tokens.ACCESS_SECONDS,
        "scope": ",".join(grant.scope),
        "domain": portal.server_endpoint.split("://", 1)[1].removesuffix("/rest/"),
        "server_endpoint": portal.server_endpoint,
        "client_endpoint": portal.client_endpoint,
        "member_id": portal.member_id,
        "status": portal.application(grant.client_id).status,
        "user_id": grant.user_id,
    }


def _grant(portal: Portal, params: Mapping[str, Any]) -> Grant:
    exchanges = {
        "refresh_token": ("refresh_token", tokens.refresh),
        "authorization_code": ("code", tokens.exchange),
    }
    grant_type = params.get("grant_type")
    if not grant_type:
        raise OAuthError("invalid_request", 'No "grant_type" parameter found')
    if grant_type not in exchanges:
        raise OAuthError("unsupported_grant_type")
    application = _application(portal, params)
    name, exchange = exchanges[str(grant_type)]
    if not params.get(name):
        raise OAuthError("invalid_request", f'No "{name}" parameter found')
    if not application.registered:
        raise OAuthError("NOT_INSTALLED")
    if application.payment_required:
        raise OAuthError("PAYMENT_REQUIRED")
    try:
        return exchange(portal, application.client_id, str(params[name]))
    except tokens.InvalidGrant:
        raise OAuthError("invalid_grant") from None


def _application(portal: Portal, params: Mapping[str, Any]) -> Application:
    if not params.get("client_id"):
        raise OAuthError("invalid_request", 'No "client_id" parameter found')
    try:
        application = portal.application(str(params["client_id"]))
    except UnknownThing:
        raise OAuthError("wrong_client") from None
    if params.get("client_secret") != application.client_secret:
        raise OAuthError("invalid_client")
    return application


def _record(
    emulator: Emulator,
    params: Mapping[str, Any],
    status: int,
    error: str,
    grant: Grant | None,
    stopwatch: Stopwatch,
) -> None:
    emulator.portal.journal.record(
        Call(
            at=emulator.portal.timestamp(),
            via="oauth",
            method="oauth/token",
            user_id=grant.user_id if grant is not None else 0,
            client_id=str(params.get("client_id") or ""),
            parameters=masked({name: MASK if name == "code" else value for name, value in params.items()}),
            status=status,
            error=error,
            seconds=round(stopwatch.elapsed(), 3),
        )
    )
