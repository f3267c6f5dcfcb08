"""LS106: a provider that is looped over to hand on its session."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import CLOSES
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.providers import Delegation, Provider, delegations, provider
from lint_sessions.flow.values import Cause, Raised
from lint_sessions.imports import as_manager
from lint_sessions.project.names import path_to, walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.types import GeneratorType
from lint_sessions.rule import Rule, TraceStep

UNDOING = frozenset(["rollback", *CLOSES])


class DelegatedProvider(Rule):
    """Provider is looped over, and never hears of the error at the outer yield.

    ## What it does
    Finds generator functions that hand on the session of another provider by a loop: `async for session in provider():
    yield session`, and the same with `for` where the provider has an `except` that does more than undo.

    ## Why is this bad?
    The exception of the request arrives at the outer `yield` and ends the loop. Nobody throws it into the provider,
    whose `except` never runs; it sees a GeneratorExit. An asynchronous provider does not see even that in time: it
    stays suspended, with its session open, until the event loop finalizes it, which is after the request.

    ## Example
    ```python
    async def get_db():
        async with async_session() as session:
            yield session


    async def get_reader():
        async for session in get_db():
            yield session
    ```

    ## Use instead
    ```python
    async def get_db():
        async with async_session() as session:
            yield session


    async def get_reader():
        async with asynccontextmanager(get_db)() as session:
            yield session
    ```

    ## What it leaves alone
    `yield from`; `aclosing(...)`, and any other name for the generator, which somebody may close; `with` around a
    context manager made from the provider; a `for` over a provider that only cleans up in `finally` or `with`, or whose
    `except` only rolls back what its end rolls back too; pytest fixtures.

    ## Fix safety
    Unsafe: from then on the `except` of the provider runs, and can raise something else.
    """

    code = "LS106"
    message = "`{provider}` does not see an error at this `yield`: {then}"
    gates = (rb"\byield\b", rb"\bfor\b")
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        for found in delegations(self.context.types, scope):
            if found.is_async:
                self._report(found, f"`{self.context.short(found.place.value or found.place)}` stays open", scope)
            elif not _is_guarded(node, found.place) and self._has_handler(found.inner):
                self._report(found, "its `except` never runs", scope)

    def _report(self, found: Delegation, then: str, scope: Scope) -> None:
        self.report(
            found.place,
            trace=[
                TraceStep(found.call, "the provider is started here, and only the loop resumes it"),
                TraceStep(found.place, "an exception of the request arrives here and ends the loop"),
            ],
            provider=self.context.short(found.call),
            then=then,
            fix=partial(_enter, self.context, found, scope),
        )

    def _has_handler(self, inner: GeneratorType) -> bool:
        """Whether an error at the yield of a provider meets a handler there that its end does not make up for."""
        lent = provider(self.context.summaries, inner.function.scope)
        return lent is not None and any(
            isinstance(node, cst.ExceptHandler) and not _only_undoes(node)
            for place in lent.yields
            for node in _caught(lent, place, Cause.ERROR) - _caught(lent, place, Cause.EXIT)
        )


def _is_guarded(function: cst.FunctionDef, place: cst.Yield) -> bool:
    """Whether the outer function handles errors at its yield itself."""
    return any(isinstance(part, cst.Try) and part.handlers for part in path_to(function, place))


def _caught(lent: Provider, place: cst.Yield, cause: Cause) -> set[cst.CSTNode]:
    runs = lent.after(place, Raised(cause))
    states = [*runs.raised, *(state for state, _ in runs.returned)]
    return {node for state in states for node, event in lent.trail(place, state) if event == "caught"}


def _only_undoes(handler: cst.ExceptHandler) -> bool:
    """Whether a handler rolls back, closes and raises again, as the end of the session does without it."""
    for statement in handler.body.body:
        for part in statement.body if isinstance(statement, cst.SimpleStatementLine) else [statement]:
            match part:
                case cst.Raise(exc=None) | cst.Pass():
                    continue
                case cst.Expr(value=cst.Call(func=function) | cst.Await(expression=cst.Call(func=function))):
                    if last_name(function) in UNDOING:
                        continue
            return False
    return True


def _enter(context: Context, found: Delegation, scope: Scope) -> Fix | None:
    """Make the loop a `with` over a context manager made from the provider."""
    loop, call, is_async = found.loop, found.call, found.is_async
    if loop.orelse is not None or any(isinstance(p, (cst.Break, cst.Continue)) for p in walk_scope(loop.body)):
        return None
    made = as_manager(context.types, context.block, call, scope, is_async=is_async)
    if made is None:
        return None
    manager, imports = made
    start, end = (
        context.document.offset(place) for place in (context.block.span(loop)[0], context.block.span(call)[1])
    )
    header = f"{'async with' if is_async else 'with'} {manager} as {context.source(loop.target)}"
    name = manager.partition("(")[0].rpartition(".")[2]
    return Fix(f"Enter it by `{name}`", Safety.UNSAFE, (Edit(start, end, header), *imports))
