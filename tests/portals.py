"""An emulated portal as everybody but its own tests knows it: by its address."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import requests
from werkzeug.wrappers import Response

from emulator import server
from emulator.config import EmulatorConfig
from tests.waiting import HANG

NUMBERED = ("users", "connectors", "sources", "datasets")
"""What a portal keeps by number; JSON knows names only."""


@dataclass
class ListeningPortal:
    """A listening portal."""

    url: str
    interruptions: dict[str, Callable[[], object]] = field(default_factory=dict)
    answers: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    """What is answered at an address instead of what the portal would answer."""

    def control(self, name: str, **order: Any) -> dict[str, Any]:
        """Tell the portal what to do; fails if it cannot."""
        answer = requests.post(f"{self.url}/_emulator/{name}", json=order, timeout=HANG)
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def state(self) -> dict[str, Any]:
        """Everything that can be counted, and what happened so far."""
        told: dict[str, Any] = requests.get(f"{self.url}/_emulator/state", timeout=HANG).json()
        return told

    def whole(self) -> SimpleNamespace:
        """What the portal holds at the moment, secrets included; objects by their numbers."""
        text = requests.get(f"{self.url}/_emulator/whole", timeout=HANG).text
        held: SimpleNamespace = json.loads(text, object_hook=lambda members: SimpleNamespace(**members))
        for name in NUMBERED:
            setattr(held, name, {int(number): thing for number, thing in vars(getattr(held, name)).items()})
        return held

    @contextlib.contextmanager
    def changed(self) -> Iterator[SimpleNamespace]:
        """What the portal holds, to be changed within the block; the portal has it so after the block."""
        held = self.whole()
        yield held
        self.restore(held)

    def restore(self, held: SimpleNamespace) -> None:
        """Let the portal hold what it held when `held` was told, or what was made of that."""
        order = json.dumps({"state": held}, default=vars)
        answer = requests.post(f"{self.url}/_emulator/restore", data=order, timeout=HANG)
        assert answer.ok, answer.text

    def reset(self) -> None:
        """As after its first start; whatever it was about to send has been sent before."""
        self.interruptions.clear()
        self.answers.clear()
        self.control("reset")

    @cached_property
    def member_id(self) -> str:
        """The portal's identity, which no control changes."""
        return str(self.state()["portal"]["member_id"])

    def user(self, login: str) -> SimpleNamespace:
        """A user, with number and rights."""
        found: SimpleNamespace = next(user for user in self.whole().users.values() if user.login == login)
        return found

    def rename_source(self, number: int, title: str) -> None:
        """Give a source another title, as the portal's own form does."""
        with self.changed() as held:
            held.sources[number].title = title

    def clear(self, *kinds: str) -> None:
        """Lose all objects of these kinds, as an administrator's hand does."""
        with self.changed() as held:
            for kind in kinds:
                setattr(held, kind, type(getattr(held, kind))())

    def application(self) -> SimpleNamespace:
        """The application that the portal was started for."""
        (application,) = vars(self.whole().applications).values()
        assert isinstance(application, SimpleNamespace)
        return application

    def before(self, method: str, act: Callable[[], object]) -> None:
        """Do something once when the next call of a method has arrived, before the portal serves it."""
        self.interruptions[f"/rest/{method}"] = act


@contextlib.contextmanager
def listening(config: EmulatorConfig) -> Iterator[ListeningPortal]:
    """A portal that listens within the block."""
    with server.start(config) as running:
        portal, serve = ListeningPortal(running.url), running.app.wsgi_app

        def interrupted(environ: Any, start_response: Any) -> Any:
            if (act := portal.interruptions.pop(environ["PATH_INFO"], None)) is not None:
                act()
            if (answer := portal.answers.get(environ["PATH_INFO"])) is not None:
                return Response(answer(), content_type="application/json")(environ, start_response)
            return serve(environ, start_response)

        running.app.wsgi_app = interrupted  # type: ignore[method-assign]  # as middleware is put in front of Flask
        yield portal
