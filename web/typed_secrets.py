"""Secrets that were typed into a form which has to be shown again.

What was typed is kept, but a page never holds it in clear: it carries a sealed text that only this session can open,
in a hidden field beside the empty input (facts/security 1 row 7, facts/field 5.4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from models import VaultBroken
from web.session import current_session, services

PREFIX = "_kept-"
SETTINGS = "settings-"
"""What the inputs of settings begin with, before the setting's code."""
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
HARMLESS = frozenset(
    (
        *("host", "hostname", "server", "port", "database", "db", "dbname", "schema", "catalog", "table", "tables"),
        *("user", "username", "login", "region", "sheet", "delimiter", "encoding", "charset", "timezone", "version"),
        *("name", "title", "source", "id", "type", "driver", "engine", "mode", "year", "limit"),
    )
)


@dataclass
class TypedSecret:
    """A value on its way from one showing of a form to the next; `Vault` binds it to session and field."""

    session_id: int
    code: str
    value: str | None = None

    __tablename__: str = "typed_secrets"

    def seal_context(self) -> str:
        """Another session, or another field of the same form, cannot open it."""
        return f"{self.session_id}|{self.code}"


def is_secret(code: str, value: str = "") -> bool:
    """Whether a setting's value is to be masked.

    Settings know no type for passwords (facts/field 0.10), so everything is a secret unless each word of its code is
    known to be harmless; a value that looks like an address with credentials is one in any case.
    """
    words = [word.lower() for word in WORDS.findall(code)]
    return not words or not all(word in HARMLESS or word.isdigit() for word in words) or "@" in value


def seal(name: str, value: str) -> str:
    """The text that stands in the page for the secret in the input `name`; empty for an empty value."""
    row = TypedSecret(current_session().session_id, _code(name))
    services().vault.put(row, "value", value or None)
    return row.value or ""


def hidden_name(name: str) -> str:
    """The hidden field beside the input `name` that carries the sealed text."""
    return PREFIX + _code(name)


def unsealed(name: str, posted: Mapping[str, str]) -> str:
    """The secret that was typed into the input `name` at an earlier showing of the form, or an empty text."""
    sealed = posted.get(hidden_name(name), "")
    if not sealed:
        return ""
    try:
        return services().vault.get(TypedSecret(current_session().session_id, _code(name), sealed), "value") or ""
    except (VaultBroken, ValueError):
        return ""


def _code(name: str) -> str:
    return name.removeprefix(SETTINGS)
