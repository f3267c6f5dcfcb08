"""LS502: one session at work in several tasks or threads at once."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from lint_sessions.flow.clashes import Clash, Clashes
from lint_sessions.flow.entering import Entry, entries, keeps_session, made_in
from lint_sessions.flow.origins import Frame, Origins, described
from lint_sessions.flow.requests import function_around
from lint_sessions.flow.sharing import users
from lint_sessions.flow.tasks import Tasks
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import is_test
from lint_sessions.project.types import ClassType, argument
from lint_sessions.rule import Rule, TraceStep


class ConcurrentSession(Rule):
    """Session is used by several tasks or threads at once.

    ## What it does
    Finds an AsyncSession that several coroutines use which `asyncio.gather`, a task group or `create_task` run at the
    same time, and a Session that several threads use, of an executor, `to_thread` or `Thread`. The session may be an
    argument, or be hidden in a repository, a closure, a bound method or a `partial`. Also one unit of work that is
    made at import, and puts the session of each request that enters it on itself.

    ## Why is this bad?
    A session is one transaction on one connection, and can do one thing at a time. The second task meets it in the
    middle of what the first is doing: InvalidRequestError ("This session is provisioning a new connection; concurrent
    operations are not permitted"), IllegalStateChangeError, or an error of the driver. Where it happens to work, the
    tasks still commit and roll back each other's changes.

    ## Example
    ```python
    @app.get("/dashboard")
    async def read_dashboard(session: AsyncSession = Depends(get_session)):
        users, posts = await asyncio.gather(
            session.scalar(select(func.count(User.id))),
            session.scalar(select(func.count(Post.id))),
        )
        return {"users": users, "posts": posts}
    ```

    ## Use instead
    ```python
    @app.get("/dashboard")
    async def read_dashboard(session: AsyncSession = Depends(get_session)):
        users = await session.scalar(select(func.count(User.id)))
        posts = await session.scalar(select(func.count(Post.id)))
        return {"users": users, "posts": posts}
    ```

    ## What it leaves alone
    A session for each task; only one task that uses the session; calls that are awaited one after the other;
    coroutines that use a synchronous session, which can't meet inside it; an executor of one thread; tasks that take
    a lock before they use the session; registries, which give each thread or task its own; functions of which nothing
    shows that they use the session.

    ## Fix safety
    There is no fix: whether the tasks run one after the other, or each opens a session of its own, is for the author
    to say.
    """

    code = "LS502"
    message = "{users} use {session} at once, which can do only one thing at a time"
    gates = (
        (
            rb"(?m)\b(?:gather|wait|as_completed|\w+_task|ensure_future|start_soon|submit|map|run_in_executor|Thread|Depends"
            rb"|run_coroutine_threadsafe|Security)\s*\(|^\w+\s*=\s*\w+\("
        ),
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        types, scope = self.context.types, self.context.scope_of(node)
        if is_test(self.context.path, types.project.root):
            return
        for clash in Clashes(Tasks(Origins(types), scope)).found():
            self._report(clash)
        for part in walk(node.params):
            if isinstance(part, cst.Call):
                self._depends(part, scope)

    def visit_Call(self, node: cst.Call) -> None:
        if function_around(self.context.scope) is None:
            self._depends(node, self.context.scope)

    def _depends(self, node: cst.Call, scope: Scope) -> None:
        """A dependency on a method of an object that is made where the dependency is declared."""
        types = self.context.types
        if not types.is_marker(types.infer(node.func, scope)):
            return
        provider = argument(node, 0, "dependency")
        if isinstance(provider, cst.Attribute):
            origins = Origins(types)
            run = origins.entered(provider, (), Frame(scope, is_first=True))
            if run is not None:
                self._entered(entries(origins, run), node, provider)

    def visit_Assign(self, node: cst.Assign) -> None:
        types, scope = self.context.types, self.context.scope
        match node:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.Call() as made):
                if scope.is_module and self._may_keep(made) and not is_test(self.context.path, types.project.root):
                    for user in users(types, name, node, scope):
                        self._entered(entries(Origins(types), Frame(user, is_first=True)), made, made)

    def _may_keep(self, made: cst.Call) -> bool:
        """Whether an object is made that keeps a session when it is entered."""
        types = self.context.types
        kinds = (types.infer(part.func, self.context.scope) for part in walk(made) if isinstance(part, cst.Call))
        return any(isinstance(kind, ClassType) and keeps_session(types, kind) is not None for kind in kinds)

    def _entered(self, found: Iterable[Entry], place: cst.CSTNode, made: cst.BaseExpression) -> None:
        """An object that is made once, and keeps the session of whoever has entered it last."""
        for entry in found:
            if made_in(entry.made, made):
                steps = [
                    TraceStep(entry.made.call, "made here, once"),
                    TraceStep(entry.item, "entered here, by several at once", entry.block),
                    TraceStep(entry.kept, "puts its session in the place of another's", entry.kept_in),
                ]
                name = f"the session of one `{entry.made.cls.scope.name}`"
                self.report(place, trace=steps, users="all requests", session=name)
                return

    def _report(self, clash: Clash) -> None:
        first = clash.tasks[0]
        if len(clash.tasks) == 1:
            who = f"the runs of `{self.context.short(first.func)}`"
        elif len(clash.tasks) == 2:
            who = " and ".join(f"`{self.context.short(task.node, 30)}`" for task in clash.tasks)
        else:
            who = f"`{self.context.short(first.node, 30)}` and {len(clash.tasks) - 1} more"
        steps = []
        for task, use in zip(clash.tasks, clash.uses, strict=True):
            if task.node is not use.node:
                steps += [TraceStep(task.node, "started here"), TraceStep(use.node, "uses the session", use.block)]
        call = clash.uses[0].node
        session = described(clash.origin)
        if not steps and isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            session = f"`{self.context.short(call.func.value)}`"
        self.report(clash.place, trace=steps, users=who, session=session)
