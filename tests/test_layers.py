"""Imports point left only; rules are leaves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lint_sessions"
LAYERS = (
    {"__init__"},
    {"finding", "write", "progress", "disk", "timing", "fault", "published"},
    {"rule", "store"},
    {"source"},
    {"requirements"},
    {"config"},
    {"project"},
    {"flow"},
    {"late"},
    {"context", "edits", "imports"},
    {"leaks", "trial"},
    {"rules"},
    {"registry"},
    {"engine"},
    {"fixing", "workers", "open_project"},
    {"pages"},
    {"report", "inforce"},
    {"baseline", "changes"},
    {"sift"},
    {"run"},
    {"cache", "linting"},
    {"check", "single"},
    {"map"},
    {"flake8", "server", "watching", "drawing"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
MODULES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "rules").rglob("*.py")])


def part_of(path: Path) -> str:
    inside = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else path.relative_to(ROOT)
    return inside.parts[0].removesuffix(".py")


def imports(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The modules of ours that are imported when the code runs, with the row of the import."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                for statement in otherwise:
                    yield from imports(statement)
            case ast.Import(names=names):
                yield from ((child.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                assert not level, f"row {child.lineno}: relative import"
                assert module is not None
                yield from ((child.lineno, f"{module}.{alias.name}") for alias in names)
            case _:
                yield from imports(child)


def ours(name: str) -> str | None:
    package, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    if package != "lint_sessions":
        return None
    return first if first in RANK else "__init__"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path: Path) -> None:
    part = part_of(path)
    assert part in RANK, f"{part} has no layer: see LAYERS here and docs/architecture.md"
    for row, name in imports(ast.parse(path.read_bytes())):
        imported = ours(name)
        if imported and imported != part:
            assert RANK[imported] < RANK[part], f"row {row}: {part} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_a_rule_by_name(path: Path) -> None:
    for row, name in imports(ast.parse(path.read_bytes())):
        assert not name.startswith(("lint_sessions.rules", "rules")), f"row {row} imports {name}"


def test_every_layer_is_there() -> None:
    assert {part_of(path) for path in MODULES} == set(RANK)
