"""Connections from their creation to their deletion: what analysts do with one, each in one call.

A change is kept here first and then told to the portal. What the portal says against it undoes nothing: it is handed
back as a `PortalRefusal`, and the page of the connection offers to try again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO

from drivers.base import Guards
from egress.errors import TargetError
from errors import ApplicationError, AskUser, PortalRefused, TryLater
from services.bi import datasets
from services.connections.access import Access
from services.connections.call_log import CallLog
from services.connections.connection import Connection
from services.connections.connection_test import ConnectionTest, ConnectionTester
from services.connections.health import Health
from services.connections.portal_sync import PortalContext, PortalSync
from services.connections.repository import ConnectionRepository
from services.connections.table_lists import TableLists
from services.connections.unsaved_uploads import OpenSessions
from services.connections.uploads import Uploads
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient

CHECK_FAILED = frozenset({"SOURCE_CREATE_CONNECTION_ERROR", "SOURCE_UPDATE_CONNECTION_ERROR"})
"""What a portal says if our own `urlCheck` said no, or could not be reached."""


class ConnectionTestFailed(ApplicationError):
    """Nothing was kept, since the settings do not work; `test` says why."""

    def __init__(self, test: ConnectionTest) -> None:
        super().__init__(test.code)
        self.test = test


@dataclass(frozen=True)
class PortalRefusal:
    """What the portal said to a change instead of making it.

    `test` is what a test from here says where the portal says that our own `urlCheck` failed (facts/field 0.5).
    """

    error: AskUser | TryLater
    test: ConnectionTest | None = None


class ConnectionLifecycle:
    """Creates, changes, checks and deletes; settings are those that `connection.checked_settings` gives."""

    def __init__(
        self,
        repository: ConnectionRepository,
        tester: ConnectionTester,
        portal_sync: PortalSync,
        access: Access,
        guards: Guards,
        lists: TableLists,
        call_log: CallLog,
        health: Health,
        uploads: Uploads,
        open_sessions: OpenSessions,
    ) -> None:
        self._repository, self._tester, self._portal_sync = repository, tester, portal_sync
        self._access, self._guards, self._lists = access, guards, lists
        self._call_log, self._health, self._uploads = call_log, health, uploads
        self._open_sessions = open_sessions

    def keep_upload(
        self, portal_id: int, file_name: str, content: IO[bytes], *, session_id: int = 0, instead_of: str = ""
    ) -> str:
        """Keep a file for a form as `Uploads.keep` does; what earlier forms left behind goes first, of all portals."""
        self._uploads.delete_unsaved(self._open_sessions, self._repository.uploads_in_use)
        self._uploads.purge(portal_id, self._repository.uploads_in_use(portal_id))
        return self._uploads.keep(portal_id, file_name, content, session_id=session_id, instead_of=instead_of)

    def create(
        self,
        portal: PortalContext,
        portal_id: int,
        driver: str,
        title: str,
        settings: Mapping[str, str],
        stray_source: int | None = None,
    ) -> tuple[Connection, PortalRefusal | None]:
        """A new connection, and what the portal said against its source.

        Its source is added, unless it is to open `stray_source`, one of `PortalComparison.strays`. Raises
        `ConnectionTestFailed`.
        """
        test = self._test(portal_id, driver, settings)
        self._uploads.save(portal_id, settings.get("path", ""))
        connection, _key = self._repository.add(portal_id, driver, title, settings, proven=True, source_id=stray_source)
        self._call_log.note_test(connection, milliseconds=test.milliseconds)
        tell = self._portal_sync.connect if stray_source is None else self._portal_sync.restore
        return connection, self.attempt(connection, lambda: tell(portal, connection))

    def change(
        self, portal: PortalContext, connection: Connection, title: str, settings: Mapping[str, str]
    ) -> PortalRefusal | None:
        """Keep another title and other settings; a closed connection is connected again.

        Raises `ConnectionTestFailed`.
        """
        test = self._test(connection.portal_id, connection.driver, settings)
        self._uploads.save(connection.portal_id, settings.get("path", ""))
        changed = self._repository.change(connection, title, settings, proven=True)
        self._call_log.note_test(changed, milliseconds=test.milliseconds)
        self._discard_upload(connection, still=settings.get("path", ""))
        if connection.closed:
            return self.attempt(changed, lambda: self._portal_sync.restore(portal, changed))
        if title != connection.title:
            return self.attempt(changed, lambda: self._portal_sync.rename(portal, changed))
        return None

    def delete(self, client: PortalClient, connection: Connection) -> None:
        """Delete a connection here and its source in the portal; raises the portal's errors, `InUse` among them."""
        self._portal_sync.remove(client, connection)
        self._discard_upload(connection)

    def check(self, client: PortalClient, caps: Capabilities, connection: Connection) -> ConnectionTest:
        """Test a connection and keep the outcome as its health; of one that works, note which tables are gone.

        Raises the portal's errors.
        """
        test = self._tester.run(connection.portal_id, connection.driver, connection.settings)
        if test.passed:
            self._repository.prove(connection.id)
            self._note_gone_tables(client, caps, connection)
        failed = {} if test.passed else {"status": 502, "code": test.code, "reason": test.detail}
        self._call_log.note_test(connection, milliseconds=test.milliseconds, **failed)
        return test

    def attempt(self, connection: Connection, change: Callable[[], object]) -> PortalRefusal | None:
        """Make a change in the portal; None once it is made. Only errors that a page can mend become a refusal."""
        try:
            change()
        except (AskUser, TryLater) as error:
            is_our_check = isinstance(error, PortalRefused) and error.code.upper() in CHECK_FAILED
            run = partial(self._tester.run, connection.portal_id, connection.driver, connection.settings)
            return PortalRefusal(error, run() if is_our_check else None)
        return None

    # --- inside

    def _test(self, portal_id: int, driver: str, settings: Mapping[str, str]) -> ConnectionTest:
        test = self._tester.run(portal_id, driver, settings)
        if not test.passed:
            raise ConnectionTestFailed(test)
        return test

    def _discard_upload(self, connection: Connection, still: str = "") -> None:
        """Throw away the uploaded file that a connection read until now, unless it or another one still does."""
        path = connection.settings.get("path", "")
        if path != still and path not in self._repository.uploads_in_use(connection.portal_id):
            self._uploads.discard(connection.portal_id, path)

    def _note_gone_tables(self, client: PortalClient, caps: Capabilities, connection: Connection) -> None:
        """Note which published tables are gone, and which have come back."""
        if connection.source_id is None:
            return
        published = {row.external_code for row in datasets.of_source(client, caps, connection.source_id)}
        health = self._health.tables([connection.id])
        known = {code for code in published if health.is_gone(connection.id, code)}
        try:
            with self._access.page_session(connection, self._guards) as session:
                tables = self._lists.read(connection, session).tables
        except TargetError:
            return
        gone = {code for code in published if not tables.has(code)}
        for table in sorted(gone - known):
            self._call_log.note_test(connection, status=404, code="unknown_table", asked={"table": table})
        for table in sorted(known - gone):
            self._call_log.note_test(connection, asked={"table": table})
