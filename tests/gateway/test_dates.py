"""Dates in every site format of the portal's languages (facts/biconnector 5.10, facts/platform 7)."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dates import ORDERS, DateReader, Order
from gateway.errors import CallRefused

END_OF_YEAR = datetime.fromisoformat("2025-12-31 23:59:59")
YEARS = (datetime.fromisoformat("1000-01-01"), datetime.fromisoformat("9999-12-31 23:59:59"))

# What portals of a language write for the last second of 2025 and for the first of March.
SITE_FORMATS = [
    *[(language, "31.12.2025 23:59:59", "01.03.2025") for language in ("ru", "de", "pl", "ua", "tr", "kz", "by")],
    ("en", "12/31/2025 11:59:59 pm", "03/01/2025"),
    ("en", "12/31/2025 23:59:59", "03/01/2025"),
    *[(language, "31/12/2025 23:59:59", "01/03/2025") for language in ("br", "fr", "it", "la", "vn", "th", "id", "ms")],
    *[(language, "2025-12-31 23:59:59", "2025-03-01") for language in ("sc", "tc", "ja", "en", "")],
    ("ja", "2025/12/31 23:59:59", "2025/03/01"),
    ("in", "31-12-2025 23:59:59", "2025-03-01"),
    ("", "2025-12-31T23:59:59", "2025.03.01"),
]


@pytest.mark.parametrize(("language", "moment", "day"), SITE_FORMATS)
def test_every_site_format_is_read(language: str, moment: str, day: str) -> None:
    reader = DateReader(language)
    assert reader.read(moment) == END_OF_YEAR
    assert reader.read(day).isoformat() == "2025-03-01T00:00:00"


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("01/02/2025 12:00:00 am", 0, 0),
        ("01/02/2025 12:30:00 AM", 0, 30),
        ("01/02/2025 1:05:00 am", 1, 5),
        ("01/02/2025 12:00:00 pm", 12, 0),
        ("01/02/2025 11:59:00 PM", 23, 59),
        ("01/02/2025 3:04pm", 15, 4),
        ("01/02/2025 3:04 p.m.", 15, 4),
        ("01/02/2025 15:04", 15, 4),
    ],
)
def test_hours_of_both_clocks_are_read(text: str, hour: int, minute: int) -> None:
    assert DateReader("en").read(text).isoformat() == f"2025-01-02T{hour:02}:{minute:02}:00"


def test_a_slash_date_is_read_in_the_portals_language() -> None:
    assert DateReader("en").read("03/04/2025").date().isoformat() == "2025-03-04"
    assert DateReader("br").read("03/04/2025").date().isoformat() == "2025-04-03"


@pytest.mark.parametrize("language", ["", "sc", "tc", "ja", "in", "xx"])
def test_a_slash_date_with_two_readings_is_refused_where_the_language_does_not_tell(language: str) -> None:
    with pytest.raises(CallRefused) as refusal:
        DateReader(language).read("03/04/2025 11:59:59 pm")
    assert refusal.value.code == "date_order"


def test_a_date_with_one_reading_needs_no_language() -> None:
    reader = DateReader("")
    assert reader.read("31/12/2025").date().isoformat() == "2025-12-31"
    assert reader.read("12/31/2025").date().isoformat() == "2025-12-31"
    assert reader.read("05/05/2025").date().isoformat() == "2025-05-05"


def test_one_date_with_one_reading_settles_the_order_for_the_whole_call() -> None:
    # One call is written by one portal in one format, also where an administrator changed the format of its language.
    written = ["01/12/2025", "31/12/2025 23:59:59"]
    for language in ("", "en", "br"):
        reader = DateReader(language, written)
        assert [reader.read(text).date().isoformat() for text in written] == ["2025-12-01", "2025-12-31"]


def test_a_call_whose_dates_contradict_each_other_is_refused() -> None:
    with pytest.raises(CallRefused) as refusal:
        DateReader("en", ["31/12/2025", "12/31/2025"])
    assert refusal.value.code == "date_order"


@pytest.mark.parametrize(
    "text",
    [
        *["", "  ", "0", "today", "2025", "2025-12", "31.12.25", "12/31/25", "31.02.2025", "2025-02-29", "2025-13-01"],
        *["31.12.2025 24:00:00", "31.12.2025 23:60:00", "31.12.2025 23:59:60", "31.12.2025 13:00:00 pm"],
        *["1.1.2025 0:00 am", "31.12-2025", "31,12,2025", "2025-12-31 23:59:59.5", "2025-12-31T23:59:59Z"],
        *["2025-12-31 23:59:59+03:00", "31.12.2025 23", "31.12.2025x", "x31.12.2025", "\u0661.12.2025", "0000-01-01"],
        *["10000-01-01", "2025-12-310", "1.1.0000", "12.31.2025", "13/13/2025", "32/01/2025", "2025-31-12"],
        *["31.12.2025\n23:59:59\nx", "2025-12-31 11:59:59 xm"],
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(CallRefused) as refusal:
        DateReader("en").read(text)
    assert refusal.value.code == "date"


def test_a_leap_day_is_a_day() -> None:
    assert DateReader("").read("29.02.2024").date().isoformat() == "2024-02-29"


WRITERS = {
    "ru": "{:%d.%m.%Y %H:%M:%S}",
    "en": "{:%m/%d/%Y %I:%M:%S %p}",
    "fr": "{:%d/%m/%Y %H:%M:%S}",
    "sc": "{:%Y-%m-%d %H:%M:%S}",
}


@given(
    moment=st.datetimes(*YEARS).map(lambda m: m.replace(microsecond=0)),
    language=st.sampled_from(sorted(WRITERS)),
)
def test_what_a_portal_writes_is_what_is_read(moment: datetime, language: str) -> None:
    assert DateReader(language).read(WRITERS[language].format(moment)) == moment


@given(
    moment=st.datetimes(*YEARS),
    order=st.sampled_from(Order),
)
def test_without_a_language_a_slash_date_is_right_or_refused_but_never_wrong(moment: datetime, order: Order) -> None:
    text = f"{moment:%d/%m/%Y}" if order is Order.DAY_FIRST else f"{moment:%m/%d/%Y}"
    if moment.day <= 12 and moment.day != moment.month:
        with pytest.raises(CallRefused, match="date_order"):
            DateReader("").read(text)
    else:
        assert DateReader("").read(text).date() == moment.date()


def test_english_is_the_only_language_with_the_month_first() -> None:
    assert [language for language, order in ORDERS.items() if order is Order.MONTH_FIRST] == ["en"]
