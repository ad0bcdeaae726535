"""The pages' sentences in English and Russian.

English is the key. A portal in Russian gets the right-hand side, every other language English; a sentence that is
missing here raises `KeyError`, so that none stays untranslated unnoticed. `{name}` marks what is filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from emulator.pages.russian import SENTENCES


@dataclass(frozen=True)
class Speech:
    """Speaks one language: `say("Rows: {count}", count=20)`."""

    html_language: str
    sentences: Mapping[str, str] | None

    def __call__(self, sentence: str, **values: object) -> str:
        """`sentence` in this language, with `values` filled in. Raises `KeyError` for an unknown one."""
        translated = SENTENCES[sentence]
        spoken = sentence if self.sentences is None else translated
        return spoken.format(**values) if values else spoken

    def numbers(self, together: Iterable[float]) -> Callable[[float], str]:
        """A writer of numbers that stand `together`: all with two decimals, or none of them."""
        fractions = any(round(value, 2) != round(value) for value in together)
        return partial(self.number, decimals=2 if fractions else 0)

    def number(self, value: float, decimals: int | None = None) -> str:
        """A number as the language writes it: `12,345.67` or `12 345,67`, by itself with at most two decimals."""
        written = f"{value:,.2f}".rstrip("0").rstrip(".") if decimals is None else f"{value:,.{decimals}f}"
        if self.html_language == "ru":
            written = written.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
        return written


ENGLISH = Speech("en", None)
RUSSIAN = Speech("ru", SENTENCES)


def speech(language_code: str) -> Speech:
    """The speech for a portal's language code."""
    return RUSSIAN if language_code == "ru" else ENGLISH
