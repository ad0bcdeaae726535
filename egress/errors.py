"""What ends an outgoing connection; `drivers/errors.py` continues the tree and draws it whole.

`code` is a word of ours, the key of a sentence for people. `detail` is what the other side said: for the diagnostics of
the connection's owner only, never for the portal and never for logs, hence absent from `str()`.
"""

from __future__ import annotations


class TargetError(Exception):
    """Everything that ends the way to a database, a file or an address on purpose, and what is done there."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class TargetRefused(TargetError):
    """The egress policy forbids this host, port or address (facts/security 5).

    Codes: `host_grammar`, `port_grammar`, `local_name`, `port_closed`, `not_public`, `metadata`, `denied`,
    `too_many_addresses`, `plain_http`.
    """


class Unreachable(TargetError):
    """Nobody answers.

    Codes: `name_not_found`, `name_timeout`, `connect_refused`, `connect_timeout`, `connect_failed`, `starting`.
    """


class Timeout(TargetError):
    """The deadline passed and the work was stopped. Codes: `deadline`, `preview_too_long`, `cancelled`, `silent`."""
