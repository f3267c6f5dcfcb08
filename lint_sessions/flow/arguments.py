"""What a call passes to a function of the project: its arguments by parameter, and the context that they make."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.flow.evaluate import Evaluator
from lint_sessions.flow.state import State
from lint_sessions.flow.summary import entry
from lint_sessions.flow.values import (
    Given,
    Held,
    Items,
    Session,
    Site,
    Truth,
    Value,
    sites_in,
)
from lint_sessions.project.annotations import is_wrongly_none
from lint_sessions.project.names import dotted, parameters
from lint_sessions.project.types import Flavor, FunctionType, SessionType

Arguments = list[tuple[cst.Arg, Value]]


def by_parameter(kind: FunctionType, args: Arguments) -> dict[str, Value] | None:
    """The arguments by parameter name; None when that can't be told (`*args` in the call, too many)."""
    named = _named(kind, args)
    if named is None:
        return None
    node = kind.scope.function
    starred = {p.name.value for p in parameters(node) if p.star} if node is not None else set()
    given: dict[str, Value] = {}
    for name, (_, value) in zip(named, args, strict=True):
        given[name] = Items((given.get(name), value)) if name in starred else value
    return given


def _named(kind: FunctionType, args: Arguments) -> list[str] | None:
    """The parameter that each argument goes to."""
    node = kind.scope.function
    if node is None:
        return None
    names = [p.name.value for p in parameters(node) if not p.star]
    if kind.owner is not None and names:
        names = names[1:]
    params = node.params
    star = params.star_arg.name.value if isinstance(params.star_arg, cst.Param) else None
    double = params.star_kwarg.name.value if params.star_kwarg is not None else None
    found: list[str] = []
    position = 0
    for arg, _ in args:
        if arg.star:
            return None
        if arg.keyword is not None:
            name = arg.keyword.value if arg.keyword.value in names else double
        else:
            name = names[position] if position < len(names) else star
            position += 1
        if name is None:
            return None
        found.append(name)
    return found


def declared(run: Evaluator, kind: FunctionType, args: Arguments, state: State) -> tuple[Arguments, State]:
    """The arguments, where a name or attribute of which nothing is known is a session by the parameter it goes to."""
    named = _named(kind, args)
    known: Arguments = []
    for name, (arg, value) in zip(named or [""] * len(args), args, strict=True):
        path = dotted(arg.value) if value is None and named is not None else None
        flavor = _declared_flavor(run, kind, name) if path is not None else None
        if path is not None and flavor is not None and path.count(".") < 2:
            is_name = isinstance(arg.value, cst.Name)
            state, value = run.borrow(state, f"{id(arg)}" if is_name else path, arg, flavor)
            state = state.bind(path, value) if is_name else state
        known.append((arg, value))
    return known, state


def _declared_flavor(run: Evaluator, kind: FunctionType, name: str) -> Flavor | None:
    """The flavor of a parameter whose annotation says that it is a session."""
    node, around = kind.scope.function, kind.scope.parent
    param = next((p for p in parameters(node) if p.name.value == name), None) if node is not None else None
    if param is None or param.annotation is None or param.star or around is None:
        return None
    declared_as = run.types.annotation(param.annotation.annotation, around)
    return declared_as.flavor if isinstance(declared_as, SessionType) else None


def sessions_among(given: dict[str, Value]) -> tuple[dict[str, Site], list[Site]]:
    """The sessions that are passed as they are, by parameter, and those inside other arguments."""
    sessions = {name: value.site for name, value in given.items() if isinstance(value, Held)}
    return sessions, [s for name, value in given.items() if name not in sessions for s in sites_in(value)]


def entries(
    run: Evaluator, kind: FunctionType, state: State, sessions: dict[str, Site], given: dict[str, Value]
) -> Iterator[Given]:
    """The context of a call: its sessions as they stand, and the constants that the function tests."""
    for name, site in sorted(sessions.items()):
        session = state.session(site)
        yield Given(name, entry(site, session if session is not None else Session(owned=False)), site.flavor)
    node = kind.scope.function
    tested = run.summaries.tested(kind.scope)
    for param in parameters(node) if node is not None else ():
        name = param.name.value
        if name in sessions or param.star:
            continue
        value = given[name] if name in given else _constant(param.default)
        if name not in tested and not (value is Truth.NONE and is_wrongly_none(param)):
            continue
        if value in (Truth.NONE, Truth.TRUE, Truth.FALSE, Truth.SOME):
            yield Given(name, value)


def _constant(node: cst.BaseExpression | None) -> Truth | None:
    match node:
        case cst.Name(value="None"):
            return Truth.NONE
        case cst.Name(value="True"):
            return Truth.TRUE
        case cst.Name(value="False"):
            return Truth.FALSE
    return None
