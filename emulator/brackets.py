"""PHP's bracket notation: `a[b][0]=c` and back.

Portals speak it in events and to the four endpoints (facts/biconnector 5.1, facts/platform 4), and accept it in
REST parameters. Rules are PHP's own: `a[]` appends, a later value replaces an earlier one, an unclosed bracket is
part of the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Pairs = list[tuple[str, str]]

DEEPEST = 64
"""PHP's `max_input_nesting_level`: fields below it are left out."""


def encode(data: Mapping[str, Any]) -> Pairs:
    """`data` as form fields, the way PHP's `http_build_query` writes them.

    True becomes `1`, False `0`; None and empty lists and maps are left out.
    """
    pairs: Pairs = []
    for key, value in data.items():
        _encode_value(str(key), value, pairs)
    return pairs


def _encode_value(name: str, value: Any, pairs: Pairs) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _encode_value(f"{name}[{key}]", inner, pairs)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            _encode_value(f"{name}[{index}]", inner, pairs)
    elif isinstance(value, bool):
        pairs.append((name, "1" if value else "0"))
    elif value is not None:
        pairs.append((name, str(value)))


def decode(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Form fields as nested data; maps whose keys are 0, 1, 2, ... become lists, as PHP prints them in JSON."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        path = _path(name)
        if len(path) <= DEEPEST:
            _place(tree, path, value)
    return {key: _listed(value) for key, value in tree.items()}


def _path(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket or not head or "]" not in rest:
        return [name]
    path = [head]
    while rest:
        key, closed, rest = rest.partition("]")
        if not closed:
            break
        path.append(key)
        if not rest.startswith("["):
            break
        rest = rest[1:]
    return path


def _place(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for position, key in enumerate(path[:-1]):
        key = key if position == 0 else _key(tree, key)
        inner = tree.get(key)
        if not isinstance(inner, dict):
            inner = tree[key] = {}
        tree = inner
    tree[path[-1] if len(path) == 1 else _key(tree, path[-1])] = value


def _key(tree: dict[str, Any], key: str) -> str:
    if key:
        return key
    numbers = [int(known) for known in tree if known.isdigit()]
    return str(max(numbers, default=-1) + 1)


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(item) for key, item in value.items()}
    if inner and list(inner) == [str(index) for index in range(len(inner))]:
        return list(inner.values())
    return inner
