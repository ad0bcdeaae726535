"""How tests are told apart by what they reach, and that those which reach nothing are held to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reach import GUARD, OUTSIDE, PURE, module_distance

TESTS = Path(__file__).parent
BROWSER, PROGRAM, SERVER = range(len(OUTSIDE))


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("journeys/test_whole_road.py", BROWSER),
        ("gateway/test_production_form.py", PROGRAM),
        ("suite/test_rows.py", SERVER),
        ("services/against_emulator/test_objects.py", SERVER),
        ("services/portal_api/test_replies.py", PURE),
        ("emulator/rest/test_objects.py", PURE),
    ],
)
def test_a_module_reaches_as_far_as_what_it_imports(module: str, found: int) -> None:
    assert module_distance(TESTS / module) == found


def connecting() -> None:
    with socket.socket() as caller:
        caller.connect(("127.0.0.1", 9))


def listening() -> None:
    socket.create_server(("127.0.0.1", 0))


def starting_a_program() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def forking() -> None:
    if not os.fork():
        os._exit(0)


@pytest.mark.parametrize("way", [connecting, listening, starting_a_program, forking])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another thread"])
def test_a_pure_test_gets_no_way_out_and_every_attempt_is_known(way: Callable[[], None], elsewhere: bool) -> None:
    refused: list[BaseException] = []

    def attempt() -> None:
        try:
            way()
        except PermissionError as problem:
            refused.append(problem)

    with GUARD.closed() as tried:
        if elsewhere:
            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join()
        else:
            attempt()
    assert len(refused) == len(tried) == 1
