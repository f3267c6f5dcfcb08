"""Calls of asynchronous sessions that do nothing until somebody awaits them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import libcst as cst

from lint_sessions.flow.operations import COROUTINES
from lint_sessions.project.names import children, walk, walk_scope
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


def tested(test: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The expressions whose truth decides a condition."""
    match test:
        case cst.BooleanOperation(left=left, right=right):
            yield from tested(left)
            yield from tested(right)
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            yield from tested(inner)
        case _:
            yield test


class Misuse(Enum):
    """What becomes of a name that holds a coroutine, where nobody awaits it."""

    UNUSED = "never used"
    RESULT = "a coroutine, not a result"


def misuse_of_name(name: str, scope: Scope) -> Misuse | None:
    """How a function uses the coroutine that it keeps in `name`; None where it may be awaited after all: passed on,
    returned, kept elsewhere, or not all that the name holds."""
    node = scope.node
    if not isinstance(node, cst.FunctionDef) or name in scope.outer_names or len(scope.bound(name)) != 1:
        return None
    uses = [part for part in walk(node.body) if any(_is_name(inner, name) for inner in children(part))]
    reads = [use for use in uses if not isinstance(use, (cst.AssignTarget, cst.AnnAssign))]
    if not all(_wants_result(use, name) for use in reads):
        return None
    return Misuse.RESULT if reads else Misuse.UNUSED


def _wants_result(use: cst.CSTNode, name: str) -> bool:
    """Whether a node that has the name in it takes what it holds for a result."""
    match use:
        case cst.Attribute(attr=attr):
            return attr.value not in _OF_COROUTINES
        case cst.For(iter=value) | cst.CompFor(iter=value) | cst.Subscript(value=value):
            return _is_name(value, name)
        case cst.If(test=test) | cst.While(test=test) | cst.IfExp(test=test) | cst.Assert(test=test):
            return _is_name(test, name)
    return isinstance(use, (cst.UnaryOperation, cst.Comparison, cst.ComparisonTarget))


def _is_name(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


_OF_COROUTINES = frozenset(["close", "send", "throw", "__await__", "cr_await", "cr_code", "cr_frame", "cr_running"])
