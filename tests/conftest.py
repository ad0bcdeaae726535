"""Fixtures that tests of several doors share, and how generated examples are made."""

from hypothesis import HealthCheck, settings

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
