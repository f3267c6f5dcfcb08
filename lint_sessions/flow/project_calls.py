"""Calls of the project's own functions and classes: their summaries say what happens to the sessions they are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import libcst as cst

from lint_sessions.flow import transactions
from lint_sessions.flow.arguments import Arguments, by_parameter, declared, entries, sessions_among
from lint_sessions.flow.evaluate import Evaluator, Outcome
from lint_sessions.flow.instances import touched
from lint_sessions.flow.state import (
    Poisoned,
    State,
    closed,
    committed,
    escape,
    is_failing,
    reopen,
)
from lint_sessions.flow.summary import SWALLOWED_BEFORE, Ending, Summary
from lint_sessions.flow.values import (
    Cause,
    Failure,
    Generated,
    Given,
    Held,
    Holder,
    Pending,
    Phase,
    Place,
    Raised,
    Session,
    Site,
    Value,
    Write,
    moved,
    sites_in,
)
from lint_sessions.project.known import PLAIN_BASES
from lint_sessions.project.names import dotted
from lint_sessions.project.scopes import Scope, has_decorator
from lint_sessions.project.types import (
    AwaitableType,
    ClassType,
    External,
    Flavor,
    FunctionType,
    InstanceType,
    ManagerType,
    SessionType,
)


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
    if args and isinstance(args[0][1], Holder) and _is_unbound(kind, definition, args[0]):
        kind, holder, args = FunctionType(kind.scope, args[0][1].kind), args[0][1], args[1:]
    for _, value in args:
        if isinstance(value, Pending):
            state = next(iter(run.settle(value, state)), (state, None))[0]
    args, state = declared(run, kind, args, state)
    given = by_parameter(kind, args)
    if given is None:
        return None
    if kind.scope.is_generator and isinstance(run.infer(node), ManagerType):
        return [(state, generated(run, node, kind, state, given, holder))]
    if kind.scope.is_generator:
        given_sites = tuple(s for value in given.values() for s in sites_in(value))
        run.fail(state, node, Cause.ERROR)
        return [(state, Holder(given_sites) if given_sites else None)]
    sessions, others = sessions_among(given)
    caller = Caller(node, holder, receiver_of(node))
    context, state = entered(run, kind, caller, state, sessions, given)
    summary = run.summaries.of(kind, context)
    state = escape(state, others)
    refused(run, node, summary, state, sessions)
    endings = [_still_held(run, ending, sessions, state) for ending in summary.endings]
    after = [(e, left(kind, caller, settled(node, e, state, sessions, holder, caller.receiver))) for e in endings]
    return [returned(run, node, kind, ending, sessions, s) for ending, s in ends_well(run, node, after)]


def _still_held(run: Evaluator, ending: Ending, sessions: dict[str, Site], state: State) -> Ending:
    """An ending in which a session from a step of a provider, that this function closes itself, is in use but not
    given away; what keeps it has not opened it."""
    kept = {name for name, site in sessions.items() if site.from_step and run.closes_itself(site, state)}
    if not any(session.stored for name, session in ending.sessions if name in kept):
        return ending
    in_use = (
        (name, replace(session, stored=False, phase=Phase.ACTIVE) if name in kept and session.stored else session)
        for name, session in ending.sessions
    )
    return replace(ending, sessions=tuple(in_use))


def _is_unbound(kind: FunctionType, definition: cst.FunctionDef, first: tuple[cst.Arg, Value]) -> bool:
    """Whether a call is `Class.method(it, …)`, which is `it.method(…)`."""
    is_plain = isinstance(kind.owner, ClassType) and not has_decorator(definition, "classmethod")
    arg, it = first
    return is_plain and not arg.star and arg.keyword is None and isinstance(it, Holder) and it.kind is not None


def ends_well(run: Evaluator, node: cst.CSTNode, after: list[tuple[Ending, State]]) -> list[tuple[Ending, State]]:
    """The endings of a call that return, each with its state; what comes out of the others is thrown."""
    for ending, state in after:
        if ending.raised is not None:
            throw(run, node, ending.raised, state)
    return [(ending, state) for ending, state in after if ending.raised is None]


@dataclass(frozen=True)
class Caller:
    """How a method is called: where, and on which object."""

    node: cst.CSTNode
    holder: Holder | None
    """The object, where it is known to keep sessions of the caller."""
    receiver: str | None
    """Its path."""


def entered(
    run: Evaluator,
    kind: FunctionType,
    caller: Caller,
    state: State,
    sessions: dict[str, Site],
    given: dict[str, Value],
) -> tuple[tuple[Given, ...], State]:
    """The context of a call; the sessions of the method's object are added to `sessions`."""
    for kept, own in _own(run, kind, caller, state):
        sessions[own] = kept
        state = _known(state, kept)
    return tuple(entries(run, kind, state, sessions, given)), state


