"""The four addresses of a hosted connector (facts/biconnector 5); `gateway.desk` says how a call is answered."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from gateway.answers import write_check, write_data, write_description, write_tables
from gateway.desk import Arrived, Desk, Endpoint
from gateway.hall import Hall
from gateway.incoming import (
    MOST_BYTES,
    Call,
    check_call,
    data_call,
    table_description_call,
    table_list_call,
)
from gateway.pace import Pace
from gateway.refusal import CallRefused
from gateway.turns import Turns
from gateway.wire import WIRE

blueprint = Blueprint("gateway", __name__, url_prefix="/gateway/<uid>/<key>")

CHECK = Endpoint("check", check_call, write_check)
TABLES = Endpoint("tables", table_list_call, write_tables)
DESCRIPTION = Endpoint("description", table_description_call, write_description)
DATA = Endpoint("data", data_call, write_data)


@blueprint.record_once
def open_desk(state: BlueprintSetupState) -> None:
    """Make the desk from the application's services."""
    house = state.app.extensions["services"]
    state.app.extensions["desk"] = Desk(
        house.connections,
        house.access,
        house.targets,
        house.budgets,
        house.guards,
        house.table_lists,
        house.board,
        Hall(house.settings.web_threads),
        Pace(house.board, house.settings.requests_per_minute),
        Turns(house.board),
    )


@blueprint.post("/check")
def check(uid: str, key: str) -> Response:
    """`urlCheck`."""
    return _answered(CHECK, uid, key)


@blueprint.post("/tables")
def tables(uid: str, key: str) -> Response:
    """`urlTableList`."""
    return _answered(TABLES, uid, key)


@blueprint.post("/description")
def description(uid: str, key: str) -> Response:
    """`urlTableDescription`."""
    return _answered(DESCRIPTION, uid, key)


@blueprint.post("/data")
def data(uid: str, key: str) -> Response:
    """`urlData`."""
    return _answered(DATA, uid, key)


def _answered(endpoint: Endpoint[Call], uid: str, key: str) -> Response:
    desk: Desk = current_app.extensions["desk"]
    wire = request.environ[WIRE]
    arrived = Arrived(uid, key, request.remote_addr or "", request.content_type or "", _body, wire)
    answer = desk.answer(endpoint, arrived)
    response = Response(answer.body, answer.status, mimetype="application/json")
    response.content_length = answer.length
    response.call_on_close(answer.close)
    return response


def _body() -> bytes:
    request.max_content_length = MOST_BYTES
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise CallRefused("body_too_big") from None
    except ClientDisconnected:
        raise CallRefused("body_cut") from None
    except HTTPException:
        raise CallRefused("form") from None
