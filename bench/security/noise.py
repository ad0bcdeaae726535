"""What neighbours notice of strangers with wrong keys, and of a portal that asks for everything at once."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from bench import product
from bench.__main__ import table_of
from bench.load import ROWS, fairness, wrong_keys
from bench.security import Promise
from bench.stores import PostgreSQL

SECONDS = 10.0


def measure() -> list[Promise]:
    """Measured on a server of its own over PostgreSQL; others at work on the machine lengthen every time in it."""
    source = table_of(ROWS)
    store = PostgreSQL(source.parent, source)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        stack.callback(store.drop)
        store.load()
        application = stack.enter_context(product.running(source.parent, folder))
        quiet, noisy = (application.connect(name, store) for name in ("quiet", "noisy"))
        lines = [*wrong_keys(quiet, SECONDS), *fairness(quiet, noisy)]
    return [Promise(line.what, line.goal, line.found, line.is_met) for line in lines]
