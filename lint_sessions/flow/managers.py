"""Context managers: what entering one gives, and what leaving it does, with an exception or without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow import transactions
from lint_sessions.flow.generators import enter_generated, fail_generated, leave_generated
from lint_sessions.flow.handlers import dispatch
from lint_sessions.flow.objects import enter_object, fail_object, leave_object, manager_of
from lint_sessions.flow.state import (
    Poisoned,
    State,
    closed,
    committed,
    escape,
    rolled_back,
    swallow,
)
from lint_sessions.flow.values import (
    WAITING,
    Bound,
    Cause,
    Entered,
    Failure,
    Generated,
    Held,
    Holder,
    Manager,
    Object,
    Phase,
    Stack,
    Value,
    sites_in,
)
from lint_sessions.project.types import ConnectionType, External, InstanceType, ManagerType, SessionType

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator, Outcome

CLOSERS = frozenset(["close", "aclose", "remove", "__exit__", "__aexit__"])


Leaving = Manager | Holder | Object | Entered | Stack
"""What waits to be left."""


def enter(run: Evaluator, item: cst.WithItem, state: State) -> list[State]:
    ends: list[State] = []
    for after, value in run.eval(item.item, state):
        run.wait(item.item, after)
        for inside, entered, manager in entering(run, item, item.item, value, after):
            waiting = inside.wait(item, manager) if manager is not None else inside
            ends.append(run.assign(item.asname.name, entered, waiting) if item.asname is not None else waiting)
    return ends


def entering(
    run: Evaluator, node: cst.CSTNode, expression: cst.BaseExpression, value: Value, state: State
) -> list[tuple[State, Value, Leaving | None]]:
    """The states once a context manager is entered, each with what that gives and what there is to leave."""
    match value:
        case Held(site=site):
            return [(state, value, Manager(site, value, closes=True))]
        case Manager(site=site, begin=cst.CSTNode() as call):
            # An AsyncSession begins only here.
            begun = transactions.begin(run, state, site, call) if site.flavor.is_async else state
            return [(transactions.entered(begun, site, call), value.entered, value)] if begun is not None else []
        case Manager() | Stack():
            return [(state, value.entered if isinstance(value, Manager) else value, value)]
    made = run.infer(expression)
    known_object = manager_of(expression, made, value)
    if known_object is not None and (isinstance(value, Holder) or not isinstance(run.types.entered(made), SessionType)):
        given = value if isinstance(value, Holder) else None
        return [(after, given, known_object) for after in enter_object(run, node, known_object, state)]
    if isinstance(value, Holder):
        return [(state, value, value)]
    kind = run.types.entered(made)
    if isinstance(value, Generated):
        known = enter_generated(run, node, value, state)
        if known is not None and not (isinstance(kind, SessionType) and any(given is None for _, given, _ in known)):
            return list(known)
    if isinstance(kind, SessionType):
        # With arguments, what is entered may be one of them, and somebody else's.
        managed = isinstance(expression, cst.Call) and not expression.args
        state, held = run.borrow(state, f"{id(node)}", node, kind.flavor, managed=managed)
        return [(state, held, Manager(held.site, held, closes=True, is_known=False))]
    if isinstance(made, (ManagerType, InstanceType, ConnectionType)):
        run.fail(state, node, Cause.ERROR)
    return [(escape(state, sites_in(value)), None, None)]


def leave(run: Evaluator, item: cst.WithItem, state: State) -> list[State]:
    manager = state.waits(item)
    return leave_one(run, manager, item, state.unwait(item)) if isinstance(manager, WAITING) else [state.unwait(item)]


def leave_one(run: Evaluator, manager: Leaving, node: cst.CSTNode, state: State) -> list[State]:
    """A context manager is left with no exception."""
    match manager:
        case Stack(exits=exits):
            states = [state]
            for inner in reversed(exits):
                states = [after for before in states for after in leave_one(run, inner, node, before)]
            return states
        case Object():
            return leave_object(run, node, manager, state)
        case Entered():
            return leave_generated(run, node, manager, state)
        case Manager(savepoint=True):
            return leave_savepoint(run, manager, node, state)
        case Manager(commits=True):
            return leave_begun(run, manager, node, state)
        case Manager(site=site):
            if not manager.is_known:
                state = state.update(site, unsaved=None)
            return [closed(state, site, node) if manager.closes else state]
    return [leave_holder(run, state, manager, node)]


def leave_begun(run: Evaluator, manager: Manager, node: cst.CSTNode, state: State) -> list[State]:
    """A `begin()` block ends well: it commits, unless the transaction has failed inside, which goes unnoticed."""
    site, session = manager.site, state.session(manager.site)
    if session is None:
        return [state]
    if session.failed is not None and session.swallowed is not None:
        run.seen.poisoned.append(Poisoned(site, session.swallowed, session.failed.node, node, state))
    elif session.failed is None and session.pending:
        state = run.activate(state, site, node) or state
    if session.failed is None:
        phase = Phase.CLOSED if session.phase is Phase.CLOSED and not session.pending else Phase.ENDED
        state = committed(state, site, node).update(site, phase=phase, pending=False)
    state = state.update(site, unsaved=None)
    ended = transactions.left(closed(state, site, node) if manager.closes else rolled_back(state, site), site)
    if session.phase is Phase.ACTIVE or session.pending:
        run.fail(ended, node, Cause.DATABASE)
    return [ended]


def leave_savepoint(run: Evaluator, manager: Manager, node: cst.CSTNode, state: State) -> list[State]:
    """The block of a savepoint ends: what is pending is flushed, and what failed inside is rolled back with it."""
    site, session = manager.site, state.session(manager.site)
    if session is None:
        return [state]
    if session.failed is not None and not (session.failed.cancelled and session.pending):
        return [left_savepoint(state, manager)]
    # What is pending is still to be flushed where a cancelled statement took the connection, and is refused.
    state = state.update(site, in_begin=manager.in_begin)
    if not session.ran and not session.pending:
        return [state.update(site, ran=manager.ran)]
    after = run.activate(state, site, node) if session.pending else state
    if after is None:
        return []
    after = after.update(site, pending=False)
    run.fail(after, node, Cause.DATABASE)
    if site.flavor.is_async:
        lost = after.update(site, phase=Phase.ENDED, failed=Failure(node, cancelled=True), swallowed=None)
        run.cancel(lost, node)
    return [after]


def left_savepoint(state: State, manager: Manager) -> State:
    """What was done since the savepoint is rolled back."""
    session = state.session(manager.site)
    ran = manager.ran or (session is not None and session.ran)
    undone = rolled_back(state, manager.site, to_savepoint=True)
    return undone.update(manager.site, ran=ran, in_begin=manager.in_begin)


def leave_error(run: Evaluator, item: cst.WithItem, state: State) -> tuple[list[State], list[State]]:
    """The states in which the exception in flight is suppressed, and those in which it goes on."""
    manager = state.waits(item)
    state = state.unwait(item)
    if isinstance(manager, WAITING):
        return leave_failing(run, manager, item, state)
    call = item.item
    kind = run.infer(call.func) if isinstance(call, cst.Call) else None
    if isinstance(call, cst.Call) and isinstance(kind, External) and kind.name in ("contextlib.suppress", "suppress"):
        suppressed, going = dispatch(run, [arg.value for arg in call.args], state)
        return [swallow(s, item) for s in suppressed], going
    return [], [state]


def leave_failing(run: Evaluator, manager: Leaving, node: cst.CSTNode, state: State) -> tuple[list[State], list[State]]:
    """A context manager is left by an exception: the states in which it suppresses it, and those in which not."""
    match manager:
        case Stack(exits=exits):
            sound: list[State] = []
            failing = [state]
            for inner in reversed(exits):
                sound = [after for before in sound for after in leave_one(run, inner, node, before)]
                ways = [leave_failing(run, inner, node, before) for before in failing]
                sound += [after for suppressed, _ in ways for after in suppressed]
                failing = [after for _, going in ways for after in going]
            return sound, failing
        case Object():
            return fail_object(run, node, manager, state)
        case Entered():
            return fail_generated(run, node, manager, state)
        case Manager(site=site):
            if manager.savepoint:
                return [], [left_savepoint(state, manager)]
            ended = closed(state, site, node) if manager.closes else rolled_back(state, site)
            return [], [transactions.left(ended, site)]
    return [], [leave_holder(run, state, manager, node)]


def leave_holder(run: Evaluator, state: State, holder: Holder, node: cst.CSTNode) -> State:
    if holder.kind is None or run.summaries.closes(holder.kind, ("__exit__", "__aexit__")):
        for site in holder.sites:
            state = closed(state, site, node)
    return state


# --- exit stacks ------------------------------------------------------------------------------------------------------


def stacked(
    run: Evaluator, node: cst.Call, stack: Stack, name: str, args: Sequence[tuple[cst.Arg, Value]], state: State
) -> list[Outcome]:
    """A method of an ExitStack is called."""
    first = args[0] if args else None
    match name:
        case "enter_context" | "enter_async_context" if first is not None:
            ends: list[Outcome] = []
            for inside, entered, manager in entering(run, node, first[0].value, first[1], state):
                if isinstance(manager, (Manager, Holder, Object, Entered)):
                    inside = inside.restack(Stack(stack.key, (*stack.exits, manager)))
                else:
                    run.fail(inside, node, Cause.ERROR)
                ends.append((inside, entered))
            return ends
        case "push" | "push_async_exit" | "callback" | "push_async_callback" if first is not None:
            match first[1]:
                case Held(site=site):
                    added = Manager(site, None, closes=True)
                case Bound(base=Held(site=site), name=method) if method in CLOSERS:
                    added = Manager(site, None, closes=True)
                case _:
                    return [(escape(state, (s for _, value in args for s in sites_in(value))), None)]
            return [(state.restack(Stack(stack.key, (*stack.exits, added))), first[1])]
        case "close" | "aclose":
            return [(s.restack(Stack(stack.key)), None) for s in leave_one(run, stack, node, state)]
        case "pop_all":
            return [(state.restack(Stack(stack.key)), Stack(id(node), stack.exits))]
        case "__enter__" | "__aenter__":
            return [(state, stack)]
    return [(escape(state, (s for _, value in args for s in sites_in(value))), None)]
