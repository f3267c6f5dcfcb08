"""LS303: `db.close` without the parentheses, or without the await."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import await_call
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.coroutines import coroutine_method, discarded
from lint_sessions.flow.operations import CLOSING
from lint_sessions.project.types import ConnectionType, MethodType, SessionType
from lint_sessions.rule import Rule

ENDING = CLOSING | {"commit", "rollback"}


class CloseNotCalled(Rule):
    """Session's close is named but not called, or called but not awaited.

    ## What it does
    Finds a statement that is only `db.close`, without the parentheses, and a statement that calls the `close()` of an
    asynchronous session without `await`. The same for what else ends a session's work: `db.commit` and `db.rollback`
    without the parentheses, `remove()` of a registry, `reset()` and `invalidate()`.

    ## Why is this bad?
    The statement reads as if the session were closed, and does nothing: `db.close` is a method that nobody calls, and
    `session.close()` makes a coroutine that nobody runs. The connection stays checked out, and when the pool is empty
    every request waits for the pool's timeout and then fails. `await session.close` raises a TypeError on top.

    ## Example
    ```python
    class UnitOfWork:
        def __init__(self) -> None:
            self.session = async_session()

        async def __aenter__(self) -> AsyncSession:
            return self.session

        async def __aexit__(self, *error: object) -> None:
            self.session.close()
    ```

    ## Use instead
    ```python
    class UnitOfWork:
        def __init__(self) -> None:
            self.session = async_session()

        async def __aenter__(self) -> AsyncSession:
            return self.session

        async def __aexit__(self, *error: object) -> None:
            await self.session.close()
    ```

    ## What it leaves alone
    `db.close` as a value: passed as a callback, returned, assigned, registered for later; a coroutine that is awaited
    elsewhere, returned or passed on; code that asks with `isinstance` which kind of session it has; objects that are
    not known to be sessions.

    ## Fix safety
    Safe: it adds the parentheses or the `await` that the statement is there for. No fix is offered where the
    function around is not `async def`, since nothing can be awaited there.
    """

    code = "LS303"
    message = "`{call}` {what}, so {harm}"
    gates = (rb"\.(close|aclose|commit|rollback|remove|reset|invalidate)\b",)
    fixable = Safety.SAFE

    def visit_Expr(self, node: cst.Expr) -> None:
        for value in discarded(node.value):
            named = value.expression if isinstance(value, cst.Await) else value
            if isinstance(named, cst.Attribute):
                self._named(value, named)
            elif value is named:
                self._called(value)

    def _named(self, whole: cst.BaseExpression, method: cst.Attribute) -> None:
        name = method.attr.value
        if name not in ENDING:
            return
        match self.context.types.infer(method, self.context.scope):
            case MethodType(owner=(SessionType() | ConnectionType()) as owner):
                is_async = owner.flavor.is_async if isinstance(owner, SessionType) else owner.is_async
            case _:
                return
        raises = whole is not method
        self.report(
            method,
            call=self.context.short(method),
            what="is awaited without being called" if raises else "is not called",
            harm="it raises a TypeError" if raises else _HARM.get(name, "the session stays open"),
            fix=partial(_call_it, self.context, method, adds_await=is_async and not raises),
        )

    def _called(self, call: cst.BaseExpression) -> None:
        name = coroutine_method(self.context.types, call, self.context.scope)
        if name in CLOSING:
            self.report(
                call,
                call=self.context.short(call),
                what="is not awaited",
                harm=_HARM.get(name, "the session stays open"),
                fix=partial(await_call, self.context.block, call, self.context.scope),
            )


_HARM = {"commit": "nothing is committed", "rollback": "nothing is rolled back"}


def _call_it(context: Context, method: cst.Attribute, *, adds_await: bool) -> Fix | None:
    """Add the parentheses, and the await where it takes one."""
    function = context.scope.function
    if adds_await and (function is None or function.asynchronous is None):
        return None
    start, end = (context.document.offset(place) for place in context.block.span(method))
    edits = [Edit(start, start, "await ")] if adds_await else []
    return Fix(f"Call `{context.short(method)}`", Safety.SAFE, (*edits, Edit(end, end, "()")))
