"""Addresses of shared files lead to the files themselves, not to the pages around them."""

from __future__ import annotations

import pytest

from drivers.files.share_links import address_in, direct, is_shared

SHEETS = "https://docs.google.com/spreadsheets/d"
DRIVE = "https://drive.usercontent.google.com/download?id=1AbC-d_9&export=download&confirm=t"
YANDEX = "https://cloud-api.yandex.net/v1/disk/public/resources/download?public_key="


@pytest.mark.parametrize(
    ("shared", "file"),
    [
        (f"{SHEETS}/1AbC-d_9/edit?usp=sharing", f"{SHEETS}/1AbC-d_9/export?format=xlsx"),
        (f"{SHEETS}/1AbC-d_9/edit#gid=42", f"{SHEETS}/1AbC-d_9/export?format=csv&gid=42"),
        (f"{SHEETS}/1AbC-d_9/edit?gid=0#gid=0", f"{SHEETS}/1AbC-d_9/export?format=csv&gid=0"),
        ("https://docs.google.com/spreadsheets/u/1/d/1AbC-d_9/edit", f"{SHEETS}/1AbC-d_9/export?format=xlsx"),
        (f"{SHEETS}/e/2PACX-1v/pubhtml?gid=7&single=true", f"{SHEETS}/e/2PACX-1v/pub?output=csv&gid=7&single=true"),
        ("https://drive.google.com/file/d/1AbC-d_9/view?usp=drive_link", DRIVE),
        ("https://drive.google.com/open?id=1AbC-d_9", DRIVE),
        ("https://drive.google.com/uc?export=download&id=1AbC-d_9", DRIVE),
        ("https://disk.yandex.ru/d/aBcD123", YANDEX + "https%3A%2F%2Fdisk.yandex.ru%2Fd%2FaBcD123"),
        ("https://yadi.sk/i/aBcD-123", YANDEX + "https%3A%2F%2Fyadi.sk%2Fi%2FaBcD-123"),
        (
            "https://disk.yandex.ru/d/aBcD123/reports/a.csv",
            YANDEX + "https%3A%2F%2Fdisk.yandex.ru%2Fd%2FaBcD123&path=/reports/a.csv",
        ),
        (
            "https://www.dropbox.com/scl/fi/x1/sales.csv?rlkey=k2&dl=0",
            "https://www.dropbox.com/scl/fi/x1/sales.csv?rlkey=k2&dl=1",
        ),
        ("https://www.dropbox.com/s/x1/sales.xlsx", "https://www.dropbox.com/s/x1/sales.xlsx?dl=1"),
        (
            "https://1drv.ms/x/s!AbC",
            "https://api.onedrive.com/v1.0/shares/u!aHR0cHM6Ly8xZHJ2Lm1zL3gvcyFBYkM/root/content",
        ),
        (
            "https://onedrive.live.com/embed?resid=AB%21123&authkey=%21k",
            "https://onedrive.live.com/download?resid=AB%21123&authkey=%21k",
        ),
        (
            "https://firm-my.sharepoint.com/:x:/g/personal/ivan/EbC?e=4x",
            "https://firm-my.sharepoint.com/:x:/g/personal/ivan/EbC?e=4x&download=1",
        ),
    ],
)
def test_a_shared_address_becomes_that_of_the_file(shared: str, file: str) -> None:
    assert direct(shared) == file
    assert direct(file) == file


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/sales.csv",
        "https://docs.google.com.evil.example/spreadsheets/d/1/edit",
        "https://example.com/?next=https://drive.google.com/open?id=1",
        "https://drive.google.com/drive/folders/1AbC",
        "http://docs.google.com/spreadsheets/d/1/edit",
        "https://[bad",
    ],
)
def test_any_other_address_stays_as_it_is(address: str) -> None:
    assert direct(address) == address


def test_a_table_is_called_after_a_file_only_where_the_address_names_one() -> None:
    assert is_shared(f"{SHEETS}/1AbC-d_9/edit")
    assert not is_shared("https://www.dropbox.com/s/x1/sales.xlsx?dl=0")
    assert not is_shared("https://example.com/sales.csv")


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        (b'{"href": "https://a.yandex.ru/x", "method": "GET"}', "https://a.yandex.ru/x"),
        (b'{"error": "DiskNotFoundError"}', ""),
        (b'{"href": 1}', ""),
        (b"<html>", ""),
    ],
)  # fmt: skip
def test_an_answer_that_names_the_file_is_followed(answer: bytes, address: str) -> None:
    assert address_in(answer) == address