def left(kind: FunctionType, caller: Caller, state: State) -> State:
    """After a method has returned or raised: the attributes that it sets lead to other objects now."""
    if kind.owner is None or caller.receiver is None:
        return state
    for attribute in kind.scope.attributes_set:
        state = state.forget(f"{caller.receiver}.{attribute}")
    return state.unbind(f"{caller.receiver}.")


def _own(run: Evaluator, kind: FunctionType, caller: Caller, state: State) -> Iterator[tuple[Site, str]]:
    """The sessions known of the object whose method is called, with the names they have inside."""
    own, holder = kind.scope.first_parameter, caller.holder
    if own is None or kind.owner is None:
        return
    if holder is not None:
        attributes = holder.attributes
        if not attributes and len(holder.sites) == 1:
            attribute = run.types.session_attribute(holder.kind)
            attributes = ((attribute, holder.sites[0]),) if attribute is not None else ()
        for name, site in attributes:
            yield site, f"{own}.{name}"
    elif caller.receiver is not None:
        for site, _ in state.sessions:
            if site.key.startswith(f"{caller.receiver}."):
                yield site, own + site.key.removeprefix(caller.receiver)


def refused(run: Evaluator, node: cst.CSTNode, summary: Summary, state: State, sessions: dict[str, Site]) -> None:
    """Sessions that are poisoned when they are passed, and used inside; or whose transaction refuses what is done."""
    transactions.told(run, node, summary, state, sessions)
    for name in summary.refused:
        session = state.session(sessions[name]) if name in sessions else None
        if session is not None and session.failed is not None and session.swallowed is not None:
            run.seen.poisoned.append(Poisoned(sessions[name], session.swallowed, session.failed.node, node, state))


def generated(
    run: Evaluator, node: cst.Call, kind: FunctionType, state: State, given: dict[str, Value], holder: Holder | None
) -> Generated:
    """A generator-based context manager is made; nothing of it runs before it is entered."""
    sessions, _ = sessions_among(given)
    caller = Caller(node, holder, receiver_of(node))
    context, _ = entered(run, kind, caller, state, sessions, given)
    return Generated(kind, context, tuple(sorted(sessions.items())), caller.receiver)


def receiver_of(node: cst.Call) -> str | None:
    """The path of the object whose method is called."""
    return dotted(node.func.value) if isinstance(node.func, cst.Attribute) else None


def settled(
    node: cst.CSTNode,
    ending: Ending,
    state: State,
    sessions: dict[str, Site],
    holder: Holder | None = None,
    receiver: str | None = None,
) -> State:
    """The sessions of the caller as one ending leaves them."""
    for name, left in ending.sessions:
        if name in sessions:
            state = _change(state, sessions[name], left, node)
        elif holder is not None:
            for site in holder.sites:
                state = _change(state, site, left, node)
        elif receiver is not None and "." in name:
            site = Site(f"{receiver}.{name.partition('.')[2]}", node=node, flavor=Flavor(expires=None), acquired=False)
            state = _change(_known(state, site), site, left, node)
    return state


def _change(state: State, site: Site, left: Session, node: cst.CSTNode) -> State:
    before = state.session(site)
    if before is None:
        return state
    if left.saved:
        state = touched(committed(state, site, node), site)  # it may have loaded again what it has expired
    begun, over = _place(left.begun, before.begun, node), _place(left.over, before.over, node)
    state = state.update(site, begun=begun, over=over, in_begin=left.in_begin)
    state = state.update(site, unsaved=_write(left.unsaved, before.unsaved, node))
    if left.phase is Phase.CLOSED:
        writes = (
            _write(lost, before.unsaved, node) for lost in (() if before.stored or is_failing(state) else left.lost)
        )
        lost = tuple(dict.fromkeys((*before.lost, *(write for write in writes if write is not None))))
        state = closed(state.update(site, unsaved=None), site, node) if before.phase is not Phase.CLOSED else state
        state = state.update(site, pending=left.pending, lost=lost, unsaved=_write(left.unsaved, before.unsaved, node))
        return escape(state, [site]) if left.stored else state
    phase = before.phase if left.phase is Phase.IDLE else left.phase
    if phase is not Phase.CLOSED and before.phase is Phase.CLOSED:
        state = reopen(state, site, node)
    if phase is Phase.ACTIVE and before.phase is not Phase.ACTIVE:
        state = state.note(node, "used", site)
    if phase is Phase.ENDED and before.phase is Phase.ACTIVE:
        state = state.note(node, "ended", site)
    state = state.update(
        site,
        phase=phase,
        pending=left.pending,
        loaded=before.loaded or left.loaded,
        ran=left.ran,
        failed=_failure(left, before.failed, node),
        swallowed=before.swallowed if left.swallowed is SWALLOWED_BEFORE else left.swallowed,
    )
    return escape(state, [site]) if left.stored else state


