"""Gunicorn in production form: threads, since requests wait for portals and databases most of their time.

What an operator decides is in config.py.
"""

import re
import selectors
import time
from functools import partial
from urllib.parse import quote

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import _DEFER, STOP_KEEPALIVE_LINGER, ThreadWorker

from config import Settings
from errors import ConfigurationError
from gateway.wire import LEFTOVER_BYTES, RECEIVE_SECONDS, WATCH, reset

try:
    settings = Settings.from_environment()
except ConfigurationError as problem:
    raise SystemExit(f"The app cannot start.\n{problem}") from None


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Writes accesses without queries, and without the keys in the addresses of hosted connectors."""

    def atoms(self, resp, req, environ, request_time):  # type: ignore[no-untyped-def]  # gunicorn has no types
        """What an access line may tell (facts/security 1 row 18)."""
        atoms = super().atoms(resp, req, environ, request_time)
        path = re.sub(r"(/gateway/[^/]+/)[^/]+", r"\1[hidden]", atoms["U"] or "")
        # The path is what the caller wrote, decoded: a line end in it would begin a line of his own.
        atoms["U"] = quote(path, safe="/[]")
        return atoms


class PunctualWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Threads that nobody holds by a request that does not come; what follows its head is `gateway.wire`'s."""

    def handle(self, conn):  # type: ignore[no-untyped-def]  # gunicorn has no types
        """Answer one request of a connection, if its head arrives in time."""
        if not conn.initialized and not conn.wait_for_data(0):
            # Nothing was sent yet: the poller waits for it, and no thread does.
            return _DEFER
        conn.head = WATCH.after(RECEIVE_SECONDS, lambda: reset(conn.sock))
        try:
            goes_on = super().handle(conn)
        finally:
            conn.head.cancel()
        if goes_on is False:
            # Closing waits for the other side, and must not do so in the thread that accepts connections.
            conn.close(graceful=True)
            conn.close = lambda graceful=False: None
        return goes_on

    def handle_request(self, req, conn):  # type: ignore[no-untyped-def]  # gunicorn has no types
        """The head is there."""
        conn.head.cancel()
        told = dict(req.headers)
        if "TRANSFER-ENCODING" in told or int(told.get("CONTENT-LENGTH") or 0) > LEFTOVER_BYTES:
            # So much is not read only to be thrown away, and the connection may end with the answer, which has to say
            # so: a caller that was promised more would lose its next call.
            req.force_close()
        return super().handle_request(req, conn)

    def finish_request(self, conn, fs):  # type: ignore[no-untyped-def]  # gunicorn has no types
        """Go on with the connection; a worker that stops waits a little for one of which nothing has come yet."""
        if self.alive or fs.cancelled() or fs.exception() or fs.result() is not _DEFER:
            return super().finish_request(conn, fs)
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + STOP_KEEPALIVE_LINGER
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))
        return None


bind = [f"127.0.0.1:{settings.port}"]
worker_class = PunctualWorker
workers = settings.web_concurrency
threads = settings.web_threads
# Loaded before the processes fork: a wrong setting ends the start at once, memory is shared, and so is the memory in
# which the processes tell each other who queries (services/limits/shared_memory.py).
preload_app = True
# A portal waits up to 250 s for data (facts/platform 11); threads keep the worker's own heartbeat going meanwhile.
timeout = 300
graceful_timeout = 30
keepalive = 5
max_requests = 10_000
max_requests_jitter = 1_000
accesslog = "-"
logger_class = QuietLogger
access_log_format = "%(h)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"
proc_name = "bi-connectors"
# Nobody steers the server by a socket in the home folder of its account.
control_socket_disable = True
