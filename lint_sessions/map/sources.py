"""Where sessions come from: the calls that make engines and factories, and which of them an expression means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.map.model import Kind, Link
from lint_sessions.project.annotations import definition
from lint_sessions.project.calls import calls_in
from lint_sessions.project.known import ENGINE_MAKERS, FACTORY_CLASSES, SCOPED_CLASSES
from lint_sessions.project.modules import Module
from lint_sessions.project.names import Kind as Bound
from lint_sessions.project.names import children, dotted
from lint_sessions.project.scopes import Scope, leaves
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, External, FunctionType, InstanceType, argument
from lint_sessions.source.document import Block, SyntaxProblem

_MAX_STEPS = 8
"""Expressions followed from one to the next."""
_MAKERS = ("create_engine", "create_async_engine", "engine_from_config", "sessionmaker", "scoped_session")


@dataclass(frozen=True, eq=False)
class Source:
    """An engine or a factory: the call that makes it."""

    kind: Kind
    call: cst.Call
    scope: Scope
    """Where the call stands."""
    block: Block
    name: str
    """What it is assigned to, else the function that makes it."""

    @property
    def qualified_name(self) -> str:
        """Its name below the outermost function or class around it: `Database.engine`, `make.engine`."""
        outer = self.scope.outermost
        return self.name if self.name == outer.name else f"{outer.name}.{self.name}"

    @property
    def row(self) -> int:
        """Where the call stands."""
        return self.block.span(self.call)[0].row


class Sources:
    """The engines and factories of a project, found module by module when one is asked for."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._of_module: dict[int, dict[int, Source]] = {}

    def in_module(self, module: Module) -> list[Source]:
        """Those that are made in a module."""
        return list(self._made_in(module).values())

    def _made_in(self, module: Module) -> dict[int, Source]:
        if id(module) not in self._of_module:
            found: dict[int, Source] = {}
            if any(word in module.document.text for word in _MAKERS):
                for block, scope in leaves(module.blocks, self.types.module_scope(module)):
                    found.update(self._made_by(block, scope))
            self._of_module[id(module)] = found
        return self._of_module[id(module)]

    def _made_by(self, block: Block, scope: Scope) -> Iterator[tuple[int, Source]]:
        try:
            names = _assigned(block)
        except SyntaxProblem:
            return
        registered: set[int] = set()
        for call in calls_in(block, scope):
            kind = _kind(self.types, call.node, call.scope)
            if kind is None or id(call.node) in registered:
                continue
            if kind is Kind.FACTORY:
                # The maker inside `scoped_session(sessionmaker(engine))` has no name, and nobody else calls it.
                registered.update(id(arg.value) for arg in call.node.args)
            own = names.get(id(call.node)) or _name_of(call.scope) or kind.value
            yield id(call.node), Source(kind, call.node, call.scope, block, own)

    def binds(self, factory: Source) -> Iterator[tuple[Source, Link]]:
        """The engine that a factory is given; of a registry the factory that makes its sessions."""
        made_by = argument(factory.call, 0, "session_factory")
        inner = made_by if isinstance(made_by, cst.Call) and self._is_factory(made_by, factory.scope) else None
        call = inner or factory.call
        given = argument(call, 0, "bind") or argument(call, 0, "session_factory")
        source = self.meant(given, factory.scope) if given is not None else None
        if source is not None and source is not factory:
            yield source, Link.BINDS if source.kind is Kind.ENGINE else Link.MAKES

    def _is_factory(self, call: cst.Call, scope: Scope) -> bool:
        return _kind(self.types, call, scope) is Kind.FACTORY

    # --- which one an expression means ------------------------------------------------------------------------------

    def meant(self, node: cst.BaseExpression, scope: Scope, steps: int = _MAX_STEPS) -> Source | None:
        """The engine or factory that an expression gives; None where that is not certain."""
        if steps == 0:
            return None
        match node:
            case cst.Await(expression=inner):
                return self.meant(inner, scope, steps - 1)
            case cst.Call():
                return self._made_in(scope.module).get(id(node)) or self._returned(node, scope, steps - 1)
            case cst.Name():
                return self._named(node, scope, steps - 1)
            case cst.Attribute(value=whole, attr=attr):
                return self._named(node, scope, steps - 1) or self._kept(whole, attr.value, scope, steps - 1)
        return None

    def _named(self, node: cst.BaseExpression, scope: Scope, steps: int) -> Source | None:
        found = definition(self.types, node, scope)
        if found is None:
            return None
        binding, owner, _ = found
        if binding.kind is not Bound.VALUE or binding.value is None:
            return None
        return self._item(binding.value, binding.index, owner, steps)

    def _item(self, value: cst.BaseExpression, index: tuple[int, ...], scope: Scope, steps: int) -> Source | None:
        """What stands at a place of a tuple, as in `engine, Local = build()`; with no index, the value itself."""
        if not index:
            return self.meant(value, scope, steps)
        match value:
            case cst.Tuple(elements=elements) if index[0] < len(elements):
                return self._item(elements[index[0]].value, index[1:], scope, steps)
            case cst.Call():
                callee = self.types.infer(value.func, scope)
                if isinstance(callee, FunctionType):
                    return _one(self._item(given, index, callee.scope, steps) for given in _returns(callee.scope))
        return None

    def _returned(self, call: cst.Call, scope: Scope, steps: int) -> Source | None:
        callee = self.types.infer(call.func, scope)
        if not isinstance(callee, FunctionType) or callee.scope.is_generator:
            return None
        return self._gives(callee.scope, steps)

    def _gives(self, function: Scope, steps: int) -> Source | None:
        return _one(self.meant(value, function, steps) for value in _returns(function))

    def _kept(self, whole: cst.BaseExpression, name: str, scope: Scope, steps: int) -> Source | None:
        """What the methods of a class keep in an attribute, or what a property of it gives."""
        match self.types.infer(whole, scope):
            case InstanceType(cls=ClassType(scope=cls)) | ClassType(scope=cls):
                pass
            case _:
                return None
        for owner in self.types.ancestry(cls):
            if not isinstance(owner, Scope) or not owner.mentions(name):
                continue
            found = [self.meant(value, at, steps) for value, at in _set(owner, name)]
            if known := [source for source in found if source is not None]:
                return _one(known)
        return None


