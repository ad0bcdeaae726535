"""A connection's settings of TLS, and what a failed handshake says about them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from drivers.errors import SettingsWrong
from egress.tls import client_context

_LACKS = {9: "certificate_time", 10: "certificate_time", 62: "certificate_name", 64: "certificate_name"}
"""What a certificate lacks by OpenSSL's number (`X509_V_ERR_*`); all others are about who issued it."""


def tls_context(settings: Mapping[str, str]) -> ssl.SSLContext | None:
    """TLS as the settings `tls` and `ca` say, None for `disable`. Raises `SettingsWrong("ca")`."""
    try:
        return client_context(settings["tls"], settings["ca"])
    except ValueError:
        raise SettingsWrong("ca", "not_readable") from None


def is_verified(settings: Mapping[str, str]) -> bool:
    """Whether the server proves that it is the one that is meant, so that a password may be told to it as it is.

    A public authority certifies everybody, so without a name only an authority of one's own proves something.
    """
    return settings["tls"] == "verify-full" or (settings["tls"] == "verify-ca" and bool(settings["ca"].strip()))


def tls_refused(problem: ssl.SSLError) -> SettingsWrong:
    """Codes: `certificate_refused`, `certificate_name`, `certificate_time`, `not_offered`."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        code = _LACKS.get(problem.verify_code, "certificate_refused")
        return SettingsWrong("tls", code, problem.verify_message)
    return SettingsWrong("tls", "not_offered", str(problem))
