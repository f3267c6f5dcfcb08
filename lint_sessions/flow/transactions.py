"""Transactions that begin, by themselves or by `begin()`, and those that end inside the block that was to end them.

A transaction stands on the Python side from the first `add` or statement, before any connection is needed. Inside a
`begin()` block nothing begins a second one (source: SQLAlchemy 2.0, `TransactionalContext._trans_ctx_check`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.state import BegunTwice, Overrun, State
from lint_sessions.flow.values import Cause, Held, Manager, Place, Raised, Site, Truth
from lint_sessions.project.types import ClassType, External, FunctionType, Type

if TYPE_CHECKING:
    from lint_sessions.flow.arguments import Arguments
    from lint_sessions.flow.evaluate import Evaluator
    from lint_sessions.flow.summary import Summary

INVALID_REQUEST = "sqlalchemy.exc.InvalidRequestError"


def begins(run: Evaluator, state: State, site: Site, node: cst.CSTNode) -> State | None:
    """A transaction begins by itself if none stands; None where the block around has lost its own."""
    session = state.session(site)
    if session is None:
        return state
    if session.over is not None:
        run.seen.overrun.append(Overrun(site, session.over.node, node, session.over.before, state))
        run.throw(state, Raised(Cause.DATABASE, INVALID_REQUEST, node))
        return None
    return state if session.begun is not None else state.update(site, begun=Place(node))


def begin(run: Evaluator, state: State, site: Site, node: cst.CSTNode) -> State | None:
    """`begin()` takes effect; None where a transaction stands already."""
    session = state.session(site)
    if session is not None and session.begun is not None and session.over is None:
        run.seen.begun_twice.append(BegunTwice(site, session.begun, node, node, state))
        run.throw(state, Raised(Cause.DATABASE, INVALID_REQUEST, node))
        return None
    return begins(run, state, site, node)


def entered(state: State, site: Site, node: cst.CSTNode) -> State:
    """The block of a `begin()` is entered."""
    return state.update(site, in_begin=True, over=None, begun=Place(node))


def ended(state: State, site: Site, node: cst.CSTNode, of: Manager | None = None) -> State:
    """A commit or rollback ends the transaction, or a savepoint; the `begin()` block around it gets no other."""
    session = state.session(site)
    if of is not None and of.savepoint:
        return state.update(site, in_begin=of.in_begin)
    if session is not None and session.in_begin and session.over is None:
        state = state.update(site, over=Place(node))
    return state.update(site, begun=None)


def left(state: State, site: Site) -> State:
    """The block of a `begin()` is left."""
    return state.update(site, in_begin=False, over=None, begun=None)


def forget(state: State, sites: frozenset[Site] = frozenset()) -> State:
    """Somebody is called who may know sessions, and end their transactions; `sites` are not among them."""
    for site, session in state.sessions:
        if session.begun is not None and site not in sites:
            state = state.update(site, begun=None)
    return state


def passed(run: Evaluator, node: cst.Call, kind: Type | None, args: Arguments, state: State) -> State:
    """A call that is not a session's own: of the sessions that it is not given, it may know some all the same."""
    if isinstance(kind, ClassType) or (isinstance(kind, External) and kind.resolved):
        return state
    given = frozenset(value.site for _, value in args if isinstance(value, Held))
    is_imported = isinstance(kind, External) and isinstance(node.func, cst.Name)
    is_free = is_imported or (isinstance(kind, FunctionType) and kind.owner is None)
    if is_free and not any(run.types.session_attribute(run.infer(arg.value)) for arg, _ in args):
        given |= frozenset(site for site, _ in state.sessions if site.acquired or site.key.startswith("param:"))
    return forget(state, given)


def stands(state: State, site: Site) -> Truth | None:
    """What `in_transaction()` says; None where it is not known."""
    session = state.session(site)
    if session is None or (session.begun is None and session.over is None):
        return None
    return Truth.TRUE if session.begun is not None else Truth.FALSE


def is_nested(node: cst.Call) -> bool:
    """Whether a call of `begin` asks for a savepoint."""
    return any(arg.keyword is not None and arg.keyword.value == "nested" for arg in node.args)


def told(run: Evaluator, node: cst.CSTNode, summary: Summary, state: State, sessions: dict[str, Site]) -> None:
    """What a call does in which the transaction of a caller's session is over, or begun twice."""
    for name, was_over in summary.overrun:
        session = state.session(sessions[name]) if name in sessions else None
        if session is not None and session.in_begin:
            over = session.over
            end = over.node if was_over and over is not None else node
            before = was_over and over is not None and over.before
            run.seen.overrun.append(Overrun(sessions[name], end, node, before, state))
    for name, place in summary.begun_twice:
        session = state.session(sessions[name]) if name in sessions else None
        if session is not None and session.begun is not None:
            run.seen.begun_twice.append(BegunTwice(sessions[name], session.begun, place, node, state))
