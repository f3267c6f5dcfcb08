"""LS307: a session that knows no engine."""

from __future__ import annotations

import libcst as cst

from lint_sessions.project.binds import made_unbound, may_be_bound_later
from lint_sessions.project.scripts import is_test
from lint_sessions.rule import Rule


class UnboundSession(Rule):
    """Session or sessionmaker has no engine.

    ## What it does
    Finds a session or a sessionmaker of SQLAlchemy or SQLModel that is made without an engine, in a project that
    nowhere gives it one later.

    ## Why is this bad?
    The first statement raises UnboundExecutionError ("Could not locate a bind configured on mapper"): every request
    that uses the session fails.

    ## Example
    ```python
    from sqlalchemy.ext.asyncio import AsyncSession


    async def get_session():
        async with AsyncSession() as session:
            yield session
    ```

    ## Use instead
    ```python
    from sqlalchemy.ext.asyncio import AsyncSession


    async def get_session():
        async with AsyncSession(engine) as session:
            yield session
    ```

    ## What it leaves alone
    An engine in any form: `bind`, `binds`, a positional argument, arguments that cannot be read (`**options`); a
    sessionmaker that is passed on, or called with an argument; projects that use `configure(...)`, `.bind = ...`,
    `bind_mapper`, `bind_table` or bound metadata anywhere; session classes of the project; tests.

    ## Fix safety
    There is no fix: which engine it is to be is for the author to say.
    """

    code = "LS307"
    message = "{made} has no engine, so the first statement raises UnboundExecutionError"
    gates = (rb"\w\s*\(",)

    def visit_Assign(self, node: cst.Assign) -> None:
        match node:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.Call() as call):
                self._made(call, name)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        match node:
            case cst.AnnAssign(target=cst.Name(value=name), value=cst.Call() as call):
                self._made(call, name)

    def visit_Call(self, node: cst.Call) -> None:
        types, scope = self.context.types, self.context.scope
        match node:
            case cst.Call(func=cst.Call() as made, args=[]) if made_unbound(types, made, scope) == "sessionmaker":
                self._report(node, None)
            case cst.Call() if made_unbound(types, node, scope) == "session":
                self._report(node, None)

    def _made(self, call: cst.Call, name: str) -> None:
        """A sessionmaker is told by its name, which is looked for in the project."""
        if made_unbound(self.context.types, call, self.context.scope) == "sessionmaker":
            self._report(call, name)

    def _report(self, call: cst.Call, name: str | None) -> None:
        types = self.context.types
        if is_test(self.context.path, types.project.root) or may_be_bound_later(types, name, self.context.scope.module):
            return
        self.report(call, made=f"`{self.context.short(call)}`")
