"""Evaluating one expression in one state: the states it can end in with its value, and those in which it fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import libcst as cst

from lint_sessions.flow.conditions import decide, refine, truth_of
from lint_sessions.flow.handlers import PENDING_ROLLBACK
from lint_sessions.flow.instances import read, set_
from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.operations import KEEPERS, NEVER_RETURN
from lint_sessions.flow.state import (
    Poisoned,
    State,
    Waited,
    escape,
    joined,
    reopen,
)
from lint_sessions.flow.transactions import begins
from lint_sessions.flow.values import (
    Bound,
    Cause,
    Derived,
    Form,
    Generated,
    Given,
    Held,
    Holder,
    Items,
    Manager,
    Pending,
    Phase,
    Raised,
    Session,
    Site,
    Stack,
    Stage,
    Truth,
    Value,
    sites_in,
)
from lint_sessions.flow.yields import yield_
from lint_sessions.project.names import children, dotted, walk
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import (
    External,
    Flavor,
    FunctionType,
    ModuleType,
    SessionType,
    Type,
)

if TYPE_CHECKING:
    from lint_sessions.flow.graph import Graph
    from lint_sessions.flow.liveness import Liveness
    from lint_sessions.flow.summary import Entrances, Summary

Outcome = tuple[State, Value]

MAX_OUTCOMES = 16
"""Ways in which the parts of one expression can turn out, before those are joined that differ in no session."""


class Summaries(Protocol):
    """What a call of a project function does, as `flow.summaries` finds it."""

    def of(self, function: FunctionType, given: tuple[Given, ...]) -> Summary: ...

    def entrances(self, function: FunctionType, given: tuple[Given, ...]) -> Entrances | None: ...

    def leavings(
        self, made_by: Generated, number: int, sessions: tuple[tuple[str, Session], ...], raised: Raised | None
    ) -> Summary | None: ...

    def tested(self, scope: Scope) -> frozenset[str]: ...

    def graph(self, scope: Scope, node: cst.FunctionDef) -> tuple[Graph, Liveness]: ...

    def closes(self, kind: Type | None, names: Sequence[str]) -> bool: ...


class Evaluator(ABC):
    """Evaluates the expressions of one function; `failures` and `poisoned` collect what happens on the way."""

    def __init__(
        self, types: Types, summaries: Summaries, scope: Scope, is_fixture: bool, releases_scoped: bool
    ) -> None:
        self.types = types
        self.summaries = summaries
        self.scope = scope
        self.is_fixture = is_fixture
        self.releases_scoped = releases_scoped
        self.closed_names: frozenset[str] = frozenset()
        """The names on which the function calls `close()`."""
        self.takes_cancellation = False
        """Whether some handler of the function takes a cancellation."""
        self.in_manager = False
        """Whether the function is a generator-based context manager, so that the block's errors come out of a yield."""
        self.follows_transactions = True
        """Whether states tell apart where a transaction has begun by itself."""
        self.in_summary = False
        """Whether a caller asks, who may hold sessions of which nothing is known here."""
        self.is_guarded = False
        """Whether some handler, `finally` or `with` block stands around the current statement."""
        self.failures: list[State] = []
        self.seen = Lifecycle()
        """What the runs do, as far as it has come to light."""
        self.stages: dict[int, Stage | None] = {}
        """By call: the stage of what a query gives, which is the same in every state."""

    # --- helpers ---------------------------------------------------------------------------------------------------

    def fail(self, state: State, node: cst.CSTNode, cause: Cause) -> None:
        """Record that `node` may raise in `state`."""
        self.throw(state, Raised(cause, node=node))

    def throw(self, state: State, raised: Raised) -> None:
        """Record that an exception leaves `state`."""
        self.failures.append(state.raise_(raised))

    def closes_itself(self, site: Site, state: State) -> bool:
        """Whether this function closes a session by a name that holds it: then it gives it to nobody before that."""
        return any(name in self.closed_names and value == Held(site) for name, value in state.names)

    def is_borrowed(self, site: Site) -> bool:
        """Whether a session is somebody else's of whom nothing is known; a caller in whose context this runs is."""
        return not (site.acquired or site.managed or self.in_summary)

    def infer(self, node: cst.BaseExpression) -> Type | None:
        return self.types.infer(node, self.scope)

    def each(self, nodes: Sequence[cst.BaseExpression], state: State) -> list[tuple[State, list[Value]]]:
        """Evaluate several expressions one after the other."""
        outcomes: list[tuple[State, list[Value]]] = [(state, [])]
        for node in nodes:
            outcomes = [
                (after, [*values, value]) for before, values in outcomes for after, value in self.eval(node, before)
            ]
            if len(outcomes) > MAX_OUTCOMES:
                outcomes = joined(outcomes)
        return outcomes

    def acquire(
        self, state: State, node: cst.CSTNode, flavor: Flavor, number: int = 0, *, from_step: bool = False
    ) -> tuple[State, Site]:
        """A new session that this function owes to close, made by the call `node`, which may make several."""
        key = f"{id(node)}.{number}" if number else f"{id(node)}"
        site = Site(key, node=node, flavor=flavor, from_step=from_step)
        older = replace(site, turn=1)
        if state.session(site) is not None:
            state = state.rename(site, older)
        owned = not flavor.on_connection and (not flavor.is_scoped or self.releases_scoped)
        return state.put(site, Session(owned=owned)).note(node, "acquired", site), site

    def borrow(
        self, state: State, key: str, node: cst.CSTNode, flavor: Flavor, *, shared: bool = False, managed: bool = False
    ) -> tuple[State, Held]:
        """A session that somebody else owns."""
        site = Site(key, node=node, flavor=flavor, acquired=False, managed=managed, shared=shared)
        if state.session(site) is None:
            state = state.put(site, Session(owned=False))
        return state, Held(site)

    def activate(self, state: State, site: Site, node: cst.CSTNode) -> State | None:
        """The session runs a statement, for which a connection is checked out; None where it refuses to."""
        if not self.is_sound(state, site, node):
            return None
        session = state.session(site)
        state = reopen(state, site, node)
        if session is not None and session.phase is not Phase.ACTIVE:
            state = state.update(site, phase=Phase.ACTIVE).note(node, "used", site)
        return state if session is None or session.ran else state.update(site, ran=True)

    def is_sound(self, state: State, site: Site, node: cst.CSTNode) -> bool:
        """Whether the transaction takes what it is asked for; a poisoned one raises."""
        session = state.session(site)
        if session is None or session.failed is None:
            return True
        if session.swallowed is not None:
            self.seen.poisoned.append(Poisoned(site, session.swallowed, session.failed.node, node, state))
        self.throw(state, Raised(Cause.DATABASE, PENDING_ROLLBACK, node))
        return False

    # --- calls: in `calls.Run` -------------------------------------------------------------------------------------

    @abstractmethod
    def call(self, node: cst.Call, state: State) -> list[Outcome]:
        """The ways in which a call can end well."""

    @abstractmethod
    def settle(self, value: Value, state: State) -> list[Outcome]:
        """A coroutine is awaited, or handed to whoever awaits it."""

    # --- expressions -----------------------------------------------------------------------------------------------

    def eval(self, node: cst.BaseExpression, state: State) -> list[Outcome]:
        """The ways in which evaluating `node` can end well."""
        match node:
            case cst.Name():
                return [self.name(node, state)]
            case cst.Attribute():
                return [
                    out for before, base in self.eval(node.value, state) for out in self.attribute(node, base, before)
                ]
            case cst.Call():
                return self.call(node, state)
            case cst.Await():
                return self.await_(node, state)
            case cst.Yield():
                return yield_(self, node, state)
            case cst.BooleanOperation():
                return self.boolean(node, state)
            case cst.UnaryOperation(operator=cst.Not()) | cst.Comparison():
                true, false = decide(self, node, state)
                both = [s for s in true if s in false]
                known = [(s, Truth.TRUE) for s in true if s not in both] + [
                    (s, Truth.FALSE) for s in false if s not in both
                ]
                return [*known, *((s, None) for s in both)]
            case cst.IfExp(test=test, body=body, orelse=orelse):
                true, false = decide(self, test, state)
                return [o for s in true for o in self.eval(body, s)] + [o for s in false for o in self.eval(orelse, s)]
            case cst.NamedExpr(target=target, value=value):
                return [(self.assign(target, v, s), v) for s, v in self.eval(value, state)]
            case cst.Tuple(elements=elements):
                return [(s, Items(tuple(values))) for s, values in self.each([e.value for e in elements], state)]
            case cst.Subscript():
                return self.subscript(node, state)
            case cst.Lambda() | cst.GeneratorExp():
                return [self.closure(node, state)]
            case cst.ListComp() | cst.SetComp() | cst.DictComp():
                return self.comprehension(node, state)
            case cst.Integer() | cst.Float() | cst.SimpleString():
                return [(state, None)]
        return self.parts(node, state)

    def parts(self, node: cst.CSTNode, state: State) -> list[Outcome]:
        """Anything else: its parts in order; a container keeps the sessions that are put into it."""
        states: list[tuple[State, tuple[Site, ...]]] = [(state, ())]
        for part in children(node):
            following: list[tuple[State, tuple[Site, ...]]] = []
            for before, sites in states:
                ends = self.eval(part, before) if isinstance(part, cst.BaseExpression) else self.parts(part, before)
                following += [(after, (*sites, *sites_in(value))) for after, value in ends]
            states = list(dict.fromkeys(following))
            if len(states) > MAX_OUTCOMES and not any(sites for _, sites in states):
                states = [(after, ()) for after, _ in joined([(after, []) for after, _ in states])]
        return [(after, Holder(sites) if sites else None) for after, sites in states]

    def name(self, node: cst.Name, state: State) -> Outcome:
        constant = {"None": Truth.NONE, "True": Truth.TRUE, "False": Truth.FALSE}.get(node.value)
        if constant is not None:
            return state, constant
        if state.knows(node.value):
            return state, state.value(node.value)
        return self.outer(node, state)

    def outer(self, node: cst.BaseExpression, state: State) -> Outcome:
        """A session that a name outside the function, or an attribute, leads to."""
        name = dotted(node)
        if name is None:
            return state, None
        found = self.scope.lookup(name) if isinstance(node, cst.Name) else None
        if found is not None and found[0] is self.scope:
            return state, None
        known = next((site for site, _ in state.sessions if site.key == name), None)
        if known is not None:
            return state, Held(known)
        kind = self.infer(node)
        if isinstance(kind, SessionType):
            at_import = found is not None and found[0].is_module
            if isinstance(node, cst.Attribute):
                at_import = isinstance(self.infer(node.value), ModuleType)
            return self.borrow(state, name, node, kind.flavor, shared=at_import and not kind.flavor.is_scoped)
        return state, None

    def attribute(self, node: cst.Attribute, base: Value, state: State, *, called: bool = False) -> list[Outcome]:
        """What an attribute gives; `called` for a method, of which no instance has to be loaded."""
        attr = node.attr.value
        match base:
            case Held():
                if attr in ("sync_session", "async_session"):
                    return [(state, base)]
                return [(state, Bound(base, attr))]
            case Derived(site=site, form=Form.INSTANCE):
                if base.nullable:
                    is_none = state.bind(node.value.value, Truth.NONE) if isinstance(node.value, cst.Name) else state
                    self.fail(is_none, node, Cause.LOOKUP)
                if not called:
                    state = read(self, node, base, state)
                session = state.session(site)
                if session is not None and session.phase is Phase.ENDED and site.flavor.expires:
                    begun = begins(self, state, site, node)
                    running = self.activate(begun, site, node) if begun is not None else None
                    if running is None:
                        return []
                    state = running
                    self.fail(state, node, Cause.DATABASE)
                return [(state, Bound(replace(base, nullable=False), attr))]
            case Derived():
                return [(state, Bound(base, attr))]
            case Manager() | Stack():
                return [(state, Bound(base, attr))]
            case Truth.NONE:
                self.throw(state, Raised(Cause.LOOKUP, "AttributeError", node))
                return []
            case Holder(sites=sites, kind=kind):
                if attr in dict(base.attributes):
                    return [(state, Held(dict(base.attributes)[attr]))]
                if kind is not None and isinstance(self.types.attribute(kind, attr), SessionType) and len(sites) == 1:
                    return [(state, Held(sites[0]))]
                return [(state, Bound(base, attr))]
        name = dotted(node)
        if name is not None and state.knows(name):
            return [(state, state.value(name))]
        return [self.outer(node, state)]

    def await_(self, node: cst.Await, state: State) -> list[Outcome]:
        ends: list[Outcome] = []
        for before, value in self.eval(node.expression, state):
            self.wait(node.expression, before)
            # A statement of a session says itself what its cancellation does, and a function of the project in its
            # summary; entering a session waits for nothing.
            if not isinstance(value, Pending) and not self.is_followed(node.expression):
                self.cancel(before, node)
            ends += self.settle(value, before)
        return ends

    def wait(self, node: cst.BaseExpression, state: State) -> None:
        """Something is awaited, for which open transactions wait as well."""
        active = (site for site, session in state.sessions if session.phase is Phase.ACTIVE and site.flavor.is_async)
        site = next(active, None)
        if site is not None and not self.in_summary:
            self.seen.waited.setdefault(node, Waited(site, node, state))

    def is_followed(self, node: cst.BaseExpression) -> bool:
        """Whether an expression calls a function of the project, or a session is entered in it."""
        if not isinstance(node, cst.Call):
            return False
        return last_name(node.func) in KEEPERS or isinstance(self.infer(node.func), FunctionType)

    def cancel(self, state: State, node: cst.CSTNode) -> None:
        """The task may be cancelled here."""
        if self.minds_cancellation(state):
            self.fail(state, node, Cause.EXIT)

    def minds_cancellation(self, state: State) -> bool:
        """Whether a path on which the task is cancelled is worth following: something would be lost."""
        if self.in_summary:
            return True
        sessions = [session for _, session in state.sessions]
        if any(s.owned and s.phase is Phase.ACTIVE for s in sessions):
            return True
        return self.is_guarded and (self.takes_cancellation or any(s.failed is not None for s in sessions))

    def boolean(self, node: cst.BooleanOperation, state: State) -> list[Outcome]:
        """`a or b` and `a and b` as values."""
        stops_on_true = isinstance(node.operator, cst.Or)
        ends: list[Outcome] = []
        for before, value in self.eval(node.left, state):
            truth = truth_of(value)
            if isinstance(node.left, cst.Name) and truth is None:
                true, false = refine(node.left, before)
                stopped, going = (true, false) if stops_on_true else (false, true)
                ends += [(s, value) for s in stopped]
                ends += [o for s in going for o in self.eval(node.right, s)]
                continue
            if truth is not (not stops_on_true):
                ends.append((before, value))
            if truth is not stops_on_true:
                ends += self.eval(node.right, before)
        return ends

    def subscript(self, node: cst.Subscript, state: State) -> list[Outcome]:
        ends: list[Outcome] = []
        for before, base in self.eval(node.value, state):
            for after, _ in self.parts_of(node.slice, before):
                match base:
                    case Items(items=items):
                        index = _constant_index(node)
                        ends.append((after, items[index] if index is not None and index < len(items) else None))
                        continue
                    case Derived(site=site, form=form, stage=stage):
                        self.fail(after, node, Cause.LOOKUP)
                        stage = None if stage is Stage.ROWS else stage
                        ends.append((after, Derived(site, Form.INSTANCE if form is Form.RESULT else form, stage)))
                        continue
                    case Holder(sites=(site,), kind=None):
                        ends.append((after, Held(site)))
                        continue
                if not isinstance(self.infer(node.value), External):
                    self.fail(after, node, Cause.LOOKUP)
                ends.append((after, None))
        return ends

    def parts_of(self, nodes: Sequence[cst.CSTNode], state: State) -> list[Outcome]:
        states = [state]
        for node in nodes:
            states = [after for before in states for after, _ in self.parts(node, before)]
        return [(s, None) for s in states]

    def closure(self, node: cst.CSTNode, state: State) -> Outcome:
        """A lambda, generator or nested function keeps the sessions that it names."""
        names = {n.value for n in walk(node) if isinstance(n, cst.Name)}
        held = tuple(site for name, value in state.names if name in names for site in sites_in(value))
        return state, Holder(held) if held else None

    def comprehension(self, node: cst.BaseComp, state: State) -> list[Outcome]:
        """One turn stands for all: what a comprehension does to a session it does on the first."""
        return [(after, None) for before in self.comp_for(node.for_in, state) for after, _ in self.turn(node, before)]

    def turn(self, node: cst.BaseComp, state: State) -> list[Outcome]:
        if isinstance(node, cst.DictComp):
            return [(s, None) for s, _ in self.each([node.key, node.value], state)]
        assert isinstance(node, cst.BaseSimpleComp)
        return self.eval(node.elt, state)

    def comp_for(self, node: cst.CompFor, state: State) -> list[State]:
        states: list[State] = []
        for before, value in self.eval(node.iter, state):
            for after, item in self.item(value, before, node):
                turned = self.assign(node.target, item, after)
                for condition in node.ifs:
                    turned = next(iter(self.eval(condition.test, turned)), (turned, None))[0]
                states += [turned] if node.inner_for_in is None else self.comp_for(node.inner_for_in, turned)
        return states

    def item(self, value: Value, state: State, node: cst.CSTNode) -> list[Outcome]:
        """What iterating over a value gives, and does."""
        match value:
            case Derived(site=site, form=Form.QUERY, stage=stage):
                begun = begins(self, state, site, node)
                running = self.activate(begun, site, node) if begun is not None else None
                if running is None:
                    return []
                self.fail(running, node, Cause.DATABASE)
                return [(running, Derived(site, Form.INSTANCE, stage))]
            case Derived(site=site, stage=stage):
                return [(state, Derived(site, Form.INSTANCE, None if stage is Stage.ROWS else stage))]
            case Holder(sites=(site,), kind=None):
                return [(state, Held(site))]
        return [(state, None)]

    # --- assignment ------------------------------------------------------------------------------------------------

    def assign(self, target: cst.CSTNode, value: Value, state: State) -> State:
        match target:
            case cst.Name(value=name):
                if name in self.scope.outer_names or self.scope.is_module:
                    state = escape(state, sites_in(value))
                if isinstance(value, Derived) and value.form is not Form.QUERY:
                    state = state.update(value.site, loaded=True)
                return state.forget(f"{name}.").bind(name, value)
            case cst.Tuple(elements=elements) | cst.List(elements=elements):
                items = value.items if isinstance(value, Items) and len(value.items) == len(elements) else None
                if items is None:
                    state = escape(state, sites_in(value))
                for i, element in enumerate(elements):
                    state = self.assign(element.value, items[i] if items is not None else None, state)
                return state
            case cst.Attribute(value=cst.Name(value=base), attr=cst.Name(value=attr)):
                state = escape(state, sites_in(value))
                if base != self.scope.first_parameter:
                    return set_(state, base, attr)
                return state.forget(f"{base}.{attr}").bind(f"{base}.{attr}", value if isinstance(value, Held) else None)
            case cst.Attribute() | cst.Subscript() | cst.StarredElement():
                return escape(state, sites_in(value))
        return state

    def never_returns(self, kind: Type | None) -> bool:
        return isinstance(kind, External) and kind.name in NEVER_RETURN


def _constant_index(node: cst.Subscript) -> int | None:
    match node.slice:
        case [cst.SubscriptElement(slice=cst.Index(value=cst.Integer(value=text)))]:
            return int(text, 0)
    return None
