"""Objects of the project: what their `__enter__` and `__exit__` do, and whether they may close what they keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.project_calls import Caller, ends_well, entered, left, refused, settled
from lint_sessions.flow.state import State, closed
from lint_sessions.flow.summary import Ending
from lint_sessions.flow.values import (
    Holder,
    Object,
    Site,
    Truth,
    Value,
)
from lint_sessions.project.known import PLAIN_BASES
from lint_sessions.project.names import dotted, parameters
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, External, FunctionType, InstanceType, Type

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator

_EXITS = ("__exit__", "__aexit__")
_MAY_CLOSE = re.compile(r"close|remove|__a?exit__|\bwith\s+self\b")


def manager_of(expression: cst.BaseExpression, kind: Type | None, value: Value) -> Object | None:
    """The object that a `with` statement enters, where its class is one of the project's."""
    holder = value if isinstance(value, Holder) else None
    if holder is not None:
        kind = holder.kind
    if not isinstance(kind, InstanceType) or not isinstance(kind.cls, ClassType):
        return None
    return Object(kind, holder, None if holder is not None else dotted(expression))


def enter_object(run: Evaluator, node: cst.CSTNode, manager: Object, state: State) -> list[State]:
    """`__enter__` runs."""
    ends = _call(run, node, manager, ("__enter__", "__aenter__"), state, Truth.NONE)
    return [after for _, after in ends] if ends else [state]


def leave_object(run: Evaluator, node: cst.CSTNode, manager: Object, state: State) -> list[State]:
    """`__exit__` runs after a block that ends well."""
    ends = _call(run, node, manager, _EXITS, state, Truth.NONE)
    return [_closed(run, node, manager, state)] if ends is None else [after for _, after in ends]


def fail_object(run: Evaluator, node: cst.CSTNode, manager: Object, state: State) -> tuple[list[State], list[State]]:
    """`__exit__` gets the exception in flight: the states in which it suppresses it, and those in which not."""
    raised = state.raised
    ends = _call(run, node, manager, _EXITS, state.settle(), Truth.TRUE)
    if ends is None or raised is None:
        return [], [_closed(run, node, manager, state)]
    suppressed = [after for ending, after in ends if ending.value is Truth.TRUE]
    return suppressed, [after.raise_(raised) for ending, after in ends if ending.value is not Truth.TRUE]


def _closed(run: Evaluator, node: cst.CSTNode, manager: Object, state: State) -> State:
    """Where `__exit__` can't be followed: it closes what it is seen to close anywhere."""
    if run.summaries.closes(manager.kind, _EXITS):
        for site in manager.holder.sites if manager.holder is not None else ():
            state = closed(state, site, node)
    return state


def _call(
    run: Evaluator, node: cst.CSTNode, manager: Object, names: tuple[str, str], state: State, error: Truth
) -> list[tuple[Ending, State]] | None:
    """A method is called with `error` for each of its arguments: the states it ends in; None where nothing is known."""
    cls = manager.kind.cls
    methods = [run.types.method(cls, name) for name in names] if isinstance(cls, ClassType) else []
    method = next((m for m in methods if m is not None), None)
    definition = method.scope.function if method is not None else None
    if method is None or definition is None:
        return None
    kind = FunctionType(method.scope, manager.kind)
    caller = Caller(node, manager.holder, manager.receiver)
    sessions: dict[str, Site] = {}
    given: dict[str, Value] = {p.name.value: error for p in parameters(definition)[1:] if not p.star}
    context, state = entered(run, kind, caller, state, sessions, given)
    if not sessions and manager.receiver is None:
        return None
    summary = run.summaries.of(kind, context)
    refused(run, node, summary, state, sessions)
    holder, receiver = manager.holder, manager.receiver
    after = [(e, left(kind, caller, settled(node, e, state, sessions, holder, receiver))) for e in summary.endings]
    return ends_well(run, node, after)


def may_close(types: Types, cls: ClassType) -> bool:
    """Whether something in a class looks as if it closed what an object keeps; a base that is not known may."""
    for base in types.ancestry(cls.scope):
        if isinstance(base, External):
            if base.name not in PLAIN_BASES:
                return True
        elif base.block is None or _MAY_CLOSE.search(base.block.document.text, base.block.start, base.block.end):
            return True
    return False
