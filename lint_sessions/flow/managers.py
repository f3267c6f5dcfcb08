"""Context managers: what entering one gives, and what leaving it does, with an exception or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.state import Cause, Held, Holder, Manager, Phase, Poisoned, Site, State, Value, closed, swallow
from lint_sessions.project.types import ConnectionType, External, InstanceType, ManagerType, SessionType, Type

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator


def enter(run: Evaluator, item: cst.WithItem, state: State) -> list[State]:
    ends: list[State] = []
    for after, value in run.eval(item.item, state):
        manager: Manager | Holder | None = None
        entered: Value = None
        match value:
            case Held(site=site):
                manager = Manager(site, value, closes=True)
                entered = value
            case Manager():
                manager, entered = value, value.entered
            case Holder():
                manager, entered = value, value
            case _:
                kind = run.types.entered(run.infer(item.item))
                if isinstance(kind, SessionType):
                    # With arguments, what is entered may be one of them, and somebody else's.
                    managed = isinstance(item.item, cst.Call) and not item.item.args
                    after, entered = run.borrow(after, f"{id(item)}", item, kind.flavor, managed=managed)
                    manager = Manager(entered.site, entered, closes=True)
                elif isinstance(run.infer(item.item), (ManagerType, InstanceType, ConnectionType)):
                    run.fail(after, item, Cause.ERROR)
        if manager is not None:
            after = after.wait(item, manager)
        if item.asname is not None:
            after = run.assign(item.asname.name, entered, after)
        ends.append(after)
    return ends


def leave(run: Evaluator, item: cst.WithItem, state: State) -> list[State]:
    manager = state.waits(item)
    state = state.unwait(item)
    match manager:
        case Manager(site=site):
            session = state.session(site)
            if session is None:
                return [state]
            if manager.commits:
                if session.failed is not None and session.swallowed is not None and not manager.savepoint:
                    run.poisoned.append(Poisoned(site, session.swallowed, session.failed, item, state))
                ended = closed(state, site, item) if manager.closes else _rolled_back(state, site)
                if session.phase is Phase.ACTIVE or session.pending:
                    run.fail(ended, item, Cause.DATABASE)
                return [savepoint_left(run, state, site, item) if manager.savepoint else ended]
            return [closed(state, site, item) if manager.closes else state]
        case Holder(sites=sites, kind=kind):
            return [leave_holder(run, state, sites, kind, item)]
    return [state]


def savepoint_left(run: Evaluator, state: State, site: Site, item: cst.WithItem) -> State:
    """The block of a savepoint ends well: what is pending is flushed, which takes a connection."""
    session = state.session(site)
    if session is None or not session.pending:
        return state
    return run.activate(state, site, item).update(site, pending=False)


def leave_error(run: Evaluator, item: cst.WithItem, state: State) -> tuple[list[State], list[State]]:
    """The states in which the exception in flight is suppressed, and those in which it goes on."""
    manager = state.waits(item)
    state = state.unwait(item)
    match manager:
        case Manager(site=site, closes=True):
            return [], [closed(state, site, item)]
        case Manager(site=site):
            return [], [
                state.update(site, failed=None, pending=False) if manager.savepoint else _rolled_back(state, site)
            ]
        case Holder(sites=sites, kind=kind):
            return [], [leave_holder(run, state, sites, kind, item)]
    call = item.item
    kind = run.infer(call.func) if isinstance(call, cst.Call) else None
    if isinstance(call, cst.Call) and isinstance(kind, External) and kind.name in ("contextlib.suppress", "suppress"):
        verdicts = [run.takes(arg.value, state.raised) for arg in call.args]
        caught = [swallow(state, item)] if any(v is not False for v in verdicts) else []
        return caught, [] if any(v is True for v in verdicts) else [state]
    return [], [state]


def leave_holder(run: Evaluator, state: State, sites: tuple[Site, ...], kind: Type | None, item: cst.WithItem) -> State:
    if kind is None or run.summaries.closes(kind, ("__exit__", "__aexit__")):
        for site in sites:
            state = closed(state, site, item)
    return state


def _rolled_back(state: State, site: Site) -> State:
    return state.update(site, phase=Phase.ENDED, failed=None, swallowed=None, pending=False)
