"""LS403: an instance is refreshed before it is in the database."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Fix, Safety
from lint_sessions.project.names import path_to, walk
from lint_sessions.rule import Rule, TraceStep


class RefreshBeforeCommit(Rule):
    """Instance is refreshed that was added and neither flushed nor committed.

    ## What it does
    Finds `refresh(instance)` of a new instance, with `add(instance)` before it and no flush, commit or query between.

    ## Why is this bad?
    `refresh()` loads the row of an instance, and there is none yet: it raises InvalidRequestError ("Instance is not
    persistent within this Session") on every call. It does not flush first, as a query does.

    ## Example
    ```python
    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)


    def create_user(db: Session, name: str):
        user = User(name=name)
        db.add(user)
        db.refresh(user)
        db.commit()
        return user
    ```

    ## Use instead
    ```python
    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)


    def create_user(db: Session, name: str):
        user = User(name=name)
        db.add(user)
        db.commit()
        db.refresh(user)
        return user
    ```

    ## What it leaves alone
    A flush, a commit or a query between the two, which writes the row; an instance that may have a row already, such as
    a parameter; one that was given to a function in between, which may have flushed it.

    ## Fix safety
    Safe: the statement raises on every run as it is. Where the commit is the next statement the two change places, else
    a `flush()` is put before the refresh. No fix is offered beside a commit that is not awaited, which LS504 mends.
    """

    code = "LS403"
    message = "`{refresh}` raises: `{instance}` is added, but not in the database before a flush or commit"
    gates = (rb"\brefresh\b", rb"\badd(?:_all)?\b")
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        runs = self.context.lifecycle(self.context.scope_of(node))
        for refresh in {early.node: early for early in reversed(runs.early)}:
            if not isinstance(refresh, cst.Call) or not self.context.owns(refresh):
                continue
            instance = refresh.args[0].value
            self.report(
                refresh,
                trace=[TraceStep(refresh, "it has no row to be loaded here")],
                refresh=self.context.short(refresh),
                instance=self.context.short(instance),
                fix=partial(_write_first, self.context, node, refresh),
            )


def _write_first(context: Context, function: cst.FunctionDef, refresh: cst.Call) -> Fix | None:
    """Put the commit that follows, or else a flush, before the refresh."""
    path = path_to(function, refresh)
    line = next((part for part in reversed(path) if isinstance(part, cst.SimpleStatementLine)), None)
    suite = next((part for part in reversed(path) if isinstance(part, cst.IndentedBlock)), None)
    if line is None or suite is None or len(line.body) > 1 or not isinstance(refresh.func, cst.Attribute):
        return None
    session = context.source(refresh.func.value)
    lines = Lines(context.block)
    rows = lines.rows([line])
    waiting = "await " if isinstance(line.body[0], cst.Expr) and isinstance(line.body[0].value, cst.Await) else ""
    if waiting and any(_is_unawaited_write(context, part, session) for part in walk(function)):
        return None  # to await that is what has to be done
    following = next(iter(suite.body[list(suite.body).index(line) + 1 :]), None)
    if following is not None and context.source(following).strip() == f"{waiting}{session}.commit()":
        after = lines.rows([following])
        moved = "".join(lines.text(row) for row in after).rstrip("\r\n")
        return Fix("Refresh after the commit", Safety.SAFE, (lines.insert(rows.start, [moved]), lines.delete(after)))
    flush = f"{lines.indent(rows.start)}{waiting}{session}.flush()"
    return Fix("Flush first", Safety.SAFE, (lines.insert(rows.start, [flush]),))


def _is_unawaited_write(context: Context, node: cst.CSTNode, session: str) -> bool:
    match node:
        case cst.Expr(value=cst.Call(func=cst.Attribute(value=owner, attr=cst.Name("commit" | "flush")))):
            return context.source(owner) == session
    return False
