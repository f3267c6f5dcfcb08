"""Whether a fix holds what it promises: the text that it makes is followed like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import apply
from lint_sessions.finding import Edit
from lint_sessions.flow.answers import answers
from lint_sessions.flow.callers import functions
from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.operations import BUILDERS, PLURAL
from lint_sessions.flow.slow import is_slow
from lint_sessions.flow.values import Derived, Form, Items, sites_in
from lint_sessions.project.modules import Module
from lint_sessions.project.names import bindings, children, mentions, walk
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.source.document import Document


class Trial:
    """The functions of a file, and what becomes of them by some edits."""

    def __init__(self, context: Context, edits: Iterable[Edit]) -> None:
        self._context = context
        document = context.document
        changed = Document.from_bytes(document.path, document.encode(apply(document.text, edits)))
        before, after = context.scope.module, Module(context.scope.module.project, changed)
        self._pairs = list(zip(self._functions(before), self._functions(after), strict=False))

    def _functions(self, module: Module) -> Iterator[Scope]:
        return (scope for _, scope in functions(module.blocks, self._context.types.module_scope(module)))

    def is_sound(self, scope: Scope, *, reopened: int) -> bool:
        """Whether a function now uses a closed session in no more than so many places, does no harm that it did not
        do before, and hands out neither a session of its own, which may be closed by then, nor a query that has
        still to run in one."""
        after = next((new for old, new in self._pairs if old is scope and new.name == old.name), None)
        if after is None:
            return False
        runs = self._context.lifecycle(after)
        if runs.gave_up or len({id(leak.reopened) for leak in runs.leaks if leak.reopened is not None}) > reopened:
            return False
        if _hands_out(runs):
            return False
        before = self._context.lifecycle(scope)
        return all(new <= old for new, old in zip(self._harm(runs, after), self._harm(before, scope), strict=True))

    def _harm(self, runs: Lifecycle, scope: Scope) -> list[int]:
        """How often each of the misuses is seen that a longer or shorter life of a session may bring about."""
        found: list[Iterable[cst.CSTNode | str | None]] = [
            (leak.site.key for leak in runs.leaks if leak.reopened is None),
            (lost.write for lost in runs.lost),
            (poisoned.handler for poisoned in runs.poisoned),
            (read.use for read in runs.unloaded),
            (refresh.node for refresh in runs.early),
            (query.node for query in runs.unseen),
            (node for node, waited in runs.waited.items() if is_slow(self._context.types, waited.node, scope)),
            (overrun.use for overrun in runs.overrun),
            (begun.node for begun in runs.begun_twice),
            (commit.node for commit in runs.late),
            (answer.place for answer in answers(self._context.wiring, runs, scope)),
        ]
        return [len(set(part)) for part in found]


def _hands_out(runs: Lifecycle) -> bool:
    """Whether some run returns a session of its own, or a query that has not run."""
    for _, value in runs.returned:
        if any(site.acquired for site in sites_in(value)):
            return True
        if isinstance(value, Derived) and value.form is Form.QUERY and value.site.acquired:
            return True
    return False


def gives_instances(runs: Lifecycle) -> bool:
    """Whether some run returns what it has read, so that relationships may be loaded when it is done."""
    values = [value for _, value in runs.returned]
    while values:
        match values.pop():
            case Derived():
                return True
            case Items(items=parts):
                values += parts
    return False


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
    lazy = {
        binding.name
        for statement in statements
        for binding in bindings(statement)
        if binding.value is not None and _is_lazy(binding.value, session)
    }
    for value in _returned(statements):
        if any(_keeps(part, {session, *lazy}, session) for part in walk(value)):
            return True
        if not names_given(value, calls=False).isdisjoint((session, *lazy)) or _is_lazy(value, session):
            return True
    return False


def _keeps(node: cst.CSTNode, names: set[str], session: str) -> bool:
    """Whether an expression makes something that may use later on what these names hold: an object, by its name."""
    match node:
        case cst.GeneratorExp() | cst.Lambda():
            return any(mentions(node, name) for name in names)
        case cst.Call(func=func, args=args) if (last_name(func) or "").lstrip("_")[:1].isupper():
            return any(not names.isdisjoint(names_given(a.value)) or _is_lazy(a.value, session) for a in args)
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
