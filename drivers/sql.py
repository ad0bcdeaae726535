"""SQL from queries: names quoted by the dialect, values always bound, nothing pasted.

Operators are rows of a table; what differs between databases is a `Dialect`. Meanings are those of `drivers/query.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from drivers.base import Description
from drivers.columns import Column, Form
from drivers.errors import QueryRefused
from drivers.query import (
    Between,
    Comparison,
    Condition,
    Contains,
    Group,
    IsNull,
    Like,
    Logic,
    OneOf,
    Operator,
    TableName,
    TableQuery,
    Value,
)

MARK = "\0"
DEEPEST_GROUP = 16
_FLAT_CONDITIONS = 25
LIKE_ESCAPE = "|"
_LAST_SECOND = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - none follows it, in whichever zone


@dataclass(frozen=True)
class Sql:
    """A piece of SQL with a `MARK` for each bound value. Names and texts in databases cannot hold that character."""

    text: str
    values: tuple[Any, ...] = ()

    def with_markers(self, marker: str) -> str:
        """The statement as the library wants it: `?`, or `%s` with all other per cent signs doubled."""
        text = self.text.replace("%", "%%") if marker == "%s" else self.text
        return text.replace(MARK, marker)


def quoting(start: str, end: str) -> Callable[[str], str]:
    """What puts a name between `start` and `end`; for a name with NUL it raises `QueryRefused("unknown_column")`."""

    def quote(name: str) -> str:
        if "\0" in name:
            raise QueryRefused("unknown_column", name)
        return start + name.replace(end, end * 2) + end

    return quote


def join(separator: str, pieces: Iterable[Sql]) -> Sql:
    """The pieces with `separator` between them."""
    listed = list(pieces)
    return Sql(separator.join(piece.text for piece in listed), tuple(v for piece in listed for v in piece.values))


def _combine(word: Logic, pieces: Sequence[Sql]) -> Sql:
    """Conditions joined in halves: databases read `a OR b OR c` as nested, and refuse what is nested too deep."""
    if len(pieces) <= _FLAT_CONDITIONS:
        return fill("({i})", i=join(f" {word} ", pieces))
    middle = len(pieces) // 2
    halves = (_combine(word, pieces[:middle]), _combine(word, pieces[middle:]))
    return fill("({i})", i=join(f" {word} ", halves))


def fill(template: str, **pieces: Sql) -> Sql:
    """`template` with each `{name}` replaced; a name may stand there more than once."""
    text = ""
    values: list[Any] = []
    rest = template
    while rest:
        before, brace, after = rest.partition("{")
        text += before
        if not brace:
            break
        name, _, rest = after.partition("}")
        text += pieces[name].text
        values.extend(pieces[name].values)
    return Sql(text, tuple(values))


@dataclass(frozen=True)
class Shape:
    """How values of one form are shown and compared; `{x}` is the column's expression.

    `present` is true for values that can be shown; the others count as NULL. `operand` is what comparisons look at,
    `value` wraps the bound value (`{v}`). `unshown`, where given, stands in rows for what is not `present`, which so is
    told from NULL (`drivers/unshown.py`). `narrow`, where given, is a laxer equality that an index can serve.
    `ordered`, where given, is what greater and less look at instead: texts as UTF-8, and so are their values bound.
    """

    shown: str = "{x}"
    present: str = ""
    operand: str = "{x}"
    value: str = "{v}"
    narrow: str = ""
    unshown: str = ""
    ordered: str = ""


@dataclass(frozen=True)
class Dialect:
    """What differs between databases.

    `text` turns a shown value into text, `folded` makes text blind to case, `like` compares `{x}` with the pattern
    `{v}` whose escape character is `|`, `bind` gives a value as the library takes it; `whole_seconds` where
    the expressions of datetimes hold no fractions already, `fine_fractions` where they may be finer than microseconds.
    `has` says whether the database can hold a text at all: one that it cannot is equal to nothing. `pattern` gives a
    pattern as `like` wants it.
    """

    quote: Callable[[str], str]
    shapes: Mapping[Form, Shape]
    text: str
    folded: str
    like: str
    bind: Callable[[Value, Column], Any] = lambda value, column: value
    whole_seconds: bool = False
    fine_fractions: bool = False
    has: Callable[[str], bool] = lambda text: True
    pattern: Callable[[str], str] = lambda pattern: pattern

    def name(self, table: TableName) -> str:
        """The table's quoted name."""
        return ".".join(self.quote(part) for part in (table.schema, table.name) if part)

    def raw(self, column: Column) -> str:
        """The SQL for a column's value."""
        return column.expression.replace("{c}", self.quote(column.own_name))

    def shown(self, column: Column) -> str:
        """The SQL for what is shown of a column."""
        shape = self.shapes[column.form]
        expression = self.raw(column)
        shown = shape.shown.replace("{x}", expression)
        if not shape.present:
            return shown
        return f"CASE WHEN {shape.present.replace('{x}', expression)} THEN {shown} END"

    def told(self, column: Column) -> str:
        """The SQL for what stands in rows, from which values that cannot be shown are told."""
        shape = self.shapes[column.form]
        if not shape.unshown:
            return self.shown(column)
        raw = self.raw(column)
        present, shown = (text.replace("{x}", raw) for text in (shape.present, shape.shown))
        return f"CASE WHEN {present} THEN {shown} WHEN {raw} IS NOT NULL THEN {shape.unshown} END"

    def select(
        self, query: TableQuery, description: Description, cell: str = "{x}", number: str = "", *, marks: bool = False
    ) -> Sql:
        """The statement for a query; `cell`, or `number` for numbers, wraps every column. Raises `QueryRefused`.

        With `marks` values that cannot be shown are told from NULL.
        """
        columns = [description.column(name) for name in query.columns]
        items = (
            (number if number and column.is_number else cell).replace(
                "{x}", (self.told if marks else self.shown)(column)
            )
            + f" AS {self.quote(f'c{position}')}"
            for position, column in enumerate(columns)
        )
        return self.tail(Sql(f"SELECT {', '.join(items)}"), query, description)

    def tail(self, select: Sql, query: TableQuery, description: Description) -> Sql:
        """`select` completed with table, condition and limit."""
        pieces = [select, Sql(f"FROM {self.name(query.table)}")]
        if query.where is not None:
            pieces.append(fill("WHERE {c}", c=self.where(query.where, description)))
        if query.limit is not None:
            pieces.append(Sql(f"LIMIT {int(query.limit)}"))
        return join(" ", pieces)

    def where(self, condition: Condition, description: Description) -> Sql:
        """The SQL of a condition tree."""
        return _Where(self, description).sql(condition, 0)


