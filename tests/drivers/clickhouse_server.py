"""ClickHouse's engine behind a small HTTP server, since no package of a server that is not too old can be had.

The engine is the real one (`chdb`, ClickHouse built as a library): SQL, types, formats, settings, limits and error
texts are ClickHouse's. What is played here is the HTTP interface as its documentation and its source describe it:
parameters of the address, forms in the body, `Basic` login, statuses, `X-ClickHouse-Exception-Code`, chunks, killing
by `query_id`.

Runs as a process of its own: `python clickhouse_server.py FOLDER` prints its port; it ends with its standard input.
"""

from __future__ import annotations

import base64
import importlib
import os
import re
import sys
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USERS = {"reader": "", "default": ""}
_NO_SETTINGS = frozenset({"database", "query_id", "default_format", "query"})
_EACH_TIME = frozenset({"max_execution_time", "format_custom_result_after_delimiter"})
_STATUSES = {516: 403, 497: 403, 60: 404, 81: 404, 47: 400, 62: 400, 159: 408, 164: 500}
_CODE = re.compile(r"Code: (\d+)\.")


_LONGEST_FIELD = 128 * 1024
_TABLES_OF_FORMS = ("_format", "_types", "_structure")


class Engine:
    """Connections to one engine, one set for each combination of settings, since opening one takes a while."""

    def __init__(self, folder: str) -> None:
        chdb = importlib.import_module("chdb")  # only where .ci/run installs it

        self._connect: Callable[[], Any] = lambda: chdb.connect(folder)
        self._free: dict[object, list[Any]] = {}
        self._lock = threading.Lock()

    def run(self, statement: str, settings: dict[str, str], once: dict[str, str], names: dict[str, str]) -> bytes:
        """The answer to a statement; `names` holds `format`, `database` and the parameters."""
        key = (tuple(sorted(settings.items())), names["database"])
        with self._lock:
            free = self._free.setdefault(key, [])
            connection = free.pop() if free else None
        try:
            if connection is None:
                connection = self._connect()
                if names["database"]:
                    connection.query("USE `" + names["database"].replace("\\", "\\\\").replace("`", "\\`") + "`")
                _set(connection, settings)
            _set(connection, once)
            parameters = {name[6:]: value for name, value in names.items() if name.startswith("param_")}
            answer: bytes = connection.query(statement, names["format"], params=parameters).bytes()
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        with self._lock:
            free.append(connection)
        return answer


def _set(connection: Any, settings: dict[str, str]) -> None:
    if settings:
        pairs = (f"{name} = '{value}'".replace("\n", "\\n") for name, value in settings.items())
        connection.query(f"SET {', '.join(pairs)}")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    engine: Engine

    def do_POST(self) -> None:
        names = dict(urllib.parse.parse_qsl(self.path.partition("?")[2], keep_blank_values=True))
        read = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get_content_type() == "multipart/form-data":
            # Settings whose names end like those of a form's tables are overlooked, and fields are no settings.
            names = {name: text for name, text in names.items() if not self._is_of_tables(name)}
            fields = form_fields(read, str(self.headers.get_param("boundary")).encode())
            if any(len(value) > _LONGEST_FIELD for _, value in fields):
                self._answer(500, b"Code: 1000. DB::Exception: HTML Form Exception: Field value too long", 1000)
                return
            names |= {name: value.decode() for name, value in fields if name.startswith("param_")}
            read = b"".join(value for name, value in fields if name == "query")
        body = read.decode()
        if not self._is_known():
            message = "Code: 516. DB::Exception: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)"
            self._answer(403, message.encode(), 516)
            return
        settings = {name: value for name, value in names.items() if name not in _NO_SETTINGS and name[:6] != "param_"}
        once = {name: settings.pop(name) for name in _EACH_TIME & settings.keys()}
        if settings.get("readonly"):
            settings["readonly"] = settings.pop("readonly")  # the last, since it closes settings like it
        names = {**names, "format": names.get("default_format", "TabSeparated"), "database": names.get("database", "")}
        if body.startswith("KILL QUERY"):
            body = "KILL QUERY WHERE startsWith(query, concat('/* ', {q:String})) ASYNC"
        try:
            answer = self.engine.run(f"/* {names.get('query_id', '')} */ {body}", settings, once, names)
        except Exception as problem:  # noqa: BLE001 - a library's error is a message of the server
            found = _CODE.search(str(problem))
            code = int(found[1]) if found else 1002
            self._answer(_STATUSES.get(code, 500), str(problem).encode("utf-8", "replace"), code)
            return
        self._answer(200, answer)

    def _is_of_tables(self, name: str) -> bool:
        return name.endswith(_TABLES_OF_FORMS) and name not in _NO_SETTINGS

    def _is_known(self) -> bool:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        return scheme == "Basic" and USERS.get(user) == password

    def _answer(self, status: int, body: bytes, code: int = 0) -> None:
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        for start in range(0, len(body), 100_000):
            part = body[start : start + 100_000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


def form_fields(body: bytes, boundary: bytes) -> list[tuple[str, bytes]]:
    """Names and values of a form, in their order."""
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert parts[-1].strip() == b"--", "the form ends with its last boundary"
    halves = (part.partition(b"\r\n\r\n") for part in parts[1:-1])
    return [(head.partition(b'name="')[2].partition(b'"')[0].decode(), value) for head, _, value in halves]


def main(folder: str) -> None:
    """Serve until standard input ends."""
    Handler.engine = Engine(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    # The engine's own shutdown waits for its threads, at times for minutes; nothing of it is kept.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
