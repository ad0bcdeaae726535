"""What `GET /_emulator/state` answers: the portal without its secrets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from emulator.context import Emulator
from emulator.portal import Portal
from emulator.records import Application


def overview(emulator: Emulator) -> dict[str, Any]:
    """Everything countable, the ids of all objects, and what happened so far, oldest first."""
    portal = emulator.portal
    journal = portal.journal
    with portal.lock:
        return {
            "portal": _portal(portal),
            "application": _application(portal.app),
            "users": [
                {**asdict(user), "may_use_bi": user.may_use_bi} for _, user in sorted(portal.state.users.items())
            ],
            "counts": _counts(portal),
            "connectors": [
                {"id": one.id, "title": one.title, "client_id": one.client_id} for one in portal.connectors()
            ],
            "sources": [
                {"id": one.id, "title": one.title, "connector_id": one.connector_id} for one in portal.sources()
            ],
            "datasets": [
                {
                    "id": one.id,
                    "name": one.name,
                    "source_id": one.source_id,
                    "external_id": one.external_id,
                    "columns": {column.name: column.id for column in one.columns},
                }
                for one in portal.datasets()
            ],
            "orphaned_bi_datasets": list(portal.state.orphaned_bi_datasets),
            "event_handlers": [asdict(handler) for handler in portal.state.event_handlers],
            "placements": [asdict(handler) for handler in portal.state.placements],
            "faults": [asdict(fault) for fault in journal.faults],
            "calls": [asdict(call) for call in journal.calls],
            "endpoint_calls": [asdict(call) for call in journal.endpoint_calls],
            "deliveries": [asdict(delivery) for delivery in journal.deliveries],
        }


def _portal(portal: Portal) -> dict[str, Any]:
    state = portal.state
    return {
        "origin": portal.origin,
        "domain": portal.domain,
        "former_origins": list(state.former_origins),
        "member_id": portal.member_id,
        "client_endpoint": portal.client_endpoint,
        "server_endpoint": portal.server_endpoint,
        "generation": state.generation,
        "error_shape": state.error_shape,
        "language": state.language,
        "rest_enabled": state.rest_enabled,
        "rate_limit": asdict(state.rate_limit) if state.rate_limit is not None else None,
        "browser_user": portal.browser_user.login,
    }


def _application(application: Application) -> dict[str, Any]:
    whole = asdict(application)
    del whole["client_secret"], whole["application_token"]
    return whole


def _counts(portal: Portal) -> dict[str, int]:
    state, journal = portal.state, portal.journal
    return {
        "connectors": len(state.connectors),
        "sources": len(state.sources),
        "datasets": len(state.datasets),
        "columns": sum(len(dataset.columns) for dataset in state.datasets.values()),
        "event_handlers": len(state.event_handlers),
        "placements": len(state.placements),
        "grants": len(state.grants),
        "calls": len(journal.calls),
        "endpoint_calls": len(journal.endpoint_calls),
        "deliveries": len(journal.deliveries),
    }
