"""LS304: one session, made at import, for everybody."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from lint_sessions.flow.sharing import single_instances, users, users_of_attribute
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import is_main_part, is_test
from lint_sessions.project.types import External, InstanceType, SessionType
from lint_sessions.rule import Rule, TraceStep

_APPLICATIONS = frozenset(["FastAPI", "Starlette", "Litestar"])


class ModuleSession(Rule):
    """Session is made once, at import, and shared by everybody.

    ## What it does
    Finds a session that is made where a module or a class body runs, in the constructor of an object that a module
    keeps, or for `app.state`, and that functions which run again and again use: route handlers, tasks, and functions
    of modules that others import.

    ## Why is this bad?
    A session is for one unit of work, in one thread or task at a time. One that all requests share mixes their
    transactions: one commits what another has half done, two at once raise IllegalStateChangeError or
    InvalidRequestError, and after one failed commit every later request fails with PendingRollbackError until the
    process is started anew. It also keeps its connection, and what it has loaded, for ever.

    ## Example
    ```python
    db = SessionLocal()


    @app.get("/users/{user_id}")
    def read_user(user_id: int):
        return db.get(User, user_id)
    ```

    ## Use instead
    ```python
    @app.get("/users/{user_id}")
    def read_user(user_id: int):
        with SessionLocal() as db:
            return db.get(User, user_id)
    ```

    ## What it leaves alone
    Factories, and the registries of `scoped_session`, which give each thread its own; the `__main__` part of a script
    and functions that only it calls; modules that nothing imports and that handle no requests; test modules; sessions
    that the module itself closes, or that no function uses.

    ## Fix safety
    There is no fix: each function that uses the session has to open its own, or to be given one.
    """

    code = "LS304"
    message = "{session} is made once and shared by {users}: one failure fails all that follow"
    gates = (rb"\(",)

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._made(node, target.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._made(node, node.target, node.value)

    def _made(self, statement: cst.CSTNode, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        scope, block = self.context.scope, self.context.block
        if scope.function is not None and scope.name != "__init__" and not isinstance(target, cst.Attribute):
            return
        if not isinstance(value, cst.Call) or is_main_part(block) or not self._is_session(value):
            return
        if is_test(scope.module.path, self.context.types.project.root):
            return
        types = self.context.types
        match target:
            case cst.Name(value=name) if scope.is_module:
                if not _is_closed(scope, name):
                    self._report(value, name, list(users(types, name, statement, scope)))
            case cst.Name(value=name) if scope.is_class and scope.parent is not None and scope.parent.is_module:
                self._report(value, f"{scope.name}.{name}", list(users_of_attribute(types, name, scope)))
            case cst.Attribute(value=cst.Name(value=first), attr=attr) if first == scope.first_parameter:
                self._constructed(value, attr.value)
            case cst.Attribute(value=cst.Attribute(value=app, attr=cst.Name(value="state"))):
                kind = types.infer(app, scope)
                if isinstance(kind, InstanceType) and isinstance(kind.cls, External) and kind.cls.last in _APPLICATIONS:
                    self.report(value, session=f"`{self.context.short(target)}`", users="all requests")

    def _is_session(self, value: cst.BaseExpression) -> bool:
        match self.context.types.infer(value, self.context.scope):
            case SessionType(flavor=flavor):
                return not flavor.is_scoped and not flavor.on_connection
        return False

    def _constructed(self, value: cst.BaseExpression, name: str) -> None:
        """A session that an object opens for itself, which a module makes once and keeps."""
        types, cls = self.context.types, self.context.scope.parent
        if cls is None or self.context.scope.name != "__init__":
            return
        inside = any(method.name != "__init__" for method in users_of_attribute(types, name, cls))
        for instance, statement, top, block in single_instances(types, cls):
            found = [user for user in users(types, instance, statement, top) if inside or user.mentions(name)]
            if found and not is_test(top.module.path, types.project.root):
                step = TraceStep(statement, f"the one `{instance}` is made here, at import", block)
                self._report(value, f"{cls.name}.{name}", found, [step])
                return

    def _report(
        self, value: cst.BaseExpression, name: str, found: Sequence[Scope], trace: Sequence[TraceStep] = ()
    ) -> None:
        if not found:
            return
        first = next((user for user in found if user.module is self.context.scope.module), found[0])
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        uses = [TraceStep(first.function, "used here", first.block)] if first.function is not None else []
        made = TraceStep(value, "made here")
        self.report(value, session=f"`{name}`", users=f"`{first.qualified_name}`{more}", trace=[made, *trace, *uses])


def _is_closed(module: Scope, name: str) -> bool:
    """Whether the module's own statements close the session: then it is done with when the import ends."""
    statements = (block for block in module.module.blocks if block.kind == "statement")
    return any(f"{name}.close(" in block.document.text[block.start : block.end] for block in statements)
