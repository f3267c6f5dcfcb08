"""LS102: a dependency that returns a new session."""

from __future__ import annotations

import re
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.values import Held, Phase, Site
from lint_sessions.project.names import walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import AwaitableType, FunctionType, SessionType, argument
from lint_sessions.project.wiring import Use
from lint_sessions.rule import Rule, TraceStep


class SessionReturned(Rule):
    """Dependency returns a session that nothing closes.

    ## What it does
    Finds functions that a framework calls for a request, as in `Depends(get_db)`, and that return a session which they
    opened, themselves or by another function; also a session that their own `with` or `finally` has closed already.

    ## Why is this bad?
    The framework passes on what a function returns, and that is all: nothing runs after the request that could close
    it. Each request keeps a connection checked out until the garbage collector happens to find the session; with a
    pool of two, the third is answered 500, after the pool's timeout. A session that was closed before it is returned
    silently begins again when it is used, and then the same holds.

    ## Example
    ```python
    def get_db():
        return SessionLocal()


    @app.get("/users")
    def users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## Use instead
    ```python
    def get_db():
        with SessionLocal() as db:
            yield db


    @app.get("/users")
    def users(db: Session = Depends(get_db)):
        return db.scalars(select(User)).all()
    ```

    ## What it leaves alone
    Functions that nothing depends on; a session that somebody else owns, such as that of `request.state`; a dependency
    whose users close what they get; the registry of a scoped session; a context manager that is returned unentered.

    ## Fix safety
    Unsafe: the function becomes a generator. None is offered where other code calls it or passes it on, or where it
    returns at several places.
    """

    code = "LS102"
    message = "`{function}` returns a session {state}: nothing closes it after the request"
    gates = (rb"\breturn\b|\blambda\b",)
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        if scope.is_generator or not self._may_return_one(scope) or not _leaking(self.context, scope):
            return
        returns = [part for part in walk_scope(node) if isinstance(part, cst.Return) and part.value is not None]
        for state, value in self.context.lifecycle(scope).returned:
            session = state.session(value.site) if isinstance(value, Held) else None
            if not isinstance(value, Held) or session is None or session.stored or not _is_new(value.site):
                continue
            closed = session.phase is Phase.CLOSED
            if not closed and (value.site.managed or _is_given_away(node, value.site, returns)):
                continue
            steps = state.trail.steps(value.site) if state.trail is not None else []
            place = next((n for n, event in reversed(steps) if event == "returned"), returns[-1] if returns else node)
            opened = value.site.node
            self.report(
                place,
                trace=[TraceStep(opened, "opened here")] if opened is not None and self.context.owns(opened) else [],
                function=node.name.value,
                state="that it has closed" if closed else "that it opened",
                fix=partial(_yield_it, self.context, node, scope, returns, value.site, closed=closed),
            )

    def visit_Call(self, node: cst.Call) -> None:
        """`Depends(lambda: SessionLocal())`."""
        provider = argument(node, 0, "dependency")
        if not isinstance(provider, cst.Lambda) or self.context.wiring.marker(node, self.context.scope) is None:
            return
        made = self.context.types.infer(provider, self.context.scope)
        given = self.context.types.result(made)
        if isinstance(provider.body, cst.Call) and isinstance(given, SessionType) and not given.flavor.is_scoped:
            self.report(provider, function=self.context.short(provider), state="that it opened")

    def _may_return_one(self, scope: Scope) -> bool:
        given = self.context.types.result(FunctionType(scope))
        given = given.result if isinstance(given, AwaitableType) else given
        return isinstance(given, SessionType) and not given.flavor.is_scoped


def _is_new(site: Site) -> bool:
    return site.acquired and not site.shared and not site.flavor.is_scoped and not site.flavor.on_connection


def _is_given_away(node: cst.FunctionDef, site: Site, returns: list[cst.Return]) -> bool:
    """Whether a function hands its session, or a method of it, to somebody who may close it."""
    names = {part.value.value for part in returns if isinstance(part.value, cst.Name)}

    def is_it(value: cst.BaseExpression) -> bool:
        value = value.value if isinstance(value, cst.Attribute) else value
        return value is site.node or (isinstance(value, cst.Name) and value.value in names)

    for part in walk_scope(node):
        if isinstance(part, cst.Call) and any(is_it(arg.value) for arg in part.args):
            return True
        if (
            isinstance(part, cst.Assign)
            and is_it(part.value)
            and any(not isinstance(target.target, cst.Name) for target in part.targets)
        ):
            return True
    return False


def _leaking(context: Context, scope: Scope) -> bool:
    """Whether something depends on a function, and does not close what it gets."""
    return any(
        use.marker not in ("dependency_overrides", "add_api_route") and not _closes(use)
        for use in context.wiring.uses(scope)
    )


def _closes(use: Use) -> bool:
    """Whether the user of a dependency closes what it gets, or may do so."""
    text = use.block.document.text
    held = re.escape(use.parameter) if use.parameter is not None else r"\w+"
    closing = re.compile(
        rf"\b{held}\s*\.\s*a?close\b|\bwith\s+(?:closing\(\s*)?{held}\b|\b(?:enter_\w+|push\w*)\(\s*{held}\b"
    )
    return use.block.kind == "function" and closing.search(text, use.block.start, use.block.end) is not None


def _yield_it(
    context: Context, node: cst.FunctionDef, scope: Scope, returns: list[cst.Return], site: Site, *, closed: bool
) -> Fix | None:
    """`return` becomes `yield`, in a `with` or `try` that closes."""
    if len(returns) != 1 or not context.is_only_depended_on(scope):
        return None
    value = returns[0].value
    lines = Lines(context.block)
    row = lines.rows(returns).start
    indent, step = lines.indent(row), lines.step
    start, end = (context.document.offset(place) for place in context.block.span(returns[0]))
    if value is None or lines.text(row)[: len(indent)] + "return" != lines.text(row)[: len(indent) + 6]:
        return None
    text, newline = context.source(value), lines.newline(row)
    is_async = "async " if site.flavor.is_async else ""
    if site.flavor.is_async and node.asynchronous is None:
        return None
    if closed:
        new = f"yield {text}"
    elif isinstance(value, cst.Call) and context.enters(site.flavor):
        new = f"{is_async}with {text} as db:{newline}{indent}{step}yield db"
    elif isinstance(value, cst.Name):
        close = f"{'await ' if site.flavor.is_async else ''}{text}.close()"
        new = newline.join(["try:", f"{indent}{step}yield {text}", f"{indent}finally:", f"{indent}{step}{close}"])
    else:
        return None
    return Fix("Yield the session, and close it", Safety.UNSAFE, (Edit(start, end, new), *_undeclared(context, node)))


def _undeclared(context: Context, node: cst.FunctionDef) -> tuple[Edit, ...]:
    """The return annotation, which is not true of a generator, taken out."""
    if node.returns is None:
        return ()
    declared = context.document.offset(context.block.span(node.returns.annotation)[1])
    before = context.document.text.rfind(
        ")", 0, context.document.offset(context.block.span(node.returns.annotation)[0])
    )
    return (Edit(before + 1, declared, ""),)
