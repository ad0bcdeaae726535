"""The body of a call, read once at the door into a frozen call.

Portals send PHP's bracketed form, the documentation shows JSON; both become the same tree (facts/biconnector 5.1). In
the tree a list is a mapping with the keys "0", "1", ...: numbers stay keys and never become list positions, so that
`filter[999999999999]=1` costs nothing. Numbers of JSON stay the text they were written as, so that no digit is lost.
Whatever has two readings is refused with `CallRefused`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from gateway.errors import CallRefused

MOST_BYTES = 2 * 1024 * 1024
MOST_LEVELS = 8
MOST_KEYS = 5_000
MOST_LIMIT = 2**63 - 1

Tree: TypeAlias = "Mapping[str, Tree] | str | bool | None"
Branch: TypeAlias = "dict[str, Tree]"

# Codes of a connector's settings and of columns may hold any character (facts/biconnector 5.1), and these parameters
# have one level only: what stands between the first and the last bracket is the key.
_ONE_LEVEL = frozenset({"connection", "mapFields"})
# Where somebody left brackets unescaped, the first `=` outside of them ends the key.
_PAIR = re.compile(r"((?:[^=\[]|\[[^\]]*\])*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class CheckCall:
    """`urlCheck`: does this connection work? `connection` maps the connector's setting codes to values."""

    connection: Mapping[str, str]


@dataclass(frozen=True)
class TableListCall:
    """`urlTableList`: tables whose code or title holds `search`; empty means all (facts/biconnector 5.5)."""

    connection: Mapping[str, str]
    search: str


@dataclass(frozen=True)
class TableDescriptionCall:
    """`urlTableDescription`: the columns of `table`, which arrives as `table` or `name` (facts/biconnector 5.6)."""

    connection: Mapping[str, str]
    table: str


@dataclass(frozen=True)
class DataCall:
    """`urlData`: rows of `table` (facts/biconnector 5.7).

    `select` None means all columns; `limit` None means all rows; `filter` is the tree as it came, for
    `gateway.filters`; `map_fields` maps external codes to the dataset's column names.
    """

    connection: Mapping[str, str]
    table: str
    select: tuple[str, ...] | None
    filter: Mapping[str, Tree]
    limit: int | None
    map_fields: Mapping[str, str]


Call = TypeVar("Call", CheckCall, TableListCall, TableDescriptionCall, DataCall)
Reader: TypeAlias = Callable[[bytes, str], Call]


def check_call(body: bytes, content_type: str) -> CheckCall:
    """The call of `urlCheck`; raises `CallRefused`."""
    return CheckCall(_texts(read_tree(body, content_type), "connection"))


def table_list_call(body: bytes, content_type: str) -> TableListCall:
    """The call of `urlTableList`; raises `CallRefused`."""
    tree = read_tree(body, content_type)
    return TableListCall(_texts(tree, "connection"), _text(tree, "searchString"))


def table_description_call(body: bytes, content_type: str) -> TableDescriptionCall:
    """The call of `urlTableDescription`; raises `CallRefused`."""
    tree = read_tree(body, content_type)
    return TableDescriptionCall(_texts(tree, "connection"), _table(tree, "table", "name"))


def data_call(body: bytes, content_type: str) -> DataCall:
    """The call of `urlData`; raises `CallRefused`."""
    tree = read_tree(body, content_type)
    return DataCall(
        connection=_texts(tree, "connection"),
        table=_table(tree, "table"),
        select=_select(tree),
        filter=_branch(tree, "filter"),
        limit=_limit(tree),
        map_fields=_texts(tree, "mapFields"),
    )


