"""What calling a function of the project does to the sessions it is given, and whether it makes one: found on demand.

A summary is the function's own lifecycle, seen from outside. Recursion is met with the summary of a function of which
nothing is known yet; nothing is guessed from names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.callers import calling
from lint_sessions.flow.evaluate import Evaluator
from lint_sessions.flow.lifecycle import Exit, Leak, Lifecycle, follow
from lint_sessions.flow.state import (
    Cause,
    Derived,
    Held,
    Holder,
    Items,
    Phase,
    Poisoned,
    Raised,
    Session,
    Site,
    State,
    Truth,
    closed,
    escape,
    reopen,
)
from lint_sessions.project.names import walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, Flavor, FunctionType, InstanceType, SessionType, Type

MAX_KINDS = 6
"""Kinds of exception told apart for one callee."""
MAX_DEPTH = 8
"""How many calls deep summaries are followed."""


@dataclass(frozen=True)
class Effect:
    """What a call does to one session it is given."""

    uses: bool = True
    closes: bool = False
    """It closes it on every way that returns."""
    may_close: bool = False
    """It closes it on some way that returns, and not on another."""
    ends: bool = False
    """It is committed or rolled back when the call returns, with nothing run since."""
    escapes: bool = False
    stored_on_self: bool = False
    poisons: bool = False
    """When the call fails, a flush or commit may have failed with no rollback."""
    closes_on_error: bool = False
    recovers: bool = False
    """The first thing it does is to roll back or close."""
    poisoned_by: cst.CSTNode | None = None
    """The handler that takes a failed flush or commit in the call and lets it return with no rollback."""

    def on_return(self, run: Evaluator, state: State, site: Site, node: cst.CSTNode) -> list[State]:
        """The states after the call: one, and one more where it may leave the session poisoned."""
        after = self._after(run, state, site, node)
        ends = [after]
        if self.poisoned_by is not None:
            ends.append(after.update(site, phase=Phase.ACTIVE, failed=node, swallowed=self.poisoned_by))
        if self.may_close:
            ends.append(closed(after, site, node))
        return ends

    def _after(self, run: Evaluator, state: State, site: Site, node: cst.CSTNode) -> State:
        if self.recovers and (session := state.session(site)) is not None:
            first = False if session.first is None else session.first
            state = state.update(site, failed=None, swallowed=None, first=first)
        if self.uses:
            state = run.activate(state, site, node)
        if self.closes:
            return closed(state, site, node)
        if self.escapes:
            return escape(state, [site])
        session = state.session(site)
        if self.ends and session is not None and session.phase is not Phase.CLOSED:
            return state.update(site, phase=Phase.ENDED, pending=False)
        return state

    def on_error(self, state: State, site: Site, node: cst.CSTNode) -> State:
        if self.closes_on_error:
            return closed(state, site, node)
        if self.escapes and not self.closes:
            return escape(state, [site])
        if self.uses and (session := state.session(site)) is not None and session.phase is not Phase.ACTIVE:
            state = reopen(state, site, node).update(site, phase=Phase.ACTIVE, used=True).note(node, "used", site)
        if self.poisons:
            state = state.update(site, failed=node, swallowed=None)
        return state


UNKNOWN_EFFECT = Effect(escapes=True)


@dataclass(frozen=True)
class Summary:
    """A call seen from outside."""

    effects: tuple[tuple[str, Effect], ...] = ()
    """What happens to the sessions passed as parameters, by parameter."""
    own_effects: tuple[tuple[str, Effect], ...] = ()
    """Of a method: what happens to the sessions its object keeps, by attribute path (`.session`)."""
    gives_used: bool = False
    """On some way, what it returns is a new session that holds a connection already."""
    gives_new: Flavor | None = None
    """It returns a session that the caller owes to close."""
    gives_back: str | None = None
    """It returns the session it got as this parameter."""
    gives_derived: bool = False
    gives_none: bool = True
    raises: tuple[Raised, ...] = (Raised(Cause.ERROR),)
    """What may come out of it; nodes left out."""
    returns: bool = True
    """Some run of it returns at all."""

    def effect(self, name: str) -> Effect:
        return next((effect for key, effect in self.effects if key == name), UNKNOWN_EFFECT)


class SummaryTable:
    """The summaries and lifecycles of one project, each made once."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._lifecycles: dict[int, Lifecycle] = {}
        self._summaries: dict[tuple[int, frozenset[str]], Summary] = {}
        self._busy: list[tuple[int, frozenset[str]]] = []
        self._closers: dict[tuple[Type | None, tuple[str, ...]], bool] = {}
        self.given_up: list[Scope] = []
        """Functions with more states than the analysis follows; nothing is reported for them."""

    def lifecycle(self, scope: Scope) -> Lifecycle:
        """The runs of a function whose parameters are what their types say."""
        if id(scope) not in self._lifecycles:
            runs = self._lifecycles[id(scope)] = follow(self.types, self, scope)
            if runs.gave_up:
                self.given_up.append(scope)
        return self._lifecycles[id(scope)]

    def exit_leak(self, cls: Scope, attribute: str, flavor: Flavor) -> tuple[Scope, Leak] | None:
        """How leaving a context manager of a class may leave a session open that its object keeps in `attribute`."""
        for name in ("__exit__", "__aexit__"):
            method = self.types.method(ClassType(cls), name)
            if method is None or method.scope.mentions("super") or not method.scope.mentions("close"):
                continue
            own = method.scope.first_parameter
            runs = follow(self.types, self, method.scope, frozenset(), (f"{own}.{attribute}", flavor))
            leaks = [leak for leak in runs.leaks if leak.exit in (Exit.DATABASE, Exit.RETURN, Exit.END)]
            if leaks:
                return method.scope, min(leaks, key=lambda leak: leak.exit.rank)
        return None

    def poisoned_callers(self, scope: Scope, handler: cst.CSTNode) -> tuple[Scope, Poisoned] | None:
        """A caller that goes on to use a session which `handler` of this function has left poisoned, or None."""
        for caller in calling(self.types, scope):
            for poisoned in self.lifecycle(caller).poisoned:
                if poisoned.handler is handler:
                    return caller, poisoned
        return None

    def of(self, function: FunctionType, given: frozenset[str]) -> Summary:
        """The summary of a function that gets sessions as the parameters `given`."""
        key = (id(function.scope), given)
        if key in self._summaries:
            return self._summaries[key]
        if key in self._busy or len(self._busy) >= MAX_DEPTH:
            return Summary(tuple((name, Effect()) for name in given))
        self._busy.append(key)
        try:
            summary = self._summarize(function, given)
        finally:
            self._busy.pop()
        self._summaries[key] = summary
        return summary

    def _summarize(self, function: FunctionType, given: frozenset[str]) -> Summary:
        node = function.scope.function
        if node is None or function.scope.is_generator or _is_stub(node):
            return Summary(tuple((name, UNKNOWN_EFFECT) for name in given))
        if not given and not self._may_give_session(function) and not _may_touch_own(function):
            return Summary()
        runs = follow(self.types, self, function.scope, given)
        if runs.gave_up:
            return Summary(tuple((name, UNKNOWN_EFFECT) for name in given))
        effects = tuple((name, _effect(f"param:{name}", runs, function.scope)) for name in sorted(given))
        new, back, derived, none = _returned(runs)
        return Summary(
            effects,
            _own_effects(runs, function.scope),
            gives_used=_gives_used(runs),
            gives_new=new,
            gives_back=back,
            gives_derived=derived,
            gives_none=none,
            raises=_raises(runs),
            returns=bool(runs.returned),
        )

    def _may_give_session(self, function: FunctionType) -> bool:
        """Whether looking inside a call that gets no session can matter."""
        kind = self.types.result(function)
        inner = getattr(kind, "result", kind)
        return isinstance(inner, SessionType) or _only_raises(function.scope)

    def closes(self, kind: Type | None, names: Sequence[str]) -> bool:
        """Whether a method of an object closes the session the object keeps on `self`."""
        key = (kind, tuple(names))
        if key not in self._closers:
            self._closers[key] = False
            self._closers[key] = self._closes(kind, names)
        return self._closers[key]

    def _closes(self, kind: Type | None, names: Sequence[str]) -> bool:
        if not (isinstance(kind, InstanceType) and isinstance(kind.cls, ClassType)):
            return kind is not None
        for name in names:
            method = self.types.method(kind.cls, name)
            node = method.scope.function if method is not None else None
            if method is None or node is None:
                continue
            for inner in walk_scope(node):
                match inner:
                    case cst.Attribute(
                        value=cst.Attribute(value=cst.Name(value=own)),
                        attr=cst.Name(value="close" | "aclose" | "remove"),
                    ):
                        if own == method.scope.first_parameter:
                            return True
                    case cst.Call(func=cst.Attribute(value=cst.Name(value=own), attr=cst.Name(value=other))):
                        if own == method.scope.first_parameter and other not in names and self.closes(kind, (other,)):
                            return True
                    case cst.Call(
                        func=cst.Attribute(value=cst.Call(func=cst.Name(value="super")), attr=cst.Name(value=other))
                    ):
                        if any(
                            isinstance(base, Scope)
                            and base is not kind.cls.scope
                            and self.closes(InstanceType(ClassType(base)), (other,))
                            for base in self.types.ancestry(kind.cls.scope)
                        ):
                            return True
        return False


