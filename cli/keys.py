"""`flask keys`: the keys that encrypt stored secrets."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from errors import ApplicationError
from services.portals.lost_keys import LostSecrets

group = AppGroup("keys", help="Keys that encrypt stored secrets.")


@group.command("rotate")
def rotate() -> None:
    """Encrypt everything anew that another key than the first of SECRET_KEYS encrypted; the app may keep running."""
    services = current_app.extensions["services"]
    try:
        with services.sessions() as session:
            changed = services.vault.rotate(session)
    except ApplicationError as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"{changed} stored secrets are now encrypted with the first key of SECRET_KEYS.")


@group.command("forget")
@click.argument("key_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what has to be typed again; change nothing.")
def forget(key_id: str, yes: bool, dry_run: bool) -> None:
    """Give up what a key encrypted that is lost for good, and say who has to type what again."""
    lost_keys = current_app.extensions["services"].lost_keys
    try:
        lost = lost_keys.lost(key_id)
        _tell(lost)
        if dry_run:
            return
        if lost.secrets and not yes:
            click.confirm(
                f"Give up these {lost.secrets} secrets? A copy of the key that turns up later opens none", abort=True
            )
        forgotten = lost_keys.forget(key_id)
    except ApplicationError as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"The key {key_id} is forgotten, and with it {forgotten.secrets} stored secrets.")


def _tell(lost: LostSecrets) -> None:
    for member_id in lost.portals:
        click.echo(f"Portal {member_id}: an administrator has to open the app again, and so has everybody who uses it.")
    for each in lost.connections:
        click.echo(
            f"Connection {each.id} “{each.title}” ({each.driver}) of portal {each.member_id}: "
            "all its settings have to be typed again."
        )
    if not lost.secrets:
        click.echo("No stored secret needs this key.")
