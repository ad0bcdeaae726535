"""Servers as processes of their own: started, asked over HTTP and watched from outside."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

START_SECONDS = 30.0
ANSWER_SECONDS = 300.0
# Room for the largest body; made once, since fresh memory costs the client as much as reading does.
_BUFFER = bytearray(512 * 1024 * 1024)


@dataclass(frozen=True)
class Asked:
    """A request: `body` None means GET."""

    url: str
    body: bytes | None = None
    content_type: str = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Fetched:
    """A whole answer: seconds from before the connection until the last byte; `body` is valid until the next fetch."""

    status: int
    seconds: float
    body: memoryview

    @property
    def digest(self) -> bytes:
        """The body's SHA-256."""
        return hashlib.sha256(self.body).digest()


def fetch(asked: Asked) -> Fetched:
    """Ask over a new connection and read the whole answer."""
    parts = urlsplit(asked.url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    room = memoryview(_BUFFER)
    size = 0
    started = time.perf_counter()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        headers = {} if asked.body is None else {"Content-Type": asked.content_type}
        connection.request("GET" if asked.body is None else "POST", target, asked.body, headers)
        answer = connection.getresponse()
        while read := answer.readinto(room[size:]):
            size += read
        status = answer.status
    return Fetched(status, time.perf_counter() - started, room[:size])


@dataclass(frozen=True)
class Held:
    """What a process holds: megabytes of resident memory, open files and connections, threads."""

    memory: float
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Held:
        """What it holds now; nothing if it has just ended."""
        with contextlib.suppress(FileNotFoundError):
            places = Path(f"/proc/{pid}")
            return cls(_memory(pid, "VmRSS") / 1024, len(list((places / "fd").iterdir())), _memory(pid, "Threads"))
        return cls(0, 0, 0)


class Server:
    """A running server with the processes that it forked; `idle` is what each holds before the first request."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._idle = {pid: _memory(pid, "VmRSS") for pid in self._pids()}

    def memory(self) -> float:
        """How far one process rose above its idle resident memory so far, in megabytes; the highest of them."""
        rises = [_memory(pid, "VmHWM") - self._idle.get(pid, 0) for pid in self._pids()]
        return max(rises) / 1024

    def forked(self) -> dict[int, Held]:
        """What each of the processes that answer holds now, by its number."""
        return {pid: Held.of(pid) for pid in _children(self._process.pid)}

    def _pids(self) -> list[int]:
        return [self._process.pid, *_children(self._process.pid)]


@contextlib.contextmanager
def serving(
    command: Sequence[str], port: int, environment: Mapping[str, str], folder: Path, log: Path, processes: int
) -> Iterator[Server]:
    """Run `command` until it listens on `port` and has forked `processes`; end it with the block."""
    with (
        log.open("ab") as said,
        subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=said, stderr=said) as process,
    ):
        try:
            _await(process, port, processes, log)
            yield Server(process)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int, processes: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            if len(_children(process.pid)) == processes:
                # Forked processes go on importing for a moment.
                time.sleep(1)
                return
        time.sleep(0.1)
    raise SystemExit(f"A server did not start; its last words:\n{log.read_text()[-2000:]}")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _memory(pid: int, name: str) -> int:
    """What the system notes under `name`: `VmRSS` is resident memory now, `VmHWM` its peak, in kilobytes; `Threads`."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0
