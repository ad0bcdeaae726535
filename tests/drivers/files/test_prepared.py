"""What is made of files and kept: whose it is, how often it is made, what it may cost, and when it goes."""

from __future__ import annotations

import base64
import gc
import gzip
import os
import resource
import shutil
import socket
import ssl
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from drivers.base import Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.errors import Broken, SettingsWrong
from drivers.files import conversion, encoding, preparation, prepared, source
from drivers.files.encoding import Text
from drivers.files.engine_pool import Warm
from drivers.files.prepared import Kept, Prepared, Temporary
from drivers.query import TableName, TableQuery
from egress.deadline import Deadline
from egress.errors import Timeout
from egress.policy import Policy
from tests.drivers.files.samples import opened, table_of, written
from tests.drivers.files.workbooks import Cell, workbook
from tests.drivers.http_server import Asked, Played, answer, chunked
from tests.drivers.servers import certificates
from tests.suite.databases import read
from tests.waiting import HANG

FILES = Path(prepared.FOLDER)


def forever() -> Deadline:
    return Deadline(10 * HANG, lambda: None)


def in_sheet(path: Path, data: str) -> None:
    """A workbook whose only sheet has these rows as XML."""
    workbook(path.with_suffix(".plain"), {"S": [["a"]]})
    with (
        zipfile.ZipFile(path.with_suffix(".plain")) as plain,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in plain.namelist():
            text = plain.read(name).decode()
            start, _, rest = text.partition("<sheetData>")
            target.writestr(name, start + "<sheetData>" + data + rest[rest.index("</sheetData>") :] if rest else text)


def test_workbooks_of_one_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    """facts/security 1 row 7: no portal sees another portal's data; uploads keep the names that people gave them."""
    own: dict[str, list[list[Cell]]] = {"a": [["A-one", 1]], "b": [["B-secret", 2], ["B", 3]]}
    for folder, rows in own.items():
        (tmp_path / folder).mkdir()
        workbook(tmp_path / folder / "sales.xlsx", {"S": [["name", "amount"], *rows]})
    with opened(tmp_path / "a", path="sales.xlsx") as session:
        first = read(session, TableName("", "S"), ["name", "amount"])
    assert table_of(tmp_path / "b", "S", path="sales.xlsx")[1] == [["B-secret", 2], ["B", 3]]
    assert table_of(tmp_path / "a", "S", path="sales.xlsx")[1] == first == [["A-one", 1]]


def test_callers_at_once_get_whole_answers_and_the_work_is_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """facts/biconnector 5.7: all rows are wanted, also by two charts that ask for a cold workbook at once."""
    rows: list[list[Cell]] = [[number, f"name {number}"] for number in range(20_000)]
    workbook(tmp_path / "s.xlsx", {"S": [["id", "name"], *rows]})
    converted, made = conversion._answer, []

    def counted(*given: object) -> object:
        made.append(1)
        return converted(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(conversion, "_answer", counted)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: table_of(tmp_path, "S", path="s.xlsx")[1], range(8)))
    assert all(answer == rows for answer in answers)
    assert len(made) == 1


def test_who_waits_for_another_caller_meets_the_own_deadline() -> None:
    kept, started, go_on = Kept(), threading.Event(), threading.Event()

    def slow() -> Prepared:
        started.set()
        go_on.wait(HANG)
        return Prepared((), ())

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kept.once, "key", Prepared, slow, forever())
        assert started.wait(HANG)
        with pytest.raises(Timeout):
            kept.once("key", Prepared, slow, Deadline(0.3, lambda: None))
        go_on.set()
        assert first.result(HANG) is kept.get("key")


def test_after_a_failure_the_next_caller_tries_anew() -> None:
    kept = Kept()

    def failing() -> Prepared:
        raise Broken("file_changed")

    with pytest.raises(Broken):
        kept.once("key", Prepared, failing, forever())
    assert kept.once("key", Prepared, lambda: Prepared((), ()), forever()) == Prepared((), ())


