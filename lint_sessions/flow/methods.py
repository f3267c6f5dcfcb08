"""What methods of sessions do, and those of their queries, results, instances and transactions."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from lint_sessions.flow import instances, transactions
from lint_sessions.flow.arguments import Arguments
from lint_sessions.flow.evaluate import Evaluator, Outcome
from lint_sessions.flow.operations import (
    BUILDERS,
    CLOSING,
    COROUTINES,
    DML,
    FLUSHING,
    NEUTRAL,
    NULLABLE,
    PLURAL,
    WRITING,
)
from lint_sessions.flow.state import (
    LateCommit,
    State,
    Unseen,
    closed,
    committed,
    escape,
    rolled_back,
    written,
)
from lint_sessions.flow.values import (
    Cause,
    Derived,
    Failure,
    Form,
    Held,
    Manager,
    Pending,
    Phase,
    Site,
    Value,
    sites_in,
)
from lint_sessions.project.models import OTHER_COLUMNS
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import last_name
from lint_sessions.project.types import (
    External,
)


def operation(run: Evaluator, node: cst.Call, site: Site, name: str, args: Arguments, state: State) -> list[Outcome]:
    """A method of a session is called; the coroutine of an AsyncSession waits until it is awaited."""
    state = escape(state, (s for _, value in args for s in sites_in(value) if s != site))
    if name in ("begin", "begin_nested"):
        return begin(run, node, site, state, savepoint=name == "begin_nested" or transactions.is_nested(node))
    if name == "query":
        return [(state, Derived(site, Form.QUERY, instances.queried(run, node)))]
    if name in ("add", "add_all"):
        begun = transactions.begins(run, state, site, node)
        if begun is None:
            return []
        state = written(begun.update(site, pending=True), site, node)
        return [(instances.added(run, node, site, state), None)]
    if name == "refresh":
        state = state.update(site, unsaved=None)  # only what is stored already can be refreshed
        if args and isinstance(args[0][0].value, cst.Name):
            state = instances.refreshed(run, node, site, state)
    if name in ("delete", "expunge"):
        state = instances.dropped(node, site, state)
    if name in ("expunge", "expunge_all"):
        state = state.update(site, pending=False, unsaved=None)
    if name == "expunge_all":
        state = instances.forgotten(state, site)
    if name in NEUTRAL:
        return [(state, transactions.stands(state, site) if name == "in_transaction" else None)]
    if name in ("__enter__", "__aenter__"):
        return [(state, Held(site))]
    if site.flavor.is_async and name in COROUTINES:
        return [(state, Pending(site, name, _result(run, node, site, name), node))]
    return perform(run, node, site, name, state)


def begin(run: Evaluator, node: cst.Call, site: Site, state: State, *, savepoint: bool) -> list[Outcome]:
    """A transaction or savepoint begins, to be left later: neither emits anything yet, but a savepoint flushes."""
    session = state.session(site)
    entered = Held(site) if site.flavor.is_async else None
    if session is None or not savepoint:
        if not run.is_sound(state, site, node):
            return []
        if session is not None and session.phase is Phase.ACTIVE:
            run.fail(state, node, Cause.DATABASE)  # a transaction may have begun already
        # An AsyncSession begins when what it gives is awaited or entered.
        if node.args:
            return [(state, Manager(site, entered, closes=False, commits=True))]  # subtransactions of SQLAlchemy 1
        now = state if site.flavor.is_async else transactions.begin(run, state, site, node)
        manager = Manager(site, entered, closes=False, commits=True, begin=node)
        return [(now, manager)] if now is not None else []
    standing = transactions.begins(run, state, site, node)
    begun = flushed(run, standing, site, node) if standing is not None else None
    manager = Manager(site, entered, closes=False, savepoint=True, ran=session.ran, in_begin=session.in_begin)
    return [(begun.update(site, ran=False, in_begin=False), manager)] if begun is not None else []


def flushed(run: Evaluator, state: State, site: Site, node: cst.CSTNode) -> State | None:
    """What is pending is flushed; None where the session refuses it."""
    session = state.session(site)
    if session is None or not session.pending:
        # A savepoint is emitted with the first statement in it: that is what a lost connection refuses.
        is_lost = session is not None and session.failed is not None and session.failed.cancelled
        return state if is_lost or run.is_sound(state, site, node) else None
    return execute(run, state, site, node, poisons=True, only_flushes=True)


def execute(
    run: Evaluator, state: State, site: Site, node: cst.CSTNode, *, poisons: bool, only_flushes: bool = False
) -> State | None:
    """A statement runs, with a flush before it where something is pending; None where the session refuses it.

    A failing flush or commit poisons the transaction, a statement that fails after a flush that went well does not. A
    statement whose task is cancelled takes its connection with it, and the transaction goes on only after a rollback.
    """
    begun = transactions.begins(run, state, site, node)
    running = run.activate(begun, site, node) if begun is not None else None
    if running is None:
        return None
    failing = running
    if poisons:
        running = running.update(site, pending=False)
        failing = running.update(site, failed=Failure(node), swallowed=None, unsaved=None)
        if not only_flushes:
            run.fail(running, node, Cause.DATABASE)
    run.fail(failing, node, Cause.DATABASE)
    ended = failing.update(site, phase=Phase.ENDED)
    if site.flavor.is_async and run.minds_cancellation(ended):
        # What an earlier flush has stored goes with the connection: it is lost, not refused.
        unsaved = session.unsaved if (session := running.session(site)) is not None and not only_flushes else None
        failed = Failure(node, cancelled=True)
        run.fail(ended.update(site, failed=failed, swallowed=None, unsaved=unsaved), node, Cause.EXIT)
    return running


def _result(run: Evaluator, node: cst.CSTNode, site: Site, name: str) -> Value:
    if name in ("commit", "flush", "rollback", "refresh", "delete", "close"):
        return None
    form = Form.RESULT if name in PLURAL else Form.INSTANCE
    return Derived(
        site,
        form,
        instances.from_session(run, node, name),
        persistent=name in ("get", "get_one", "merge"),
        nullable=name in NULLABLE,
    )


def perform(run: Evaluator, node: cst.CSTNode, site: Site, name: str, state: State) -> list[Outcome]:
    """The method takes effect."""
    session = state.session(site)
    if session is None:
        return [(state, None)]
    if name in CLOSING:
        return [(closed(state, site, node), None)]
    if name == "rollback":
        undone = rolled_back(transactions.ended(state, site, node), site)
        has_begun = session.phase is Phase.ACTIVE or session.pending
        return [(undone.note(node, "rolled back", site) if has_begun else undone, None)]
    sound = session.failed is None
    if name in FLUSHING and sound and not session.pending and _has_nothing_to_store(run, state, site, name):
        if name == "flush":
            return [(state, None)]
        begun = transactions.begins(run, state, site, node)
        return [(transactions.ended(begun, site, node), None)] if begun is not None else []
    if name == "commit" and (raised := state.suspended()) is not None:
        run.seen.late.append(LateCommit(site, node, raised, state))
    if name not in FLUSHING:
        _look_past(run, state, site, node)
    poisons = name in FLUSHING or (session.pending and name != "refresh")
    after = execute(run, state, site, node, poisons=poisons, only_flushes=name in FLUSHING)
    if after is None:
        return []
    if name == "commit":
        after = transactions.ended(after, site, node)
        return [(committed(after.update(site, phase=Phase.ENDED), site, node), None)]
    if name == "run_sync":
        after = after.update(site, begun=None, unsaved=None)  # what runs in it may end the transaction
    if name == "flush":
        after = instances.flushed(after, site)
    elif name != "refresh":
        after = instances.touched(after, site)
    if name in WRITING or (isinstance(node, cst.Call) and _is_write(run, node)):
        after = written(after, site, node)
    return [(after, _result(run, node, site, name))]


def _look_past(run: Evaluator, state: State, site: Site, node: cst.CSTNode) -> None:
    """A query does not see what another session has not committed."""
    for other, session in state.sessions:
        write = session.unsaved.node if session.unsaved is not None else None
        if other != site and write is not None and site.flavor.engine and other.flavor.engine == site.flavor.engine:
            run.seen.unseen.append(Unseen(site, node, other, write))


def _is_write(run: Evaluator, node: cst.Call) -> bool:
    """Whether a statement is executed that was made by `insert`, `update` or `delete` in place."""
    if last_name(node.func) not in ("execute", "exec", "scalar", "scalars") or not node.args:
        return False
    made = (part.func for part in walk(node.args[0].value) if isinstance(part, cst.Call))
    kinds = (run.infer(func) for func in made)
    return any(isinstance(kind, External) and kind.name in DML for kind in kinds)


def _has_nothing_to_store(run: Evaluator, state: State, site: Site, name: str) -> bool:
    """Whether a flush or commit with nothing added does nothing at all; an instance at hand may have been changed."""
    session = state.session(site)
    if session is None or session.phase is Phase.CLOSED or (name == "flush" and session.over is not None):
        return True
    if name == "flush" or session.phase is Phase.ACTIVE:
        return False
    if not (site.acquired or site.managed):
        return run.in_summary and session.phase is Phase.IDLE and not session.loaded
    return session.phase is Phase.IDLE or not session.loaded


def transaction(run: Evaluator, node: cst.Call, manager: Manager, name: str, state: State) -> list[Outcome]:
    """A method of the transaction or savepoint that `begin` or `begin_nested` gave."""
    site = manager.site
    if name in ("rollback", "close", "commit"):
        state = transactions.ended(state, site, node, of=manager)
    if name in ("rollback", "close"):
        return [(rolled_back(state, site, to_savepoint=manager.savepoint), None)]
    if name == "commit":
        run.fail(state.update(site, failed=Failure(node), swallowed=None), node, Cause.DATABASE)
        if manager.savepoint:
            return [(instances.flushed(state, site), None)]
        return [(committed(state.update(site, phase=Phase.ENDED, pending=False), site, node), None)]
    return [(state, Held(site) if name in ("start", "session") else None)]


def derived(run: Evaluator, node: cst.Call, base: Derived, name: str, args: Arguments, state: State) -> list[Outcome]:
    """A method of a query, a result or an instance is called."""
    site = base.site
    if base.form is Form.QUERY:
        if name in BUILDERS:
            return [(state, replace(base, stage=None) if name in OTHER_COLUMNS else base)]
        session = state.session(site)
        _look_past(run, state, site, node)
        after = execute(run, state, site, node, poisons=session is not None and session.pending)
        if after is None:
            return []
        after = instances.touched(after, site)
        if name in ("delete", "update"):
            after = written(after, site, node)
        return [(after, _taken(base, name))]
    state = escape(state, (s for _, value in args for s in sites_in(value)))
    if base.form is Form.RESULT:
        return [(state, _taken(base, name))]
    run.fail(state, node, Cause.ERROR)
    return [(instances.touched(state, site), None)]


def _taken(base: Derived, name: str) -> Derived:
    """What a method of a query or result gives."""
    form = Form.RESULT if name in PLURAL else Form.INSTANCE
    return Derived(base.site, form, instances.from_result(base.stage, name), nullable=name in NULLABLE)