_COMPLEMENT: Mapping[Operator, Operator] = {"=": "!=", "!=": "=", ">": "<=", "<=": ">", "<": ">=", ">=": "<"}
_SQL_OPERATORS: Mapping[Operator, str] = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_NOTHING, _EVERYTHING = Sql("(1=0)"), Sql("(1=1)")


class _Where:
    """One walk over a condition tree."""

    def __init__(self, dialect: Dialect, description: Description) -> None:
        self._dialect, self._description = dialect, description

    def sql(self, condition: Condition, depth: int) -> Sql:
        if isinstance(condition, Group):
            return self._group(condition, depth)
        column = self._description.column(condition.column)
        match condition:
            case IsNull():
                return self._null(column, condition.negated)
            case Comparison():
                return self._present(column, self._compare(column, condition.operator, condition.value))
            case OneOf():
                return self._one_of(column, condition)
            case Between():
                return self._between(column, condition)
            case Contains():
                pattern = "%" + _escape(condition.text) + "%"
                return self._like(column, pattern, condition.negated)
            case Like():
                return self._like(column, _like_pattern(condition.pattern), condition.negated)

    def _group(self, group: Group, depth: int) -> Sql:
        if depth >= DEEPEST_GROUP:
            raise QueryRefused("filter_too_deep")
        if not group.conditions:
            return _EVERYTHING if group.logic == "AND" else _NOTHING
        return _combine(group.logic, [self.sql(condition, depth + 1) for condition in group.conditions])

    def _shape(self, column: Column) -> tuple[Shape, str]:
        return self._dialect.shapes[column.form], self._dialect.raw(column)

    def _present(self, column: Column, condition: Sql) -> Sql:
        shape, expression = self._shape(column)
        if not shape.present:
            return condition
        return fill("({p} AND {c})", p=Sql(shape.present.replace("{x}", expression)), c=condition)

    def _null(self, column: Column, negated: bool) -> Sql:
        shape, expression = self._shape(column)
        if column.form in (Form.TEXT, Form.BINARY):
            # A text is missing where the column is: to put it together would cost, and may be too much for the server.
            expression = self._dialect.quote(column.own_name)
        present = f"{expression} IS NOT NULL"
        if shape.present:
            present += f" AND {shape.present.replace('{x}', expression)}"
        if negated:
            return Sql(f"({present})")
        missing = f"{expression} IS NULL"
        return Sql(f"({missing} OR NOT ({shape.present.replace('{x}', expression)}))" if shape.present else missing)

    def _compare(self, column: Column, operator: Operator, value: Value) -> Sql:
        check_value(value, column)
        if isinstance(value, datetime) and not self._dialect.whole_seconds:
            return self._compare_seconds(column, operator, value)
        return self._plain(column, operator, value)

    def _plain(self, column: Column, operator: Operator, value: Value) -> Sql:
        value = _spelt(value, column)
        shape, expression = self._shape(column)
        if isinstance(value, str) and operator not in ("=", "!=") and shape.ordered:
            ordered = shape.ordered.replace("{x}", expression)
            return Sql(f"{ordered} {_SQL_OPERATORS[operator]} {MARK}", (value.encode(),))
        if operator in ("=", "!=") and not self._holds(column, value):
            return _NOTHING if operator == "=" else self._null(column, negated=True)
        bind = Sql(MARK, (self._dialect.bind(value, column),))
        left = Sql(shape.operand.replace("{x}", expression))
        compared = fill(f"{{l}} {_SQL_OPERATORS[operator]} {{r}}", l=left, r=fill(shape.value, v=bind))
        if operator != "=" or not shape.narrow:
            return compared
        return fill("({n} = {v} AND {c})", n=Sql(shape.narrow.replace("{x}", expression)), v=bind, c=compared)

    def _holds(self, column: Column, value: Value) -> bool:
        return not isinstance(value, str) or (column.holds(value) and self._dialect.has(value))

    def _compare_seconds(self, column: Column, operator: Operator, value: datetime) -> Sql:
        """Stored fractions are cut off before comparing: an index can serve this form."""
        if self._dialect.fine_fractions and operator in (">", "<=") and value < _LAST_SECOND:
            return self._plain(column, ">=" if operator == ">" else "<", value + timedelta(seconds=1))
        last = value.replace(microsecond=999_999)
        match operator:
            case ">=" | "<":
                return self._plain(column, operator, value)
            case ">" | "<=":
                return self._plain(column, operator, last)
            case "=":
                parts = (self._plain(column, ">=", value), self._compare_seconds(column, "<=", value))
                return fill("({a} AND {b})", a=parts[0], b=parts[1])
            case "!=":
                parts = (self._plain(column, "<", value), self._compare_seconds(column, ">", value))
                return fill("({a} OR {b})", a=parts[0], b=parts[1])

    def _one_of(self, column: Column, condition: OneOf) -> Sql:
        for value in condition.values:
            check_value(value, column)
        values = [spelt for value in condition.values if self._holds(column, spelt := _spelt(value, column))]
        if not values:
            return self._null(column, negated=True) if condition.negated else _NOTHING
        bounds = [self._dialect.bind(value, column) for value in values]
        has_fractions = column.type == "datetime" and not self._dialect.whole_seconds
        if has_fractions or len({type(bind) for bind in bounds}) > 1:
            # In a list of several types the database would compare all of them as the widest one.
            found = _combine("OR", [self._compare(column, "=", value) for value in values])
            if not condition.negated:
                return self._present(column, found)
            # DuckDB would turn a NOT into thousands of ANDs, and think about them for minutes.
            others = fill("CASE WHEN {f} THEN 0 ELSE 1 END = 1", f=found)
            return fill("({p} AND {o})", p=self._null(column, negated=True), o=others)
        shape, expression = self._shape(column)
        marks = [Sql(MARK, (bind,)) for bind in bounds]
        left = Sql(shape.operand.replace("{x}", expression))
        word = "NOT IN" if condition.negated else "IN"
        wrapped = join(", ", (fill(shape.value, v=mark) for mark in marks))
        found = fill(f"{{l}} {word} ({{m}})", l=left, m=wrapped)
        if shape.narrow and not condition.negated:
            narrow = Sql(shape.narrow.replace("{x}", expression))
            found = fill("({n} IN ({m}) AND {f})", n=narrow, m=join(", ", marks), f=found)
        return self._present(column, found)

    def _between(self, column: Column, condition: Between) -> Sql:
        first: Operator = ">="
        last: Operator = "<="
        word = "AND"
        if condition.negated:
            first, last, word = _COMPLEMENT[first], _COMPLEMENT[last], "OR"
        low, high = self._compare(column, first, condition.low), self._compare(column, last, condition.high)
        return self._present(column, fill(f"({{a}} {word} {{b}})", a=low, b=high))

    def _like(self, column: Column, pattern: str, negated: bool) -> Sql:
        if "\0" in pattern:
            raise QueryRefused("value_type", column.name)
        dialect = self._dialect
        # A letter that the database lacks may have a small one that it has.
        pattern = pattern if dialect.has(pattern) else pattern.lower()
        if not dialect.has(pattern):
            return self._null(column, negated=True) if negated else _NOTHING
        text = (
            dialect.text.replace("{x}", dialect.shown(column)) if column.form is not Form.TEXT else dialect.raw(column)
        )
        folded = Sql(dialect.folded.replace("{x}", text))
        bind = fill(dialect.folded.replace("{x}", "{v}"), v=Sql(MARK, (dialect.pattern(pattern),)))
        found = fill(dialect.like, x=folded, v=bind)
        return fill("NOT ({f})", f=found) if negated else found


