"""The four endpoints of a connector, called exactly as portals call them (facts/biconnector 5).

Bodies are bracketed forms; anything but HTTP 200 with a non-empty body is "no connection"; lists, descriptions and
rows that a portal would refuse are refused. Every call is recorded in the journal with its credentials masked. The
portal's lock is never held while a call is under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from emulator import brackets, json_bodies, outgoing
from emulator.journal import MASK, EndpointCall
from emulator.php_values import is_empty
from emulator.portal import Portal
from emulator.queries import DataQuery
from emulator.records import Column, Connector, Dataset, Source

Answer = TypeVar("Answer")
Endpoint = Literal["urlCheck", "urlTableList", "urlTableDescription", "urlData"]

REDIRECTS = 5
"""How many a portal follows (facts/biconnector 5.2a)."""
PREVIEW_ROWS = 20
PREVIEW_SECONDS = 3600
COLUMN_TYPES = {
    "older": ("int", "string", "double", "date", "datetime"),
    "newer": ("int", "string", "double", "date", "datetime", "money", "timezone"),
}
"""Types of dataset columns by the portal's generation (facts/biconnector 4.7)."""


class EndpointFailure(Exception):
    """What the endpoint did is not what the portal can use; the text says what it was."""


class NoConnection(EndpointFailure):
    """No answer, a slow one, a status other than 200, or an empty body (facts/biconnector 5.2, 5.3)."""


class BadAnswer(EndpointFailure):
    """A 200 whose body the portal refuses (facts/biconnector 5.5-5.7)."""


@dataclass(frozen=True)
class TableItem:
    """A table offered by `urlTableList`; `external_code` is what a dataset made from it keeps."""

    code: str
    title: str
    external_code: str


@dataclass(frozen=True)
class DescribedColumn:
    """A column from `urlTableDescription`, its type already reduced to one that the portal knows."""

    code: str
    name: str
    type: str


@dataclass(frozen=True)
class Rows:
    """Rows of a table under the names in `header`; every row has the header's length."""

    header: list[str]
    rows: list[list[Any]]

    def records(self) -> list[dict[str, Any]]:
        """The rows as maps from name to value."""
        return [dict(zip(self.header, row, strict=True)) for row in self.rows]