def test_a_file_of_ours_goes_when_nobody_holds_it_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    monkeypatch.setattr(prepared, "MOST_KEPT", 4)
    paths = []
    for number in range(6):
        value = kept.once(number, Temporary, Temporary.file, forever())
        made = Prepared((), (), (value,))
        kept.once(("made of", number), Prepared, lambda made=made: made, forever())  # type: ignore[misc]
        paths.append(value.path)
    del value, made
    gc.collect()
    assert [path.exists() for path in paths] == [False] * 4 + [True] * 2
    held = kept.get(4)
    kept.once(4, Temporary, Temporary.folder, forever(), seconds=-1)
    gc.collect()
    assert kept.get(("made of", 4)) is None
    assert paths[4].exists()
    del held
    gc.collect()
    assert not paths[4].exists()


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_a_file_that_is_written_while_it_is_read_is_no_answer(tmp_path: Path, name: str) -> None:
    """facts/security 6: any failure is a real one, never 200 with other rows; an operator's job may write the file."""
    lines = "".join(f"{number},{'x' * 50}\n" for number in range(200_000))
    path = written(tmp_path, "t.csv", "id,t\n" + lines)
    if name == "t.parquet":
        duckdb.execute(f"COPY (FROM '{path}') TO '{tmp_path / name}'")
    if name == "t.jsonl":
        written(tmp_path, name, '{"id": 1, "t": "x"}\n' * 50_000)
    target = tmp_path / name
    with opened(tmp_path, path=name) as session:
        chunks = session.rows(TableQuery(TableName("", "t"), ("id", "t")))
        next(chunks)
        shutil.copy(target, tmp_path / "copy")
        (tmp_path / "copy").replace(target)
        if name == "t.jsonl":
            # What is read is a copy of ours, whole and of one time.
            assert sum(chunk.rows for chunk in chunks) == 50_000 - 2048
            return
        with pytest.raises(Broken) as broken:
            list(chunks)
    assert broken.value.code == "file_changed"


def test_a_file_that_is_written_while_it_is_prepared_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "t.csv", "a,b\n1,2\n")
    judged = encoding.text_of

    def late(*given: object) -> Text:
        path.write_text("a,b\n1,2\n3,4\n")
        return judged(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(preparation, "text_of", late)
        with pytest.raises(Broken) as broken:
            opened(tmp_path, path="t.csv")
    assert broken.value.code == "file_changed"
    assert table_of(tmp_path, "t", path="t.csv")[1] == [[1, 2], [3, 4]]


def test_a_small_workbook_cannot_take_the_memory_or_the_time_of_the_app(tmp_path: Path) -> None:
    """facts/security 1 row 15: a file of 0.5 MB with six million cells; its reading is somebody else's process."""
    in_sheet(tmp_path / "big.xlsx", ("<row>" + "<c><v>1</v></c>" * 10 + "</row>") * 600_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Timeout):
        DRIVERS["file"].open({"path": "big.xlsx"}, Guards(Policy(), tmp_path, Limits(seconds=1)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize("corner", ["Z1048576", "XFD1048576"])
def test_a_workbook_of_two_cells_far_apart_is_refused_and_ends_no_process_of_ours(tmp_path: Path, corner: str) -> None:
    """1.8 KB; the library asks for memory for each cell between them, and ends its process without it."""
    row = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="{}"><v>1</v></c></row>'
    in_sheet(tmp_path / "corner.xlsx", row.format(corner))
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="corner.xlsx")
    assert (wrong.value.field, wrong.value.code) == ("path", "too_big")


def test_a_converter_that_breaks_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workbook(tmp_path / "s.xlsx", {"S": [["a"], [1]]})
    monkeypatch.setattr(conversion, "_PROGRAM", tmp_path / "nothing.py")
    before = set(FILES.iterdir())
    with pytest.raises(Broken) as broken:
        opened(tmp_path, path="s.xlsx")
    assert broken.value.code == "server_error"
    del broken
    gc.collect()
    assert set(FILES.iterdir()) <= before


class Web:
    """A server at https://files.example.com that plays a script."""

    def __init__(self, folder: Path) -> None:
        pem = certificates(folder, "files.example.com")
        self.ca = Path(pem.ca_file).read_text()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(pem.cert_file, pem.key_file)

    def open(self, port: int, path: str = "/t.csv", seconds: float = 220) -> Session:
        policy = Policy(allow=[f"127.0.0.1:{port}"], lookup=lambda host, port: ["127.0.0.1"])
        address = f"https://files.example.com:{port}{path}"
        return DRIVERS["file"].open({"url": address, "ca": self.ca}, Guards(policy, limits=Limits(seconds=seconds)))

    @contextmanager
    def playing(self, script: Callable[[Asked], bytes | None]) -> Iterator[Played]:
        played = Played(script, self.tls)
        try:
            yield played
        finally:
            played.close()

    @contextmanager
    def dripping(self, head: bytes, drop: bytes) -> Iterator[int]:
        """A server that says `head` at once and then `drop` again and again."""

        def play(caller: socket.socket) -> None:
            try:
                with self.tls.wrap_socket(caller, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(head)
                    while not over.wait(0.1):
                        secure.sendall(drop)
            except OSError:
                pass

        def serve() -> None:
            try:
                while True:
                    threading.Thread(target=play, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                pass

        over = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, daemon=True).start()
            yield listener.getsockname()[1]
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Web:
    return Web(tmp_path_factory.mktemp("web"))


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a,b\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"H"),
    ],
)
def test_a_server_that_drips_meets_the_deadline(web: Web, head: bytes, drop: bytes) -> None:
    """facts/security 1 row 15: limits of sockets begin anew with every byte."""
    with web.dripping(head, drop) as port:
        started = time.monotonic()
        with pytest.raises(Timeout):
            web.open(port, seconds=1)
        # The server would drip for ever.
        assert time.monotonic() - started < HANG


