"""What happened at the portal, and what is ordered to go wrong.

Nothing in here is a secret: whoever records a call masks it first (`masked`). The journal is not saved in the state
file and keeps the latest 5,000 entries of each kind.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

KEPT = 5000
MASK = "***"
SECRET_KEYS = frozenset(
    {"auth", "access_token", "refresh_token", "auth_id", "refresh_id", "client_secret", "application_token"}
)
SECRET_GROUPS = frozenset({"connection", "settings"})
"""Objects whose values are credentials of a source, whatever their keys are."""

Shape = Literal["root", "result", "text", "drop"]


@dataclass(frozen=True)
class Call:
    """A call that reached REST or the authorization server. `error` is empty for a success."""

    at: str
    via: Literal["rest", "batch", "webhook", "oauth"]
    method: str
    user_id: int
    client_id: str
    parameters: Mapping[str, Any]
    status: int
    error: str
    seconds: float


@dataclass(frozen=True)
class EndpointCall:
    """A call of one of the four endpoints. `failure` is empty when the portal accepted the answer."""

    at: str
    endpoint: Literal["urlCheck", "urlTableList", "urlTableDescription", "urlData"]
    connector_id: int
    source_id: int
    url: str
    form: Mapping[str, str]
    status: int
    size: int
    seconds: float
    failure: str


@dataclass(frozen=True)
class Delivery:
    """An event that was sent to a handler; lost for good when `failure` is not empty (facts/platform 4)."""

    at: str
    event: str
    url: str
    status: int
    failure: str


@dataclass
class Fault:
    """An order to let calls fail or wait.

    `target` is `rest` (any method), a method's name, or `oauth` (the authorization server). After `remaining` calls
    the order is used up. `shape` says how the error appears: in the root, inside `result`, as text that is not JSON,
    or as a connection that is dropped without an answer. A `late` one meets a call that has done its work already, as
    when BI Builder cannot be informed of it (facts/biconnector 4.3a).
    """

    target: str
    remaining: int = 1
    delay_seconds: float = 0.0
    shape: Shape | None = None
    status: int = 500
    code: str = ""
    message: str = ""
    late: bool = False

    def concerns(self, method: str, server: Literal["rest", "oauth"]) -> bool:
        """Whether a call of `method` at `server` is meant."""
        if server == "oauth":
            return self.target in ("oauth", method)
        return self.target in ("rest", method)


@dataclass
class Journal:
    """Calls, endpoint calls and deliveries, oldest first, and the faults that are still due."""

    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=KEPT))
    endpoint_calls: deque[EndpointCall] = field(default_factory=lambda: deque(maxlen=KEPT))
    deliveries: deque[Delivery] = field(default_factory=lambda: deque(maxlen=KEPT))
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def record(self, entry: Call | EndpointCall | Delivery) -> None:
        """Append an entry to the list of its kind."""
        with self._lock:
            match entry:
                case Call():
                    self.calls.append(entry)
                case EndpointCall():
                    self.endpoint_calls.append(entry)
                case Delivery():
                    self.deliveries.append(entry)

    def order(self, fault: Fault) -> None:
        """Let calls fail from now on as `fault` says; orders are used up in the sequence they came."""
        with self._lock:
            self.faults.append(fault)

    def due_fault(self, method: str, server: Literal["rest", "oauth"]) -> Fault | None:
        """The fault that the present call meets, if any; counts it as used once."""
        with self._lock:
            for fault in self.faults:
                if fault.concerns(method, server):
                    fault.remaining -= 1
                    if fault.remaining <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def mend(self) -> int:
        """Take back every order that is still due; tells how many there were."""
        with self._lock:
            due = len(self.faults)
            self.faults.clear()
            return due

    def clear(self) -> None:
        """Forget everything that happened and every order."""
        with self._lock:
            self.calls.clear()
            self.endpoint_calls.clear()
            self.deliveries.clear()
            self.faults.clear()


def masked(value: Any) -> Any:
    """`value` with every secret replaced by asterisks: tokens by their key, credentials by their group.

    A source's `settings` are a map of values and masked; a connector's are a list of declarations and kept.
    """
    if isinstance(value, Mapping):
        return {key: _masked_member(str(key).lower(), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner) for inner in value]
    return value


def _masked_member(key: str, value: Any) -> Any:
    if key in SECRET_KEYS:
        return MASK
    if key in SECRET_GROUPS and isinstance(value, Mapping):
        return dict.fromkeys(value, MASK)
    return masked(value)
