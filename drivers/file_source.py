"""Where a file's bytes come from and what they are: a local path or an https address, its kind, its encoding.

What takes time (downloading, taking a workbook apart, recoding, looking at every value for its type) is done once for a
version of a file and kept for the next calls, in a folder that goes with the process.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Literal

import charset_normalizer
import requests

from drivers.deadline import Deadline
from drivers.errors import Broken, SettingsWrong, TooBig, Unreachable
from drivers.network import Policy, guarded_session

FileKind = Literal["csv", "xlsx", "parquet", "jsonl"]

MOST_BYTES = 1024 * 1024 * 1024
FRESH_SECONDS = 300.0
IDLE_SECONDS = 300.0
MOST_KEPT = 64
BLOCK = 1024 * 1024

_FOLDER = TemporaryDirectory(prefix="bi-files-", ignore_cleanup_errors=True)
_SUFFIXES: dict[str, FileKind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".tab": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GUESSED = ["cp1251", "cp1252", "cp1250", "koi8_r", "shift_jis", "gb18030"]


@dataclass(frozen=True)
class Prepared:
    """Tables of a file version: name and SQL of each, the paths that DuckDB may read, and those made for them."""

    tables: tuple[tuple[str, str], ...]
    paths: tuple[Path, ...]
    made: tuple[Path, ...] = ()


@dataclass
class _Entry:
    value: Prepared | Path
    made: float
    used: float


class Kept:
    """What was prepared, for all threads of the process; what nobody used for a while goes, with its files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[object, _Entry] = {}

    def get(self, key: object, seconds: float | None = None) -> Prepared | Path | None:
        """What is kept under `key`, unless it is older than `seconds`."""
        now = time.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or (seconds is not None and now - entry.made > seconds):
                return None
            entry.used = now
            return entry.value

    def put(self, key: object, value: Prepared | Path) -> None:
        """Keep a value; over `MOST_KEPT`, let those go that were not used for five minutes."""
        now = time.monotonic()
        with self._lock:
            self._entries[key] = _Entry(value, now, now)
            if len(self._entries) <= MOST_KEPT:
                return
            for old in [old for old, entry in self._entries.items() if now - entry.used > IDLE_SECONDS]:
                gone = self._entries.pop(old).value
                for path in gone.made if isinstance(gone, Prepared) else (gone,):
                    path.unlink(missing_ok=True)


KEPT = Kept()


def prepared(key: object, make: Callable[[Path], Prepared]) -> Prepared:
    """What is kept under `key`, or what `make` makes with a folder for temporary files."""
    found = KEPT.get(key)
    if not isinstance(found, Prepared):
        found = make(Path(_FOLDER.name))
        KEPT.put(key, found)
    return found


def temporary(suffix: str) -> Path:
    """A new empty file in the folder that goes with the process."""
    with NamedTemporaryFile(dir=_FOLDER.name, suffix=suffix, delete=False) as file:
        return Path(file.name)


