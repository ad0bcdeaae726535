"""Files that people upload for their connections: kept for their portal only, and gone with the connection."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import OWN, Page, PageClient, opened
from tests.services.hosted import HostedStage, hosted_stage

CSV = "Город;Сумма\nКёльн;10,5\nОмск;7\n".encode()


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path, uploads=tmp_path / "uploads", upload_megabytes=1) as stage:
        yield stage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    return opened(hosted.stage.app, answer, hosted.stage.portal.url)[0]


def upload(client: PageClient, content: bytes = CSV, name: str = "продажи.csv", path: str = "new", **more: str) -> Page:
    fields = {"driver": "file", "title": "Sales", "upload": (io.BytesIO(content), name), **more}
    return client.post(f"/connections/{path}", fields)


def files(hosted: HostedStage) -> list[str]:
    """Names of the files that are kept, those in the trash not among them."""
    return sorted(path.name for path in (hosted.folder / "uploads").glob("*/*/*") if path.is_file())


def in_trash(hosted: HostedStage) -> list[str]:
    return [Path(file.path).name for file in hosted.house.uploads.trash.files()]


def test_an_uploaded_file_becomes_data(hosted: HostedStage, client: PageClient) -> None:
    page = upload(client)
    assert (page.status, page.place) == (200, "/connections/1"), page.alerts
    assert "продажи.csv" in page.text
    assert "upload:" not in page.text
    assert client.get("/connections/1/tables").rows()[0][1] == "продажи"
    key = hosted.registered_key(1)
    url = hosted.registered_urls(1)[3].removeprefix(hosted.stage.url)
    answer = hosted.stage.app.test_client().post(url, data={"connection[key]": key, "table": "продажи"})
    assert answer.get_json()[0] == ["GOROD", "SUMMA"]
    assert len(answer.get_json()) == 3


def test_a_file_is_outside_the_web_root_and_deleted_with_its_connection(
    hosted: HostedStage, client: PageClient
) -> None:
    upload(client)
    assert files(hosted) == ["продажи.csv"]
    page = client.submit(client.get("/connections/1/delete"), "Delete")
    assert page.heading == "Connections"
    assert files(hosted) == []


def test_a_new_file_takes_the_place_of_the_old_one(hosted: HostedStage, client: PageClient) -> None:
    upload(client)
    page = upload(client, b"a,b\n1,2\n", "fresh.csv", "1/edit")
    assert page.place == "/connections/1"
    # Datasets ask for the table by the name of the first file.
    assert files(hosted) == ["продажи.csv"]
    assert client.get("/connections/1/tables").rows()[0][1] == "продажи"


def test_a_form_that_comes_back_keeps_the_file(hosted: HostedStage, client: PageClient) -> None:
    page = upload(client, title=" ")
    assert (page.status, list(page.sentences())) == (422, ["title"])
    assert "Uploaded: продажи.csv." in page.text
    page = client.submit(page, "Save and connect", {"title": "Sales"})
    assert page.place == "/connections/1"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"x" * 1001, "The file is too large."),
    ],
)
def test_a_file_that_is_empty_or_too_large_is_not_kept(
    hosted: HostedStage, client: PageClient, content: bytes, sentence: str
) -> None:
    hosted.house.uploads.most_bytes = 1000
    page = upload(client, content)
    assert page.status == 422
    assert page.sentence("upload").startswith(sentence)
    assert files(hosted) == []


def test_a_body_over_the_limit_is_refused_before_it_is_read(hosted: HostedStage, client: PageClient) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="upload"; filename="large.csv"\r\n\r\n'
    body = part + b"x" * (2 * 1024 * 1024) + b"\r\n--b--\r\n"
    headers = {**OWN, "X-App-Session": client.token, "Content-Type": "multipart/form-data; boundary=b"}
    assert hosted.stage.app.test_client().post("/connections/new", data=body, headers=headers).status_code == 413
    assert files(hosted) == []


def test_the_ways_to_a_file_stand_together_and_one_of_them_is_asked_for(client: PageClient) -> None:
    page = client.get("/connections/new?driver=file")
    group = page.one("fieldset")
    assert group.text.startswith("Where the file is * One of these is needed.")
    assert [field.get("name") for field in group.all("input")] == ["upload", "settings-path", "settings-url"]
    assert "server" not in page.one("[aria-labelledby=test]").text


def test_an_uploaded_file_is_called_so_where_its_connection_is_shown(client: PageClient) -> None:
    upload(client)
    assert "Uploaded file" in [term.text for term in client.get("/connections/1").all("dt")]


def test_without_file_and_address_it_is_told_beside_the_file(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "file", "title": "Sales"})
    assert page.status == 422
    assert page.sentences() == {"upload": "A file or an address is needed. Choose one of them."}
    both = {"driver": "file", "title": " ", "settings-url": "https://example.com/a.csv"}
    page = client.post("/connections/new", {**both, "upload": (io.BytesIO(CSV), "sales.csv")})
    assert list(page.sentences()) == ["title", "upload"]


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..\\..\\boot.csv", "/etc/passwd", ".htaccess", "a\x00b.csv", "*"]
)
def test_no_name_leads_out_of_the_folder(hosted: HostedStage, client: PageClient, name: str) -> None:
    uploads = hosted.house.uploads
    path = uploads.keep(hosted.portal_id, name, io.BytesIO(CSV))
    settings, guards = uploads.located(hosted.portal_id, {"path": path}, hosted.house.guards)
    assert guards.local_files is not None
    kept = (guards.local_files / settings["path"]).resolve()
    assert kept.is_relative_to((hosted.folder / "uploads" / str(hosted.portal_id)).resolve())
    assert kept.read_bytes() == CSV


def test_another_portals_file_is_not_found_whatever_is_typed(hosted: HostedStage, client: PageClient) -> None:
    foreign = hosted.house.uploads.keep(hosted.portal_id + 1, "secret.csv", io.BytesIO(CSV))
    for typed in (foreign, foreign.replace("upload:", f"upload:../{hosted.portal_id + 1}/")):
        page = client.post("/connections/new", {"driver": "file", "title": "Thief", "settings-path": typed})
        assert page.status == 422
        page = client.post("/connections/new", {"driver": "file", "title": "Thief", "_uploaded": typed})
        assert page.status == 422


def test_what_was_to_be_saved_and_is_used_by_nothing_waits_in_the_trash_and_other_portals_files_stay(
    hosted: HostedStage, client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(client)
    uploads = hosted.house.uploads
    uploads.save(hosted.portal_id, uploads.keep(hosted.portal_id, "left.csv", io.BytesIO(CSV)))
    uploads.keep(999, "others.csv", io.BytesIO(CSV))
    monkeypatch.setattr("services.connections.uploads.ABANDONED_SECONDS", -1)
    upload(client, name="next.csv")
    assert files(hosted) == ["next.csv", "others.csv", "продажи.csv"]
    assert in_trash(hosted) == ["left.csv"]


def test_files_are_gone_when_the_portal_leaves_for_good(hosted: HostedStage, client: PageClient) -> None:
    upload(client)
    hosted.stage.control("uninstall", clean=True)
    assert files(hosted) == ["продажи.csv"]
    uploads = hosted.house.uploads
    uploads.discard(hosted.portal_id, uploads.keep(hosted.portal_id, "old.csv", io.BytesIO(CSV)))
    assert in_trash(hosted) == ["old.csv"]
    assert hosted.stage.services.uninstallations.erase(hosted.stage.member_id)
    assert files(hosted) == in_trash(hosted) == []


LOGIN = "canary-user:canary-Pa55"


def test_a_login_inside_an_address_is_kept_as_a_secret_and_never_shown_again(
    hosted: HostedStage, client: PageClient
) -> None:
    client.secrets = ["canary-Pa55", "canary-user"]
    address = f"https://{LOGIN}@127.0.0.1:1/daily.csv?a=1"
    sent = {"driver": "file", "title": "Daily", "settings-url": address}
    for button in ("_test", "_save"):
        page = client.post("/connections/new", {**sent, button: "1"})
        assert page.value("settings-url") == "https://127.0.0.1:1/daily.csv?a=1"
        assert page.value("settings-login") == ""
        assert "Typed just now and kept" in page.text
    kept = hosted.house.connections.add(hosted.stage.member_id, "file", "Daily", {"url": address})
    held = hosted.held(kept.id)
    assert (held.settings["url"], held.settings["login"]) == ("https://127.0.0.1:1/daily.csv?a=1", LOGIN)
    for place in ("/connections/", f"/connections/{kept.id}", f"/connections/{kept.id}/edit", "/activity/"):
        assert client.get(place).status == 200
    assert LOGIN not in held.hidden_in(f"refused {LOGIN}")
    assert "canary" not in hosted.stage.app.test_cli_runner().invoke(args=["connections", "list"]).output


def test_the_login_of_an_address_is_not_told_to_another_one(hosted: HostedStage, client: PageClient) -> None:
    address = f"https://{LOGIN}@127.0.0.1:1/daily.csv"
    kept = hosted.house.connections.add(hosted.stage.member_id, "file", "Daily", {"url": address})
    moved = {"title": "Daily", "settings-url": "https://127.0.0.1:2/daily.csv", "_test": "1"}
    assert "settings-login" in client.post(f"/connections/{kept.id}/edit", moved).sentences()
