"""Fixtures that tests of several doors share, the order of tests, and how generated examples are made."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.groups import group_of, in_order
from tests.reach import GUARD, PURE, distance, module_distance

pytest_plugins = ["tests.doors"]

# The same examples in every run, on every machine, however slow it is just now; a failure says how to see it again.
settings.register_profile(
    "suite",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only pure tests are wanted, modules without any are not even imported."""
    unwanted = collection_path.suffix == ".py" and module_distance(collection_path) != PURE
    return True if unwanted and config.option.markexpr.startswith("pure") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest-randomly: mark what needs a browser, what needs nothing and what stays together, and order it."""
    for item in items:
        reached = distance(item)
        if reached == 0:
            item.add_marker("browser")
        elif reached == PURE:
            item.add_marker("pure")
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
    items[:] = in_order(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hold pure tests to their mark."""
    if not item.get_closest_marker("pure"):
        return (yield)
    with GUARD.closed() as tried:
        answer = yield
    assert not tried, "a pure test reached out of its process"
    return answer


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI=true a test that was skipped has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
