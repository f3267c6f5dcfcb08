"""LS302: a session that is used after its close, and so begins again."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.lifecycle import Leak
from lint_sessions.rule import Rule, TraceStep


class UseAfterClose(Rule):
    """Session is used after it was closed.

    ## What it does
    Finds a session that a function opened, closed (by `close()`, or at the end of its `with` block) and then uses
    again, itself or through a lazy query of it, without closing it once more.

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
    message = "{use} uses a closed session, which begins again and is never closed"
    gates = (rb"\bwith\b|\bclose\b|\baclose\b|\(",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        runs = self.context.lifecycle(self.context.scope_of(node))
        found = {leak.reopened: leak for leak in reversed(runs.leaks) if leak.reopened is not None}
        for use, leak in found.items():
            if self.context.owns(use):
                self.report(use, trace=self._trace(leak, use), use=f"`{self.context.short(use)}`")

    def _trace(self, leak: Leak, use: cst.CSTNode) -> list[TraceStep]:
        steps = leak.trail.steps(leak.site) if leak.trail is not None else []
        closes = [place for place, event in steps if event == "closed" and self.context.owns(place)]
        notes = [TraceStep(leak.site.node, "acquired here")] if leak.site.node is not None else []
        notes += [TraceStep(place, "closed here") for place in closes[-1:]]
        return [*notes, TraceStep(use, "begins again here")]