def read_tree(body: bytes, content_type: str) -> Mapping[str, Tree]:
    """The body as a tree of mappings, texts and booleans; raises `CallRefused`.

    JSON is recognised by its content type or its first character, everything else must be a form.
    """
    if len(body) > MOST_BYTES:
        raise CallRefused("body_too_big")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CallRefused("encoding") from None
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json") or text.lstrip().startswith("{"):
        return _read_json(text)
    if kind in {"", "application/x-www-form-urlencoded"}:
        return _read_form(text)
    raise CallRefused("content_type")


# --- JSON


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object in order, before duplicates are looked for."""


def _read_json(text: str) -> Branch:
    try:
        # Numbers stay text; NaN and Infinity are not JSON.
        raw = json.loads(text, object_pairs_hook=_Members, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise CallRefused("json") from None
    if not isinstance(raw, _Members):
        raise CallRefused("json")
    budget = iter(range(MOST_KEYS))
    return _json_branch(raw, budget, 0)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _json_branch(members: list[tuple[str, Any]], budget: Iterator[int], level: int) -> Branch:
    if level > MOST_LEVELS:
        raise CallRefused("body_too_deep")
    branch: Branch = {}
    for key, value in members:
        if next(budget, None) is None:
            raise CallRefused("too_many_keys")
        if key in branch:
            raise CallRefused("duplicate_key")
        _check_text(key)
        branch[key] = _json_node(value, budget, level)
    return branch


def _json_node(value: Any, budget: Iterator[int], level: int) -> Tree:
    if isinstance(value, _Members):
        return _json_branch(value, budget, level + 1)
    if isinstance(value, list):
        return _json_branch([(str(index), item) for index, item in enumerate(value)], budget, level + 1)
    if isinstance(value, str):
        _check_text(value)
    if value is None or isinstance(value, (str, bool)):
        return value
    raise CallRefused("json")


# --- PHP's bracketed form


def _read_form(text: str) -> Branch:
    tree: Branch = {}
    pairs = [part for part in text.split("&") if part]
    if len(pairs) > MOST_KEYS:
        raise CallRefused("too_many_keys")
    for part in pairs:
        matched = _PAIR.fullmatch(part)
        key, value = matched.groups() if matched else part.partition("=")[::2]
        _put(tree, _path(_unquoted(key)), _unquoted(value))
    return tree


def _unquoted(text: str) -> str:
    try:
        plain = unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise CallRefused("encoding") from None
    _check_text(plain)
    return plain


def _path(key: str) -> list[str]:
    root, bracket, rest = key.partition("[")
    if not bracket:
        return [root]
    if not root or not rest.endswith("]"):
        raise CallRefused("form")
    if root in _ONE_LEVEL:
        return [root, rest[:-1]]
    return [root, *rest[:-1].split("][")]


def _put(tree: Branch, path: list[str], value: str) -> None:
    if len(path) - 1 > MOST_LEVELS:
        raise CallRefused("body_too_deep")
    node = tree
    for step in path[:-1]:
        below = node.setdefault(_next_number(node) if step == "" else step, {})
        if not isinstance(below, dict):
            raise CallRefused("duplicate_key")
        node = below
    last = _next_number(node) if path[-1] == "" and len(path) > 1 else path[-1]
    if last in node:
        raise CallRefused("duplicate_key")
    node[last] = value


def _next_number(node: Branch) -> str:
    """The key that PHP gives to `[]`: one more than the largest number."""
    numbers = [int(key) for key in node if key.isascii() and key.isdigit() and len(key) < 19]
    return str(max(numbers, default=-1) + 1)


def _check_text(text: str) -> None:
    """No NUL, which databases cut at, and no half of a surrogate pair, which is not text."""
    if "\0" in text:
        raise CallRefused("encoding")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CallRefused("encoding") from None


# --- parameters


def _branch(tree: Mapping[str, Tree], name: str) -> Mapping[str, Tree]:
    value = tree.get(name)
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise CallRefused("parameter", name)
    return value


def _text(tree: Mapping[str, Tree], name: str) -> str:
    value = tree.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CallRefused("parameter", name)
    return value


def _texts(tree: Mapping[str, Tree], name: str) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for key, value in _branch(tree, name).items():
        if value is None:
            continue
        if not isinstance(value, str):
            raise CallRefused("parameter", name)
        values[key] = value
    return values


def _table(tree: Mapping[str, Tree], *names: str) -> str:
    for name in names:
        if found := _text(tree, name):
            return found
    raise CallRefused("missing_table")


def _select(tree: Mapping[str, Tree]) -> tuple[str, ...] | None:
    names: list[str] = []
    for key, value in _branch(tree, "select").items():
        if not key.isdecimal() or not isinstance(value, str) or not value:
            raise CallRefused("parameter", "select")
        names.append(value)
    return tuple(names) or None


def _limit(tree: Mapping[str, Tree]) -> int | None:
    """Rows at most; absent, empty and 0 mean all (facts/biconnector 5.7)."""
    text = _text(tree, "limit").strip()
    if not text:
        return None
    # Nineteen digits are the largest that a database counts to; a longer number is nobody's limit.
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > MOST_LIMIT:
        raise CallRefused("parameter", "limit")
    return int(text) or None
