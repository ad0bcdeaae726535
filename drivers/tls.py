"""A connection's settings of TLS, and what a failed handshake says about them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from drivers.errors import SettingsWrong
from egress.tls import client_context


def tls_context(settings: Mapping[str, str]) -> ssl.SSLContext | None:
    """TLS as the settings `tls` and `ca` say, None for `disable`. Raises `SettingsWrong("ca")`."""
    try:
        return client_context(settings["tls"], settings["ca"])
    except ValueError:
        raise SettingsWrong("ca", "not_readable") from None


def tls_refused(problem: ssl.SSLError) -> SettingsWrong:
    """Codes: `certificate_refused`, `not_offered`."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return SettingsWrong("tls", "certificate_refused", problem.verify_message)
    return SettingsWrong("tls", "not_offered", str(problem))
