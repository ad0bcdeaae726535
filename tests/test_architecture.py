"""The house has four doors and one direction: who may import whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from drivers.catalogue import DRIVERS

ROOT = Path(__file__).resolve().parent.parent
DOORS = {"install", "admin", "gateway", "cli"}
COMMON = {"config", "errors"}
MAY_IMPORT = {
    "config": {"errors"},
    "errors": set(),
    "models": COMMON,
    "egress": COMMON,
    "drivers": COMMON | {"egress"},
    "services": COMMON | {"models", "drivers", "egress"},
    "sentences": COMMON,
    "web": COMMON | {"models", "services", "sentences"},
    **{
        door: COMMON | {"models", "services", "drivers", "egress", "sentences"} for door in DOORS - {"install", "admin"}
    },
    "admin": COMMON | {"models", "services", "drivers", "egress", "sentences", "web"},
    # The portal introduces itself there; customers' databases are none of its business.
    "install": COMMON | {"models", "services", "sentences", "web"},
    "app": COMMON | DOORS | {"services", "models", "web"},
    "emulator": set(),
}
FORBIDDEN_LIBRARIES = {
    "services": {"flask", "flask_babel"},
    "drivers": {"flask", "flask_babel", "sqlalchemy"},
    "egress": {"flask", "flask_babel", "sqlalchemy"},
    "models": {"flask", "requests"},
    "sentences": {"flask", "requests", "sqlalchemy"},
    "web": {"requests", "sqlalchemy"},
    "install": {"requests", "sqlalchemy"},
    "admin": {"requests", "sqlalchemy"},
}
APPS_OWN_DATABASE = {"models/base.py", "models/revisions.py"}
"""What knows databases by name for another reason."""
OURS = set(MAY_IMPORT)
SUBJECTS = {"suite": "drivers", "cases": "drivers"}
"""What the tests of a folder are about, where it is not the package of the same name."""
PRIVATE = re.compile("_[^_]")
LONGEST_MODULE = 400
"""Lines: what a reader keeps in mind at once."""


def modules_of(package: str) -> list[Path]:
    if (ROOT / f"{package}.py").exists():
        return [ROOT / f"{package}.py"]
    return sorted((ROOT / package).rglob("*.py"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    paths = modules_of(package)
    assert paths, f"{package} has no modules: is the name still right?"
    allowed = MAY_IMPORT[package] | {package}
    wrong = {str(path.relative_to(ROOT)): imports_of(path) & OURS - allowed for path in paths}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize("package", sorted(FORBIDDEN_LIBRARIES))
def test_a_package_keeps_away_from_libraries_of_other_layers(package: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): imports_of(path) & FORBIDDEN_LIBRARIES[package] for path in modules_of(package)
    }
    assert {path: names for path, names in wrong.items() if names} == {}


def test_a_private_module_is_imported_by_its_own_package_only() -> None:
    """`portal_api/_transport.py` is a ring of the client; others get what they need from the package itself."""
    wrong = []
    for path in (path for package in OURS for path in modules_of(package)):
        own = ".".join(path.relative_to(ROOT).parent.parts)
        for node in nodes_of(path):
            if not isinstance(node, ast.ImportFrom) or not node.module or node.module.split(".")[0] not in OURS:
                continue
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                package, _, module = name.rpartition(".")
                is_module = (ROOT / f"{name.replace('.', '/')}.py").exists()
                if module.startswith("_") and is_module and package != own:
                    wrong.append((str(path.relative_to(ROOT)), name))
    assert wrong == []


def test_no_two_packages_import_each_other() -> None:
    """Rooms are read from the outside in, and none is needed to understand one that it needs itself."""
    arrows: dict[tuple[str, str], set[str]] = {}
    for path in (path for package in OURS for path in modules_of(package)):
        here = package_of(path)
        for module in imported_modules(path):
            if (there := package_of(module)) != here:
                arrows.setdefault((here, there), set()).add(str(path.relative_to(ROOT)))
    both = {pair: (paths, arrows[pair[::-1]]) for pair, paths in arrows.items() if pair[::-1] in arrows}
    assert both == {}


def package_of(path: Path) -> str:
    """The package of a module; what lies directly in one of the top level's packages stands for itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:2] if len(parts) > 2 or parts[-1] == "__init__" else parts).removesuffix(".__init__")


