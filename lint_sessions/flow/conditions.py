"""Conditions: the states in which one is true and those in which it is false, with what is learnt on either side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.state import State
from lint_sessions.flow.values import (
    Bound,
    Derived,
    Held,
    Holder,
    Items,
    Manager,
    Pending,
    Phase,
    Truth,
    Value,
)
from lint_sessions.project.known import SESSION_CLASSES
from lint_sessions.project.types import External

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator


def decide(run: Evaluator, node: cst.BaseExpression, state: State) -> tuple[list[State], list[State]]:
    """The states in which a condition is true, and those in which it is false."""
    match node:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            true, false = decide(run, inner, state)
            return false, true
        case cst.BooleanOperation(left=left, operator=operator, right=right):
            first_true, first_false = decide(run, left, state)
            if isinstance(operator, cst.And):
                pairs = [decide(run, right, s) for s in first_true]
                return [s for t, _ in pairs for s in t], first_false + [s for _, f in pairs for s in f]
            pairs = [decide(run, right, s) for s in first_false]
            return first_true + [s for t, _ in pairs for s in t], [s for _, f in pairs for s in f]
        case cst.Comparison(
            left=subject, comparisons=[cst.ComparisonTarget(operator=operator, comparator=cst.Name(value="None"))]
        ) if isinstance(operator, (cst.Is, cst.IsNot, cst.Equal, cst.NotEqual)):
            none, some = is_none(run, subject, state)
            return (none, some) if isinstance(operator, (cst.Is, cst.Equal)) else (some, none)
        case cst.Comparison(
            left=cst.SimpleString(evaluated_value=str(name)),
            comparisons=[cst.ComparisonTarget(operator=cst.In(), comparator=cst.Call(func=cst.Name(value="locals")))],
        ) if state.knows(name):
            return [state], []
        case cst.Name():
            after, value = run.name(node, state)
            truth = truth_of(value)
            if truth is None:
                return refine(node, after)
            return ([after], []) if truth else ([], [after])
    if (kind := is_of_kind(run, node, state)) is not None:
        return ([state], []) if kind else ([], [state])
    true_states: list[State] = []
    false_states: list[State] = []
    ends = run.parts(node, state) if isinstance(node, cst.Comparison) else run.eval(node, state)
    for after, value in ends:
        truth = None if may_be_absent(node, value, after) else truth_of(value)
        if truth is not False:
            true_states.append(after)
        if truth is not True:
            false_states.append(after)
    return true_states, false_states


def is_of_kind(run: Evaluator, node: cst.BaseExpression, state: State) -> bool | None:
    """The answer of `isinstance(session, AsyncSession)` for a session that is known; None where it is not."""
    match node:
        case cst.Call(
            func=cst.Name(value="isinstance"), args=[cst.Arg(value=cst.Name(value=name)), cst.Arg(value=cls)]
        ):
            value, kind = state.value(name), run.infer(cls)
            if isinstance(value, Held) and isinstance(kind, External) and (run.in_summary or value.site.acquired):
                asked_for = SESSION_CLASSES.get(kind.name)
                return asked_for.is_async == value.site.flavor.is_async if asked_for is not None else None
    return None


def is_none(run: Evaluator, node: cst.BaseExpression, state: State) -> tuple[list[State], list[State]]:
    none: list[State] = []
    some: list[State] = []
    for after, value in run.eval(node, state):
        name = node.target if isinstance(node, cst.NamedExpr) else node
        match value:
            case Held() if may_be_absent(name, value, after):
                none.append(after)
                some.append(after)
            case Truth.NONE:
                none.append(after)
            case Truth.TRUE | Truth.FALSE | Truth.SOME | Held() | Holder() | Items() | Manager():
                some.append(after)
            case Derived(nullable=True):
                none.append(learn(name, Truth.NONE, after))
                some.append(learn(name, replace(value, nullable=False), after))
            case Derived() | Bound() | Pending():
                some.append(after)
            case _:
                none.append(learn(name, Truth.NONE, after))
                some.append(learn(name, Truth.SOME, after))
    return none, some


def may_be_absent(node: cst.CSTNode, value: Value, state: State) -> bool:
    """Whether an attribute that is a session by its type may be None: nothing has been done with it yet."""
    if not isinstance(node, cst.Attribute) or not isinstance(value, Held) or value.site.acquired:
        return False
    session = state.session(value.site)
    return session is not None and session.phase is Phase.IDLE and not session.owned


def refine(node: cst.Name, state: State) -> tuple[list[State], list[State]]:
    value = state.value(node.value)
    if isinstance(value, Derived):
        return [state.bind(node.value, replace(value, nullable=False))], [learn(node, Truth.NONE, state)]
    return [learn(node, Truth.TRUE, state)], [learn(node, Truth.FALSY, state)]


def learn(node: cst.CSTNode, value: Value, state: State) -> State:
    return state.bind(node.value, value) if isinstance(node, cst.Name) else state


def truth_of(value: Value) -> bool | None:
    """Whether a value counts as true; None when that is not known."""
    match value:
        case Truth.NONE | Truth.FALSE | Truth.FALSY:
            return False
        case Truth.TRUE | Held() | Manager() | Pending():
            return True
        case Items(items=items):
            return bool(items)
        case Holder(kind=kind) if kind is not None:
            return True
    return None
