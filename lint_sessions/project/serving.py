"""Which coroutine functions run on an event loop that serves many at once: those that a framework calls for requests,
messages and events, and those that such functions await or start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from lint_sessions.project.calls import Call, calls_in, run_by
from lint_sessions.project.known import FRAMEWORKS
from lint_sessions.project.names import path_to, walk_scope
from lint_sessions.project.scopes import Scope, last_name, leaves
from lint_sessions.project.scripts import is_test
from lint_sessions.project.types import ClassType, External, InstanceType, Type
from lint_sessions.project.wiring import Wiring

_OF_A_QUEUE = "taskiq.TaskiqDepends"
_SCHEDULER = "apscheduler.schedulers.asyncio."
_ONCE = frozenset(
    ["on_event", "add_event_handler", "startup", "shutdown", "on_startup", "on_shutdown", "lifespan", "setup_hook"]
    + ["post_init", "post_stop", "post_shutdown", "before_server_start", "after_server_stop"]
    + ["before_serving", "after_serving", "run", "start", "sanic.Sanic.listener"]
)
"""What is given to a framework under these names runs before it serves anybody, or after."""

_HANDLING = re.compile(
    r"dispatch|__call__|authenticate|callback|on_(?!startup|shutdown)\w+|get|post|put|patch|delete|options|head|login|logout"
)
"""Methods that a framework calls on a subclass of its own classes."""

_STARTERS = frozenset(["create_task", "ensure_future", "start_soon", "spawn", "add_job"])
"""Let a coroutine run beside the one that calls them."""

_AWAITING = re.compile(
    r"\b(?:await|async|yield|return|gather|wait_for|shield|\w*Response|" + "|".join(sorted(_STARTERS)) + r")\b"
)
_UNNAMED = frozenset(["__aenter__", "__aexit__"])
"""What an `async with` calls."""

_NEAR = 160
"""How far before a call stands what awaits it, in characters."""

MAX_CALLS = 40
"""Calls of one function that are looked at before the search ends."""


class Serving:
    """Who runs on the event loop of a server, in one project; each function is looked up once."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.types = wiring.types
        self._known: dict[int, tuple[Scope, Scope | None]] = {}
        self._open: set[int] = set()
        self._cut = 0
        """How often a search met a function that is being searched for."""

    def entry(self, function: Scope) -> Scope | None:
        """The function that a framework calls, and that leads to `function` on its event loop; often `function` itself.
        None where nothing of the kind is seen."""
        key = id(function)
        if key in self._known:
            return self._known[key][1]
        if key in self._open:
            self._cut += 1
            return None
        cut = self._cut
        self._open.add(key)
        try:
            found = self._entry(function)
        finally:
            self._open.discard(key)
        if found is not None or self._cut == cut or not self._open:
            self._known[key] = (function, found)
        return found

    def _entry(self, function: Scope) -> Scope | None:
        if function.function is None or is_test(function.module.path, self.types.project.root):
            return None
        if self.is_called_by_framework(function):
            return function
        for call in self._calls(function):
            caller = _caller(call)
            if caller is not None and (found := self._through(call, caller, function)) is not None:
                return found
        return self._as_wrapper(function)

    # --- what a framework calls ---------------------------------------------------------------------------------

    def is_called_by_framework(self, function: Scope) -> bool:
        """Whether a function is a route, dependency, middleware, handler, listener or background task."""
        return (
            self.wiring.is_route(function)
            or any(use.marker != _OF_A_QUEUE for use in self.wiring.uses(function))
            or _is_asgi(function)
            or any(self._serves(kind) for kind in self._decorators(function))
            or self._is_of_framework_class(function)
            or any(self._serves(kind) for kind in self._receivers(function))
        )

    def _decorators(self, function: Scope) -> Iterator[Type | None]:
        node, around = function.function, function.parent
        if node is None or around is None:
            return
        for decorator in node.decorators:
            yield self._callee(_maker(decorator.decorator), around)

    def _callee(self, node: cst.BaseExpression, scope: Scope) -> Type | None:
        """What is called, where an instance of a subclass goes by the name of the class outside the project."""
        kind = self.types.infer(node, scope)
        if kind is None and isinstance(node, cst.Attribute):
            match self.types.infer(node.value, scope):
                case InstanceType(cls=ClassType(scope=cls)):
                    bases = (base for base in self.types.ancestry(cls) if isinstance(base, External))
                    return next((External(f"{base.name}.{node.attr.value}") for base in bases), None)
        return kind

    def _serves(self, callee: Type | None) -> bool:
        if not isinstance(callee, External) or not _ONCE.isdisjoint([callee.name, *callee.name.split(".")]):
            return False
        return callee.name.partition(".")[0] in FRAMEWORKS or callee.name.startswith(_SCHEDULER)

    def _is_of_framework_class(self, function: Scope) -> bool:
        if function.parent is None or not function.parent.is_class or not _HANDLING.fullmatch(function.name):
            return False
        bases = (base for base in self.types.ancestry(function.parent) if isinstance(base, External))
        return any(base.name.partition(".")[0] in FRAMEWORKS for base in bases)

    def _receivers(self, function: Scope) -> Iterator[Type | None]:
        """What is called with the function as an argument."""
        name = re.escape(function.name)
        given = re.compile(rf"[(,=]\s*(?:\w+\.)*{name}\s*[,)]")
        for call in self._matching(function, given):
            for arg in call.node.args:
                keyword = arg.keyword.value if arg.keyword is not None else ""
                if keyword not in _ONCE and self._names(arg.value, call.scope, function):
                    yield self._callee(_maker(call.node.func), call.scope)

    def _names(self, node: cst.BaseExpression, scope: Scope, function: Scope) -> bool:
        """Whether an expression is a name of the function."""
        is_alike = isinstance(node, (cst.Name, cst.Attribute)) and last_name(node) == function.name
        return is_alike and function in run_by(self.types, self.types.infer(node, scope))

    # --- who awaits it ------------------------------------------------------------------------------------------

    def _calls(self, function: Scope) -> Iterator[Call]:
        """The calls of a function, or of what it overrides, that something near by may await."""
        if function.name in _UNNAMED:
            yield from self._entered(function)
            return
        word = re.compile(rf"(?<!def )\b{re.escape(function.name)}\s*(?:\\\r?\n\s*)?\(")
        count = 0
        for call in self._matching(function, word, near=_AWAITING):
            if last_name(call.node.func) == function.name and self._runs(call, function):
                yield call
                count += 1
                if count == MAX_CALLS:
                    return

    def _runs(self, call: Call, function: Scope) -> bool:
        found = run_by(self.types, self.types.infer(call.node.func, call.scope))
        if function in found or function.parent is None or not function.parent.is_class:
            return function in found
        bases = list(self.types.ancestry(function.parent))
        return any(callee.name == function.name and callee.parent in bases for callee in found)

    def _entered(self, function: Scope) -> Iterator[Call]:
        """The calls whose result an `async with` enters, where that runs the method."""
        cls = function.parent
        if cls is None or not cls.is_class:
            return
        for call in self._matching(function, re.compile(r"\basync\s+with\b")):
            kind = self.types.infer(call.node, call.scope)
            if isinstance(kind, InstanceType) and isinstance(kind.cls, ClassType):
                method = self.types.method(kind.cls, function.name)
                if method is not None and method.scope is function:
                    around = path_to(call.block.node, call.node)
                    if len(around) > 1 and isinstance(around[-2], cst.WithItem):
                        yield call

    def _matching(self, function: Scope, word: re.Pattern[str], near: re.Pattern[str] | None = None) -> Iterator[Call]:
        """The calls in the blocks of the project whose text has a word, those of the function's own file first."""
        having = self.types.project.mentioning("async" if function.name in _UNNAMED else function.name)
        for module in sorted(having, key=lambda module: module is not function.module):
            text = module.document.text
            if not word.search(text) or is_test(module.path, self.types.project.root):
                continue
            for block, scope in leaves(module.blocks, self.types.module_scope(module)):
                found = (match.start() for match in word.finditer(text, block.start, block.end))
                if any(near is None or near.search(text, max(block.start, at - _NEAR), at) for at in found):
                    yield from calls_in(block, scope)

    def _through(self, call: Call, caller: Scope, function: Scope) -> Scope | None:
        node = caller.function
        assert node is not None
        around = [part for part in path_to(call.block.node, call.node)[:-1] if isinstance(part, (cst.Call, cst.Return))]
        names = {last_name(part.func) or "" for part in around if isinstance(part, cst.Call)}
        if node.asynchronous is None:
            if function.is_generator and any(name.endswith("Response") for name in names):
                return caller if self.is_called_by_framework(caller) else None
            return self.entry(caller) if around and isinstance(around[-1], cst.Return) else None
        if names & _STARTERS and self._runs_once(caller):
            return caller if _loops(function) else None
        return self.entry(caller)

    def _runs_once(self, function: Scope) -> bool:
        """Whether a framework runs a function when it starts to serve."""
        if any(isinstance(kind, External) and kind.last in _ONCE for kind in self._decorators(function)):
            return True
        handed = re.compile(rf"\b(?:lifespan|on_startup)\s*=\s*\[?\s*(?:\w+\.)*{re.escape(function.name)}\b")
        return any(handed.search(module.document.text) for module in self.types.project.mentioning(function.name))

    def _as_wrapper(self, function: Scope) -> Scope | None:
        """A function that a decorator puts in the place of another runs where that one would."""
        outer = function
        while outer.parent is not None and outer.parent.function is not None:
            outer = outer.parent
        if outer is function:
            return None
        mark = re.compile(rf"@(?:\w+\.)*{re.escape(outer.name)}\b")
        for module in self.types.project.mentioning(outer.name):
            if not mark.search(module.document.text):
                continue
            for block, scope in leaves(module.blocks, self.types.module_scope(module)):
                if block.kind == "function" and mark.search(module.document.text, block.start, block.end):
                    for inner in _functions(scope.child_of_block(block)):
                        if self._is_wrapped(inner, outer) and (found := self.entry(inner)) is not None:
                            return found
        return None

    def _is_wrapped(self, function: Scope, decorator: Scope) -> bool:
        node = function.function
        if node is None or node.asynchronous is None:
            return False
        return any(decorator in run_by(self.types, kind) for kind in self._decorators(function))


