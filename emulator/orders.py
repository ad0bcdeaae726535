"""The JSON that controls take. Members that are not named here are refused."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from emulator.journal import Shape
from emulator.languages import LANGUAGES
from emulator.records import ErrorShape, Generation, PortalState
from emulator.rest.replies import SYSTEM_ERRORS


class Order(BaseModel):
    """An order without members."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UserOrder(Order):
    """A user by id or login."""

    user: int | str = "admin"


class TokenOrder(UserOrder):
    """Tokens for a user; another `client_id` makes up another application."""

    user: int | str = "analyst"
    client_id: str | None = Field(default=None, min_length=1)


class CodeOrder(TokenOrder):
    """An authorization code for a user."""


class ExpireOrder(Order):
    """Expire access tokens, on request refresh tokens too."""

    refresh: bool = False


class ClockOrder(Order):
    """Let the portal's clock stand at a moment, in Unix seconds; None lets it go on."""

    at: float | None


class RestoreOrder(Order):
    """Another state for the portal, as `/_emulator/whole` tells it."""

    state: PortalState


class UninstallOrder(Order):
    """Take the application from the portal.

    `clean` is the tick "delete settings and data"; `lost` lets the event never arrive (facts/platform 4).
    """

    clean: bool = False
    lost: bool = False


class AppUpdateOrder(Order):
    """Raise the application's version."""

    version: int = Field(default=0, ge=0)


class DeliverOrder(Order):
    """Send an event, genuine or forged, once or several times.

    `url` None means the bound handlers, or the installer's address where none is bound. `application_token` replaces
    the genuine one; `forged` makes up all tokens.
    """

    event: str = Field(min_length=1)
    data: dict[str, Any] = {}
    url: str | None = None
    times: int = Field(default=1, ge=1, le=100)
    forged: bool = False
    application_token: str | None = None
    member_id: str | None = None


class FailOrder(Order):
    """Let the next calls fail, wait, hang up or answer nonsense. See `Fault`."""

    target: str = "rest"
    times: int = Field(default=1, ge=1)
    delay_seconds: float = Field(default=0.0, ge=0, le=300)
    shape: Shape | None = None
    status: int | None = Field(default=None, ge=100, le=599)
    code: str | None = None
    message: str | None = None
    late: bool = False

    @property
    def only_delays(self) -> bool:
        """Whether the call shall wait and then go on as usual."""
        nothing_else = (self.shape, self.status, self.code, self.message) == (None, None, None, None)
        return self.delay_seconds > 0 and nothing_else

    @property
    def usual(self) -> tuple[int, str]:
        """Status and text that the code usually comes with."""
        if self.shape == "text":
            return 502, ""
        return SYSTEM_ERRORS.get(self.error_code, (400, self.error_code))

    @property
    def error_code(self) -> str:
        """The error's code; an internal error unless something else was ordered."""
        return "INTERNAL_SERVER_ERROR" if self.code is None else self.code


class GenerationOrder(Order):
    """Which generation of portals to be."""

    generation: Generation


class ErrorShapeOrder(Order):
    """Where the module's errors appear."""

    shape: ErrorShape


class LanguageOrder(Order):
    """The portal's language, by Bitrix24's own code."""

    language: str

    @field_validator("language")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in LANGUAGES:
            raise ValueError(f"unknown language {value!r}, known are {', '.join(LANGUAGES)}")
        return value


class RightsOrder(Order):
    """Change what a user may do; what is left out stays."""

    user: int | str
    bi_builder: bool | None = None
    analytics_hub: bool | None = None
    admin: bool | None = None
    active: bool | None = None


class AccessOrder(Order):
    """Let only these users use the application; None lets everybody."""

    users: list[int | str] | None


class RenameOrder(Order):
    """The portal's new origin, for example `http://127.0.0.1:8001`."""

    origin: str

    @field_validator("origin")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        has_more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
        if parts.scheme not in ("http", "https") or not parts.hostname or has_more:
            raise ValueError("expected scheme and address, like http://127.0.0.1:8001")
        return f"{parts.scheme}://{parts.netloc}"


class RateLimitOrder(Order):
    """Switch the rate limit; the numbers are those of ordinary plans."""

    enabled: bool = True
    per_second: float = Field(default=2.0, gt=0)
    capacity: int = Field(default=50, ge=1)


class PlanOrder(Order):
    """Whether the portal's plan includes REST."""

    rest: bool


class PaymentOrder(Order):
    """Whether the application's paid period is over."""

    required: bool
    status: Literal["L", "F", "D", "T", "P", "S"] | None = None
