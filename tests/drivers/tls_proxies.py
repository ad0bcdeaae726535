"""Encryption in front of a database server that has none: proxies that end TLS and pass the rest on."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.drivers.servers import certificates

_SSL_CAPABILITY = 0x0800


@contextlib.contextmanager
def tls_proxy(protocol: str, server_port: int, folder: Path) -> Iterator[tuple[int, str]]:
    """A listener on 127.0.0.1 that speaks `postgresql` or `mysql` with TLS: its port and the PEM of its authority."""
    files = certificates(folder, "127.0.0.1", "db.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    greet = {"postgresql": _greet_postgresql, "mysql": _greet_mysql}[protocol]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=play, args=(caller,), daemon=True).start()

        def play(caller: socket.socket) -> None:
            with (
                contextlib.suppress(OSError),
                caller,
                socket.create_connection(("127.0.0.1", server_port)) as server,
                greet(caller, server, context) as secure,
            ):
                _pass_on(secure, server)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], Path(files.ca_file).read_text()


def _greet_postgresql(caller: socket.socket, server: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    caller.recv(8)
    caller.sendall(b"S")
    return context.wrap_socket(caller, server_side=True)


def _greet_mysql(caller: socket.socket, server: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Announce TLS in the server's name; its request is one packet more, so numbers differ by one during the login."""
    greeting = bytearray(_packet(server))
    flags = greeting.index(0, 5) + 1 + 4 + 8 + 1
    greeting[flags + 1] |= _SSL_CAPABILITY >> 8
    caller.sendall(greeting)
    _packet(caller)
    secure = context.wrap_socket(caller, server_side=True)
    try:
        _log_in(secure, server)
    except BaseException:
        secure.close()
        raise
    return secure


def _log_in(secure: ssl.SSLSocket, server: socket.socket) -> None:
    while True:
        answer = bytearray(_packet(secure))
        answer[3] -= 1
        if answer[3] == 1:
            answer[5] &= ~(_SSL_CAPABILITY >> 8) & 0xFF
        server.sendall(answer)
        reply = bytearray(_packet(server))
        reply[3] += 1
        secure.sendall(reply)
        if reply[4] in (0x00, 0xFF):
            return


def _packet(source: socket.socket) -> bytes:
    header = _exactly(source, 4)
    return header + _exactly(source, int.from_bytes(header[:3], "little"))


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        received = source.recv(count - len(data))
        if not received:
            raise OSError("hung up")
        data += received
    return data


def _pass_on(secure: ssl.SSLSocket, server: socket.socket) -> None:
    while True:
        ready = [secure] if secure.pending() else select.select([secure, server], [], [])[0]
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (server if source is secure else secure).sendall(data)
