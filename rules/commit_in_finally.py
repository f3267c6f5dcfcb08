"""LS104: a commit that also runs when the work failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.state import LateCommit
from lint_sessions.flow.values import Cause, Phase
from lint_sessions.project.names import dotted, path_to, walk, walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.types import FunctionType
from lint_sessions.rule import Rule, TraceStep

WRITES = frozenset(["add", "add_all", "delete", "merge", "flush", "bulk_save_objects"]) | {
    f"bulk_{verb}_mappings" for verb in ("insert", "update")
}
DML = frozenset(["insert", "update", "delete"])
ENDS = frozenset(["commit", "rollback", "close"])


class CommitInFinally(Rule):
    """Commit in `finally` also stores the work of a run that failed.

    ## What it does
    Finds a `commit()` in a `finally` that is reached while an exception is on its way: one that arrived at the `yield`
    of a provider, or one that was raised after something had been written.

    ## Why is this bad?
    The commit stores whatever was flushed or added before the failure. The client gets a 409 or a 500, and half of the
    work is in the database all the same. If the commit itself fails, a `close()` below it is skipped as well.

    ## Example
    ```python
    def get_db():
        with SessionLocal() as db:
            try:
                yield db
            finally:
                db.commit()
    ```

    ## Use instead
    ```python
    def get_db():
        with SessionLocal() as db:
            yield db
            db.commit()
    ```

    ## What it leaves alone
    A rollback on every failing path before the commit, cancellation included; a flag that lets only the good way come
    to the commit; a session that was only read on the way to the failure; what the `finally` itself adds to be stored.

    ## Fix safety
    Unsafe: it changes what is stored when the work fails, which is its purpose. The commit moves to the end of the
    `try`, or of its `else`. No fix is offered where a `return`, `break` or `continue` leaves the `try`.
    """

    code = "LS104"
    message = "`{commit}` also runs when {when}, so half-done work is stored"
    gates = (rb"\bfinally\b", rb"\bcommit\b")
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        if self.context.types.is_fixture(scope):
            return
        found: dict[cst.CSTNode, LateCommit] = {}
        for late in sorted(self.context.lifecycle(scope).late, key=lambda late: late.raised.cause is Cause.EXIT):
            if late.node not in found and _stores_half(late, node):
                found[late.node] = late
        for late in found.values():
            self._report(late, scope)

    def _report(self, late: LateCommit, scope: Scope) -> None:
        short, failed = self.context.short, late.raised.node
        cancelled = late.raised.cause is Cause.EXIT
        if isinstance(failed, cst.Yield):
            user = "block" if self.context.types.is_context_manager(FunctionType(scope)) else "request"
            when = f"the {user} is cancelled" if cancelled else f"the {user} fails"
            arrival = "cancellation arrives here" if cancelled else f"an exception of the {user} arrives here"
        else:
            what = f"`{short(failed, 30)}`" if failed is not None else "the work"
            when = f"{what} is cancelled" if cancelled else f"{what} fails"
            if isinstance(failed, (cst.Raise, cst.Assert)):
                when = f"{what} leaves"
            arrival = "fails here, after something was written"
        trace = [TraceStep(failed, arrival)] if failed is not None and self.context.owns(failed) else []
        trace.append(TraceStep(late.node, "stores what was done before the failure"))
        self.report(
            late.node, trace=trace, commit=short(late.node), when=when, fix=partial(_move, self.context, late.node)
        )


def _stores_half(late: LateCommit, function: cst.FunctionDef) -> bool:
    """Whether the commit stores something that was done before the failure."""
    session = late.state.session(late.site)
    if session is None or session.failed is not None or session.phase in (Phase.ENDED, Phase.CLOSED):
        return False
    around = _finally_around(function, late.node)
    if around is None or _asks_for_exception(around, late.node):
        return False
    name, failed = _owner(late.node), late.raised.node
    if any(_undone(suite, place, name) for suite, place in _suites_to(around, late.node)):
        return False
    if isinstance(failed, cst.Yield):
        return True
    if session.lent and not any(_undone(suite, place, name) for suite, place in _suites_to(around, failed)):
        return True
    if session.pending and not any(_writes(part, name) for part in walk(around.finalbody or around)):
        return True
    return any(_is_written(suite, place, name) for suite, place in _suites_to(around, failed))


def _finally_around(function: cst.FunctionDef, commit: cst.CSTNode) -> cst.Try | None:
    """The innermost `try` in whose `finally` a commit stands."""
    path = path_to(function, commit)
    return next((a for a, b in reversed(list(pairwise(path))) if isinstance(a, cst.Try) and b is a.finalbody), None)


def _asks_for_exception(around: cst.Try, commit: cst.CSTNode) -> bool:
    """Whether the commit is guarded by a look at `sys.exc_info()`."""
    tests = (part.test for part in path_to(around, commit) if isinstance(part, cst.If))
    return any(last_name(part) == "exc_info" for test in tests for part in walk(test))


def _owner(commit: cst.CSTNode) -> str | None:
    match commit:
        case cst.Call(func=cst.Attribute(value=owner)):
            return dotted(owner)
    return None


def _suites_to(around: cst.Try, node: cst.CSTNode | None) -> Iterator[tuple[Sequence[cst.CSTNode], int]]:
    """The suites inside a `try` that lead to a node, innermost first, each with the place of the way to it."""
    path = path_to(around, node) if node is not None else []
    for suite, inner in reversed(list(pairwise(path))):
        if isinstance(suite, cst.IndentedBlock):
            yield suite.body, next(i for i, statement in enumerate(suite.body) if statement is inner)


def _undone(suite: Sequence[cst.CSTNode], place: int, name: str | None) -> bool:
    """Whether a rollback stands before a place of a suite."""
    parts = (part for statement in suite[:place] for part in walk(statement))
    return any(_calls(part, name, frozenset(["rollback"])) for part in parts)


def _is_written(suite: Sequence[cst.CSTNode], place: int, name: str | None) -> bool:
    """Whether something is written for certain before a place of a suite, with no commit or rollback since."""
    for statement in reversed(suite[:place]):
        parts = list(walk(statement))
        if any(_calls(part, name, ENDS) for part in parts):
            return False
        if isinstance(statement, cst.SimpleStatementLine) and any(_writes(part, name) for part in parts):
            return True
        if any(_changes(statement, found) for found in _loaded(suite[:place], name)):
            return True
    return False


def _writes(node: cst.CSTNode, name: str | None) -> bool:
    if _calls(node, name, WRITES):
        return True
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    if node.func.attr.value in DML and node.args:
        return any(_calls(part, name, frozenset(["query"])) for part in walk(node.func.value))
    executes = _calls(node, name, frozenset(["execute", "exec", "scalars", "scalar"]))
    return executes and any(isinstance(part, cst.Call) and last_name(part) in DML for part in walk(node.args[0]))


def _calls(node: cst.CSTNode, name: str | None, methods: frozenset[str]) -> bool:
    match node:
        case cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value=method))):
            return method in methods and dotted(owner) == name
    return False


def _loaded(statements: Sequence[cst.CSTNode], name: str | None) -> Iterator[str]:
    """The names that hold what a statement got through the session."""
    for statement in statements:
        for part in walk_scope(statement):
            match part:
                case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=target))], value=value):
                    if any(dotted(inner) == name for inner in walk(value)):
                        yield target


def _changes(statement: cst.CSTNode, name: str) -> bool:
    """Whether a simple statement sets an attribute of an instance."""
    match statement:
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute(value=cst.Name(value=base)))]), *_]
        ):
            return base == name
    return False


def _move(context: Context, commit: cst.CSTNode) -> Fix | None:
    """Move the commit to the end of the `try`; a `finally` that is empty then goes."""
    around = _finally_around(context.block.node, commit) if isinstance(context.block.node, cst.FunctionDef) else None
    if around is None or not isinstance(around.finalbody, cst.Finally):
        return None
    suites = [around.body, around.finalbody.body, *([around.orelse.body] if around.orelse else [])]
    if not all(isinstance(suite, cst.IndentedBlock) for suite in suites):
        return None
    statement = next((s for s in around.finalbody.body.body if any(part is commit for part in walk(s))), None)
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) > 1 or _leaves(around):
        return None
    lines = Lines(context.block)
    row = lines.rows([statement])
    edits: list[Edit]
    if len(around.finalbody.body.body) > 1:
        edits = [lines.delete(row), _at_end(lines, around, statement)]
    elif around.handlers:
        edits = [lines.delete(lines.rows([around.finalbody])), _at_end(lines, around, statement)]
    else:
        edits = _dissolved(lines, around, statement)
    return Fix("Commit only when the work is done", Safety.UNSAFE, tuple(edits))


def _at_end(lines: Lines, around: cst.Try, statement: cst.SimpleStatementLine) -> Edit:
    suite = around.orelse.body if around.orelse is not None else around.body
    last = lines.rows([suite.body[-1]])
    text = [lines.text(row).strip() for row in lines.rows([statement])]
    return lines.insert(last.stop, [lines.indent(lines.rows([suite.body[0]]).start) + row for row in text])


def _dissolved(lines: Lines, around: cst.Try, statement: cst.SimpleStatementLine) -> list[Edit]:
    """What stood in the `try`, then the commit, without either header."""
    head, tail = lines.rows([around]).start, lines.rows([statement])
    turn = next(row for row in reversed(range(head, tail.start)) if lines.text(row).strip().startswith("finally"))
    edits = [lines.delete(range(head, head + 1)), lines.delete(range(turn, turn + 1))]
    return [*edits, *lines.shallower(range(head + 1, turn)), *lines.shallower(range(turn + 1, tail.stop))]


def _leaves(around: cst.Try) -> bool:
    """Whether something but an exception leaves the `try` early, and would miss the commit then."""
    return any(isinstance(part, (cst.Return, cst.Break, cst.Continue)) for part in walk_scope(around.body))
