"""What waits for somebody else's server, a subprocess or the clock."""

from __future__ import annotations

import libcst as cst

from lint_sessions.project.known import SLOW_CALLS, SLOW_PACKAGES
from lint_sessions.project.names import walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, FunctionType

MAX_DEPTH = 3
"""Functions of the project that are looked into, one inside the other."""


def is_slow(types: Types, node: cst.BaseExpression, scope: Scope, depth: int = MAX_DEPTH) -> bool:
    """Whether awaiting a call waits for something slow, here or in a coroutine function of the project."""
    if not isinstance(node, cst.Call):
        return False
    kind = types.infer(node.func, scope)
    match kind:
        case External(name=name) if name in SLOW_CALLS:
            return not (node.args and _is_zero(node.args[0].value))
        case External(name=name):
            is_client = kind.last[:1].isupper()  # made, and no more
            return not is_client and any(name.startswith(f"{package}.") for package in SLOW_PACKAGES)
        case FunctionType(scope=inner) if depth and inner.function is not None and not inner.is_generator:
            return inner.function.asynchronous is not None and any(
                is_slow(types, call, inner, depth - 1) for call in waits(inner.function)
            )
    return False


def waits(function: cst.FunctionDef) -> list[cst.BaseExpression]:
    """What a coroutine function awaits, and enters by `async with`."""
    found: list[cst.BaseExpression] = []
    for part in walk_scope(function):
        if isinstance(part, cst.Await):
            found.append(part.expression)
        elif isinstance(part, cst.With) and part.asynchronous is not None:
            found += [item.item for item in part.items]
    return found


def _is_zero(node: cst.BaseExpression) -> bool:
    """Whether a sleep only lets others run."""
    return isinstance(node, (cst.Integer, cst.Float)) and node.evaluated_value == 0
