"""Logos chosen as files."""

from __future__ import annotations

import base64
import io

import pytest
import requests

from tests.admin.conftest import LOGO, Control, Enter
from tests.doors import Stage
from tests.pages import PageClient
from web.headers import LOGO_FILE_LIMIT
from web.logos import MOST_BYTES, kind_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a....", "gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (SVG, "svg+xml"),
        (b"\xef\xbb\xbf \n" + SVG, "svg+xml"),
        (b'<?xml version="1.0"?><!-- made by hand -->' + SVG, "svg+xml"),
        (b"<html><svg></svg></html>", ""),
        (b"%PDF-1.7", ""),
        (b"MZ", ""),
        (b"", ""),
    ],
)
def test_the_content_and_not_the_name_tells_what_a_file_is(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


def test_a_chosen_file_becomes_the_logo(client: PageClient, connector: dict[str, str]) -> None:
    page = client.post("/connectors/new", {**connector, "logo": "", "logoFile": (io.BytesIO(SVG), "logo.svg")})
    assert page.heading == "Online shop"
    data = f"data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}"
    assert client.get("/connectors/1/edit").value("logo") == data
    assert page.all(".head img")[0]["src"] == data


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello", "The file is no image. Choose a PNG, JPEG, GIF, WebP or SVG file."),
        (PNG + b"\0" * MOST_BYTES, "The file has more than 64 KB. Choose a smaller image."),
    ],
)
def test_a_file_that_does_not_fit_is_told_beside_the_field_that_chose_it(
    client: PageClient, connector: dict[str, str], content: bytes, sentence: str
) -> None:
    page = client.post("/connectors/new", {**connector, "logoFile": (io.BytesIO(content), "logo.png")})
    assert page.status == 422
    assert page.sentences() == {"logoFile": sentence}
    assert page.value("title") == "Online shop"


@pytest.mark.parametrize("megabytes", [0.3, 7])
@pytest.mark.parametrize("in_header", [True, False], ids=["with script", "without script"])
def test_a_file_far_too_large_for_a_logo_is_told_beside_it_and_costs_nothing_that_was_typed(
    client: PageClient, connector: dict[str, str], megabytes: float, in_header: bool
) -> None:
    photo = io.BytesIO(b"\xff\xd8\xff" + b"\0" * int(megabytes * 1024 * 1024))
    page = client.post("/connectors/new", {**connector, "logoFile": (photo, "photo.jpg")}, in_header=in_header)
    assert page.status == 422
    assert page.sentences() == {"logoFile": "The file has more than 64 KB. Choose a smaller image."}
    assert page.value("title") == "Online shop"


def test_a_form_beyond_every_limit_keeps_its_session_and_its_frame_where_the_header_carries_the_token(
    client: PageClient, connector: dict[str, str]
) -> None:
    film = io.BytesIO(b"\0" * (LOGO_FILE_LIMIT + 512 * 1024))
    page = client.post("/connectors/new", {**connector, "logoFile": (film, "film.mp4")}, in_header=True)
    assert (page.status, page.heading) == (413, "Too much at once")
    assert client.follow(page, "Connectors").status == 200


def test_a_file_that_does_not_fit_hides_no_other_problem(client: PageClient, connector: dict[str, str]) -> None:
    wrong = {**connector, "title": "", "logo": "", "urlCheck": "nonsense"}
    for path in ("/connectors/new", "/connectors/1/edit"):
        page = client.post(path, {**wrong, "logoFile": (io.BytesIO(b"hello"), "logo.png")})
        assert page.status == 422
        assert page.sentences() == {
            "title": "Fill in this field.",
            "logoFile": "The file is no image. Choose a PNG, JPEG, GIF, WebP or SVG file.",
            "urlCheck": "Enter a full address that starts with https:// or http://.",
        }
        client.post("/connectors/new", connector)


def test_a_chosen_file_stays_chosen_while_rows_are_added_without_script(
    client: PageClient, connector: dict[str, str]
) -> None:
    page = client.post("/connectors/new", {"logo": "", "_add_settings": "1", "logoFile": (io.BytesIO(SVG), "logo.svg")})
    assert page.value("logo").startswith("data:image/svg+xml;base64,")


def test_without_a_file_the_old_logo_stays(client: PageClient, connector: dict[str, str], enter: Enter) -> None:
    client.post("/connectors/new", connector)
    page = client.submit(client.get("/connectors/1/edit"), "Save", {"title": "Renamed"})
    assert page.heading == "Renamed"
    assert client.get("/connectors/1/edit").value("logo") == connector["logo"]


@pytest.mark.parametrize(
    "text", ["hello", "shop.example/logo.png", "javascript:alert(1)", "https://", "data:text/html,x"]
)
def test_a_text_that_is_no_address_of_an_image_is_told_beside_it_and_kept(
    client: PageClient, connector: dict[str, str], text: str
) -> None:
    """facts/api 2: the logo is a link to an image, or the image as `data:image/...`."""
    sentence = "This is no address of an image. Start with https:// or with data:image/."
    for path in ("/connectors/new", "/connectors/1/edit"):
        page = client.post(path, {**connector, "logo": text})
        assert (page.status, page.sentences()) == (422, {"logo": sentence})
        assert page.value("logo") == text
        client.post("/connectors/new", connector)


@pytest.mark.parametrize("text", ["https://shop.example/logo.png", "HTTP://shop.example/l?size=1", LOGO])
def test_both_kinds_of_address_are_taken(client: PageClient, connector: dict[str, str], text: str) -> None:
    assert client.post("/connectors/new", {**connector, "logo": text}).heading == "Online shop"


def test_a_logo_that_the_portal_holds_already_is_left_alone(
    client: PageClient, connector: dict[str, str], control: Control, installed: Stage
) -> None:
    """What another tool wrote with the same application is no mistake of whoever changes the title."""
    client.post("/connectors/new", connector)
    token = control("token", user="analyst")["access_token"]
    order = {"auth": token, "id": 1, "fields": {"logo": "iVBORw0KGgo="}}
    answer = requests.post(f"{installed.portal.url}/rest/biconnector.connector.update", json=order, timeout=30)
    assert answer.json()["result"] is True
    page = client.submit(client.get("/connectors/1/edit"), "Save", {"title": "Renamed"})
    assert page.heading == "Renamed"