def _is_stub(node: cst.FunctionDef) -> bool:
    """An abstract or protocol method: the real one is elsewhere."""
    body = node.body.body
    statements = [s for line in body for s in (line.body if isinstance(line, cst.SimpleStatementLine) else [line])]
    meaningful = [
        s
        for s in statements
        if not isinstance(s, cst.Pass)
        and not (
            isinstance(s, cst.Expr) and isinstance(s.value, (cst.Ellipsis, cst.SimpleString, cst.ConcatenatedString))
        )
        and not (
            isinstance(s, cst.Raise)
            and "NotImplemented" in str(getattr(s.exc, "value", getattr(getattr(s.exc, "func", None), "value", "")))
        )
    ]
    return not meaningful


def _only_raises(scope: Scope) -> bool:
    """Whether a function has no return and ends in a raise: it may never return."""
    node = scope.function
    if node is None or not isinstance(node.body, cst.IndentedBlock) or not node.body.body:
        return False
    last = node.body.body[-1]
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Raise)


def _may_touch_own(function: FunctionType) -> bool:
    """Whether looking inside a method can matter for a session that its object keeps."""
    words = ("commit", "flush", "session", "db")
    return isinstance(function.owner, InstanceType) and any(function.scope.mentions(word) for word in words)


def _sessions(runs: list[State], key: str) -> list[Session]:
    site = Site(key)
    return [session for state in runs if (session := state.session(site)) is not None]


