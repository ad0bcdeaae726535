"""What is asked of a table: frozen, typed, free of SQL and of the portal's spelling.

The gateway builds these from the portal's filter; `drivers/sql.py` turns them into SQL. Columns go by the database's
names. A value's type fits its column's portal type, or the driver refuses the query (`QueryRefused`):

    int, double   int or Decimal
    string        str
    date          date
    datetime      datetime without zone, in the connection's time zone

Meanings: a NULL matches no condition but `IsNull`, negated or not; what a driver shows
as null (NaN, infinity, dates that the portal cannot take) counts as NULL. Text is compared by code points, exactly,
also where the database's collation is blind to case or accents. `Contains` and `Like` ignore case and read a value of
any type as the text that the driver shows. A datetime is compared as shown, in whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Value = int | Decimal | str | date | datetime
Operator = Literal["=", "!=", ">", ">=", "<", "<="]
Logic = Literal["AND", "OR"]


@dataclass(frozen=True)
class TableName:
    """A table or view by the database's own names; `schema` is empty where the database knows none."""

    schema: str
    name: str


@dataclass(frozen=True)
class Comparison:
    """The column's value stands in this relation to `value`. A negated comparison is its opposite operator."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class OneOf:
    """The value is one of `values`; negated: none of them. No values: nothing; negated: every value but NULL."""

    column: str
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True)
class Between:
    """`low <= value <= high`, both ends included; negated: outside, still no NULL. `low > high` holds nothing."""

    column: str
    low: Value
    high: Value
    negated: bool = False


@dataclass(frozen=True)
class Contains:
    """The shown text contains `text`, ignoring case; `%`, `_` and the backslash stand for themselves."""

    column: str
    text: str
    negated: bool = False


@dataclass(frozen=True)
class Like:
    r"""The whole shown text fits `pattern`, ignoring case.

    `%` stands for any text, `_` for one character, and after `\` the next character stands for itself.
    """

    column: str
    pattern: str
    negated: bool = False


@dataclass(frozen=True)
class IsNull:
    """There is no value; negated: there is one."""

    column: str
    negated: bool = False


@dataclass(frozen=True)
class Group:
    """All (`AND`) or any (`OR`) of the conditions; empty, `AND` selects everything and `OR` nothing."""

    logic: Logic
    conditions: tuple[Condition, ...]


TextSearch = Contains | Like
"""What looks at a value's text, not at the value."""
Leaf = Comparison | OneOf | Between | TextSearch | IsNull
"""A condition on one column."""
Condition = Leaf | Group


@dataclass(frozen=True)
class TableQuery:
    """Rows of one table: these columns in this order, where `where` holds, at most `limit` rows, all without one."""

    table: TableName
    columns: tuple[str, ...]
    where: Condition | None = None
    limit: int | None = None
