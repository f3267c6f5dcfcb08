"""What a function starts that runs beside the rest of it: coroutines that are gathered, tasks, threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import libcst as cst

from lint_sessions.flow.origins import Frame, Origin, Origins, Variable, root
from lint_sessions.project.names import Kind, children, mentions, walk, walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.types import External, argument

_GATHERS = frozenset(["asyncio.gather"])
_WAITS = frozenset(["asyncio.wait", "asyncio.as_completed"])
WRAPPERS = frozenset(["asyncio.create_task", "asyncio.ensure_future", "asyncio.shield", "asyncio.wait_for"])
_STARTING = frozenset(["create_task", "ensure_future", "run_coroutine_threadsafe"])
_IN_THREAD = frozenset(
    ["asyncio.to_thread", "anyio.to_thread.run_sync", "fastapi.concurrency.run_in_threadpool"]
    + ["starlette.concurrency.run_in_threadpool"]
)
_EXECUTOR = "concurrent.futures.ThreadPoolExecutor"
_EXECUTORS = frozenset([_EXECUTOR, "concurrent.futures.thread.ThreadPoolExecutor"])
_JOINS = frozenset(["join", "result", "wait", "as_completed"])
_LOOPS = (cst.For, cst.While, cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp)


@dataclass(frozen=True, eq=False)
class Task:
    """Something that a function starts."""

    start: cst.Call
    """The call that starts it; of a gathered coroutine, the one that makes it."""
    node: cst.Call
    """The call that is told of to a reader."""
    func: cst.BaseExpression
    args: tuple[cst.Arg, ...]
    is_thread: bool = False
    turn: cst.CSTNode | None = None
    """The loop that starts one after the other, all of them at once."""
    is_awaited: bool = False
    """The function waits for it on the spot."""


class Tasks:
    """What one function starts."""

    def __init__(self, origins: Origins, scope: Scope) -> None:
        self.origins = origins
        self.scope = scope
        self.frame = Frame(scope, is_first=True)
        node = scope.function
        self.parts = list(walk_scope(node)) if node is not None else []
        self.order = {id(part): i for i, part in enumerate(self.parts)}
        self._parents = {id(child): part for part in self.parts for child in children(part)}

    @property
    def calls(self) -> Iterator[cst.Call]:
        """The calls of the function, in order."""
        return (part for part in self.parts if isinstance(part, cst.Call))

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """What a node of the function stands in."""
        return self._parents.get(id(node))

    # --- what is started ----------------------------------------------------------------------------------------

    @cached_property
    def started(self) -> list[Task]:
        """The tasks and threads that go on while the function does, in order."""
        found = (self._started(call) for call in self.calls)
        return [task for task in found if task is not None]

    def _started(self, call: cst.Call) -> Task | None:
        name, args = self.published(call.func), tuple(call.args)
        method = call.func.attr.value if isinstance(call.func, cst.Attribute) else None
        if name == "threading.Thread":
            target, given = argument(call, 1, "target"), argument(call, 3, "args")
            if target is None:
                return None
            elements = given.elements if isinstance(given, (cst.Tuple, cst.List)) else ()
            passed = tuple(cst.Arg(e.value) for e in elements if isinstance(e, cst.Element))
            return self._placed(Task(call, call, target, passed, is_thread=True))
        if isinstance(self._parents.get(id(call)), cst.Await) or not args:
            return None
        if name in ("asyncio.create_task", "asyncio.ensure_future") or (method in _STARTING and not name):
            made = self.coroutine(args[0].value)
            return self._placed(replace(made, start=call)) if made is not None else None
        if method == "start_soon" and not name:
            return self._placed(Task(call, call, args[0].value, args[1:]))
        if isinstance(call.func, cst.Attribute) and method in ("submit", "map") and self._has_threads(call.func):
            if method == "map":
                return Task(call, call, args[0].value, self._repeated(args[1:]), is_thread=True, turn=call)
            return self._placed(Task(call, call, args[0].value, args[1:], is_thread=True))
        if method == "run_in_executor" and len(args) > 1:
            return self._placed(Task(call, call, args[1].value, args[2:], is_thread=True))
        return None

    def _repeated(self, args: tuple[cst.Arg, ...]) -> tuple[cst.Arg, ...]:
        """The arguments of the calls that `map` makes: what `repeat(x)` gives is known, other items are not."""
        found = []
        for arg in args:
            match arg.value:
                case cst.Call(func=func, args=[first]) if self.published(func) == "itertools.repeat":
                    found.append(first)
                case _:
                    found.append(cst.Arg(cst.Ellipsis()))
        return tuple(found)

    def published(self, func: cst.BaseExpression) -> str | None:
        """The dotted name of what is called; empty for a method of something unknown, None for the project's own."""
        kind = self.origins.types.infer(func, self.scope)
        if isinstance(kind, External):
            return kind.name if "." in kind.name else ""
        return "" if kind is None else None

    def _has_threads(self, method: cst.Attribute) -> bool:
        """Whether the owner of a method is an executor of several threads."""
        maker = self._maker(method.value)
        if maker is None:
            kind = self.origins.types.infer(method.value, self.scope)
            cls = getattr(kind, "cls", None)
            return isinstance(cls, External) and cls.name in _EXECUTORS
        workers = argument(maker, 0, "max_workers")
        return self.published(maker.func) in _EXECUTORS and getattr(workers, "value", None) != "1"

    def _maker(self, node: cst.BaseExpression) -> cst.Call | None:
        """The call whose result a name holds, as it is or entered by `with`."""
        found = self.scope.lookup(node.value) if isinstance(node, cst.Name) else None
        if found is None or len(found[1]) != 1:
            return None
        binding = found[1][0][0]
        value = binding.value if binding.kind in (Kind.VALUE, Kind.ENTERED) else None
        return value if isinstance(value, cst.Call) else None

    def coroutine(self, node: cst.BaseExpression) -> Task | None:
        """What runs when a coroutine or task is awaited."""
        match node:
            case cst.Name(value=name):
                bound = self.scope.bound(name)
                value = bound[0][0].value if len(bound) == 1 and bound[0][0].kind is Kind.VALUE else None
                return self.coroutine(value) if isinstance(value, cst.Call) else None
            case cst.Call(func=func, args=[first, *rest]):
                published, method = self.published(func), last_name(func)
                if published in WRAPPERS or (method in _STARTING and published == ""):
                    return self.coroutine(first.value)
                if published in _IN_THREAD:
                    return Task(node, node, first.value, tuple(rest), is_thread=True)
                if method == "run_in_executor":
                    return Task(node, node, rest[0].value, tuple(rest[1:]), is_thread=True) if rest else None
        return Task(node, node, node.func, tuple(node.args)) if isinstance(node, cst.Call) else None

    def gathered(self, call: cst.Call) -> list[Task]:
        """The members of `gather(...)` and its like."""
        name = self.published(call.func)
        if name in _GATHERS:
            return [task for arg in call.args if not arg.keyword for task in self._members(arg, call)]
        if name in _WAITS and call.args:
            return list(self._members(cst.Arg(call.args[0].value, star="*"), call))
        return []

    def _members(self, arg: cst.Arg, call: cst.Call) -> Iterator[Task]:
        if arg.star:
            yield from self._items(arg.value, call)
        else:
            task = self.coroutine(arg.value)
            if task is not None:
                yield task

    def _items(self, node: cst.BaseExpression, call: cst.Call) -> Iterator[Task]:
        """The coroutines in a list or iterator."""
        match node:
            case cst.ListComp(elt=made) | cst.GeneratorExp(elt=made) | cst.SetComp(elt=made) | cst.DictComp(value=made):
                task = self.coroutine(made)
                if task is not None:
                    yield replace(task, turn=node)
            case cst.List(elements=elements) | cst.Tuple(elements=elements) | cst.Set(elements=elements):
                for element in elements:
                    if isinstance(element, cst.StarredElement):
                        yield from self._items(element.value, call)
                    else:
                        yield from self._members(cst.Arg(element.value), call)
            case cst.BinaryOperation(left=left, operator=cst.Add(), right=right):
                yield from self._items(left, call)
                yield from self._items(right, call)
            case cst.Call(func=cst.Name(value="map"), args=[made, *rest]):
                yield Task(node, node, made.value, self._repeated(tuple(rest)), turn=node)
            case cst.Call(func=cst.Name(value="list" | "tuple" | "set"), args=[first]):
                yield from self._items(first.value, call)
            case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value="values")), args=[]):
                yield from self._items(inner, call)
            case cst.Name(value=name):
                yield from self._collected(name, call)

    def _collected(self, name: str, call: cst.Call) -> Iterator[Task]:
        """The coroutines that a local list has been given."""
        for binding, _ in self.scope.bound(name):
            if binding.kind is Kind.VALUE and binding.value is not None and not isinstance(binding.value, cst.Name):
                yield from self._items(binding.value, call)
        for part in self.parts:
            match part:
                case cst.Call(func=cst.Attribute(value=cst.Name(value=owner), attr=attr), args=[first]):
                    if owner == name and attr.value in ("append", "add"):
                        task = self.coroutine(first.value)
                        if task is not None:
                            yield replace(task, turn=self._loop(part))
                    elif owner == name and attr.value == "extend":
                        yield from self._items(first.value, call)

    # --- when it runs -------------------------------------------------------------------------------------------

    def _placed(self, task: Task) -> Task:
        """The task with the loop that starts it again while it runs."""
        loop = self._loop(task.start, self.manager(task))
        if loop is not None and any(self.is_inside(part, loop) for part in self.waits(task)):
            loop = None
        return replace(task, turn=loop)

    def _loop(self, node: cst.CSTNode, end: cst.CSTNode | None = None) -> cst.CSTNode | None:
        """The innermost loop that comes to a node again, inside of `end`."""
        child: cst.CSTNode | None = node
        while child is not None and child is not end:
            parent = self._parents.get(id(child))
            if isinstance(parent, _LOOPS) and child is not getattr(parent, "iter", None):
                return parent
            if isinstance(parent, cst.IndentedBlock) and leaves(parent, or_goes_on=False):
                return None
            child = parent
        return None

    def manager(self, task: Task) -> cst.CSTNode | None:
        """The `with` block at whose end a task has run: that of a task group, or of an executor."""
        func = task.start.func
        if not (isinstance(func, cst.Attribute) and isinstance(func.value, cst.Name)):
            return None
        for binding, _ in self.scope.bound(func.value.value):
            if binding.kind is Kind.ENTERED:
                item = next((p for p in self.parts if isinstance(p, cst.WithItem) and p is binding.node), None)
                return self._parents.get(id(item)) if item is not None else None
        return None

    def waits(self, task: Task) -> list[cst.CSTNode]:
        """Where the function waits for a task, by the name that it is kept under."""
        name = self._kept_as(task.start)
        return [part for part in self.parts if name is not None and _is_wait(part) and mentions(part, name)]

    def _kept_as(self, start: cst.CSTNode) -> str | None:
        child: cst.CSTNode | None = start
        while child is not None:
            parent = self._parents.get(id(child))
            match parent:
                case cst.Assign(targets=[cst.AssignTarget(target=target)]) | cst.AnnAssign(target=target):
                    base: cst.BaseExpression = target
                    while isinstance(base, (cst.Subscript, cst.Attribute)):
                        base = base.value
                    return base.value if isinstance(base, cst.Name) else None
                case cst.NamedExpr(target=cst.Name(value=name)):
                    return name
                case cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=attr)):
                    if attr.value in ("append", "add", "extend"):
                        return name
                case cst.BaseStatement() | cst.BaseSmallStatement():
                    return None
            child = parent
        return None

    def is_inside(self, node: cst.CSTNode | None, outer: cst.CSTNode) -> bool:
        while node is not None and node is not outer:
            node = self._parents.get(id(node))
        return node is outer

    def excludes(self, first: cst.CSTNode, second: cst.CSTNode) -> bool:
        """Whether no run comes to both of two places: the arms of a condition, or a return between them."""
        above: dict[int, cst.CSTNode] = {}
        child: cst.CSTNode = first
        while (parent := self._parents.get(id(child))) is not None:
            above[id(parent)] = child
            child = parent
        child = second
        while (parent := self._parents.get(id(child))) is not None:
            if id(parent) in above:
                break
            child = parent
        if parent is None:
            return False
        mine = above[id(parent)]
        if isinstance(parent, (cst.If, cst.IfExp)) and parent.test not in (mine, child):
            return True
        if isinstance(parent, cst.Match) and mine is not parent.subject:
            return True
        inner: cst.CSTNode | None = first
        while inner is not None and inner is not parent:
            if isinstance(inner, cst.IndentedBlock) and leaves(inner):
                return True
            inner = self._parents.get(id(inner))
        return False

    def is_bound_between(self, origin: Origin, first: int, last: int) -> bool:
        """Whether the variable that an origin begins with is bound anew between two places."""
        base = root(origin)
        if not isinstance(base, Variable) or base.scope is not self.scope:
            return False
        places = (self.order.get(id(binding.node), -1) for binding, _ in self.scope.bound(base.name))
        return any(first < place < last for place in places)

    def is_new_each_turn(self, origin: Origin, turn: cst.CSTNode) -> bool:
        """Whether each turn of a loop has another session."""
        base = root(origin)
        if not isinstance(base, Variable):
            return self.is_inside(base.call, turn)
        if base.scope is not self.scope:
            return False
        return any(self.is_inside(binding.node, turn) for binding, _ in self.scope.bound(base.name))


def leaves(block: cst.IndentedBlock, *, or_goes_on: bool = True) -> bool:
    """Whether a block ends by leaving the function or loop, or by going on with the next turn."""
    last = block.body[-1] if block.body else None
    statement = last.body[-1] if isinstance(last, cst.SimpleStatementLine) else None
    return isinstance(statement, (cst.Return, cst.Raise, cst.Break)) or (
        or_goes_on and isinstance(statement, cst.Continue)
    )


def _is_wait(part: cst.CSTNode) -> bool:
    match part:
        case cst.Await() | cst.Call(func=cst.Attribute(attr=cst.Name(value="join" | "result"))):
            return True
        case cst.For(body=body):
            return any(isinstance(inner, cst.Await) or _is_join(inner) for inner in walk(body))
    return False


def _is_join(part: cst.CSTNode) -> bool:
    return isinstance(part, cst.Call) and last_name(part.func) in _JOINS
