"""Runs of a function from its entry, and of a generator from a yield: where they begin, and in which states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from lint_sessions.flow.calls import Run
from lint_sessions.flow.evaluate import Summaries
from lint_sessions.flow.exploration import Exploration
from lint_sessions.flow.graph import BasicBlock
from lint_sessions.flow.lifecycle import Lifecycle, Pause
from lint_sessions.flow.operations import CLOSING
from lint_sessions.flow.state import (
    State,
)
from lint_sessions.flow.values import (
    Given,
    Held,
    Raised,
    Session,
    Site,
    Truth,
)
from lint_sessions.project.annotations import may_be_none
from lint_sessions.project.names import parameters, walk, walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import FunctionType, SessionType


def follow(
    types: Types,
    summaries: Summaries,
    scope: Scope,
    given: tuple[Given, ...] | None = None,
    *,
    to_yield: bool = False,
) -> Lifecycle:
    """Run a function from its entry, or only to its yields.

    `given` is what it gets in one context; None: the types of its parameters tell.
    """
    node = scope.function
    assert node is not None
    found = Lifecycle(gave_up=True)
    # With too many states, the fewer that tell nothing of transactions may do.
    for follows_transactions in (True, False):
        run = _runner(types, summaries, scope, in_summary=given is not None)
        run.follows_transactions = follows_transactions
        try:
            states = _initial(types, scope, node) if given is None else [_entered(node, given)]
            exploration = Exploration(run, *summaries.graph(scope, node), to_yield=to_yield)
            found = exploration.explore([(exploration.graph.entry, state) for state in states])
        except RecursionError:
            break
        if not found.gave_up:
            break
    return found


def resume(
    types: Types,
    summaries: Summaries,
    scope: Scope,
    pauses: Sequence[Pause],
    sessions: tuple[tuple[str, Session], ...],
    raised: Raised | None,
    *,
    to_yield: bool = False,
) -> Lifecycle:
    """Run a generator on from a yield, or throw an exception in there; the `sessions` stand now as the caller says."""
    node = scope.function
    assert node is not None
    run = _runner(types, summaries, scope, in_summary=True)
    starts: list[tuple[BasicBlock | None, State]] = []
    for pause in pauses:
        state = _stand(pause.state, dict(sessions))
        if raised is None:
            starts.append((pause.rest, state))
        else:
            starts.append((pause.rest.error, state.raise_(replace(raised, node=pause.node))))
    try:
        return Exploration(run, *summaries.graph(scope, node), to_yield=to_yield).explore(starts)
    except RecursionError:
        return Lifecycle(gave_up=True)


def _stand(state: State, sessions: dict[str, Session]) -> State:
    """The state with some sessions as somebody else has left them, also those that are not known in it."""
    for site, own in state.sessions:
        now = sessions.pop(site.key.removeprefix("param:"), None)
        if now is not None:
            state = state.put(site, replace(now, owned=own.owned, lent=own.lent, stored=own.stored or now.stored))
    for name, unknown in sessions.items():
        state = state.put(Site(name, acquired=False), unknown)
    return state


def _runner(types: Types, summaries: Summaries, scope: Scope, *, in_summary: bool) -> Run:
    """What evaluates the expressions of a function."""
    node = scope.function
    assert node is not None
    closings = [n for n in scope.parts if isinstance(n, cst.Attribute) and n.attr.value in ("close", "remove")]
    # Who closes or removes any session means to own what it takes from a registry.
    run = Run(types, summaries, scope, types.is_fixture(scope), releases_scoped=bool(closings))
    called = {id(n.func) for n in scope.parts if isinstance(n, cst.Call)}
    run.closed_names = frozenset(n.value.value for n in closings if isinstance(n.value, cst.Name) and id(n) in called)
    run.takes_cancellation = any(_takes_cancellation(n) for n in scope.parts)
    run.in_summary = in_summary
    run.in_manager = scope.is_generator and types.is_context_manager(FunctionType(scope))
    return run


def _takes_cancellation(node: cst.CSTNode) -> bool:
    """Whether a handler takes cancellations, or a `finally` leaves for good or does more than end the session."""
    if isinstance(node, cst.Finally):
        parts = list(walk_scope(node))
        if any(isinstance(part, (cst.Return, cst.Break, cst.Continue)) for part in parts):
            return True
        return any(isinstance(part, cst.Call) and last_name(part.func) not in (*CLOSING, "rollback") for part in parts)
    if not isinstance(node, cst.ExceptHandler):
        return False
    if node.type is None:
        return True
    names = [n.value for n in walk_scope(node.type) if isinstance(n, cst.Name)]
    return any(name in ("BaseException", "CancelledError") for name in names)


def _initial(types: Types, scope: Scope, node: cst.FunctionDef) -> list[State]:
    """The states at the entry: each parameter that is a session is one, and may be None where it says so."""
    states = [State()]
    injected: list[cst.Param] = []
    for param in parameters(node):
        name = param.name.value
        kind = next((types.binding(b, scope, block) for b, block in scope.bound(name) if b.node is param), None)
        if not isinstance(kind, SessionType):
            continue
        first = next((other for other in injected if _same_dependency(param, other)), param)
        if first is param and not kind.flavor.declared:
            injected.append(param)
        site = Site(f"param:{first.name.value}", node=first, flavor=kind.flavor, acquired=False)
        some = [s.put(site, Session(owned=False)).bind(name, Held(site)) for s in states]
        states = some + [s.bind(name, Truth.NONE) for s in states] if may_be_none(param) else some
    return states


def _same_dependency(param: cst.Param, other: cst.Param) -> bool:
    """Whether a framework passes one session for both: it calls a provider once for a request."""
    default, annotation = param.default, param.annotation
    if default is None:
        same = annotation is not None and other.annotation is not None and annotation.deep_equals(other.annotation)
        return same and other.default is None
    uses_cache = not any(isinstance(n, cst.Arg) and n.keyword and n.keyword.value == "use_cache" for n in walk(default))
    return uses_cache and other.default is not None and default.deep_equals(other.default)


def _entered(node: cst.FunctionDef, given: tuple[Given, ...]) -> State:
    """The state at the entry in one context."""
    params = {param.name.value: param for param in parameters(node)}
    state = State()
    for item in given:
        if not isinstance(item.value, Session):
            state = state.bind(item.name, item.value)
        elif item.name in params:
            site = Site(f"param:{item.name}", node=params[item.name], flavor=item.flavor, acquired=False)
            state = state.put(site, item.value).bind(item.name, Held(site))
        else:
            state = state.put(Site(item.name, flavor=item.flavor, acquired=False), item.value)
    return state