def _is_asgi(function: Scope) -> bool:
    """Whether a method is the `__call__(self, scope, receive, send)` of an ASGI application."""
    node = function.function
    if node is None or function.name != "__call__" or node.asynchronous is None:
        return False
    return [param.name.value for param in node.params.params[1:]] == ["scope", "receive", "send"]


def _maker(node: cst.BaseExpression) -> cst.BaseExpression:
    """What is called to make a decorator; a plain decorator itself."""
    return node.func if isinstance(node, cst.Call) else node


def _loops(function: Scope) -> bool:
    """Whether a function goes on for long: it has a loop that awaits."""
    node = function.function
    loops = (part for part in walk_scope(node) if isinstance(part, (cst.While, cst.For))) if node is not None else ()
    return any(isinstance(part, cst.Await) for loop in loops for part in walk_scope(loop))


def _caller(call: Call) -> Scope | None:
    """The function in whose body a call stands; None in a lambda, which runs who knows where."""
    return call.scope if call.scope.function is not None else None


def _functions(function: Scope) -> Iterator[Scope]:
    """A function and those defined in it."""
    pending = [function]
    while pending:
        current = pending.pop()
        yield current
        node = current.function
        if node is not None:
            pending += [current.child(part) for part in walk_scope(node) if isinstance(part, cst.FunctionDef)]
