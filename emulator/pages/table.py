"""A table of the hub: what it is, its preview, and a report with filters, a chart and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from emulator.context import current_emulator
from emulator.endpoints import EndpointFailure, Rows
from emulator.pages import chart as drawing
from emulator.pages.access import for_analysts
from emulator.pages.digits import evened
from emulator.pages.groups import AGGREGATIONS, GRAINS, Aggregation, Grouping, group_rows
from emulator.pages.layout import page_address, say
from emulator.pages.outcome import Outcome, preview_of
from emulator.pages.report import COMPARISONS, DATE_TYPES, NUMBER_TYPES, Line, Report, read_report
from emulator.records import Column, Connector, Dataset, Source

blueprint = Blueprint("table", __name__, url_prefix="/bi/table")
for_analysts(blueprint)

PAGE_ROWS = 50
MAX_LINES = 20
CHART_TITLES: dict[Aggregation, str] = {
    "sum": "Sum of {measure} by {dimension}",
    "avg": "Average of {measure} by {dimension}",
    "count": "Number of rows by {dimension}",
}


@dataclass(frozen=True)
class Drawn:
    """A chart with the numbers behind it."""

    chart: drawing.Chart
    grouping: Grouping
    title: str
    number: drawing.Writer


@blueprint.get("/<int:table_id>")
def show(table_id: int) -> str:
    """Description and preview, or with `view=report` the report."""
    dataset, source, connector = _found(table_id)
    if request.args.get("view") == "report":
        return _report_page(dataset, source, connector)
    types = {name: column.type for column in dataset.columns for name in (column.name, column.external_code)}
    return render_template(
        "portal/table.html",
        dataset=dataset,
        source=source,
        connector=connector,
        view="overview",
        outcome=preview_of(source, dataset.external_code, [column.name for column in dataset.columns]),
        number_types=NUMBER_TYPES,
        types=types,
        synchronised=request.args.get("synchronised") == "1",
    )


@blueprint.post("/<int:table_id>/synchronise")
def synchronise(table_id: int) -> AnyResponse:
    """ "Synchronise with source": forget the cached previews and ask again."""
    _found(table_id)
    current_emulator().endpoints.forget_previews()
    return redirect(page_address("pages.table.show", table_id=table_id, synchronised="1"), 303)


def _found(table_id: int) -> tuple[Dataset, Source, Connector]:
    portal = current_emulator().portal
    with portal.lock:
        dataset = portal.dataset(table_id)
        source = portal.source(dataset.source_id)
        return dataset, source, portal.connector(source.connector_id)


def _report_page(dataset: Dataset, source: Source, connector: Connector) -> str:
    columns = [column for column in dataset.columns if column.visible]
    report = read_report(request.args, columns)
    outcome = _rows(dataset, report) if report.valid else None
    rows = outcome.rows if outcome else None
    types = {column.name: column.type for column in columns}
    return render_template(
        "portal/report.html",
        dataset=dataset,
        source=source,
        connector=connector,
        view="report",
        columns=columns,
        report=report,
        lines=_shown_lines(report),
        comparisons=list(COMPARISONS.values()),
        grains=GRAINS,
        aggregations=AGGREGATIONS,
        date_types=DATE_TYPES,
        number_types=NUMBER_TYPES,
        types=types,
        outcome=outcome,
        drawn=_draw(rows, report, columns) if rows is not None and rows.rows else None,
        page=_page(rows, types),
    )


def _shown_lines(report: Report) -> list[Line]:
    """The typed lines, and an empty one at first and on request."""
    lines = list(report.lines)
    if not lines or ("add" in request.args and len(lines) < MAX_LINES):
        lines.append(Line())
    return lines


def _rows(dataset: Dataset, report: Report) -> Outcome:
    try:
        return Outcome(current_emulator().endpoints.data(dataset, report.query()))
    except EndpointFailure as problem:
        return Outcome(None, str(problem))


def _draw(rows: Rows, report: Report, columns: list[Column]) -> Drawn:
    sentences, choice = say(), report.chart
    types = {column.name: column.type for column in columns}
    grain = choice.grain if types.get(choice.dimension) in DATE_TYPES else None
    grouping = group_rows(rows.records(), choice.dimension, choice.measure, choice.aggregation, grain)

    def name(label: str | None) -> str:
        return sentences("(empty)") if label is None else label

    chart = drawing.draw(grouping.groups, choice.kind, ordered=grain is not None, numbers=sentences.numbers, name=name)
    title = sentences(CHART_TITLES[choice.aggregation], measure=choice.measure, dimension=choice.dimension)
    return Drawn(chart, grouping, title, sentences.numbers([group.value for group in grouping.groups]))


def _page(rows: Rows | None, types: Mapping[str, str]) -> dict[str, Any]:
    """Which of the rows that came are on this page; the request itself is never limited by it."""
    total = len(rows.rows) if rows else 0
    last = max((total - 1) // PAGE_ROWS + 1, 1)
    number = min(max(request.args.get("page", 1, type=int), 1), last)
    start = (number - 1) * PAGE_ROWS
    kept = [(key, value) for key, value in request.args.items(multi=True) if key not in ("page", "add")]
    return {
        "number": number,
        "last": last,
        "total": total,
        "first_row": start + 1 if total else 0,
        "last_row": min(start + PAGE_ROWS, total),
        "rows": evened(rows, types)[start : start + PAGE_ROWS] if rows else [],
        "query": kept,
    }
