"""The real configuration of gunicorn, with the times for senders and readers that a test wants to see the end of.

Each test shortens the one that it is about: an honest caller on a machine that does much else has all of the other.
"""

import os
from pathlib import Path

from gateway import wire

wire.RECEIVE_SECONDS = float(os.environ.get("TEST_RECEIVE_SECONDS", wire.RECEIVE_SECONDS))
wire.SEND_SECONDS = float(os.environ.get("TEST_SEND_SECONDS", wire.SEND_SECONDS))

exec(compile(Path("gunicorn.conf.py").read_text(), "gunicorn.conf.py", "exec"))  # noqa: S102 - our own file
