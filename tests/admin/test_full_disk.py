"""A form that comes in while the disk or the portal's quota is full: that stands beside the file, all else is kept."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages import Page, PageClient, opened
from tests.services.hosted import HostedStage, hosted_stage
from tests.small_disk import FILLING, fill, small_disk

MEGABYTE = 1024 * 1024
LARGE = b"a,b\n" + b"1,2\n" * (MEGABYTE // 4 - 2)
FULL = "The disk of the application is full, so nothing was kept of this. Try again later, and tell whoever runs the"


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path, uploads=tmp_path / "uploads", upload_quota_megabytes=2) as stage:
        yield stage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    return opened(hosted.stage.app, answer, hosted.stage.portal.url)[0]


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The disk for what is on its way; no byte of room."""
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        yield disk


def upload(client: PageClient, content: bytes = LARGE, name: str = "sales.csv", path: str = "new", **more: Any) -> Page:
    fields = {"driver": "file", "title": "Sales", "upload": (io.BytesIO(content), name), **more}
    return client.post(f"/connections/{path}", fields)


def files(hosted: HostedStage) -> list[str]:
    return sorted(path.name for path in (hosted.folder / "uploads").glob("[0-9]*/*/*") if path.is_file())


def test_a_form_that_comes_while_the_disk_is_full_loses_nothing_but_its_file(
    hosted: HostedStage, client: PageClient, full: Path
) -> None:
    page = upload(client, LARGE, "sales.csv", "new", **{"settings-nulls": "none"})
    assert page.status == 422
    assert page.sentence("upload").startswith(FULL)
    assert (page.value("title"), page.value("settings-nulls")) == ("Sales", "none")
    assert files(hosted) == []
    assert [path.name for path in full.iterdir()] == [FILLING]


def test_a_preview_on_a_full_disk_says_so(client: PageClient, full: Path) -> None:
    page = upload(client, _preview="1")
    assert page.status == 422
    assert page.sentence("upload").startswith(FULL)


def test_a_logo_on_a_full_disk_says_so(client: PageClient, connector: dict[str, str], full: Path) -> None:
    page = client.post("/connectors/new", {**connector, "logoFile": (io.BytesIO(LARGE), "logo.png")})
    assert page.status == 422
    assert page.sentence("logoFile").startswith(FULL)
    assert page.value("title") == connector["title"]


def test_any_other_file_that_finds_the_disk_full_gets_a_page_that_says_so(client: PageClient, full: Path) -> None:
    sent = {"driver": "postgresql", "title": "Shop", "authority": (io.BytesIO(LARGE), "ca.pem")}
    page = client.post("/connections/new", sent)
    assert (page.status, page.heading) == (507, "The disk is full")
    assert "What you typed is kept" in page.text


def test_a_file_beyond_the_quota_is_refused_beside_its_field(hosted: HostedStage, client: PageClient) -> None:
    upload(client, _test="1")
    assert upload(client, name="second.csv", title=" ").status == 422
    assert files(hosted) == ["sales.csv", "second.csv"]
    page = upload(client, name="third.csv")
    assert page.status == 422
    assert page.sentence("upload") == (
        "The portal's uploaded files take 2 of 2 MB, so this one has no room. Delete a connection with a file, or ask "
        "whoever runs the application."
    )
    assert page.value("title") == "Sales"
    assert files(hosted) == ["sales.csv", "second.csv"]


def test_a_file_replaced_in_its_form_or_with_its_connection_frees_its_place(
    hosted: HostedStage, client: PageClient
) -> None:
    page = upload(client, _test="1")
    for number in range(3):
        page = upload(client, name=f"{number}.csv", _test="1", _uploaded=page.one("input[name=_uploaded]")["value"])
        assert page.status == 200, page.sentences()
    assert files(hosted) == ["2.csv"]
    assert client.submit(page, "Save and connect").place == "/connections/1"
    for number in range(3):
        assert upload(client, name=f"new {number}.csv", path="1/edit").place == "/connections/1"
    assert files(hosted) == ["2.csv"], "its table keeps its name"


def test_a_saved_file_stays_and_one_that_was_not_goes_with_its_session(hosted: HostedStage, client: PageClient) -> None:
    upload(client, name="saved.csv")
    page = upload(client, name="tested.csv", _test="1")
    (note,) = (hosted.folder / "uploads" / ".unsaved").iterdir()
    os.utime(note, (time.time() - 4000,) * 2)
    hosted.house.connection_lifecycle.keep_upload(7, "of another portal.csv", io.BytesIO(b"a\n1\n"))
    assert files(hosted) == ["of another portal.csv", "saved.csv", "tested.csv"], "its session is open"
    note.write_text(str(int(note.read_text()) + 1))
    os.utime(note, (time.time() - 4000,) * 2)
    hosted.house.connection_lifecycle.keep_upload(7, "another.csv", io.BytesIO(b"a\n1\n"))
    assert files(hosted) == ["another.csv", "of another portal.csv", "saved.csv"]
    page = client.submit(page, "Save and connect")
    assert page.status == 422
    assert page.sentence("upload") == "The file could not be kept. Choose it again."
    assert page.value("title") == "Sales"
