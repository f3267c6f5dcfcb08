"""LS310: a SQLModel instance that a route returns after a commit expired it."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Fix, Safety
from lint_sessions.flow.answers import Answer, answers
from lint_sessions.flow.instances import expired_by
from lint_sessions.project.names import path_to
from lint_sessions.rule import Rule, TraceStep


class UnrefreshedReturn(Rule):
    """Route returns a SQLModel instance that its commit has emptied: the answer is `{}`.

    ## What it does
    Finds routes that return an instance of a SQLModel table, or a list of them, after `commit()` and with no
    `refresh()` since, where the answer has no model of its own or is declared as that very class.

    ## Why is this bad?
    A commit takes the attributes of an instance out of memory (`expire_on_commit`), to be loaded when they are read.
    The answer is made from what is in memory, and nobody reads: the client gets `{}` with status 200.

    ## Example
    ```python
    from sqlmodel import Session, SQLModel


    def get_session():
        with Session(engine) as session:
            yield session


    class Hero(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        name: str


    @app.post("/heroes")
    def create_hero(name: str, session: Session = Depends(get_session)):
        hero = Hero(name=name)
        session.add(hero)
        session.commit()
        return hero
    ```

    ## Use instead
    ```python
    from sqlmodel import Session, SQLModel


    def get_session():
        with Session(engine) as session:
            yield session


    class Hero(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        name: str


    @app.post("/heroes")
    def create_hero(name: str, session: Session = Depends(get_session)):
        hero = Hero(name=name)
        session.add(hero)
        session.commit()
        session.refresh(hero)
        return hero
    ```

    ## What it leaves alone
    A `refresh()`, a query, or any attribute read after the commit, which load the instance; `expire_on_commit=False`; a
    response model that is another class, whose validation reads the attributes; a schema made before the commit.

    ## Fix safety
    Unsafe: it puts `refresh()` before the `return`, which is one more query, and an answer that is no longer empty.
    """

    code = "LS310"
    message = "`{instance}` is answered as {{}}: the {end} took its attributes out of memory"
    gates = (rb"\b(?:commit|rollback|begin)\b", rb"\breturn\b", rb"@")
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        for answer in answers(self.context.wiring, self.context.lifecycle(scope), scope):
            end = expired_by(self.context.types, answer.trail, answer.site)
            if not answer.is_dumped or end is None or not self.context.owns(answer.place):
                continue
            self.report(
                answer.place,
                trace=[TraceStep(end[0], "expires what the session holds"), TraceStep(answer.place, "answered here")],
                instance=self.context.short(answer.expression),
                end=end[1],
                fix=partial(_refresh, self.context, node, answer, end[0]),
            )


def _refresh(context: Context, function: cst.FunctionDef, answer: Answer, end: cst.CSTNode) -> Fix | None:
    """Refresh the instance before the `return`."""
    line = next((p for p in reversed(path_to(function, answer.place)) if isinstance(p, cst.SimpleStatementLine)), None)
    if line is None or len(line.body) > 1 or not isinstance(answer.expression, cst.Name) or answer.detached:
        return None
    if not isinstance(end, cst.Call) or not isinstance(end.func, cst.Attribute) or answer.is_list:
        return None
    waiting = "await " if answer.site.flavor.is_async else ""
    lines = Lines(context.block)
    row = lines.rows([line]).start
    refresh = f"{waiting}{context.source(end.func.value)}.refresh({answer.expression.value})"
    return Fix("Refresh it first", Safety.UNSAFE, (lines.insert(row, [lines.indent(row) + refresh]),))
