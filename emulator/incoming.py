"""Parameters of an incoming REST or OAuth call: query, then form, then JSON body, later ones winning."""

from __future__ import annotations

from typing import Any

from flask import Request

from emulator import brackets, json_bodies


def read_parameters(request: Request) -> dict[str, Any]:
    """All parameters with PHP's brackets expanded; a body that cannot be read counts as empty.

    Names stand as they were sent; see `lower_names` for methods that do not care about their case.
    """
    query = brackets.decode(request.args.items(multi=True))
    if request.mimetype == "application/json":
        return query | _json_object(request.get_data())
    return query | brackets.decode(request.form.items(multi=True))


def lower_names(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with top-level names in lower case; of two spellings of one name the lower-case one counts."""
    return {name.lower(): value for name, value in params.items()} | {
        name: value for name, value in params.items() if name == name.lower()
    }


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        decoded = json_bodies.decode(body or b"{}")
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
