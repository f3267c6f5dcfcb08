"""LS107: `Depends` on a context manager."""

from __future__ import annotations

import re
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Fix, Safety
from lint_sessions.project.known import CONTEXT_DECORATORS
from lint_sessions.project.names import dotted, parameters, walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import CallableType, External, ManagerType, argument
from lint_sessions.project.wiring import Use
from lint_sessions.requirements import UNWRAPS
from lint_sessions.rule import LateFix, Rule


class ContextmanagerDependency(Rule):
    """Provider that FastAPI depends on is decorated as a context manager.

    ## What it does
    Finds functions decorated with `@contextmanager` or `@asynccontextmanager` that are given to FastAPI's `Depends`,
    or wrapped by those where they are given.

    ## Why is this bad?
    FastAPI makes a context manager of each provider that yields, itself. It looks behind the decorator, sees a
    generator, calls what is decorated, and gets no generator: every request is answered 500 with a TypeError
    ("'_GeneratorContextManager' object is not an iterator"). Up to FastAPI 0.123.4 the route gets the context manager
    in place of the session.

    ## Example
    ```python
    from contextlib import contextmanager


    @contextmanager
    def get_db():
        with SessionLocal() as db:
            yield db


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
    The generator itself; a dependency that returns a context manager; context managers that only `with` enters; a
    parameter that the route itself enters by `with`, where the project may run with FastAPI 0.123.4 or older.

    ## Fix safety
    Safe with FastAPI 0.123.5 and newer: the decorator is taken away where nothing but `Depends` uses the function, and
    no request can have succeeded before. Unsafe with older versions, where some helper may enter what the route gets.
    Where other code calls it or passes it on, which may need the decorator, or a route enters it, there is no fix.
    """

    code = "LS107"
    message = "`{function}` is a context manager, and `{user}` depends on it: {then} ({fastapi})"
    gates = (rb"contextmanager\b|\b(Depends|Security)\s*\(",)
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        decorators = [d for d in node.decorators if self._makes_manager(d.decorator)]
        if not decorators:
            return
        scope = self.context.scope_of(node)
        uses = [use for use in self.context.wiring.uses(scope) if use.is_fastapi]
        wrong = uses if self._fails else [use for use in uses if not _enters(use)]
        if wrong:
            fix = partial(_undecorate, self.context, scope, decorators[0], is_safe=self._fails)
            is_entered = any(map(_enters, uses))
            self._report(decorators[0], node.name.value, wrong[0].by, None if is_entered else fix)

    def visit_Call(self, node: cst.Call) -> None:
        """`Depends(contextmanager(get_db))`."""
        types, scope = self.context.types, self.context.scope
        marker = self.context.wiring.marker(node, scope)
        provider = argument(node, 0, "dependency")
        if marker is None or provider is None or not self.context.wiring.is_fastapi(marker):
            return
        kind = types.infer(provider, scope)
        made = kind.result if isinstance(kind, CallableType) else None
        if isinstance(made, ManagerType) and made.maker is not None:
            if not self._fails and _is_entered(self.context.block.node, node):
                return
            self._report(node, self.context.short(provider), self.context.block.name or "the application", None)

    @property
    def _fails(self) -> bool:
        """Whether FastAPI looks behind the decorator; older versions hand the context manager over."""
        return self.context.fastapi.is_from(UNWRAPS)

    def _report(self, node: cst.CSTNode, function: str, user: str, fix: LateFix | None) -> None:
        then = "every request fails" if self._fails else "it gets no session"
        self.report(node, function=function, user=user, then=then, fastapi=self.context.fastapi.name, fix=fix)

    def _makes_manager(self, decorator: cst.BaseExpression) -> bool:
        kind = self.context.types.infer(decorator, self.context.scope)
        return isinstance(kind, External) and kind.name in CONTEXT_DECORATORS


def _enters(use: Use) -> bool:
    """Whether the user of a dependency enters what it gets."""
    text = use.block.document.text
    if use.parameter is None:
        return False
    return re.search(rf"\bwith\s+{re.escape(use.parameter)}\b", text[use.offset : use.block.end]) is not None


def _is_entered(block: cst.CSTNode, marker: cst.Call) -> bool:
    """Whether a function enters the parameter that a marker stands at."""
    for function in walk(block):
        for param in parameters(function) if isinstance(function, cst.FunctionDef) else ():
            if any(part is marker for part in walk(param)):
                withs = (part for part in walk(function) if isinstance(part, cst.With))
                return any(dotted(item.item) == param.name.value for part in withs for item in part.items)
    return False


def _undecorate(context: Context, scope: Scope, decorator: cst.Decorator, *, is_safe: bool) -> Fix | None:
    if not context.is_only_depended_on(scope):
        return None
    lines = Lines(context.block)
    safety = Safety.SAFE if is_safe else Safety.UNSAFE
    return Fix("Take the decorator away", safety, (lines.delete(lines.rows([decorator])),))
