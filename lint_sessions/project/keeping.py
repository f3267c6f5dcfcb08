"""What outlives the run that makes it: values that are cached, or kept in a global, an object or a table."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.project.names import children, walk_scope
from lint_sessions.project.scopes import Scope, last_name

_STORES = frozenset(["setdefault", "append", "add", "put", "set", "register", "update", "insert", "configure"])
"""Methods that keep what they are given."""


def is_cached(function: Scope) -> bool:
    """Whether a decorator keeps what a function gives, or its class has but one object."""
    node, cls = function.function, function.parent
    decorators = [*node.decorators] if node is not None else []
    if function.name == "__init__" and cls is not None and cls.header is not None:
        if cls.header.keywords or any(method.name == "__new__" for method in cls.methods()):
            return True
        decorators += cls.header.decorators
    names = [(last_name(d.decorator) or "").lower() for d in decorators]
    return any(word in name for name in names for word in ("cache", "singleton", "once", "memo"))


def is_kept(call: cst.Call, function: Scope) -> bool:
    """Whether a function keeps what a call gives for longer than its own run."""
    node = function.function
    if node is None:
        return False
    parts = list(walk_scope(node))
    held = _held(call, parts)
    return any(_is_lasting(target, function) for target in _targets(held, call, parts)) or any(
        isinstance(part, cst.Call)
        and isinstance(part.func, cst.Attribute)
        and part.func.attr.value in _STORES
        and any(_is_of(arg.value, held, call) for arg in part.args)
        for part in parts
    )


def _held(call: cst.Call, parts: list[cst.CSTNode]) -> set[str]:
    """The local names that hold what a call gives, or something made of it."""
    names: set[str] = set()
    for value, targets in _assignments(parts):
        if _is_of(value, names, call):
            names.update(target.value for target in targets if isinstance(target, cst.Name))
    return names


def _targets(held: set[str], call: cst.Call, parts: list[cst.CSTNode]) -> Iterator[cst.BaseExpression]:
    for value, targets in _assignments(parts):
        if _is_of(value, held, call):
            yield from targets


def _assignments(parts: list[cst.CSTNode]) -> Iterator[tuple[cst.BaseExpression, list[cst.BaseExpression]]]:
    """The values that are assigned, and to what; tuples taken apart."""
    for node in parts:
        if isinstance(node, (cst.Assign, cst.AnnAssign, cst.NamedExpr)) and node.value is not None:
            whole = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
            yield node.value, [part for target in whole for part in _items(target)]


def _items(target: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(target, (cst.Tuple, cst.List)):
        return [part for element in target.elements for part in _items(element.value)]
    return [target]


def _is_of(value: cst.CSTNode, names: set[str], call: cst.Call) -> bool:
    """Whether an expression is what a call gives, or is made with it; what it is asked for does not hold it."""
    match value:
        case cst.Call():
            return value is call or any(_is_of(part, names, call) for part in (value.func, *value.args))
        case cst.Name(value=name):
            return name in names
        case cst.Attribute():
            return False
    return any(_is_of(part, names, call) for part in children(value))


def _is_lasting(target: cst.BaseExpression, function: Scope) -> bool:
    match target:
        case cst.Name(value=name):
            return name in function.outer_names
        case cst.Attribute(value=cst.Name(value=owner)) if owner == function.first_parameter:
            return function.name != "__init__"
        case cst.Attribute() | cst.Subscript():
            return True
    return False
