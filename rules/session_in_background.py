"""LS501: work that goes on with a session after it has been closed."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.flow.origins import described
from lint_sessions.flow.outliving import Lives, Outliving
from lint_sessions.project.scopes import has_decorator
from lint_sessions.project.scripts import is_test
from lint_sessions.project.types import FunctionType, SessionType
from lint_sessions.rule import Rule, TraceStep


class SessionInBackground(Rule):
    """Session is used by work that goes on after it was closed.

    ## What it does
    Finds tasks (`create_task`, `ensure_future`) and threads (`Thread`, executors) that nobody waits for and that use
    the session of the request, or one whose `with` block ends before they do; background tasks and streamed responses
    that use a session which is closed when the route returns: one of a `with` block, of a `BaseHTTPMiddleware`, of a
    dependency with `scope="function"`, or with FastAPI 0.106 to 0.117 of any dependency. The session may be an
    argument, or be hidden in an object, a closure or a `partial`. Also sessions that are sent to a Celery task by
    `delay` or `apply_async`.

    ## Why is this bad?
    A closed session begins again as soon as it is used, takes another connection from the pool, and now nobody gives
    it back. If it is used in the very moment in which it is closed, that raises IllegalStateChangeError, in the request
    or in the task, where nobody sees it. Instances that the session had loaded are detached by then. To the worker of
    Celery, another process, no session can be sent: JSON and pickle both refuse it with an EncodeError (Celery 5.7).

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
    message = "{work} {harm}"
    gates = (
        (
            rb"\b(?:create_task|ensure_future|run_coroutine_threadsafe|start_soon|submit|map|run_in_executor|Thread"
            rb"|add_task|BackgroundTask|StreamingResponse|EventSourceResponse|delay|apply_async)\s*\("
        ),
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if is_test(self.context.path, self.context.types.project.root):
            return
        for found in Lives(self.context.wiring, self.context.scope_of(node), self.context.fastapi).outliving():
            self._report(found)

    def visit_Call(self, node: cst.Call) -> None:
        match node.func:
            case cst.Attribute(value=task, attr=cst.Name(value="delay" | "apply_async")) if self._is_celery(task):
                sent = next((part for part in _sent(node) if self._is_session(part)), None)
                if sent is not None:
                    harm = f"runs in another process, to which {self.context.short(sent)} can't be sent"
                    self.report(node, work=f"`{self.context.short(task)}`, a Celery task,", harm=harm)

    def _is_celery(self, node: cst.BaseExpression) -> bool:
        kind = self.context.types.infer(node, self.context.scope)
        function = kind.scope.function if isinstance(kind, FunctionType) else None
        return function is not None and (has_decorator(function, "task") or has_decorator(function, "shared_task"))

    def _is_session(self, node: cst.BaseExpression) -> bool:
        return isinstance(self.context.types.infer(node, self.context.scope), SessionType)

    def _report(self, found: Outliving) -> None:
        task, use, close = found.task, found.use, found.close
        steps = [TraceStep(task.start, found.kind.going_on)]
        if use.node is not task.node:
            steps.append(TraceStep(use.node, "uses the session", use.block))
        if close.node is not None:
            how = "closes it at its end" if isinstance(close.node, cst.With) else "closes it"
            steps.append(TraceStep(close.node, how, close.block))
        work = f"`{self.context.short(task.func)}`, {found.kind.value},"
        self.report(task.start, trace=steps, work=work, harm=f"uses {described(use.origin)} after {close.words}")


def _sent(call: cst.Call) -> Iterator[cst.BaseExpression]:
    """What is sent along: arguments of `delay`, and the items of `args=` and `kwargs=` of `apply_async`."""
    for arg in call.args:
        match arg.value:
            case cst.Tuple(elements=elements) | cst.List(elements=elements) | cst.Dict(elements=elements):
                yield from (element.value for element in elements)
            case value:
                yield value
