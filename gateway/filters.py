"""The portal's filter, in any of its three shapes, as conditions of `drivers.query`.

The shape of portals (facts/biconnector 5.9-5.11): a key is an operator and a column, groups are numbered and hold
`LOGIC`. The two other shapes of the field (facts/field 0 item 7): `{COLUMN: {operator, value | from, to}}` and a list
of `{COLUMN, OPERATOR, VALUE}`. Operators are rows of `OPERATORS` and `WORDS`. What cannot be understood is refused
with `CallRefused`: a condition that is dropped, or read in another way than it was meant, makes a chart lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from drivers.query import Condition, Group, Logic
from gateway.calls import Tree
from gateway.dates import DateReader
from gateway.errors import CallRefused
from gateway.filter_values import DATES, TEXT_SEARCHES, Kind, Values, condition
from services.contract.names import PublishedColumn

Resolve = Callable[[str], PublishedColumn]


@dataclass(frozen=True)
class Operation:
    """What an operator does with its values; `negated` holds for the other values, but never for NULL."""

    kind: Kind
    negated: bool = False


# Every prefix that portals put before a column (facts/biconnector 5.9); the longest that fits is the operator.
OPERATORS = {
    "": Operation("="),
    "=": Operation("="),
    "!": Operation("=", negated=True),
    "!=": Operation("=", negated=True),
    ">": Operation(">"),
    "!>": Operation(">", negated=True),
    ">=": Operation(">="),
    "!>=": Operation(">=", negated=True),
    "<": Operation("<"),
    "!<": Operation("<", negated=True),
    "<=": Operation("<="),
    "!<=": Operation("<=", negated=True),
    "%": Operation("contains"),
    "!%": Operation("contains", negated=True),
    "=%": Operation("like"),
    "%=": Operation("like"),
    "!=%": Operation("like", negated=True),
    "!%=": Operation("like", negated=True),
    "@": Operation("in"),
    "!@": Operation("in", negated=True),
    "><": Operation("between"),
    "!><": Operation("between", negated=True),
}
_LONGEST_PREFIX = max(map(len, OPERATORS))

# The words of the two other shapes; `NOT_` before any of them negates it.
WORDS: dict[str, Kind] = {
    "EQ": "=",
    "EQUALS": "=",
    "GT": ">",
    "GTE": ">=",
    "LT": "<",
    "LTE": "<=",
    **{f"{family}_GREATER_THAN": ">" for family in ("NUMERIC", "DATE")},
    **{f"{family}_GREATER_THAN_OR_EQUAL": ">=" for family in ("NUMERIC", "DATE")},
    **{f"{family}_LESS_THAN": "<" for family in ("NUMERIC", "DATE")},
    **{f"{family}_LESS_THAN_OR_EQUAL": "<=" for family in ("NUMERIC", "DATE")},
    "CONTAINS": "contains",
    "LIKE": "like",
    "IN": "in",
    "IN_LIST": "in",
    "BETWEEN": "between",
    "IS_NULL": "null",
}
# Negations that are spelled in a way of their own.
_OTHER_WORDS = {
    "<>": Operation("=", negated=True),
    "NEQ": Operation("=", negated=True),
    "IS_NOT_NULL": Operation("null", negated=True),
}


@dataclass(frozen=True)
class _Asked:
    """One condition, its values still texts."""

    column: PublishedColumn
    operation: Operation
    values: Values


@dataclass(frozen=True)
class _AskedGroup:
    logic: Logic
    members: tuple[_Asked | _AskedGroup, ...]


def read_filter(tree: Mapping[str, Tree], resolve: Resolve, language: str) -> Condition | None:
    """The condition that `tree` means, None for an empty filter; raises `CallRefused`.

    `resolve` turns a name of the call into a column and raises `CallRefused` for an unknown one; `language` is the
    portal's, for its dates.
    """
    if not tree:
        return None
    asked = _group(tree, resolve)
    dates = DateReader(language, _date_texts(asked))
    return _typed(asked, dates)


def _typed(asked: _Asked | _AskedGroup, dates: DateReader) -> Condition:
    if isinstance(asked, _AskedGroup):
        members = tuple(_typed(member, dates) for member in asked.members)
        return members[0] if len(members) == 1 else Group(asked.logic, members)
    return condition(asked.column, asked.operation.kind, asked.operation.negated, asked.values, dates)


def _date_texts(asked: _Asked | _AskedGroup) -> Iterator[str]:
    if isinstance(asked, _AskedGroup):
        for member in asked.members:
            yield from _date_texts(member)
    elif asked.column.type in DATES and asked.operation.kind not in {*TEXT_SEARCHES, "null"}:
        yield from (value for value in asked.values.items if isinstance(value, str))


# --- groups


def _group(tree: Mapping[str, Tree], resolve: Resolve) -> _AskedGroup:
    """The conditions of one level.

    A group without conditions is refused: a form loses empty lists on its way, so nobody can tell whether it meant
    everything or nothing.
    """
    logic: Logic | None = None
    members: list[_Asked | _AskedGroup] = []
    for key, value in tree.items():
        if key.upper() == "LOGIC":
            if logic is not None:
                raise CallRefused("filter", key)
            logic = _logic(value)
        elif key.isascii() and key.isdigit():
            members.append(_numbered(value, resolve))
        else:
            members.append(_keyed(key, value, resolve))
    if not members:
        raise CallRefused("empty_group")
    return _AskedGroup(logic or "AND", tuple(members))


def _logic(value: Tree) -> Logic:
    word = value.upper() if isinstance(value, str) else ""
    if word == "AND":
        return "AND"
    if word == "OR":
        return "OR"
    raise CallRefused("filter", "LOGIC")


def _numbered(value: Tree, resolve: Resolve) -> _Asked | _AskedGroup:
    if not isinstance(value, Mapping):
        raise CallRefused("filter")
    parts = {key.upper(): part for key, part in value.items()}
    if len(parts) == len(value) and {"COLUMN", "OPERATOR"} <= parts.keys() <= {"COLUMN", "OPERATOR", "VALUE"}:
        return _listed(parts, resolve)
    return _group(value, resolve)


# --- shape 1: operator and column in the key


def _keyed(key: str, value: Tree, resolve: Resolve) -> _Asked:
    prefix = next(key[:length] for length in range(_LONGEST_PREFIX, -1, -1) if key[:length] in OPERATORS)
    column = resolve(key[len(prefix) :])
    if not prefix and isinstance(value, Mapping) and any(part.upper() == "OPERATOR" for part in value):
        return _spelled(column, value)
    operation, values = OPERATORS[prefix], _values(value)
    if operation.kind == "=" and values.single and values.items[0] in ("", "0", False):
        # IS NULL is `=COLUMN` with PHP's false, which a form carries as `0` or nothing (facts/biconnector 5.11).
        return _Asked(column, Operation("null", operation.negated), Values((), single=False))
    return _Asked(column, operation, values)


# --- shape 2: {COLUMN: {operator, value | from, to}}


def _spelled(column: PublishedColumn, value: Mapping[str, Tree]) -> _Asked:
    parts = {key.upper(): part for key, part in value.items()}
    operation = _operation(parts.pop("OPERATOR"))
    if len(parts) != len(value) - 1:
        raise CallRefused("filter", column.code)
    if operation.kind == "between" and parts.keys() == {"FROM", "TO"}:
        ends = _values({"0": parts["FROM"], "1": parts["TO"]})
        return _Asked(column, operation, ends)
    if parts.keys() <= {"VALUE"}:
        return _worded(column, operation, parts)
    raise CallRefused("filter", column.code)


# --- shape 3: [{COLUMN, OPERATOR, VALUE}]


def _listed(parts: Mapping[str, Tree], resolve: Resolve) -> _Asked:
    name = parts["COLUMN"]
    if not isinstance(name, str):
        raise CallRefused("filter", "COLUMN")
    return _worded(resolve(name), _operation(parts["OPERATOR"]), parts)


def _operation(word: Tree) -> Operation:
    if not isinstance(word, str):
        raise CallRefused("operator")
    spelled = "_".join(word.upper().split())
    if found := _OTHER_WORDS.get(spelled) or (OPERATORS.get(spelled) if spelled else None):
        return found
    kind = WORDS.get(spelled.removeprefix("NOT_"))
    if kind is None:
        raise CallRefused("operator")
    return Operation(kind, negated=spelled.startswith("NOT_"))


def _worded(column: PublishedColumn, operation: Operation, parts: Mapping[str, Tree]) -> _Asked:
    """A condition whose operator is a word: null has a word of its own, so a `0` is a number like any other."""
    if operation.kind == "null":
        if parts.get("VALUE") not in (None, "", "0", False):
            raise CallRefused("value", column.code)
        return _Asked(column, operation, Values((), single=False))
    if "VALUE" not in parts:
        raise CallRefused("value", column.code)
    return _Asked(column, operation, _values(parts["VALUE"]))


def _values(value: Tree) -> Values:
    """The values of a condition, from a scalar or a list; JSON's null is no value, since a form leaves it out."""
    if isinstance(value, Mapping):
        if not all(key.isascii() and key.isdigit() for key in value):
            raise CallRefused("value")
        items = tuple(value.values())
    else:
        items = (value,)
    texts = tuple(item for item in items if isinstance(item, (str, bool)))
    if len(texts) != len(items):
        raise CallRefused("value")
    return Values(texts, single=not isinstance(value, Mapping))
