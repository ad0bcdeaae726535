"""Which tests stay in one process, since they share what takes long to make, and which of them begin."""

from __future__ import annotations

import pytest

from tests.reach import PURE, ROOT, distance, scopes


def group_of(item: pytest.Item) -> str:
    """The group of a test: of its module, for what fixtures keep for a module, or of a database of the whole run.

    Empty for tests that share nothing: they run wherever a process is free.
    """
    kept = scopes(item)
    call = getattr(item, "callspec", None)
    parameters = call.params if call else {}
    databases = [str(parameters[name]) for name, scope in kept.items() if scope == "session" and name in parameters]
    if databases:
        return "-".join(databases)
    of_module = [name for name, scope in kept.items() if scope in ("class", "module", "package")]
    variants = [str(call.indices[name]) for name in of_module if name in parameters] if call else []
    return "-".join([str(item.path.relative_to(ROOT)), *variants]) if of_module else ""


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Groups come first and together, since they take longest, and pure tests last, so that all processes end at once.

    Otherwise tests keep their order.
    """
    names = {item.nodeid: group_of(item) or item.nodeid for item in items}
    begins: dict[str, tuple[bool, bool, int]] = {}
    for place, item in enumerate(items):
        name = names[item.nodeid]
        rank = (distance(item) == PURE, name == item.nodeid, place)
        begins[name] = min(rank, begins.get(name, rank))
    return sorted(items, key=lambda item: begins[names[item.nodeid]])
