"""What a text goes on with when a session is over: instances that a commit has expired, queries and results that have
still to be read, objects that keep the session. Told by names alone, in the careful way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import libcst as cst

from lint_sessions.flow.operations import BUILDERS, PLURAL
from lint_sessions.project.names import bindings, children, mentions, walk
from lint_sessions.project.scopes import last_name

_ENDING = frozenset(["commit", "rollback", "expire", "expire_all", "close", "aclose"])


def is_read_late(inside: Sequence[cst.CSTNode], after: Sequence[cst.CSTNode], session: str) -> bool:
    """Whether what is read from a session in some statements, and may be expired by a commit among them, is read
    again when they are over."""
    if not any(isinstance(p, cst.Attribute) and p.attr.value in _ENDING for s in inside for p in walk(s)):
        return False
    values = {b.name for s in inside for b in bindings(s) if b.value is not None}
    names = (values | _arguments(inside, "add", "add_all", "merge")) - {session} - _refreshed(inside)
    if any(mentions(statement, name) for statement in after for name in names):
        return True
    names -= _arguments(inside, "delete")
    return any(name in names for part in _returned(inside) for name in names_given(part))


def _refreshed(statements: Sequence[cst.CSTNode]) -> set[str]:
    """The names that are refreshed behind the last commit."""
    found: set[str] = set()
    for part in (part for statement in statements for part in walk(statement)):
        match part:
            case cst.Call(func=cst.Attribute(attr=cst.Name(value="refresh")), args=[cst.Arg(value=value), *_]):
                found |= names_given(value, calls=False)
            case cst.Call(func=cst.Attribute(attr=cst.Name(value="commit" | "expire" | "expire_all"))):
                found.clear()
    return found


def returns_lazily(statements: Sequence[cst.CSTNode], session: str) -> bool:
    """Whether a value is returned that a session, or a result of it, may have to give later on."""
    names = hangers_on(statements, session)
    return any(_hangs_on(value, names) for value in _returned(statements))


def hangers_on(statements: Sequence[cst.CSTNode], session: str) -> set[str]:
    """The name of a session, and those of what needs it still: objects that keep it, queries and results that have to
    be read, generators over them."""
    names = {session}
    bound = [binding for statement in statements for binding in bindings(statement)]
    while True:
        more = {b.name for b in bound if b.value is not None and _hangs_on(b.value, names)}
        if more <= names:
            return names
        names |= more


def _hangs_on(value: cst.BaseExpression, names: AbstractSet[str]) -> bool:
    """Whether a value needs what these names hold still, when it is used."""
    if any(_keeps(part, names) for part in walk(value)):
        return True
    return not names_given(value, calls=False).isdisjoint(names) or any(_is_lazy(value, name) for name in names)


def _keeps(node: cst.CSTNode, names: AbstractSet[str]) -> bool:
    """Whether an expression makes something that may use later on what these names hold: an object, by its name."""
    match node:
        case cst.GeneratorExp() | cst.Lambda():
            return any(mentions(node, name) for name in names)
        case cst.Call(func=func, args=args) if (last_name(func) or "").lstrip("_")[:1].isupper():
            given = [arg.value for arg in args]
            return any(not names.isdisjoint(names_given(a)) or any(_is_lazy(a, n) for n in names) for a in given)
    return False


def bound_in(statements: Iterable[cst.CSTNode]) -> set[str]:
    """The names that some statements bind."""
    return {binding.name for statement in statements for binding in bindings(statement)}


def _arguments(statements: Iterable[cst.CSTNode], *methods: str) -> set[str]:
    """The names in what some methods are given."""
    calls = (part for s in statements for part in walk(s) if isinstance(part, cst.Call))
    given = (arg for c in calls if isinstance(c.func, cst.Attribute) and c.func.attr.value in methods for arg in c.args)
    return {name for arg in given for name in names_given(arg.value, calls=False)}


def _returned(statements: Iterable[cst.CSTNode]) -> Iterator[cst.BaseExpression]:
    for statement in statements:
        for part in walk(statement):
            if isinstance(part, cst.Return) and part.value is not None:
                yield part.value


def names_given(value: cst.BaseExpression, *, calls: bool = True) -> set[str]:
    """The names in an expression that are used as they are: not for an attribute, and not as what is called or gone
    over; also as arguments of `calls`."""
    found: set[str] = set()
    stack: list[cst.CSTNode] = [value]
    while stack:
        match stack.pop():
            case cst.Name(value=name):
                found.add(name)
            case cst.Attribute(value=cst.Name()) | cst.Subscript(value=cst.Name()) | cst.CompFor():
                pass
            case cst.Call(func=func, args=args):
                stack += [arg.value for arg in args] if calls else []
                stack += [func] if not isinstance(func, cst.Name) else []
            case part:
                stack += children(part)
    return found


def _is_lazy(value: cst.BaseExpression, session: str) -> bool:
    """Whether an expression is a chain of calls on a session that ends in something which has still to be read."""
    if isinstance(value, cst.Await):
        value = value.expression
    last: str | None = None
    while True:
        match value:
            case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value=method))):
                last = last or method
                value = inner
            case cst.Attribute(value=inner) | cst.Await(expression=inner):
                value = inner
            case cst.Name(value=name):
                return name == session and last in _UNREAD
            case _:
                return False


_UNREAD = BUILDERS | (PLURAL - {"all", "fetchall", "fetchmany"}) | {"stream_scalars"}
