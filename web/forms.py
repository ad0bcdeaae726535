"""Forms: fields that are declared once and read in one way.

What was typed is kept whatever is wrong with it; services judge. Lists of rows work without script: the submit buttons
`_add_<list>` and `_remove_<list>-<number>` change the number of rows. The page never holds a secret: what was typed
travels sealed from one showing of its form to the next (`web.typed_secrets`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import request
from werkzeug.datastructures import MultiDict

from web import typed_secrets
from web.session import submitted

MOST_ROWS = 500
"""Of one list in a form."""
Kind = Literal["text", "exact", "choice", "secret", "tick", "ids", "texts", "rows"]


def number_in(text: str) -> int | None:
    """The positive number that a field or an address carries, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 and int(text) else None


@dataclass(frozen=True)
class FormField:
    """An input of a form; `default` is what it holds while nobody has typed or stored anything.

    A `text` is stripped, and one that was not sent is missing whatever is stored; an `exact` one is neither; a blank
    `choice` is its default; a `tick` has a hidden `0` before it, so that a form without the question leaves what is
    known; `ids` and `texts` are ticked boxes of one name; `rows` have `columns`, and one in which nothing but columns
    with a default is filled is a blank row.
    """

    name: str
    kind: Kind = "text"
    default: Any = ""
    columns: tuple[FormField, ...] = ()

    def input_name(self, number: object, column: str) -> str:
        """The name of an input in a row; rows of a list without a name are numbered at the end."""
        return f"{self.name}-{number}-{column}" if self.name else f"{column}-{number}"

    def read(self, posted: MultiDict[str, str], name: str, known: Any) -> Any:
        """What the inputs called `name` hold; `known` where a form need not have them."""
        sent = posted.getlist(name)
        match self.kind:
            case "ids":
                return frozenset(number for text in sent if (number := number_in(text)))
            case "texts":
                return sent
            case "tick":
                return sent[-1] not in ("", "0", "false") if sent else known
            case "secret":
                return (sent[0] if sent else "") or typed_secrets.unsealed(name, posted)
        value = sent[0] if sent else self.default if self.kind == "text" else known
        if self.kind == "choice":
            return value or self.default
        return value.strip() if self.kind == "text" and isinstance(value, str) else value


class PageForm:
    """A form as it stands: what was sent, if it was sent, else what is `stored` by the names of its inputs."""

    def __init__(self, declared: Iterable[FormField], stored: Mapping[str, Any] | None = None) -> None:
        self.declared: dict[str, FormField] = {}
        self.stored: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self._numbers: dict[str, list[int]] = {}
        self.declare(declared, stored or {})

    def declare(self, declared: Iterable[FormField], stored: Mapping[str, Any]) -> None:
        """Read further inputs, which depend on what the first ones hold."""
        self.stored |= stored
        for field in declared:
            self.declared[field.name] = field
            self.data[field.name] = self._value(field)

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.data[name] = value
        self._numbers.pop(name, None)

    def _value(self, field: FormField) -> Any:
        known = self.stored.get(field.name, [] if field.kind == "rows" else field.default)
        if not submitted():
            return "" if field.kind == "secret" else known
        return self._rows(field) if field.kind == "rows" else field.read(request.form, field.name, known)

    def _rows(self, field: FormField) -> list[dict[str, Any]]:
        columns = "|".join(re.escape(column.name) for column in field.columns)
        pattern = re.compile(field.input_name("([0-9]{1,4})", f"(?:{columns})"), re.ASCII)
        numbers = sorted({int(match[1]) for name in request.form if (match := pattern.fullmatch(name))})[:MOST_ROWS]
        self._numbers[field.name] = numbers
        return [
            {c.name: c.read(request.form, field.input_name(number, c.name), c.default) for c in field.columns}
            for number in numbers
        ]

    @property
    def names(self) -> set[str]:
        """The names beside which a problem can be shown; rows are counted from 0, as the page numbers them."""
        lists = [field for field in self.declared.values() if field.kind == "rows"]
        return set(self.declared) | {
            field.input_name(number, column.name)
            for field in lists
            for number in range(len(self.data[field.name]))
            for column in field.columns
        }

    def is_typed(self, name: str) -> bool:
        """Whether something was typed into an input now."""
        return bool(submitted() and request.form.get(name, "").strip())

    def is_stored(self, name: str) -> bool:
        """Whether a blank input keeps a value."""
        return bool(self.stored.get(name))

    def sealed(self, name: str) -> str:
        """What stands in the page for a secret that was typed; empty without one."""
        return typed_secrets.seal(name, self.data[name])

    def add_row(self, name: str) -> None:
        """Add a row in which nothing is typed, if the list is not full."""
        if len(self.data[name]) < MOST_ROWS:
            self[name] = [*self.data[name], {column.name: column.default for column in self.declared[name].columns}]

    def rows_changed(self) -> bool:
        """Add or remove the row that a submit button asks for; whether there was such a button."""
        buttons = (name for name in request.form if name.startswith(("_add_", "_remove_")))
        button = next(buttons, "") if submitted() else ""
        verb, _, target = button[1:].partition("_")
        if verb == "add" and self._is_list(target):
            self.add_row(target)
        elif verb == "remove":
            target, _, number = target.rpartition("-")
            if self._is_list(target):
                rows = zip(self._numbers.get(target, ()), self.data[target], strict=True)
                self[target] = [row for own, row in rows if str(own) != number]
        return bool(button)

    def drop_blank_rows(self) -> None:
        """Drop rows in which nothing is typed, so that the problems' row numbers are those of the page."""
        for field in self.declared.values():
            if field.kind == "rows":
                typed = [column.name for column in field.columns if not column.default]
                self[field.name] = [row for row in self.data[field.name] if any(row[name] for name in typed)]

    def _is_list(self, name: str) -> bool:
        return name in self.declared and self.declared[name].kind == "rows"
