"""Where sessions come from and where they go, as the analysis knows it. What it does not know is not drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import libcst as cst

from lint_sessions.config.settings import absolute
from lint_sessions.engine import Analysis
from lint_sessions.finding import Finding
from lint_sessions.flow.callers import functions
from lint_sessions.flow.operations import CLOSING
from lint_sessions.map.model import Act, Edge, Kind, Link, Map, Node
from lint_sessions.project.annotations import definition
from lint_sessions.project.calls import run_by
from lint_sessions.project.modules import Module
from lint_sessions.project.names import Kind as Binds
from lint_sessions.project.names import bindings, children, parameters
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.scripts import is_test
from lint_sessions.project.types import (
    EngineType,
    FactoryType,
    FunctionType,
    GeneratorType,
    ManagerType,
    MethodType,
    SessionType,
    Type,
    argument,
    awaited,
)
from lint_sessions.source.document import Block, SyntaxProblem

_WORKING: Final = frozenset(
    ["task", "shared_task", "periodic_task", "actor", "cron", "scheduled_job", "job", "db_task", "broker_task"]
)
"""Decorators of what runs beside the requests: Celery, Dramatiq, taskiq, huey, APScheduler, rq, arq."""
_RELEVANT: Final = re.compile(r"[Ss]ession|[Ee]ngine|\bsqlalchemy\b|\bsqlmodel\b|\bDepends\b")
_METHODS: Final = {"commit": Act.COMMITS, "rollback": Act.ROLLS_BACK, **dict.fromkeys(CLOSING, Act.CLOSES)}
_KINDS: Final = {Kind.ENGINE: EngineType, Kind.FACTORY: FactoryType, Kind.SESSION: SessionType}


def trace(analysis: Analysis, paths: Iterable[Path], findings: Sequence[Finding], root: Path) -> Map:
    """The map of some files of a project, tests left out; modules are named relative to `root`. What cannot be parsed
    has no nodes."""
    tracer = _Tracer(analysis, root)
    for path in paths:
        module = analysis.project.at(path)
        if module is not None and not is_test(absolute(path), analysis.config.root):
            tracer.module(module)
    return tracer.map(findings)


@dataclass
class _Unit:
    """A top-level definition, as far as it is known yet."""

    id: str
    kind: Kind
    name: str
    module: str
    block: Block
    acts: set[Act] = field(default_factory=set)
    provides: bool = False


class _Tracer:
    def __init__(self, analysis: Analysis, root: Path) -> None:
        self.root, self.project = root, analysis.project
        self.types, self.wiring = analysis.types, analysis.wiring
        self.units: dict[str, _Unit] = {}
        self.edges: set[Edge] = set()

    # --- modules ----------------------------------------------------------------------------------------------------

    def module(self, module: Module) -> None:
        """Look at all that a module defines."""
        if not _RELEVANT.search(module.document.text):
            return
        top = self.types.module_scope(module)
        for block in module.blocks:
            try:
                if block.kind == "statement":
                    self._variable(block, top)
                    continue
                unit = self._unit(block, module)
                for _, scope in functions([block], top):
                    self._function(unit, scope)
            except (SyntaxProblem, RecursionError):
                continue

    def _unit(self, block: Block, module: Module) -> _Unit:
        kind = Kind.CLASS if block.kind == "class" else Kind.FUNCTION
        return self._new(kind, block.name or "", module, block)

    def _new(self, kind: Kind, name: str, module: Module, block: Block) -> _Unit:
        place = self._place(module)
        return self.units.setdefault(f"{place}:{name}", _Unit(f"{place}:{name}", kind, name, place, block))

    def _place(self, module: Module) -> str:
        path = absolute(module.path)
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def _variable(self, block: Block, top: Scope) -> None:
        """An engine, a factory or a session that a module holds."""
        if "=" not in block.text or not isinstance(block.node, cst.SimpleStatementLine):
            return
        for binding in bindings(block.node):
            made = self.types.name(binding.name, top) if binding.kind is Binds.VALUE else None
            kind = next((kind for kind, sort in _KINDS.items() if isinstance(made, sort)), None)
            if kind is None:
                continue
            unit = self._new(kind, binding.name, top.module, block)
            if isinstance(binding.value, cst.Call):
                if kind is Kind.SESSION:
                    self._opened(unit, binding.value, top)
                for arg in binding.value.args:
                    self._edge(self._named(arg.value, top), unit, Link.BINDS)

    # --- functions --------------------------------------------------------------------------------------------------

    def _function(self, unit: _Unit, scope: Scope) -> None:
        node = scope.function
        if node is None:
            return
        if self.wiring.is_route(scope):
            unit.kind = Kind.ROUTE
        elif any(last_name(d.decorator) in _WORKING for d in node.decorators) and unit.kind is Kind.FUNCTION:
            unit.kind = Kind.WORKER
        unit.provides |= self._holds(self.types.provision(FunctionType(scope))) and scope.name != "__init__"
        for param in parameters(node):
            self._parameter(unit, param, scope.parent or scope)
        pending: list[tuple[cst.CSTNode, Scope]] = [(node.body, scope)]
        while pending:
            part, around = pending.pop()
            if isinstance(part, cst.Call):
                self._call(unit, part, around)
            elif isinstance(part, cst.With):
                for item in part.items:
                    self._entered(unit, item.item, around)
            if isinstance(part, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
                around = around.child(part, scope.block)
            pending += [(inner, around) for inner in children(part)]

    def _parameter(self, unit: _Unit, param: cst.Param, around: Scope) -> None:
        annotation = param.annotation.annotation if param.annotation is not None else None
        declared = self.wiring.declared_by(param.default, annotation, around)
        if declared is None:
            return
        call, where = declared
        provider = argument(call, 0, "dependency") or annotation
        if provider is None:
            return
        given = self.types.provision(self.types.infer(provider, where))
        known = self.types.annotation(annotation, around) if annotation is not None else None
        if self._holds(given) or self._holds(known):
            for function in self.wiring.called(provider, where):
                self._edge(self._unit_of(function), unit, Link.PROVIDES)

    def _entered(self, unit: _Unit, item: cst.BaseExpression, scope: Scope) -> None:
        """The context manager of a `with`."""
        if isinstance(self.types.infer(item, scope), SessionType):
            unit.acts.add(Act.CLOSES)
        match self.types.infer(item.func, scope) if isinstance(item, cst.Call) else None:
            case MethodType(owner=SessionType(), name="begin"):
                unit.acts.add(Act.COMMITS)
            case MethodType(owner=FactoryType(), name="begin"):
                unit.acts |= {Act.COMMITS, Act.CLOSES}

    def _call(self, unit: _Unit, call: cst.Call, scope: Scope) -> None:
        callee = self.types.infer(call.func, scope)
        match callee:
            case MethodType(owner=SessionType(), name=name):
                if name in _METHODS:
                    unit.acts.add(_METHODS[name])
                return
            case FactoryType() | MethodType(owner=FactoryType(), name="begin" | "__call__"):
                self._opened(unit, call, scope)
                return
        made = self.types.infer(call, scope)
        if (giver := _giver(made, callee)) is not None and self._holds(self._inside(made)):
            self._edge(self._unit_of(giver.scope), unit, Link.PROVIDES)
        elif any(self._holds(self.types.infer(arg.value, scope)) for arg in call.args):
            for function in run_by(self.types, callee)[:1]:
                self._edge(unit, self._unit_of(function), Link.LENDS)

    def _opened(self, unit: _Unit, call: cst.Call, scope: Scope) -> None:
        unit.acts.add(Act.OPENS)
        factory = call.func
        if isinstance(factory, cst.Attribute) and isinstance(self.types.infer(factory.value, scope), FactoryType):
            factory = factory.value  # `Factory.begin()`
        sources = [self._named(factory, scope), *(self._named(arg.value, scope) for arg in call.args)]
        for source in sources:
            self._edge(source, unit, Link.MAKES)

    # --- what is meant ----------------------------------------------------------------------------------------------

    def _holds(self, kind: Type | None) -> bool:
        """Whether a value is a session, or an object of the project that keeps one."""
        return isinstance(kind, SessionType) or self.types.session_attribute(kind) is not None

    def _inside(self, kind: Type | None) -> Type | None:
        """What somebody gets who awaits, enters or steps through a value."""
        kind = awaited(kind) or kind
        if isinstance(kind, ManagerType):
            return kind.entered
        return kind.yields if isinstance(kind, GeneratorType) else kind

    def _named(self, node: cst.BaseExpression, scope: Scope) -> str | None:
        """The engine, factory or session of a module that an expression names."""
        if not isinstance(self.types.infer(node, scope), (EngineType, FactoryType)):
            return None
        found = definition(self.types, node, scope)
        return f"{self._place(found[1].module)}:{found[0].name}" if found is not None and found[1].is_module else None

    def _unit_of(self, scope: Scope) -> str | None:
        """The top-level definition around a function or class."""
        while scope.parent is not None and not scope.parent.is_module:
            scope = scope.parent
        return f"{self._place(scope.module)}:{scope.name}" if scope.parent is not None else None

    def _edge(self, source: _Unit | str | None, target: _Unit | str | None, link: Link) -> None:
        ends = [end.id if isinstance(end, _Unit) else end for end in (source, target)]
        if ends[0] is not None and ends[1] is not None:
            self.edges.add(Edge(ends[0], ends[1], link))

    # --- the map ----------------------------------------------------------------------------------------------------

    def map(self, findings: Sequence[Finding]) -> Map:
        """What was found: all that is on an edge, acts on a session, or has a finding."""
        reported = self._reported(findings)
        linked = {end for edge in self.edges for end in (edge.source, edge.target)}
        kept = [u for u in self.units.values() if u.id in linked or u.acts or u.id in reported or u.kind in _KINDS]
        giving = {edge.source for edge in self.edges if edge.link is Link.PROVIDES}
        return Map.of((self._node(unit, reported, giving) for unit in kept), self.edges)

    def _node(self, unit: _Unit, reported: Mapping[str, Sequence[Finding]], giving: set[str]) -> Node:
        kind = unit.kind
        if kind is Kind.FUNCTION and (unit.provides or unit.id in giving):
            kind = Kind.PROVIDER
        row = unit.block.document.row(unit.block.piece.head)
        return Node(unit.id, kind, unit.name, unit.module, row, frozenset(unit.acts), tuple(reported.get(unit.id, ())))

    def _reported(self, findings: Sequence[Finding]) -> dict[str, list[Finding]]:
        """The findings by the definition that they stand in, be it the first that is heard of it."""
        places: dict[Path, list[_Unit]] = {}
        for unit in self.units.values():
            places.setdefault(absolute(unit.block.document.path), []).append(unit)
        found: dict[str, list[Finding]] = {}
        for finding in findings:
            path, row = absolute(finding.path), finding.start.row
            around = next((unit for unit in places.get(path, ()) if _has(unit.block, row)), None)
            if around is None and (around := self._unit_at(path, row)) is not None:
                places.setdefault(path, []).append(around)
            if around is not None:
                found.setdefault(around.id, []).append(finding)
        return found

    def _unit_at(self, path: Path, row: int) -> _Unit | None:
        module = self.project.at(path)
        if module is None or is_test(path, self.project.root):
            return None
        block = next((block for block in module.blocks if _has(block, row)), None)
        if block is None:
            return None
        return self._unit(block, module) if block.name else self._new(Kind.FUNCTION, f"row {row}", module, block)


def _giver(made: Type | None, callee: Type | None) -> FunctionType | None:
    """The function of the project that gives what a call makes."""
    if isinstance(made, ManagerType) and made.maker is not None:
        return made.maker
    if isinstance(made, GeneratorType):
        return made.function
    return callee if isinstance(callee, FunctionType) else None


def _has(block: Block, row: int) -> bool:
    document = block.document
    return document.row(block.start) <= row <= document.row(max(block.start, block.end - 1))
