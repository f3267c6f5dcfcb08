"""LS505: an attribute that a commit has expired, read where an AsyncSession cannot load it."""

from __future__ import annotations

from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.answers import answers
from lint_sessions.flow.instances import expired_by, unreadable
from lint_sessions.flow.state import Trail
from lint_sessions.flow.values import Site
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import FactoryType
from lint_sessions.rule import Rule, TraceStep
from lint_sessions.source.document import Block


class ExpiredAttribute(Rule):
    """Attribute is read that a commit has expired, where an AsyncSession can't load it.

    ## What it does
    Finds reads of an instance's attributes after `await session.commit()` or `rollback()`, through an AsyncSession,
    with neither a `refresh()` nor a query in between. Also an expired instance that a route returns to be put through
    its response model.

    ## Why is this bad?
    A commit expires all that the session holds (`expire_on_commit` is on unless it is switched off), and the next read
    of an attribute loads it anew. An AsyncSession can do so inside `await` only: the read raises MissingGreenlet, and
    the request is answered with 500 although the row has been stored. A client that tries again stores it twice.

    ## Example
    ```python
    from sqlalchemy.ext.asyncio import async_sessionmaker

    async_session = async_sessionmaker(engine)


    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)


    @app.post("/users")
    async def create_user(name: str):
        async with async_session() as session:
            user = User(name=name)
            session.add(user)
            await session.commit()
            return {"id": user.id}
    ```

    ## Use instead
    ```python
    from sqlalchemy.ext.asyncio import async_sessionmaker

    async_session = async_sessionmaker(engine, expire_on_commit=False)


    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)


    @app.post("/users")
    async def create_user(name: str):
        async with async_session() as session:
            user = User(name=name)
            session.add(user)
            await session.commit()
            return {"id": user.id}
    ```

    ## What it leaves alone
    Factories with `expire_on_commit=False`; a `refresh()`, or any query, between the commit and the read; attributes
    that were read before the commit, or set after it; `awaitable_attrs`; instances that were given to a function in
    between, which may have loaded them; sessions of which nothing tells whether they expire.

    ## Fix safety
    Unsafe: it adds `expire_on_commit=False` to the factory, if this file makes just one, and so concerns all that use
    it: what others have changed since is no longer seen without a refresh. After a rollback there is no fix.
    """

    code = "LS505"
    message = "`{read}` raises MissingGreenlet: the {end} expired `{instance}`, and only `await` can load it again"
    gates = (rb"\bawait\b", rb"\b(?:commit|rollback|begin)\b")
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if node.asynchronous is None:
            return
        scope = self.context.scope_of(node)
        runs = self.context.lifecycle(scope)
        for use, read in unreadable(self.context.types, runs.unloaded, detached=False).items():
            self._report(use, use, read.site, read.state.trail, scope)
        for answer in answers(self.context.wiring, runs, scope):
            if answer.site.flavor.is_async and not answer.detached and not answer.is_dumped:
                self._report(answer.place, answer.expression, answer.site, answer.trail, scope)

    def _report(self, place: cst.CSTNode, read: cst.CSTNode, site: Site, trail: Trail | None, scope: Scope) -> None:
        end = expired_by(self.context.types, trail, site)
        if end is None or not self.context.owns(place):
            return
        what = read.value if isinstance(read, cst.Attribute) else read
        self.report(
            place,
            trace=[TraceStep(end[0], "expires what the session holds"), TraceStep(place, "read here")],
            read=self.context.short(read),
            end=end[1],
            instance=self.context.short(what),
            fix=partial(_keep, self.context, scope) if end[1] == "commit" else None,
        )


def _keep(context: Context, scope: Scope) -> Fix | None:
    """Switch `expire_on_commit` off at the one factory of the file."""
    found: list[tuple[Block, cst.Call]] = []
    for block in context.document.blocks:
        if block.kind == "statement" and "sessionmaker" in block.text:
            calls = (part for part in walk(block.node) if isinstance(part, cst.Call))
            module = context.types.module_scope(scope.module)
            found += [(block, call) for call in calls if isinstance(context.types.infer(call, module), FactoryType)]
    if len(found) != 1:
        return None
    block, call = found[0]
    end = block.document.offset(block.span(call)[1]) - 1
    last = call.args[-1] if call.args else None
    separator = "" if last is None or isinstance(last.comma, cst.Comma) else ", "
    return Fix("Keep what a commit stores", Safety.UNSAFE, (Edit(end, end, f"{separator}expire_on_commit=False"),))
