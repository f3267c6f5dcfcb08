"""LS108: a session acquired inside the `try` whose `finally` closes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Acquisition, closed_name
from lint_sessions.finding import Fix, Safety
from lint_sessions.flow.operations import QUIET_CALLS, is_log_call
from lint_sessions.project.names import bindings, walk, walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import External, FunctionType, SessionType
from lint_sessions.rule import Rule, TraceStep


class AcquireInsideTry(Rule):
    """Session is acquired inside the `try` whose `finally` closes it.

    ## What it does
    Finds a `finally` that closes a session by a name which is first bound inside the `try`, by a call that can fail or
    below a statement that can.

    ## Why is this bad?
    If the acquisition fails, the name is not bound, and the `finally` fails with UnboundLocalError. Whoever handles
    the real error, by a 503 for instance, never sees it. A plain sessionmaker does not fail, a function of your own
    that connects does.

    ## Example
    ```python
    def connect():
        ping(engine)
        return SessionLocal()


    def get_db():
        try:
            db = connect()
            yield db
        finally:
            db.close()
    ```

    ## Use instead
    ```python
    def connect():
        ping(engine)
        return SessionLocal()


    def get_db():
        db = connect()
        try:
            yield db
        finally:
            db.close()
    ```

    ## What it leaves alone
    An acquisition before the `try`; a name that is bound to None before it; a session class or sessionmaker called
    as the first thing in the `try`, since that does not fail.

    ## Fix safety
    Safe: the acquisition moves above the `try`, so only the error that it raises is another one. A fix is offered where
    it is the first statement there, and no `except` of that `try` could have taken its error.
    """

    code = "LS108"
    message = "`{close}` raises UnboundLocalError when {failed} fails, which hides the error"
    gates = (rb"\bfinally\b", rb"\b(close|aclose)\b")
    default = False
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        for around in walk_scope(node):
            if not isinstance(around, cst.Try) or around.finalbody is None:
                continue
            for name, close in _closed(around.finalbody):
                made = self._acquisition(around, name, scope)
                if made is None or name in scope.outer_names or _is_bound_elsewhere(node, around, name):
                    continue
                failing = self._failing(around.body.body, made, scope)
                if failing is not None:
                    self.report(
                        made,
                        trace=[
                            TraceStep(failing, f"fails here, before `{name}` is bound"),
                            TraceStep(close, "fails in its turn"),
                        ],
                        close=self.context.short(close),
                        failed=f"`{self.context.short(failing, 30)}`",
                        fix=partial(_move_above, self.context, around, made),
                    )

    def _acquisition(self, around: cst.Try, name: str, scope: Scope) -> cst.Call | None:
        """The call by which the body of a `try` binds a name to a session."""
        for statement in around.body.body:
            match statement:
                case cst.SimpleStatementLine(
                    body=[
                        cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=target))], value=value)
                        | cst.AnnAssign(target=cst.Name(value=target), value=cst.BaseExpression() as value)
                    ]
                ) if target == name:
                    kind = self.context.types.infer(value, scope)
                    call = value.expression if isinstance(value, cst.Await) else value
                    return call if isinstance(call, cst.Call) and isinstance(kind, SessionType) else None
        return None

    def _failing(self, body: Sequence[cst.CSTNode], made: cst.Call, scope: Scope) -> cst.Call | None:
        """The first call that can fail before the session has its name."""
        for statement in body:
            is_last = any(part is made for part in walk(statement))
            calls = [part for part in walk_scope(statement) if isinstance(part, cst.Call)]
            failing = next((call for call in calls if self._may_fail(call, scope)), None)
            if failing is not None or is_last:
                return failing
        return None

    def _may_fail(self, call: cst.Call, scope: Scope) -> bool:
        kind = self.context.types.infer(call.func, scope)
        if isinstance(self.context.types.infer(call, scope), SessionType) and not isinstance(kind, FunctionType):
            return False
        match kind:
            case FunctionType():
                return any(ending.raised is not None for ending in self.context.summaries.of(kind, ()).endings)
            case External(name=name) if name in QUIET_CALLS:
                return False
        return not is_log_call(call)


def _closed(finally_: cst.Finally) -> Iterator[tuple[str, cst.CSTNode]]:
    """The names that a `finally` reads on every path to close them, each with the statement that reads it."""
    for statement in finally_.body.body:
        name = closed_name(statement)
        if name is None and isinstance(statement, cst.If):
            asked = [part.value for part in walk(statement.test) if isinstance(part, cst.Name)]
            name = next((n for n in map(closed_name, statement.body.body) if n is not None and asked[:1] == [n]), None)
        if name is not None:
            yield name, statement.test if isinstance(statement, cst.If) else statement


def _is_bound_elsewhere(function: cst.FunctionDef, around: cst.Try, name: str) -> bool:
    """Whether something outside the body of a `try` binds a name, so that it may be bound before."""
    inside = {id(part) for part in walk(around.body)}
    return any(binding.name == name and id(binding.node) not in inside for binding in bindings(function))


def _move_above(context: Context, around: cst.Try, made: cst.Call) -> Fix | None:
    """Move the acquisition, which comes first in the `try`, above it."""
    acquired = Acquisition.of(context.block, made)
    if acquired is None or around.handlers or acquired.place > 0 or not acquired.rest:
        return None
    lines, rows = acquired.lines, acquired.lines.rows([acquired.statement])
    head = lines.rows([around])
    above = lines.insert(head.start, [lines.indent(head.start) + lines.text(row).strip() for row in rows])
    return Fix("Acquire before the `try`", Safety.SAFE, (above, lines.delete(rows))) if len(rows) == 1 else None
