"""Daily care, as `flask portals tend` runs it: what it keeps alive, what it deletes, and what it says of that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import click

from errors import ApplicationError
from models import note_care, now
from services.connections.upload_owner import Belonging
from services.connections.upload_trash import LeftFile
from services.portals.uninstallations import Leaving
from services.wiring import Services

LONGEST_PAUSE = timedelta(days=3)
"""After a longer one the clock, the timer or the database may be wrong; a restored database tells of one as well."""
REASONS = {
    "removed": "its app was removed long ago",
    "silent": "no sign of life for 180 days",
    "erasure": "it asked for that when it removed the app",
    "logins": "passwords and keys only: its app was removed, which nobody could confirm",
}


class DailyCare:
    """One run; prints a line for each portal and file that is deleted or thrown away, and the counts of the rest."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def foretell(self) -> None:
        """Say what a run would delete; nothing is changed, and nobody is asked."""
        services = self._services
        self._tell_leaving("Would be deleted", services.uninstallations.due())
        self._tell_files("Would be moved to the trash", services.uploads.left_over(services.repository.portals()))
        self._tell_files("Would be deleted from the trash", services.uploads.trash.due())
        self._tell_files("Would be deleted, never saved", services.uploads.unsaved(services.user_sessions.still_open))
        click.echo(
            f"{services.tokens.count_dead()} dead grants, {services.user_sessions.count_ended()} ended sessions and "
            f"{services.call_log.count_old()} old records of calls would be deleted."
        )
        if services.uploads.owner.belonging() in (Belonging.FOREIGN, Belonging.UNMARKED):
            click.echo("No file would be touched: the folder of uploads is not known to belong to this database.")

    def run(self) -> bool:
        """Do all of it; False if files could not be cared for, which is said on standard error."""
        services = self._services
        if carried_out := services.lifecycle.catch_up():
            click.echo(f"{carried_out} removals that came while the database was away are carried out.")
        if removed := services.tokens.check.settle():
            click.echo(f"{removed} portals have removed the app without telling.")
        renewed, failed = services.tokens.keep_alive()
        dead, deleted = self._delete_by_age()
        ended = services.user_sessions.forget_ended()
        services.call_log.purge()
        services.budgets.purge()
        cared = self._care_for_files()
        click.echo(
            f"{renewed} grants renewed, {failed} failed; "
            f"{dead} dead grants, {ended} ended sessions and data of {deleted} portals deleted."
        )
        return cared

    def _delete_by_age(self) -> tuple[int, int]:
        """Dead grants and portals that are deleted since time has passed; none after a pause of care."""
        services = self._services
        moment, due = now(), services.uninstallations.due()
        before = note_care(services.sessions, moment)
        if not _is_regular(before, moment):
            if due or services.tokens.count_dead():
                last = f"last ran at {before.isoformat()}" if before else "has never run"
                click.echo(
                    f"Daily care {last} by this database and clock, so nothing of portals is deleted this time. "
                    "`flask portals tend --dry-run` shows what the next run deletes."
                )
            return 0, 0
        self._tell_leaving("Deleted", due)
        return services.tokens.forget_dead(), services.uninstallations.purge()

    def _care_for_files(self) -> bool:
        services, uploads = self._services, self._services.uploads
        portals = services.repository.portals()
        try:
            if uploads.owner.belonging() is Belonging.UNMARKED and uploads.recognised(
                {portal_id: services.repository.uploads_in_use(portal_id) for portal_id in portals}
            ):
                uploads.owner.claim()
            self._tell_files("Moved to the trash", uploads.keep_only(portals))
            uploads.owner.require()
            self._tell_files("Deleted from the trash", uploads.trash.empty())
            unsaved = uploads.delete_unsaved(services.user_sessions.still_open, services.repository.uploads_in_use)
            self._tell_files("Deleted, never saved", unsaved)
            for portal_id in portals:
                uploads.purge(portal_id, services.repository.uploads_in_use(portal_id))
        except (ApplicationError, OSError) as problem:
            click.echo(f"Uploaded files that are left over stay where they are. {problem}", err=True)
            return False
        return True

    def _tell_leaving(self, what: str, leaving: Iterable[Leaving]) -> None:
        for each in leaving:
            files = len(self._services.uploads.files_of(each.portal_id)) if each.why != "logins" else 0
            click.echo(f"{what}: portal {each.member_id}, {files} uploaded files ({REASONS[each.why]})")

    def _tell_files(self, what: str, files: Iterable[LeftFile]) -> None:
        for file in files:
            click.echo(f"{what}: {file.path}, {file.bytes} bytes")


def _is_regular(before: datetime | None, moment: datetime) -> bool:
    return before is not None and timedelta(0) <= moment - before <= LONGEST_PAUSE
