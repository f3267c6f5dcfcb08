"""LS404: a provider that commits after its yield, and rolls back only by closing."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.providers import Provider
from lint_sessions.flow.state import State
from lint_sessions.flow.values import Cause, Held, Phase, Raised, Site
from lint_sessions.project.names import dotted, path_to, walk, walk_scope
from lint_sessions.rule import Rule, TraceStep


class ImplicitRollback(Rule):
    """Provider commits after its yield, and leaves the rollback to the close.

    ## What it does
    Finds providers and context managers that commit after their `yield`, and on an error only close the session.

    ## Why is this bad?
    The close gives the connection back, and the database undoes the transaction; but it is no rollback of the session.
    Listeners to `after_rollback`, which remove an uploaded file or empty a cache, are not called. And whoever reads the
    provider has to know that the close undoes what was done. Commit on success, roll back on an error, close always:
    the three belong together.

    ## Example
    ```python
    def get_db():
        with SessionLocal() as db:
            yield db
            db.commit()
    ```

    ## Use instead
    ```python
    def get_db():
        with SessionLocal() as db:
            try:
                yield db
                db.commit()
            except Exception:
                db.rollback()
                raise
    ```

    ## What it leaves alone
    Providers that do not commit; `begin()` blocks, which roll back; a rollback in `except` or `finally`; sessions that
    somebody else closes; what is not closed at all on that path (LS101).

    ## Fix safety
    Safe: the rollback comes right before a close that would have undone the same, and the error goes on. No fix is
    offered where the `try` has handlers already, or where the commit stands in another block than the `yield`.
    """

    code = "LS404"
    message = "`{provider}` commits after this `yield`, and leaves the rollback on an error to {close}"
    gates = (rb"\byield\b", rb"\bcommit\b")
    default = False
    deferred_to = frozenset(["LS101", "LS104"])
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        lent = self.context.provider(scope)
        for place in lent.yields if lent is not None else ():
            assert lent is not None
            commit, close = _commit(node, place), _only_close(lent, place)
            if commit is None or close is None or not self.context.owns(close):
                continue
            is_block, closing = isinstance(close, cst.WithItem), self.context.short(close)
            self.report(
                place,
                trace=[
                    TraceStep(place, "an exception arrives here"),
                    TraceStep(commit, "is passed over, with no rollback in its place"),
                    TraceStep(close, "ends the transaction"),
                ],
                provider=node.name.value,
                close=f"the end of `with {closing}`" if is_block else f"`{closing}`",
                fix=partial(_roll_back, self.context, node, place, commit),
            )


def _commit(function: cst.FunctionDef, place: cst.Yield) -> cst.CSTNode | None:
    """The commit of the lent session that follows a yield when all goes well."""
    nodes = list(walk_scope(function))
    after = nodes[next(i for i, node in enumerate(nodes) if node is place) :]
    lent = dotted(place.value) if isinstance(place.value, cst.BaseExpression) else None
    for node in after if lent is not None else ():
        match node:
            case cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value="commit"))) if dotted(owner) == lent:
                if not any(isinstance(part, (cst.ExceptHandler, cst.Finally)) for part in path_to(function, node)):
                    return node
    return None


def _only_close(lent: Provider, place: cst.Yield) -> cst.CSTNode | None:
    """What closes the session after an error that nothing rolls back."""
    site = _site(lent, place)
    if site is None:
        return None
    for state in lent.in_use(place, Raised(Cause.ERROR)).raised:
        if not _is_passed_on(lent, place, state):
            continue
        session, steps = state.session(site), lent.trail(place, state)
        closes = [node for node, event in steps if event == "closed"]
        ends = [event for _, event in steps if event in ("committed", "rolled back", "ended")]
        if session is not None and session.phase is Phase.CLOSED and closes and not ends:
            return closes[0]
    return None


def _is_passed_on(lent: Provider, place: cst.Yield, state: State) -> bool:
    """Whether it is the error of whoever was lent the session that leaves."""
    node = state.raised.node if state.raised is not None else None
    return isinstance(node, cst.Raise) or any(node is pause.node for pause in lent.yields[place])


def _site(lent: Provider, place: cst.Yield) -> Site | None:
    """The session that is lent, if the provider has made it."""
    sites = {pause.value.site for pause in lent.yields[place] if isinstance(pause.value, Held)}
    site = sites.pop() if len(sites) == 1 else None
    return site if site is not None and (site.acquired or site.managed) else None


def _roll_back(context: Context, function: cst.FunctionDef, place: cst.Yield, commit: cst.CSTNode) -> Fix | None:
    """Roll back where the error arrives: in a handler of the `try` that closes, or of a new one."""
    suite, around = _suite(function, place)
    first, last = _index(suite, place), _index(suite, commit)
    if suite is None or first is None or last is None or not isinstance(place.value, cst.Name):
        return None
    statement = suite.body[last]
    lines = Lines(context.block)
    if isinstance(around, cst.Try) and around.body is suite:
        if around.handlers:
            return None
        outer, end, edits = lines.indent(lines.rows([around]).start), lines.rows(suite.body).stop, []
    else:
        rows = lines.rows(suite.body[first : last + 1])
        outer, end = lines.indent(rows.start), rows.stop
        start, *deeper = lines.deeper(rows, lines.step)
        edits = [Edit(start.start, start.end, f"{outer}try:{lines.newline(rows.start)}{start.text}"), *deeper]
    waiting = "await " if any(isinstance(part, cst.Await) for part in path_to(statement, commit)) else ""
    handled = [f"{waiting}{place.value.value}.rollback()", "raise"]
    handler = [f"{outer}except Exception:", *(f"{outer}{lines.step}{line}" for line in handled)]
    return Fix("Roll back on an error", Safety.SAFE, (*edits, lines.insert(end, handler)))


def _suite(function: cst.FunctionDef, node: cst.CSTNode) -> tuple[cst.IndentedBlock | None, cst.CSTNode]:
    """The innermost suite around a node, with the statement whose suite it is."""
    around: cst.CSTNode = function
    found: tuple[cst.IndentedBlock | None, cst.CSTNode] = None, function
    for part in path_to(function, node):
        found = (part, around) if isinstance(part, cst.IndentedBlock) else found
        around = part
    return found


def _index(suite: cst.IndentedBlock | None, node: cst.CSTNode) -> int | None:
    """The number of the statement of a suite in which a node stands."""
    body = suite.body if suite is not None else ()
    return next((i for i, statement in enumerate(body) if any(part is node for part in walk(statement))), None)
