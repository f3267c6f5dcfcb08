"""LS309: a query that does not see what another session of the same request has written."""

from __future__ import annotations

import libcst as cst

from lint_sessions.rule import Rule, TraceStep


class SecondSession(Rule):
    """Query runs in another session than the one that has written and not committed yet.

    ## What it does
    Finds functions that write through one session and, before its commit, query through another one of the same
    engine: two dependencies on different providers, a session of its own beside an injected one, or the same provider
    with `use_cache=False`.

    ## Why is this bad?
    Each session has a transaction of its own. What one has not committed the other does not see: the row that was
    added a line above is missing from the answer, a foreign key to it fails, and where the two want the same row they
    wait for each other until the database gives up. A second session also takes a second connection for each request.

    ## Example
    ```python
    from sqlalchemy.orm import sessionmaker

    SessionLocal = sessionmaker(engine)


    def create_user(name: str):
        with SessionLocal() as db, SessionLocal() as other:
            db.add(User(name=name))
            db.flush()
            count = other.scalar(select(func.count()).select_from(User))
            db.commit()
        return count
    ```

    ## Use instead
    ```python
    from sqlalchemy.orm import sessionmaker

    SessionLocal = sessionmaker(engine)


    def create_user(name: str):
        with SessionLocal() as db:
            db.add(User(name=name))
            db.flush()
            count = db.scalar(select(func.count()).select_from(User))
            db.commit()
        return count
    ```

    ## What it leaves alone
    A commit or rollback before the query; sessions of different engines, such as a read replica; sessions of which
    nothing tells the engine; a second session that only writes, as an audit log does.

    ## Fix safety
    No fix is offered: which of the two sessions the query belongs to is yours to say.
    """

    code = "LS309"
    message = "`{query}` does not see `{write}`, which another session has not committed"
    gates = (rb"\b(?:add|add_all|delete|merge|insert|update)\b",)
    default = False  # a second session may be meant

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        runs = self.context.lifecycle(self.context.scope_of(node))
        for unseen in {unseen.node: unseen for unseen in reversed(runs.unseen)}.values():
            if self.context.owns(unseen.node) and self.context.owns(unseen.write):
                self.report(
                    unseen.node,
                    trace=[TraceStep(unseen.write, "written here"), TraceStep(unseen.node, "queried here")],
                    query=self.context.short(unseen.node),
                    write=self.context.short(unseen.write),
                )
