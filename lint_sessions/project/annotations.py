"""What an annotation declares: aliases, `Annotated`, unions, generics and strings, down to the type of the value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.project.known import (
    CONNECTION_CLASSES,
    ENGINE_CLASSES,
    FACTORY_CLASSES,
    SCOPED_CLASSES,
    SESSION_CLASSES,
    UNBOUND_SESSIONS,
)
from lint_sessions.project.modules import Module
from lint_sessions.project.names import Binding, Kind
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.types import (
    AwaitableType,
    CallableType,
    ClassType,
    ConnectionType,
    EngineType,
    External,
    FactoryType,
    Flavor,
    InstanceType,
    ManagerType,
    ModuleType,
    NoneType,
    SessionType,
    Type,
    injected,
    join,
)
from lint_sessions.source.document import Block

if TYPE_CHECKING:
    from lint_sessions.project.sessions import Types


def declared(types: Types, node: cst.BaseExpression, scope: Scope) -> Type | None:
    """The type of a value that is declared as `node`."""
    match node:
        case cst.SimpleString():
            text = node.evaluated_value
            try:
                return declared(types, cst.parse_expression(text), scope) if isinstance(text, str) else None
            except cst.ParserSyntaxError:
                return None
        case cst.BinaryOperation(left=left, operator=cst.BitOr(), right=right):
            return join([declared(types, left, scope), declared(types, right, scope)])
        case cst.Name(value="None"):
            return NoneType()
        case cst.Subscript(value=value, slice=elements):
            items = [e.slice.value for e in elements if isinstance(e.slice, cst.Index)]
            return _generic(types, value, items, scope)
    alias = _alias(types, node, scope)
    if alias is not None:
        return declared(types, alias[0], alias[1])
    return instance_of(types, types.infer(node, scope))


def may_be_none(param: cst.Param) -> bool:
    """Whether a parameter can be None by its default, or by its annotation where it has no default."""
    if param.default is not None or param.annotation is None:
        return isinstance(param.default, cst.Name) and param.default.value == "None"
    return allows_none(param.annotation.annotation)


def is_wrongly_none(param: cst.Param) -> bool:
    """Whether None is nothing that a parameter takes, by its annotation."""
    return param.annotation is not None and not may_be_none(param)


def allows_none(node: cst.BaseExpression) -> bool:
    """Whether an annotation says that None may be given: `X | None`, `Optional[X]`."""
    match node:
        case cst.Name(value="None"):
            return True
        case cst.BinaryOperation(left=left, operator=cst.BitOr(), right=right):
            return allows_none(left) or allows_none(right)
        case cst.Subscript(value=base, slice=items):
            if last_name(base) in ("Optional", "Union"):
                parts = [i.slice.value for i in items if isinstance(i.slice, cst.Index)]
                return last_name(base) == "Optional" or any(allows_none(part) for part in parts)
    return False


def _alias(types: Types, node: cst.BaseExpression, scope: Scope) -> tuple[cst.BaseExpression, Scope] | None:
    """The expression behind a type alias such as `SessionDep = Annotated[Session, Depends(get_db)]`."""
    found = definition(types, node, scope)
    if found is None:
        return None
    binding, owner, _ = found
    if binding.kind is Kind.VALUE and isinstance(binding.value, (cst.Subscript, cst.BinaryOperation, cst.SimpleString)):
        return binding.value, owner
    return None


def definition(types: Types, node: cst.BaseExpression, scope: Scope) -> tuple[Binding, Scope, Block | None] | None:
    """The one binding behind a name or `module.name`, imports followed; None when there is not exactly one."""
    for _ in range(10):
        if isinstance(node, cst.Attribute):
            base = types.infer(node.value, scope)
            if not (isinstance(base, ModuleType) and isinstance(base.module, Module)):
                return None
            scope, name = types.module_scope(base.module), node.attr.value
        elif isinstance(node, cst.Name):
            name = node.value
        else:
            return None
        found = scope.lookup(name)
        if found is None or len(found[1]) != 1:
            return None
        scope, ((binding, block),) = found
        if binding.kind is not Kind.IMPORT:
            return binding, scope, block
        module = scope.module.imported(binding.source)
        if binding.attribute is None or not isinstance(module, Module):
            return None
        scope, node = types.module_scope(module), cst.Name(binding.attribute)
    return None


def _generic(types: Types, base: cst.BaseExpression, items: list[cst.BaseExpression], scope: Scope) -> Type | None:
    if not items:
        return None
    kind = types.infer(base, scope)
    if isinstance(kind, ClassType):
        return InstanceType(kind)
    if not isinstance(kind, External):
        return None
    match kind.last:
        case "Annotated":
            kind = declared(types, items[0], scope)
            for item in items[1:]:
                if isinstance(item, cst.Call):
                    kind = injected(kind, types.provided(item, scope))
            return kind
        case "Optional" | "Final" | "ClassVar" | "Mapped":
            return declared(types, items[0], scope)
        case "Union":
            return join([declared(types, item, scope) for item in items])
        case "Callable":
            return CallableType(declared(types, items[-1], scope)) if len(items) == 2 else None
        case "type" | "Type":
            return types.infer(items[0], scope)
        case "Awaitable":
            return AwaitableType(declared(types, items[0], scope))
        case "Coroutine":
            return AwaitableType(declared(types, items[-1], scope))
        case "AbstractContextManager" | "AbstractAsyncContextManager" | "ContextManager" | "AsyncContextManager":
            return ManagerType(declared(types, items[0], scope))
    return instance_of(types, kind)


def instance_of(types: Types, kind: Type | None) -> Type | None:
    if isinstance(kind, ClassType):
        flavor = types.session_class(kind)
        return SessionType(replace(flavor, declared=True)) if flavor is not None else InstanceType(kind)
    if not isinstance(kind, External):
        return None
    name = kind.name
    if name in SESSION_CLASSES:
        return SessionType(replace(SESSION_CLASSES[name], declared=True))
    if not kind.resolved and name in UNBOUND_SESSIONS:
        return SessionType(replace(UNBOUND_SESSIONS[name], declared=True))
    if name in SCOPED_CLASSES:
        return SessionType(Flavor(is_async=SCOPED_CLASSES[name], is_scoped=True, expires=None))
    if name in FACTORY_CLASSES:
        return FactoryType(Flavor(is_async=FACTORY_CLASSES[name], expires=None))
    if name in ENGINE_CLASSES:
        return EngineType(ENGINE_CLASSES[name])
    if name in CONNECTION_CLASSES:
        return ConnectionType(CONNECTION_CLASSES[name])
    return InstanceType(kind) if kind.resolved and "." in name else None
