"""`flask connections`: hosted connections from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import click
from flask import current_app
from flask.cli import AppGroup

from drivers import catalogue
from drivers.base import Field
from egress.errors import TargetError
from errors import InvalidInput
from sentences.lookup import sentence
from services.connections.connection import Connection
from services.connections.operators import IssuedKey, OperatorConnections
from services.contract.names import NameRefused
from services.publishing.contract_report import ContractReports, TableReport

Answer = TypeVar("Answer")

group = AppGroup("connections", help="Databases and files that portals read through the app.")


@group.command("add")
@click.option("--portal", "member_id", required=True, help="The portal's member_id.")
@click.option("--driver", required=True, help="One of: " + ", ".join(sorted(catalogue.DRIVERS)) + ".")
@click.option("--title", required=True, help="What people call the connection.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting of the driver; may be repeated.")
def add(member_id: str, driver: str, title: str, given: tuple[str, ...]) -> None:
    """Add a connection; its key and addresses are printed this once, as one JSON object."""
    try:
        _print_issued(_connections().add(member_id, driver, title, _settings(given)))
    except InvalidInput as problem:
        raise _complaint(problem) from None


@group.command("drivers")
def list_drivers() -> None:
    """Show every driver with its settings, for `flask connections add`."""
    for driver in catalogue.DRIVERS.values():
        click.echo(f"{driver.name}\t{driver.label}{'' if driver.proven else ' (unproven)'}")
        for declared in driver.fields:
            click.echo(f"  {declared.code}\t{_told(declared)}")


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one array of objects.")
def list_connections(as_json: bool) -> None:
    """Show every connection; nothing secret is printed."""
    rows = [_row(connection) for connection in _connections().all()]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        lost = "\tits settings have to be typed again" if row["lost"] else ""
        click.echo(f"{row['id']}\t{row['portal']}\t{row['driver']}\t{row['title']}{lost}")
    if not rows:
        click.echo("There is no connection yet.")


@group.command("rotate")
@click.argument("connection_id", type=int, metavar="ID")
def rotate(connection_id: int) -> None:
    """Give a connection a new key and print it; the former one opens for another day."""
    connections = _connections()
    try:
        issued = connections.mint(connection_id)
        _print_issued(issued)
        connections.confirm(issued)
    except InvalidInput as problem:
        raise _complaint(problem) from None


@group.command("remove")
@click.argument("connection_id", type=int, metavar="ID")
def remove(connection_id: int) -> None:
    """Forget a connection with its credentials; its keys open nothing from now on."""
    try:
        _connections().remove(connection_id)
    except InvalidInput as problem:
        raise _complaint(problem) from None
    click.echo(f"Connection {connection_id} is removed.")


@group.command("contract")
@click.argument("connection_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
def show_contract(connection_id: int, as_json: bool) -> None:
    """Show under which names and types tables were published, and what is wrong with them today."""
    reports = _asked(connection_id, _reports().report)
    if as_json:
        tables = [asdict(report) for report in reports]
        click.echo(json.dumps({"connection": connection_id, "tables": tables}, ensure_ascii=False, indent=2))
        return
    for report in reports:
        _print_contract(report)
    if not reports:
        click.echo("Nothing of this connection was described or published yet.")


@group.command("accept")
@click.argument("connection_id", type=int, metavar="ID")
@click.argument("table")
def accept_contract(connection_id: int, table: str) -> None:
    """Take the columns that TABLE has today as its contract; names that were given out stay taken."""
    _print_contract(_asked(connection_id, lambda connection: _reports().accept(connection, table)))


def _asked(connection_id: int, ask: Callable[[Connection], Answer]) -> Answer:
    try:
        return ask(_connections().get(connection_id))
    except InvalidInput as problem:
        raise _complaint(problem) from None
    except NameRefused as problem:
        raise click.ClickException(f"There is no table {problem.name} ({problem.code}).") from None
    except TargetError as problem:
        raise click.ClickException(f"The database could not be asked ({problem.code}).") from None


def _print_contract(report: TableReport) -> None:
    click.echo(f"{report.code}\t{report.table}\t{report.problem}".rstrip())
    for column in report.columns:
        change = f"{column.problem}, {column.now} today" if column.problem == "type_changed" else column.problem
        click.echo(f"  {column.code}\t{column.name}\t{column.type}\t{change}".rstrip())


def _reports() -> ContractReports:
    reports: ContractReports = current_app.extensions["services"].contract_reports
    return reports


def _connections() -> OperatorConnections:
    connections: OperatorConnections = current_app.extensions["services"].connections
    return connections


def _settings(given: tuple[str, ...]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise click.ClickException("--set takes NAME=VALUE.")
        if name in settings:
            raise click.ClickException(f"--set names {name} twice.")
        settings[name] = value
    return settings


def _told(declared: Field) -> str:
    """What a setting is, what it may be, and what it is if nothing is given."""
    needed = ", ".join(["required"] * declared.required + ["secret"] * (declared.kind == "secret"))
    possible = "; ".join(
        [f"one of {', '.join(declared.choices)}"] * bool(declared.choices)
        + [f"without it {declared.default}"] * bool(declared.default)
    )
    sentences = (declared.label, declared.hint, needed.capitalize(), possible[:1].upper() + possible[1:])
    return " ".join(f"{sentence.removesuffix('.')}." for sentence in sentences if sentence)


def _print_issued(issued: IssuedKey) -> None:
    click.echo(json.dumps({"id": issued.id, "key": issued.key, "urls": dict(issued.urls)}))


def _row(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "portal": connection.connector.member_id,
        "driver": connection.driver,
        "title": connection.title,
        "settings": connection.shown_settings,
        "lost": connection.lost,
        "created_at": connection.created_at.isoformat(),
    }


def _complaint(problem: InvalidInput) -> click.ClickException:
    lines = [f"{each.field.removeprefix('settings-')}: {sentence(each)}" for each in problem.problems]
    return click.ClickException("\n".join(lines))
