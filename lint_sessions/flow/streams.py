"""Routes that live as long as a stream does, and what their sessions have open in the meantime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.operations import CLOSING
from lint_sessions.flow.origins import Frame, Origin, Origins, Part, Use, Variable, own_parts
from lint_sessions.flow.outliving import BODIES, closes_before_the_body
from lint_sessions.flow.tasks import Tasks, leaves
from lint_sessions.project.names import parameters, walk, walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import (
    ClassType,
    External,
    FunctionType,
    GeneratorType,
    InstanceType,
    SessionType,
    argument,
)
from lint_sessions.project.wiring import Wiring
from lint_sessions.requirements import FastAPI

MAX_DEPTH = 4
"""Dependencies of dependencies that are looked at."""
_ENDING = CLOSING | {"commit", "rollback"}
"""Methods after which a session has given back its connection."""
_SOCKETS = frozenset(["websocket", "websocket_route"])
_EVENTS = "text/event-stream"


@dataclass(frozen=True, eq=False)
class Provided:
    """A session that FastAPI provides for one request, whoever of its dependencies asks for it."""

    provider: Scope | str
    """The function, or its name where that leads nowhere and is a usual one."""
    is_early: bool | None
    """It is closed before the body of the response is sent; None where nobody knows."""


@dataclass(frozen=True, eq=False)
class Pinned:
    """A stream that keeps the connection of a session for as long as it lives."""

    place: cst.CSTNode
    """The loop, or the call that makes the response."""
    use: Use
    """What has left the transaction open."""
    is_socket: bool


class Streams:
    """The streams of one route, and the sessions it is given."""

    def __init__(self, wiring: Wiring, route: Scope, fastapi: FastAPI) -> None:
        self.wiring = wiring
        self.fastapi = fastapi
        self.types = wiring.types
        self.route = route
        self.origins = Origins(wiring.types)
        self.tasks = Tasks(self.origins, route)

    def pinned(self) -> Iterator[Pinned]:
        """The streams of the route that keep a connection."""
        for loop in self._loops():
            yield from self._open_at(loop, loop, self._inside(loop), is_socket=True)
        for call, body in self._bodies():
            yield from self._open_at(call, call, list(self.origins.uses(body)), is_socket=False)

    # --- streams ------------------------------------------------------------------------------------------------

    def _loops(self) -> Iterator[cst.While | cst.For]:
        """Of a route of a socket: the loops that wait for the other side."""
        node = self.route.function
        names = (d.decorator.func for d in node.decorators if isinstance(d.decorator, cst.Call)) if node else ()
        if not any(isinstance(name, cst.Attribute) and name.attr.value in _SOCKETS for name in names):
            return
        for part in self.tasks.parts:
            if isinstance(part, cst.While) and any(isinstance(inner, cst.Await) for inner in walk(part.body)):
                yield part
                return
            if isinstance(part, cst.For) and part.asynchronous is not None and self._is_socket(part.iter):
                yield part
                return

    def _is_socket(self, node: cst.BaseExpression) -> bool:
        """Whether a loop goes over what a socket receives."""
        match node:
            case cst.Call(func=cst.Attribute(value=owner, attr=attr)) if attr.value.startswith("iter_"):
                kind = self.types.infer(owner, self.route)
                return (
                    isinstance(kind, InstanceType) and isinstance(kind.cls, External) and kind.cls.last == "WebSocket"
                )
        return False

    def _bodies(self) -> Iterator[tuple[cst.Call, Frame]]:
        """The responses of events that do not end by themselves, each with the generator that makes it."""
        for call in self.tasks.calls:
            callee = self.types.infer(call.func, self.route)
            name = callee.last if isinstance(callee, External) else ""
            content = argument(call, 0, "content") if name in BODIES else None
            if not isinstance(content, cst.Call) or not (name == "EventSourceResponse" or _is_of_events(call)):
                continue
            body = self.origins.entered(content.func, content.args, self.tasks.frame)
            if body is not None and body.scope.is_generator and _is_endless(body.scope):
                yield call, body

    # --- what is open -------------------------------------------------------------------------------------------

    def _open_at(
        self, stream: cst.CSTNode, place: cst.CSTNode, inside: list[Use], *, is_socket: bool
    ) -> Iterator[Pinned]:
        """The sessions whose transaction is open while a stream lives: the last use of each has not ended it."""
        last: dict[Scope | str, tuple[Provided, Use]] = {}
        for key, use in self._of_dependencies(self.route, MAX_DEPTH):
            last[key.provider] = (key, use)
        for use in [*self._before(stream), *inside]:
            found = self._provided(use.origin, self.route)
            if found is not None:
                last[found.provider] = (found, use)
        for found, use in last.values():
            if use.method not in _ENDING and (is_socket or found.is_early is False):
                yield Pinned(place, use, is_socket)
                return

    def _before(self, stream: cst.CSTNode) -> Iterator[Use]:
        """What the route does with sessions before the stream begins."""
        node = self.route.function
        for part in own_parts(node.body) if node is not None else ():
            if part is stream:
                return
            place = part.block if not isinstance(part, cst.CSTNode) else part
            if not self._is_left(place, stream):
                yield from self.origins.uses_at(part, self.tasks.frame)

    def _inside(self, loop: cst.While | cst.For) -> list[Use]:
        """What each turn of a loop does with sessions."""
        return [
            use
            for part in own_parts(loop.body)
            if not self._is_left(part.block if not isinstance(part, cst.CSTNode) else part, loop)
            for use in self.origins.uses_at(part, self.tasks.frame)
        ]

    def _is_left(self, part: cst.CSTNode, stream: cst.CSTNode) -> bool:
        """Whether the run that comes to a place does not come to the stream, or to its next turn."""
        child: cst.CSTNode | None = part
        while child is not None and child is not stream and not self.tasks.is_inside(stream, child):
            if isinstance(child, cst.IndentedBlock) and leaves(child, or_goes_on=False):
                return True
            child = self.tasks.parent(child)
        return False

    # --- who provides -------------------------------------------------------------------------------------------

    def _of_dependencies(self, function: Scope, depth: int) -> Iterator[tuple[Provided, Use]]:
        """What the dependencies of a function do with the sessions that they are given, in order."""
        for marker, scope in self._markers(function) if depth else ():
            provider = argument(marker, 0, "dependency")
            for dependency in self.wiring.called(provider, scope) if provider is not None else ():
                if dependency.function is None or self._session_of(dependency) is not None:
                    continue
                yield from self._of_dependencies(dependency, depth - 1)
                for use in self.origins.uses(Frame(dependency, is_first=True)):
                    found = self._provided(use.origin, dependency)
                    if found is not None:
                        yield found, use

    def _markers(self, function: Scope) -> Iterator[tuple[cst.Call, Scope]]:
        """The dependencies of a function: of its router, in the decorator that makes it a route, in its parameters."""
        node, around = function.function, function.parent
        if node is None or around is None:
            return
        for decorator in node.decorators:
            for place in (*_router(decorator.decorator, around), decorator):
                for part in walk(place):
                    if isinstance(part, cst.Call) and self.wiring.marker(part, around) is not None:
                        yield part, around
        for param in parameters(node):
            annotation = param.annotation.annotation if param.annotation is not None else None
            found = self.wiring.declared_by(param.default, annotation, around)
            if found is not None:
                yield found

    def _provided(self, origin: Origin, function: Scope) -> Provided | None:
        """Who provides a session that a function has as a parameter, or inside of an object that it is given."""
        match origin:
            case Variable(scope=scope, name=name) if scope is function:
                found = self._marker_of(name, function)
                return self._provider(*found) if found is not None else None
            case Part(whole=Variable(scope=scope, name=name), name=inner, given=True) if scope is function:
                kind = self.types.name(name, function)
                cls = kind.cls if isinstance(kind, InstanceType) and self._marker_of(name, function) else None
                init = self.types.method(cls, "__init__") if isinstance(cls, ClassType) else None
                return self._provided(Variable(init.scope, inner), init.scope) if init is not None else None
        return None

    def _marker_of(self, name: str, function: Scope) -> tuple[cst.Call, Scope] | None:
        node, around = function.function, function.parent
        param = next((p for p in parameters(node) if p.name.value == name), None) if node is not None else None
        if param is None or around is None or len(function.bound(name)) != 1:
            return None
        annotation = param.annotation.annotation if param.annotation is not None else None
        return self.wiring.declared_by(param.default, annotation, around)

    def _provider(self, marker: cst.Call, scope: Scope) -> Provided | None:
        provider = argument(marker, 0, "dependency")
        kind = self.types.infer(provider, scope) if provider is not None else None
        if argument(marker, 99, "use_cache") is not None:
            return None
        is_early = closes_before_the_body(marker, self.fastapi)
        if isinstance(kind, FunctionType) and self._session_of(kind.scope) is not None:
            return Provided(kind.scope, is_early)
        if isinstance(kind, External) and self.types.is_provider_name(kind):
            return Provided(kind.name, is_early)
        return None

    def _session_of(self, provider: Scope) -> SessionType | None:
        """The session that a yield provider lends, and closes when it goes on."""
        result = self.types.result(FunctionType(provider))
        lent = result.yields if isinstance(result, GeneratorType) else None
        return lent if isinstance(lent, SessionType) and not lent.flavor.is_scoped else None


def _router(decorator: cst.BaseExpression, scope: Scope) -> Iterator[cst.BaseExpression]:
    """The call that makes the router or application of `@router.websocket(...)`, where the same module makes it."""
    match decorator:
        case cst.Call(func=cst.Attribute(value=cst.Name(value=name))):
            for binding, _ in scope.bound(name):
                if binding.value is not None:
                    yield binding.value


def _is_of_events(call: cst.Call) -> bool:
    """Whether a response says that it is a stream of events."""
    media = argument(call, 3, "media_type")
    return isinstance(media, cst.SimpleString) and str(media.evaluated_value).startswith(_EVENTS)


def _is_endless(generator: Scope) -> bool:
    """Whether a generator goes on until its client leaves: a loop without a condition, that yields and waits."""
    node = generator.function
    for part in walk_scope(node) if node is not None else ():
        if isinstance(part, cst.While) and isinstance(part.test, cst.Name) and part.test.value == "True":
            inner = list(walk_scope(part.body))
            if any(isinstance(p, cst.Yield) for p in inner) and not any(isinstance(p, cst.Break) for p in inner):
                return True
    return False
