"""A small connector to demonstrate with: the four endpoints over the invented sales data.

Login and password are `demo`; anything else is 403, so that a failed check can be seen. It answers what a portal asks,
completely: search, selection by code, name or mapping, every filter, limit (facts/biconnector 5).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from emulator.context import current_emulator
from emulator.demo_data import DemoTable, tables
from emulator.demo_filter import BadFilter, Reader, comparable
from emulator.incoming import read_parameters

blueprint = Blueprint("demo", __name__, url_prefix="/_demo")

LOGIN = "demo"
PASSWORD = "demo"


class Refused(Exception):
    """The request gets an answer other than 200."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@blueprint.errorhandler(Refused)
def _answer_refused(problem: Refused) -> Response:
    response = jsonify({"error": str(problem)})
    response.status_code = problem.status
    return response


@blueprint.post("/check")
def check() -> Response:
    """`urlCheck`: 200 for the right password, 403 for any other."""
    _authenticated()
    return jsonify({"status": "OK"})


@blueprint.post("/tables")
def table_list() -> Response:
    """`urlTableList`: tables whose code or title contains the search string."""
    search = str(_authenticated().get("searchString") or "").casefold()
    return jsonify(
        [
            {"code": table.code, "title": table.title}
            for table in tables().values()
            if search in table.code.casefold() or search in table.title.casefold()
        ]
    )


@blueprint.post("/description")
def description() -> Response:
    """`urlTableDescription`: the table comes as `table`, in old examples as `name`."""
    table = _table(_authenticated())
    return jsonify([{"code": c.code, "name": c.name, "type": c.type} for c in table.columns])


@blueprint.post("/data")
def data() -> Response:
    """`urlData`: header first, then rows; without `limit` all of them."""
    params = _authenticated()
    table = _table(params)
    resolve = _resolver(table, params.get("mapFields"))
    asked = params.get("select") or [column.code for column in table.columns]
    names = [str(name) for name in (asked.values() if isinstance(asked, Mapping) else asked)]
    positions = [resolve(name) for name in names]
    rows = _matching(table, params, resolve)
    limit = _limit(params)
    shown = [[_written(row[position]) for position in positions] for row in rows]
    return jsonify([names, *(shown if limit is None else shown[:limit])])


def _authenticated() -> Mapping[str, Any]:
    params = read_parameters(request)
    given = params.get("connection")
    connection = given if isinstance(given, dict) else {}
    login, password = str(connection.get("login", "")), str(connection.get("password", ""))
    if login != LOGIN or not hmac.compare_digest(password.encode(), PASSWORD.encode()):
        raise Refused(403, "Wrong login or password.")
    return params


def _table(params: Mapping[str, Any]) -> DemoTable:
    code = str(params.get("table") or params.get("name") or "")
    try:
        return tables()[code]
    except KeyError:
        raise Refused(404, f"There is no table {code!r}.") from None


def _resolver(table: DemoTable, mapping: Any) -> Callable[[str], int]:
    """Finds a column by its code, or by the name that `mapFields` gives to a code."""
    names = {column.code: position for position, column in enumerate(table.columns)}
    if isinstance(mapping, dict):
        names |= {str(name): names[code] for code, name in mapping.items() if code in names}

    def resolve(name: str) -> int:
        try:
            return names[name]
        except KeyError:
            raise Refused(400, f"The table {table.code} has no column {name!r}.") from None

    return resolve


def _matching(table: DemoTable, params: Mapping[str, Any], resolve: Callable[[str], int]) -> list[Any]:
    conditions = params.get("filter") or {}
    reader = Reader(table.columns, resolve, current_emulator().portal.language.site_format)
    try:
        test = reader.group(conditions)
    except BadFilter as problem:
        raise Refused(400, str(problem)) from None
    return [row for row in table.rows if test(comparable(row))]


def _limit(params: Mapping[str, Any]) -> int | None:
    try:
        limit = int(str(params.get("limit") or 0))
    except ValueError:
        raise Refused(400, "The limit is not a number.") from None
    return limit if limit > 0 else None


def _written(value: Any) -> Any:
    """Days and moments in the portal's own notation (facts/biconnector 5.12)."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if isinstance(value, date) else value
