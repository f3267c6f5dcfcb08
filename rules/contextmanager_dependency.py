"""LS107: `Depends` on a context manager."""

from __future__ import annotations

import re
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.project.calls import calls_of
from lint_sessions.project.known import CONTEXT_DECORATORS
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import CallableType, External, ManagerType, argument
from lint_sessions.project.wiring import Use
from lint_sessions.rule import Fix, Rule, Safety


class ContextmanagerDependency(Rule):
    """Provider that FastAPI depends on is decorated as a context manager.

    ## What it does
    Finds functions decorated with `@contextmanager` or `@asynccontextmanager` that are given to FastAPI's `Depends`,
    or wrapped by those where they are given.

    ## Why is this bad?
    FastAPI makes a context manager of each provider that yields, itself. It looks behind the decorator, sees a
    generator, calls what is decorated, and gets no generator: every request is answered 500 with a TypeError
    ("'_GeneratorContextManager' object is not an iterator"). Before FastAPI 0.122 the route gets the context manager
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
    parameter that the route itself enters by `with`, which is right before FastAPI 0.122.

    ## Fix safety
    Safe: the decorator is taken away where nothing but `Depends` uses the function, and no request can have succeeded
    before. Where other code calls it, which needs the decorator, there is no fix.
    """

    code = "LS107"
    message = "`{function}` is a context manager, and `{user}` depends on it: every request fails"
    gates = (rb"contextmanager\b|\b(Depends|Security)\s*\(",)
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        decorators = [d for d in node.decorators if self._makes_manager(d.decorator)]
        if not decorators:
            return
        scope = self.context.scope_of(node)
        uses = [use for use in self.context.wiring.uses(scope) if use.is_fastapi and not _enters(use)]
        if uses:
            self.report(
                decorators[0],
                function=node.name.value,
                user=uses[0].by,
                fix=partial(_undecorate, self.context, scope, decorators[0]),
            )

    def visit_Call(self, node: cst.Call) -> None:
        """`Depends(contextmanager(get_db))`."""
        types, scope = self.context.types, self.context.scope
        marker = self.context.wiring.marker(node, scope)
        provider = argument(node, 0, "dependency")
        if marker is None or provider is None or not self.context.wiring.is_fastapi(marker):
            return
        kind = types.infer(provider, scope)
        if isinstance(kind, CallableType) and isinstance(kind.result, ManagerType) and kind.result.maker is not None:
            owner = self.context.block.name or "the application"
            self.report(node, function=self.context.short(provider), user=owner)

    def _makes_manager(self, decorator: cst.BaseExpression) -> bool:
        kind = self.context.types.infer(decorator, self.context.scope)
        return isinstance(kind, External) and kind.name in CONTEXT_DECORATORS


def _enters(use: Use) -> bool:
    """Whether the user of a dependency enters what it gets."""
    text = use.block.document.text
    if use.parameter is None:
        return False
    return re.search(rf"\bwith\s+{re.escape(use.parameter)}\b", text[use.offset : use.block.end]) is not None


def _undecorate(context: Context, scope: Scope, decorator: cst.Decorator) -> Fix | None:
    if next(calls_of(context.types, scope), None) is not None:
        return None
    lines = Lines(context.block)
    return Fix("Take the decorator away", Safety.SAFE, (lines.delete(lines.rows([decorator])),))
