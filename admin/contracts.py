"""The contract of a table: what was published of it, what is there today, and today's columns taken as the contract."""

from __future__ import annotations

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import blueprint
from admin.access import analysts_only
from egress.errors import TargetError
from sentences import questions
from sentences.choices import column_type
from services.connections.connection import Connection
from services.contract.names import NameRefused
from services.publishing.contract_report import TableReport
from web.answers import page_at, question_page, same_place
from web.session import current_session, form_once, services, submitted


@blueprint.route("/connections/<int:connection_id>/contracts/<path:name>", methods=["GET", "POST"])
@analysts_only
def table_contract(connection_id: int, name: str) -> ResponseReturnValue:
    """Published names, real names and types of a table's columns, and what is wrong with them today."""
    return _contract_page(_connection(connection_id), name)


@blueprint.route("/connections/<int:connection_id>/accepted-contracts/<path:name>", methods=["GET", "POST"])
@analysts_only
def accept_contract(connection_id: int, name: str) -> ResponseReturnValue:
    """Ask before today's columns of a table become its contract, and take them."""
    connection = _connection(connection_id)
    back = url_for("admin.table_contract", connection_id=connection.id, name=name)
    try:
        if not submitted():
            report = services().contract_reports.table(connection, name)
            if report is None or report.problem:
                return _contract_page(connection, name)
            question = questions.of_contract(report.table, _changes(report))
            action = url_for("admin.accept_contract", connection_id=connection.id, name=name)
            return question_page(question, action, report.table, back)
        with form_once() as use:
            if use.outcome is None:
                code = services().contract_reports.accept(connection, name).code
                use.done(url_for("admin.table_contract", connection_id=connection.id, name=code))
    except (TargetError, NameRefused) as error:
        return _contract_page(connection, name, error)
    return page_at(use.outcome or back, _("Today's columns are the contract now."))


def _connection(connection_id: int) -> Connection:
    return services().repository.get(current_session().portal_id, connection_id)


def _contract_page(
    connection: Connection, name: str, problem: TargetError | NameRefused | None = None
) -> ResponseReturnValue:
    report = None
    if problem is None:
        try:
            report = services().contract_reports.table(connection, name)
        except TargetError as error:
            problem = error
    page = render_template(
        "connections/contract.html", connection=connection, name=name, report=report, problem=problem
    )
    return same_place(page, 404 if report is None and problem is None else 200)


def _changes(report: TableReport) -> str:
    """The columns that charts would see in another type, in words."""
    return "; ".join(
        _(
            "%(name)s: %(before)s before, %(now)s today",
            name=row.code,
            before=column_type(row.type),
            now=column_type(row.now),
        )
        for row in report.columns
        if row.problem == "type_changed" and row.now
    )
