"""`event.*`: subscriptions of an application (facts/platform 4)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from emulator.php_values import as_integer
from emulator.records import EventHandler
from emulator.rest.calls import Method, RestCall
from emulator.rest.replies import SystemFault

EVENTS = (
    "ONAPPINSTALL",
    "ONAPPUNINSTALL",
    "ONAPPUPDATE",
    "ONAPPPAYMENT",
    "ONAPPMETHODCONFIRM",
    "ONAPPTEST",
    "ONAPPUSERREADY",
    "ONUSERADD",
)


def bind(call: RestCall) -> bool:
    """`event.bind`: for oneself; another user's `auth_type` and offline events need an administrator."""
    application = call.own_application
    event = _event(call)
    handler = _handler(call)
    auth_type = as_integer(call.params.get("auth_type"))
    event_type = str(call.params.get("event_type") or "online")
    if (auth_type not in (0, call.user.id) or event_type == "offline") and not call.user.admin:
        raise SystemFault("ACCESS_DENIED", "Access denied!")
    with call.portal.lock:
        bound = call.portal.state.event_handlers
        for known in bound:
            if (known.client_id, known.event, known.handler) == (application.client_id, event, handler):
                text = "Unable to set event handler: Handler already binded"
                raise SystemFault("ERROR_CORE", text, 400)
        bound.append(
            EventHandler(
                id=call.portal.next_id("event_handler"),
                client_id=application.client_id,
                event=event,
                handler=handler,
                auth_type=auth_type,
                event_type=event_type,
            )
        )
    return True


def get(call: RestCall) -> list[dict[str, Any]]:
    """`event.get`: administrators see all of the application's handlers, others their own."""
    application = call.own_application
    with call.portal.lock:
        return [
            {
                "event": known.event,
                "handler": known.handler,
                "auth_type": str(known.auth_type),
                "offline": 1 if known.event_type == "offline" else 0,
            }
            for known in call.portal.state.event_handlers
            if known.client_id == application.client_id and (call.user.admin or known.auth_type in (0, call.user.id))
        ]


def unbind(call: RestCall) -> dict[str, int]:
    """`event.unbind`: answers how many handlers are gone."""
    application = call.own_application
    event, handler = _event(call), _handler(call)
    with call.portal.lock:
        bound = call.portal.state.event_handlers
        kept = [
            known
            for known in bound
            if (known.client_id, known.event, known.handler) != (application.client_id, event, handler)
        ]
        call.portal.state.event_handlers = kept
        return {"count": len(bound) - len(kept)}


def events(_call: RestCall) -> list[str]:
    """`events`: the catalogue."""
    return list(EVENTS)


def test(call: RestCall) -> int:
    """`event.test`: sends ONAPPTEST with everything given in `data[QUERY]`."""
    query = {key: value for key, value in call.params.items() if key != "auth"}
    call.emulator.deliveries.deliver(call.own_application, "ONAPPTEST", {"QUERY": query}, call.user)
    return 1


def _event(call: RestCall) -> str:
    event = str(call.params.get("event") or "").upper()
    if not event:
        raise SystemFault("ERROR_ARGUMENT", "Argument 'EVENT' is null or empty", 400)
    if event not in EVENTS:
        raise SystemFault("ERROR_EVENT_NOT_FOUND", "Event not found!", 400)
    return event


def _handler(call: RestCall) -> str:
    handler = str(call.params.get("handler") or "")
    if not handler:
        raise SystemFault("ERROR_ARGUMENT", "Argument 'HANDLER' is null or empty", 400)
    parts = urlsplit(handler)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SystemFault("ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol", 400)
    return handler


METHODS = {
    "event.bind": Method(bind),
    "event.get": Method(get),
    "event.unbind": Method(unbind),
    "event.test": Method(test),
    "events": Method(events),
}