def _kind(types: Types, call: cst.Call, scope: Scope) -> Kind | None:
    callee = types.infer(call.func, scope)
    if not isinstance(callee, External):
        return None
    if callee.name in ENGINE_MAKERS:
        return Kind.ENGINE
    return Kind.FACTORY if callee.name in FACTORY_CLASSES or callee.name in SCOPED_CLASSES else None


def _one(found: Iterable[Source | None]) -> Source | None:
    """What all of them are; None where they differ."""
    sources = list(found)
    return sources[0] if sources and all(source is sources[0] for source in sources) else None


def _returns(function: Scope) -> list[cst.BaseExpression]:
    return [n.value for n in function.own_nodes if isinstance(n, cst.Return) and n.value is not None]


def _set(cls: Scope, name: str) -> Iterator[tuple[cst.BaseExpression, Scope]]:
    """What is assigned to an attribute, in the body of a class and in its methods; of a property what it returns."""
    for binding, _ in cls.bound(name):
        if binding.value is not None and not binding.index:
            yield binding.value, cls
    for method in cls.methods():
        if method.name == name:
            yield from ((value, method) for value in _returns(method))
        elif method.mentions(name):
            yield from ((value, method) for value, _ in method.attributes_set.get(name, ()))


def _assigned(block: Block) -> dict[int, str]:
    """By the call: the name that it is assigned to."""
    found: dict[int, str] = {}
    pending: list[cst.CSTNode] = [block.node]
    while pending:
        node = pending.pop()
        match node:
            case cst.Assign(targets=[cst.AssignTarget(target=target), *_], value=cst.Call() as value):
                found[id(value)] = dotted(target) or ""
            case cst.AnnAssign(target=target, value=cst.Call() as value):
                found[id(value)] = dotted(target) or ""
        pending += children(node)
    return {call: name.removeprefix("self.").removeprefix("cls.") for call, name in found.items()}


def _name_of(scope: Scope) -> str:
    return "" if scope.is_module else scope.qualified_name
