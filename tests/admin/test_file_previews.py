"""The form of a file shows what was understood of it, before anything is saved."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.files.workbooks import workbook
from tests.pages import Page, PageClient, opened
from tests.services.hosted import HostedStage, hosted_stage

CSV = "Отчёт;;\nТовар;Остаток;Дата\nЧай;9;01.02.2026\nКофе;12;02.02.2026\nМорс;н/д;03.02.2026\n".encode()


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path, uploads=tmp_path / "uploads", upload_megabytes=1) as stage:
        yield stage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    return opened(hosted.stage.app, answer, hosted.stage.portal.url)[0]


def shown(client: PageClient, content: bytes = CSV, name: str = "stock.csv", **settings: str) -> Page:
    """The form after its button "Show" was pressed with a file chosen."""
    fields = {"driver": "file", "upload": (io.BytesIO(content), name), "_preview": "1"}
    return client.post("/connections/new", {**fields, **{f"settings-{code}": text for code, text in settings.items()}})


def attention(page: Page) -> list[str]:
    return [element.text for element in page.all(".attention")]


def test_first_rows_types_and_misfits_are_shown_and_nothing_is_saved(hosted: HostedStage, client: PageClient) -> None:
    page = shown(client)
    assert page.status == 200
    preview = page.one("#preview").text
    assert "Row 1 Отчёт" in preview
    assert "Row 2 of the file holds the names of the columns." in preview
    assert "This holds for all rows of the table: 3." in preview
    assert page.rows()[-1] == ["Морс", "н/д", "2026-02-03"]
    assert attention(page) == ["Text, since 1 value does not fit “Whole number”. Row 3: “н/д”"]
    assert hosted.house.repository.page(hosted.portal_id, "", 1).items == ()


def test_a_row_of_totals_and_the_zone_of_times_are_told(client: PageClient) -> None:
    rows = "city;sum;at\nRiga;1,5;2026-11-01T00:15:30+03:00\nTartu;3,25;2026-11-02T10:00:00+03:00\nTotal;4,75;\n"
    page = shown(client, rows.encode(), "total.csv", timezone="Europe/Moscow")
    words = page.one("#preview").text
    assert "Row 3 seems to hold totals." in words
    assert "shown in the “Time zone” of the advanced settings: Europe/Moscow." in words
    assert page.rows()[0][2] == "2026-11-01 00:15:30"
    words = shown(client).one("#preview").text
    assert "totals" not in words
    assert "Time zone" not in words


def test_a_changed_setting_reads_the_same_upload_anew(hosted: HostedStage, client: PageClient) -> None:
    page = client.submit(shown(client), "Show", {"settings-nulls": "н/д"})
    assert attention(page) == []
    assert page.rows()[-1][1] == "no value"
    files = [path.name for path in (hosted.folder / "uploads").glob("*/*/*")]
    assert files == ["stock.csv"]
    page = client.submit(page, "Save and connect", {"title": "Stock"})
    assert page.place == "/connections/1", page.alerts


def test_a_type_that_is_chosen_in_the_preview_becomes_a_line_of_the_setting(client: PageClient) -> None:
    page = client.submit(shown(client), "Show", {"_type": ["Товар: ", "Остаток: double", "Дата: string"]})
    assert page.value("settings-types") == "Остаток: double\nДата: string"
    assert attention(page) == ["1 value does not fit, so the file would be refused. Row 3: “н/д”"]
    # A line that was typed by hand meanwhile stays, and the choice that nobody touched does not undo it.
    typed = {"settings-types": "Остаток: double\nТовар: string", "_type": ["Товар: ", "Остаток: ", "Дата: string"]}
    page = client.submit(page, "Show", typed)
    assert page.value("settings-types") == "Товар: string"
    page = client.submit(page, "Save and connect", {"title": "Stock"})
    assert page.place == "/connections/1", page.alerts


def test_a_choice_that_misfits_is_refused_beside_the_setting_on_saving(client: PageClient) -> None:
    page = client.submit(shown(client), "Save and connect", {"title": "Stock", "_type": ["Остаток: int"]})
    assert (page.status, list(page.sentences())) == (422, ["settings-types"])
    assert page.value("settings-types") == "Остаток: int"


@pytest.mark.parametrize(
    ("settings", "content", "name", "beside"),
    [
        ({"encoding": "klingon"}, CSV, "stock.csv", "settings-encoding"),
        ({"encoding": "ascii"}, CSV, "stock.csv", "settings-encoding"),
        ({"header_row": "77"}, CSV, "stock.csv", "settings-header_row"),
        ({"types": "Остаток: money"}, CSV, "stock.csv", "settings-types"),
        (
            {},
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0" * 9,
            "a.xlsx",
            "upload",
        ),
    ],
)
def test_what_keeps_the_file_from_being_read_stands_beside_what_cures_it(
    client: PageClient, settings: dict[str, str], content: bytes, name: str, beside: str
) -> None:
    page = shown(client, content, name, **settings)
    assert page.status == 422
    assert list(page.sentences()) == [beside]
    assert page.sentence(beside) in page.one("#preview").text
    assert page.all("#preview table") == []


def test_an_address_that_cannot_be_read_is_told_beside_the_address(client: PageClient) -> None:
    page = client.post(
        "/connections/new", {"driver": "file", "settings-url": "https://127.0.0.1/a.csv", "_preview": "1"}
    )
    assert list(page.sentences()) == ["settings-url"]
    page = client.post("/connections/new", {"driver": "file", "_preview": "1"})
    assert list(page.sentences()) == ["upload"]


def test_one_of_several_sheets_is_chosen(client: PageClient, tmp_path: Path) -> None:
    workbook(tmp_path / "t.xlsx", {"Plan": [["a", "b"], ["x", 1]], "Fact": [["c", "d"], ["y", 2]]})
    page = shown(client, (tmp_path / "t.xlsx").read_bytes(), "t.xlsx")
    assert page.options("_table") == {"Plan": "Plan", "Fact": "Fact"}
    page = client.submit(page, "Show", {"_table": "Fact"})
    assert page.rows()[-1] == ["y", "2"]


def test_a_wide_file_comes_back_and_tells_of_columns_that_are_not_shown(client: PageClient) -> None:
    names = ";".join(f"c{number}" for number in range(200))
    rows = [";".join("1" for _ in range(199)) + ";" + last for last in ("1", "2", "x")]
    page = shown(client, "\n".join([names, *rows]).encode(), "wide.csv")
    assert "140 more columns are not shown here." in page.one("#preview").text
    assert "c199 Text, since 1 value does not fit “Whole number”. Row 3: “x”" in page.one("#preview").text
    assert client.submit(page, "Save and connect", {"title": "Wide"}).place == "/connections/1"


def test_a_connection_that_exists_shows_its_file_when_asked(client: PageClient) -> None:
    client.submit(shown(client), "Save and connect", {"title": "Stock"})
    page = client.get("/connections/1/edit")
    assert "data-wanted" in page.one("#preview")
    page = client.submit(page, "Show")
    assert page.rows()[-1][0] == "Морс"


def test_other_drivers_have_no_preview(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "sqlite", "title": "Shop", "_preview": "1"})
    assert page.all("#preview") == []


def test_a_look_that_takes_too_long_says_so(client: PageClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.connections.previews.SECONDS", 0.0)
    assert "The file could not be looked at within 20 seconds." in shown(client).one("#preview").text
