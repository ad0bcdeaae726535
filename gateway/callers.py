"""The caller of a request: whether its body came whole, and whether it still waits for the answer.

How slowly callers may send and read is the proxy's business (docs/operate/nginx.conf). It hands a request over when it
is whole and takes an answer at once, and closes its connection to the application when its own caller hangs up.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STEP = 64 * 1024


def whole_bodies(application: WSGIApplication) -> WSGIApplication:
    """The application, for which reading a body that ends before its length raises `ClientDisconnected`.

    What it does not read of a body is dropped before its answer is sent.
    """

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body, has_end = environ["wsgi.input"], False
        if environ.get("CONTENT_LENGTH"):
            # Gunicorn sets this, and takes the end of a connection for the end of a body. Otherwise Werkzeug counts.
            has_end = environ.pop("wsgi.input_terminated", False)
        answer = application(environ, start_response)
        # A proxy that could not send all of a request before its connection ended might not pass the answer on.
        with contextlib.suppress(Exception):
            while has_end and body.read(_STEP):
                pass
        return answer

    return serve


def is_waiting(environ: WSGIEnvironment) -> bool:
    """Whether the caller has not hung up, asked from any thread; yes where the server does not hand its socket over."""
    connection: socket.socket | None = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if connection is None:
        return True
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            return not selector.select(0) or bool(connection.recv(1, socket.MSG_PEEK))
    except (OSError, ValueError):
        return False