def check_value(value: Value, column: Column) -> None:
    """Raise `QueryRefused("value_type")` unless the value's type fits the column's (`drivers/query.py`)."""
    fits: bool
    match column.type:
        case "int" | "double":
            fits = isinstance(value, int | Decimal) and not isinstance(value, bool)
            fits = fits and (isinstance(value, int) or (isinstance(value, Decimal) and value.is_finite()))
        case "string":
            fits = isinstance(value, str) and "\0" not in value
        case "date":
            fits = isinstance(value, date) and not isinstance(value, datetime)
        case "datetime":
            fits = isinstance(value, datetime) and value.tzinfo is None and not value.microsecond
    if not fits:
        raise QueryRefused("value_type", column.name)


def _spelt(value: Value, column: Column) -> Value:
    return column.spelling(value) if isinstance(value, str) else value


def _escape(text: str) -> str:
    for special in (LIKE_ESCAPE, "%", "_"):
        text = text.replace(special, LIKE_ESCAPE + special)
    return text


def _like_pattern(pattern: str) -> str:
    """A pattern with the backslash as escape, in our own spelling."""
    result, characters = "", iter(pattern)
    for character in characters:
        if character == "\\":
            result += _escape(next(characters, "\\"))
        elif character == LIKE_ESCAPE:
            result += LIKE_ESCAPE * 2
        else:
            result += character
    return result
