"""How a session stands that FastAPI injects: as its provider lends it, and as the other dependencies have left it.

All dependencies of a function run before it, those of a dependency before that one, and what a provider lends is the
same session for all of them (`use_cache`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import libcst as cst

from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.providers import provider
from lint_sessions.flow.runs import follow
from lint_sessions.flow.summaries import SummaryTable
from lint_sessions.flow.summary import entry
from lint_sessions.flow.values import Given, Held, Session
from lint_sessions.project.annotations import definition
from lint_sessions.project.names import Kind, parameters, walk, walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import Flavor, FunctionType
from lint_sessions.project.wiring import Wiring

MAX_DEPTH = 4
"""Dependencies of dependencies followed."""


@dataclass(frozen=True, eq=False)
class Injection:
    """A session that a function is given by FastAPI, in a transaction that stands already."""

    provider: Scope
    by: Scope
    """Who has begun the transaction: the provider, or a dependency that ran before."""
    session: Session
    runs: Lifecycle
    """What the function does with it."""


def injections(wiring: Wiring, summaries: SummaryTable, scope: Scope) -> Iterator[Injection]:
    """The sessions that are injected into a function in a transaction."""
    node = scope.function
    for param in parameters(node) if node is not None else ():
        lender = _dependency(wiring, param, scope)
        if lender is None or not lender.is_generator:
            continue
        lent = _lent(summaries, lender)
        if lent is None:
            continue
        flavor, session = lent
        by = lender if session.begun is not None else None
        for other in _before(wiring, scope, MAX_DEPTH):
            after = _after(wiring, summaries, other, lender, flavor, session)
            if after is None or after.begun is None:
                by = None
            elif session.begun is None:
                by = other
            session = after if after is not None else replace(session, begun=None)
        if by is not None and session.over is None:
            runs = follow(wiring.types, summaries, scope, (Given(param.name.value, session, flavor),))
            yield Injection(lender, by, session, runs)


def _lent(summaries: SummaryTable, lender: Scope) -> tuple[Flavor, Session] | None:
    """The session of a provider as it stands at the yield."""
    found = provider(summaries, lender)
    for pauses in found.yields.values() if found is not None else ():
        for pause in pauses:
            session = pause.state.session(pause.value.site) if isinstance(pause.value, Held) else None
            if session is not None and isinstance(pause.value, Held) and (pause.value.site.node is not None):
                return pause.value.site.flavor, entry(session, is_borrowed=False)
    return None


def _before(wiring: Wiring, scope: Scope, depth: int) -> Iterator[Scope]:
    """The functions that FastAPI calls for the parameters of a function, in order."""
    node = scope.function
    for param in parameters(node) if node is not None and depth else ():
        found = _dependency(wiring, param, scope)
        if found is not None:
            yield from _before(wiring, found, depth - 1)
            yield found


def _after(
    wiring: Wiring, summaries: SummaryTable, function: Scope, lender: Scope, flavor: Flavor, session: Session
) -> Session | None:
    """The session after a dependency has run; None where that is not known."""
    node = function.function
    if node is None or function is lender:
        return session
    given = [p.name.value for p in parameters(node) if _dependency(wiring, p, function) is lender]
    if not given:
        # It may be given an object that keeps the session, and call that.
        return None if _calls(node) and any(True for _ in _before(wiring, function, 1)) else session
    if function.is_generator or len(given) > 1:
        return None
    summary = summaries.of(FunctionType(function), (Given(given[0], session, flavor),))
    ends = [dict(ending.sessions).get(given[0]) for ending in summary.endings if ending.raised is None]
    known = [end for end in ends if end is not None and not end.stored]
    best = next((end for end in known if end.begun is not None), known[0] if known else None)
    if best is None:
        return None
    begun = replace(best.begun, before=True) if best.begun is not None else None
    return entry(replace(best, begun=begun), is_borrowed=False)


def _calls(node: cst.FunctionDef) -> bool:
    """Whether a function calls anything, except for what it raises."""
    raised = {id(part.exc) for part in walk_scope(node) if isinstance(part, cst.Raise)}
    return any(isinstance(part, cst.Call) and id(part) not in raised for part in walk_scope(node.body))


def _dependency(wiring: Wiring, param: cst.Param, function: Scope) -> Scope | None:
    """The function that FastAPI calls for a parameter; its result is cached for the request."""
    around = function.parent
    if around is None:
        return None
    found = _marked(wiring, param, around)
    if found is None:
        return None
    call, scope = found
    named = [arg.keyword.value for arg in call.args[1:] if arg.keyword is not None]
    if not call.args or call.args[0].keyword is not None or named != ["scope"] * (len(call.args) - 1):
        return None
    kind = wiring.types.infer(call.args[0].value, scope)
    return kind.scope if isinstance(kind, FunctionType) and kind.scope.function is not None else None


def _marked(wiring: Wiring, param: cst.Param, scope: Scope) -> tuple[cst.Call, Scope] | None:
    """The `Depends(...)` of a parameter: its default, or a part of its annotation or of what that is an alias of."""
    places: list[tuple[cst.CSTNode, Scope]] = [(param.default, scope)] if param.default is not None else []
    if param.annotation is not None:
        annotation = param.annotation.annotation
        alias = definition(wiring.types, annotation, scope)
        if alias is not None and alias[0].kind is Kind.VALUE and alias[0].value is not None:
            places.append((alias[0].value, alias[1]))
        places += [(part, scope) for part in walk(annotation)]
    for place, owner in places:
        for part in walk(place):
            marker = wiring.marker(part, owner)
            if isinstance(part, cst.Call) and marker is not None and wiring.is_fastapi(marker):
                return part, owner
    return None
