"""Time zones as people name them: by the names of the IANA, and by their offset from UTC."""

from __future__ import annotations

import datetime as dt
import functools
import re
import zoneinfo

_OFFSET = re.compile(r"(?:UTC|GMT)? *([-+\u2212])([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)


@functools.cache
def _names() -> frozenset[str]:
    """Names of all time zones; finding them out walks through a folder with hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def zone_name(text: str, *, any_offset: bool = False) -> str | None:
    """The name of the zone that is meant; None for none.

    An offset of whole hours has a name, `+03:00` that of `Etc/GMT-3`; `any_offset` lets others be names themselves.
    """
    found = _OFFSET.fullmatch(text)
    if found is None:
        return text if text in _names() else None
    hours, minutes = int(found[2]), int(found[3] or 0)
    if not minutes:
        name = f"Etc/GMT{'-' if found[1] == '+' else '+'}{hours}" if hours else "UTC"
        return name if name in _names() else None
    if not any_offset or hours > 13 or minutes > 59:
        return None
    return f"{'+' if found[1] == '+' else '-'}{hours:02}:{minutes:02}"


def fixed_offset(name: str) -> str | None:
    """The offset of a zone that has always had the same one, as `+03:00`; None for other zones."""
    if _OFFSET.fullmatch(name):
        return name
    offset = zoneinfo.ZoneInfo(name).utcoffset(None)
    if offset is None:
        return None
    minutes = int(offset / dt.timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
