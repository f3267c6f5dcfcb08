"""What classes, functions and methods of published packages give: sessions, factories, context managers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.project.annotations import instance_of
from lint_sessions.project.known import CONTEXT_DECORATORS, FACTORY_CLASSES, SCOPED_CLASSES, SESSION_CLASSES
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.types import (
    AwaitableType,
    CallableType,
    ConnectionType,
    EngineType,
    External,
    FactoryType,
    Flavor,
    GeneratorType,
    InstanceType,
    ManagerType,
    SessionType,
    Type,
    argument,
)

if TYPE_CHECKING:
    from lint_sessions.project.sessions import Types


def external_call(types: Types, callee: External, call: cst.Call, scope: Scope) -> Type | None:
    """What a class or function of a published package gives."""
    name = callee.name
    if name in SESSION_CLASSES:
        return SessionType(bound(types, SESSION_CLASSES[name], call, scope))
    if name in FACTORY_CLASSES:
        return _made_factory(types, name, call, scope)
    if name in SCOPED_CLASSES:
        made = argument(call, 0, "session_factory")
        factory = types.infer(made, scope) if made is not None else None
        expires = factory.flavor.expires if isinstance(factory, FactoryType) else None
        return SessionType(Flavor(is_async=SCOPED_CLASSES[name], is_scoped=True, expires=expires))
    first = argument(call, 0, "func")
    if name in CONTEXT_DECORATORS and first is not None:
        made_by = types.result(types.infer(first, scope))
        return (
            CallableType(ManagerType(made_by.yields, made_by.function)) if isinstance(made_by, GeneratorType) else None
        )
    if name == "functools.partial" and first is not None:
        result = types.result(types.infer(first, scope))
        return CallableType(result) if result is not None else None
    if name in ("contextlib.closing", "contextlib.aclosing"):
        thing = argument(call, 0, "thing")
        return ManagerType(types.infer(thing, scope)) if thing is not None else None
    if name in ("next", "anext") and (given := argument(call, 0, "")) is not None:
        item = item_of(types.infer(given, scope))
        return AwaitableType(item) if name == "anext" else item
    if name in ("functools.lru_cache", "functools.cache") and first is not None:
        return types.infer(first, scope)
    if name in ("typing.cast", "cast"):
        value = argument(call, 1, "val")
        return types.infer(value, scope) if value is not None else None
    known = types.result(callee)
    if known is None and callee.resolved and "." in name and callee.last[:1].isupper():
        return InstanceType(callee)
    return known


def _made_factory(types: Types, name: str, call: cst.Call, scope: Scope) -> FactoryType:
    is_async = FACTORY_CLASSES[name]
    cls = argument(call, 1, "class_") if not is_async else None
    kind = instance_of(types, types.infer(cls, scope)) if cls is not None else None
    if isinstance(kind, SessionType):
        is_async = kind.flavor.is_async
    return FactoryType(bound(types, Flavor(is_async=is_async, expires=True), call, scope))


def bound(types: Types, flavor: Flavor, call: cst.Call, scope: Scope) -> Flavor:
    """The flavor with what a call's arguments say of it."""
    expires = flavor.expires
    given = argument(call, 99, "expire_on_commit")
    if given is not None:
        expires = {"True": True, "False": False}.get(given.value) if isinstance(given, cst.Name) else None
    elif any(arg.star == "**" for arg in call.args):
        expires = None
    bind = argument(call, 0, "bind")
    on_connection = flavor.on_connection
    if bind is not None and _is_connection(types, bind, scope):
        on_connection = True
    engine = (last_name(bind) if isinstance(bind, (cst.Name, cst.Attribute)) else None) or flavor.engine
    return Flavor(flavor.is_async, flavor.is_scoped, expires, on_connection, engine=engine)


def _is_connection(types: Types, bind: cst.BaseExpression, scope: Scope) -> bool:
    """Whether a session is bound to a connection that somebody else holds; a bind of no known type may be one."""
    kind = types.infer(bind, scope)
    if isinstance(kind, ConnectionType):
        return True
    word = (last_name(bind) or "").lower()
    return kind is None and ("conn" in word or word.endswith("bind"))


def method_result(owner: Type, name: str) -> Type | None:
    """What a method of a session, factory, engine, connection or generator gives."""
    match owner, name:
        case FactoryType(flavor=flavor), "begin":
            return ManagerType(SessionType(flavor))
        case (SessionType(), "begin" | "begin_nested"):
            return ManagerType(None)
        case SessionType(flavor=flavor), "connection":
            return AwaitableType(ConnectionType(True)) if flavor.is_async else ConnectionType(False)
        case EngineType(is_async=is_async), "connect":
            return ConnectionType(is_async)
        case EngineType(is_async=is_async), "begin":
            return ManagerType(ConnectionType(is_async))
        case ConnectionType(), "execution_options":
            return owner
        case GeneratorType(yields=yields), "__next__" | "send":
            return yields
        case GeneratorType(yields=yields), "__anext__" | "asend":
            return AwaitableType(yields)
    return None


def item_of(kind: Type | None) -> Type | None:
    """What one step of a generator gives."""
    return kind.yields if isinstance(kind, GeneratorType) else None
