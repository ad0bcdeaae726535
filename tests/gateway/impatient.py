"""The real configuration of gunicorn, with shorter times for senders and readers."""

from pathlib import Path

from gateway import wire

wire.RECEIVE_SECONDS, wire.SEND_SECONDS = 1.5, 2.5

exec(compile(Path("gunicorn.conf.py").read_text(), "gunicorn.conf.py", "exec"))  # noqa: S102 - our own file