def test_a_download_that_was_replaced_is_deleted_once_nobody_reads_it(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "FRESH_SECONDS", -1.0)
    warm = Warm(seconds=0)
    monkeypatch.setattr("drivers.files.session.WARM", warm)
    gc.collect()
    before = set(FILES.iterdir())
    count = iter(range(100))
    with web.playing(lambda asked: answer(b"a,b\n%d,2\n" % next(count))) as played, web.open(played.port) as first:
        for number in range(1, 5):
            with web.open(played.port) as session:
                assert read(session, TableName("", "t"), ["a"]) == [[number]]
        assert read(first, TableName("", "t"), ["a"]) == [[0]]
    del first, session
    # Databases that wait for the next session hold their files, for a minute.
    warm.take("any")
    gc.collect()
    assert len(set(FILES.iterdir()) - before) == 1


def test_what_a_server_sends_instead_of_a_file_is_told(web: Web) -> None:
    cases = {
        "/login": (answer(b"\n<div>Login, please</div>", Content_Type="text/html; charset=utf-8"), "no_file_there"),
        "/photo": (answer(b"abc", Content_Type="image/webp"), "other_kind"),
        "/doc": (answer(b"%PDF-1.7 abc"), "other_kind"),
        "/gone": (answer(b"no", 404), "no_file_there"),
        "/round": (answer(b"", 302, Location="/round"), "no_file_there"),
    }
    with web.playing(lambda asked: cases[asked.path][0]) as played:
        for path, (_, code) in cases.items():
            with pytest.raises(SettingsWrong) as wrong:
                web.open(played.port, path)
            assert wrong.value.code == code, path


def test_a_file_is_fetched_with_its_address_login_and_compression(web: Web) -> None:
    body = gzip.compress(b"a,b\n1,2\n")

    def script(asked: Asked) -> bytes:
        if asked.path.startswith("/from"):
            return answer(b"", 307, Location="/to%20here.csv?x=%D1%8F&y=1")
        return answer(body, Content_Encoding="gzip", Content_Type="text/html")

    with web.playing(script) as played, web.open(played.port, "/from я.csv?q=a b") as session:
        assert read(session, session.tables()[0].name, ["a", "b"]) == [[1, 2]]
    assert [asked.path for asked in played.asked] == ["/from%20%D1%8F.csv?q=a%20b", "/to%20here.csv?x=%D1%8F&y=1"]


@pytest.mark.parametrize("given", ["url", "login"])
def test_the_login_of_an_address_goes_to_its_own_server_only(web: Web, given: str) -> None:
    with web.playing(lambda asked: answer(b"a\n1\n")) as other:

        def script(asked: Asked) -> bytes:
            moved = {"/t.csv": "/here.csv", "/here.csv": f"https://files.example.com:{other.port}/there.csv"}
            return answer(b"", 302, Location=moved[asked.path])

        with web.playing(script) as played:
            ports = [f"127.0.0.1:{port}" for port in (played.port, other.port)]
            policy = Policy(allow=ports, lookup=lambda host, port: ["127.0.0.1"])
            login = "ann%40x:p%3Aw@" if given == "url" else ""
            settings = {"url": f"https://{login}files.example.com:{played.port}/t.csv", "ca": web.ca}
            more = {"login": "ann@x:p:w"} if given == "login" else {}
            with DRIVERS["file"].open(settings | more, Guards(policy)):
                told = [asked.headers.get("authorization") for asked in (*played.asked, *other.asked)]
    assert told == [f"Basic {base64.b64encode(b'ann@x:p:w').decode()}"] * 2 + [None]


@pytest.mark.parametrize("cut", [answer(b"a,b\n1,2\n")[:-3], chunked(b"a,b\n1,2\n", end=False)])
def test_a_download_that_breaks_off_is_no_file(web: Web, cut: bytes) -> None:
    with (
        web.playing(lambda asked: cut.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)) as played,
        pytest.raises(Broken) as broken,
    ):
        web.open(played.port)
    assert broken.value.code == "connection_lost"


def test_the_same_file_by_another_name_of_a_pattern_is_read_through_a_link_of_ours(tmp_path: Path) -> None:
    written(tmp_path, "a[1].csv", "a,b\n1,2\n")
    assert table_of(tmp_path, "a[1]", path="a[1].csv")[1] == [[1, 2]]
    path = tmp_path / "a[1].csv"
    path.write_text("a,b\n3,4\n5,6\n")
    os.utime(path, ns=(5, 5))
    assert table_of(tmp_path, "a[1]", path="a[1].csv")[1] == [[3, 4], [5, 6]]
