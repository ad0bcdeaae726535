"""What a test reaches beyond its own process, read from what its module and those of its fixtures import.

A test is pure if none of them has to do with servers, browsers, networks or other programs. Nobody keeps a list, and
the rule cannot be wrong unnoticed: while a pure test runs, whatever connects, listens or starts a program fails.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import re
import sys
from collections import ChainMap
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = (
    ("playwright",),
    ("subprocess", "multiprocessing"),
    ("emulator.server", "http", "psycopg", "pymysql", "socket", "socketserver", "werkzeug.serving"),
)
"""Modules that lead out of the process: to browsers, to programs, to servers; the slowest first."""
PURE = len(OUTSIDE)
FORBIDDEN = {
    "os.fork",
    "os.posix_spawn",
    "os.system",
    "socket.bind",
    "socket.connect",
    "socket.sendto",
    "subprocess.Popen",
}


class Guard:
    """Closes the ways out of the process on demand, and tells what was tried."""

    def __init__(self) -> None:
        self._closed = False
        self._tried: list[str] = []
        sys.addaudithook(self._audit)

    @contextlib.contextmanager
    def closed(self) -> Iterator[list[str]]:
        """Within the block nothing connects, listens or starts a program; gives what was tried."""
        self._closed, self._tried = True, []
        try:
            yield self._tried
        finally:
            self._closed = False

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._closed and event in FORBIDDEN:
            self._tried.append(f"{event}{arguments[1:]}")
            raise PermissionError(errno.EACCES, f"closed: {self._tried[-1]}")


GUARD = Guard()
"""Of this process: what watches for such ways can be installed, and never taken away."""


def distance(item: pytest.Item) -> int:
    """The place in `OUTSIDE` of the first kind that a test reaches; `PURE` if there is none."""
    names = set(getattr(item, "fixturenames", ()))
    used = [path for path in _fixture_modules(item.path) if names & _fixtures(path).keys()]
    return min(map(module_distance, [item.path, *used]))


def scopes(item: pytest.Item) -> dict[str, str]:
    """How long what a test uses stays, by the fixtures' names: those of its module and of conftests."""
    found = ChainMap(*map(_fixtures, [item.path, *_fixture_modules(item.path)]))
    return {name: found[name] for name in getattr(item, "fixturenames", ()) if name in found}


def _fixture_modules(path: Path) -> Iterator[Path]:
    """Modules other than a test's own whose fixtures it may use."""
    yield ROOT / "tests/doors.py"
    for folder in path.parents:
        if (folder / "conftest.py").exists():
            yield folder / "conftest.py"
        if folder == ROOT:
            return


@cache
def _fixtures(path: Path) -> dict[str, str]:
    """The scopes of a module's fixtures by their names, except of those that every test has."""
    functions = (node for node in _tree(path).body if isinstance(node, ast.FunctionDef))
    return {
        node.name: found[1] if (found := re.search(r"scope='(\w+)'", text)) else "function"
        for node in functions
        for text in map(ast.unparse, node.decorator_list)
        if text.startswith("pytest.fixture") and "autouse=True" not in text
    }


@cache
def module_distance(path: Path) -> int:
    """The same for a module and what it imports; its tests may reach further with their fixtures."""
    imported = {name for module in _with_its_own(path) for name in _imports(module)}
    return next((place for place, kind in enumerate(OUTSIDE) if imported & set(kind)), PURE)


def _with_its_own(path: Path) -> Iterable[Path]:
    """A module and those modules of the tests that it imports, directly or not."""
    found, waiting = set[Path](), [path]
    while waiting:
        if (module := waiting.pop()) not in found:
            found.add(module)
            paths = (ROOT / f"{name.replace('.', '/')}.py" for name in _imports(module) if name.startswith("tests."))
            waiting.extend(each for each in paths if each.exists())
    return found


@cache
def _imports(path: Path) -> frozenset[str]:
    """Everything that a module imports, with the packages in which it lies."""
    names = set[str]()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(
        ".".join(parts[:end]) for parts in (name.split(".") for name in names) for end in range(1, len(parts) + 1)
    )


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