def downloaded(url: str, ca: str, policy: Policy, deadline: Deadline) -> Path:
    """The content of an https address, at most five minutes old.

    Redirects are followed to https addresses that the policy allows. Raises `SettingsWrong("url")`, `TargetRefused`,
    `Unreachable`, `TooBig`, `Timeout`, `Broken`.
    """
    key = ("url", url, ca)
    found = KEPT.get(key, FRESH_SECONDS)
    if isinstance(found, Path) and found.exists():
        return found
    if not url.lower().startswith("https://"):
        raise SettingsWrong("url", "https_only")
    path = temporary(Path(url.split("?")[0].split("#")[0]).suffix[:16])
    try:
        _fetch(url, ca, policy, deadline, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    KEPT.put(key, path)
    return path


def _fetch(url: str, ca: str, policy: Policy, deadline: Deadline, path: Path) -> None:
    authority = temporary(".pem")
    try:
        authority.write_text(ca)
        with (
            guarded_session(policy, "web") as session,
            session.get(
                url, stream=True, timeout=(10, min(deadline.left, 30)), verify=str(authority) if ca.strip() else True
            ) as answer,
        ):
            if answer.status_code != 200:
                raise SettingsWrong("url", "no_file_there", f"HTTP status {answer.status_code}")
            _write(answer, path, deadline)
    except requests.exceptions.SSLError as problem:
        raise SettingsWrong("url", "certificate_refused") from problem
    except requests.Timeout as problem:
        raise Unreachable("connect_timeout") from problem
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as problem:
        raise SettingsWrong("url", "not_readable") from problem
    except requests.TooManyRedirects as problem:
        raise SettingsWrong("url", "no_file_there") from problem
    except requests.ConnectionError as problem:
        raise Unreachable("connect_failed") from problem
    except (requests.RequestException, OSError) as problem:
        raise Broken("connection_lost") from problem
    finally:
        authority.unlink(missing_ok=True)


def _write(answer: requests.Response, path: Path, deadline: Deadline) -> None:
    written = 0
    with path.open("wb") as file:
        for block in answer.iter_content(BLOCK):
            deadline.check()
            written += len(block)
            if written > MOST_BYTES:
                raise TooBig("bytes", MOST_BYTES)
            file.write(block)
    expected = answer.headers.get("Content-Length", "")
    if expected.isdigit() and "Content-Encoding" not in answer.headers and int(expected) != written:
        raise Broken("connection_lost")


def is_known(path: Path) -> bool:
    """Whether a file of a folder is a table, by its suffix."""
    return path.suffix.lower() in _SUFFIXES and path.is_file() and not path.name.startswith((".", "~$"))


def without_wildcards(path: Path) -> Path:
    """The path, or a link to it where DuckDB would read its name as a pattern for other files."""
    if not set(str(path)) & set("*?[{"):
        return path
    link = Path(_FOLDER.name) / (hashlib.sha256(str(path).encode()).hexdigest() + path.suffix)
    with contextlib.suppress(FileExistsError):
        link.symlink_to(path)
    return link


def kind_of_file(path: Path, asked: str) -> FileKind:
    """What the file is: as asked for, by its suffix, or by its first bytes."""
    if asked == "tsv":
        return "csv"
    if asked in ("csv", "xlsx", "parquet", "jsonl"):
        return asked  # type: ignore[return-value]  # the four words of `FileKind`
    with path.open("rb") as file:
        start = file.read(8).lstrip()
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        return "xlsx"
    return _SUFFIXES.get(path.suffix.lower()) or ("jsonl" if start.startswith(b"{") else "csv")


def as_utf8(path: Path, asked: str) -> Path:
    """The file itself if it is UTF-8, else a recoded copy.

    Without an encoding asked for: the byte order mark, then UTF-8, then a guess by the letters. Raises
    `SettingsWrong("encoding")` where the bytes do not fit, with the place.
    """
    with path.open("rb") as file:
        if not file.read(BLOCK).strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe"):
            raise SettingsWrong("path", "empty_file")
    encoding = asked.strip() or _encoding(path)
    try:
        if codecs.lookup(encoding).name == "utf-8":
            return path
    except LookupError:
        raise SettingsWrong("encoding", "no_such_encoding") from None
    target = temporary(".csv")
    try:
        with path.open(encoding=encoding, newline="") as source, target.open("w", encoding="utf-8", newline="") as copy:
            while text := source.read(BLOCK):
                copy.write(text)
    except UnicodeError as problem:
        target.unlink(missing_ok=True)
        raise SettingsWrong("encoding", "does_not_fit", str(problem)[:300]) from problem
    return target


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(BLOCK)
        for mark, encoding in _MARKS:
            if start.startswith(mark):
                return encoding
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            block = start
            while block:
                decoder.decode(block)
                block = file.read(BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            guess = charset_normalizer.from_bytes(start[:65536], cp_isolation=_GUESSED).best()
            return guess.encoding if guess else "cp1252"
    return "utf-8"
