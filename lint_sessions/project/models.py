"""Mapped classes, the statements that select their instances, and whether a commit expires these."""

from __future__ import annotations

import re
from collections.abc import Callable

import libcst as cst

from lint_sessions.project.names import dotted
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, External, Flavor, Type

_SELECTS = frozenset(["sqlalchemy.select", "sqlalchemy.future.select", "sqlmodel.select", "sqlalchemy.sql.select"])
OTHER_COLUMNS = frozenset(["with_only_columns", "add_columns", "add_column", "add_entity", "with_entities", "values"])
"""Methods of a statement or query after which its rows are not one instance each."""
_CONSTRUCTORS = frozenset(["model_validate", "model_construct", "from_orm", "parse_obj", "construct"])
"""Class methods of SQLModel that make an instance."""
_MAX_STEPS = 12
_FACTORY = re.compile(r"\b(?:async_)?sessionmaker\s*\(|\b(?:Async)?Session\s*\(")
_EXPIRES = re.compile(r"\bexpire_on_commit\b")


def mapped(types: Types, kind: Type | None) -> ClassType | None:
    """The class itself, if it is mapped to a table for certain."""
    if not isinstance(kind, ClassType):
        return None
    for base in types.ancestry(kind.scope):
        if isinstance(base, Scope) and (base.bound("__tablename__") or base.bound("__table__") or _is_table(base)):
            return kind
    return None


def is_sqlmodel(types: Types, cls: ClassType) -> bool:
    """Whether a mapped class is SQLModel's, so that its instances are Pydantic models as well."""
    bases = types.ancestry(cls.scope)
    return any(
        isinstance(base, External) and base.name in ("sqlmodel.SQLModel", "sqlmodel.main.SQLModel") for base in bases
    )


def commit_expires(types: Types, flavor: Flavor) -> bool:
    """Whether a commit expires the instances of a session for certain.

    Of a session that is only declared the project tells: none of its modules speaks of `expire_on_commit`.
    """
    if not flavor.declared:
        return flavor.expires is True
    return types.project.mentions(_FACTORY) and not types.project.mentions(_EXPIRES)


def _is_table(scope: Scope) -> bool:
    """Whether a class is declared with `table=True`, as SQLModel wants it."""
    keywords = scope.header.keywords if scope.header is not None else ()
    return any(k.keyword is not None and k.keyword.value == "table" and dotted(k.value) == "True" for k in keywords)


def made(types: Types, node: cst.BaseExpression, scope: Scope) -> ClassType | None:
    """The mapped class of which an expression is a new instance: a call of it, or a name bound to such calls only."""
    match node:
        case cst.Call(func=cst.Attribute(value=cls, attr=cst.Name(value=name))) if name in _CONSTRUCTORS:
            return mapped(types, types.infer(cls, scope))
        case cst.Call(func=func):
            return mapped(types, types.infer(func, scope))
        case cst.Name(value=name):
            return _of_bindings(types, name, scope, made)
    return None


def instance_class(types: Types, node: cst.BaseExpression, scope: Scope) -> ClassType | None:
    """The mapped class of which an expression is an instance, new or loaded."""
    match node:
        case cst.Name(value=name):
            return _of_bindings(types, name, scope, instance_class)
        case cst.Await(expression=inner):
            return instance_class(types, inner, scope)
        case cst.Call(func=func, args=args):
            if (new := made(types, node, scope)) is not None:
                return new
            first = args[0].value if args else None
            if first is not None and (
                named := mapped(types, types.infer(first, scope)) or selected(types, first, scope)
            ):
                return named
            return instance_class(types, func.value, scope) if isinstance(func, cst.Attribute) else None
    return None


def _of_bindings(
    types: Types, name: str, scope: Scope, find: Callable[[Types, cst.BaseExpression, Scope], ClassType | None]
) -> ClassType | None:
    values = [binding.value for binding, _ in scope.bound(name)]
    found = {None if v is None or isinstance(v, cst.Name) else find(types, v, scope) for v in values}
    return found.pop() if len(found) == 1 else None


def selected(types: Types, node: cst.BaseExpression, scope: Scope) -> ClassType | None:
    """The mapped class of which each row of a `select` is one instance; through names and `.where()` and the like."""
    for _ in range(_MAX_STEPS):
        match node:
            case cst.Name(value=name):
                values = [binding.value for binding, _ in scope.bound(name)]
                # `statement = statement.where(...)` goes on with what the name held before.
                first = [v for v in values if v is None or _root(v) != name]
                if len(first) != 1 or first[0] is None:
                    return None
                node = first[0]
            case cst.Call(func=func, args=args):
                kind = types.infer(func, scope)
                if isinstance(kind, External) and kind.name in _SELECTS:
                    return mapped(types, types.infer(args[0].value, scope)) if len(args) == 1 else None
                if not isinstance(func, cst.Attribute) or func.attr.value in OTHER_COLUMNS:
                    return None
                node = func.value
            case _:
                return None
    return None


def _root(node: cst.BaseExpression) -> str | None:
    """The name at the left end of a chain of calls."""
    while isinstance(node, (cst.Call, cst.Attribute)):
        node = node.func if isinstance(node, cst.Call) else node.value
    return node.value if isinstance(node, cst.Name) else None
