"""What the controls do. Each function takes the emulator and an order and answers JSON."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import requests

from emulator import demo as demonstration
from emulator import installations, tokens
from emulator.context import Emulator
from emulator.journal import Fault
from emulator.launch import open_application
from emulator.orders import (
    AccessOrder,
    AppUpdateOrder,
    ClockOrder,
    CodeOrder,
    DeliverOrder,
    ErrorShapeOrder,
    ExpireOrder,
    FailOrder,
    GenerationOrder,
    LanguageOrder,
    Order,
    PaymentOrder,
    PlanOrder,
    RateLimitOrder,
    RenameOrder,
    RestoreOrder,
    RightsOrder,
    TokenOrder,
    UninstallOrder,
    UserOrder,
)
from emulator.portal import Portal
from emulator.records import Application, RateLimit, User

Answer = Mapping[str, Any]

BROWSER_HEADERS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}
"""What a browser sends when a portal's page posts into a frame (facts/security 2.1)."""
INSTALLER_SECONDS = 30


class CannotDo(Exception):
    """The portal is not in a state for this; the text says which."""


def reset(emulator: Emulator, _order: Order) -> Answer:
    """A fresh portal under the same address and identity."""
    emulator.deliveries.wait()
    emulator.portal.reset()
    emulator.endpoints.forget_previews()
    emulator.limiter.clear()
    return {"reset": True}


def demo(emulator: Emulator, _order: Order) -> Answer:
    """Connector, source and dataset over the invented sales data."""
    return demonstration.create_default(emulator)


def token(emulator: Emulator, order: TokenOrder) -> Answer:
    """A fresh pair of tokens, the application registered if need be."""
    portal = emulator.portal
    application, user = _application(portal, order.client_id), portal.user(order.user)
    grant = installations.register_for_token(portal, application, user)
    return {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires": int(grant.expires_at),
        "expires_in": tokens.ACCESS_SECONDS,
        "member_id": portal.member_id,
        "domain": portal.domain,
        "client_endpoint": portal.client_endpoint,
        "server_endpoint": portal.server_endpoint,
        "client_id": application.client_id,
        "scope": ",".join(grant.scope),
        "status": application.status,
        "user_id": user.id,
    }


def code(emulator: Emulator, order: CodeOrder) -> Answer:
    """An authorization code, the application registered if need be."""
    portal = emulator.portal
    application, user = _application(portal, order.client_id), portal.user(order.user)
    installations.register(portal, application, user)
    return {"code": tokens.issue_code(portal, application, user).code, "expires_in": tokens.CODE_SECONDS}


def expire_tokens(emulator: Emulator, order: ExpireOrder) -> Answer:
    """All access tokens expire now."""
    return {"expired": tokens.expire(emulator.portal, refresh_tokens=order.refresh)}


def register(emulator: Emulator, order: UserOrder) -> Answer:
    """The first step of an installation: the authorization server issues tokens, the installer was not opened yet."""
    portal = emulator.portal
    installations.register(portal, portal.app, portal.user(order.user))
    return {"registered": True}


def install(emulator: Emulator, order: UserOrder) -> Answer:
    """Register, post the installer's form the way a browser would, and finish if the installer answered well."""
    portal = emulator.portal
    application, user = portal.app, portal.user(order.user)
    if not user.admin:
        raise CannotDo(f"Only administrators install applications, and {user.login} is none.")
    installations.register(portal, application, user)
    form = open_application(portal, application, user, address=application.install_url)
    headers = {**BROWSER_HEADERS, "Origin": portal.origin}
    try:
        answer = requests.post(form.action, data=dict(form.fields), headers=headers, timeout=INSTALLER_SECONDS)
    except requests.RequestException as problem:
        raise CannotDo(f"The installer did not answer: {type(problem).__name__}.") from None
    finished = answer.ok and installations.finish(portal, emulator.deliveries, application)
    emulator.deliveries.wait()
    return {"status": answer.status_code, "finished": finished, "deliveries": _deliveries(emulator)}


def finish_install(emulator: Emulator, _order: Order) -> Answer:
    """What the installer's page does with `installFinish`."""
    finished = installations.finish(emulator.portal, emulator.deliveries, emulator.portal.app)
    emulator.deliveries.wait()
    return {"finished": finished, "deliveries": _deliveries(emulator)}


def uninstall(emulator: Emulator, order: UninstallOrder) -> Answer:
    """Take the application from the portal."""
    portal = emulator.portal
    removed = installations.remove(portal, emulator.deliveries, portal.app, clean=order.clean, lost=order.lost)
    emulator.deliveries.wait()
    return {"uninstalled": removed, "deliveries": _deliveries(emulator)}


def update_app(emulator: Emulator, order: AppUpdateOrder) -> Answer:
    """A new version: the portal drops handlers and widgets after ONAPPUPDATE (facts/platform 1.4)."""
    application = emulator.portal.app
    if not application.finished:
        raise CannotDo("The application is not installed.")
    version = installations.update(emulator.portal, emulator.deliveries, application, order.version)
    emulator.deliveries.wait()
    return {"version": version, "deliveries": _deliveries(emulator)}


def opening(emulator: Emulator, order: UserOrder) -> Answer:
    """The form that opens the application in its frame, for a test to post itself."""
    application = emulator.portal.app
    if not application.registered:
        raise CannotDo("The application is not installed.")
    form = open_application(emulator.portal, application, emulator.portal.user(order.user))
    return {"action": form.action, "fields": dict(form.fields), "frame_name": form.frame_name}


