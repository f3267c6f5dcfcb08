"""What calling a function of the project does to the sessions it is given, and whether it makes one: found on demand.

A summary is the function's own lifecycle, seen from outside, once for each context it is called in. Recursion is met
with the summary of a function of which nothing is known yet; nothing is guessed from names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.callers import calling
from lint_sessions.flow.graph import Graph, build
from lint_sessions.flow.lifecycle import Exit, Leak, Lifecycle
from lint_sessions.flow.liveness import Liveness, asked_names, liveness
from lint_sessions.flow.runs import follow, resume
from lint_sessions.flow.state import Poisoned, State
from lint_sessions.flow.summary import (
    SWALLOWED_BEFORE,
    Entrances,
    Summary,
    endings,
    entrances,
    nothing_known,
    only_uses,
)
from lint_sessions.flow.values import (
    Generated,
    Given,
    Held,
    Phase,
    Raised,
    Session,
    Site,
    Truth,
)
from lint_sessions.project.annotations import is_wrongly_none
from lint_sessions.project.names import parameters, walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, Flavor, FunctionType, InstanceType, SessionType, TupleType, Type

if TYPE_CHECKING:
    from lint_sessions.flow.providers import Provider

MAX_DEPTH = 8
"""How many calls deep summaries are followed."""
MAX_CONTEXTS = 24
"""Contexts told apart for one function; after that constants count no more."""


class SummaryTable:
    """The summaries and lifecycles of one project, each made once."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._lifecycles: dict[int, Lifecycle] = {}
        self._summaries: dict[int, dict[tuple[Given, ...], Summary]] = {}
        self._busy: list[tuple[int, tuple[Given, ...]]] = []
        self._entrances: dict[tuple[int, tuple[Given, ...]], Entrances | None] = {}
        self._leavings: dict[tuple[object, ...], Summary | None] = {}
        self._tested: dict[int, frozenset[str]] = {}
        self.providers: dict[int, Provider | None] = {}
        self._graphs: dict[int, tuple[Graph, Liveness]] = {}
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
            kept = Given(f"{own}.{attribute}", Session(phase=Phase.ACTIVE), flavor)
            runs = follow(self.types, self, method.scope, (kept,))
            leaks = [leak for leak in runs.leaks if leak.exit in (Exit.DATABASE, Exit.RETURN, Exit.END)]
            if leaks:
                return method.scope, min(leaks, key=lambda leak: leak.exit.rank)
        return None

    def handed_out_again(self, scope: Scope, path: str, flavor: Flavor) -> cst.CSTNode | None:
        """Where a method gives away, or uses, a session that its object keeps at `path` and that is closed already."""
        closed = Given(path, Session(phase=Phase.CLOSED, owned=False), flavor)
        runs = follow(self.types, self, scope, (closed,), to_yield=scope.is_generator)
        site = Site(path)
        for pause in runs.paused:
            if pause.value == Held(site) and _phase(pause.state, site) is Phase.CLOSED:
                return pause.node
        for state, value in runs.returned:
            if value == Held(site) and _phase(state, site) is Phase.CLOSED and state.trail is not None:
                return state.trail.node
        for state in [*(state for state, _ in runs.returned), *runs.raised]:
            if _phase(state, site) is Phase.ACTIVE and state.trail is not None:
                used = [place for place, event in state.trail.steps(site) if event == "used"]
                if used:
                    return used[0]
        return None

    def poisoned_callers(self, scope: Scope, handler: cst.CSTNode) -> tuple[Scope, Poisoned] | None:
        """A caller that goes on to use a session which `handler` of this function has left poisoned, or None."""
        for caller in calling(self.types, scope):
            for poisoned in self.lifecycle(caller).poisoned:
                if poisoned.handler is handler:
                    return caller, poisoned
        return None

    def of(self, function: FunctionType, given: tuple[Given, ...]) -> Summary:
        """The summary of a function that is given these sessions and constants."""
        scope = function.scope
        node = scope.function
        is_async = node is not None and node.asynchronous is not None
        if node is None or scope.is_generator or _is_stub(node):
            return nothing_known(given, is_async=is_async)
        if not any(isinstance(g.value, Session) for g in given) and not self._may_matter(function, given):
            return nothing_known(is_async=is_async)
        known = self._summaries.setdefault(id(scope), {})
        if len(known) > MAX_CONTEXTS:
            given = tuple(g for g in given if isinstance(g.value, Session))
        if given not in known:
            with self._looking_into(scope, given) as may:
                if not may:
                    return only_uses(given, is_async=is_async)
                runs = follow(self.types, self, scope, given)
            known[given] = _summary(runs, function) or nothing_known(given, is_async=is_async)
        return known[given]

    def entrances(self, function: FunctionType, given: tuple[Given, ...]) -> Entrances | None:
        """The ways in which a generator-based context manager can be entered; None where that is not known."""
        key = (id(function.scope), given)
        if key not in self._entrances:
            with self._looking_into(function.scope, given) as may:
                if not may:
                    return None
                runs = follow(self.types, self, function.scope, given, to_yield=True)
            self._entrances[key] = None if runs.gave_up else entrances(runs.paused, runs.raised, _own_name(function))
        return self._entrances[key]

    def leavings(
        self, made_by: Generated, number: int, sessions: tuple[tuple[str, Session], ...], raised: Raised | None
    ) -> Summary | None:
        """What happens when the block of such a context manager ends, well or with an exception."""
        known = self.entrances(made_by.function, made_by.given)
        if known is None:
            return None
        scope = made_by.function.scope
        key = (id(scope), made_by.given, number, sessions, raised)
        if key not in self._leavings:
            with self._looking_into(
                scope, (*made_by.given, *(Given(name, session) for name, session in sessions))
            ) as may:
                if not may:
                    return None
                runs = resume(self.types, self, scope, known.pauses[number], sessions, raised)
            self._leavings[key] = _summary(runs, made_by.function, frozenset(name for name, _ in sessions))
        return self._leavings[key]

    @contextmanager
    def _looking_into(self, scope: Scope, given: tuple[Given, ...]) -> Iterator[bool]:
        """Whether a function may be followed now: it is not being followed already, nor are too many others."""
        key = (id(scope), given)
        may = key not in self._busy and len(self._busy) < MAX_DEPTH
        if may:
            self._busy.append(key)
        try:
            yield may
        finally:
            if may:
                self._busy.pop()

    def tested(self, scope: Scope) -> frozenset[str]:
        """The names whose truth a function asks for."""
        if id(scope) not in self._tested:
            self._tested[id(scope)] = asked_names(scope.function) if scope.function is not None else frozenset()
        return self._tested[id(scope)]

    def graph(self, scope: Scope, node: cst.FunctionDef) -> tuple[Graph, Liveness]:
        """The control-flow graph of a function, with the live truths of its blocks."""
        if id(scope) not in self._graphs:
            graph = build(node.body.body if isinstance(node.body, cst.BaseSuite) else [node.body])
            self._graphs[id(scope)] = graph, liveness(graph, node, scope.parts)
        return self._graphs[id(scope)]

    def _may_matter(self, function: FunctionType, given: tuple[Given, ...]) -> bool:
        """Whether looking inside a call that is given no session can matter."""
        node = function.scope.function
        nothing = {g.name for g in given if g.value is Truth.NONE}
        if nothing and node and any(p.name.value in nothing and is_wrongly_none(p) for p in parameters(node)):
            return True
        kind = self.types.result(function)
        inner = getattr(kind, "result", kind)
        if isinstance(inner, TupleType):
            return any(isinstance(item, SessionType) for item in inner.items)
        return isinstance(inner, SessionType) or _only_raises(function.scope) or _may_touch_own(function)

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


def _phase(state: State, site: Site) -> Phase | None:
    session = state.session(site)
    return session.phase if session is not None else None


def _own_name(function: FunctionType) -> str | None:
    return function.scope.first_parameter if function.owner is not None else None


def _summary(runs: Lifecycle, function: FunctionType, made: frozenset[str] = frozenset()) -> Summary | None:
    """What followed runs look like from outside; None where they are too many."""
    found = None if runs.gave_up else endings(runs.returned, runs.raised, _own_name(function), made)
    if found is None:
        return None
    refused = {p.site.key.removeprefix("param:") for p in runs.poisoned if p.handler is SWALLOWED_BEFORE}
    overrun = {(o.site.key.removeprefix("param:"), o.before) for o in runs.overrun}
    begun_twice = {b.begin: b.site.key.removeprefix("param:") for b in runs.begun_twice if b.first.before}
    twice = tuple((name, begin) for begin, name in begun_twice.items())
    return Summary(found, tuple(sorted(refused)), tuple(sorted(overrun)), twice)


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
