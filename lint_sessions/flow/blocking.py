"""Where a function waits for the database through a synchronous session, itself or in what it calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.coroutines import asks
from lint_sessions.flow.operations import BUILDERS, CONSUMERS
from lint_sessions.project.calls import run_by
from lint_sessions.project.names import Kind, children, dotted, parameters, walk_scope
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

_ELSEWHERE = re.compile(r"thread|executor|background|async|defer|delay|huey|worker|queue|pool|spawn", re.IGNORECASE)
"""A decorator of such a name may run the function at another place, or later."""
_HANDING_OVER = re.compile(r"\b(?:Thread|submit|to_thread|run_in_executor|run_in_threadpool|run_sync|enqueue|delay)\b")
"""A decorator with such a word in it may do the same."""

_DEFINITIONS = frozenset([cst.FunctionDef, cst.ClassDef, cst.Lambda])
_CLEANING = frozenset([cst.ExceptHandler, cst.ExceptStarHandler, cst.Finally])
_TELLING = frozenset([cst.Call, cst.For, cst.CompFor])
"""The nodes that may wait for the database themselves."""

MAX_DEPTH = 8
"""Calls that are followed into one another."""


@dataclass(frozen=True, eq=False)
class Step:
    """A call on the way to the database, with the block it stands in."""

    node: cst.CSTNode
    block: Block | None


Chain = tuple[Step, ...]
"""From a call in the function itself to the one that waits for the database."""

Given = Mapping[tuple[int, str], Type | bool]
"""What is known of the arguments of a call, by scope and parameter: sessions that are passed for a parameter which
declares nothing, and the truth of constants and of what is left to a constant default."""


class Blocking:
    """The first wait of each function of one project, found once."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._known: dict[tuple[int, frozenset[object]], tuple[Scope, Chain | None]] = {}
        self._open: set[int] = set()
        self._cut = 0
        """How often a search ended early: at a function that is being searched, or too deep."""

    def first(self, function: Scope, given: Given | None = None) -> Chain | None:
        """The first call in a function that waits for the database; None where none is known."""
        node, passed = function.function, given or {}
        key = (id(function), frozenset(passed.items()))
        if node is None or key in self._known:
            return self._known[key][1] if node is not None else None
        if id(function) in self._open or len(self._open) > MAX_DEPTH:
            self._cut += 1
            return None
        cut = self._cut
        self._open.add(id(function))
        try:
            found = _Search(self, function, passed).first(node.body)
        finally:
            self._open.discard(id(function))
        if found is not None or self._cut == cut or not self._open:
            self._known[key] = (function, found)
        return found