def deliver(emulator: Emulator, order: DeliverOrder) -> Answer:
    """Send an event again, or a forged one."""
    portal, deliveries, application = emulator.portal, emulator.deliveries, emulator.portal.app
    name = order.event.upper()
    auth = deliveries.bare_auth(application)
    if name != "ONAPPUNINSTALL" and application.registered:
        grant = tokens.issue(portal, application, portal.user(application.installed_by))
        auth = deliveries.full_auth(application, grant)
    auth |= _replacements(order, auth)
    addresses = [order.url] if order.url else deliveries.addresses(application, name)
    for address in addresses * order.times:
        deliveries.send(address, deliveries.event(name, order.data, auth))
    deliveries.wait()
    return {"sent": len(addresses) * order.times, "deliveries": _deliveries(emulator)}


def fail(emulator: Emulator, order: FailOrder) -> Answer:
    """The next calls fail, wait, hang up or answer nonsense."""
    usual_status, usual_text = order.usual
    fault = Fault(
        target=order.target.lower(),
        remaining=order.times,
        delay_seconds=order.delay_seconds,
        shape=None if order.only_delays else order.shape or "root",
        status=usual_status if order.status is None else order.status,
        code=order.error_code,
        message=usual_text if order.message is None else order.message,
        late=order.late,
    )
    emulator.portal.journal.order(fault)
    return asdict(fault)


def mend(emulator: Emulator, _: Order) -> Answer:
    """Calls work again: what `fail` ordered and is still due is taken back."""
    return {"taken_back": emulator.portal.journal.mend()}


def generation(emulator: Emulator, order: GenerationOrder) -> Answer:
    """A newer or an older portal."""
    emulator.portal.state.generation = order.generation
    return {"generation": order.generation}


def error_shape(emulator: Emulator, order: ErrorShapeOrder) -> Answer:
    """The module's errors inside `result` or in the root."""
    emulator.portal.state.error_shape = order.shape
    return {"shape": order.shape}


def language(emulator: Emulator, order: LanguageOrder) -> Answer:
    """The portal's language and with it the site's date format."""
    emulator.portal.state.language = order.language
    return {"language": order.language}


def user(emulator: Emulator, order: UserOrder) -> Answer:
    """As whom browsers see the portal."""
    return {"user": emulator.portal.switch_browser_user(order.user).login}


def rights(emulator: Emulator, order: RightsOrder) -> Answer:
    """What a user may do."""
    with emulator.portal.lock:
        user = emulator.portal.user(order.user)
        for name, value in order.model_dump(exclude={"user"}, exclude_none=True).items():
            setattr(user, name, value)
        return _user(user)


def access(emulator: Emulator, order: AccessOrder) -> Answer:
    """Who may use the application."""
    chosen = None if order.users is None else [emulator.portal.user(key).id for key in order.users]
    emulator.portal.app.only_for_users = chosen
    return {"users": chosen}


def rename(emulator: Emulator, order: RenameOrder) -> Answer:
    """The portal moves to another address."""
    emulator.portal.rename(order.origin)
    return {"origin": emulator.portal.origin, "former_origins": emulator.portal.state.former_origins}


def rate_limit(emulator: Emulator, order: RateLimitOrder) -> Answer:
    """The leaky bucket, on or off."""
    limit = RateLimit(order.per_second, order.capacity) if order.enabled else None
    emulator.portal.state.rate_limit = limit
    emulator.limiter.clear()
    return {"rate_limit": asdict(limit) if limit is not None else None}


def plan(emulator: Emulator, order: PlanOrder) -> Answer:
    """A plan with or without REST."""
    emulator.portal.state.rest_enabled = order.rest
    return {"rest": order.rest}


def payment(emulator: Emulator, order: PaymentOrder) -> Answer:
    """The application's paid period; ONAPPPAYMENT goes out."""
    application = emulator.portal.app
    application.payment_required = order.required
    application.status = order.status or application.status
    emulator.deliveries.payment_changed(application)
    emulator.deliveries.wait()
    return {"required": order.required, "status": application.status}


def forget_previews(emulator: Emulator, _order: Order) -> Answer:
    """Empty the cache of previews."""
    emulator.endpoints.forget_previews()
    return {"forgotten": True}


def clock(emulator: Emulator, order: ClockOrder) -> Answer:
    """The portal's clock stands or goes."""
    emulator.portal.stop_clock(order.at)
    return {"at": order.at}


def restore(emulator: Emulator, order: RestoreOrder) -> Answer:
    """Whatever the portal held is replaced; the journal and what is due to fail stay."""
    with emulator.portal.lock:
        emulator.portal.state = order.state
    return {"restored": True}


def _application(portal: Portal, client_id: str | None) -> Application:
    """The emulator's application, or another one, made up at its first mention."""
    if client_id is None or client_id == portal.app.client_id:
        return portal.app
    with portal.lock:
        return portal.state.applications.setdefault(
            client_id,
            Application(
                client_id=client_id,
                client_secret=secrets.token_hex(16),
                title=client_id,
                app_url=portal.app.app_url,
                install_url=portal.app.install_url,
                scope=list(portal.app.scope),
                number=len(portal.state.applications) + 1,
            ),
        )


def _replacements(order: DeliverOrder, auth: Mapping[str, Any]) -> dict[str, Any]:
    made_up = {
        key: secrets.token_hex(len(str(auth[key])) // 2 or 16)
        for key in ("access_token", "refresh_token", "application_token")
        if order.forged and key in auth
    }
    given = {"application_token": order.application_token, "member_id": order.member_id}
    return made_up | {key: value for key, value in given.items() if value is not None}


def _deliveries(emulator: Emulator) -> list[dict[str, Any]]:
    return [asdict(delivery) for delivery in emulator.portal.journal.deliveries]


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "login": user.login,
        "admin": user.admin,
        "bi_builder": user.bi_builder,
        "analytics_hub": user.analytics_hub,
        "active": user.active,
    }
