"""LS501: work that goes on with a session after it has been closed."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.origins import described
from lint_sessions.flow.outliving import Lives, Outliving
from lint_sessions.project.scripts import is_test
from lint_sessions.rule import Rule, TraceStep


class SessionInBackground(Rule):
    """Session is used by work that goes on after it was closed.

    ## What it does
    Finds tasks (`create_task`, `ensure_future`) and threads (`Thread`, executors) that nobody waits for and that use
    the session of the request, or one whose `with` block ends before they do; background tasks and streamed responses
    that use a session which is closed when the route returns: one of a `with` block, of a `BaseHTTPMiddleware`, of a
    dependency with `scope="function"`, or with FastAPI 0.106 to 0.117 of any dependency. The session may be an
    argument, or be hidden in an object, a closure or a `partial`.

    ## Why is this bad?
    A closed session begins again as soon as it is used, takes another connection from the pool, and now nobody gives
    it back. If it is used in the very moment in which it is closed, that raises IllegalStateChangeError, in the request
    or in the task, where nobody sees it. Instances that the session had loaded are detached by then.

    ## Example
    ```python
    @app.post("/orders")
    async def create_order(session: AsyncSession = Depends(get_session)):
        order = Order()
        session.add(order)
        await session.commit()
        asyncio.create_task(send_receipt(session, order.id))
        return {"id": order.id}


    async def send_receipt(session: AsyncSession, order_id: int):
        order = await session.get(Order, order_id)
    ```

    ## Use instead
    ```python
    @app.post("/orders")
    async def create_order(session: AsyncSession = Depends(get_session)):
        order = Order()
        session.add(order)
        await session.commit()
        asyncio.create_task(send_receipt(order.id))
        return {"id": order.id}


    async def send_receipt(order_id: int):
        async with async_session() as session:
            order = await session.get(Order, order_id)
    ```

    ## What it leaves alone
    Tasks that get ids and values only, or open a session of their own; tasks that the function awaits, gathers, or
    hands on; executors and task groups that are left before the session is closed; `BackgroundTasks` and streamed
    responses with the session of a dependency, unless the project runs with FastAPI 0.106 to 0.117, by its lock file,
    its dependencies or `fastapi-version`: all others close it after them; instances that are handed over without
    their session.

    ## Fix safety
    There is no fix: the task has to open its own session, and load again what it works with.
    """

    code = "LS501"
    message = "{work} uses {session} after {end}"
    gates = (
        (
            rb"\b(?:create_task|ensure_future|run_coroutine_threadsafe|start_soon|submit|map|run_in_executor|Thread"
            rb"|add_task|BackgroundTask|StreamingResponse|EventSourceResponse)\s*\("
        ),
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if is_test(self.context.path, self.context.types.project.root):
            return
        for found in Lives(self.context.wiring, self.context.scope_of(node), self.context.fastapi).outliving():
            self._report(found)

    def _report(self, found: Outliving) -> None:
        task, use, close = found.task, found.use, found.close
        steps = [TraceStep(task.start, found.kind.going_on)]
        if use.node is not task.node:
            steps.append(TraceStep(use.node, "uses the session", use.block))
        if close.node is not None:
            how = "closes it at its end" if isinstance(close.node, cst.With) else "closes it"
            steps.append(TraceStep(close.node, how, close.block))
        work = f"`{self.context.short(task.func)}`, {found.kind.value},"
        self.report(task.start, trace=steps, work=work, session=described(use.origin), end=close.words)
