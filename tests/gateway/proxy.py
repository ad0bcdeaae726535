"""nginx as docs/operate/nginx.conf has it, in front of a server of this machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.emulator.certificates import write_certificate
from tests.gateway.production import ROOT, Hosted
from tests.ports import kept_port
from tests.waiting import HANG, eventually

SAMPLE = (ROOT / "docs/operate/nginx.conf").read_text()
AROUND = """
user root; worker_processes 1; daemon off; pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{sample}
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    port: int
    folder: Path
    certificate: str

    def to(self, hosted: Hosted) -> Hosted:
        """A connection as it is called through the proxy."""
        old, new = f"http://127.0.0.1:{hosted.place[1]}/", f"https://127.0.0.1:{self.port}/"
        return replace(
            hosted,
            urls={name: url.replace(old, new) for name, url in hosted.urls.items()},
            certificate=self.certificate,
        )

    def accesses(self) -> str:
        """What it wrote of calls."""
        return (self.folder / "access.log").read_text()

    def log(self) -> str:
        """What it said."""
        return (self.folder / "nginx.log").read_text()


@contextlib.contextmanager
def proxying(folder: Path, port: int, **times: str) -> Iterator[Proxy]:
    """A proxy for the server at `port`; `times` are directives of the sample with other times."""
    certificate, key = write_certificate(folder)
    with kept_port() as own:
        proxy = Proxy(own, folder, str(certificate))
        sample = SAMPLE
        for old, new in {
            "listen 443 ssl;": f"listen 127.0.0.1:{own} ssl;",
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{port};",
            "/etc/letsencrypt/live/bi.example.com/fullchain.pem": str(certificate),
            "/etc/letsencrypt/live/bi.example.com/privkey.pem": str(key),
            "/var/log/nginx/bi-connectors.log": "access.log",
            **{f"{name} {value_of(name)};": f"{name} {value};" for name, value in times.items()},
        }.items():
            assert sample.count(old) == 1, old
            sample = sample.replace(old, new)
        (folder / "nginx.conf").write_text(AROUND.format(sample=sample))
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
        assert nginx, "nginx is needed"
        command = [nginx, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
        with (folder / "nginx.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            eventually(lambda: _is_up(process, proxy), proxy.log)
            yield proxy
        finally:
            process.terminate()
            process.wait(HANG)


def value_of(directive: str) -> str:
    """What the sample sets, once."""
    (value,) = (line.split(None, 1)[1] for line in SAMPLE.splitlines() if line.strip().startswith(f"{directive} "))
    return value.removesuffix(";")


def _is_up(process: subprocess.Popen[bytes], proxy: Proxy) -> bool:
    assert process.poll() is None, proxy.log()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", proxy.port)):
        return True
    return False
