"""LS301: a session that some path leaves open."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Acquisition, without
from lint_sessions.flow.lifecycle import Exit, Leak, Lifecycle
from lint_sessions.flow.values import Phase
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import runs_once
from lint_sessions.rule import Edit, Fix, Rule, Safety, TraceStep


class UnclosedSession(Rule):
    """Session is left open on some path.

    ## What it does
    Follows each session from the call that opens it along every path of the function (branches, loop turns, early
    returns, statements that may raise) and reports one on which it is neither closed nor handed to an owner, while its
    connection is checked out. The finding shows the path.

    ## Why is this bad?
    A session in a transaction keeps a connection of the pool. When it is dropped, CPython does not give the connection
    back: a session and its transaction refer to each other, so only the garbage collector ends them, at some time of
    its own. Under load the pool runs dry before that, and every request waits for the pool's timeout and then fails.

    ## Example
    ```python
    @app.get("/users/{user_id}")
    def read_user(user_id: int):
        db = SessionLocal()
        user = db.get(User, user_id)
        if user is None:
            raise HTTPException(404)
        name = user.name
        db.close()
        return {"name": name}
    ```

    ## Use instead
    ```python
    @app.get("/users/{user_id}")
    def read_user(user_id: int):
        with SessionLocal() as db:
            user = db.get(User, user_id)
            if user is None:
                raise HTTPException(404)
            name = user.name
        return {"name": name}
    ```

    ## What it leaves alone
    `with`, `closing`, `ExitStack` and a close in `finally`; a session that is returned, yielded, stored on an object or
    in a container, or passed to a callee that closes it or of which nothing is known; a session bound to a connection
    that somebody else holds; a session that holds no connection when it is dropped: never used, only added to, or last
    committed or rolled back; functions that only the `__main__` part of a script calls, since the process ends then.

    ## Fix safety
    Safe where the function already closes the session after its last use: that part becomes a `with` block. Unsafe
    where nothing closes it: instances that are read after the new block are detached by then.
    """

    code = "LS301"
    message = "{session} {how}"
    gates = (rb"\(",)
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        if runs_once(scope) or self.context.types.is_fixture(scope):
            return
        runs = self.context.lifecycle(scope)
        for site in {leak.site.key: leak.site for leak in runs.leaks if not leak.lent}.values():
            leak = runs.leak_of(site, lent=False)
            if leak is None or site.node is None:
                continue
            fix = partial(_with_block, self.context, scope, leak, runs)
            self.report(
                site.node,
                fix=fix,
                trace=self._trace(leak),
                session=f"`{self.context.short(site.node)}`",
                how=self._how(leak),
            )

        if scope.name in ("__enter__", "__aenter__"):
            self._kept_on_self(scope, runs)

    def _kept_on_self(self, scope: Scope, runs: Lifecycle) -> None:
        """A context manager of the project keeps the session, and leaving it may not close it."""
        sites = {id(site.node): site for state, _ in runs.returned for site, _ in state.sessions if site.acquired}
        for attribute, assigned in scope.attributes_set.items():
            for value, _ in assigned:
                site = sites.get(id(value.expression if isinstance(value, cst.Await) else value))
                if site is None or site.node is None or scope.parent is None or site.flavor.on_connection:
                    continue
                found = self.context.summaries.exit_leak(scope.parent, attribute, site.flavor)
                if found is None:
                    continue
                method, leak = found
                trace = [TraceStep(site.node, "acquired here, and kept on the object")]
                if leak.node is not None:
                    trace.append(TraceStep(leak.node, _WORDS[leak.exit.name], method.block))
                how = f"is left open by `{method.name}`"
                if leak.exit is Exit.DATABASE and leak.node is not None:
                    how = f"is left open when `{self.context.short(leak.node, block=method.block)}` fails"
                self.report(site.node, trace=trace, session=f"`{self.context.short(site.node)}`", how=how)

    def _how(self, leak: Leak) -> str:
        at = f"`{self.context.short(leak.node)}`" if leak.node is not None else ""
        match leak.exit:
            case Exit.END:
                return "is never closed"
            case Exit.OVERWRITTEN:
                return "is dropped while its connection is checked out"
            case Exit.RETURN:
                return f"is left open by {at}"
            case Exit.RAISE:
                return f"is left open when {at} leaves"
            case Exit.CANCEL:
                return f"is left open when the task is cancelled at {at}"
        return f"is left open when {at} fails"

    def _trace(self, leak: Leak) -> list[TraceStep]:
        steps = leak.trail.steps(leak.site) if leak.trail is not None else []
        if leak.exit is Exit.OVERWRITTEN and steps and steps[-1] == (leak.site.node, "acquired"):
            steps = steps[:-1]
        starts = [i for i, step in enumerate(steps) if step == (leak.site.node, "acquired")]
        steps = [s for s in steps[starts[-1] if starts else 0 :] if s[1] != "acquired" or s[0] is leak.site.node]
        if leak.node is not None and leak.exit is not Exit.RETURN:
            steps = [s for s in steps if s[0] is not leak.node or s[1] == "acquired"] + [(leak.node, leak.exit.name)]
        return [TraceStep(node, _WORDS[event]) for node, event in steps if event in _WORDS]


_WORDS = {
    "acquired": "acquired here",
    "used": "takes a connection here",
    "caught": "the failure is caught here",
    "returned": "returns here, with the session open",
    Exit.RETURN.name: "returns here, with the session open",
    Exit.END.name: "ends here, with the session open",
    Exit.RAISE.name: "leaves here, with the session open",
    Exit.DATABASE.name: "fails here, with the session open",
    Exit.ERROR.name: "fails here, with the session open",
    Exit.LOOKUP.name: "fails here, with the session open",
    Exit.CANCEL.name: "cancelled here, with the session open",
    Exit.OVERWRITTEN.name: "nothing leads to the session any more",
}


def _with_block(context: Context, scope: Scope, leak: Leak, runs: Lifecycle) -> Fix | None:
    """Put the uses into `with`; safe where the code already closes the session after its last use."""
    site = leak.site
    made = Acquisition.of(context.block, site.node) if site.node is not None else None
    if (
        made is None
        or made.rebinds()
        or made.is_half_closed(is_async=site.flavor.is_async)
        or scope.is_generator
        or _leaves(leak, runs)
    ):
        return None
    function = scope.function
    if site.flavor.is_async and (function is None or function.asynchronous is None):
        return None
    lines, rest = made.lines, list(made.rest)
    last = max((i for i, statement in enumerate(rest) if made.mentions(statement)), default=None)
    if last is None:
        return None
    closes = made.is_close(rest[last])
    body = rest[:last] if closes else rest[: last + 1]
    if not body:
        return None
    start, end = (context.document.offset(place) for place in context.block.span(made.statement))
    keyword = "async with" if site.flavor.is_async else "with"
    edits = [
        Edit(start, end, f"{keyword} {context.source(made.value)} as {made.name}:"),
        *lines.deeper(range(lines.rows([made.statement]).stop, lines.rows(body).stop), lines.step),
    ]
    gone = [lines.rows([s]) for s in [*made.inner_closes(body), *(rest[last : last + 1] if closes else [])]]
    safety = Safety.SAFE if closes else Safety.UNSAFE
    return Fix(f"Use `{keyword}`", safety, tuple(without(edits, gone, lines)))


def _leaves(leak: Leak, runs: Lifecycle) -> bool:
    """Whether some run hands the session to somebody else."""
    ends = (state.session(leak.site) for state, _ in runs.returned)
    return any(s is not None and not s.owned and s.phase is not Phase.CLOSED for s in ends)
