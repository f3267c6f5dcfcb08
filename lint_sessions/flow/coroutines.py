"""Calls of asynchronous sessions that do nothing until somebody awaits them."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.flow.operations import COROUTINES
from lint_sessions.project.names import walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import MethodType, SessionType

_TESTS = frozenset(["isinstance", "iscoroutinefunction", "hasattr", "issubclass"])


def coroutine_method(types: Types, call: cst.BaseExpression, scope: Scope) -> str | None:
    """The method's name where a call is one of a coroutine method of an asynchronous session; code that asks what
    kind of session it has is left alone, since it may well have the other."""
    if not (isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute)):
        return None
    name = call.func.attr.value
    if name not in COROUTINES:
        return None
    match types.infer(call.func, scope):
        case MethodType(owner=SessionType(flavor=flavor)) if flavor.is_async and not asks(call.func.value, scope):
            return name
    return None


def asks(session: cst.BaseExpression, scope: Scope) -> bool:
    """Whether the function asks what `session` is."""
    node = scope.node
    if not isinstance(node, cst.FunctionDef):
        return False
    tests = (part for part in walk_scope(node) if isinstance(part, cst.Call) and last_name(part.func) in _TESTS)
    return any(_begins_with(test.args[0].value, session) for test in tests if test.args)


def _begins_with(node: cst.BaseExpression, start: cst.BaseExpression) -> bool:
    """Whether `node` is `start`, or an attribute of it."""
    while not node.deep_equals(start):
        if not isinstance(node, cst.Attribute):
            return False
        node = node.value
    return True


def discarded(value: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The expressions whose value is lost where `value` stands as a statement: both arms of an `if`, the last of an
    `and`."""
    match value:
        case cst.BooleanOperation(right=right):
            yield from discarded(right)
        case cst.IfExp(body=body, orelse=orelse):
            yield from discarded(body)
            yield from discarded(orelse)
        case cst.Tuple(elements=elements):
            for element in elements:
                yield from discarded(element.value)
        case _:
            yield value