class _Search:
    """Goes through one function in the order in which it runs."""

    def __init__(self, blocking: Blocking, scope: Scope, given: Given) -> None:
        self.blocking = blocking
        self.types = blocking.types
        self.scope = scope
        self.given = given
        self._cleaning = False
        """Inside a handler or a finally, where a rollback does not count: the request has failed as it is."""

    # --- statements ---------------------------------------------------------------------------------------------

    def first(self, node: cst.CSTNode) -> Chain | None:
        """The first wait in a node, its parts before itself; definitions in it do not run here."""
        kind = type(node)
        if kind in _DEFINITIONS:
            return None
        if isinstance(node, cst.With):
            return self._with(node)
        if isinstance(node, cst.IndentedBlock):
            return self._block(node.body)
        if isinstance(node, (cst.If, cst.IfExp)):
            return self._if(node)
        if isinstance(node, cst.Await) and isinstance(node.expression, cst.Call):
            return self._among(children(node.expression))
        if kind in _CLEANING and not self._cleaning:
            self._cleaning = True
            found = self._among(children(node))
            self._cleaning = False
            return found
        found = self._among(children(node)) or (self._own(node) if kind in _TELLING else None)
        return None if found is not None and self._cleaning and _is_rollback(found[-1].node) else found

    def _among(self, nodes: Iterable[cst.CSTNode]) -> Chain | None:
        return next((found for node in nodes if (found := self.first(node)) is not None), None)

    def _block(self, statements: Iterable[cst.BaseStatement]) -> Chain | None:
        for statement in statements:
            found = self.first(statement)
            if found is not None or self._leaves(statement):
                return found
        return None

    def _if(self, node: cst.If | cst.IfExp) -> Chain | None:
        truth = self._truth(node.test)
        branches = [node.body] * (truth is not False) + [node.orelse] * (truth is not True)
        return self._among(part for part in (node.test, *branches) if part is not None)

    def _leaves(self, statement: cst.BaseStatement) -> bool:
        """Whether nothing after a statement runs."""
        match statement:
            case cst.SimpleStatementLine(body=[*_, cst.Return() | cst.Raise()]):
                return True
            case cst.If(test=test, body=cst.IndentedBlock(body=[*_, last])) if self._truth(test):
                return self._leaves(last)
        return False

    def _truth(self, node: cst.BaseExpression) -> bool | None:
        """The truth of an expression in this call, where the arguments decide it."""
        match node:
            case cst.Name(value="True" | "False" | "None" as value):
                return value == "True"
            case cst.Name(value=name):
                known = self.given.get((id(self.scope), name))
                return known if isinstance(known, bool) and len(self.scope.bound(name)) == 1 else None
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                truth = self._truth(inner)
                return None if truth is None else not truth
            case cst.BooleanOperation(left=left, operator=operator, right=right):
                truths = [self._truth(left), self._truth(right)]
                decisive = isinstance(operator, cst.Or)
                if decisive in truths:
                    return decisive
                return None if None in truths else not decisive
            case cst.Comparison(
                left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=cst.Name(value="None"))]
            ) if isinstance(operator, (cst.Is, cst.IsNot)):
                truth = self._truth(left)
                return None if truth is None else truth == isinstance(operator, cst.IsNot)
        return None

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
        for function in functions:
            around = set(_lexical(function))
            known = {key: value for key, value in (*self.given.items(), *given.items()) if key[0] in around}
            if self._runs_in_place(function) and (found := self.blocking.first(function, known)) is not None:
                return found
        return None

    def _runs_in_place(self, function: Scope) -> bool:
        """Whether a call of a function runs it, there and then."""
        node = function.function
        if node is None or node.asynchronous is not None:
            return False
        for decorator in node.decorators:
            made = decorator.decorator
            maker = made.func if isinstance(made, cst.Call) else made
            kind = self.types.infer(maker, function.parent) if function.parent is not None else None
            if _ELSEWHERE.search(last_name(maker) or ""):
                return False
            if any(wrapper.block is not None and _hands_over(wrapper.block) for wrapper in run_by(self.types, kind)):
                return False
        return True

    def _passed(
        self, call: cst.Call, callee: Type | None, function: Scope
    ) -> Iterator[tuple[tuple[int, str], Type | bool]]:
        """What a call says of the parameters of a function."""
        node = function.function
        if node is None or any(arg.star for arg in call.args):
            return
        by_position = [param.name.value for param in (*node.params.posonly_params, *node.params.params)]
        is_bound = isinstance(callee, (ClassType, InstanceType)) or (
            isinstance(callee, FunctionType)
            and (isinstance(callee.owner, InstanceType) or function.first_parameter == "cls")
        )
        names = iter(by_position[1:] if is_bound else by_position)
        args = {arg.keyword.value if arg.keyword is not None else next(names, ""): arg.value for arg in call.args}
        for param in parameters(node):
            name = param.name.value
            value = args.get(name, param.default)
            if value is None:
                continue
            kind = self._type(value) if param.annotation is None and name in args else None
            known = kind if isinstance(kind, SessionType) else self._truth(value)
            if known is not None:
                yield (id(function), name), known

    # --- sessions and queries -----------------------------------------------------------------------------------

    def _type(self, node: cst.BaseExpression) -> Type | None:
        kind = self.types.infer(node, self.scope)
        if kind is None and isinstance(node, cst.Name):
            found = self.scope.lookup(node.value)
            known = self.given.get((id(found[0]), node.value)) if found is not None else None
            return None if isinstance(known, bool) else known
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


def _hands_over(decorator: Block) -> bool:
    return _HANDING_OVER.search(decorator.document.text, decorator.start, decorator.end) is not None


def _lexical(function: Scope) -> Iterator[int]:
    """The scopes that a function sees, innermost first."""
    scope: Scope | None = function
    while scope is not None:
        yield id(scope)
        scope = scope.parent


def _is_rollback(node: cst.CSTNode) -> bool:
    match node:
        case cst.Call(func=cst.Attribute(attr=cst.Name(value="rollback"))):
            return True
    return False


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
