"""LS504: a coroutine method of an AsyncSession that nobody awaits."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import await_call
from lint_sessions.finding import Safety
from lint_sessions.flow.coroutines import Misuse, coroutine_method, discarded, misuse_of_name, tested
from lint_sessions.flow.operations import CLOSING, COROUTINES
from lint_sessions.rule import LateFix, Rule


class UnawaitedCall(Rule):
    """Call of an asynchronous session is not awaited, so it never runs.

    ## What it does
    Finds a call of a coroutine method of an AsyncSession (`execute`, `scalars`, `get`, `flush`, `commit`, `delete`,
    …) that is neither awaited, nor returned, nor passed on: it stands as a statement, or its coroutine is used as if it
    were the result already. LS303 has the `close()` that is not awaited.

    ## Why is this bad?
    Calling a coroutine function runs nothing. An unawaited `commit()` or `delete()` is silently left out: the request
    answers 200, and the row is not there, or still there. An unawaited `execute()` gives a coroutine, which has no
    `scalars()`, cannot be gone over, and is true whatever the database holds.

    ## Example
    ```python
    @app.delete("/users/{user_id}")
    async def delete_user(user_id: int, session: AsyncSession = Depends(get_session)):
        user = await session.get(User, user_id)
        session.delete(user)
        await session.commit()
    ```

    ## Use instead
    ```python
    @app.delete("/users/{user_id}")
    async def delete_user(user_id: int, session: AsyncSession = Depends(get_session)):
        user = await session.get(User, user_id)
        await session.delete(user)
        await session.commit()
    ```

    ## What it leaves alone
    A coroutine that is kept in a name and awaited later, returned, passed to `gather`, `create_task` or any other call,
    or put into a container; methods that are not coroutines (`add`, `add_all`, `expunge`, `expire`, …); sessions that
    are synchronous, or may be; functions that ask with `isinstance` which kind of session they have; the lambda of
    `run_sync`, which is given the synchronous session.

    ## Fix safety
    Safe: the call does nothing as it stands, or raises. No fix is offered where the function around is not `async def`,
    or where the awaited result could not be used in the same way.
    """

    code = "LS504"
    message = "`{call}` is not awaited, so {harm}"
    gates = (rf"\.({'|'.join(sorted(COROUTINES))})\s*\(".encode(),)
    fixable = Safety.SAFE

    def visit_Expr(self, node: cst.Expr) -> None:
        for value in discarded(node.value):
            if coroutine_method(self.context.types, value, self.context.scope) not in CLOSING:
                self._use(value, "it never runs")

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if isinstance(node.value, cst.Call) and node.value.args:
            self._use(node.value, f"`.{node.attr.value}` raises an AttributeError")

    def visit_Subscript(self, node: cst.Subscript) -> None:
        self._use(node.value, "the subscript raises a TypeError")

    def visit_For(self, node: cst.For) -> None:
        self._loop(node)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._loop(node)

    def _loop(self, node: cst.For | cst.CompFor) -> None:
        name = coroutine_method(self.context.types, node.iter, self.context.scope)
        streams = name in ("stream", "stream_scalars")
        self._use(node.iter, "the loop raises a TypeError", fixes=streams == (node.asynchronous is not None))

    def visit_WithItem(self, node: cst.WithItem) -> None:
        self._use(node.item, "entering it raises an error", fixes=False)

    def visit_If(self, node: cst.If) -> None:
        self._test(node.test)

    def visit_While(self, node: cst.While) -> None:
        self._test(node.test)

    def visit_IfExp(self, node: cst.IfExp) -> None:
        self._test(node.test)

    def visit_Assert(self, node: cst.Assert) -> None:
        self._test(node.test)

    def _test(self, test: cst.BaseExpression) -> None:
        for value in tested(test):
            self._use(value, "the condition is always true")

    def visit_Comparison(self, node: cst.Comparison) -> None:
        for value in (node.left, *(target.comparator for target in node.comparisons)):
            self._use(value, "a coroutine is compared")

    def visit_Assign(self, node: cst.Assign) -> None:
        if len(node.targets) == 1:
            self._named(node.targets[0].target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._named(node.target, node.value)

    def _named(self, target: cst.BaseExpression, value: cst.BaseExpression | None) -> None:
        """A coroutine that is given a name, under which nobody awaits it or passes it on."""
        if not (isinstance(target, cst.Name) and isinstance(value, cst.Call)):
            return
        if coroutine_method(self.context.types, value, self.context.scope) is None:
            return
        found = misuse_of_name(target.value, self.context.scope)
        if found is Misuse.UNUSED:
            self._use(value, "it never runs")
        elif found is not None:
            self._use(value, f"`{target.value}` is {found.value}")

    def _use(self, call: cst.BaseExpression, harm: str, *, fixes: bool = True) -> None:
        types, scope = self.context.types, self.context.scope
        if coroutine_method(types, call, scope) is not None:
            self.report(call, call=self.context.short(call), harm=harm, fix=_fix(self.context, call) if fixes else None)


def _fix(context: Context, call: cst.BaseExpression) -> LateFix:
    return partial(await_call, context.block, call, context.scope)