def imported_modules(path: Path) -> set[Path]:
    """The files of this project that a module imports."""
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                place = ROOT / name.replace(".", "/")
                if place.with_suffix(".py").exists():
                    found.add(place.with_suffix(".py"))
    return found


def test_the_emulator_is_known_by_its_address_only() -> None:
    """It is another program: tests start it, order it about over HTTP, and look into it in its own folder alone."""
    # `brackets` reads PHP's query strings, and knows nothing of the client whose strings are read with it.
    allowed = {"emulator.server", "emulator.config.EmulatorConfig", "emulator.brackets.decode"}
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path.is_relative_to(ROOT / "tests" / "emulator"):
            continue
        for node in nodes_of(path):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Attribute) and node.attr == "emulator":
                names = ["emulator"]
            found = {name for name in names if name.split(".")[0] == "emulator"} - allowed
            wrong += [f"{path.relative_to(ROOT)} {name}" for name in sorted(found)]
    assert wrong == []


def test_a_test_uses_private_names_of_its_own_subject_only() -> None:
    """What a test needs of another room has a public name there, so that each room can be rearranged inside."""
    owners: dict[str, set[Path]] = {}
    for path in (path for package in OURS for path in modules_of(package)):
        for name in defined_names(path):
            owners.setdefault(name, set()).add(path)
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        folder = path.relative_to(ROOT / "tests").parent
        subject = ROOT / SUBJECTS.get(str(folder), folder)
        for name, module in private_names(path):
            # A name that only others define, a library or the test itself, is none of ours.
            of_others = name not in defined_names(path)
            found = {module} if module else owners.get(name, set()) if of_others else set()
            if found and not any(subject in owner.parents for owner in found):
                wrong.append(f"{path.relative_to(ROOT)} {name}")
    assert wrong == []


def defined_names(path: Path) -> set[str]:
    """The functions, attributes and variables that a module makes."""
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Store):
            found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return found


def private_names(path: Path) -> Iterator[tuple[str, Path | None]]:
    """The private names that a module uses of others, with the module where it says so: imports do, objects do not."""
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if "._" in name:
                    yield name, ROOT / name.replace(".", "/")
        elif isinstance(node, ast.Attribute) and PRIVATE.match(node.attr):
            if ast.unparse(node.value) not in ("self", "cls"):
                yield node.attr, None
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            given = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            yield from ((name, None) for name in (text.rpartition(".")[2] for text in given) if PRIVATE.match(name))


def test_every_top_level_module_has_its_place_in_the_table() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {path.stem for path in ROOT.glob("*.py")}
    assert packages - {"tests", "bench", "gunicorn.conf"} == OURS


def test_the_environment_is_read_in_the_settings_only() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in OURS - {"emulator"}
        for path in modules_of(package)
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    # The demo passes its environment on to two programs; the PostgreSQL driver keeps libpq from reading `PG*`.
    assert readers == {"cli/demo.py", "drivers/postgresql/connection.py"}


def test_no_two_classes_have_one_name() -> None:
    """Whoever reads a name, or searches for it, finds one thing."""
    places: dict[str, list[str]] = {}
    for path in (path for package in OURS - {"emulator"} for path in modules_of(package)):
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_module_is_longer_than_400_lines() -> None:
    modules = [path for package in OURS - {"emulator"} for path in modules_of(package)]
    long = {str(path.relative_to(ROOT)) for path in modules if len(path.read_text().splitlines()) > LONGEST_MODULE}
    assert long == set()


def test_nothing_outside_the_drivers_knows_one_by_its_name() -> None:
    """A new driver costs its folder and one line: what others need to know of it, it declares."""
    names = "|".join(set(DRIVERS) - {"file"})
    known = re.compile(rf"""["']({names})["']""" + r"""|\bdriver(\.name)? (==|!=|in) ["'(]+\w""")
    places = [path for package in OURS - {"drivers", "emulator"} for path in modules_of(package)]
    places += [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "script").rglob("*.js")]
    found = {str(path.relative_to(ROOT)) for path in places if known.search(path.read_text(encoding="utf-8"))}
    assert found == APPS_OWN_DATABASE
