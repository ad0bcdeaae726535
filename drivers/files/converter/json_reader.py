"""Values of a JSON text, one by one, so that only the one that is being read is in memory."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import IO, Any, NoReturn

from drivers.files.converter.output import LONGEST_LINE, rows_refused

BLOCK = 1024 * 1024
NO_ROW = "no object with names and values"
SPACES = " \t\r\n\ufeff\x1e"

Record = dict[str, Any] | list[Any]


class Number(str):
    """A number as it is written."""

    __slots__ = ()


DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=lambda name: None)
UNREADABLE: Any = object()


class JsonReader:
    """JSON text, of which only the value that is being read is in memory."""

    def __init__(self, source: IO[str]) -> None:
        self._source, self._text, self._at = source, "", 0

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in SPACES:
                    return self._text[self._at]
                self._at += 1
            if not self._more(BLOCK):
                return ""

    def take(self, character: str, number: int = 0) -> None:
        """Go past a character that has to stand here."""
        if self.next() != character:
            self.refuse(number, f"{character} is missing behind it")
        self._at += 1

    def records(self) -> Iterator[Record]:
        """The objects or lists of the list that starts here, which has to be all that is left."""
        number = yield from self._items()
        if self.next():
            self.refuse(number, "something stands behind the list")

    def _items(self) -> Generator[Record, None, int]:
        self.take("[")
        number = 0
        if self.next() != "]":
            while True:
                number += 1
                yield self.value(number)
                if self.next() != ",":
                    break
                self.take(",")
        self.take("]", number)
        return number

    def value(self, number: int, must: bool = True) -> Any:
        """The object or list that starts here; one that is too long is `UNREADABLE` unless it `must` be read."""
        if self.next() not in ("{", "["):
            self.refuse(number, NO_ROW)
        return self._decoded(number, must)

    def _decoded(self, number: int, must: bool = True) -> Any:
        size = BLOCK
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as problem:
                if len(self._text) - self._at > LONGEST_LINE:
                    if not must:
                        return UNREADABLE
                    self.refuse(number, "no JSON, or longer than 4 MiB")
                if isinstance(problem, RecursionError) and self._text[self._at] == "[":
                    self.refuse(number, NO_ROW)
                if isinstance(problem, RecursionError) or not self._more(size):
                    self.refuse(number, f"no JSON, {problem}")
                size *= 2
            else:
                if end < len(self._text) or not isinstance(value, Number) or not self._more(size):
                    self._at = min(end, len(self._text))
                    return value

    def members(self, depth: int) -> Iterator[Iterator[Record]]:
        """The rows of each list of objects or lists within the object that starts here; each has to be read out."""
        self.take("{")
        while self.next() == '"':
            self._decoded(1)
            self.take(":", 1)
            if self.next() == "[" and self._second() in ("{", "["):
                yield self._items()
            elif self._decoded(1, must=depth == 1 or self.next() != "{") is UNREADABLE:
                yield from self.members(depth - 1)
            if self.next() == ",":
                self.take(",")
        self.take("}", 1)

    def _second(self) -> str:
        """The next character that is no space behind the one that comes next."""
        past = 1
        while True:
            rest = self._text[self._at + past :].lstrip(SPACES)
            if rest:
                return rest[0]
            past = len(self._text) - self._at
            if not self._more(BLOCK):
                return ""

    def refuse(self, number: int, problem: str) -> NoReturn:
        """Raise `Refused` for a row."""
        raise rows_refused([f"row {number}: {problem}"])

    def _more(self, size: int) -> bool:
        block = self._source.read(size)
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)
