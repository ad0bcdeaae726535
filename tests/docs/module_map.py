"""`make map`: writes the page `docs/develop/map.md` from the first lines of the modules' docstrings."""

from __future__ import annotations

import ast
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "develop" / "map.md"
HEAD = """# Map

Every module with the first line of its docstring; a folder's line is that of its `__init__.py`. Of the tests only
folders stand here, and what several tests share. `make map` writes this page, also where two changes of it meet.
"""


def modules() -> list[Path]:
    """The repository's Python modules below its root, also new ones; a package comes before what it holds."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    paths = {Path(name) for name in names if name and (ROOT / name).is_file()}
    return sorted(paths, key=lambda path: (len(path.parts) > 1, _parts(path)))


def first_line(path: Path) -> str:
    """The first line of a module's docstring, empty without one."""
    return (ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8"))) or "").partition("\n")[0]


def page() -> str:
    """The whole text of the map."""
    return HEAD + "".join(f"{line}\n" for line in _lines())


def _parts(path: Path) -> tuple[str, ...]:
    return path.parent.parts if path.name == "__init__.py" else path.parts


def _lines() -> Iterator[str]:
    shown = (path for path in modules() if not path.name.startswith("test_"))
    for top, paths in itertools.groupby(shown, lambda path: path.parts[0] if len(path.parts) > 1 else "The root"):
        yield from ("", f"## {top}", "", "| module | what it is |", "|---|---|")
        for path in paths:
            name = str(path).removesuffix("__init__.py")
            yield f"| `{name}` | {first_line(path)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
