"""An application's life at the portal: registered, finished, removed (facts/platform 1.2, 1.3, 8)."""

from __future__ import annotations

import secrets

from emulator import tokens
from emulator.deliveries import Deliveries
from emulator.portal import Portal
from emulator.records import Application, Grant, User

SYSTEM_USER_ID = 512


def register(portal: Portal, application: Application, user: User) -> Application:
    """Make the authorization server issue tokens for the application; `INSTALLED` stays false.

    A first installation and a reinstallation get a new `application_token`. Registering once more changes nothing,
    except that until `installFinish` the latest administrator counts as the one who installs.
    """
    with portal.lock:
        if not application.registered:
            application.registered = True
            application.finished = False
            application.installed_by = user.id
            application.application_token = secrets.token_hex(16)
        elif user.admin and not application.finished:
            application.installed_by = user.id
        return application


def finish(portal: Portal, deliveries: Deliveries, application: Application) -> bool:
    """What `installFinish` does: `INSTALLED` becomes true, bound events flow, lifecycle events go out.

    ONAPPINSTALL goes to bound handlers and the address in the version card, ONAPPUSERREADY with tokens of the
    application's system user to the installer's address. Answers False, and does nothing, when the application is
    not registered or was finished before (outside the installer `installFinish` does nothing).
    """
    with portal.lock:
        if not application.registered or application.finished:
            return False
        application.finished = True
        system_user = _system_user(portal, portal.user(application.installed_by))
    deliveries.application_installed(application)
    deliveries.system_user_ready(application, system_user)
    return True


def update(portal: Portal, deliveries: Deliveries, application: Application, version: int) -> int:
    """Move an installed application to another version, or to the next one for 0; answers the version.

    The `application_token` is renewed, ONAPPUPDATE goes to the handlers bound so far, and then the portal drops what
    the application had registered (facts/platform 1.4).
    """
    with portal.lock:
        previous, application.version = application.version, version or application.version + 1
        application.application_token = secrets.token_hex(16)
        deliveries.application_updated(application, previous)
        _drop_registrations(portal, application)
        return application.version


def remove(
    portal: Portal, deliveries: Deliveries, application: Application, *, clean: bool, lost: bool = False
) -> bool:
    """Take the application from the portal; answers False when it was not registered. A `lost` event is never sent.

    Tokens are dead before ONAPPUNINSTALL leaves; handlers and widgets disappear; BI objects stay, as their fate is
    undocumented (facts/platform 8).
    """
    with portal.lock:
        if not application.registered:
            return False
        handlers = [bound for bound in portal.state.event_handlers if bound.client_id == application.client_id]
        was_finished = application.finished
        application.registered = application.finished = False
        for grant in portal.state.grants:
            grant.revoked = grant.revoked or grant.client_id == application.client_id
        _drop_registrations(portal, application)
        portal.state.users.pop(SYSTEM_USER_ID, None)
    if was_finished and not lost:
        deliveries.application_removed(application, handlers, clean=clean)
    return True


def _drop_registrations(portal: Portal, application: Application) -> None:
    state, client_id = portal.state, application.client_id
    state.event_handlers = [handler for handler in state.event_handlers if handler.client_id != client_id]
    state.placements = [handler for handler in state.placements if handler.client_id != client_id]


def _system_user(portal: Portal, installer: User) -> User:
    user = User(
        id=SYSTEM_USER_ID,
        login="application.system",
        first_name="BI",
        last_name="connectors",
        email="",
        position="",
        bi_builder=installer.bi_builder,
        analytics_hub=installer.analytics_hub,
        system=True,
    )
    portal.state.users[user.id] = user
    return user


def register_for_token(portal: Portal, application: Application, user: User) -> Grant:
    """A pair of tokens, registering the application first where that has not happened yet."""
    with portal.lock:
        return tokens.issue(portal, register(portal, application, user), user)
