"""LS101: a provider whose session is not closed when an exception arrives at its yield."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Acquisition
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.lifecycle import Exit, Leak, Lifecycle
from lint_sessions.flow.providers import delegations
from lint_sessions.flow.values import Site
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import Scope
from lint_sessions.rule import Rule, TraceStep


class YieldWithoutFinally(Rule):
    """Provider leaves its session open when the request fails.

    ## What it does
    Finds generator functions that yield a session which they opened themselves, and that some way out of the `yield`
    leaves open: nothing closes it in a `finally` or a `with`, or the close stands in an `except` or after the `yield`,
    where not every path comes by. Also those that hand on another provider's session by `async for`: an exception
    ends the loop, and leaves the other generator suspended with its session open. LS106 has the fix for these.

    ## Why is this bad?
    FastAPI, and `contextlib.contextmanager`, throw the error of the request or of the `with` block into the generator
    at its `yield`. A `close()` after a bare `yield` is skipped then, and the session keeps its connection checked out
    until the garbage collector happens to find it. With a pool of two connections, the third failing request waits for
    the pool's timeout and gets a 500. `except Exception` does not see a cancelled request either.

    ## Example
    ```python
    def get_db():
        db = SessionLocal()
        yield db
        db.close()
    ```

    ## Use instead
    ```python
    def get_db():
        db = SessionLocal()
        try:
            yield db
        finally:
            db.close()
    ```

    ## What it leaves alone
    A `yield` inside `with`, `async with`, `closing(...)` or an `ExitStack`; a session that somebody else owns, such as
    a parameter; pytest fixtures, which pytest resumes also when the test fails; generators that yield data; a handler
    that rolls back on every failing path, cancellation included, since no connection is held after that.

    ## Fix safety
    Safe: on a run that succeeds the same statements run in the same order. What follows the acquisition is put into
    `try`, and the close into its `finally`; an existing `try` gets the `finally`. Where an existing `finally` can be
    left before its end, or the name is used outside the suite that opens it, there is no fix.
    """

    code = "LS101"
    message = "{session} stays open {when}: `{provider}` closes nothing on that path"
    gates = (rb"\byield\b",)
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        if not scope.is_generator or self.context.types.is_fixture(scope):
            return
        runs = self.context.lifecycle(scope)
        for site in {leak.site.key: leak.site for leak in runs.leaks if leak.lent}.values():
            leak = runs.leak_of(site, lent=True)
            place = _yield_of(leak)
            if leak is None or place is None or site.node is None:
                continue
            value = place.value if isinstance(place.value, cst.BaseExpression) else site.node
            session = f"`{self.context.short(value)}`"
            self.report(
                place,
                trace=[TraceStep(site.node, "acquired here"), TraceStep(place, _arrival(leak)), *_end(leak)],
                session=session,
                when=_when(leak),
                provider=node.name.value,
                fix=partial(_close_in_finally, self.context, site, place, runs),
            )
        self._report_delegated(scope)

    def _report_delegated(self, scope: Scope) -> None:
        """An `async for` over another provider: what ends the loop does not end that provider (LS106 has the fix)."""
        for found in delegations(self.context.types, scope):
            if found.is_async and found.place.value is not None:
                self.report(
                    found.place,
                    trace=[
                        TraceStep(found.call, "this generator opens the session, and only the loop resumes it"),
                        TraceStep(found.place, "an exception of the request arrives here and ends the loop"),
                    ],
                    session=f"`{self.context.short(found.place.value)}`",
                    when="when the request fails",
                    provider=f"async for ... in {self.context.short(found.call)}",
                )


def _yield_of(leak: Leak | None) -> cst.Yield | None:
    steps = leak.trail.steps(leak.site) if leak is not None and leak.trail is not None else []
    return next((n for n, event in reversed(steps) if event == "yielded" and isinstance(n, cst.Yield)), None)


def _when(leak: Leak) -> str:
    match leak.exit:
        case Exit.END | Exit.RETURN:
            return "after each request"
        case Exit.CANCEL:
            return "when the request is cancelled"
    return "when the request fails"


def _arrival(leak: Leak) -> str:
    match leak.exit:
        case Exit.END | Exit.RETURN:
            return "lent here; the run goes on to the end of the function"
        case Exit.CANCEL:
            return "cancellation arrives here"
    return "an exception of the request arrives here"


def _end(leak: Leak) -> list[TraceStep]:
    if leak.node is None or isinstance(leak.node, cst.Yield):
        return []
    return [TraceStep(leak.node, "leaves the function with the session open")]


def _close_in_finally(context: Context, site: Site, place: cst.Yield, runs: Lifecycle) -> Fix | None:
    """Guard everything after the acquisition by a finally that closes; an existing try gets the finally."""
    made = Acquisition.of(context.block, site.node) if site.node is not None else None
    if made is None or made.rebinds() or made.is_half_closed(is_async=site.flavor.is_async) or made.is_used_outside():
        return None
    at = next((i for i, statement in enumerate(made.rest) if any(part is place for part in walk(statement))), None)
    if at is None:
        return None
    close = f"await {made.name}.close()" if site.flavor.is_async else f"{made.name}.close()"
    around = made.rest[at]
    if isinstance(around, cst.Try) and around.finalbody is not None:
        inside = set(walk(around.finalbody))
        if any(leak.site.key == site.key and leak.node in inside for leak in runs.leaks):
            return None  # it is left there before its end
    edits = _into_try(made, around, at, close) if isinstance(around, cst.Try) else _new_try(made, at, close)
    return Fix("Close in `finally`", Safety.SAFE, tuple(edits)) if edits else None


def _is_last(made: Acquisition, suite: cst.BaseSuite, place: int) -> bool:
    """Whether what follows in a suite has nothing to do with the session."""
    return not any(made.mentions(statement) for statement in suite.body[place + 1 :])


def _new_try(made: Acquisition, at: int, close: str) -> list[Edit]:
    lines, rest = made.lines, list(made.rest)
    closing = next((i for i, statement in enumerate(rest) if made.is_close(statement)), len(rest))
    if closing < at:
        return []
    body = rest[:closing]
    rows = lines.with_comments(lines.rows(body), lines.rows([made.statement]).stop - 1)
    indent, step = lines.indent(rows.start), lines.step
    edits = [lines.insert(rows.start, [f"{indent}try:"]), *lines.deeper(rows, step)]
    ending = [f"{indent}finally:", f"{indent}{step}{close}"]
    if closing == len(rest):
        return [*edits, lines.insert(rows.stop, ending)]
    old = lines.rows([rest[closing]])
    return [*edits, lines.insert(old.start, ending[:1]), *lines.deeper(old, step)]


def _into_try(made: Acquisition, node: cst.Try, at: int, close: str) -> list[Edit]:
    lines = made.lines
    if at > 0 or isinstance(node.body, cst.SimpleStatementSuite):
        return []
    indent, step = lines.indent(lines.rows([node]).start), lines.step
    if node.finalbody is not None:
        closed = any(made.is_close(statement) for statement in walk(node.finalbody))
        last = lines.rows([node]).stop
        return [] if closed else [lines.insert(last, [f"{indent}{step}{close}"])]
    gone: list[range] = []
    for handler in node.handlers:
        closes = [s for i, s in enumerate(handler.body.body) if made.is_close(s) and _is_last(made, handler.body, i)]
        if closes and len(closes) == len(handler.body.body):
            return []
        gone += [lines.rows([s]) for s in closes]
    if node.orelse is not None:
        body = node.orelse.body.body
        closes = [s for i, s in enumerate(body) if made.is_close(s) and _is_last(made, node.orelse.body, i)]
        if closes and len(closes) == len(body):
            gone.append(range(lines.rows([node.orelse]).start, lines.rows(closes).stop))
        else:
            gone += [lines.rows([s]) for s in closes]
    after = made.rest[at + 1 :]
    if after and made.is_close(after[0]):
        gone.append(lines.rows([after[0]]))
    elif any(made.is_close(s) for s in after):
        return []
    ending = lines.insert(lines.rows([node]).stop, [f"{indent}finally:", f"{indent}{step}{close}"])
    return [ending, *(lines.delete(rows) for rows in gone)]
