"""What a start of the emulator can decide, as one table of name, default and meaning."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EmulatorConfig:
    """Decisions that hold from start to stop; everything else is switched by controls.

    `public_url` is the origin under which browsers and the application reach the emulator, without a trailing
    slash. It stays the authorization server's address even when the portal is renamed.
    """

    public_url: str = "http://localhost:8001"
    host: str = "127.0.0.1"
    port: int = 8001
    app_url: str = "http://127.0.0.1:8000"
    client_id: str = "app.demo0000000000.00000001"
    client_secret: str = "demo-client-secret"
    state_file: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    endpoint_answer_seconds: float = 250.0
    """How long an endpoint may take to connect and answer (facts/biconnector 5.3)."""
    endpoint_transfer_seconds: float = 60.0
    """How long the transfer of an endpoint's body may take (facts/biconnector 5.3)."""
    delivery_seconds: float = 15.0
    """How long an event handler may take to answer."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> EmulatorConfig:
        """Read `EMULATOR_PORT`, `EMULATOR_HOST`, `APP_URL`, `BITRIX24_CLIENT_ID` and `BITRIX24_CLIENT_SECRET`."""
        port = int(environment.get("EMULATOR_PORT") or cls.port)
        return cls(
            public_url=f"http://localhost:{port}",
            host=environment.get("EMULATOR_HOST") or cls.host,
            port=port,
            app_url=(environment.get("APP_URL") or cls.app_url).rstrip("/"),
            client_id=environment.get("BITRIX24_CLIENT_ID") or cls.client_id,
            client_secret=environment.get("BITRIX24_CLIENT_SECRET") or cls.client_secret,
        )
