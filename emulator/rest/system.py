"""Methods of the basic scope: who calls, which application, what exists (facts/platform 3.5, 5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from emulator.portal import Portal
from emulator.records import Application, Grant
from emulator.rest.calls import Method, RestCall


def profile(call: RestCall) -> dict[str, Any]:
    """`profile`: the caller, with `ADMIN`."""
    return {
        "ID": str(call.user.id),
        "ADMIN": call.user.admin,
        "NAME": call.user.first_name,
        "LAST_NAME": call.user.last_name,
        "PERSONAL_GENDER": "",
        "TIME_ZONE": "",
        "TIME_ZONE_OFFSET": 0,
    }


def user_admin(call: RestCall) -> bool:
    """`user.admin`: whether the caller administers the portal."""
    return call.user.admin


def user_current(call: RestCall) -> dict[str, Any]:
    """`user.current`: the caller, with a little more than `profile`."""
    user = call.user
    return {
        "ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "EMAIL": user.email,
        "WORK_POSITION": user.position,
        "IS_ONLINE": "Y",
        "USER_TYPE": "employee",
        "UF_DEPARTMENT": [1],
    }


def app_info(call: RestCall) -> dict[str, Any]:
    """`app.info`: one answer for the portal's method and the authorization server's, a union of both.

    Upper case is the portal's (`INSTALLED` is true after `installFinish`), lower case the authorization server's
    (`install.installed` is true from registration on); see facts/platform 3.5.
    """
    if call.application is None or call.grant is None:
        return {"SCOPE": call.scope, "LICENSE": _license(call.portal)}
    return {
        **_portal_side(call.portal, call.application),
        **_server_side(call.portal, call.application, call.grant),
    }


def _portal_side(portal: Portal, application: Application) -> dict[str, Any]:
    return {
        "ID": application.number,
        "CODE": application.code,
        "VERSION": application.version,
        "STATUS": application.status,
        "INSTALLED": application.finished,
        "PAYMENT_EXPIRED": "Y" if application.payment_required else "N",
        "DAYS": None,
        "LANGUAGE_ID": portal.language.code,
        "LICENSE": _license(portal),
        "LICENSE_TYPE": "pro100",
        "LICENSE_FAMILY": "pro",
    }


def _server_side(portal: Portal, application: Application, grant: Grant) -> dict[str, Any]:
    return {
        "client_id": application.client_id,
        "scope": ",".join(grant.scope),
        "expires": datetime.fromtimestamp(grant.expires_at, UTC).isoformat(timespec="seconds"),
        "user_id": grant.user_id,
        "install": {
            "installed": application.registered,
            "version": application.version,
            "status": application.status,
            "scope": ",".join(application.scope),
            "domain": portal.domain,
            "uri": portal.origin,
            "client_endpoint": portal.client_endpoint,
            "member_id": portal.member_id,
            "member_type": "cloud",
        },
    }


def _license(portal: Portal) -> str:
    return f"{portal.language.code}_pro100"


def scope(call: RestCall) -> list[str]:
    """`scope`: what the caller was granted; with `full` everything that the portal knows."""
    if call.params.get("full"):
        return sorted({"biconnector", "placement", "user", "user_basic", "user_brief"})
    return call.scope


def server_time(call: RestCall) -> str:
    """`server.time`."""
    return call.portal.now().isoformat(timespec="seconds")


METHODS = {
    "profile": Method(profile),
    "user.admin": Method(user_admin),
    "user.current": Method(user_current, ("user_brief", "user_basic", "user")),
    "app.info": Method(app_info),
    "scope": Method(scope),
    "server.time": Method(server_time),
}
