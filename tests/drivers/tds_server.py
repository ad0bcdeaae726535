"""Plays a Microsoft SQL Server: greeting, TLS inside TDS packets, login, and scripted answers ([MS-TDS] 2.2)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal

from tests.waiting import HANG

OFF, ON, NOT_SUPPORTED, REQUIRED = range(4)
BATCH, RPC, LOGIN, PRELOGIN, REPLY = 1, 3, 16, 18, 4
Script = Callable[[bytes], bytes | Iterator[bytes] | None]


def text(words: str) -> bytes:
    return words.encode("utf-16-le")


def done(status: int = 0) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0xC1, 0)


def error(number: int, words: str = "because") -> bytes:
    body = struct.pack("<IBB", number, 1, 16) + struct.pack("<H", len(words)) + text(words) + b"\0\0" + b"\0" * 4
    return b"\xaa" + struct.pack("<H", len(body)) + body


def environment(kind: int, new: bytes, old: bytes = b"\0") -> bytes:
    return b"\xe3" + struct.pack("<H", 1 + len(new) + len(old)) + bytes([kind]) + new + old


def logged_in(database: str = "shop") -> bytes:
    name = text("Microsoft SQL Server")
    acknowledged = b"\x01\x74\x00\x00\x04" + bytes([len(name) // 2]) + name + b"\x10\0\x10\0"
    return (
        environment(1, bytes([len(database)]) + text(database))
        + environment(7, b"\x05\x09\x04\xd0\x00\x34")
        + b"\xad" + struct.pack("<H", len(acknowledged)) + acknowledged
        + done()
    )  # fmt: skip


def routed(host: str, port: int) -> bytes:
    place = b"\0" + struct.pack("<HH", port, len(host)) + text(host)
    body = b"\x14" + struct.pack("<H", len(place)) + place + b"\0\0"
    return b"\xe3" + struct.pack("<H", len(body)) + body + logged_in()


KINDS = {
    "int": b"\x26\x08",
    "decimal": b"\x6c\x11\x26\x04",
    "float": b"\x6d\x08",
    "nvarchar": b"\xe7\xa0\x0f\x09\x04\xd0\x00\x34",
    "bytes": b"\xa5\xff\xff",
}


def columns(kinds: Sequence[str]) -> bytes:
    declared = b"".join(b"\0" * 4 + b"\x09\0" + KINDS[kind] + b"\x01" + text("c") for kind in kinds)
    return b"\x81" + struct.pack("<H", len(kinds)) + declared


def cell(kind: str, value: object) -> bytes:
    match kind, value:
        case "nvarchar", None:
            return b"\xff\xff"
        case "bytes", None:
            return b"\xff" * 8
        case _, None:
            return b"\0"
        case "int", int():
            return b"\x08" + struct.pack("<q", value)
        case "float", float():
            return b"\x08" + struct.pack("<d", value)
        case "decimal", Decimal():
            return (
                b"\x11"
                + bytes([value >= 0])
                + int(
                    str(value.copy_abs().scaleb(4, Context(prec=60)).quantize(Decimal(1), context=Context(prec=60)))
                ).to_bytes(16, "little")
            )
        case "nvarchar", str():
            return struct.pack("<H", len(text(value))) + text(value)
        case "bytes", bytes():
            # A part of no length is the end.
            part = struct.pack("<I", len(value)) + value if value else b""
            return struct.pack("<Q", len(value)) + part + b"\0" * 4
    raise AssertionError((kind, value))


def rows(kinds: Sequence[str], values: Sequence[Sequence[object]]) -> bytes:
    """Column descriptions and rows; what ends them is the caller's business."""
    return columns(kinds) + b"".join(row(kinds, one) for one in values)


def row(kinds: Sequence[str], values: Sequence[object]) -> bytes:
    return b"\xd1" + b"".join(map(cell, kinds, values))


def packets(body: bytes, kind: int = REPLY, size: int = 4000, *, is_whole: bool = True) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    last = len(parts) - 1
    return b"".join(
        struct.pack(">BBHHBB", kind, int(number == last and is_whole), len(part) + 8, 0, (number + 1) % 256, 0) + part
        for number, part in enumerate(parts)
    )


class SqlServer:
    """One script for each statement: its raw request in, tokens out, at once or in parts; None hangs up."""

    def __init__(
        self,
        script: Script,
        encryption: int = ON,
        tls: ssl.SSLContext | None = None,
        login: bytes | None = None,
    ) -> None:
        self.statements: list[bytes] = []
        self.heard, self.login_packet = b"", b""
        self.logins = 0
        self._script, self._encryption, self._tls = script, encryption, tls
        self._login = logged_in() if login is None else login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._play, args=(caller,), daemon=True).start()

    def _play(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError, ValueError, struct.error):
            caller.settimeout(HANG)
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = _Line(self, caller)
            line.packet()
            version, encryption = struct.pack(">BHH", 0, 11, 6), struct.pack(">BHH", 1, 17, 1)
            caller.sendall(packets(version + encryption + b"\xff" + b"\x10\0\0\0\0\0" + bytes([self._encryption])))
            if self._tls:
                line.shake_hands(self._tls)
            kind, self.login_packet = line.packet()
            assert kind == LOGIN
            self.logins += 1
            if self._encryption == OFF:
                line.tunnel = None
            line.send(packets(self._login))
            while True:
                _, statement = line.packet()
                self.statements.append(statement)
                said = done() if text("SET IMPLICIT") in statement else self._script(statement)
                if said is None:
                    return
                parts = iter((said,)) if isinstance(said, bytes) else said
                last = next(parts)
                for part in parts:
                    line.send(packets(last, is_whole=False))
                    last = part
                line.send(packets(last))

    def close(self) -> None:
        # Closing alone would not end the thread that waits for a caller.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class _Line:
    """A caller, read packet by packet, through a tunnel or not."""

    def __init__(self, server: SqlServer, caller: socket.socket) -> None:
        self.server, self.caller = server, caller
        self.tunnel: ssl.SSLObject | None = None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if self.tunnel is not None:
                with contextlib.suppress(ssl.SSLWantReadError):
                    data += self.tunnel.read(size - len(data))
                    continue
            block = self.caller.recv(65536 if self.tunnel is not None else size - len(data))
            if not block:
                raise ConnectionError
            self.server.heard += block
            if self.tunnel is None:
                data += block
            else:
                self.incoming.write(block)
        return data

    def packet(self) -> tuple[int, bytes]:
        body = b""
        while True:
            kind, status, length = struct.unpack(">BBH4x", self._read(8))
            body += self._read(length - 8)
            if status & 1:
                return kind, body

    def send(self, data: bytes) -> None:
        if self.tunnel is None:
            self.caller.sendall(data)
            return
        self.tunnel.write(data)
        self.caller.sendall(self.outgoing.read())

    def shake_hands(self, context: ssl.SSLContext) -> None:
        tunnel = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                tunnel.do_handshake()
                break
            if said := self.outgoing.read():
                self.caller.sendall(packets(said, PRELOGIN))
            self.incoming.write(self.packet()[1])
        if said := self.outgoing.read():
            self.caller.sendall(packets(said, PRELOGIN))
        self.tunnel = tunnel
