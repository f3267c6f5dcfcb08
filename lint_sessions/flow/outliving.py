"""Tasks, threads and bodies of responses that are still at work when the session they use has been closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import libcst as cst

from lint_sessions.flow.middleware import close_in_middleware, state_name
from lint_sessions.flow.origins import Frame, Origin, Origins, Part, Use, Variable, root
from lint_sessions.flow.requests import function_around
from lint_sessions.flow.tasks import Task, Tasks
from lint_sessions.project.calls import calls_of
from lint_sessions.project.names import Binding, Kind, children, walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import ClassType, External, FunctionType, GeneratorType, InstanceType, argument
from lint_sessions.project.wiring import Wiring
from lint_sessions.requirements import AFTER_RESPONSE, BEFORE_RESPONSE, FastAPI
from lint_sessions.source.document import Block

MAX_CALLERS = 3
"""Calls followed back from a function to the request that gives it its session."""

BODIES = frozenset(["StreamingResponse", "EventSourceResponse"])
_HARMLESS = frozenset(["start", "daemon", "setDaemon", "name", "set_name", "add_done_callback"])
"""What is done with a task or thread that nobody waits for."""


class Kept(Enum):
    """What uses a session for too long."""

    TASK = "a task"
    THREAD = "a thread"
    BACKGROUND = "a background task"
    BODY = "the body of the response"

    @property
    def going_on(self) -> str:
        """When it runs, in words."""
        return "goes on, and nobody waits for it" if self in (Kept.TASK, Kept.THREAD) else "runs later"


@dataclass(frozen=True, eq=False)
class Close:
    """The end of a session."""

    words: str
    is_early: bool = True
    """It comes before background tasks and the body of the response."""
    node: cst.CSTNode | None = None
    """The `with` block, or the statement, that closes it; None where the framework does."""
    block: Block | None = None


@dataclass(frozen=True, eq=False)
class Outliving:
    """Something that still runs when its session is closed."""

    task: Task
    kind: Kept
    use: Use
    close: Close


def closes_before_the_body(marker: cst.Call, fastapi: FastAPI) -> bool | None:
    """Whether FastAPI closes what a dependency yields before the body of the response is sent and background tasks run;
    None where that depends on which of its versions a project runs with."""
    scope = argument(marker, 99, "scope")
    if isinstance(scope, cst.SimpleString) and scope.evaluated_value == "function":
        return True
    if fastapi.is_from(BEFORE_RESPONSE, AFTER_RESPONSE):
        return True
    return False if fastapi.is_from("0", BEFORE_RESPONSE) or fastapi.is_from(AFTER_RESPONSE) else None


class Lives:
    """How long the sessions of one function live, and what it leaves at work with them."""

    def __init__(self, wiring: Wiring, scope: Scope, fastapi: FastAPI) -> None:
        self.wiring = wiring
        self.fastapi = fastapi
        self.types = wiring.types
        self.scope = scope
        self.origins = Origins(wiring.types)
        self.tasks = Tasks(self.origins, scope)

    def outliving(self) -> Iterator[Outliving]:
        """What is still at work when a session has been closed."""
        left = [(task, _kind(task)) for task in self.tasks.started if self._is_left(task)]
        for task, kind in [*left, *self._handed_over()]:
            for use in self.origins.uses_of(task.func, task.args, task.node, self.tasks.frame):
                if use.flavor.is_scoped:
                    continue
                close = self._end(task, use.origin) or self._closing(use.origin, self.scope, MAX_CALLERS)
                if close is not None and (close.is_early or kind in (Kept.TASK, Kept.THREAD)):
                    yield Outliving(task, kind, use, close)
                    break

    # --- what goes on -------------------------------------------------------------------------------------------

    def _handed_over(self) -> Iterator[tuple[Task, Kept]]:
        """Background tasks, and generators that are the bodies of responses."""
        for call in self.tasks.calls:
            callee = self.types.infer(call.func, self.scope)
            name = callee.name if isinstance(callee, External) else ""
            if not call.args:
                continue
            if name.endswith((".BackgroundTasks.add_task", ".BackgroundTask")):
                yield Task(call, call, call.args[0].value, tuple(call.args[1:])), Kept.BACKGROUND
            elif name.rpartition(".")[2] in BODIES:
                content = argument(call, 0, "content")
                made = self.tasks.coroutine(content) if content is not None else None
                kind = self.origins.value(made.func, self.tasks.frame).kind if made is not None else None
                if made is not None and isinstance(self.types.result(kind), GeneratorType):
                    yield Task(call, call, made.func, made.args), Kept.BODY

    def _is_left(self, task: Task) -> bool:
        """Whether a function goes away while a task or thread goes on, and nobody else is given it."""
        if self.tasks.manager(task) is not None:
            return False
        child: cst.CSTNode = task.start
        while (parent := self.tasks.parent(child)) is not None:
            match parent:
                case cst.Expr() | cst.Attribute(attr=cst.Name(value="start" | "add_done_callback")):
                    return True
                case (
                    cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))])
                    | cst.AnnAssign(target=cst.Name(value=name))
                ):
                    return self._is_forgotten(name)
                case cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value="add" | "append"))):
                    return self._is_global(name)
                case cst.Arg():
                    child = parent
                case _:
                    return False
        return False

    def _is_forgotten(self, name: str) -> bool:
        """Whether a task is kept under a name from which nobody waits for it."""
        function = self.scope.function
        if function is None or name in self.scope.outer_names or len(self.scope.bound(name)) != 1:
            return False
        for path in _paths(function.body, name):
            match path:
                case [*_, cst.AssignTarget(), cst.Name()]:
                    continue
                case [*_, cst.Attribute(attr=cst.Name(value=attribute)), cst.Name()] if attribute in _HARMLESS:
                    continue
                case [*_, cst.Call(func=cst.Attribute(value=cst.Name(value=owner), attr=attr)), cst.Arg(), cst.Name()]:
                    if attr.value in ("add", "append") and self._is_global(owner):
                        continue
            return False
        return True

    def _is_global(self, name: str) -> bool:
        found = self.scope.lookup(name)
        return found is not None and found[0].is_module

    # --- when its session ends ----------------------------------------------------------------------------------

    def _end(self, task: Task, origin: Origin) -> Close | None:
        """What closes a session of this function's own while a task goes on."""
        base = root(origin)
        if not isinstance(base, Variable) or base.scope is not self.scope:
            return None
        for binding, _ in self.scope.bound(base.name):
            if binding.kind is Kind.ENTERED:
                block = self.tasks.parent(binding.node)
                if block is not None and self.tasks.is_inside(task.start, block):
                    return None if self._goes_on(task, block) else Close("its block has closed it", node=block)
            elif binding.kind is Kind.VALUE and origin == base:
                return self._closed(base.name, task)
        return None

    def _goes_on(self, task: Task, block: cst.CSTNode) -> bool:
        """Whether a block never comes to its end, as that of a worker."""
        child: cst.CSTNode | None = task.start
        while child is not None and child is not block:
            if isinstance(child, cst.While) and not any(isinstance(p, (cst.Break, cst.Return)) for p in walk(child)):
                return True
            child = self.tasks.parent(child)
        return False

    def _closed(self, name: str, task: Task) -> Close | None:
        """The `close()` in a `finally` around what starts a task."""
        child: cst.CSTNode = task.start
        while (parent := self.tasks.parent(child)) is not None:
            if isinstance(parent, cst.Try) and parent.finalbody is not None and child is not parent.finalbody:
                for part in walk(parent.finalbody):
                    match part:
                        case cst.Call(func=cst.Attribute(value=cst.Name(value=owner), attr=cst.Name(value="close"))):
                            if owner == name:
                                return Close("it was closed", node=part)
            child = parent
        return None

    def _closing(self, origin: Origin, function: Scope, depth: int) -> Close | None:
        """What closes the session that a request is given."""
        match origin:
            case Part(whole=Part(whole=Variable(), name="state"), name=name):
                return self._of_middleware(name)
            case Variable(scope=scope, name=name) if scope is function:
                binding = next((b for b, _ in function.bound(name) if b.kind is Kind.PARAMETER), None)
                if binding is None or len(function.bound(name)) != 1:
                    return None
                close = self._provided(binding, function)
                if close is not None:
                    return close if self.wiring.is_injected(function) else None
                return self._of_callers(name, function, depth)
            case Part(whole=Variable(scope=scope, name=name), name=part, given=given) if scope is function:
                cls = function.parent
                if name != function.first_parameter or cls is None:
                    return None
                return self._of_constructor(cls, part, depth) if given else self._of_class(cls, part)
        return None

    def _provided(self, binding: Binding, function: Scope) -> Close | None:
        """What closes the session that a dependency provides."""
        around = function.parent if function.is_function and function.parent is not None else function
        found = self.wiring.declared_by(binding.value, binding.annotation, around)
        if found is None:
            return None
        marker, scope = found
        provider = argument(marker, 0, "dependency")
        kind = self.types.infer(provider, scope) if provider is not None else None
        if isinstance(self.types.result(kind), GeneratorType) or self.types.is_provider_name(kind):
            is_early = closes_before_the_body(marker, self.fastapi) is True
            by = "the request"
            if is_early:
                by = '`scope="function"`' if argument(marker, 99, "scope") is not None else self.fastapi.name
            return Close(f"{by} has closed it", is_early)
        if isinstance(kind, FunctionType):
            returned = [n.value for n in kind.scope.own_nodes if isinstance(n, cst.Return) and n.value is not None]
            names = {state_name(value, kind.scope) for value in returned}
            name = names.pop() if len(names) == 1 else None
            return self._of_middleware(name) if name is not None else None
        return None

    def _of_middleware(self, name: str) -> Close | None:
        found = close_in_middleware(self.types, name, self.scope.module)
        return Close("the middleware has closed it", True, *found) if found is not None else None

    def _of_callers(self, name: str, function: Scope, depth: int) -> Close | None:
        """The same of what one of the callers passes for a parameter."""
        if depth == 0:
            return None
        for call in calls_of(self.types, function):
            caller = function_around(call.scope)
            if caller is None or caller is function or caller is not call.scope:
                continue
            entered = self.origins.entered(call.node.func, call.node.args, Frame(caller, is_first=True))
            given = entered.given.get(name) if entered is not None else None
            if given is not None and given.origin is not None:
                close = self._closing(given.origin, caller, depth - 1)
                if close is not None:
                    return close
        return None

    def _of_constructor(self, cls: Scope, name: str, depth: int) -> Close | None:
        """The same of what an object is made with: by the framework, or by a function of a request."""
        init = self.types.method(ClassType(cls), "__init__")
        if init is None:
            return None
        binding = next((b for b, _ in init.scope.bound(name) if b.kind is Kind.PARAMETER), None)
        close = self._provided(binding, init.scope) if binding is not None else None
        if close is not None:
            return close
        if depth == 0:
            return None
        for call in calls_of(self.types, init.scope):
            caller = function_around(call.scope)
            if caller is None or caller is not call.scope:
                continue
            frame = Frame(caller, is_first=True)
            made = self.origins.value(call.node, frame)
            whole = made.origin
            if whole is None or not isinstance(made.kind, InstanceType) or made.kind.cls != ClassType(cls):
                continue
            given = self.origins.constructed(whole, ClassType(cls)).get(name)
            if given is not None and given.origin is not None:
                close = self._closing(given.origin, caller, depth - 1)
                if close is not None:
                    return close
        return None

    def _of_class(self, cls: Scope, name: str) -> Close | None:
        """The same of an attribute in the body of a class whose methods are routes."""
        for owner in self.types.ancestry(cls):
            if isinstance(owner, Scope):
                for binding, _ in owner.bound(name):
                    return self._provided(binding, owner)
        return None


def _kind(task: Task) -> Kept:
    return Kept.THREAD if task.is_thread else Kept.TASK


def _paths(node: cst.CSTNode, name: str) -> Iterator[list[cst.CSTNode]]:
    """The ways down to each place where a name stands, as far as its last four nodes."""
    stack: list[list[cst.CSTNode]] = [[node]]
    while stack:
        path = stack.pop()
        if isinstance(path[-1], cst.Name) and path[-1].value == name:
            yield path
        stack.extend([*path[-3:], part] for part in children(path[-1]))
