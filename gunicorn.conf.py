"""Gunicorn in production form: threads, since requests wait for portals and databases most of their time.

What an operator decides is in config.py.
"""

import re
import sys
from urllib.parse import quote

from gunicorn.glogging import Logger

from config import Settings
from errors import ConfigurationError

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


bind = [f"127.0.0.1:{settings.port}"]
worker_class = "gthread"
workers = settings.web_concurrency
threads = settings.web_threads
# Loaded before the processes fork: a wrong setting ends the start at once, memory is shared, and so is the memory in
# which the processes tell each other who queries (services/limits/shared_memory.py).
preload_app = True
# A portal waits up to 250 s for data (facts/platform 11); threads keep the worker's own heartbeat going meanwhile.
timeout = 300
graceful_timeout = 30
# Each answer ends its connection: a promise of further calls on it would not survive a worker that stops or a body that
# nobody read to its end.
keepalive = 0
max_requests = 10_000
max_requests_jitter = 1_000
accesslog = "-"
logger_class = QuietLogger
access_log_format = "%(h)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"
proc_name = "bi-connectors"
# Nobody steers the server by a socket in the home folder of its account.
control_socket_disable = True
# A small call beside a large one asks for the interpreter many times; each time it waits for a fifth of what is usual.
sys.setswitchinterval(0.001)
