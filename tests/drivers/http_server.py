"""A server for one connection after another that plays a script over HTTP and keeps what it was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.waiting import HANG


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the address."""
        return dict(urllib.parse.parse_qsl(self.path.partition("?")[2], keep_blank_values=True))


Script = Callable[[Asked], bytes | None]


class Played:
    """Answers each request with the bytes that `script` gives for it; None hangs up. `silent` says nothing at all."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.heard = b""
        self._script, self._tls = script, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(caller,), daemon=True).start()

    def _play(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError, ValueError):
            caller.settimeout(HANG)
            if self._tls is None:
                self._talk(caller)
                return
            with self._tls.wrap_socket(caller, server_side=True) as secure:
                self._talk(secure)

    def _talk(self, caller: socket.socket) -> None:
        while (asked := self._read(caller)) is not None:
            self.asked.append(asked)
            answer = self._script(asked)
            if answer is None:
                return
            caller.sendall(answer)
            if b"Connection: close" in answer:
                return

    def _read(self, caller: socket.socket) -> Asked | None:
        data = b""
        while b"\r\n\r\n" not in data:
            block = caller.recv(65536)
            self.heard += block
            if not block:
                return None
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("utf-8").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            body += caller.recv(65536)
        method, path, _ = first.split(" ")
        return Asked(method, path, headers, body.decode("utf-8"))

    def close(self) -> None:
        # Closing alone would not end the thread that waits for a caller.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def listener(script: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose callers each get `script`."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = opened.accept()
                with caller, contextlib.suppress(OSError):
                    caller.settimeout(HANG)
                    script(caller)

    with socket.create_server(("127.0.0.1", 0)) as opened:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield opened.getsockname()[1]
        with contextlib.suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)
    thread.join(HANG)


def answer(body: bytes, status: int = 200, **headers: str) -> bytes:
    """A whole answer with its length."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Word\r\nContent-Length: {len(body)}\r\n{named}\r\n".encode() + body


def chunked(body: bytes, size: int = 7, end: bool = True) -> bytes:
    """A whole answer in chunks; without `end`, its last chunk is missing."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    text = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + text + (b"0\r\n\r\n" if end else b"")
