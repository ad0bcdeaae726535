"""Tests that share something stay together, wherever the others run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.groups import group_of, in_order

TESTS = Path(__file__).parent


@dataclass
class Item:
    """What is known of a test when it has been collected."""

    module: str
    parameters: dict[str, Any] = field(default_factory=dict)
    more: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return TESTS / self.module

    @property
    def nodeid(self) -> str:
        return f"{self.module}::{self.parameters}{self.more}"

    @property
    def fixturenames(self) -> list[str]:
        return [*self.parameters, *self.more]

    @property
    def callspec(self) -> SimpleNamespace:
        indices = {name: ["mysql", "sqlite"].index(value) for name, value in self.parameters.items() if value != 7}
        return SimpleNamespace(params=self.parameters, indices=indices)


def of_oracle(source: str) -> Item:
    return Item("gateway/test_oracle.py", {"source": source, "seed": 7})


def of_suite(module: str, database: str) -> Item:
    return Item(f"suite/{module}", {"database": database}, ("session",))


SERVED = Item("gateway/test_fairness.py", more=("house",))
ALONE = Item("admin/test_lists.py", more=("client", "stage"))
PURE = Item("services/portal_api/test_replies.py")


def group(item: Item) -> str:
    return group_of(cast(pytest.Item, item))


def test_what_a_module_keeps_keeps_its_tests_together_each_variant_by_itself() -> None:
    assert group(SERVED) == "tests/gateway/test_fairness.py"
    assert group(of_oracle("mysql")) != group(of_oracle("sqlite"))
    assert all(group(of_oracle(each)).startswith("tests/gateway/test_oracle.py") for each in ("mysql", "sqlite"))


def test_a_database_of_the_whole_run_joins_the_tests_of_all_modules() -> None:
    assert group(of_suite("test_rows.py", "mysql")) == group(of_suite("test_filters.py", "mysql"))
    assert group(of_suite("test_rows.py", "mysql")) != group(of_suite("test_rows.py", "sqlite"))


def test_tests_that_share_nothing_run_anywhere() -> None:
    assert group(ALONE) == group(PURE) == ""


def test_groups_begin_and_pure_tests_end() -> None:
    mixed = [PURE, of_oracle("mysql"), ALONE, of_oracle("sqlite"), SERVED, of_oracle("mysql")]
    ordered = in_order(cast(list[pytest.Item], mixed))
    first, second = of_oracle("mysql"), of_oracle("sqlite")
    assert cast(list[Item], ordered) == [first, first, second, SERVED, ALONE, PURE]
