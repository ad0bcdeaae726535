"""The map names every module, and every module says in one line what it is."""

from __future__ import annotations

from tests.docs.module_map import PAGE, first_line, modules, page


def test_the_map_is_what_make_map_writes() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make map`"


def test_every_module_says_in_one_line_of_its_own_what_it_is() -> None:
    lines = {str(path): first_line(path) for path in modules()}
    wrong = {path: line for path, line in lines.items() if len(line.split()) < 2 or not line.endswith(".")}
    assert wrong == {}
    assert len(set(lines.values())) == len(lines)
    assert not any("|" in line for line in lines.values()), "lines are cells of a table"
