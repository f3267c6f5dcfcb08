"""Units of work: objects that open a session when their block is entered, and undo at its end what is not committed.

The usual class of this kind makes its session in `__aenter__`, hands it to one repository for each table, and calls
`rollback()` and `close()` in `__aexit__`, so that a block without `commit()` stores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.operations import DML
from lint_sessions.project.names import dotted, mentions, walk, walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, External, FunctionType, InstanceType, SessionType

_ENDS = ("__aexit__", "__exit__")
_BEGINS = ("__aenter__", "__enter__")
_WRITES = frozenset(["add", "add_all", "delete", "merge"])
_RUNS = frozenset(["execute", "scalar", "scalars", "exec"])
_LINKS = frozenset(["where", "values", "filter", "filter_by", "returning", "on_conflict_do_nothing"])


@dataclass(frozen=True, eq=False)
class LostWrite:
    """A call in the block of a unit of work that writes, with no commit after it."""

    call: cst.Call
    block: cst.With


def lost_writes(types: Types, scope: Scope) -> Iterator[LostWrite]:
    """The first write of each unit-of-work block of a function that nothing commits."""
    if scope.function is None:
        return
    for block in walk_scope(scope.function):
        if not isinstance(block, cst.With) or len(block.items) != 1:
            continue
        unit = _unit(types, block.items[0], scope)
        if unit is not None and (call := _lost_in(types, block, unit, scope)) is not None:
            yield LostWrite(call, block)


def _unit(types: Types, item: cst.WithItem, scope: Scope) -> str | None:
    """The path of the unit of work that a block enters; None for any other context manager."""
    kind = types.infer(item.item, scope)
    if not isinstance(kind, InstanceType) or not isinstance(kind.cls, ClassType):
        return None
    cls = _implementation(types, kind.cls)
    if cls is None or not _opens(types, cls) or not _undoes(types, cls):
        return None
    return dotted(item.asname.name) if item.asname is not None else dotted(item.item)


def _implementation(types: Types, cls: ClassType) -> ClassType | None:
    """The class itself, or the one that stands behind an abstract class: a subclass, or what is injected for it."""
    method = next((m for name in _ENDS if (m := types.method(cls, name)) is not None), None)
    if method is None or not any("abstractmethod" in (last_name(d.decorator) or "") for d in _decorators(method)):
        return cls if method is not None else None
    name = re.escape(cls.scope.name)
    named = re.compile(rf"class\s+(\w+)\s*\([^()]*\b{name}\b[^()]*\)|\b{name}\s*,\s*Depends\(\s*(\w+)")
    found: dict[int, ClassType] = {}
    for module in types.project.mentioning(cls.scope.name):
        for match in named.finditer(module.document.text):
            kind = types.member(module, match[1] or match[2])
            if isinstance(kind, ClassType) and kind != cls:
                found[id(kind.scope)] = kind
    return next(iter(found.values())) if len(found) == 1 else None


def _decorators(method: FunctionType) -> tuple[cst.Decorator, ...]:
    return tuple(method.scope.function.decorators) if method.scope.function is not None else ()


def _opens(types: Types, cls: ClassType) -> bool:
    """Whether entering the object makes the session that it keeps."""
    for name in _BEGINS:
        method = types.method(cls, name)
        for kept in method.scope.attributes_set.values() if method is not None else ():
            made = [value for value, _ in kept if isinstance(value, cst.Call)]
            if method is not None and any(isinstance(types.infer(v, method.scope), SessionType) for v in made):
                return True
    return False


def _undoes(types: Types, cls: ClassType) -> bool:
    """Whether leaving the object ends its session, and commits nothing on any path."""
    for name in _ENDS:
        method = types.method(cls, name)
        if method is None or method.scope.function is None:
            continue
        names = {last_name(part.func) for part in walk(method.scope.function) if isinstance(part, cst.Call)}
        return not any("commit" in (n or "") for n in names) and not names.isdisjoint(["rollback", "close"])
    return False


def _lost_in(types: Types, block: cst.With, unit: str, scope: Scope) -> cst.Call | None:
    """The first write of a block that stands in a statement after the last one which may commit."""
    lost: cst.Call | None = None
    for statement in block.body.body:
        for call in (part for part in walk(statement) if isinstance(part, cst.Call)):
            if _may_commit(types, call, unit, scope):
                lost = None
            elif lost is None and _writes(types, call, unit, scope):
                lost = call
    return lost


def _may_commit(types: Types, call: cst.Call, unit: str, scope: Scope) -> bool:
    """Whether a call commits, or gives the unit of work to somebody who may."""
    if "commit" in (last_name(call.func) or ""):
        return True
    if any((dotted(arg.value) or "").startswith(unit) for arg in call.args):
        return True
    path = dotted(call.func) or ""
    kind = types.infer(call.func, scope)
    if isinstance(kind, FunctionType) and kind.scope.function is not None:
        return any(
            isinstance(part, cst.Call) and "commit" in (last_name(part.func) or "")
            for part in walk(kind.scope.function)
        )
    return path.startswith(f"{unit}.")


def _writes(types: Types, call: cst.Call, unit: str, scope: Scope) -> bool:
    """Whether a call of a repository of the unit of work adds, changes or deletes something, on every way."""
    if not (dotted(call.func) or "").startswith(f"{unit}."):
        return False
    kind = types.infer(call.func, scope)
    function = kind.scope.function if isinstance(kind, FunctionType) else None
    if not isinstance(kind, FunctionType) or function is None:
        return False
    for statement in function.body.body:
        for part in walk_scope(statement) if isinstance(statement, cst.SimpleStatementLine) else ():
            if isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute):
                session = types.infer(part.func.value, kind.scope)
                name = part.func.attr.value
                if isinstance(session, SessionType) and (
                    name in _WRITES or (name in _RUNS and part.args and _is_dml(types, part.args[0].value, kind.scope))
                ):
                    return True
    return False


def _is_dml(types: Types, node: cst.BaseExpression, scope: Scope) -> bool:
    """Whether an expression is an `insert`, `update` or `delete`, through names and calls that build on it."""
    while True:
        match node:
            case cst.Name(value=name):
                values = [binding.value for binding, _ in scope.bound(name)]
                # `statement = narrow(statement)` is still what it was.
                first = [v for v in values if v is None or not mentions(v, name)]
                if len(first) != 1 or first[0] is None:
                    return False
                node = first[0]
            case cst.Call(func=func):
                kind = types.infer(func, scope)
                if isinstance(kind, External) and kind.name in DML:
                    return True
                if not isinstance(func, cst.Attribute) or func.attr.value not in _LINKS:
                    return False
                node = func.value
            case _:
                return False
