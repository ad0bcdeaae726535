"""The application with a portal that was added by hand, and its four endpoints called as portals call them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import assemble
from models import Base, EndpointCall
from services.connections.operators import IssuedKey
from services.wiring import Services
from tests.doors import settings_for
from tests.gateway.bodies import FORM, form_body

MEMBER_ID = "local-portal"


@dataclass(frozen=True)
class Connected:
    """A hosted connection and its endpoints."""

    app: Flask
    issued: IssuedKey

    def call(
        self, url: str, fields: Mapping[str, Any] | None = None, *, key: str | None = None, source: str = "192.0.2.1"
    ) -> TestResponse:
        """POST a bracketed form with the connection's key to one of `issued.urls`."""
        body = {**(fields or {}), "connection": {"key": self.issued.key if key is None else key}}
        return self.post(urlsplit(self.issued.urls[url]).path, form_body(body), FORM, source)

    def post(self, path: str, body: bytes, content_type: str, source: str = "192.0.2.1") -> TestResponse:
        """POST anything anywhere."""
        client = self.app.test_client(use_cookies=False)
        # Buffered, the answer is read and closed as servers do, and the call recorded.
        return client.post(
            path, data=body, content_type=content_type, environ_base={"REMOTE_ADDR": source}, buffered=True
        )

    def data(self, **fields: Any) -> list[list[Any]]:
        """Header and rows of `urlData`; fails unless it is a 200."""
        answer = self.call("urlData", fields)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.content_length == len(answer.data)
        rows: list[list[Any]] = json.loads(answer.data)
        assert {len(row) for row in rows} == {len(rows[0])}
        return rows


@dataclass(frozen=True)
class Host:
    """A running application."""

    app: Flask

    @property
    def services(self) -> Services:
        """The application's services."""
        services: Services = self.app.extensions["services"]
        return services

    def connect(self, driver: str, settings: Mapping[str, str], member_id: str = MEMBER_ID) -> Connected:
        """Add a connection."""
        return Connected(self.app, self.services.connections.add(member_id, driver, "Orders", settings))

    def calls(self) -> list[EndpointCall]:
        """What was recorded, oldest first."""
        with self.services.sessions() as session:
            return list(session.scalars(select(EndpointCall).order_by(EndpointCall.id)))


@contextlib.contextmanager
def hosting(folder: Path, **given: Any) -> Iterator[Host]:
    """An application whose databases are on this machine and whose local files are in `folder`."""
    # As fast as tests call: what is paced has tests of its own.
    usual = {"egress_policy": "allow-all", "public_url": "http://app.test", "requests_per_minute": 0}
    values = {**usual, "local_files": folder, **given}
    app = assemble(settings_for(f"sqlite:///{folder / 'app.db'}", **values))
    services: Services = app.extensions["services"]
    Base.metadata.create_all(services.engine)
    services.installations.add_local(MEMBER_ID)
    try:
        yield Host(app)
    finally:
        services.engine.dispose()
