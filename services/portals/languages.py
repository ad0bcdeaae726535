"""Languages: the portal's own codes, and which of ours a user reads."""

from __future__ import annotations

from typing import Final

# facts/platform 7; many are not ISO 639-1.
PORTAL_LANGUAGES: Final = frozenset(
    "ar br de en fr hi id in it ja kz la ms pl ru sc tc th tr ua vn".split()  # noqa: SIM905 - a list of words
)
SPOKEN: Final = ("en", "ru")


def portal_language(code: str) -> str:
    """The portal's language code if it is a known one, else `en`."""
    code = code.strip().lower()
    return code if code in PORTAL_LANGUAGES else "en"


def spoken(code: str) -> str:
    """The language of our pages for a portal's language code: its own if we speak it, else `en`."""
    return code if code in SPOKEN else "en"