def _write(left: Write | None, before: Write | None, node: cst.CSTNode) -> Write | None:
    """What is to be stored after a call: what was before it, or what was written in it."""
    if left is None:
        return None
    return before if left.node is None else Write(node)


def _place(left: Place | None, before: Place | None, node: cst.CSTNode) -> Place | None:
    """The same for what has begun or ended a transaction."""
    return left if left is None else before if left.before else Place(node)


def _failure(left: Session, before: Failure | None, node: cst.CSTNode) -> Failure | None:
    """What poisons a session after a call: what did before it, or the call itself."""
    if left.failed is None:
        return None
    return before if left.failed.before else replace(left.failed, node=node)


def throw(run: Evaluator, node: cst.CSTNode, raised: Raised, state: State) -> None:
    if raised.cause is not Cause.EXIT or raised.name is not None or run.minds_cancellation(state):
        run.throw(state, replace(raised, node=node))


def _known(state: State, site: Site) -> State:
    return state if state.session(site) is not None else state.put(site, Session(owned=False))


def returned(
    run: Evaluator, node: cst.Call, kind: FunctionType, ending: Ending, sessions: dict[str, Site], after: State
) -> Outcome:
    """What the call gives in one ending: sites are made those of the caller."""
    value = ending.value
    for number, (inner, left) in enumerate(ending.made):
        after, site = run.acquire(after, node, inner.flavor, number)
        failed = _failure(left, None, node)
        after = after.update(site, phase=left.phase, pending=left.pending, failed=failed, swallowed=left.swallowed)
        after = after.update(site, begun=_place(left.begun, None, node))
        value = moved(value, inner, site)
    for name, site in sessions.items():
        value = moved(value, Site(f"param:{name}"), site)
    if value is not None:
        return after, value
    result = run.types.result(kind)
    if isinstance(result, AwaitableType):
        result = result.result
    if isinstance(result, SessionType):
        return run.borrow(after, f"{id(node)}", node, result.flavor)
    return after, None


def construct(run: Evaluator, node: cst.Call, cls: ClassType, args: Arguments, state: State) -> list[Outcome] | None:
    """An object of a project class is made; it may keep the sessions it is given. None where that can't be told."""
    method = run.types.method(cls, "__init__")
    if method is not None:
        args, state = declared(run, FunctionType(method.scope, InstanceType(cls)), args, state)
    sites = tuple(s for _, value in args for s in sites_in(value))
    if method is None:
        run.fail(state, node, Cause.ERROR)
        named = tuple((a.keyword.value, v.site) for a, v in args if a.keyword is not None and isinstance(v, Held))
        return [(state, Holder(sites, InstanceType(cls), named) if sites else None)]
    bases = (base.name for base in run.types.ancestry(cls.scope) if isinstance(base, External))
    if sites and any("." in name and name not in PLAIN_BASES for name in bases):
        return None
    made = FunctionType(method.scope, InstanceType(cls))
    given = by_parameter(made, args)
    if given is None:
        return None
    held, _ = sessions_among(given)
    summary = run.summaries.of(made, tuple(entries(run, made, state, held, given)))
    refused(run, node, summary, state, held)
    kept = Holder(sites, InstanceType(cls), tuple(_kept_as(method.scope, held))) if sites else None
    on_self = (
        replace(ending, sessions=tuple((n, replace(s, stored=False)) for n, s in ending.sessions if n in held))
        for ending in summary.endings
    )
    after = [(ending, settled(node, ending, state, held)) for ending in on_self]
    return list(dict.fromkeys((s, kept) for _, s in ends_well(run, node, after)))


def _kept_as(method: Scope, held: dict[str, Site]) -> Iterator[tuple[str, Site]]:
    """The attributes that an `__init__` keeps its sessions in."""
    for attribute, values in method.attributes_set.items():
        for value, _ in values:
            if isinstance(value, cst.Name) and value.value in held:
                yield attribute, held[value.value]
