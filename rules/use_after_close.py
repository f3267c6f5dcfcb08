"""LS302: a session that is used after its close, and so begins again."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.lifecycle import Leak
from lint_sessions.flow.values import Site
from lint_sessions.project.scopes import Scope
from lint_sessions.rule import Rule, TraceStep


class UseAfterClose(Rule):
    """Session is used after it was closed.

    ## What it does
    Finds a session that a function opened, closed (by `close()`, or at the end of its `with` block) and then uses
    again, itself or through a lazy query of it, without closing it once more. Also a method that keeps such a session
    on its object, and hands out the closed one when it is called again.

    ## Why is this bad?
    A closed session is as good as new: it silently begins again, takes another connection from the pool, and this time
    nobody gives it back. The query works, and the connection is gone until the garbage collector finds the session.

    ## Example
    ```python
    def read_user(user_id: int):
        with SessionLocal() as db:
            user = db.get(User, user_id)
        posts = db.scalars(select(Post).where(Post.user_id == user_id)).all()
        return {"name": user.name, "posts": len(posts)}
    ```

    ## Use instead
    ```python
    def read_user(user_id: int):
        with SessionLocal() as db:
            user = db.get(User, user_id)
            posts = db.scalars(select(Post).where(Post.user_id == user_id)).all()
        return {"name": user.name, "posts": len(posts)}
    ```

    ## What it leaves alone
    A second `close()`; a `rollback()` or an empty `commit()` after the close; a name that is bound to another session
    before the use; attributes of loaded instances; a session that is closed again after the use; sessions that somebody
    else owns, since the owner closes them once more.

    ## Fix safety
    There is no fix: whether the use belongs into the block, or wants a session of its own, is for the author to say.
    """

    code = "LS302"
    message = "{use} {how}"
    gates = (rb"\bwith\b|\bclose\b|\baclose\b|\(",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        runs = self.context.lifecycle(scope)
        found = {leak.reopened: leak for leak in reversed(runs.leaks) if leak.reopened is not None}
        how = "uses a closed session, which begins again and is never closed"
        for use, leak in found.items():
            if self.context.owns(use):
                self.report(use, trace=self._trace(leak, use), use=f"`{self.context.short(use)}`", how=how)
        for path, site in runs.kept.items():
            self._kept(scope, path, site)

    def _kept(self, scope: Scope, path: str, site: Site) -> None:
        """A session that is closed when the method returns is still there when it is called again."""
        again = self.context.summaries.handed_out_again(scope, path, site.flavor)
        stored = scope.attributes_set.get(path.rpartition(".")[2], ())
        if again is None or not stored:
            return
        _, place = stored[-1]
        trace = [TraceStep(place, "kept here"), TraceStep(again, "the closed one is handed out here, the next time")]
        if site.node is not None:
            trace.insert(1, TraceStep(site.node, "closed at the end of this block"))
        self.report(
            place,
            trace=trace,
            use=f"`{path}`",
            how=f"keeps a session that is closed at the end, and the next call of `{scope.name}` hands it out again",
        )

    def _trace(self, leak: Leak, use: cst.CSTNode) -> list[TraceStep]:
        steps = leak.trail.steps(leak.site) if leak.trail is not None else []
        closes = [place for place, event in steps if event == "closed" and self.context.owns(place)]
        notes = [TraceStep(leak.site.node, "acquired here")] if leak.site.node is not None else []
        notes += [TraceStep(place, "closed here") for place in closes[-1:]]
        return [*notes, TraceStep(use, "begins again here")]
