"""`flask portals`: the portals that the app knows."""

from __future__ import annotations

import json
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from cli.daily_care import DailyCare
from errors import ApplicationError
from models import Portal
from services.portals.languages import PORTAL_LANGUAGES

group = AppGroup("portals", help="Portals that the app knows.")


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one array of objects.")
def list_portals(as_json: bool) -> None:
    """Show every portal; nothing secret is printed."""
    rows = [_row(portal) for portal in current_app.extensions["services"].installations.all()]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(f"{row['id']}\t{row['member_id']}\t{row['state']}\t{row['domain'] or '-'}")
    if not rows:
        click.echo("No portal has installed the app yet.")


@group.command("add-local")
@click.option("--member-id", required=True, help="The portal's member_id, or any name of its own.")
@click.option(
    "--language",
    type=click.Choice(sorted(PORTAL_LANGUAGES)),
    help="The portal's language, in which dates like 01/02/2025 are read; without it they are refused.",
)
def add_local(member_id: str, language: str | None) -> None:
    """Add a portal without REST, for connectors that are served without the app's pages."""
    if not member_id.isascii() or not member_id.replace("-", "").replace("_", "").isalnum() or len(member_id) > 64:
        raise click.ClickException("A member_id has at most 64 letters, digits, hyphens and underscores.")
    try:
        portal = current_app.extensions["services"].installations.add_local(member_id, language or "")
    except ApplicationError as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"Portal {portal.id} is added.")


@group.command("tend")
@click.option("--dry-run", is_flag=True, help="Change nothing and ask nobody; say what would be deleted.")
def tend(dry_run: bool) -> None:
    """Daily care: keep grants alive, delete dead ones, ended sessions, old records and what removed portals left."""
    care = DailyCare(current_app.extensions["services"])
    if dry_run:
        care.foretell()
    elif not care.run():
        raise click.exceptions.Exit(1)


@group.command("erase")
@click.argument("member_id")
def erase(member_id: str) -> None:
    """Delete everything of a portal now, without quarantine: tokens, connections, uploaded files, records."""
    try:
        known = current_app.extensions["services"].uninstallations.erase(member_id)
    except ApplicationError as problem:
        raise click.ClickException(str(problem)) from None
    if not known:
        raise click.ClickException("There is no portal with this member_id; `flask portals list` shows all.")
    click.echo("All data of the portal are deleted.")


def _row(portal: Portal) -> dict[str, Any]:
    return {
        "id": portal.id,
        "member_id": portal.member_id,
        "domain": portal.domain,
        "state": portal.state,
        "status": portal.status,
        "version": portal.version,
        "language": portal.language,
        "created_at": portal.created_at.isoformat(),
        "uninstalled_at": portal.uninstalled_at.isoformat() if portal.uninstalled_at else None,
    }
