"""Settings: the one table of name, default and meaning.

The environment is read once, by `Settings.from_environment()`, and nowhere else. A value that is missing or cannot
be understood stops the start with a sentence that says what to do (`errors.ConfigurationError`).
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from errors import ConfigurationError

EgressPolicy = Literal["external-only", "allow-private", "allow-all"]
CommaSeparated = Annotated[tuple[str, ...], NoDecode]


DEFAULT_PORTS = {"https": 443, "http": 80}
OFFICIAL_SERVERS = frozenset({"oauth.bitrix.info", "oauth.bitrix24.tech"})


def origin_of(address: str) -> str:
    """`scheme://host[:port]` of an address of ours, without a default port; an empty text for anything else."""
    parts = urlsplit(address)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


class Settings(BaseSettings):
    """Everything an operator can decide. `docs/operate/settings.md` is this table in prose; a test compares them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False, env_ignore_empty=True)

    database_url: str = Field(
        default="sqlite:///instance/app.db",
        description="SQLAlchemy address of the app's own database: SQLite, PostgreSQL or MariaDB; "
        "required where `PUBLIC_URL` is https.",
    )
    secret_keys: Annotated[tuple[tuple[str, SecretStr], ...], NoDecode] = Field(
        description="Keys that encrypt stored secrets, comma-separated `id:base64key` of 32 bytes each; "
        "the first one encrypts, the others still decrypt.",
    )
    public_url: str = Field(
        default="",
        description="Address under which portals and browsers reach the app, without a path; "
        "empty means `http://127.0.0.1:PORT`.",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port on which `make serve` listens.")
    web_concurrency: int = Field(default=2, ge=1, le=1000, description="Processes that `make serve` starts.")
    web_threads: int = Field(
        default=64,
        ge=8,
        le=1000,
        description="Threads in each of them. Calls that wait in the queue have one each; "
        "a single portal gets two thirds of them at most.",
    )
    bitrix24_client_id: str = Field(min_length=1, description="The app's `client_id` from the vendor's console.")
    bitrix24_client_secret: SecretStr = Field(
        min_length=1, description="The app's `client_secret`; it is sent to authorization servers only."
    )
    bitrix24_oauth_urls: CommaSeparated = Field(
        default=("https://oauth.bitrix.info", "https://oauth.bitrix24.tech"),
        description="Authorization servers that may vouch for a token, comma-separated.",
    )
    bitrix24_js_url: str = Field(
        default="https://api.bitrix24.com/api/v1/",
        description="Where pages load BX24.js from; `https://api.bitrix24.tech/api/v1/` for the eastern region.",
    )
    bitrix24_insecure_hosts: CommaSeparated = Field(
        default=(),
        description="`host:port` list of portals and authorization servers that may be spoken to over `http` and "
        "at private addresses: for the emulator and for closed networks.",
    )
    egress_policy: EgressPolicy = Field(
        default="external-only",
        description="Which addresses the app may connect to: `external-only`, `allow-private` or `allow-all`.",
    )
    egress_allow: CommaSeparated = Field(
        default=(), description="Exceptions to the policy: `host:port` or `CIDR:port`, comma-separated."
    )
    egress_deny: CommaSeparated = Field(
        default=(),
        description="Places that stay closed whatever else is allowed: `host:port` or `CIDR:port`, comma-separated.",
    )
    requests_per_minute: int = Field(
        default=120,
        ge=0,
        description="Calls that a portal may make with one key in a minute, after a burst of 60; further ones wait, "
        "and are refused where that would take over 20 s. `0` means as many as come.",
    )
    silence_seconds: int = Field(
        default=20,
        ge=1,
        le=200,
        description="A database that says nothing for this long in the middle of a call is given up, unless it says "
        "that it still computes.",
    )
    local_files: Path | None = Field(
        default=None,
        description="Folder of files on this machine that connections of every portal may read; empty means none. "
        "Leave it empty where portals of different owners share the installation.",
    )
    uploads: Path = Field(
        default=Path("instance/uploads"),
        description="Folder in which uploaded files are kept, outside the web root and backed up with the database, "
        "to which it belongs.",
    )
    upload_trash_days: int = Field(
        default=14,
        ge=1,
        le=365,
        description="How many days uploaded files that nobody uses any more wait in the folder's trash "
        "before `flask portals tend` deletes them.",
    )
    upload_megabytes: int = Field(default=64, ge=1, le=2048, description="The largest file that may be uploaded.")
    upload_quota_megabytes: int = Field(
        default=2048,
        ge=1,
        le=1_000_000,
        description="How much the uploaded files of one portal may take together, saved or not; those that it replaced "
        "or deleted may take as much again in the trash.",
    )
    extra_frame_ancestors: CommaSeparated = Field(
        default=(),
        description="Further origins that may frame the app beside the verified portal, for desktop shells.",
    )
    allow_open_outside_frame: bool = Field(
        default=False,
        description="Accept an opening that the browser does not mark as loaded into a frame, for web views.",
    )
    session_idle_minutes: int = Field(
        default=60, ge=1, description="A session without requests for this many minutes ends."
    )
    session_hours: int = Field(default=8, ge=1, description="A session ends after this many hours in any case.")
    uninstall_quarantine_hours: int = Field(
        default=48,
        ge=0,
        le=720,
        description="How long the data of a portal that removed the app and asked to delete them can still be brought "
        "back by a new installation; nothing opens them meanwhile.",
    )
    trusted_proxies: int = Field(
        default=0, ge=0, description="How many reverse proxies in front of the app set `X-Forwarded-*`."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="How much the app tells on standard error."
    )

    @classmethod
    def from_environment(cls, **given: Any) -> Settings:
        """Read the environment once; `given` overrides it, for tests and commands.

        Raises `ConfigurationError` with one line per setting that is missing or wrong.
        """
        try:
            return cls(**given)
        except ValidationError as problem:
            lines = [_complaint(str(part["loc"][0]), part["msg"], part["type"]) for part in problem.errors()]
            raise ConfigurationError("\n".join(lines)) from None

    @field_validator(
        "bitrix24_oauth_urls",
        "bitrix24_insecure_hosts",
        "egress_allow",
        "egress_deny",
        "extra_frame_ancestors",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("local_files", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("local_files", mode="after")
    @classmethod
    def _resolve(cls, value: Path | None) -> Path | None:
        return value.resolve() if value else None

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _parse_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        keys = []
        for part in filter(None, (piece.strip() for piece in value.split(","))):
            key_id, _, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=False)
            except (binascii.Error, ValueError):
                key = b""
            if not key_id.isalnum() or len(key) != 32:
                raise ValueError("expected `id:base64key` with a key of 32 bytes, several separated by commas")
            keys.append((key_id, SecretStr(base64.b64encode(key).decode())))
        if not keys or len({key_id for key_id, _ in keys}) != len(keys):
            raise ValueError("expected at least one key, each under an id of its own")
        return tuple(keys)

    @model_validator(mode="after")
    def _judge(self) -> Settings:
        """Refuse settings that contradict each other, or that would be unsafe together."""
        _check_authorization_servers(self)
        _check_addresses(self)
        _check_policy(self)
        if self.base_url.startswith("https://") and "database_url" not in self.model_fields_set:
            raise ConfigurationError(
                "DATABASE_URL is missing. Where PUBLIC_URL is https nothing is guessed: an empty database beside the "
                "real one would know no portal. Name it, like postgresql+psycopg://user:password@host/name."
            )
        if self.local_files is not None and not self.local_files.is_dir():
            raise ConfigurationError(f"LOCAL_FILES: {self.local_files} is not a folder.")
        return self

    @property
    def base_url(self) -> str:
        """The public address without a trailing slash."""
        return self.public_url.rstrip("/") or f"http://127.0.0.1:{self.port}"


def _complaint(name: str, message: str, kind: str) -> str:
    if kind != "missing":
        return f"{name.upper()}: {message.removeprefix('Value error, ')}."
    cure = {
        "secret_keys": "Make one with: python -c \"import base64, os; print('k1:' + "
        'base64.b64encode(os.urandom(32)).decode())" and keep it outside the database.',
        "bitrix24_client_id": "The vendor's console shows it on the app's page, under Test.",
        "bitrix24_client_secret": "The vendor's console shows it beside the client id.",
    }.get(name, "")
    return f"{name.upper()} is missing. {cure}".strip()


def _check_authorization_servers(settings: Settings) -> None:
    if not settings.bitrix24_oauth_urls:
        raise ConfigurationError("BITRIX24_OAUTH_URLS names no authorization server, so nobody could open the app.")
    for url in settings.bitrix24_oauth_urls:
        try:
            parts = urlsplit(url)
            host_and_port = f"{parts.hostname}:{parts.port or DEFAULT_PORTS.get(parts.scheme)}"
        except ValueError:
            raise ConfigurationError(f"BITRIX24_OAUTH_URLS: {url!r} is not an address.") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ConfigurationError(f"BITRIX24_OAUTH_URLS: {url!r} is not an address like https://oauth.bitrix.info.")
        if parts.scheme == "http" and host_and_port not in settings.bitrix24_insecure_hosts:
            raise ConfigurationError(
                f"BITRIX24_OAUTH_URLS: {url} must be https, unless BITRIX24_INSECURE_HOSTS lists {host_and_port}."
            )


def _check_addresses(settings: Settings) -> None:
    """These addresses stand in headers and in what portals are told."""
    for name, address in (("PUBLIC_URL", settings.base_url), ("BITRIX24_JS_URL", settings.bitrix24_js_url)):
        if not _origin(address):
            raise ConfigurationError(f"{name}: {address!r} is not an address like https://bi.example.com.")
    parts = urlsplit(settings.base_url)
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(
            f"PUBLIC_URL: {settings.base_url!r} is more than scheme, host and port. The app's pages stand at the root "
            f"of their address, so give it a host name of its own, like {_origin(settings.base_url)}."
        )
    for ancestor in settings.extra_frame_ancestors:
        if _origin(ancestor) != ancestor:
            raise ConfigurationError(
                f"EXTRA_FRAME_ANCESTORS: {ancestor!r} is not an origin like https://bi.example.com."
            )


def _origin(address: str) -> str:
    try:
        origin = origin_of(address)
    except ValueError:
        return ""
    return origin if re.fullmatch(r"[!-+\--:<-~]+", origin) else ""


def _check_policy(settings: Settings) -> None:
    official = any(urlsplit(url).hostname in OFFICIAL_SERVERS for url in settings.bitrix24_oauth_urls)
    if settings.egress_policy == "allow-all" and official and settings.base_url.startswith("https://"):
        raise ConfigurationError(
            "EGRESS_POLICY=allow-all is for tests: a public installation would reach every machine in its own network. "
            "Use external-only or allow-private, and open single places with EGRESS_ALLOW."
        )
