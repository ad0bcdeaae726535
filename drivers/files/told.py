"""What the user says of a file's values: types of columns, marks of numbers, the order of dates, words for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.errors import SettingsWrong
from drivers.files.grammar import Candidate

PORTAL_TYPES = ("int", "double", "string", "date", "datetime")


@dataclass(frozen=True)
class Told:
    """What the user says of the values: types by `one_line` name, marks of numbers, the order of dates, null words.

    Empty where nothing is said; `thousands` may be `none`. `semicolons` where the file is separated by them, as it is
    where commas are decimal.
    """

    types: Mapping[str, str]
    decimal: str = ""
    thousands: str = ""
    day_first: str = ""
    nulls: tuple[str, ...] = ()
    semicolons: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, str], semicolons: bool) -> Told:
        """What settings say. Raises `SettingsWrong` for what cannot be understood."""
        thousands = settings["thousands"]
        return cls(
            chosen_types(settings["types"]),
            settings["decimal"],
            {"space": " ", "apostrophe": "'"}.get(thousands, thousands),
            settings["day_first"],
            null_words(settings["nulls"]),
            semicolons,
        )

    def type_of(self, column: str) -> str:
        """The type that the user chose for a column, empty without one."""
        return self.types.get(one_line(column), "")

    def refuse_unknown(self, tables: Iterable[Sequence[str]]) -> None:
        """Raise `SettingsWrong("types")` for a type whose column none of the tables has."""
        known = {one_line(name) for columns in tables for name in columns}
        for name, portal in self.types.items():
            if name not in known:
                raise SettingsWrong("types", "line_not_understood", f"{name}: {portal}"[:200])

    def allows(self, candidate: Candidate) -> bool:
        """Whether a candidate reads marks and dates as the user says."""
        if self.decimal and (candidate.decimal not in ("", self.decimal) or candidate.thousands == self.decimal):
            return False
        if self.thousands and (candidate.decimal == self.thousands or candidate.thousands not in ("", self.thousands)):
            return False
        return candidate.order != {"yes": "month", "no": "day"}.get(self.day_first, "none")


def null_words(text: str) -> tuple[str, ...]:
    """The words of the setting `nulls`, one a line or between commas."""
    return tuple(word for word in map(str.strip, re.split(r"[\n,;]", text)) if word)


def chosen_types(text: str) -> dict[str, str]:
    """The `column: type` lines of the setting `types`, by `one_line` names. Raises `SettingsWrong("types")`."""
    chosen = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, portal = line.rpartition(":")
        if not name.strip() or portal.strip() not in PORTAL_TYPES:
            raise SettingsWrong("types", "line_not_understood", line[:200])
        chosen[one_line(name)] = portal.strip()
    return chosen


def one_line(name: str) -> str:
    """A column's name as a line of the setting `types` has it: blanks and line ends in it are one blank."""
    return " ".join(name.split())
