"""Where a function waits for the database through a synchronous session, itself or in what it calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.coroutines import asks
from lint_sessions.flow.operations import BUILDERS, CONSUMERS
from lint_sessions.project.calls import run_by
from lint_sessions.project.names import Kind, children, dotted, walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import (
    ClassType,
    FactoryType,
    FunctionType,
    GeneratorType,
    InstanceType,
    ManagerType,
    MethodType,
    SessionType,
    Type,
)
from lint_sessions.source.document import Block

WAITING = frozenset(
    ["execute", "exec", "scalar", "scalars", "get", "get_one", "commit", "flush", "refresh", "merge", "rollback"]
    + ["bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings", "connection", "begin_nested"]
)
"""Methods of a session that talk to the database before they return."""

RUNNING = frozenset(
    ["all", "first", "one", "one_or_none", "scalar", "scalars", "scalar_one", "scalar_one_or_none", "count", "get"]
    + ["delete", "update"]
)
"""Methods of a legacy Query that run it."""

_ELSEWHERE = re.compile(r"thread|executor|background|async|defer|delay|huey|worker|enqueue", re.IGNORECASE)
"""A decorator of such a name may run the function at another place, or later."""

MAX_DEPTH = 8
"""Calls that are followed into one another."""


@dataclass(frozen=True, eq=False)
class Step:
    """A call on the way to the database, with the block it stands in."""

    node: cst.CSTNode
    block: Block | None


Chain = tuple[Step, ...]
"""From a call in the function itself to the one that waits for the database."""

Given = Mapping[tuple[int, str], Type]
"""What a call passes for parameters that are not declared, by scope and name."""


class Blocking:
    """The first wait of each function of one project, found once."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._known: dict[tuple[int, frozenset[tuple[int, str]]], tuple[Scope, Chain | None]] = {}
        self._open: set[int] = set()

    def first(self, function: Scope, given: Given | None = None) -> Chain | None:
        """The first call in a function that waits for the database; None where none is known."""
        node, passed = function.function, given or {}
        if node is None or id(function) in self._open or len(self._open) > MAX_DEPTH:
            return None
        key = (id(function), frozenset(passed))
        if key not in self._known:
            self._open.add(id(function))
            try:
                self._known[key] = (function, _Search(self, function, passed).first(node.body))
            finally:
                self._open.discard(id(function))
        return self._known[key][1]


