"""Objects that keep a session while a `with` block runs, and so can serve one block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.origins import MAX_DEPTH, Frame, Made, Origins
from lint_sessions.project.names import walk_scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, SessionType
from lint_sessions.source.document import Block


@dataclass(frozen=True, eq=False)
class Entry:
    """A `with` block that enters an object made elsewhere."""

    item: cst.BaseExpression
    block: Block | None
    made: Made
    kept: cst.CSTNode
    """Where the object keeps the session."""
    kept_in: Block | None


def entries(origins: Origins, frame: Frame, depth: int = MAX_DEPTH) -> Iterator[Entry]:
    """The objects which a run enters that put a session on themselves when they are entered."""
    node = frame.scope.function
    if node is None:
        return
    for part in walk_scope(node):
        if isinstance(part, cst.WithItem):
            origin = origins.value(part.item, frame).origin
            if isinstance(origin, Made) and origin.frame.is_first:
                found = keeps_session(origins.types, origin.cls)
                if found is not None:
                    yield Entry(part.item, frame.scope.block, origin, *found)
        elif isinstance(part, cst.Call) and depth:
            inner = origins.entered(part.func, part.args, frame)
            if inner is not None:
                yield from entries(origins, inner, depth - 1)


def made_in(made: Made, node: cst.BaseExpression) -> bool:
    """Whether an object is made somewhere in an expression."""
    return any(part is made.call for part in walk_scope(node))


def keeps_session(types: Types, cls: ClassType) -> tuple[cst.CSTNode, Block | None] | None:
    """Where `__enter__` puts a session on the object."""
    for name in ("__aenter__", "__enter__"):
        method = types.method(cls, name)
        if method is None:
            continue
        for value, statement in (kept for found in method.scope.attributes_set.values() for kept in found):
            kind = types.infer(value, method.scope)
            if isinstance(kind, SessionType) and not kind.flavor.is_scoped:
                return statement, method.scope.block
    return None
