"""What is understood of a file, on the form of its connection: asked for by a button, or by script at each change.

The types that are chosen in the preview are lines of the setting `types`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask import request

from drivers.previews import Preview, PreviewColumn, PreviewRequest

ASKED, WHOLE = "_preview", "whole"
CHOICE, SHOWN, FILE, TABLE = "_type", "_types_shown", "_file", "_table"
MOST_COLUMNS = 60
"""So many columns are shown with their values; of the others, those that need attention."""


@dataclass(frozen=True)
class PreviewPanel:
    """What the form shows below its settings: a preview, or why there is none.

    `wanted` where a file is named and nothing was looked at yet; `gave_up` where all rows were asked for in vain.
    """

    preview: Preview | None = None
    problem: str = ""
    detail: str = ""
    wanted: bool = False
    gave_up: bool = False

    @property
    def columns(self) -> tuple[PreviewColumn, ...]:
        """The columns that are shown with values."""
        return self.preview.columns[:MOST_COLUMNS] if self.preview else ()

    @property
    def others(self) -> tuple[PreviewColumn, ...]:
        """Further columns."""
        return self.preview.columns[MOST_COLUMNS:] if self.preview else ()


def is_asked() -> bool:
    """Whether the form shall show what is understood."""
    return ASKED in request.form


def asked() -> PreviewRequest:
    """What the form wants to see."""
    return PreviewRequest(request.form.get(FILE, ""), request.form.get(TABLE, ""), request.form.get(ASKED) == WHOLE)


def chosen_types(text: str) -> str:
    """The setting `types` as it was typed, with what was chosen in the preview since that was shown."""
    before = _by_column(request.form.get(SHOWN, "").splitlines())
    choices = _by_column(request.form.getlist(CHOICE))
    changed = {name: line for name, line in choices.items() if _type_in(line) != _type_in(before.get(name, ""))}
    kept = [line for line in text.splitlines() if _column_in(line) not in changed]
    return "\n".join([*kept, *(line for line in changed.values() if _type_in(line))]) if changed else text


def _by_column(lines: Iterable[str]) -> Mapping[str, str]:
    return {_column_in(line): line for line in lines if line.strip()}


def _column_in(line: str) -> str:
    return line.rpartition(":")[0].strip()


def _type_in(line: str) -> str:
    return line.rpartition(":")[2].strip()