def _raises(runs: Lifecycle) -> tuple[Raised, ...]:
    kinds = dict.fromkeys(Raised(s.raised.cause, s.raised.name) for s in runs.raised if s.raised is not None)
    return tuple(kinds) if len(kinds) <= MAX_KINDS else (Raised(Cause.DATABASE), Raised(Cause.ERROR))


def _own_effects(runs: Lifecycle, scope: Scope) -> tuple[tuple[str, Effect], ...]:
    prefix = f"{scope.first_parameter}."
    states = [*(state for state, _ in runs.returned), *runs.raised]
    keys = sorted({site.key for state in states for site, _ in state.sessions if site.key.startswith(prefix)})
    return tuple((key[len(prefix) - 1 :], _effect(key, runs, scope)) for key in keys)


def _effect(key: str, runs: Lifecycle, scope: Scope) -> Effect:
    ended = _sessions([state for state, _ in runs.returned], key)
    failed = _sessions(runs.raised, key)
    every = ended + failed
    on_self = scope.first_parameter is not None and scope.name == "__init__"
    return Effect(
        uses=any(s.used or s.phase is Phase.ACTIVE or s.pending for s in every),
        closes=bool(ended) and all(s.phase is Phase.CLOSED for s in ended),
        may_close=len({s.phase is Phase.CLOSED for s in ended}) == 2,
        ends=bool(ended) and all(s.phase is Phase.ENDED for s in ended),
        escapes=any(s.stored for s in every),
        stored_on_self=on_self,
        poisons=any(s.failed is not None for s in failed),
        poisoned_by=next((s.swallowed for s in ended if s.failed is not None and s.swallowed is not None), None),
        recovers=bool(every)
        and all(s.first is False for s in every if s.first is not None)
        and any(s.first is False for s in every),
        closes_on_error=bool(failed) and all(s.phase is Phase.CLOSED for s in failed),
    )


def _gives_used(runs: Lifecycle) -> bool:
    sessions = (state.session(value.site) for state, value in runs.returned if isinstance(value, Held))
    return any(session is not None and session.phase is Phase.ACTIVE for session in sessions)


def _returned(runs: Lifecycle) -> tuple[Flavor | None, str | None, bool, bool]:
    new: Flavor | None = None
    back: str | None = None
    derived = none = False
    others = False
    for state, value in runs.returned:
        match value:
            case Held(site=site) if site.acquired:
                session = state.session(site)
                if session is None or session.phase is Phase.CLOSED or session.stored or site.flavor.on_connection:
                    others = True
                else:
                    new = site.flavor
            case Held(site=site) if site.key.startswith("param:"):
                back = site.key.removeprefix("param:")
            case Held() | Holder() | Items():
                others = True
            case Derived(nullable=nullable):
                derived, none = True, none or nullable
            case Truth.NONE | None:
                none = True
    if new is not None and (back is not None or others):
        return None, None, derived, none
    return new, back if not others else None, derived, none
