"""Fixtures that tests of several doors share."""

pytest_plugins = ["tests.doors"]
