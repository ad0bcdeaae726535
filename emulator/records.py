"""What a portal remembers: one dataclass per kind of thing, plain data that a state file can hold.

Field names are ours (snake case); how each appears on the wire is decided in `emulator.rest`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Generation = Literal["newer", "older"]
ErrorShape = Literal["result", "root"]


@dataclass
class User:
    """A person of the portal. Using `biconnector` takes both rights (facts/biconnector 1.8)."""

    id: int
    login: str
    first_name: str
    last_name: str
    email: str
    position: str
    admin: bool = False
    bi_builder: bool = False
    analytics_hub: bool = False
    active: bool = True
    system: bool = False
    """A hidden user made for an application (facts/platform 1.3 "ONAPPUSERREADY")."""

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"

    @property
    def may_use_bi(self) -> bool:
        """Whether the user has "Access to BI Builder" and "Access to Analytics Hub"."""
        return self.bi_builder and self.analytics_hub


@dataclass
class Application:
    """A marketplace application as the authorization server and this portal know it.

    `registered` means that the authorization server issues tokens for it here; `finished` is the portal's
    `INSTALLED`, true only after `installFinish` (facts/platform 1.2).
    """

    client_id: str
    client_secret: str
    title: str
    app_url: str
    install_url: str
    scope: list[str]
    code: str = "bi-connectors.demo"
    number: int = 1
    version: int = 1
    status: str = "F"
    registered: bool = False
    finished: bool = False
    installed_by: int = 0
    application_token: str = ""
    payment_required: bool = False
    only_for_users: list[int] | None = None
    """Users whom the administrator let in; None lets everybody in."""


@dataclass
class Grant:
    """A pair of tokens for one user of one application. Times are Unix seconds."""

    access_token: str
    refresh_token: str
    client_id: str
    user_id: int
    scope: list[str]
    issued_at: float
    expires_at: float
    refresh_expires_at: float
    used: bool = False
    """The refresh token was exchanged already: it rotates and works once (facts/platform 3.3)."""
    revoked: bool = False
    """The application was removed from the portal after this pair had been issued."""


@dataclass
class AuthorizationCode:
    """The `code` of the authorization-code grant; it lives 30 seconds and works once (facts/platform 3.2)."""

    code: str
    client_id: str
    user_id: int
    expires_at: float


@dataclass
class ConnectorSetting:
    """One parameter that a source of the connector must give."""

    code: str
    name: str
    type: str


@dataclass
class Connector:
    """A BI connector: four endpoints and the settings that its sources fill in."""

    id: int
    client_id: str
    title: str
    logo: str
    url_check: str
    url_data: str
    url_table_list: str
    url_table_description: str
    settings: list[ConnectorSetting]
    date_create: str
    description: str | None = None
    sort: int = 100
    support_mapping: bool = False
    source_code: str | None = None


@dataclass
class SourceSetting:
    """A value that a source keeps for one of its connector's settings, in plain text like real portals."""

    id: int
    code: str
    name: str
    type: str
    value: str


@dataclass
class Source:
    """A connection made through a connector."""

    id: int
    connector_id: int
    title: str
    settings: list[SourceSetting]
    date_create: str
    created_by_id: int
    description: str | None = None
    active: bool = True
    date_update: str | None = None
    updated_by_id: int = 0
    type: str = "rest"

    @property
    def code(self) -> str:
        """The system's code of the source: its type and its connector."""
        return f"{self.type}_{self.connector_id}"


@dataclass
class Column:
    """A column of a dataset; `name`, `type` and `external_code` never change (facts/biconnector 4.3)."""

    id: int
    type: str
    name: str
    external_code: str
    visible: bool = True


@dataclass
class Dataset:
    """A dataset, called table on newer portals. `external_id` is the BI Builder dataset on top of it, or 0."""

    id: int
    source_id: int
    name: str
    external_name: str
    external_code: str
    columns: list[Column]
    date_create: str
    created_by_id: int
    description: str | None = None
    external_id: int = 0
    date_update: str | None = None
    updated_by_id: int = 0
    type: str = "rest"


@dataclass
class EventHandler:
    """A subscription made by `event.bind`."""

    id: int
    client_id: str
    event: str
    handler: str
    auth_type: int = 0
    event_type: str = "online"


@dataclass
class PlacementHandler:
    """A widget made by `placement.bind`."""

    id: int
    client_id: str
    placement: str
    handler: str
    title: str = ""
    description: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    lang_all: dict[str, Any] = field(default_factory=dict)


@dataclass
class RateLimit:
    """A leaky bucket per calling address: calls above `capacity` are refused, `per_second` of them drain."""

    per_second: float = 2.0
    capacity: int = 50


@dataclass
class PortalState:
    """Everything that survives a restart when a state file is given."""

    member_id: str
    origin: str
    users: dict[int, User]
    applications: dict[str, Application]
    former_origins: list[str] = field(default_factory=list)
    generation: Generation = "newer"
    error_shape: ErrorShape = "result"
    language: str = "en"
    rest_enabled: bool = True
    browser_user_id: int = 1
    rate_limit: RateLimit | None = None
    grants: list[Grant] = field(default_factory=list)
    codes: list[AuthorizationCode] = field(default_factory=list)
    connectors: dict[int, Connector] = field(default_factory=dict)
    sources: dict[int, Source] = field(default_factory=dict)
    datasets: dict[int, Dataset] = field(default_factory=dict)
    orphaned_bi_datasets: list[int] = field(default_factory=list)
    """BI Builder datasets whose table was deleted; only a person can delete them."""
    event_handlers: list[EventHandler] = field(default_factory=list)
    placements: list[PlacementHandler] = field(default_factory=list)
    last_ids: dict[str, int] = field(default_factory=dict)
