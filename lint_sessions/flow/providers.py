"""How a provider goes on from the yield at which it has lent a session: to its end, or to another yield.

A framework, or a `with` block, resumes it once: normally, or by throwing in the exception of whoever used the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from lint_sessions.flow.lifecycle import Lifecycle, Pause
from lint_sessions.flow.runs import follow, resume
from lint_sessions.flow.state import State, Trail
from lint_sessions.flow.summaries import SummaryTable
from lint_sessions.flow.values import Cause, Phase, Raised, Session, Write, sites_in
from lint_sessions.project.names import walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import FunctionType, GeneratorType, SessionType

ANY_ERROR = (Raised(Cause.ERROR), Raised(Cause.DATABASE))
"""What may be thrown in: an error of the user, or one of the database."""

HTTP_ERRORS = tuple(
    Raised(Cause.ERROR, name)
    for name in (
        *("fastapi.HTTPException", "fastapi.exceptions.HTTPException", "starlette.exceptions.HTTPException"),
        *("litestar.exceptions.HTTPException", "HTTPException"),
    )
)
"""An error by which a route answers, under each of its names; a handler for one of them takes just that."""


@dataclass(eq=False)
class Provider:
    """A generator function that lends a session, with the runs from its yields on."""

    summaries: SummaryTable
    scope: Scope
    yields: dict[cst.Yield, tuple[Pause, ...]]
    """Where it can stand with the session lent, by yield."""
    is_manager: bool
    """A `with` statement drives it, and not a framework."""
    _runs: dict[tuple[cst.Yield, Raised | None], Lifecycle] = field(default_factory=dict)

    def after(self, place: cst.Yield, raised: Raised | None) -> Lifecycle:
        """The runs from a yield on, to the next one or to the end; `raised` is thrown in there."""
        key = (place, raised)
        if key not in self._runs:
            types = self.summaries.types
            self._runs[key] = resume(types, self.summaries, self.scope, self.yields[place], (), raised, to_yield=True)
        return self._runs[key]

    def after_writing(self, place: cst.Yield) -> list[tuple[State, frozenset[str]]]:
        """How it ends where its user has written something and is done, each end with the keys of the lent sessions."""
        types, written = self.summaries.types, Session(phase=Phase.ACTIVE, pending=True, unsaved=Write(None))
        ends: list[tuple[State, frozenset[str]]] = []
        for pause in self.yields[place]:
            lent = frozenset(site.key for site in sites_in(pause.value))
            given = tuple((key.removeprefix("param:"), written) for key in sorted(lent))
            runs = resume(types, self.summaries, self.scope, [pause], given, None, to_yield=True)
            ends += [(state, lent) for state, _ in runs.returned]
        return ends

    def commits(self, place: cst.Yield) -> list[cst.CSTNode]:
        """What stores what its user has written."""
        steps = ((step, lent) for state, lent in self.after_writing(place) for step in self._since(place, state))
        stored = (s.node for s, lent in steps if s.event == "committed" and s.site is not None and s.site.key in lent)
        return list(dict.fromkeys(stored))

    def trail(self, place: cst.Yield, state: State) -> list[tuple[cst.CSTNode, str]]:
        """The notable steps since a yield, in the order of the run."""
        return [(step.node, step.event) for step in self._since(place, state)]

    def _since(self, place: cst.Yield, state: State) -> list[Trail]:
        before = {id(pause.state.trail) for pause in self.yields[place]}
        steps: list[Trail] = []
        trail = state.trail
        while trail is not None and id(trail) not in before:
            steps.append(trail)
            trail = trail.before
        return steps[::-1]


def provider(summaries: SummaryTable, scope: Scope) -> Provider | None:
    """What a function does once it has lent a session; None where it lends none, or where too much can happen."""
    if id(scope) not in summaries.providers:
        summaries.providers[id(scope)] = _provider(summaries, scope)
    return summaries.providers[id(scope)]


def _provider(summaries: SummaryTable, scope: Scope) -> Provider | None:
    types = summaries.types
    if scope.function is None or not scope.is_generator or types.is_fixture(scope):
        return None
    yields: dict[cst.Yield, list[Pause]] = {}
    for pause in follow(types, summaries, scope, to_yield=True).paused:
        for place in _lending(summaries, scope, pause):
            yields.setdefault(place, []).append(pause)
    if not yields:
        return None
    is_manager = types.is_context_manager(FunctionType(scope))
    return Provider(summaries, scope, {place: tuple(pauses) for place, pauses in yields.items()}, is_manager)


@dataclass(frozen=True, eq=False)
class Delegation:
    """A loop that hands on the session which another provider lends."""

    loop: cst.For
    call: cst.Call
    """Where the other provider is started."""
    place: cst.Yield
    """Where its session is handed on."""
    inner: GeneratorType

    @property
    def is_async(self) -> bool:
        """Nothing closes the inner generator when the loop is left: only the event loop does, some time later."""
        return self.loop.asynchronous is not None


def delegations(types: Types, scope: Scope) -> Iterator[Delegation]:
    """The loops over other providers in a generator function that hand on what these lend."""
    if scope.function is None or not scope.is_generator or types.is_fixture(scope):
        return
    for loop in walk_scope(scope.function):
        # A name that the loop goes over may be closed by whoever holds it.
        if not isinstance(loop, cst.For) or not isinstance(loop.iter, cst.Call):
            continue
        inner, place = types.infer(loop.iter, scope), _passed_on(loop)
        if place is not None and isinstance(inner, GeneratorType) and isinstance(inner.yields, SessionType):
            yield Delegation(loop, loop.iter, place, inner)


def _passed_on(loop: cst.For) -> cst.Yield | None:
    """The yield in a loop's body that gives away what the loop goes over."""
    if not isinstance(loop.target, cst.Name):
        return None
    for part in walk_scope(loop.body):
        match part:
            case cst.Yield(value=cst.Name(value=name)) if name == loop.target.value:
                return part
    return None


def _lending(summaries: SummaryTable, scope: Scope, pause: Pause) -> Iterator[cst.Yield]:
    """The yield of a pause, if it gives a session away."""
    place = pause.node.value if isinstance(pause.node, (cst.Expr, cst.Assign)) else None
    if isinstance(place, cst.Yield) and isinstance(place.value, cst.BaseExpression):
        kind = summaries.types.infer(place.value, scope)
        if isinstance(kind, SessionType) or any(True for _ in sites_in(pause.value)):
            yield place
