"""Where a file's bytes come from: a local path or an https address, as they are or packed."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from drivers.errors import Broken, SettingsWrong, TooBig, writing_to_disk
from drivers.files.kinds import GZIP, SUFFIXES
from drivers.files.prepared import KEPT, Temporary
from drivers.files.share_links import YANDEX_API, address_in, direct
from drivers.http_client import (
    PROTOCOL_ERRORS,
    HttpConnection,
    HttpEndpoint,
    HttpResponse,
    basic_authorization,
    broken_connection,
)
from drivers.tls import tls_context
from egress.deadline import Deadline
from egress.errors import TargetRefused, Unreachable
from egress.policy import Policy
from egress.sockets import CONNECT_SECONDS

MOST_BYTES = 1024 * 1024 * 1024
FRESH_SECONDS = 300.0
READ_SECONDS = 30.0
MOST_REDIRECTS = 5
BLOCK = 1024 * 1024

_UNQUOTED = "/%:@!$&'()*+,;=~"
_REDIRECTS = (301, 302, 303, 307, 308)

_MEDIA = ("image/", "audio/", "video/", "application/pdf")


def state_of(path: Path) -> tuple[int, ...]:
    """What changes whenever somebody writes or replaces a file. Raises `SettingsWrong` where it is gone."""
    try:
        found = path.stat()
    except OSError:
        raise SettingsWrong("path", "not_found") from None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def without_login(url: str) -> tuple[str, str]:
    """An address without user and password, and these as `user:password`; empty where the address has none."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return url, ""
    login, _, place = parts.netloc.rpartition("@")
    return (urlunsplit(parts._replace(netloc=place)), unquote(login)) if login else (url, "")


def downloaded(url: str, login: str, ca: str, policy: Policy, deadline: Deadline) -> Temporary:
    """The content of an https address, at most five minutes old; `login` as `user:password` is told to its host only.

    Of an address under which a service shares a file, the file itself. Redirects are followed to https addresses that
    the policy allows. Raises `SettingsWrong("url")`, `TargetRefused`,
    `Unreachable`, `TooBig`, `Timeout`, `Broken`, `NoRoom`.
    """
    if not url.lower().startswith("https://"):
        raise SettingsWrong("url", "https_only")

    def fetch() -> Temporary:
        file = Temporary.file(Path(url.split("?")[0].split("#")[0]).suffix[:16])
        _fetch(direct(url), login, ca, policy, deadline, file.path)
        return file

    return KEPT.once(("url", url, login, ca), Temporary, fetch, deadline, FRESH_SECONDS)


def _fetch(url: str, login: str, ca: str, policy: Policy, deadline: Deadline, path: Path) -> None:
    tls = tls_context({"tls": "verify-full", "ca": ca})
    own = _place(url)
    for _ in range(MOST_REDIRECTS + 1):
        parts, port = _address(url)
        target = policy.resolve(parts.hostname or "", port, "web")
        client = HttpConnection(HttpEndpoint(target, tls, CONNECT_SECONDS), deadline)
        try:
            told = _headers(login if _place(url) == own else "")
            answer = client.ask("GET", _asked(parts), told, seconds=READ_SECONDS)
            if answer.status == 200 and parts.hostname == YANDEX_API:
                url = address_in(next(_content(answer), b""))
                if not url:
                    raise SettingsWrong("url", "no_file_there")
            elif answer.status in _REDIRECTS:
                url = urljoin(url, answer.header("Location"))
            else:
                _write(answer, path, deadline)
                return
        except SettingsWrong as problem:
            deadline.check()
            raise SettingsWrong("url", problem.code, problem.detail) from problem
        except Unreachable:
            deadline.check()
            raise
        except (*PROTOCOL_ERRORS, zlib.error) as problem:
            deadline.check()
            raise broken_connection(problem) from problem
        finally:
            client.close()
    raise SettingsWrong("url", "no_file_there", "redirected without end")


def _address(url: str) -> tuple[SplitResult, int]:
    """An https address in its parts, and its port. Raises `SettingsWrong("url")`, `TargetRefused("plain_http")`."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise SettingsWrong("url", "not_readable") from None
    if parts.scheme != "https":
        raise TargetRefused("plain_http")
    return parts, port


def _asked(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_UNQUOTED)
    return path + "?" + quote(parts.query, safe=_UNQUOTED + "?") if parts.query else path


def _place(url: str) -> tuple[str, int]:
    """Host and port: a redirect to another place gets no login."""
    parts, port = _address(url)
    return (parts.hostname or "").lower(), port


def _headers(login: str) -> dict[str, str]:
    user, _, password = login.partition(":")
    told = {"Authorization": basic_authorization(user, password)} if login else {}
    return {"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "BI-Connectors", **told}


def _write(answer: HttpResponse, path: Path, deadline: Deadline) -> None:
    if answer.status != 200:
        raise SettingsWrong("url", "no_file_there", f"HTTP status {answer.status}")
    media = answer.header("Content-Type").lower()
    if media.startswith(_MEDIA):
        raise SettingsWrong("url", "other_kind", media[:100])
    written = 0
    with writing_to_disk(), path.open("wb") as file:
        for block in _content(answer):
            deadline.check()
            if not written and "html" in media and block.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
                raise SettingsWrong("url", "no_file_there", "a page in HTML")
            written += len(block)
            if written > MOST_BYTES:
                raise TooBig("bytes", MOST_BYTES)
            file.write(block)


def _content(answer: HttpResponse) -> Iterator[bytes]:
    blocks = answer.blocks(BLOCK)
    return _unpacked(blocks) if answer.header("Content-Encoding").lower() == "gzip" else blocks


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    unpacking = zlib.decompressobj(wbits=31)
    for block in blocks:
        while block:
            yield unpacking.decompress(block, BLOCK)
            block = unpacking.unconsumed_tail
    yield unpacking.flush()
    if not unpacking.eof:
        raise Broken("connection_lost", "the packed content has no end")


def is_known(path: Path) -> bool:
    """Whether a file of a folder is a table, by its suffix."""
    inner = _unpacked_name(path)
    return inner.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith((".", "~$"))


def title_of(path: Path) -> str:
    """What the table of a file is called: its name without the suffix, and without that of its packing."""
    return _unpacked_name(path).stem


def _unpacked_name(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def unpacked(path: Path, deadline: Deadline) -> tuple[Path, tuple[Temporary, ...]]:
    """The file itself, or what a gzip file holds in a copy, which is to be held.

    Raises `SettingsWrong("path")`: `too_big` where more than `MOST_BYTES` come out of it, `packed_broken` where it
    does not end as it should. Raises `NoRoom`.
    """
    with path.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            return path, ()
    copy = Temporary.file(_unpacked_name(path).suffix[:16])
    written = 0
    try:
        with gzip.open(path) as packed, writing_to_disk(), copy.path.open("wb") as target:
            while block := packed.read(BLOCK):
                deadline.check()
                written += target.write(block)
                if written > MOST_BYTES:
                    raise SettingsWrong("path", "too_big", f"unpacked over {MOST_BYTES // 1024 // 1024} MiB")
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise SettingsWrong("path", "packed_broken", str(problem)) from problem
    return copy.path, (copy,)


def without_wildcards(path: Path) -> tuple[Path, tuple[Temporary, ...]]:
    """The path, or a link to it (to be held) where DuckDB would read its name as a pattern for other files."""
    if not set(str(path)) & set("*?[{"):
        return path, ()
    folder = Temporary.folder()
    link = folder.path / ("file" + re.sub(r"[^.\w]", "", path.suffix))
    with writing_to_disk():
        link.symlink_to(path)
    return link, (folder,)
