"""What makes sessions, engines and providers: the type of an expression, found on demand across modules.

Where a name comes from decides what it is. The well-known names count only where nothing can be resolved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from lint_sessions.project.annotations import declared
from lint_sessions.project.known import (
    BUILTINS,
    CONTEXT_DECORATORS,
    ENGINE_MAKERS,
    FACTORY_NAMES,
    MARKERS,
    PROVIDER_NAMES,
    PUBLISHED,
    SESSION_ATTRIBUTES,
    SESSION_CLASSES,
    SLOW_PACKAGES,
    UNBOUND_MARKERS,
    is_listed,
)
from lint_sessions.project.modules import Module, Package, Project
from lint_sessions.project.names import Binding, Kind
from lint_sessions.project.published import bound, external_call, item_of, method_result
from lint_sessions.project.scopes import Scope, has_decorator, last_name
from lint_sessions.project.types import (
    AwaitableType,
    CallableType,
    ClassType,
    ConnectionType,
    EngineType,
    External,
    FactoryType,
    Flavor,
    FunctionType,
    GeneratorType,
    InstanceType,
    ManagerType,
    MethodType,
    ModuleType,
    NoneType,
    SessionType,
    TupleType,
    Type,
    argument,
    awaited,
    injected,
    join,
)
from lint_sessions.source.document import Block


class Types:
    """Infers types within one project; every answer is kept."""

    def __init__(self, project: Project, factories: Sequence[str] = (), providers: Sequence[str] = ()) -> None:
        self.project = project
        self._factories = FACTORY_NAMES.union(factories)
        self._providers = PROVIDER_NAMES.union(providers)
        self._modules: dict[int, Scope] = {}
        self._known: dict[tuple[int, int], tuple[object, Type | None]] = {}
        self._busy: set[tuple[int, int]] = set()
        self._returned: dict[int, Type | None] = {}
        self._returning: set[int] = set()
        self._cut = 0
        """How often an answer was cut short by a circle of questions."""
        self._naming: set[tuple[str, int]] = set()

    # --- scopes -------------------------------------------------------------------------------------------------

    def module_scope(self, module: Module) -> Scope:
        """The scope of a module; always the same one."""
        return self._modules.setdefault(id(module), Scope(module))

    # --- expressions --------------------------------------------------------------------------------------------

    def infer(self, node: cst.BaseExpression, scope: Scope) -> Type | None:
        """The type of an expression that stands in `scope`, whatever the path on which it is reached."""
        key = (id(node), id(scope))
        if key in self._known:
            return self._known[key][1]
        if key in self._busy:
            self._cut += 1
            return None
        self._busy.add(key)
        cut = self._cut
        try:
            kind = self._infer(node, scope)
        finally:
            self._busy.discard(key)
        if self._may_keep(cut):
            self._known[key] = (node, kind)
        return kind

    def _may_keep(self, cut: int) -> bool:
        """Whether an answer holds for ever: it did not meet a question that is still being answered."""
        return self._cut == cut or not (self._busy or self._naming or self._returning)

    def _infer(self, node: cst.BaseExpression, scope: Scope) -> Type | None:
        match node:
            case cst.Name(value="None"):
                return NoneType()
            case cst.Name(value=name):
                return self.name(name, scope)
            case cst.Attribute(value=value, attr=attr):
                return self.attribute(self.infer(value, scope), attr.value)
            case cst.Call():
                return self.call(self.infer(node.func, scope), node, scope)
            case cst.Await(expression=inner):
                return awaited(self.infer(inner, scope))
            case cst.NamedExpr(value=value):
                return self.infer(value, scope)
            case cst.IfExp(body=body, orelse=orelse):
                return self._either(body, orelse, scope)
            case cst.BooleanOperation(left=left, right=right):
                return self._either(left, right, scope)
            case cst.Tuple(elements=elements) if not any(isinstance(e, cst.StarredElement) for e in elements):
                return TupleType(tuple(self.infer(e.value, scope) for e in elements))
            case cst.Lambda():
                return FunctionType(scope.child(node))
            case cst.Subscript(value=value, slice=items):
                return self._subscript(self.infer(value, scope), items)
        return None

    def _either(self, one: cst.BaseExpression, other: cst.BaseExpression, scope: Scope) -> Type | None:
        """The type of what is one of two; in `db = db or make()` the name adds nothing to its own type."""
        parts = [part for part in (one, other) if not self._is_asked(part, scope)]
        self._cut += len(parts) < 2
        return join([self.infer(part, scope) for part in parts])

    def _is_asked(self, node: cst.BaseExpression, scope: Scope) -> bool:
        """Whether an expression is a name whose type is being asked for."""
        found = scope.lookup(node.value) if isinstance(node, cst.Name) and self._naming else None
        return found is not None and isinstance(node, cst.Name) and (node.value, id(found[0])) in self._naming

    def _subscript(self, base: Type | None, items: Sequence[cst.SubscriptElement]) -> Type | None:
        match base, items:
            case TupleType(items=values), [cst.SubscriptElement(slice=cst.Index(value=cst.Integer(value=index)))]:
                i = int(index, 0)
                return values[i] if i < len(values) else None
            case ((External() | ClassType()), _):
                return base
        return None

    # --- names --------------------------------------------------------------------------------------------------

    def name(self, name: str, scope: Scope) -> Type | None:
        """The type of a name as seen from a scope."""
        found = scope.lookup(name)
        if found is None:
            return self._star(name, scope)
        owner, bound = found
        key = (name, id(owner))
        if key in self._naming:
            self._cut += 1
            return None
        self._naming.add(key)
        try:
            return join([self.binding(binding, owner, block) for binding, block in bound])
        finally:
            self._naming.discard(key)

    def binding(self, binding: Binding, scope: Scope, block: Block | None) -> Type | None:
        """The type that one binding gives its name."""
        match binding.kind:
            case Kind.IMPORT:
                return self._import(binding, scope)
            case Kind.FUNCTION:
                if block is not None and block.kind == "function" and not isinstance(binding.node, cst.FunctionDef):
                    return FunctionType(scope.child_of_block(block))
                assert isinstance(binding.node, cst.FunctionDef)
                return FunctionType(scope.child(binding.node))
            case Kind.CLASS:
                if block is not None and block.kind == "class" and not isinstance(binding.node, cst.ClassDef):
                    return ClassType(scope.child_of_block(block))
                assert isinstance(binding.node, cst.ClassDef)
                return ClassType(scope.child(binding.node))
            case Kind.VALUE:
                assert binding.value is not None
                kind = self._unpack(self.infer(binding.value, scope), binding.index)
                if kind is None and binding.annotation is not None:
                    return self.annotation(binding.annotation, scope)
                return kind
            case Kind.ENTERED:
                assert binding.value is not None
                return self._unpack(self.entered(self.infer(binding.value, scope)), binding.index)
            case Kind.ITEM:
                assert binding.value is not None
                return self._unpack(item_of(self.infer(binding.value, scope)), binding.index)
            case Kind.PARAMETER:
                return self._parameter(binding, scope)
            case Kind.DECLARED:
                return self.annotation(binding.annotation, scope) if binding.annotation is not None else None
            case Kind.OTHER:
                return None

    def _unpack(self, kind: Type | None, index: tuple[int, ...]) -> Type | None:
        for i in index:
            if not isinstance(kind, TupleType) or i >= len(kind.items):
                return None
            kind = kind.items[i]
        return kind

    def _import(self, binding: Binding, scope: Scope) -> Type | None:
        module = scope.module
        found = module.imported(binding.source)
        if binding.attribute is None:
            return External(binding.source) if found is None or found is module else ModuleType(found)
        if found is None:
            name = binding.source.lstrip(".") + "." + binding.attribute
            return External(name, resolved=not self._is_missing(binding.source))
        if isinstance(found, Module) and found is not module:
            kind = self.member(found, binding.attribute)
            if kind is not None:
                return kind
        inner = self.project.below(found.folder, [binding.attribute]) if _is_package(found) else None
        return ModuleType(inner) if inner is not None else None

    def _is_missing(self, source: str) -> bool:
        """Whether a module that could not be found may be one of the project's own."""
        return source.partition(".")[0] not in PUBLISHED

    def member(self, module: Module | Package, name: str) -> Type | None:
        """The type of a module's attribute, or None."""
        if isinstance(module, Module):
            scope = self.module_scope(module)
            if scope.bound(name):
                return self.name(name, scope)
            if (kind := self._star(name, scope, imports_only=True)) is not None:
                return kind
        if _is_package(module):
            inner = self.project.below(module.folder, [name])
            if inner is not None:
                return ModuleType(inner)
        return None

    def _star(self, name: str, scope: Scope, imports_only: bool = False) -> Type | None:
        """What star imports give a name; failing that, a name that nothing binds."""
        top = self.module_scope(scope.module)
        missing = not imports_only
        for binding, _ in top.bound("*"):
            found = scope.module.imported(binding.source)
            if isinstance(found, Module) and found is not scope.module:
                if (kind := self.member(found, name)) is not None:
                    return kind
            elif found is None:
                external = External(f"{binding.source}.{name}")
                if is_listed(external.name):
                    return external
        return External(name, resolved=name in BUILTINS) if missing else None

    def _parameter(self, binding: Binding, scope: Scope) -> Type | None:
        if binding.name == scope.first_parameter and scope.parent is not None:
            owner = ClassType(scope.parent)
            is_class = scope.function is not None and any(
                last_name(d.decorator) == "classmethod" for d in scope.function.decorators
            )
            return owner if is_class else InstanceType(owner)
        around = scope.parent or scope
        if isinstance(binding.node, cst.Param) and binding.node.star:
            return None
        if binding.annotation is not None and (kind := self.annotation(binding.annotation, around)) is not None:
            is_session = isinstance(kind, SessionType) and kind.flavor.declared and binding.value is not None
            return injected(kind, self.provided(binding.value, around)) if is_session and binding.value else kind
        if binding.value is not None:
            return self.provided(binding.value, around)
        return None

    def provided(self, default: cst.BaseExpression, scope: Scope) -> Type | None:
        """What a framework passes for a parameter with the default `Depends(provider)`; else the default's own type."""
        if isinstance(default, cst.Call) and self.is_marker(self.infer(default.func, scope)):
            provider = argument(default, 0, "dependency")
            return self.provision(self.infer(provider, scope)) if provider is not None else None
        kind = self.infer(default, scope)
        return None if isinstance(kind, NoneType) else kind

    def is_marker(self, kind: Type | None) -> bool:
        """Whether a callee is `Depends` or one of its like."""
        return isinstance(kind, External) and (
            kind.name in MARKERS or (not kind.resolved and kind.name in UNBOUND_MARKERS)
        )

    def provision(self, provider: Type | None) -> Type | None:
        """What a framework gets from a provider: what it yields, or returns."""
        result = self.result(provider)
        if isinstance(result, AwaitableType):
            result = result.result
        if isinstance(result, GeneratorType):
            return result.yields
        if isinstance(result, ManagerType):
            return result.entered
        return result

    def annotation(self, node: cst.BaseExpression, scope: Scope) -> Type | None:
        """The type of a value that is declared as `node`."""
        return declared(self, node, scope)

    # --- attributes ---------------------------------------------------------------------------------------------

    def attribute(self, base: Type | None, name: str) -> Type | None:
        """The type of `base.name`."""
        match base:
            case ModuleType(module=module):
                return self.member(module, name)
            case External():
                published = SESSION_ATTRIBUTES.get(f"{base.name}.{name}")
                return SessionType(published) if published else External(f"{base.name}.{name}", base.resolved)
            case ClassType(scope=scope):
                return self._class_attribute(scope, name, None)
            case InstanceType(cls=ClassType(scope=scope)):
                return self._class_attribute(scope, name, base)
            case InstanceType(cls=External() as cls):
                return External(f"{cls.name}.{name}", cls.resolved)
            case SessionType() | FactoryType() | EngineType() | ConnectionType() | GeneratorType():
                return MethodType(base, name)
        return None

    def session_attribute(self, kind: Type | None) -> str | None:
        """The attribute in which an object of the project keeps its one session; None with several, or none."""
        if not (isinstance(kind, InstanceType) and isinstance(kind.cls, ClassType)):
            return None
        method = self.method(kind.cls, "__init__")
        names = method.scope.attributes_set if method is not None else ()
        found = [name for name in names if isinstance(self.attribute(kind, name), SessionType)]
        return found[0] if len(found) == 1 else None

    def ancestry(self, scope: Scope) -> Iterator[Scope | External]:
        """A class and its bases, nearest first; each external base by its name."""
        pending: list[tuple[Scope, int]] = [(scope, 0)]
        seen: set[int] = set()
        while pending:
            current, depth = pending.pop(0)
            if id(current) in seen or depth > 8:
                continue
            seen.add(id(current))
            yield current
            header = current.header
            for base in header.bases if header is not None and current.parent is not None else ():
                kind = self.infer(base.value, current.parent) if current.parent is not None else None
                if isinstance(kind, ClassType):
                    pending.append((kind.scope, depth + 1))
                elif isinstance(kind, External):
                    yield kind

    def session_class(self, cls: ClassType) -> Flavor | None:
        """The flavor of a project class that is a session, by its bases."""
        for base in self.ancestry(cls.scope):
            if isinstance(base, External) and base.name in SESSION_CLASSES:
                return SESSION_CLASSES[base.name]
        return None

    def method(self, cls: ClassType, name: str) -> FunctionType | None:
        """A method of a class or of its bases, not bound."""
        for scope in self.ancestry(cls.scope):
            if isinstance(scope, External):
                continue
            for binding, block in reversed(scope.bound(name)):
                kind = self.binding(binding, scope, block)
                return kind if isinstance(kind, FunctionType) else None
        return None

    def _class_attribute(self, scope: Scope, name: str, instance: InstanceType | None) -> Type | None:
        for owner in self.ancestry(scope):
            if isinstance(owner, External):
                continue
            if bound := owner.bound(name):
                kind = join([self.binding(binding, owner, block) for binding, block in bound])
                if isinstance(kind, FunctionType) and kind.owner is None:
                    return self._method_access(kind, instance or ClassType(scope))
                if kind is not None and not isinstance(kind, NoneType):
                    return kind
            if owner.mentions(name) and (assigned := self._assigned(owner, name)):
                return join(assigned)
        return None

    def _method_access(self, method: FunctionType, owner: Type) -> Type | None:
        node = method.scope.function
        decorators = {last_name(d.decorator) for d in node.decorators} if node is not None else set()
        if "property" in decorators or "cached_property" in decorators:
            return self.returned(method) if isinstance(owner, InstanceType) else None
        if "staticmethod" in decorators:
            return method
        return FunctionType(method.scope, owner)

    def _assigned(self, cls: Scope, name: str) -> list[Type | None]:
        """The types of every `self.name = value` in a class's methods."""
        found: list[Type | None] = []
        for method in cls.methods():
            if not method.mentions(name) or method.first_parameter is None:
                continue
            for value, target in method.attributes_set.get(name, ()):
                kind = self.infer(value, method)
                if kind is None and isinstance(target, cst.AnnAssign):
                    kind = self.annotation(target.annotation.annotation, method)
                found.append(kind)
        return found

    # --- calls --------------------------------------------------------------------------------------------------

    def call(self, callee: Type | None, call: cst.Call, scope: Scope) -> Type | None:
        """The type of the value of a call."""
        match callee:
            case External():
                return external_call(self, callee, call, scope)
            case FactoryType(flavor=flavor):
                return SessionType(bound(self, flavor, call, scope))
            case SessionType(flavor=flavor) if flavor.is_scoped:
                return callee
            case ClassType() if (class_flavor := self.session_class(callee)) is not None:
                return SessionType(bound(self, class_flavor, call, scope))
            case None if call.args:
                return self._entered_by_stack(call, scope)
        return self.result(callee)

    def _entered_by_stack(self, call: cst.Call, scope: Scope) -> Type | None:
        """What `stack.enter_context(manager)` gives."""
        match call.func:
            case cst.Attribute(attr=cst.Name(value="enter_context")):
                return self.entered(self.infer(call.args[0].value, scope))
            case cst.Attribute(attr=cst.Name(value="enter_async_context")):
                return AwaitableType(self.entered(self.infer(call.args[0].value, scope)))
        return None

    def result(self, callee: Type | None) -> Type | None:
        """The type of the value that calling `callee` gives, whatever the arguments."""
        match callee:
            case FactoryType(flavor=flavor):
                return SessionType(flavor)
            case External(name=name) if name in SESSION_CLASSES:
                return SessionType(SESSION_CLASSES[name])
            case External() if self.is_factory_name(callee):
                return SessionType(Flavor(is_async="async" in callee.last.lower(), expires=None))
            case External(name=name) if name in ENGINE_MAKERS:
                return EngineType(ENGINE_MAKERS[name])
            case CallableType(result=result):
                return result
            case ClassType():
                own = self.session_class(callee)
                return SessionType(own) if own is not None else InstanceType(callee)
            case InstanceType(cls=ClassType() as cls):
                method = self.method(cls, "__call__")
                return self.result(FunctionType(method.scope, callee)) if method is not None else None
            case MethodType(owner=owner, name=name):
                return method_result(owner, name)
            case FunctionType():
                return self._function_result(callee)
        return None

    def _function_result(self, function: FunctionType) -> Type | None:
        node = function.scope.node
        if isinstance(node, cst.Lambda):
            return self.infer(node.body, function.scope)
        if not isinstance(node, cst.FunctionDef):
            return None
        is_async = node.asynchronous is not None
        if function.scope.is_generator:
            yields = self.yielded(function)
            if self.is_context_manager(function):
                return ManagerType(yields, function)
            return GeneratorType(function, yields, is_async)
        returned = self.returned(function)
        return AwaitableType(returned) if is_async else returned

    def is_context_manager(self, function: FunctionType) -> bool:
        """Whether a function is decorated by contextlib's contextmanager or asynccontextmanager."""
        node, around = function.scope.function, function.scope.parent
        if node is None or around is None:
            return False
        kinds = (self.infer(_undecorated(d.decorator), around) for d in node.decorators)
        return any(isinstance(k, External) and k.name in CONTEXT_DECORATORS for k in kinds)

    def is_fixture(self, scope: Scope) -> bool:
        """Whether a function is a pytest fixture, by whatever name the decorator goes here."""
        node, around = scope.function, scope.parent
        if node is None or around is None:
            return False
        kinds = [self.infer(_undecorated(d.decorator), around) for d in node.decorators]
        return has_decorator(node, "fixture") or any(isinstance(k, External) and k.last == "fixture" for k in kinds)

    def returned(self, function: FunctionType) -> Type | None:
        """The type that a function's return statements agree on, else the one it is annotated with."""
        key = id(function.scope)
        if key in self._returned:
            return self._returned[key]
        if key in self._returning:
            self._cut += 1
            return None
        self._returning.add(key)
        cut = self._cut
        try:
            kind = self._find_returned(function)
        finally:
            self._returning.discard(key)
        if self._may_keep(cut):
            self._returned[key] = kind
        return kind

    def _find_returned(self, function: FunctionType) -> Type | None:
        node = function.scope.function
        if node is None:
            return None
        values = [n.value for n in function.scope.own_nodes if isinstance(n, cst.Return) and n.value is not None]
        kind = join([self.infer(v, function.scope) for v in values]) if values else None
        if kind is None and node.returns is not None and function.scope.parent is not None:
            return self.annotation(node.returns.annotation, function.scope.parent)
        return kind

    def yielded(self, function: FunctionType) -> Type | None:
        """The type that a generator's yields agree on, else the one it is annotated with."""
        node = function.scope.function
        if node is None:
            return None
        kinds: list[Type | None] = []
        for inner in function.scope.own_nodes:
            if isinstance(inner, cst.Yield):
                match inner.value:
                    case cst.From(item=item):
                        kinds.append(item_of(self.infer(item, function.scope)))
                    case cst.BaseExpression() as value:
                        kinds.append(self.infer(value, function.scope))
                    case None:
                        kinds.append(NoneType())
        kind = join(kinds)
        if (
            (kind is None or isinstance(kind, NoneType))
            and node.returns is not None
            and function.scope.parent is not None
        ):
            match node.returns.annotation:
                case cst.Subscript(slice=[cst.SubscriptElement(slice=cst.Index(value=first)), *_]):
                    return self.annotation(first, function.scope.parent)
        return kind

    def entered(self, kind: Type | None) -> Type | None:
        """What `with` binds on entering a value of this type."""
        match kind:
            case ManagerType(entered=entered):
                return entered
            case SessionType() | ConnectionType():
                return kind
            case InstanceType(cls=External(name=name)) if name.partition(".")[0] in SLOW_PACKAGES:
                return kind  # a client, which is its own context manager
            case InstanceType(cls=ClassType() as cls):
                for name in ("__aenter__", "__enter__"):
                    method = self.method(cls, name)
                    if method is not None:
                        entered = self.result(FunctionType(method.scope, kind))
                        return awaited(entered) if name == "__aenter__" else entered
        return None

    def is_factory_name(self, kind: Type | None) -> bool:
        """Whether a callee that nothing resolves bears a well-known factory's name."""
        return isinstance(kind, External) and not kind.resolved and not self._factories.isdisjoint(kind.names)

    def is_provider_name(self, kind: Type | None) -> bool:
        """Whether a callee that nothing resolves bears a well-known provider's name."""
        return isinstance(kind, External) and not kind.resolved and not self._providers.isdisjoint(kind.names)


def _undecorated(node: cst.BaseExpression) -> cst.BaseExpression:
    return node.func if isinstance(node, cst.Call) else node


def _is_package(module: Module | Package) -> bool:
    return isinstance(module, Package) or module.path.name == "__init__.py"
