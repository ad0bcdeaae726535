"""The portal languages and the date format of a portal's site in each of them.

Codes are Bitrix24's own, many of which are not ISO 639-1 (facts/platform 7). The formats are the four that occur
in filters (facts/biconnector 5.10).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import date, datetime, time


@dataclass(frozen=True)
class SiteFormat:
    """How a site writes a date and a moment, as `strftime` patterns."""

    date_pattern: str
    moment_pattern: str

    def day(self, day: date) -> str:
        """`day` alone, as in the lower bound of a date range."""
        return day.strftime(self.date_pattern)

    def moment(self, moment: datetime) -> str:
        """`moment` with its time; am and pm are lower case."""
        written = moment.strftime(self.moment_pattern)
        return written.replace("AM", "am").replace("PM", "pm")

    def iso(self, text: str) -> str:
        """A date or moment that the site wrote, as the database keeps it; empty for any other text."""
        for pattern in (self.date_pattern, self.moment_pattern):
            with contextlib.suppress(ValueError):
                return datetime.strptime(text, pattern).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the site's own
        return ""

    def last_second(self, day: date) -> str:
        """The last second of `day`, as in the upper bound of a date range."""
        return self.moment(datetime.combine(day, time(23, 59, 59)))


DOTTED = SiteFormat("%d.%m.%Y", "%d.%m.%Y %H:%M:%S")
AMERICAN = SiteFormat("%m/%d/%Y", "%m/%d/%Y %I:%M:%S %p")
SLASHED = SiteFormat("%d/%m/%Y", "%d/%m/%Y %H:%M:%S")
DASHED = SiteFormat("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class Language:
    """A language a portal can be switched to."""

    code: str
    name: str
    site_format: SiteFormat


LANGUAGES: dict[str, Language] = {
    language.code: language
    for language in (
        Language("en", "English", AMERICAN),
        Language("ru", "Русский", DOTTED),
        Language("de", "Deutsch", DOTTED),
        Language("fr", "Français", SLASHED),
        Language("it", "Italiano", SLASHED),
        Language("pl", "Polski", DOTTED),
        Language("br", "Português (Brasil)", SLASHED),
        Language("la", "Español", SLASHED),
        Language("tr", "Türkçe", DOTTED),
        Language("ua", "Українська", DOTTED),
        Language("kz", "Қазақша", DOTTED),
        Language("ar", "العربية", SLASHED),
        Language("th", "ภาษาไทย", SLASHED),
        Language("vn", "Tiếng Việt", SLASHED),
        Language("ja", "日本語", DASHED),
        Language("id", "Bahasa Indonesia", SLASHED),
        Language("ms", "Bahasa Melayu", SLASHED),
        Language("sc", "简体中文", DASHED),
        Language("tc", "繁體中文", DASHED),
        Language("in", "हिन्दी", SLASHED),
    )
}
