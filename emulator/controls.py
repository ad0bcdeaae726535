"""`/_emulator/`: what a test or a demonstration does to the portal. Every control is described in README.md.

A control is a row of `CONTROLS`: its name, the order it takes as JSON, and the function that carries it out. An order
that does not fit is answered 400 with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError

from emulator import actions
from emulator.context import Emulator, current_emulator
from emulator.orders import (
    AccessOrder,
    AppUpdateOrder,
    ClockOrder,
    CodeOrder,
    DeliverOrder,
    ErrorShapeOrder,
    ExpireOrder,
    FailOrder,
    GenerationOrder,
    LanguageOrder,
    Order,
    PaymentOrder,
    PlanOrder,
    RateLimitOrder,
    RenameOrder,
    RestoreOrder,
    RightsOrder,
    TokenOrder,
    UninstallOrder,
    UserOrder,
)
from emulator.overview import overview
from emulator.portal import UnknownThing
from emulator.rest.replies import RestError
from emulator.statefile import STATE

blueprint = Blueprint("controls", __name__, url_prefix="/_emulator")


@dataclass(frozen=True)
class Control:
    """One control: the JSON that it takes and what it does; the function answers JSON."""

    order: type[Order]
    carry_out: Callable[[Emulator, Any], Mapping[str, Any]]


CONTROLS: Mapping[str, Control] = {
    "reset": Control(Order, actions.reset),
    "demo": Control(Order, actions.demo),
    "token": Control(TokenOrder, actions.token),
    "code": Control(CodeOrder, actions.code),
    "expire-tokens": Control(ExpireOrder, actions.expire_tokens),
    "register": Control(UserOrder, actions.register),
    "install": Control(UserOrder, actions.install),
    "finish-install": Control(Order, actions.finish_install),
    "uninstall": Control(UninstallOrder, actions.uninstall),
    "update": Control(AppUpdateOrder, actions.update_app),
    "opening": Control(UserOrder, actions.opening),
    "deliver": Control(DeliverOrder, actions.deliver),
    "fail": Control(FailOrder, actions.fail),
    "mend": Control(Order, actions.mend),
    "generation": Control(GenerationOrder, actions.generation),
    "error-shape": Control(ErrorShapeOrder, actions.error_shape),
    "language": Control(LanguageOrder, actions.language),
    "user": Control(UserOrder, actions.user),
    "rights": Control(RightsOrder, actions.rights),
    "access": Control(AccessOrder, actions.access),
    "rename": Control(RenameOrder, actions.rename),
    "rate-limit": Control(RateLimitOrder, actions.rate_limit),
    "plan": Control(PlanOrder, actions.plan),
    "payment": Control(PaymentOrder, actions.payment),
    "forget-previews": Control(Order, actions.forget_previews),
    "clock": Control(ClockOrder, actions.clock),
    "restore": Control(RestoreOrder, actions.restore),
}


@blueprint.before_request
def _refuse_foreign_pages() -> Response | None:
    """A page of another site, such as the application's frame, must not work the controls."""
    if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return None
    return _sentence(403, "Controls do not take orders from pages of other sites.")


@blueprint.get("/state")
def state() -> Response:
    """Everything countable, object ids, and the journal without secrets."""
    return jsonify(overview(current_emulator()))


@blueprint.get("/whole")
def whole() -> Response:
    """The portal as a state file holds it, with every secret."""
    portal = current_emulator().portal
    with portal.lock:
        return Response(STATE.dump_json(portal.state), mimetype="application/json")


@blueprint.post("/<name>")
def control(name: str) -> Response:
    """Carry out one control."""
    known = CONTROLS.get(name)
    if known is None:
        return _sentence(404, f"There is no control {name!r}. Known: {', '.join(CONTROLS)}.")
    try:
        order = known.order.model_validate_json(request.get_data() or b"{}")
        return jsonify(known.carry_out(current_emulator(), order))
    except ValidationError as problem:
        return _sentence(400, " ".join(_complaint(error) for error in problem.errors()))
    except (UnknownThing, actions.CannotDo) as problem:
        return _sentence(400, str(problem.args[0]))
    except RestError as problem:
        return _sentence(400, f"{problem.text} ({problem.code})")


def _complaint(error: Mapping[str, Any]) -> str:
    sentence = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {sentence}." if place else f"{sentence}."


def _sentence(status: int, sentence: str) -> Response:
    response = jsonify({"error": sentence})
    response.status_code = status
    return response
