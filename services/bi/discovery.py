"""What a source of a foreign connector offers: tables and columns, asked of its endpoints as portals ask them.

Bodies are bracketed forms that carry the values of the source's settings (facts/biconnector 5.1), which portals tell in
plain text; so no exception of an HTTP library leaves this module, and log lines name the host only. Whoever runs the
endpoints is a stranger: addresses pass the egress guard, time and size are limited, answers are read with suspicion.
"""

from __future__ import annotations

import json
import logging
import time
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from egress.deadline import Deadline
from egress.errors import TargetRefused, Timeout
from egress.http import body_of, guarded_session
from egress.policy import Policy
from errors import ApplicationError
from services.bi.connectors import Connector
from services.bi.sources import Source
from services.contract.names import column_codes
from services.portal_api import USER_AGENT, Transport
from services.portal_api.client import php_query

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
READ_SECONDS = 15.0
BODY_LIMIT = 2 * 1024 * 1024
REDIRECTS = 5
SENT_AGAIN, BY_GET = (301, 307, 308), (302, 303)
"""Redirects that portals follow, so many of them: with the same POST, or with a GET (facts/biconnector 5.2a)."""
UNREADABLE = frozenset({"Cc", "Cs"})
"""Control characters and halves of pairs: neither a page nor the portal could show them."""


class NotDiscovered(ApplicationError):
    """The source's endpoint gives nothing that can be used.

    Codes: `endpoint_refused` (an address that the app may not call), `endpoint_unreachable`, `endpoint_tls`,
    `endpoint_timeout`, `endpoint_status` (anything but 200 with a body, facts/biconnector 5.2), `endpoint_too_big`,
    `endpoint_bad_answer` (what portals refuse as well, facts/biconnector 5.5 and
    5.6).
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class DiscoveredTable:
    """A table of the source; `external_code` is what a dataset keeps of it (facts/biconnector 5.5)."""

    code: str
    title: str
    external_code: str


@dataclass(frozen=True)
class DiscoveredColumn:
    """A column of the source; `name` is a valid name for it in the portal, `type` one that the portal knows."""

    code: str
    name: str
    type: str


class Discovery:
    """Asks endpoints what they offer, one connection a question; `connect` and `read` are seconds."""

    def __init__(
        self, policy: Policy, transport: Transport, *, connect: float = CONNECT_SECONDS, read: float = READ_SECONDS
    ) -> None:
        self._policy, self._is_allowed = policy, transport.is_allowed
        self._connect, self._read = connect, read

    def tables(self, source: Source, connector: Connector, search: str = "") -> tuple[DiscoveredTable, ...]:
        """The tables whose code or title the endpoint finds to hold `search`; raises `NoOffer`."""
        form = {"searchString": search, "connection": _values(source)}
        items = _items(self._ask(connector.url_table_list, form))
        return tuple(_table(item) for item in items)

    def columns(
        self, source: Source, connector: Connector, table: str, types: Collection[str]
    ) -> tuple[DiscoveredColumn, ...]:
        """The columns of the table with an external code; a type that is not among `types` is `string`
        (facts/biconnector 4.7). Raises `NoOffer`, also for a table without columns.
        """
        form = {"table": table, "connection": _values(source)}
        items = _items(self._ask(connector.url_table_description, form))
        if not items:
            raise NotDiscovered("endpoint_bad_answer")
        codes = [_code(item, "code") for item in items]
        kinds = [(_title(item, "name"), _code(item, "type").lower())[1] for item in items]
        return tuple(
            DiscoveredColumn(code, name, kind if kind in types else "string")
            for code, name, kind in zip(codes, column_codes(codes), kinds, strict=True)
        )

    def _ask(self, url: str, form: Mapping[str, Any]) -> bytes:
        """Post the form and give back the body of a 200; one log line, whatever comes of it."""
        started, outcome = time.monotonic(), "ok"
        try:
            return self._post(url, form)
        except NotDiscovered as problem:
            outcome = problem.code
            raise
        finally:
            spent = round((time.monotonic() - started) * 1000)
            log.info("asked the endpoint of a source at %s: %s, %s ms", _host(url), outcome, spent)

    def _post(self, url: str, form: Mapping[str, Any]) -> bytes:
        if not self._is_allowed(url):
            raise NotDiscovered("endpoint_refused")
        deadline = Deadline(self._connect + self._read)
        code = "endpoint_unreachable"
        try:
            with guarded_session(self._policy, "portal") as session, deadline:
                return self._answer(session, url, form, deadline)
        except TargetRefused:
            code = "endpoint_refused"
        except (Timeout, requests.Timeout, urllib3.exceptions.TimeoutError):
            code = "endpoint_timeout"
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError):
            code = "endpoint_tls"
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            code = "endpoint_timeout" if deadline.is_over else "endpoint_unreachable"
        # Raised outside the handlers, so that no library exception, which quotes requests, stays attached to it.
        raise NotDiscovered(code)

    def _answer(self, session: requests.Session, url: str, form: Mapping[str, Any], deadline: Deadline) -> bytes:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": USER_AGENT,
        }
        times = (self._connect, self._read)
        method, sent, body = "POST", php_query(form), b""
        for left in range(REDIRECTS, -1, -1):
            with session.request(
                method, url, headers=headers, data=sent, timeout=times, allow_redirects=False, stream=True
            ) as response:
                place = response.headers.get("Location", "") if left else ""
                if response.status_code == requests.codes.ok:
                    body = body_of(response, BODY_LIMIT, deadline)
                    break
                if not place or response.status_code not in (*SENT_AGAIN, *BY_GET):
                    raise NotDiscovered("endpoint_status")
            url = urljoin(url, place)
            if not self._is_allowed(url):
                raise NotDiscovered("endpoint_refused")
            if response.status_code in BY_GET:
                method, sent = "GET", ""
                headers.pop("Content-Type", None)
        if len(body) > BODY_LIMIT:
            raise NotDiscovered("endpoint_too_big")
        if not body:
            raise NotDiscovered("endpoint_status")
        return body


def _values(source: Source) -> dict[str, str]:
    return {setting.code: setting.value for setting in source.settings}


def _items(body: bytes) -> list[Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise NotDiscovered("endpoint_bad_answer") from None
    if not isinstance(found, list):
        raise NotDiscovered("endpoint_bad_answer")
    return found


def _table(item: Any) -> DiscoveredTable:
    code = _code(item, "code")
    return DiscoveredTable(code, _title(item, "title"), _word(item, "id") if item.get("id") not in (None, "") else code)


def _code(item: Any, key: str) -> str:
    """A word that portals do not take for empty."""
    if _is_empty(word := _word(item, key)):
        raise NotDiscovered("endpoint_bad_answer")
    return word


def _word(item: Any, key: str) -> str:
    """A word that goes back to the endpoint as it is; numbers count as words."""
    value = item.get(key) if isinstance(item, Mapping) else None
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or text != text.strip() or any(unicodedata.category(letter) in UNREADABLE for letter in text):
        raise NotDiscovered("endpoint_bad_answer")
    return text


def _title(item: Any, key: str) -> str:
    """Words for people, in one line."""
    value = item.get(key) if isinstance(item, Mapping) else None
    text = " ".join(str(value).split()) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if _is_empty(text) or any(unicodedata.category(letter) in UNREADABLE for letter in text):
        raise NotDiscovered("endpoint_bad_answer")
    return text


def _is_empty(text: str) -> bool:
    """What PHP takes for empty, and portals refuse whole lists for (facts/biconnector 5.5a)."""
    return text in ("", "0")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "-"
    except ValueError:
        return "-"
