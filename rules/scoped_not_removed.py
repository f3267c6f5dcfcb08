"""LS305: a registry of sessions that keeps what a request has used."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.callers import Reader, reading
from lint_sessions.flow.registries import Registry, may_be_removed, registry_of
from lint_sessions.flow.requests import path_to
from lint_sessions.project.names import bindings, walk
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.scripts import is_test
from lint_sessions.project.types import SessionType
from lint_sessions.rule import Rule, TraceStep

_CARE = re.compile(r"\.\s*(remove|close)\b|\bwith\b|\byield\b")
"""Signs that a function gives back what it takes from a registry."""


class ScopedNotRemoved(Rule):
    """Registry keeps the session of a request.

    ## What it does
    Finds three uses of `scoped_session` and `async_scoped_session` in applications: a thread's registry in a generator
    dependency that is a plain `def`; a registry that a dependency lends from and that nothing removes from; and a
    thread's registry that routes use directly while nothing calls `remove()`.

    ## Why is this bad?
    FastAPI runs the beginning of a plain generator dependency, the route, and the end of the dependency on any three
    threads of its pool. Each of them has a session of its own in the registry: the route uses one, and the end of the
    dependency closes or removes another, so that the connection stays checked out; or two requests use one session at
    the same time. A registry that nobody removes from keeps the session of every thread, or of every task, together
    with its connection and what the last request left in its transaction.

    ## Example
    ```python
    from sqlalchemy.orm import scoped_session

    Scoped = scoped_session(SessionLocal)

    def get_db():
        try:
            yield Scoped
        finally:
            Scoped.remove()

    @router.get("/users")
    def read_users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## Use instead
    ```python
    def get_db():
        db = SessionLocal()
        try:
            yield db
        finally:
            db.close()

    @router.get("/users")
    def read_users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## What it leaves alone
    Registries with a scope of their own, such as a context variable, that something removes from; the teardown of
    Flask; a worker thread that removes its own; `async_scoped_session` with an awaited `remove()`; a registry of tasks
    that is made anew for each request; registries that are handed to others, who may remove from them; functions that
    close what they take; tests and scripts.

    ## Fix safety
    Unsafe: the dependency opens a plain session in place of the registry's, so that code which asks the registry itself
    no longer finds the same session. It is offered where the registry stands in the same module, and nothing but
    `Depends` uses the dependency.
    """

    code = "LS305"
    message = "{registry} {why}"
    gates = (rb"\byield\b|_session\s*\(",)
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        types, scope = self.context.types, self.context.scope_of(node)
        if not scope.is_generator or is_test(self.context.path, types.project.root):
            return
        for part in scope.own_nodes:
            if isinstance(part, cst.Yield) and isinstance(part.value, cst.BaseExpression):
                kind = types.infer(part.value, scope)
                if isinstance(kind, SessionType) and kind.flavor.is_scoped and self._is_dependency(scope):
                    self._lent(node, scope, part.value)

    def _is_dependency(self, scope: Scope) -> bool:
        return any(use.is_fastapi for use in self.context.wiring.uses(scope))

    def _lent(self, node: cst.FunctionDef, scope: Scope, value: cst.BaseExpression) -> None:
        registry = registry_of(self.context.types, value, scope)
        # A session that a registry of the request's own has given is this request's, on every thread.
        if registry is None or (registry.is_asked and registry.scope is scope):
            return
        taken = _taken(value, scope)
        words = f"`{self.context.short(taken)}`"
        if node.asynchronous is None and registry.is_by_thread:
            why = f"is one thread's, and `{node.name.value}` may end on another thread"
            self.report(taken, registry=words, why=why, fix=partial(_plain, self.context, scope, taken, registry))
        elif registry.scope.is_module and not may_be_removed(self.context.types, registry):
            why = "stays in its registry after the request, since nothing removes it"
            self.report(taken, registry=words, why=why)

    def visit_Assign(self, node: cst.Assign) -> None:
        match node:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.Call() as call):
                self._made(call, name)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        match node:
            case cst.AnnAssign(target=cst.Name(value=name), value=cst.Call() as call):
                self._made(call, name)

    def _made(self, call: cst.Call, name: str) -> None:
        """A registry of a module, that functions use directly."""
        types, scope = self.context.types, self.context.scope
        if not scope.is_module or is_test(self.context.path, types.project.root):
            return
        registry = registry_of(types, call, scope)
        if registry is None or registry.call is not call or not registry.is_by_thread:
            return
        user = self._careless(name)
        if user is not None and not may_be_removed(types, replace(registry, name=name)):
            step = TraceStep(user.node, f"used here, by `{user.function.qualified_name}`", user.block)
            why = "keeps the session of each thread open, since nothing calls `remove()`"
            self.report(call, trace=[step], registry=f"`{name}`", why=why)

    def _careless(self, name: str) -> Reader | None:
        """A function that a request runs, and that uses a registry while nobody gives anything back."""
        readers = list(reading(self.context.types, self.context.scope, name))
        for reader in readers:
            if _CARE.search(reader.block.document.text, reader.block.start, reader.block.end):
                return None
        return next((r for r in readers if path_to(self.context.wiring, r.function, _no_end) is not None), None)


def _no_end(_: Scope) -> bool:
    return False


def _taken(value: cst.BaseExpression, scope: Scope) -> cst.BaseExpression:
    """The call by which a dependency takes the session that it yields, where it has a name for it."""
    if isinstance(value, cst.Name):
        bound = scope.bound(value.value)
        if len(bound) == 1 and bound[0][0].value is not None:
            return bound[0][0].value
    return value


def _plain(context: Context, scope: Scope, taken: cst.BaseExpression, registry: Registry) -> Fix | None:
    """Open a plain session where one was taken from the registry, and close it where that was removed from. Whoever
    drives the dependency by hand relies on the registry."""
    node = scope.function
    if node is None or not context.is_only_depended_on(scope):
        return None
    if registry.scope.module is not context.scope.module or not isinstance(taken, cst.Call):
        return None
    if not isinstance(registry.factory, (cst.Name, cst.Attribute)):
        return None
    factory = cst.Module([]).code_for_node(registry.factory)
    name = next((b.name for b in bindings(node) if b.value is taken), None)
    if name is None:
        return None
    edits = [_replace(context, taken, f"{factory}()")]
    for part in walk(node.body):
        match part:
            case cst.Call(func=cst.Attribute(value=cst.Name(value=owner), attr=cst.Name(value="remove"))):
                if owner in (name, last_name(taken.func)):
                    edits.append(_replace(context, part, f"{name}.close()"))
    return Fix("Open a plain session", Safety.UNSAFE, tuple(edits))


def _replace(context: Context, node: cst.CSTNode, text: str) -> Edit:
    start, end = (context.document.offset(place) for place in context.block.span(node))
    return Edit(start, end, text)
