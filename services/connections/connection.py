"""What services and doors pass around: a hosted connector, credentials, a connection.

They are read from their rows once, with the secrets opened, and never change; none shows a secret in its `repr`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from drivers import catalogue
from drivers.base import Field
from errors import FieldProblem, InvalidInput
from models import ConnectionRow, HostedConnectorRow, Vault
from services.contract.ledger import Owner

# Sealed, this stays below what MariaDB's TEXT takes.
MOST_SETTINGS_BYTES = 40_000
LONGEST_TITLE = 255
HIDDEN = "[hidden]"
SHORTEST_SECRET = 3
"""Shorter ones are left in texts: they would be found in innocent words, and hide nothing there."""


@dataclass(frozen=True)
class HostedConnector:
    """A portal's connector whose four addresses are ours; its key stands in them.

    `driver` is empty for the connector of all connections, and names the driver where credentials are typed in the
    portal; `language` is the portal's, empty where nobody knows it; `registered_id` is the portal's number of it.
    """

    id: int
    uid: str
    portal_id: int
    member_id: str
    language: str
    driver: str
    registered_id: int | None
    key: str = field(repr=False)

    @classmethod
    def of_row(cls, row: HostedConnectorRow, vault: Vault) -> HostedConnector:
        """The connector of a row that is bound to a session; raises `VaultBroken`."""
        key, portal = vault.get(row, "key") or "", row.portal
        return cls(row.id, row.uid, portal.id, portal.member_id, portal.language, row.driver, row.registered_id, key)


@dataclass(frozen=True)
class Credentials:
    """A driver with all its settings, as the driver has taken them: what a session is opened with.

    `uid` is what no others have; `proven`: these very settings have logged in before, so opening them is no guess.
    """

    uid: str
    connector: HostedConnector = field(repr=False)
    driver: str
    settings: Mapping[str, str] = field(repr=False)
    proven: bool = False

    @property
    def portal_id(self) -> int:
        """Whose they are."""
        return self.connector.portal_id

    @property
    def budget(self) -> str:
        """Whose failed connects are counted: where they are typed in the portal, those of its connector together."""
        return f"connector {self.connector.id}"

    @property
    def ledger_owner(self) -> Owner:
        """Whose names of tables they have: typed credentials that lead to one place have one ledger."""
        place = "\0".join(self.settings.get(code, "") for code in ("host", "port", "database"))
        hashed = hashlib.sha256(f"{self.connector.uid}\0{place}".encode()).hexdigest()
        return Owner(hashed, self.connector.id)

    @property
    def shown_settings(self) -> dict[str, str]:
        """What may be shown: the settings that are neither secret nor empty."""
        secret = secret_settings(self.driver)
        return {code: value for code, value in self.settings.items() if value and code not in secret}

    def hidden_in(self, text: str) -> str:
        """`text` without the secrets among the settings."""
        for code in secret_settings(self.driver):
            if len(secret := self.settings.get(code, "")) >= SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
        return text


@dataclass(frozen=True, kw_only=True)
class Connection(Credentials):
    """Credentials that are kept here under a title, known to the portal by an opaque key only.

    `source_id` is the portal's number of the source that has the key; `closed`: the app was removed since, so secrets
    are deleted and that source has a key of before; or all settings are `lost`, with the key that sealed them.
    """

    id: int
    title: str
    source_id: int | None
    closed: bool
    created_at: datetime
    lost: bool = False

    @property
    def budget(self) -> str:
        """Whose failed connects are counted: its own."""
        return self.uid

    @property
    def needs_login(self) -> bool:
        """Whether something is gone that the connection cannot read without."""
        has_login = bool(secret_settings(self.driver)) and not self.settings.get("path")
        return self.lost or (self.closed and (has_login or bool(self.settings.get("url"))))

    @property
    def ledger_owner(self) -> Owner:
        """Whose names of tables it has: its own, whatever its settings become."""
        return Owner(self.uid, self.connector.id, self.id)

    @classmethod
    def of_row(cls, row: ConnectionRow, vault: Vault, connector: HostedConnector | None = None) -> Connection:
        """The connection of a row that is bound to a session; raises `VaultBroken`.

        A `connector` that is known already saves two look-ups.
        """
        return cls(
            uid=row.uid,
            connector=connector or HostedConnector.of_row(row.connector, vault),
            driver=row.driver,
            settings=_parted(row.driver, json.loads(vault.get(row, "settings") or "{}")),
            proven=row.proven_at is not None,
            id=row.id,
            title=row.title,
            source_id=row.source_id,
            closed=row.closed_at is not None,
            created_at=row.created_at,
            lost=row.settings is None,
        )


def _parted(driver: str, settings: dict[str, str]) -> dict[str, str]:
    """Kept settings as the driver has them today: earlier ones may hold a login in an address."""
    return catalogue.DRIVERS[driver].parted(settings) if driver in catalogue.DRIVERS else settings


def checked_settings(driver: str, title: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The settings of a connection as they would be kept, all codes with their defaults.

    Raises `InvalidInput` with everything that is wrong, the title among it.
    """
    if driver not in catalogue.DRIVERS:
        raise InvalidInput([FieldProblem("driver", "UNKNOWN_DRIVER", {"known": ", ".join(catalogue.DRIVERS)})])
    checked, faults = catalogue.DRIVERS[driver].validate(settings)
    problems = [FieldProblem(f"settings-{fault.field}", fault.code.upper()) for fault in faults]
    if not 0 < len(title.strip()) <= LONGEST_TITLE:
        code = "TITLE_LENGTH" if title.strip() else "TITLE_MISSING"
        problems.insert(0, FieldProblem("title", code, {"most": str(LONGEST_TITLE)}))
    if problems:
        raise InvalidInput(problems)
    if len(json.dumps(checked, ensure_ascii=False).encode()) > MOST_SETTINGS_BYTES:
        raise InvalidInput([FieldProblem("settings", "TOO_LONG")])
    return checked


