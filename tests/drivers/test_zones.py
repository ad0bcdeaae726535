"""Time zones by names and by offsets."""

from __future__ import annotations

import pytest

from drivers.base import SettingValues
from drivers.catalogue import DRIVERS
from drivers.errors import SettingsWrong
from drivers.zones import fixed_offset, zone_name

SQLITE: SettingValues = {"path": "x.db"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("UTC", "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        # The sign of these names is that of POSIX: ahead of UTC is minus.
        ("+03:00", "Etc/GMT-3"),
        ("+3", "Etc/GMT-3"),
        ("-0800", "Etc/GMT+8"),
        ("\u22128", "Etc/GMT+8"),
        ("UTC+3", "Etc/GMT-3"),
        ("gmt -11", "Etc/GMT+11"),
        ("+00:00", "UTC"),
        ("+14:00", "Etc/GMT-14"),
        ("+15:00", None),
        ("-13", None),
        ("+05:30", None),
        ("+3:0", None),
        ("Berlin", None),
        ("+", None),
        ("", None),
    ],
)
def test_a_zone_goes_by_a_name_or_an_offset(text: str, name: str | None) -> None:
    assert zone_name(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [("+05:30", "+05:30"), ("-0930", "-09:30"), ("UTC+5:45", "+05:45"), ("+05:60", None), ("+14:30", None)],
)
def test_an_offset_without_a_name_is_one_where_servers_take_it(text: str, name: str | None) -> None:
    assert zone_name(text, any_offset=True) == name


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("UTC", "+00:00"),
        ("GMT", "+00:00"),
        ("Etc/GMT-3", "+03:00"),
        ("Etc/GMT+8", "-08:00"),
        ("+05:30", "+05:30"),
        ("Europe/Berlin", None),
        # It has had one offset for long, and others before.
        ("Europe/Moscow", None),
    ],
)
def test_an_offset_stands_for_a_zone_that_never_had_another(name: str, offset: str | None) -> None:
    assert fixed_offset(name) == offset


def test_drivers_keep_the_name_of_the_zone_that_is_meant() -> None:
    assert DRIVERS["sqlite"].settings({**SQLITE, "timezone": " UTC+3 "})["timezone"] == "Etc/GMT-3"
    with pytest.raises(SettingsWrong) as refused:
        DRIVERS["sqlite"].settings({**SQLITE, "timezone": "+05:30"})
    assert (refused.value.field, refused.value.code) == ("timezone", "no_such_zone")
    mysql = {"host": "db", "database": "d", "username": "u", "timezone": "+05:30"}
    assert DRIVERS["mysql"].settings(mysql)["timezone"] == "+05:30"
