"""What a call does to the sessions it reaches: a session's own methods, and functions that are given one."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from lint_sessions.flow import instances, transactions
from lint_sessions.flow.arguments import Arguments
from lint_sessions.flow.evaluate import Evaluator, Outcome
from lint_sessions.flow.managers import stacked
from lint_sessions.flow.methods import derived, operation, perform, transaction
from lint_sessions.flow.operations import (
    CLOSING,
    CONSUMERS,
    CONTAINER_METHODS,
    KEEPERS,
    QUIET_CALLS,
    is_log_call,
)
from lint_sessions.flow.project_calls import construct, function
from lint_sessions.flow.state import (
    State,
    closed,
    escape,
)
from lint_sessions.flow.steps import step_of, stepped
from lint_sessions.flow.values import (
    Bound,
    Cause,
    Derived,
    Form,
    Held,
    Holder,
    Manager,
    Pending,
    Phase,
    Raised,
    Site,
    Stack,
    Value,
    sites_in,
)
from lint_sessions.project.known import SCOPED_CLASSES, SESSION_CLASSES
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import last_name
from lint_sessions.project.types import (
    CallableType,
    ClassType,
    ConnectionType,
    EngineType,
    External,
    FactoryType,
    FunctionType,
    InstanceType,
    ManagerType,
    MethodType,
    SessionType,
    Type,
)


class Run(Evaluator):
    """An evaluator that knows what calls do."""

    def call(self, node: cst.Call, state: State) -> list[Outcome]:
        ends: list[Outcome] = []
        for before, callee in self.callee(node.func, state):
            for ready, values in self.each([arg.value for arg in node.args], before):
                ends += apply(self, node, callee, list(zip(node.args, values, strict=True)), ready)
        return ends

    def callee(self, node: cst.BaseExpression, state: State) -> list[Outcome]:
        """What is called; naming a method of an instance loads nothing."""
        if not isinstance(node, cst.Attribute):
            return self.eval(node, state)
        bases = self.eval(node.value, state)
        return [out for before, base in bases for out in self.attribute(node, base, before, called=True)]

    def settle(self, value: Value, state: State) -> list[Outcome]:
        match value:
            case Pending():
                return [(after, value.result) for after, _ in perform(self, value.node, value.site, value.name, state)]
            case Manager(begin=cst.CSTNode() as node) if value.site.flavor.is_async:
                begun = transactions.begin(self, state, value.site, node)
                return [(begun, replace(value, begin=None))] if begun is not None else []
        return [(state, value)]


def apply(run: Evaluator, node: cst.Call, callee: Value, args: Arguments, state: State) -> list[Outcome]:
    match callee:
        case Bound(base=Held(site=site), name=name):
            return operation(run, node, site, name, args, state)
        case Bound(base=Derived() as base, name=name):
            return derived(run, node, base, name, args, state)
        case Bound(base=Manager() as manager, name=name):
            return transaction(run, node, manager, name, state)
        case Bound(base=Stack() as stack, name=name):
            return stacked(run, node, stack, name, args, state)
        case Bound(base=Holder() as holder, name=name):
            return held_by(run, node, holder, name, args, state)
        case Held(site=site) if site.flavor.is_scoped:
            return [(state, callee)]
        case Holder(sites=sites, kind=None):
            return closure(run, node, sites, args, state)
    kind = run.infer(node.func)
    state = instances.passed(run, node, kind, args, state)
    return typed(run, node, kind, args, state if _quiet(node) else transactions.passed(run, node, kind, args, state))


def held_by(run: Evaluator, node: cst.Call, holder: Holder, name: str, args: Arguments, state: State) -> list[Outcome]:
    """A method of an object that keeps sessions is called."""
    for site in holder.sites:
        state = instances.touched(state, site)
    if holder.kind is None and name in CONTAINER_METHODS:
        return [(escape(state, holder.sites), None)]
    if run.summaries.closes(holder.kind, (name,)):
        for site in holder.sites:
            state = closed(state, site, node)
        return [(state, None)]
    cls = holder.kind.cls if isinstance(holder.kind, InstanceType) else None
    method = run.types.method(cls, name) if isinstance(cls, ClassType) else None
    if method is not None:
        known = function(run, node, FunctionType(method.scope, holder.kind), args, state, holder)
        if known is not None:
            return known
    for _, value in args:
        state = escape(state, sites_in(value))
    for site in holder.sites:
        used = run.activate(state.update(site, begun=None), site, node)
        if used is None:
            return []
        state = used
    run.fail(state, node, Cause.ERROR)
    return [(state, None)]


def closure(run: Evaluator, node: cst.Call, sites: tuple[Site, ...], args: Arguments, state: State) -> list[Outcome]:
    """A nested function that names sessions of this one is called."""
    for site in sites:
        state = instances.touched(state, site).update(site, unsaved=None)  # it may commit
    kind = run.infer(node.func)
    inner = kind.scope.node if isinstance(kind, FunctionType) else None
    if inner is None:
        return unknown(run, node, args, escape(state, sites))
    state = escape(state, (s for _, value in args for s in sites_in(value)))
    names = {name: value.site for name, value in state.names if isinstance(value, Held) and value.site in sites}
    ended = {
        names[part.value.value]
        for part in walk(inner)
        if isinstance(part, cst.Attribute)
        and isinstance(part.value, cst.Name)
        and part.attr.value in CLOSING
        and part.value.value in names
    }
    for site in sites:
        unknown_now = state.update(site, begun=None)
        after = closed(state, site, node) if site in ended else run.activate(unknown_now, site, node)
        if after is None:
            return []
        state = after
    run.fail(state, node, Cause.ERROR)
    return [(state, None)]


# --- everything else: by the type of what is called ---------------------------------------------------------------


def typed(run: Evaluator, node: cst.Call, kind: Type | None, args: Arguments, state: State) -> list[Outcome]:
    result = run.types.call(kind, node, run.scope)
    step = step_of(run.types, node, run.scope)
    if step is not None:
        return stepped(run, node, step, state)
    match kind:
        case FactoryType() | External() if isinstance(result, SessionType) and _makes(kind):
            state, site = run.acquire(state, node, result.flavor)
            if isinstance(kind, External) and kind.resolved and not node.args and not result.flavor.is_scoped:
                state = state.update(site, owned=False)  # bound to no engine, it never gets a connection
            return [(state, Held(site))]
        case SessionType(flavor=flavor) if flavor.is_scoped:
            state, site = run.acquire(state, node, flavor)
            return [(state, Held(site))]
        case CallableType(result=ManagerType(maker=FunctionType() as maker)):
            return of_project(run, node, maker, args, state)
        case CallableType(result=SessionType(flavor=flavor)):
            state, site = run.acquire(state, node, flavor)
            return [(state, Held(site))]
        case ClassType() if isinstance(result, SessionType):
            state, site = run.acquire(state, node, result.flavor)
            return [(state, Held(site))]
        case MethodType(owner=FactoryType(flavor=flavor), name="begin"):
            state, site = run.acquire(state, node, flavor)
            return [(state, Manager(site, Held(site), closes=True, commits=True, begin=node))]
        case MethodType(owner=EngineType() | ConnectionType() | FactoryType()):
            run.fail(state, node, Cause.ERROR)
            return [(escape(state, (s for _, v in args for s in sites_in(v))), None)]
        case FunctionType() | ClassType():
            return of_project(run, node, kind, args, state)
        case InstanceType(cls=ClassType() as cls):
            method = run.types.method(cls, "__call__")
            if method is not None:
                return of_project(run, node, FunctionType(method.scope, kind), args, state)
        case External():
            return external(run, node, kind, args, state)
    return unknown(run, node, args, state)


def _makes(kind: FactoryType | External) -> bool:
    return isinstance(kind, FactoryType) or kind.name in (SESSION_CLASSES.keys() | SCOPED_CLASSES) or not kind.resolved


def external(run: Evaluator, node: cst.Call, kind: External, args: Arguments, state: State) -> list[Outcome]:
    """A function of some library."""
    name = kind.name
    first = args[0][1] if args else None
    if run.never_returns(kind):
        run.failures.append(state.raise_(Raised(Cause.EXIT, "SystemExit", node)))
        return []
    if kind.last in ("close_all_sessions", "close_all"):
        for site, session in state.sessions:
            if session.owned:
                state = closed(state, site, node)
        return [(state, None)]
    if name in ("contextlib.ExitStack", "contextlib.AsyncExitStack"):
        return [(state, Stack(id(node)))]
    if name in ("contextlib.closing", "contextlib.aclosing") and isinstance(first, Held):
        return [(state, Manager(first.site, first, closes=True))]
    if kind.last in ("shield", "wait_for", "run", "run_until_complete", "gather", "ensure_future", "create_task"):
        return handed_on(run, node, args, state)
    if kind.last in ("to_thread", "run_in_threadpool", "run_sync") and args:
        return elsewhere(run, node, args, state)
    if name in CONSUMERS and isinstance(first, Derived):
        one = name in ("next", "max", "min")
        all_of = Derived(first.site, Form.RESULT, instances.from_result(first.stage, "all"))
        return [(s, v if one else all_of) for s, v in run.item(first, state, node)]
    if name in QUIET_CALLS:
        return [(state, None)]
    if name in ("getattr",) and isinstance(first, (Held, Derived)):
        return [(state, None)]
    if name in ("typing.cast", "cast") and len(args) == 2:
        return [(state, args[1][1])]
    if name in ("open",):
        run.fail(state, node, Cause.ERROR)
        return [(state, None)]
    return unknown(run, node, args, state)


def handed_on(run: Evaluator, node: cst.Call, args: Arguments, state: State) -> list[Outcome]:
    """Coroutines are given to something that runs them."""
    states: list[Outcome] = [(state, None)]
    for _, value in args:
        if isinstance(value, Pending):
            states = [o for s, _ in states for o in run.settle(value, s)]
        else:
            states = [(escape(s, sites_in(value)) if not isinstance(value, Held) else s, None) for s, _ in states]
    for after, _ in states:
        run.fail(after, node, Cause.ERROR)
    return states


def elsewhere(run: Evaluator, node: cst.Call, args: Arguments, state: State) -> list[Outcome]:
    """`to_thread(f, *args)`: f runs in another thread, here and now as far as the session is concerned."""
    callee, rest = args[0][1], args[1:]
    if isinstance(callee, Bound):
        return apply(run, node, callee, rest, state)
    kind = run.infer(args[0][0].value)
    if isinstance(kind, FunctionType):
        return of_project(run, node, kind, rest, state)
    return unknown(run, node, args, state)


def of_project(
    run: Evaluator, node: cst.Call, kind: FunctionType | ClassType, args: Arguments, state: State
) -> list[Outcome]:
    """A function or class of the project is called."""
    if isinstance(kind, ClassType):
        known = construct(run, node, kind, args, state)
    else:
        known = function(run, node, kind, args, state)
    return known if known is not None else unknown(run, node, args, state)


def unknown(run: Evaluator, node: cst.Call, args: Arguments, state: State) -> list[Outcome]:
    """Nothing is known of the callee: it may fail, run a query, or take over a session that it is given."""
    for arg, value in args:
        match value:
            case Derived(site=site, form=Form.QUERY):
                state = run.activate(state, site, arg) or state
            case Pending():
                state = next(iter(run.settle(value, state)), (state, None))[0]
    sites = [s for _, value in args for s in sites_in(value)]
    keeper = last_name(node.func) in KEEPERS and isinstance(node.func, cst.Attribute)
    lent = {value.site for _, value in args if isinstance(value, Held) and run.closes_itself(value.site, state)}
    is_container = isinstance(node.func, cst.Attribute) and node.func.attr.value in CONTAINER_METHODS
    if keeper or is_container:
        lent = set()
    for site in sites if not keeper else ():
        state = state.update(site, unsaved=None)
        if not is_container:  # which keeps what it is given, and uses nothing of it
            state = state.update(site, phase=Phase.ACTIVE)
    state = escape(state, (site for site in sites if site not in lent))
    if keeper:
        entered = args[0][1] if args else None
        if isinstance(entered, Manager):
            entered = entered.entered
        return [(state, entered if isinstance(entered, Held) else None)]
    if not _quiet(node):
        run.fail(state, node, Cause.ERROR)
    return [(state, None)]


def _quiet(node: cst.Call) -> bool:
    """Log calls and the like do not raise in practice."""
    return is_log_call(node) or (isinstance(node.func, cst.Name) and node.func.value in QUIET_CALLS)
