"""The employees with the rights that decide who may use BI (facts/biconnector 1.8)."""

from __future__ import annotations

from flask import Blueprint, render_template

blueprint = Blueprint("people", __name__, url_prefix="/company")


@blueprint.get("/")
def show() -> str:
    """Everybody who can be switched to, with their rights."""
    return render_template("portal/people.html")
