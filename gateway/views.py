"""The four addresses of a hosted connector (facts/biconnector 5); `gateway.pipeline` says how a call is answered."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from gateway.answers import write_check, write_data, write_description, write_tables
from gateway.callers import is_waiting
from gateway.calls import MOST_BYTES, Call, check_call, data_call, table_description_call, table_list_call
from gateway.errors import CallRefused
from gateway.pipeline import Endpoint, IncomingRequest, Pipeline
from services.limits.concurrency import ConcurrencyLimit
from services.limits.fair_queue import FairQueue
from services.limits.heavy_work import HeavyWork
from services.limits.rate_limit import RateLimit
from services.limits.wrong_keys import WrongKeys

blueprint = Blueprint("gateway", __name__, url_prefix="/gateway/<uid>/<key>")

CHECK = Endpoint("check", check_call, write_check)
TABLES = Endpoint("tables", table_list_call, write_tables)
DESCRIPTION = Endpoint("description", table_description_call, write_description)
DATA = Endpoint("data", data_call, write_data)


@blueprint.record_once
def make_pipeline(state: BlueprintSetupState) -> None:
    """Make the pipeline from the application's services."""
    services = state.app.extensions["services"]
    state.app.extensions["pipeline"] = Pipeline(
        services.connection_keys,
        services.call_log,
        services.access,
        services.known_targets,
        services.guards,
        services.table_lists,
        services.shared_memory,
        ConcurrencyLimit(services.settings.web_threads),
        RateLimit(services.shared_memory, services.settings.requests_per_minute),
        FairQueue(services.shared_memory),
        HeavyWork(),
        WrongKeys(services.settings.web_threads),
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
    pipeline: Pipeline = current_app.extensions["pipeline"]
    source, waiting = request.remote_addr or "", partial(is_waiting, request.environ)
    arrived = IncomingRequest(uid, key, source, request.content_type or "", _body, waiting)
    answer = pipeline.answer(endpoint, arrived)
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
