"""The definitions that a map can have nodes for, as they become known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst

from lint_sessions.config.settings import absolute
from lint_sessions.finding import Finding
from lint_sessions.map.model import Act, Kind
from lint_sessions.project.modules import Module, Project
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import is_test
from lint_sessions.source.document import Block


@dataclass
class Unit:
    """A top-level definition, or an engine or factory inside of one, as far as it is known yet."""

    id: str
    kind: Kind
    name: str
    module: str
    block: Block
    row: int
    acts: dict[Act, set[int]] = field(default_factory=dict)
    """What it does to sessions, and on which rows."""
    provides: bool = False
    route: str = ""
    """Of a route what it answers (`GET /users`), as far as that can be read."""

    def does(self, act: Act, node: cst.CSTNode, block: Block | None) -> None:
        """Note what a node of a block does."""
        self.acts.setdefault(act, set()).add((block or self.block).span(node)[0].row)


class Units:
    """The units of one project by their ids; modules are named relative to `root`."""

    def __init__(self, project: Project, root: Path) -> None:
        self.project = project
        self.root = root
        self.all: dict[str, Unit] = {}

    def new(self, kind: Kind, name: str, module: Module, block: Block, row: int | None = None) -> Unit:
        """The unit of this name, made unless it is there."""
        place = self.place(module)
        found = Unit(f"{place}:{name}", kind, name, place, block, row or block.document.row(block.piece.head))
        return self.all.setdefault(found.id, found)

    def of_block(self, block: Block, module: Module) -> Unit:
        """The unit of a function or class."""
        return self.new(Kind.CLASS if block.kind == "class" else Kind.FUNCTION, block.name or "", module, block)

    def place(self, module: Module) -> str:
        path = absolute(module.path)
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def id_of(self, scope: Scope) -> str | None:
        """The id of the top-level definition around a function or class."""
        scope = scope.outermost
        return f"{self.place(scope.module)}:{scope.name}" if scope.parent is not None else None

    def reported(self, findings: Sequence[Finding]) -> dict[str, list[Finding]]:
        """The findings by the unit that they stand in, be it the first that is heard of it."""
        places: dict[Path, list[Unit]] = {}
        # A function or class comes before the engine that it makes.
        for unit in sorted(self.all.values(), key=lambda unit: "." in unit.name):
            places.setdefault(absolute(unit.block.document.path), []).append(unit)
        found: dict[str, list[Finding]] = {}
        for finding in findings:
            path, row = absolute(finding.path), finding.start.row
            around = next((unit for unit in places.get(path, ()) if _has(unit.block, row)), None)
            if around is None and (around := self._at(path, row)) is not None:
                places.setdefault(path, []).append(around)
            if around is not None:
                found.setdefault(around.id, []).append(finding)
        return found

    def _at(self, path: Path, row: int) -> Unit | None:
        module = self.project.at(path)
        if module is None or is_test(path, self.project.root):
            return None
        block = next((block for block in module.blocks if _has(block, row)), None)
        if block is None:
            return None
        return self.of_block(block, module) if block.name else self.new(Kind.FUNCTION, f"row {row}", module, block)


def _has(block: Block, row: int) -> bool:
    document = block.document
    return document.row(block.start) <= row <= document.row(max(block.start, block.end - 1))
