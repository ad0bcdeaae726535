"""Carrying out the faults that were ordered: wait, answer with an error, answer nonsense, hang up."""

from __future__ import annotations

import contextlib
import socket
import time

from flask import Response, request

from emulator.journal import Fault

NONSENSE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def wait_for(fault: Fault) -> None:
    """Hold the call back as long as the fault says."""
    if fault.delay_seconds > 0:
        time.sleep(fault.delay_seconds)


def broken_answer(fault: Fault) -> Response | None:
    """An answer that is none: text instead of JSON, or a closed connection. None for faults that are errors."""
    if fault.shape == "drop":
        return _hang_up()
    if fault.shape == "text":
        return Response(NONSENSE, fault.status, mimetype="text/html")
    return None


def _hang_up() -> Response:
    """Close the client's socket; what is written afterwards goes nowhere."""
    connection = request.environ.get("emulator.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    return Response(status=500)
