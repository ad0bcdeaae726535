"""`placement.*`: widgets of an application (facts/platform 2 "Placements")."""

from __future__ import annotations

from typing import Any

from emulator.records import PlacementHandler
from emulator.rest.calls import Method, RestCall
from emulator.rest.replies import SystemFault

PLACEMENTS = ("BI_ANALYTICS_MENU", "CRM_ANALYTICS_MENU", "LEFT_MENU", "REST_APP_URI", "PAGE_BACKGROUND_WORKER")
ONLY_ONCE = ("REST_APP_URI", "PAGE_BACKGROUND_WORKER")


def bind(call: RestCall) -> bool:
    """`placement.bind`: by administrators only; shows after `installFinish`."""
    application = call.own_application
    _insist_on_administrator(call)
    placement, handler = _placement(call), str(call.params.get("handler") or "")
    if not handler:
        raise SystemFault("ERROR_ARGUMENT", "Argument 'HANDLER' is null or empty", 400)
    with call.portal.lock:
        own = [
            known
            for known in call.portal.state.placements
            if known.client_id == application.client_id and known.placement == placement
        ]
        if any(known.handler == handler for known in own):
            text = "Unable to set placement handler: Handler already binded"
            raise SystemFault("ERROR_CORE", text, 400)
        if own and placement in ONLY_ONCE:
            raise SystemFault("ERROR_PLACEMENT_MAX_COUNT", "Placement max count", 400)
        call.portal.state.placements.append(
            PlacementHandler(
                id=call.portal.next_id("placement"),
                client_id=application.client_id,
                placement=placement,
                handler=handler,
                title=str(call.params.get("title") or application.title),
                description=str(call.params.get("description") or ""),
                options=_map(call, "options"),
                lang_all=_map(call, "lang_all"),
            )
        )
    return True


def unbind(call: RestCall) -> dict[str, int]:
    """`placement.unbind`: one handler, or all of a placement without `HANDLER`; answers how many are gone."""
    application = call.own_application
    _insist_on_administrator(call)
    placement, handler = _placement(call), call.params.get("handler")
    with call.portal.lock:
        bound = call.portal.state.placements
        kept = [
            known
            for known in bound
            if known.client_id != application.client_id
            or known.placement != placement
            or handler not in (None, "", known.handler)
        ]
        call.portal.state.placements = kept
        return {"count": len(bound) - len(kept)}


def get(call: RestCall) -> list[dict[str, Any]]:
    """`placement.get`: the application's own handlers."""
    application = call.own_application
    with call.portal.lock:
        return [
            {
                "placement": known.placement,
                "userId": 0,
                "handler": known.handler,
                "title": known.title,
                "description": known.description,
                "options": known.options or [],
                "langAll": known.lang_all or [],
            }
            for known in call.portal.state.placements
            if known.client_id == application.client_id
        ]


def list_(_call: RestCall) -> list[str]:
    """`placement.list`: what this portal offers."""
    return list(PLACEMENTS)


def _insist_on_administrator(call: RestCall) -> None:
    if not call.user.admin:
        raise SystemFault("ACCESS_DENIED", "Access denied!")


def _placement(call: RestCall) -> str:
    placement = str(call.params.get("placement") or "").upper()
    if not placement:
        raise SystemFault("ERROR_ARGUMENT", "Argument 'PLACEMENT' is null or empty", 400)
    if placement not in PLACEMENTS:
        raise SystemFault("ERROR_PLACEMENT_NOT_FOUND", "Placement not found", 400)
    return placement


def _map(call: RestCall, name: str) -> dict[str, Any]:
    given = call.params.get(name)
    return given if isinstance(given, dict) else {}


SCOPES = ("placement",)
METHODS = {
    "placement.bind": Method(bind, SCOPES),
    "placement.unbind": Method(unbind, SCOPES),
    "placement.get": Method(get, SCOPES),
    "placement.list": Method(list_, SCOPES),
}
