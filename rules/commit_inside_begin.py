"""LS406: a `begin()` block whose transaction is ended inside, and that goes on."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.injected import injections
from lint_sessions.flow.state import Overrun
from lint_sessions.project.autocommit import autocommits
from lint_sessions.rule import Rule, TraceStep


class CommitInsideBegin(Rule):
    """Transaction of a `begin()` block is ended inside it, and the block goes on.

    ## What it does
    Finds `commit()` and `rollback()` of a session inside its own `with session.begin():` or `with factory.begin() as
    session:` block, where the session is used again before the end of the block. The commit may stand in a function
    that is called, the block in the provider of an injected session, or in a context manager of the project.

    ## Why is this bad?
    The block is there to end its transaction, and begins no other. What comes after the commit in it raises
    InvalidRequestError ("Can't operate on closed transaction inside context manager"), on every run: the first part of
    the work is stored, the rest is not, and the client gets a 500.

    ## Example
    ```python
    from sqlalchemy.orm import sessionmaker

    SessionLocal = sessionmaker(engine)


    def create_user(name: str):
        with SessionLocal.begin() as db:
            user = User(name=name)
            db.add(user)
            db.commit()
            db.add(Event(user_id=user.id))
    ```

    ## Use instead
    ```python
    from sqlalchemy.orm import sessionmaker

    SessionLocal = sessionmaker(engine)


    def create_user(name: str):
        with SessionLocal.begin() as db:
            user = User(name=name)
            db.add(user)
            db.flush()
            db.add(Event(user_id=user.id))
    ```

    ## What it leaves alone
    A commit or rollback with nothing executed after it in the block; `flush()`; savepoints (`begin_nested()`) and what
    ends them; a block of its own for each part; sessions in the autocommit mode of SQLAlchemy 1.

    ## Fix safety
    No fix is offered: whether the commit was meant (then the block has to go) or the block (then the commit), is yours
    to say.
    """

    code = "LS406"
    message = "`{end}` ends the transaction of {block}, {then}"
    gates = (rb"\(",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        self._report(self.context.lifecycle(scope).overrun, "the `begin()` block around it")
        for injected in injections(self.context.wiring, self.context.summaries, scope):
            if injected.session.in_begin:
                self._report(injected.runs.overrun, f"the `begin()` block in `{injected.provider.name}`")

    def _report(self, found: list[Overrun], block: str) -> None:
        for end, overrun in {overrun.end: overrun for overrun in reversed(found)}.items():
            if overrun.before or not self.context.owns(end) or autocommits(self.context.types):
                continue
            then = f"so `{self.context.short(overrun.use)}` raises InvalidRequestError"
            trace = [TraceStep(end, "ends the transaction of the block")]
            if overrun.use is end:
                then = "and raises InvalidRequestError when it goes on"
            else:
                trace.append(TraceStep(overrun.use, "raises InvalidRequestError here, inside the block"))
            self.report(end, trace=trace, end=self.context.short(end), block=block, then=then)
