"""Addresses under which people share files, turned into those from which the files themselves come.

What a browser shows under a shared address is a page around the file. Each service has an address beside it that gives
the file: https://developers.google.com/workspace/drive/api/guides/manage-downloads,
https://help.dropbox.com/share/force-download, https://yandex.com/dev/disk-api/doc/en/reference/public,
https://learn.microsoft.com/onedrive/developer/rest-api/api/shares_get. None of them asks for a login where the owner
lets everybody with the address read.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, urlencode, urlsplit, urlunsplit

_SHEET = re.compile(r"/spreadsheets/(?:u/\d+/)?d/(?P<id>(?:e/)?[\w-]+)")
_DRIVE_FILE = re.compile(r"/file/(?:u/\d+/)?d/([\w-]+)")
_YANDEX = re.compile(r"(?:disk\.(?:360\.)?yandex\.[a-z.]+|yadi\.sk)")
_YANDEX_PATH = re.compile(r"(/[di]/[\w-]+)(/.*)?")
#: Answers with the address of the file, as JSON.
YANDEX_API = "cloud-api.yandex.net"


def is_shared(url: str) -> bool:
    """Whether an address is one of a service, whose path names no file."""
    return direct(url) != url and not (urlsplit(url).hostname or "").endswith("dropbox.com")


def direct(url: str) -> str:
    """The address of the file that is shared under an address; the same where it is no such address."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return url
    if parts.scheme != "https":
        return url
    if host == "docs.google.com":
        return _google_sheet(parts) or url
    if host == "drive.google.com":
        return _google_file(parts) or url
    if _YANDEX.fullmatch(host):
        return _yandex(parts) or url
    if host in ("www.dropbox.com", "dropbox.com"):
        return _with(parts, dl="1")
    if host == "1drv.ms":
        token = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
        return f"https://api.onedrive.com/v1.0/shares/u!{token}/root/content"
    if host == "onedrive.live.com" and "resid" in parse_qs(parts.query):
        return urlunsplit(parts._replace(path="/download", fragment=""))
    if host.endswith(".sharepoint.com") and parts.path.startswith("/:"):
        return _with(parts, download="1")
    return url


def address_in(answer: bytes) -> str:
    """The address that an answer of `YANDEX_API` names; empty where it names none."""
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    href = found.get("href") if isinstance(found, dict) else None
    return href if isinstance(href, str) else ""


def _with(parts: SplitResult, **added: str) -> str:
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in added]
    return urlunsplit(parts._replace(query=urlencode([*kept, *added.items()]), fragment=""))


def _google_sheet(parts: SplitResult) -> str:
    found = _SHEET.match(parts.path)
    if found is None or parts.path.endswith(("/export", "/pub")):
        return ""
    gid = (parse_qs(parts.fragment).get("gid") or parse_qs(parts.query).get("gid") or [""])[0]
    published = found["id"].startswith("e/")
    # One sheet as CSV where the address names one, else the whole workbook.
    form = {"output" if published else "format": "csv" if gid else "xlsx"}
    asked = {**form, **({"gid": gid} if gid else {}), **({"single": "true"} if published and gid else {})}
    return f"https://docs.google.com/spreadsheets/d/{found['id']}/{'pub' if published else 'export'}?{urlencode(asked)}"


def _google_file(parts: SplitResult) -> str:
    found = _DRIVE_FILE.match(parts.path)
    asked = parse_qs(parts.query)
    name = found[1] if found else asked.get("id", [""])[0] if parts.path in ("/open", "/uc") else ""
    if not name:
        return ""
    # Large files are given only to those who say that they know them to be unchecked.
    said = {"id": name, "export": "download", "confirm": "t"}
    if "resourcekey" in asked:
        said["resourcekey"] = asked["resourcekey"][0]
    return "https://drive.usercontent.google.com/download?" + urlencode(said)


def _yandex(parts: SplitResult) -> str:
    found = _YANDEX_PATH.fullmatch(parts.path)
    if found is None:
        return ""
    key = f"https://{parts.hostname}{found[1]}"
    inner = f"&path={quote(found[2])}" if found[2] and found[2] != "/" else ""
    return f"https://{YANDEX_API}/v1/disk/public/resources/download?public_key={quote(key, safe='')}{inner}"
