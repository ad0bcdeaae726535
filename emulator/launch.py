"""The form with which a portal's page makes the browser open the application in a frame (facts/platform 2)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from emulator import tokens
from emulator.portal import Portal
from emulator.records import Application, User


@dataclass(frozen=True)
class LaunchForm:
    """What the browser posts: the address with its query, the body's fields, and the name of the frame.

    The frame's name is `domain|protocol|appSid`, which BX24.js reads from `window.name` (facts/platform 6).
    """

    action: str
    fields: Mapping[str, str]
    frame_name: str
    app_sid: str


def open_application(
    portal: Portal,
    application: Application,
    user: User,
    *,
    placement: str = "DEFAULT",
    options: Mapping[str, str] | None = None,
    address: str | None = None,
) -> LaunchForm:
    """The form that opens `application` for `user`, with a fresh pair of tokens.

    Until the installation is finished the installer's address is opened instead of the application's; `address`
    overrides both, for widgets. `options` become `PLACEMENT_OPTIONS`.
    """
    grant = tokens.issue(portal, application, user)
    app_sid = secrets.token_hex(16)
    target = address or (application.app_url if application.finished else application.install_url)
    query = {
        "DOMAIN": portal.domain,
        "PROTOCOL": portal.protocol,
        "LANG": portal.language.code,
        "APP_SID": app_sid,
    }
    fields = {
        "AUTH_ID": grant.access_token,
        "AUTH_EXPIRES": str(tokens.ACCESS_SECONDS),
        "REFRESH_ID": grant.refresh_token,
        "SERVER_ENDPOINT": portal.server_endpoint,
        "APPLICATION_TOKEN": application.application_token,
        "APPLICATION_SCOPE": ",".join(grant.scope),
        "member_id": portal.member_id,
        "status": application.status,
        "PLACEMENT": placement,
        "PLACEMENT_OPTIONS": json.dumps(dict(options or {"URI": "/marketplace/app/"})),
    }
    return LaunchForm(
        action=_with_query(target, query),
        fields=fields,
        frame_name=f"{portal.domain}|{portal.protocol}|{app_sid}",
        app_sid=app_sid,
    )


def _with_query(address: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    joined = "&".join(filter(None, (parts.query, urlencode(query))))
    return urlunsplit(parts._replace(query=joined))
