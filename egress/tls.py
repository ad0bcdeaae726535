"""TLS to the outside as a connection asks for it: the one place that makes such contexts."""

from __future__ import annotations

import ssl


def client_context(mode: str, authority: str = "") -> ssl.SSLContext | None:
    """A context of one's own, None for `disable`.

    `verify-full` checks certificate and name, `verify-ca` the certificate, `require` neither. `authority` is PEM text
    of the certificates to trust, empty for the public ones. Raises `ValueError` where it holds none.
    """
    if mode == "disable":
        return None
    try:
        context = ssl.create_default_context(cadata=authority.strip() or None)
    except ssl.SSLError as problem:
        raise ValueError("no certificate of an authority") from problem
    # Authorities of companies seldom carry all that RFC 5280 wants.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
    return context
