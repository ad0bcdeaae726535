"""The list of all methods, and `method.get`, which asks it."""

from __future__ import annotations

from emulator.portal import Portal
from emulator.rest import connectors, datasets, events, placements, sources, system
from emulator.rest.calls import Method, RestCall
from emulator.rest.replies import SystemFault


def find_method(portal: Portal, name: str) -> Method | None:
    """The method, in any case, if portals of this generation know it."""
    method = METHODS.get(name.lower())
    return method if method is not None and method.exists(portal) else None


def method_get(call: RestCall) -> dict[str, bool]:
    """`method.get`: whether the method in `name` exists here and is open to the caller."""
    name = call.params.get("name")
    if not isinstance(name, str) or not name:
        raise SystemFault("ERROR_ARGUMENT", "The value of an argument 'name' is invalid.", 400)
    method = find_method(call.portal, name)
    return {"isExisting": method is not None, "isAvailable": method is not None and method.open_to(call.scope)}


METHODS: dict[str, Method] = {
    "method.get": Method(method_get),
    **system.METHODS,
    **events.METHODS,
    **placements.METHODS,
    **connectors.METHODS,
    **sources.METHODS,
    **datasets.METHODS,
}
"""Every method but `batch`, which calls the others."""
