"""LS308: an attribute that has to be loaded, of an instance whose session is closed."""

from __future__ import annotations

import libcst as cst

from lint_sessions.flow.answers import answers
from lint_sessions.flow.instances import expired_by, unreadable
from lint_sessions.flow.state import Trail
from lint_sessions.flow.values import Site
from lint_sessions.rule import Rule, TraceStep


class DetachedInstance(Rule):
    """Attribute is read of an instance that was expired and whose session is closed.

    ## What it does
    Finds reads of an instance's attributes after the session's block or `close()`, where a commit or rollback before
    that has expired the instance and nothing has loaded it since. Also such an instance that a route returns to be put
    through its response model.

    ## Why is this bad?
    A commit expires all that the session holds (`expire_on_commit` is on unless it is switched off). The next read of
    an attribute loads it through the session, and there is none any more: DetachedInstanceError. The row has been
    stored by then, and the client gets a 500. `with SessionLocal.begin()` commits at its end, with the same effect.

    ## Example
    ```python
    from sqlalchemy.orm import sessionmaker

    SessionLocal = sessionmaker(engine)


    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)


    def create_user(name: str):
        with SessionLocal() as db:
            user = User(name=name)
            db.add(user)
            db.commit()
        return {"id": user.id}
    ```

    ## Use instead
    ```python
    from sqlalchemy.orm import sessionmaker

    SessionLocal = sessionmaker(engine)


    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)


    def create_user(name: str):
        with SessionLocal() as db:
            user = User(name=name)
            db.add(user)
            db.commit()
            return {"id": user.id}
    ```

    ## What it leaves alone
    Factories with `expire_on_commit=False`; a `refresh()`, a query or any read of an attribute between the commit and
    the close; attributes that were set after the commit; blocks in which nothing is committed; deleted and expunged
    instances; instances that were given to a function in between, which may have loaded them; relationships, which may
    have been loaded with the instance.

    ## Fix safety
    No fix is offered: whether the read is to move into the block, or the instance to be loaded before its end, is yours
    to say.
    """

    code = "LS308"
    message = "`{read}` can't be loaded any more: the {end} expired `{instance}`, and its session is closed"
    gates = (rb"\b(?:commit|rollback|begin)\b", rb"\bwith\b|\bclose\b")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        runs = self.context.lifecycle(scope)
        for use, read in unreadable(self.context.types, runs.unloaded, detached=True).items():
            self._report(use, use, read.site, read.state.trail)
        for answer in answers(self.context.wiring, runs, scope):
            if answer.detached and not answer.is_dumped:
                self._report(answer.place, answer.expression, answer.site, answer.trail)

    def _report(self, place: cst.CSTNode, read: cst.CSTNode, site: Site, trail: Trail | None) -> None:
        end = expired_by(self.context.types, trail, site)
        if end is None or not self.context.owns(place):
            return
        steps = trail.steps(site) if trail is not None else []
        closes = [step for step, event in steps if event == "closed" and self.context.owns(step)]
        what = read.value if isinstance(read, cst.Attribute) else read
        self.report(
            place,
            trace=[
                TraceStep(end[0], "expires what the session holds"),
                *(TraceStep(step, "closed here") for step in closes[-1:]),
                TraceStep(place, "read here"),
            ],
            read=self.context.short(read),
            end=end[1],
            instance=self.context.short(what),
        )
