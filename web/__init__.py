"""What all doors that show pages share: who looks at them, how they are protected, drawn and answered."""

from __future__ import annotations

from flask import Flask
from flask_babel import Babel

from config import Settings
from web import addresses, assets, error_pages, headers, invisible, received_files, session, template_filters


def register(app: Flask, settings: Settings) -> None:
    """Give `app` the language, the headers and limits, the values and the error pages of every page."""
    app.request_class = invisible.VisibleRequest
    addresses.register(app)
    app.teardown_request(received_files.close_all)
    Babel(app, locale_selector=session.language)
    headers.protect(app, settings)
    assets.register(app)
    template_filters.register(app)
    app.context_processor(session.page_values)
    error_pages.register(app)