def secret_settings(driver: str) -> frozenset[str]:
    """Codes of a driver's settings that are never shown."""
    return frozenset(declared.code for declared in catalogue.DRIVERS[driver].fields if declared.kind == "secret")


def targets(driver: str) -> list[str]:
    """Labels of the settings that decide who gets a driver's secrets; none where it has no secrets."""
    fields = catalogue.DRIVERS[driver].fields if secret_settings(driver) else ()
    return [declared.label for declared in fields if declared.target]


def stored_secrets(driver: str, stored: Mapping[str, str], typed: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    """What blank secrets of a form mean: the stored ones, and the codes of those that have to be typed again.

    A stored secret goes to nobody but the target that it was typed for: whoever edits a connection may not know it.
    """
    fields = catalogue.DRIVERS[driver].fields
    blank = {code: stored[code] for code in secret_settings(driver) if stored.get(code) and not typed.get(code)}
    same = all(_plain(field, stored) == _plain(field, typed) for field in fields if field.target)
    return (blank, set()) if same else ({}, set(blank))


def _plain(field: Field, values: Mapping[str, str]) -> str:
    """A setting without what may differ in it and mean the same: blanks, line ends, a default that is not written."""
    return " ".join(values.get(field.code, "").split()) or field.default


def without_logins(driver: str, settings: Mapping[str, str]) -> dict[str, str]:
    """What may be kept of settings after the app was removed (facts/security 1.21): nothing that logs in anywhere."""
    if driver not in catalogue.DRIVERS:
        return {}
    secret = secret_settings(driver)
    kept = {code: "" if code in secret else value for code, value in settings.items()}
    return kept | ({"url": _without_login(kept["url"])} if kept.get("url") else {})


def _without_login(url: str) -> str:
    """An address without user, password and query, each of which may open what it leads to; empty if unreadable."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
