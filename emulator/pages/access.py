"""Who may see the pages of the BI hub."""

from __future__ import annotations

from flask import Blueprint, render_template

from emulator.context import current_emulator
from emulator.pages.layout import say


def for_analysts(blueprint: Blueprint) -> None:
    """Let only users with both rights see the pages of `blueprint` (facts/biconnector 1.8)."""

    @blueprint.before_request
    def refuse_others() -> tuple[str, int] | None:
        if current_emulator().portal.browser_user.may_use_bi:
            return None
        return render_template("portal/denied.html", title=say()("BI Builder")), 403