class Endpoints:
    """Calls endpoints on behalf of one portal and keeps its cache of previews."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._previews: dict[tuple[int, str, int, tuple[str, ...]], tuple[float, Rows]] = {}

    def check(self, connector: Connector, settings: Mapping[str, str], source_id: int = 0) -> None:
        """Ask `urlCheck` whether `settings` work. Returns if so, raises `NoConnection` if not.

        Any body of a 200 counts as success, also one that says `ERROR` (facts/biconnector 5.2).
        """
        form = {"connection": dict(settings)}
        self._call("urlCheck", connector, connector.url_check, form, source_id, len)

    def tables(self, source: Source, search: str | None = None) -> list[TableItem]:
        """The tables that `urlTableList` offers for a search string, which may be None or empty.

        Raises `NoConnection`, or `BadAnswer` if one item lacks `code` or `title` (facts/biconnector 5.5).
        """
        connector = self._portal.connector(source.connector_id)
        form = {"searchString": search, "connection": values_of(source)}
        return self._call("urlTableList", connector, connector.url_table_list, form, source.id, _read_tables)

    def description(self, source: Source, table: str) -> list[DescribedColumn]:
        """The columns of one table, asked for by its external code.

        Raises `NoConnection`, or `BadAnswer` for an empty list or a column without `code`, `name` or `type`. Types
        are read in any case and unknown ones become `string` (facts/biconnector 4.7, 5.6).
        """
        connector = self._portal.connector(source.connector_id)
        form = {"table": table, "connection": values_of(source)}
        known = COLUMN_TYPES[self._portal.generation]

        def read(body: bytes) -> list[DescribedColumn]:
            return _read_description(body, known)

        return self._call("urlTableDescription", connector, connector.url_table_description, form, source.id, read)

    def preview(self, source: Source, table: str, columns: Sequence[str] = ()) -> Rows:
        """The first 20 rows under the endpoint's own names, from the cache if younger than an hour.

        The request carries `limit` and neither `select` nor `filter` (facts/biconnector 5.8). `columns` are the names
        of the columns as the portal knows them: with source, table and count of rows they are the cache's key. Raises
        `EndpointFailure` once; for an hour the failure then stays in the cache as a preview without rows
        (facts/biconnector 5.8a).
        """
        key, now = (source.id, table, PREVIEW_ROWS, tuple(columns)), self._portal.clock()
        # A new dictionary, since other threads may be looking at the old one.
        fresh = {one: kept for one, kept in self._previews.items() if now - kept[0] < PREVIEW_SECONDS}
        self._previews = fresh
        if key in fresh:
            return fresh[key][1]
        try:
            rows = self._ask_for_rows(source, table, {"limit": PREVIEW_ROWS}, _read_preview)
        except EndpointFailure:
            self._previews[key] = (self._portal.clock(), Rows(list(columns), []))
            raise
        preview = Rows(rows.header, rows.rows[:PREVIEW_ROWS])
        self._previews[key] = (self._portal.clock(), preview)
        return preview

    def data(self, dataset: Dataset, query: DataQuery) -> Rows:
        """The rows of a dataset under its column names, for a chart or a table view.

        Asks with external codes on newer portals and with column names on older ones, with `mapFields` where the
        connector supports mapping (facts/biconnector 5.7a). Raises `EndpointFailure`, also when the header lacks a
        column or a row's length differs from the header's, and `UnknownColumn` for a query that does not fit.
        """
        source = self._portal.source(dataset.source_id)
        connector = self._portal.connector(source.connector_id)
        if not source.active:
            raise NoConnection("The source is not active.")
        columns = query.columns(dataset)
        form: dict[str, Any] = {}
        if query.select is not None:
            newer = self._portal.generation == "newer"
            form["select"] = [column.external_code if newer else column.name for column in columns]
        if conditions := query.filter(dataset, self._portal.language.site_format):
            form["filter"] = conditions
        if query.limit is not None:
            form["limit"] = query.limit
        if connector.support_mapping:
            form["mapFields"] = {column.external_code: column.name for column in columns}

        def read(body: bytes) -> Rows:
            return _under_names(_read_rows(body), columns)

        return self._ask_for_rows(source, dataset.external_code, form, read)

    @property
    def kept_previews(self) -> int:
        """How many previews the cache holds."""
        return len(self._previews)

    def forget_previews(self) -> None:
        """Empty the cache of previews."""
        self._previews = {}

    def _ask_for_rows(self, source: Source, table: str, form: Mapping[str, Any], read: Callable[[bytes], Rows]) -> Rows:
        connector = self._portal.connector(source.connector_id)
        whole = {**form, "connection": values_of(source), "table": table}
        return self._call("urlData", connector, connector.url_data, whole, source.id, read)

    def _call(
        self,
        endpoint: Endpoint,
        connector: Connector,
        url: str,
        form: Mapping[str, Any],
        source_id: int,
        read: Callable[[bytes], Answer],
    ) -> Answer:
        """Post the form, read the body and record how it went."""
        pairs = brackets.encode(form)
        at, begin, failure = self._portal.timestamp(), time.monotonic(), ""
        status, body = 0, b""
        try:
            status, body = self._post(url, pairs)
            _insist_on_success(status, body)
            return read(body)
        except EndpointFailure as problem:
            failure = str(problem)
            raise
        finally:
            self._portal.journal.record(
                EndpointCall(
                    at=at,
                    endpoint=endpoint,
                    connector_id=connector.id,
                    source_id=source_id,
                    url=url,
                    form={name: MASK if name.startswith("connection[") else value for name, value in pairs},
                    status=status,
                    size=len(body),
                    seconds=round(time.monotonic() - begin, 3),
                    failure=failure,
                )
            )

    def _post(self, url: str, pairs: brackets.Pairs) -> tuple[int, bytes]:
        config = self._portal.config
        try:
            return outgoing.post(
                url,
                pairs,
                answer_seconds=config.endpoint_answer_seconds,
                transfer_seconds=config.endpoint_transfer_seconds,
                redirects=REDIRECTS,
            )
        except outgoing.TooSlow as problem:
            if problem.while_answering:
                raise NoConnection("The endpoint did not answer in time.") from None
            raise NoConnection("The transfer of the body took too long.") from None
        except outgoing.Unreachable:
            raise NoConnection("The endpoint could not be reached.") from None


def _insist_on_success(status: int, body: bytes) -> None:
    if status != 200:
        raise NoConnection(f"The endpoint answered with status {status}.")
    if not body:
        raise NoConnection("The endpoint's answer is empty.")


def _read_tables(body: bytes) -> list[TableItem]:
    items = _array(body)
    for item in items:
        if not isinstance(item, dict) or is_empty(item.get("code")) or is_empty(item.get("title")):
            raise BadAnswer("Every table needs a code and a title.")
    return [TableItem(str(item["code"]), str(item["title"]), str(_either(item, "id", "code"))) for item in items]


def _either(item: Mapping[str, Any], first: str, second: str) -> Any:
    """PHP's `??`: the first as soon as it is there, even if it is empty (facts/biconnector 5.5a)."""
    return item[second] if item.get(first) is None else item[first]


