"""Numbers in the addresses of pages: those that a row of a database or an object of a portal can have."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

LARGEST_NUMBER = 2**31 - 1
"""Of an integer column of the app's own database; a larger number is nobody's, and the page is not found."""


class ObjectNumber(IntegerConverter):
    """`<int:...>` of an address, which leads nowhere where no object can have the number."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, min=0, max=LARGEST_NUMBER)


def register(app: Flask) -> None:
    """Let addresses of `app` take such numbers only; to be called before they are registered."""
    app.url_map.converters["int"] = ObjectNumber
