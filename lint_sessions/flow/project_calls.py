"""Calls of the project's own functions and classes: their summaries say what happens to the sessions they are given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.evaluate import Evaluator, Outcome
from lint_sessions.flow.state import (
    Cause,
    Derived,
    Form,
    Held,
    Holder,
    Items,
    Pending,
    Phase,
    Session,
    Site,
    State,
    Value,
    escape,
    sites_in,
)
from lint_sessions.project.names import dotted, parameters
from lint_sessions.project.types import (
    AwaitableType,
    ClassType,
    External,
    Flavor,
    FunctionType,
    InstanceType,
    NoneType,
    SessionType,
)

if TYPE_CHECKING:
    from lint_sessions.flow.summaries import Effect, Summary

Arguments = list[tuple[cst.Arg, Value]]


def function(
    run: Evaluator, node: cst.Call, kind: FunctionType, args: Arguments, state: State, holder: Holder | None = None
) -> list[Outcome] | None:
    """A function of the project is called: its summary says what it does; None where that can't be told.

    `holder` is the object whose method it is, where that keeps sessions of the caller.
    """
    definition = kind.scope.node
    if isinstance(definition, cst.Lambda):
        return None
    assert isinstance(definition, cst.FunctionDef)
    for _, value in args:
        if isinstance(value, Pending):
            state = next(iter(run.settle(value, state)), (state, None))[0]
    given = assign_arguments(definition, kind, args)
    if given is None:
        return None
    if kind.scope.is_generator:
        given_sites = tuple(s for value in given.values() for s in sites_in(value))
        run.fail(state, node, Cause.ERROR)
        return [(state, Holder(given_sites) if given_sites else None)]
    with_sessions = {name: v for name, v in given.items() if isinstance(v, Held)}
    others = [s for name, v in given.items() if name not in with_sessions for s in sites_in(v)]
    summary = run.summaries.of(kind, frozenset(with_sessions))
    failing, ends = state, [state]
    for name, value in with_sessions.items():
        failing = summary.effect(name).on_error(failing, value.site, node)
        ends = [after for before in ends for after in summary.effect(name).on_return(run, before, value.site, node)]
    for kept, effect in _kept(node, summary, holder):
        failing = effect.on_error(_known(failing, kept), kept, node)
        ends = [after for before in ends for after in effect.on_return(run, _known(before, kept), kept, node)]
    failing = escape(failing, others)
    throw(run, node, summary, failing)
    if not summary.returns:
        return []
    return [returned(run, node, kind, summary, with_sessions, escape(after, others)) for after in ends]


def throw(run: Evaluator, node: cst.Call, summary: Summary, failing: State) -> None:
    """What may come out of a call; only an error of the database leaves the session poisoned."""
    sound = failing
    for site, session in failing.sessions:
        if session.failed is node:
            sound = sound.update(site, failed=None)
    for raised in summary.raises:
        run.throw(failing if raised.cause is Cause.DATABASE else sound, replace(raised, node=node))


def _kept(node: cst.Call, summary: Summary, holder: Holder | None) -> list[tuple[Site, Effect]]:
    """The sessions that the object of a called method keeps, with what the call does to each."""
    if holder is not None:
        return [(site, effect) for site in holder.sites for _, effect in summary.own_effects[:1]]
    receiver = dotted(node.func.value) if isinstance(node.func, cst.Attribute) else None
    if receiver is None:
        return []
    flavor = Flavor(expires=None)
    return [
        (Site(f"{receiver}{path}", node=node, flavor=flavor, acquired=False), effect)
        for path, effect in summary.own_effects
    ]


def _known(state: State, site: Site) -> State:
    return state if state.session(site) is not None else state.put(site, Session(owned=False))


def returned(
    run: Evaluator, node: cst.Call, kind: FunctionType, summary: Summary, with_sessions: dict[str, Held], after: State
) -> Outcome:
    """What the call gives."""
    if summary.gives_new is not None:
        after, site = run.acquire(after, node, summary.gives_new)
        if summary.gives_used:
            after = after.update(site, phase=Phase.ACTIVE, used=True)
        return after, Held(site)
    if summary.gives_back in with_sessions:
        return after, with_sessions[summary.gives_back]
    result = run.types.result(kind)
    if isinstance(result, AwaitableType):
        result = result.result
    if isinstance(result, SessionType):
        return run.borrow(after, f"{id(node)}", node, result.flavor)
    if not isinstance(result, NoneType) and len(with_sessions) == 1 and summary.gives_derived:
        (value,) = with_sessions.values()
        return after, Derived(value.site, Form.INSTANCE, nullable=summary.gives_none)
    return after, None


def construct(run: Evaluator, node: cst.Call, cls: ClassType, args: Arguments, state: State) -> list[Outcome] | None:
    """An object of a project class is made; it may keep the sessions it is given. None where that can't be told."""
    sites = tuple(s for _, value in args for s in sites_in(value))
    method = run.types.method(cls, "__init__")
    if method is None:
        run.fail(state, node, Cause.ERROR)
        return [(state, Holder(sites, InstanceType(cls)) if sites else None)]
    outside = any(isinstance(base, External) and "." in base.name for base in run.types.ancestry(cls.scope))
    if outside and sites:
        return None
    kept = state
    definition = method.scope.function
    given = assign_arguments(definition, FunctionType(method.scope, InstanceType(cls)), args) if definition else None
    if given is None:
        return None
    held = {name: value for name, value in given.items() if isinstance(value, Held)}
    summary = run.summaries.of(method, frozenset(held))
    for name, value in held.items():
        effect = summary.effect(name)
        effect = replace(
            effect, escapes=effect.escapes and not effect.stored_on_self, poisoned_by=None, may_close=False
        )
        (kept,) = effect.on_return(run, kept, value.site, node)
    throw(run, node, summary, kept)
    return [(kept, Holder(sites, InstanceType(cls)) if sites else None)]


def assign_arguments(node: cst.FunctionDef, kind: FunctionType, args: Arguments) -> dict[str, Value] | None:
    """The arguments by parameter name; None when that can't be told (`*args` in the call, too many)."""
    names = [p.name.value for p in parameters(node) if not p.star]
    if kind.owner is not None and names:
        names = names[1:]
    params = node.params
    star = params.star_arg.name.value if isinstance(params.star_arg, cst.Param) else None
    double = params.star_kwarg.name.value if params.star_kwarg is not None else None
    given: dict[str, Value] = {}
    position = 0
    for arg, value in args:
        if arg.star:
            return None
        if arg.keyword is not None:
            name = arg.keyword.value
            if name not in names:
                if double is None:
                    return None
                name = double
        else:
            if position < len(names):
                name = names[position]
            elif star is not None:
                name = star
            else:
                return None
            position += 1
        if name in (star, double):
            value = Items((given.get(name), value))
        given[name] = value
    return given