def _read_description(body: bytes, known: Sequence[str]) -> list[DescribedColumn]:
    items = _array(body)
    if not items:
        raise BadAnswer("A table needs at least one column.")
    for item in items:
        if not isinstance(item, dict) or any(is_empty(item.get(key)) for key in ("code", "name", "type")):
            raise BadAnswer("Every column needs a code, a name and a type.")
    types = [str(item["type"]).lower() for item in items]
    return [
        DescribedColumn(str(item["code"]), str(item["name"]), kind if kind in known else "string")
        for item, kind in zip(items, types, strict=True)
    ]


def _read_rows(body: bytes) -> Rows:
    items = _array(body)
    if not items or not isinstance(items[0], list):
        raise BadAnswer("The first row must be the header.")
    header = [str(name) for name in items[0]]
    for number, row in enumerate(items[1:], start=1):
        if not isinstance(row, list) or len(row) != len(header):
            raise BadAnswer(f"Row {number} does not have the header's length.")
    return Rows(header, items[1:])


def _read_preview(body: bytes) -> Rows:
    """Rows as `_read_rows` takes them, or none at all: `[]` is an empty preview (facts/biconnector 5.8a)."""
    return _read_rows(body) if _array(body) else Rows([], [])


def _under_names(rows: Rows, columns: Sequence[Column]) -> Rows:
    """The values of `columns` only, found by external code or by name."""
    positions = []
    for column in columns:
        found = [rows.header.index(name) for name in (column.external_code, column.name) if name in rows.header]
        if not found:
            raise BadAnswer(f"The header lacks the column {column.external_code!r}.")
        positions.append(found[0])
    names = [column.name for column in columns]
    return Rows(names, [[row[position] for position in positions] for row in rows.rows])


def values_of(source: Source) -> dict[str, str]:
    """What a source fills in for its connector's settings, by code."""
    return {setting.code: setting.value for setting in source.settings}


def _array(body: bytes) -> list[Any]:
    """The JSON array in `body`, read as strictly as PHP does (facts/biconnector 5.12)."""
    try:
        decoded = json_bodies.decode(body)
    except ValueError:
        raise BadAnswer("The answer is not JSON.") from None
    if not isinstance(decoded, list):
        raise BadAnswer("The answer is not a JSON array.")
    return decoded
