"""Events on their way to handlers: form bodies in bracket notation, one try, the outcome recorded.

Events leave through a queue in the order in which they happened; a handler that does not answer, or answers with an
error status, has lost the event for good (facts/platform 4).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from emulator import brackets, outgoing, tokens
from emulator.journal import Delivery
from emulator.portal import Portal
from emulator.records import Application, EventHandler, Grant, User

Event = Mapping[str, Any]


class Deliveries:
    """The queue of outgoing events and the thread that works it off."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._queue: queue.Queue[tuple[str, Event]] = queue.Queue()
        self._worker: threading.Thread | None = None
        self._lock = threading.Lock()

    def send(self, url: str, event: Event) -> None:
        """Queue an event for one address; `event` is the nested form of `event=...&data[...]=...&auth[...]=...`."""
        with self._lock:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="deliveries", daemon=True)
                self._worker.start()
        self._queue.put((url, event))

    def wait(self) -> None:
        """Return when everything queued so far has been tried."""
        self._queue.join()

    # Lifecycle events (facts/platform 4)

    def application_installed(self, application: Application) -> None:
        """ONAPPINSTALL, to bound handlers and to the address in the version card."""
        data = {
            "VERSION": application.version,
            "ACTIVE": "Y",
            "INSTALLED": "Y" if application.finished else "N",
            "LANGUAGE_ID": self._portal.language.code,
        }
        installer = self._portal.user(application.installed_by)
        bound = [handler.handler for handler in self._bound(application, "ONAPPINSTALL")]
        for address in dict.fromkeys([*bound, application.install_url]):
            grant = tokens.issue(self._portal, application, installer)
            self.send(address, self.event("ONAPPINSTALL", data, self.full_auth(application, grant)))

    def application_updated(self, application: Application, previous_version: int) -> None:
        """ONAPPUPDATE, to bound handlers, with new tokens."""
        data = {
            "VERSION": application.version,
            "PREVIOUS_VERSION": previous_version,
            "LANGUAGE_ID": self._portal.language.code,
        }
        for handler in self._bound(application, "ONAPPUPDATE"):
            grant = tokens.issue(self._portal, application, self._portal.user(application.installed_by))
            self.send(handler.handler, self.event("ONAPPUPDATE", data, self.full_auth(application, grant), handler))

    def system_user_ready(self, application: Application, system_user: User) -> None:
        """ONAPPUSERREADY, to the installer's address: the system user's tokens in `data`, the installer's in `auth`."""
        grant = tokens.issue(self._portal, application, system_user)
        data = {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "expires_in": tokens.ACCESS_SECONDS,
            "scope": ",".join(grant.scope),
            "domain": self._authorization_server,
            "server_endpoint": self._portal.server_endpoint,
            "client_endpoint": self._portal.client_endpoint,
            "member_id": self._portal.member_id,
            "user_id": system_user.id,
            "client_id": application.client_id,
            "status": application.status,
            "LANGUAGE_ID": self._portal.language.code,
        }
        installer = self._portal.user(application.installed_by)
        auth = self.full_auth(application, tokens.issue(self._portal, application, installer))
        event = {**self.event("ONAPPUSERREADY", data, auth), "event_handler_id": self._portal.next_id("event_handler")}
        self.send(application.install_url, event)

    def application_removed(self, application: Application, handlers: Sequence[EventHandler], *, clean: bool) -> None:
        """ONAPPUNINSTALL, to the handlers that were bound until now; it carries no tokens."""
        data = {"LANGUAGE_ID": self._portal.language.code, "CLEAN": 1 if clean else 0}
        for handler in handlers:
            if handler.event == "ONAPPUNINSTALL":
                self.send(handler.handler, self.event("ONAPPUNINSTALL", data, self.bare_auth(application)))

    def payment_changed(self, application: Application) -> None:
        """ONAPPPAYMENT, to bound handlers; documented without `application_token`."""
        data = {
            "CODE": application.code,
            "VERSION": application.version,
            "STATUS": application.status,
            "PAYMENT_EXPIRED": "Y" if application.payment_required else "N",
            "DAYS": 0,
            "LANGUAGE_ID": self._portal.language.code,
        }
        auth = {key: value for key, value in self.bare_auth(application).items() if key != "application_token"}
        for handler in self._bound(application, "ONAPPPAYMENT"):
            self.send(handler.handler, self.event("ONAPPPAYMENT", data, auth, handler))

    def deliver(self, application: Application, name: str, data: Event, user: User) -> int:
        """Any bound event; answers to how many handlers it goes. Nothing leaves before `installFinish`."""
        handlers = self._bound(application, name)
        for handler in handlers:
            grant = tokens.issue(self._portal, application, user)
            self.send(handler.handler, self.event(name, data, self.full_auth(application, grant), handler))
        return len(handlers)

    # Parts of an event

    def addresses(self, application: Application, name: str) -> list[str]:
        """Where an event would go: to its bound handlers, or to the installer's address where none is bound."""
        return [handler.handler for handler in self._bound(application, name)] or [application.install_url]

    def event(self, name: str, data: Event, auth: Event, handler: EventHandler | None = None) -> dict[str, Any]:
        """The event's top level; lifecycle events come without `event_handler_id`."""
        head: dict[str, Any] = {"event": name}
        if handler is not None:
            head["event_handler_id"] = handler.id
        return {**head, "data": data, "ts": int(self._portal.clock()), "auth": auth}

    def full_auth(self, application: Application, grant: Grant) -> dict[str, Any]:
        """The `auth` part of an event that carries tokens."""
        return {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "expires": int(grant.expires_at),
            "expires_in": tokens.ACCESS_SECONDS,
            "scope": ",".join(grant.scope),
            "status": application.status,
            "user_id": grant.user_id,
            **self.bare_auth(application),
        }

    def bare_auth(self, application: Application) -> dict[str, Any]:
        """The `auth` part of an event without tokens."""
        return {
            "domain": self._portal.domain,
            "server_endpoint": self._portal.server_endpoint,
            "client_endpoint": self._portal.client_endpoint,
            "member_id": self._portal.member_id,
            "application_token": application.application_token,
        }

    @property
    def _authorization_server(self) -> str:
        return self._portal.server_endpoint.removesuffix("/rest/").split("://", 1)[1]

    def _bound(self, application: Application, event: str) -> list[EventHandler]:
        """Handlers that get the event: none before `installFinish`, although `event.bind` succeeded."""
        if not application.finished:
            return []
        with self._portal.lock:
            return [
                handler
                for handler in self._portal.state.event_handlers
                if handler.client_id == application.client_id and handler.event == event
            ]

    def _work(self) -> None:
        while True:
            url, event = self._queue.get()
            try:
                self._portal.journal.record(self._post(url, event))
            finally:
                self._queue.task_done()

    def _post(self, url: str, event: Event) -> Delivery:
        at, name = self._portal.timestamp(), str(event["event"])
        seconds = self._portal.config.delivery_seconds
        try:
            status, _body = outgoing.post(url, brackets.encode(event), answer_seconds=seconds, transfer_seconds=seconds)
        except (outgoing.Unreachable, outgoing.TooSlow) as problem:
            return Delivery(at, name, url, 0, type(problem).__name__)
        failure = "" if status < 400 else f"HTTP {status}"
        return Delivery(at, name, url, status, failure)
