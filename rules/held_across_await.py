"""LS507: a transaction that is kept open while something slow is awaited."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.slow import is_slow
from lint_sessions.rule import Rule, TraceStep


class HeldAcrossAwait(Rule):
    """Transaction stays open while an answer of another server is awaited.

    ## What it does
    Finds an `await` of something slow (an HTTP or mail client, the SDK of a language model, a subprocess, a sleep)
    between a statement of an AsyncSession and the commit, rollback or close that ends its transaction.

    ## Why is this bad?
    The session keeps its connection, and the database its locks and its snapshot, until the other server has answered.
    Fifteen requests that wait ten seconds each take all connections of a pool of fifteen: every other request waits as
    well, and fails after the pool's timeout, although the database has nothing to do.

    ## Example
    ```python
    import httpx


    async def summarize(session: AsyncSession, note_id: int):
        note = await session.get(Note, note_id)
        async with httpx.AsyncClient() as client:
            answer = await client.post("https://example.com/summary", json={"text": note.text})
        note.summary = answer.text
        await session.commit()
    ```

    ## Use instead
    ```python
    import httpx


    async def summarize(session: AsyncSession, note_id: int):
        note = await session.get(Note, note_id)
        text = note.text
        await session.commit()
        async with httpx.AsyncClient() as client:
            answer = await client.post("https://example.com/summary", json={"text": text})
        note = await session.get(Note, note_id)
        note.summary = answer.text
        await session.commit()
    ```

    ## What it leaves alone
    An `await` before the first statement, or after a commit, rollback or close; `asyncio.sleep(0)`; coroutines of the
    project and of other packages that are not seen to wait for anything slow; synchronous sessions.

    ## Fix safety
    No fix is offered: what has to be in one transaction is yours to say.
    """

    code = "LS507"
    message = "`{awaited}` is awaited in an open transaction, which keeps its connection all the while"
    gates = (rb"\bawait\b|\basync\s+with\b",)
    default = False  # how long is too long depends on the load

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if node.asynchronous is None:
            return
        scope = self.context.scope_of(node)
        for waited in self.context.lifecycle(scope).waited.values():
            if not self.context.owns(waited.node) or not is_slow(self.context.types, waited.node, scope):
                continue
            steps = waited.state.trail.steps(waited.site) if waited.state.trail is not None else []
            used = [place for place, event in steps if event == "used" and self.context.owns(place)]
            self.report(
                waited.node,
                trace=[
                    *(TraceStep(place, "the transaction begins here") for place in used[-1:]),
                    TraceStep(waited.node, "awaited here"),
                ],
                awaited=self.context.short(waited.node),
            )
