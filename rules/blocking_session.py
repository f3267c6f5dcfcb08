"""LS503: a synchronous session that waits for the database on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.flow.blocking import Chain
from lint_sessions.flow.operations import BUILDERS
from lint_sessions.project.scopes import Scope
from lint_sessions.rule import Rule, TraceStep


class BlockingSession(Rule):
    """Synchronous session waits for the database on the event loop.

    ## What it does
    Finds coroutine functions that run on the event loop of a server (routes, dependencies, middleware, handlers of
    messages and events, background tasks, and what these await or start) and talk to the database through a
    synchronous session: themselves, or in functions that they call, however deep. One finding for each such function,
    at the first call that waits.

    ## Why is this bad?
    While a synchronous session waits for its statement, the event loop stands still: no other request is read,
    answered or cancelled, and every client waits for the slowest query of any. It can also be a deadlock. With the pool
    exhausted, the call waits for a connection, and the requests that hold one cannot go on to give it back; after
    `pool_timeout`, 30 seconds by default, it fails with a TimeoutError.

    ## Example
    ```python
    @app.get("/users/{user_id}")
    async def read_user(user_id: int, db: Session = Depends(get_db)):
        return db.get(User, user_id)
    ```

    ## Use instead
    ```python
    @app.get("/users/{user_id}")
    def read_user(user_id: int, db: Session = Depends(get_db)):
        return db.get(User, user_id)
    ```

    A route that has to await something else can have the work with the session done in a thread, by
    `await run_in_threadpool(...)` or `await asyncio.to_thread(...)`; or it takes an AsyncSession.

    ## What it leaves alone
    `def` routes and dependencies, which FastAPI runs in threads; functions that are passed to `run_in_threadpool`,
    `asyncio.to_thread`, `anyio.to_thread.run_sync`, `run_in_executor` or `AsyncSession.run_sync`; AsyncSession; what
    sends nothing to the database (`add`, `add_all`, `expunge`, a query that is built and not run); sessions that are
    only opened and closed; a `rollback()` that cleans up after a failure. Coroutines of scripts and workers that
    `asyncio.run` runs, and what runs before the server serves or after (startup, lifespan). A coroutine function that
    nothing is seen to call on the loop of a server; tasks of a queue; tests. Sessions whose sort is not certain, and
    whatever is awaited.

    ## Fix safety
    There is no fix: `def` would do for a function that awaits nothing, but then all that await it have to change too.
    """

    code = "LS503"
    message = "async `{function}` blocks the event loop: {chain}"
    gates = (rb"\basync\s+def\b", rb"\(")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if node.asynchronous is None:
            return
        scope = self.context.scope_of(node)
        chain = self.context.blocking.first(scope)
        entry = self.context.serving.entry(scope) if chain is not None else None
        if chain is not None and entry is not None:
            calls = [_brief(step.node) for step in chain]
            shown = calls if len(calls) < 4 else [calls[0], "…", calls[-1]]
            words = " → ".join(call if call == "…" else f"`{call}`" for call in shown)
            self.report(chain[0].node, trace=_trace(scope, entry, chain), function=scope.name, chain=words)


def _trace(scope: Scope, entry: Scope, chain: Chain) -> Iterator[TraceStep]:
    if entry is not scope and entry.function is not None:
        yield TraceStep(
            entry.function, f"`{entry.name}` runs on the event loop and leads to `{scope.name}`", entry.block
        )
    for step in chain[:-1]:
        yield TraceStep(step.node, "calls", step.block)
    yield TraceStep(chain[-1].node, "waits for the database here", chain[-1].block)


def _brief(node: cst.CSTNode) -> str:
    """A call as a reader names it: no arguments, and of a query only where it begins and what runs it."""
    match node:
        case cst.Call(func=cst.Attribute(value=cst.Call() as inner, attr=cst.Name(value=name))) if name in BUILDERS:
            return _brief(inner)
        case cst.Call(func=func, args=args):
            return f"{_brief(func)}({'…' if args else ''})"
        case cst.Attribute(value=value, attr=attr):
            return f"{_brief(value)}.{attr.value}"
        case cst.Name(value=name):
            return name
    return "…"
