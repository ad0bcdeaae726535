"""Listeners and servers of the driver tests: canaries that count connections, and a web server with TLS."""

from __future__ import annotations

import contextlib
import datetime
import errno
import ipaddress
import json
import selectors
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.waiting import HANG


class Canary:
    """Listens on one port of several addresses and counts who connects."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.connections = 0
        self._listeners: list[socket.socket] = []
        self.port = 0
        while not self._listens(addresses):
            # The first one's port is somebody else's at another of the addresses.
            self._close_all()
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def _listens(self, addresses: Sequence[str]) -> bool:
        self.port = 0
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            self._listeners.append(listener)
            try:
                listener.bind((address, self.port))
            except OSError as problem:
                if problem.errno != errno.EADDRINUSE:
                    raise
                return False
            listener.listen()
            listener.setblocking(False)
            self.port = self.port or listener.getsockname()[1]
        return True

    def _close_all(self) -> None:
        while self._listeners:
            self._listeners.pop().close()

    def _count(self) -> None:
        with selectors.DefaultSelector() as selector:
            for source in (*self._listeners, self._wake):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._wake:
                        return
                    listener = key.fileobj
                    assert isinstance(listener, socket.socket)
                    with contextlib.suppress(OSError):
                        listener.accept()[0].close()
                        self.connections += 1

    def __enter__(self) -> Canary:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.send(b"x")
        self._thread.join(HANG)
        self._close_all()
        for opened in (self._wake, self._stop):
            opened.close()


@dataclass(frozen=True)
class Certificates:
    """A certificate authority and a server certificate below it, as PEM files."""

    ca_file: str
    cert_file: str
    key_file: str


def certificates(folder: Path, *names: str) -> Certificates:
    """A fresh authority and a certificate for DNS names and addresses."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    cert = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), key.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    paths = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    paths[0].write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    paths[2].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificates(*(str(path) for path in paths))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str]
    files: Mapping[str, bytes] | None

    def do_GET(self) -> None:
        self.asked.append(self.path)
        target = self.path.partition("/to/")[2]
        body = json.dumps({"host": self.headers["Host"], "path": self.path}).encode()
        status = 302 if target else 200
        if self.files is not None and not target:
            body, status = self.files.get(self.path, b""), 200 if self.path in self.files else 404
        self.send_response(status)
        if target:
            self.send_header("Location", target)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass(frozen=True)
class WebServer:
    """Ports and authority of a running `web_server`."""

    http_port: int
    https_port: int
    ca_file: str
    asked: list[str]


@contextlib.contextmanager
def web_server(*names: str, files: Mapping[str, bytes] | None = None) -> Iterator[WebServer]:
    """An HTTP and an HTTPS server on 127.0.0.1.

    `/to/ADDRESS` redirects there; all else answers what it was asked or, where `files` are given, these alone.
    """
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"asked": asked, "files": files})
    with tempfile.TemporaryDirectory() as folder:
        pem = certificates(Path(folder), *names)
        plain = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        secure = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        for server in (plain, secure):
            server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem.cert_file, pem.key_file)
        secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
        secure.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # clients may hang up
        threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in (plain, secure)]
        for thread in threads:
            thread.start()
        try:
            yield WebServer(plain.server_port, secure.server_port, pem.ca_file, asked)
        finally:
            for server in (plain, secure):
                server.shutdown()
                server.server_close()