class _Search:
    """Goes through one function in the order in which it runs."""

    def __init__(self, blocking: Blocking, scope: Scope, given: Given) -> None:
        self.blocking = blocking
        self.types = blocking.types
        self.scope = scope
        self.given = given

    # --- statements ---------------------------------------------------------------------------------------------

    def first(self, node: cst.CSTNode) -> Chain | None:
        """The first wait in a node, its parts before itself; definitions in it do not run here."""
        match node:
            case cst.FunctionDef() | cst.ClassDef() | cst.Lambda():
                return None
            case cst.ExceptHandler(body=body) | cst.ExceptStarHandler(body=body) | cst.Finally(body=body):
                return self._unless_rollback(self.first(body))
            case cst.Await(expression=cst.Call() as call):
                return self._among(children(call))
            case cst.With():
                return self._with(node)
        return self._among(children(node)) or self._own(node)

    def _among(self, nodes: Iterable[cst.CSTNode]) -> Chain | None:
        return next((found for node in nodes if (found := self.first(node)) is not None), None)

    def _unless_rollback(self, found: Chain | None) -> Chain | None:
        """What cleans up after a failure does not count: the request has failed as it is."""
        match found:
            case (*_, Step(node=cst.Call(func=cst.Attribute(attr=cst.Name(value="rollback"))))):
                return None
        return found

    def _with(self, node: cst.With) -> Chain | None:
        items = [item.item for item in node.items]
        if node.asynchronous is not None:
            return self._among(part for item in items for part in children(item)) or self.first(node.body)
        return self._among(items) or self.first(node.body) or self._exit(items)

    def _exit(self, items: list[cst.BaseExpression]) -> Chain | None:
        """What the end of a `with` block waits for: the commit of a transaction, or what the project's manager does."""
        for item in reversed(items):
            match self.types.infer(item.func, self.scope) if isinstance(item, cst.Call) else None:
                case MethodType(owner=SessionType() | FactoryType() as owner, name="begin" | "begin_nested"):
                    if _is_sync(owner):
                        return (self._step(item),)
            match self.types.infer(item, self.scope):
                case ManagerType(maker=FunctionType(scope=maker)):
                    found = self._follow([maker], {})
                case InstanceType(cls=ClassType() as cls):
                    methods = (self.types.method(cls, name) for name in ("__enter__", "__exit__"))
                    found = self._follow([method.scope for method in methods if method is not None], {})
                case _:
                    found = None
            if found is not None:
                return (self._step(item), *found)
        return None

    # --- expressions --------------------------------------------------------------------------------------------

    def _own(self, node: cst.CSTNode) -> Chain | None:
        """What a node itself waits for, its parts left out."""
        match node:
            case cst.Call(func=cst.Attribute(value=session, attr=cst.Name(value=name))) if name in WAITING:
                if self._is_session(session):
                    return (self._step(node),)
        match node:
            case cst.Call(func=cst.Attribute(value=query, attr=cst.Name(value=name))) if name in RUNNING:
                if self._is_query(query):
                    return (self._step(node),)
            case cst.Call(func=cst.Name(value=name), args=[cst.Arg(value=value), *_]) if name in CONSUMERS:
                return self._iterated(value)
            case cst.For(iter=value, asynchronous=None) | cst.CompFor(iter=value, asynchronous=None):
                return self._iterated(value)
        return self._called(node) if isinstance(node, cst.Call) else None

    def _iterated(self, value: cst.BaseExpression) -> Chain | None:
        if self._is_query(value):
            return (self._step(value),)
        match self.types.infer(value, self.scope) if isinstance(value, cst.Call) else None:
            case GeneratorType(function=function, yields=yields, is_async=False) if not isinstance(yields, SessionType):
                found = self._follow([function.scope], {})
                return (self._step(value), *found) if found is not None else None
        return None

    def _called(self, call: cst.Call) -> Chain | None:
        """What a call of the project's own waits for; a coroutine and a generator do nothing when they are called."""
        kind = self.types.infer(call.func, self.scope)
        functions = [function for function in run_by(self.types, kind) if not function.is_generator]
        given = {key: value for function in functions for key, value in self._passed(call, kind, function)}
        found = self._follow(functions, given)
        return (self._step(call), *found) if found is not None else None

    def _follow(self, functions: list[Scope], given: Given) -> Chain | None:
        around = {**self.given, **given}
        for function in functions:
            if _runs_in_place(function) and (found := self.blocking.first(function, around)) is not None:
                return found
        return None

    def _passed(self, call: cst.Call, callee: Type | None, function: Scope) -> Iterator[tuple[tuple[int, str], Type]]:
        """The sessions that are passed for parameters whose type is not declared."""
        node = function.function
        if node is None:
            return
        names = [param.name.value for param in (*node.params.posonly_params, *node.params.params)]
        is_bound = isinstance(callee, (ClassType, InstanceType)) or (
            isinstance(callee, FunctionType)
            and (isinstance(callee.owner, InstanceType) or function.first_parameter == "cls")
        )
        positional = iter(names[1:] if is_bound else names)
        for arg in call.args:
            if arg.star:
                return
            name = arg.keyword.value if arg.keyword is not None else next(positional, None)
            if name is None or not isinstance(self.types.name(name, function), (type(None), InstanceType)):
                continue
            kind = self._type(arg.value)
            if isinstance(kind, SessionType) and self.types.name(name, function) is None:
                yield (id(function), name), kind

    # --- sessions and queries -----------------------------------------------------------------------------------

    def _type(self, node: cst.BaseExpression) -> Type | None:
        kind = self.types.infer(node, self.scope)
        if kind is None and isinstance(node, cst.Name):
            found = self.scope.lookup(node.value)
            return self.given.get((id(found[0]), node.value)) if found is not None else None
        return kind

    def _is_session(self, node: cst.BaseExpression) -> bool:
        """Whether an expression is certainly a synchronous session."""
        kind = self._type(node)
        return (
            isinstance(kind, SessionType)
            and _is_sync(kind)
            and not asks(node, self.scope)
            and not self._is_awaited(node)
        )

    def _is_awaited(self, session: cst.BaseExpression) -> bool:
        """Whether the function awaits a method of what is called a session: then it is none of the synchronous sort."""
        name = dotted(session)
        body = self.scope.node
        return name is not None and body is not None and name in _awaited(body)

    def _is_query(self, node: cst.BaseExpression, depth: int = 0) -> bool:
        """Whether an expression is a legacy Query of a synchronous session, not yet run."""
        if depth > MAX_DEPTH:
            return False
        match node:
            case cst.Call(func=cst.Attribute(value=session, attr=cst.Name(value="query"))) if self._is_session(session):
                return True
            case cst.Call(func=cst.Attribute(value=query, attr=cst.Name(value=name))) if name in BUILDERS:
                return self._is_query(query, depth + 1)
            case cst.Name(value=name):
                found = self.scope.lookup(name)
                values = [binding.value for binding, _ in found[1] if binding.kind is Kind.VALUE] if found else []
                return bool(values) and any(v is not None and self._is_query(v, depth + 1) for v in values[:4])
        return False

    def _step(self, node: cst.CSTNode) -> Step:
        return Step(node, self.scope.block)


def _is_sync(kind: SessionType | FactoryType) -> bool:
    return not kind.flavor.is_async and not kind.flavor.is_either


def _awaited(body: cst.CSTNode) -> frozenset[str]:
    """The names of what a function awaits a method of."""
    found = set()
    for part in walk_scope(body):
        match part:
            case cst.Await(expression=cst.Call(func=cst.Attribute(value=owner))) if (name := dotted(owner)) is not None:
                found.add(name)
    return frozenset(found)


def _runs_in_place(function: Scope) -> bool:
    """Whether a call of a function runs it, there and then."""
    node = function.function
    if node is None or node.asynchronous is not None:
        return False
    return not any(_ELSEWHERE.search(last_name(d.decorator) or "") for d in node.decorators)
