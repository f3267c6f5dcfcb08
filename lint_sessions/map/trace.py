"""Where sessions come from and where they go, as the analysis knows it. What it does not know is not drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import libcst as cst

from lint_sessions.config.settings import absolute
from lint_sessions.engine import Analysis
from lint_sessions.finding import Finding
from lint_sessions.flow.callers import functions
from lint_sessions.flow.operations import CLOSING
from lint_sessions.map.entries import answered, handed_over, is_route, is_task, started
from lint_sessions.map.model import Act, Edge, Kind, Link, Map, Node
from lint_sessions.map.sources import Source, Sources
from lint_sessions.map.units import Unit, Units
from lint_sessions.project.annotations import definition
from lint_sessions.project.calls import calls_in, passed, run_by
from lint_sessions.project.known import SESSION_CLASSES
from lint_sessions.project.modules import Module
from lint_sessions.project.names import Kind as Binds
from lint_sessions.project.names import bindings, children, parameters
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.scripts import is_test
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import (
    ClassType,
    EngineType,
    External,
    FactoryType,
    Flavor,
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

_RELEVANT: Final = re.compile(r"[Ss]ession|[Ee]ngine|\bsqlalchemy\b|\bsqlmodel\b|\bDepends\b")
_METHODS: Final = {"commit": Act.COMMITS, "rollback": Act.ROLLS_BACK, **dict.fromkeys(CLOSING, Act.CLOSES)}
_MADE: Final = frozenset([Kind.ENGINE, Kind.FACTORY, Kind.SESSION])
_ROUNDS: Final = 8
"""Helpers of helpers, and users of what others give, that are followed."""


def trace(analysis: Analysis, paths: Iterable[Path], findings: Sequence[Finding], root: Path) -> Map:
    """The map of some files of a project, tests left out; modules are named relative to `root`. What cannot be parsed
    has no nodes."""
    found = (analysis.project.at(path) for path in paths if not is_test(absolute(path), analysis.config.root))
    tracer = _Tracer(analysis, root, [module for module in found if module is not None])
    for _ in range(_ROUNDS):
        if not tracer.step():
            break
    return tracer.map(findings)


class _Tracer:
    def __init__(self, analysis: Analysis, root: Path, modules: Sequence[Module]) -> None:
        self._left = list(modules)
        """The modules that nobody has looked at yet."""
        self.types, self.wiring = analysis.types, analysis.wiring
        self.sources = Sources(analysis.types)
        self.units = Units(analysis.project, root)
        self.edges: set[Edge] = set()
        self._made: dict[int, list[str]] = {}
        """By the call that makes an engine or a factory: the nodes that stand for what it makes."""
        self._held: set[str] = set()
        """The names of sessions that modules hold."""
        self._started: set[str] = set()
        self._given: dict[int, set[str]] = {}
        """By function: the parameters with no declared type that are lent a session."""
        self._lent: dict[int, tuple[Scope, set[str]]] = {}

    # --- modules ----------------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Look at the modules that may have to do with sessions by what is known so far, and again at the functions
        that are lent one which their parameters don't declare; whether there was any."""
        modules = self._further()
        self._left = [module for module in self._left if module not in modules]
        for module in modules:
            self._variables(module)
        for module in modules:
            self._functions(module)
        lent, self._lent = self._lent, {}
        for scope, names in lent.values():
            known = self._given.setdefault(id(scope), set())
            unit = self.units.all.get(self.units.id_of(scope) or "")
            if unit is None:
                self._lent[id(scope)] = scope, names  # its module is looked at in the next step
            elif not names <= known:
                known |= names
                self._function(unit, scope)
        return bool(modules or lent)

    def _further(self) -> list[Module]:
        """Of the modules that are left those that speak of sessions, of what gives them, or are lent one."""
        giving = {
            unit.name.rpartition(".")[2] for unit in self.units.all.values() if unit.provides or unit.kind in _MADE
        }
        words = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(giving)))})\b" if giving else r"(?!)")
        lent = {id(scope.module) for scope, _ in self._lent.values()}
        texts = ((module, module.document.text) for module in self._left)
        return [m for m, text in texts if id(m) in lent or _RELEVANT.search(text) or words.search(text)]

    def _variables(self, module: Module) -> None:
        """Look at the engines, factories and sessions that a module holds, and at those that its functions make."""
        top = self.types.module_scope(module)
        for block in module.blocks:
            if block.kind == "statement":
                try:
                    self._variable(block, top)
                except (SyntaxProblem, RecursionError):
                    continue
        try:
            for source in self.sources.in_module(module):
                # What no variable of a module stands for is known by the function or class that makes it.
                if not source.scope.is_module and id(source) not in self._made:
                    unit = self.units.new(source.kind, source.qualified_name, module, source.block, source.row)
                    self._made[id(source)] = [unit.id]
        except (SyntaxProblem, RecursionError):
            return

    def _functions(self, module: Module) -> None:
        """Look at what the functions of a module do; and at what a module has run beside them."""
        top = self.types.module_scope(module)
        for source in self.sources.in_module(module):
            for bind, link in self.sources.binds(source):
                for target in self._made.get(id(source), ()):
                    self._edge(self._only(bind), target, link)
        for block in module.blocks:
            try:
                if block.kind == "statement":
                    for call in calls_in(block, top) if "add_job" in block.text else ():
                        self._handed_over(None, call.node, call.scope)
                    continue
                unit = self.units.of_block(block, module)
                if block.kind == "class":
                    self._attributes(unit, block, top.child_of_block(block))
                for _, scope in functions([block], top):
                    self._function(unit, scope)
            except (SyntaxProblem, RecursionError):
                continue

    def _variable(self, block: Block, top: Scope) -> None:
        """An engine, a factory or a session that a module holds."""
        if "=" not in block.text or not isinstance(block.node, cst.SimpleStatementLine):
            return
        for binding in bindings(block.node):
            made = self.types.name(binding.name, top) if binding.kind is Binds.VALUE else None
            kind = _kind_of(made)
            if kind is None:
                continue
            unit = self.units.new(kind, binding.name, top.module, block)
            if isinstance(made, SessionType):
                self._held.add(binding.name)
            if kind is Kind.SESSION and isinstance(binding.value, cst.Call):
                self._opened(unit, binding.value, top)
            elif (source := self.sources.meant(cst.Name(binding.name), top)) is not None:
                self._made.setdefault(id(source), []).append(unit.id)

    def _attributes(self, unit: Unit, block: Block, cls: Scope) -> None:
        """What a framework fills the attributes of a class with, by its body."""
        for statement in block.children:
            if statement.kind == "statement" and isinstance(statement.node, cst.SimpleStatementLine):
                for node in statement.node.body:
                    if isinstance(node, cst.AnnAssign):
                        self._declared(unit, node.value, node.annotation.annotation, cls)

    # --- functions --------------------------------------------------------------------------------------------------

    def _function(self, unit: Unit, scope: Scope) -> None:
        node = scope.function
        if node is None:
            return
        if is_route(self.wiring, scope):
            unit.route = answered(self.wiring, scope) if unit.kind is Kind.FUNCTION else ""
            unit.kind = Kind.ROUTE
        elif is_task(node) and unit.kind is Kind.FUNCTION:
            unit.kind = Kind.WORKER
        unit.provides |= self._holds(self.types.provision(FunctionType(scope))) and scope.name != "__init__"
        for param in parameters(node):
            annotation = param.annotation.annotation if param.annotation is not None else None
            self._declared(unit, param.default, annotation, scope.parent or scope)
        for func, args in started(self.types, scope):
            self._starts(unit, func, args, scope)
        pending: list[tuple[cst.CSTNode, Scope]] = [(node.body, scope)]
        while pending:
            part, around = pending.pop()
            if isinstance(part, cst.Call):
                self._call(unit, part, around)
            elif isinstance(part, cst.With):
                for item in part.items:
                    self._entered(unit, item.item, around)
            elif isinstance(part, (cst.Name, cst.Attribute)) and last_name(part) in self._held:
                self._used(unit, part, around)
            if isinstance(part, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
                around = around.child(part, scope.block)
            pending += [(inner, around) for inner in children(part)]

    def _declared(
        self, unit: Unit, default: cst.BaseExpression | None, annotation: cst.BaseExpression | None, around: Scope
    ) -> None:
        """What a framework fills a parameter or an attribute with."""
        declared = self.wiring.declared_by(default, annotation, around)
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
                self._edge(self.units.id_of(function), unit, Link.PROVIDES)

    def _entered(self, unit: Unit, item: cst.BaseExpression, scope: Scope) -> None:
        """The context manager of a `with`."""
        if self._is_session(item, scope):
            unit.does(Act.CLOSES, item, scope.block)
        match self.types.infer(item.func, scope) if isinstance(item, cst.Call) else None:
            case MethodType(owner=SessionType(), name="begin"):
                unit.does(Act.COMMITS, item, scope.block)
            case MethodType(owner=FactoryType(), name="begin"):
                unit.does(Act.COMMITS, item, scope.block)
                unit.does(Act.CLOSES, item, scope.block)

    def _used(self, unit: Unit, node: cst.BaseExpression, scope: Scope) -> None:
        """A session that a module holds, or a registry of sessions."""
        held = self.units.all.get(self._variable_of(node, scope) or "")
        if held is not None:
            self._edge(held, unit, Link.PROVIDES if held.kind is Kind.SESSION else Link.MAKES)

    def _call(self, unit: Unit, call: cst.Call, scope: Scope) -> None:
        callee = self.types.infer(call.func, scope)
        if isinstance(call.func, cst.Attribute) and self._is_session(call.func.value, scope):
            if (name := call.func.attr.value) in _METHODS:
                unit.does(_METHODS[name], call, scope.block)
            return
        if self._handed_over(unit, call, scope):
            return
        if _opens(self.types, callee):
            self._opened(unit, call, scope)
            return
        made = self.types.infer(call, scope)
        if (giver := _giver(made, callee)) is not None and self._holds(self._inside(made)):
            self._edge(self.units.id_of(giver.scope), unit, Link.PROVIDES)
            return
        self._pass_on(unit, callee, call.args, scope)

    def _pass_on(self, unit: Unit, callee: Type | None, args: Sequence[cst.Arg], scope: Scope) -> None:
        """The sessions that a call is given."""
        if not any(self._is_lendable(arg.value, scope) for arg in args):
            return
        for function in run_by(self.types, callee)[:1]:
            self._edge(unit, self.units.id_of(function), Link.LENDS)
            for name, value in passed(args, callee, function):
                if self._is_session(value, scope):
                    self._lent.setdefault(id(function), (function, set()))[1].add(name)

    def _handed_over(self, unit: Unit | None, call: cst.Call, scope: Scope) -> bool:
        handed = handed_over(self.types, call, scope)
        if handed is not None:
            self._starts(unit, *handed, scope)
        return handed is not None

    def _starts(self, unit: Unit | None, func: cst.BaseExpression, args: Sequence[cst.Arg], scope: Scope) -> None:
        """A function that runs beside the one that starts it."""
        callee = self.types.infer(func, scope)
        for function in run_by(self.types, callee):
            self._started.add(self.units.id_of(function) or "")
        if unit is not None:
            self._pass_on(unit, callee, args, scope)

    def _opened(self, unit: Unit, call: cst.Call, scope: Scope) -> None:
        unit.does(Act.OPENS, call, scope.block)
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

    def _is_session(self, node: cst.BaseExpression, scope: Scope) -> bool:
        """Whether an expression is a session, by its type or because callers give one."""
        if isinstance(self.types.infer(node, scope), SessionType):
            return True
        found = scope.lookup(node.value) if isinstance(node, cst.Name) and self._given else None
        if found is None or not isinstance(node, cst.Name) or node.value not in self._given.get(id(found[0]), ()):
            return False
        return [binding.kind for binding, _ in found[1]] == [Binds.PARAMETER]

    def _is_lendable(self, node: cst.BaseExpression, scope: Scope) -> bool:
        return self._is_session(node, scope) or self._holds(self.types.infer(node, scope))

    def _named(self, node: cst.BaseExpression, scope: Scope) -> str | None:
        """The engine or factory that an expression means."""
        kind = self.types.infer(node, scope)
        if not isinstance(kind, (EngineType, FactoryType)) and _kind_of(kind) is not Kind.FACTORY:
            return None
        if (variable := self._variable_of(node, scope)) in self.units.all:
            return variable
        source = self.sources.meant(node, scope)
        return self._only(source) if source is not None else None

    def _only(self, source: Source) -> str | None:
        """The node of what a call makes; None where it makes several."""
        found = self._made.get(id(source), ())
        return found[0] if len(found) == 1 else None

    def _variable_of(self, node: cst.BaseExpression, scope: Scope) -> str | None:
        """The variable of a module that an expression names."""
        found = definition(self.types, node, scope)
        return (
            f"{self.units.place(found[1].module)}:{found[0].name}" if found is not None and found[1].is_module else None
        )

    def _edge(self, source: Unit | str | None, target: Unit | str | None, link: Link) -> None:
        ends = [end.id if isinstance(end, Unit) else end for end in (source, target)]
        if ends[0] is not None and ends[1] is not None:
            self.edges.add(Edge(ends[0], ends[1], link))

    # --- the map ----------------------------------------------------------------------------------------------------

    def map(self, findings: Sequence[Finding]) -> Map:
        """What was found: all that is on an edge, acts on a session, or has a finding."""
        reported = self.units.reported(findings)
        linked = {end for edge in self.edges for end in (edge.source, edge.target)}
        kept = [u for u in self.units.all.values() if u.id in linked or u.acts or u.id in reported or u.kind in _MADE]
        giving = {edge.source for edge in self.edges if edge.link is Link.PROVIDES}
        return Map.of((self._node(unit, reported, giving) for unit in kept), self.edges)

    def _node(self, unit: Unit, reported: Mapping[str, Sequence[Finding]], giving: set[str]) -> Node:
        kind = unit.kind
        if kind is Kind.FUNCTION and (unit.provides or unit.id in giving):
            kind = Kind.PROVIDER
        if kind is Kind.FUNCTION and unit.id in self._started:
            kind = Kind.WORKER
        acts = tuple((act, tuple(sorted(unit.acts[act]))) for act in Act if act in unit.acts)
        found = tuple(reported.get(unit.id, ()))
        return Node(unit.id, kind, unit.name, unit.module, unit.row, acts, found, unit.route)


def _kind_of(made: Type | None) -> Kind | None:
    """What a variable of a module is; a registry of sessions counts as a factory."""
    match made:
        case EngineType():
            return Kind.ENGINE
        case FactoryType() | SessionType(flavor=Flavor(is_scoped=True)):
            return Kind.FACTORY
        case SessionType():
            return Kind.SESSION
    return None


def _opens(types: Types, callee: Type | None) -> bool:
    """Whether a call opens a session. That of a registry gives one that may be open already."""
    match callee:
        case FactoryType() | MethodType(owner=FactoryType(), name="begin" | "__call__"):
            return True
        case External(name=name):
            return name in SESSION_CLASSES or types.is_factory_name(callee)
        case ClassType():
            return types.session_class(callee) is not None
    return False


def _giver(made: Type | None, callee: Type | None) -> FunctionType | None:
    """The function of the project that gives what a call makes."""
    if isinstance(made, ManagerType) and made.maker is not None:
        return made.maker
    if isinstance(made, GeneratorType):
        return made.function
    return callee if isinstance(callee, FunctionType) else None
