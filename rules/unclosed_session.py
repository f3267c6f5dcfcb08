"""LS301: a session that some path leaves open."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Fix, Safety
from lint_sessions.flow.lifecycle import Exit, Leak, Lifecycle
from lint_sessions.late import is_read_late
from lint_sessions.leaks import WORDS, how, opened_alone, path
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import runs_once
from lint_sessions.rule import Rule, TraceStep


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
    where nothing closes it: instances that are read after the new block are detached by then. Where a session is no
    context manager (a `scoped_session`, or SQLAlchemy before 1.4), a `try` with the close in its `finally` takes the
    place of the block. The block takes in what needs the session still: results that are not read yet, queries, objects
    that keep it. Where one of those is returned, where the name is used outside the suite that opens it, or where
    instances are read afterwards that a commit has expired, there is no fix.
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
        own = (leak.site for leak in runs.leaks if not leak.lent and not leak.site.from_step)
        for site in {site.key: site for site in own}.values():
            leak = runs.leak_of(site, lent=False)
            if leak is None or site.node is None:
                continue
            fix = partial(_close_after_uses, self.context, scope, leak, runs)
            self.report(
                site.node,
                fix=fix,
                trace=path(leak),
                session=f"`{self.context.short(site.node)}`",
                how=how(self.context, leak),
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
                    trace.append(TraceStep(leak.node, WORDS[leak.exit.name], method.block))
                told = f"is left open by `{method.name}`"
                if leak.exit is Exit.DATABASE and leak.node is not None:
                    told = f"is left open when `{self.context.short(leak.node, block=method.block)}` fails"
                self.report(site.node, trace=trace, session=f"`{self.context.short(site.node)}`", how=told)


def _close_after_uses(context: Context, scope: Scope, leak: Leak, runs: Lifecycle) -> Fix | None:
    """Put the uses into `with`, or into a `try` where a session cannot be entered; safe where the code already closes
    the session after its last use."""
    made = opened_alone(context, scope, leak, runs)
    if made is None:
        return None
    flavor = leak.site.flavor
    if context.enters(flavor):
        keyword = "async with" if flavor.is_async else "with"
        title, found = f"Use `{keyword}`", made.enclosed(f"{keyword} {context.source(made.value)} as {made.name}:")
    else:
        title, found = "Close in `finally`", made.guarded(f"{'await ' * flavor.is_async}{made.name}.close()")
    if found is None:
        return None
    edits, closes = found
    if not closes and flavor.expires is not False and is_read_late(*made.uses_and_rest(), made.name):
        return None  # what a commit has expired could not be loaded any more
    return Fix(title, Safety.SAFE if closes else Safety.UNSAFE, edits)
