"""LS407: `begin()` on a session that has begun by itself already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.callers import calling
from lint_sessions.flow.injected import injections
from lint_sessions.flow.state import BegunTwice
from lint_sessions.project.autocommit import autocommits
from lint_sessions.project.names import path_to, walk, walk_scope
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.scripts import is_test
from lint_sessions.rule import Rule, TraceStep

ASKS = ("is_active", "get_transaction")
"""Who looks at these may begin only where nothing has begun."""


class BeginAfterAutobegin(Rule):
    """Transaction is begun by `begin()` on a session that has begun one by itself.

    ## What it does
    Finds `with session.begin():` and `session.begin()` on a session that was used since its last commit or rollback:
    something was executed or added here, in a function called before, in the caller, or in another dependency of the
    route that is injected the same session.

    ## Why is this bad?
    A session begins a transaction by itself as soon as it is used. `begin()` then raises InvalidRequestError ("A
    transaction is already begun on this Session"), on every run, and the client gets a 500. In a FastAPI application
    the two are often far apart: the dependency that looks up the current user has queried the session, and the route
    begins.

    ## Example
    ```python
    def create_user(db: Session, name: str):
        if db.scalar(select(User).where(User.name == name)):
            raise ValueError(name)
        with db.begin():
            db.add(User(name=name))
    ```

    ## Use instead
    ```python
    def create_user(db: Session, name: str):
        with db.begin():
            if db.scalar(select(User).where(User.name == name)):
                raise ValueError(name)
            db.add(User(name=name))
    ```

    ## What it leaves alone
    `begin()` as the first operation, or after a commit, rollback or close; `begin_nested()`, which makes a savepoint;
    code that asks `in_transaction()` first, or handles InvalidRequestError; sessions that somebody may have committed
    in between; dependencies that are not certain to have the same session; the autocommit mode of SQLAlchemy 1.

    ## Fix safety
    No fix is offered: whether the block is to begin earlier, to become a savepoint, or to be a `commit()` at its end is
    yours to say.
    """

    code = "LS407"
    message = "`{begin}` raises InvalidRequestError: {first} has begun a transaction already"
    gates = (rb"\bbegin\b",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        begins = [n for n in walk_scope(node) if isinstance(n, cst.Call) and last_name(n.func) == "begin"]
        scope = self.context.scope_of(node)
        if not begins or any(scope.mentions(word) for word in ASKS):
            return
        for begin in begins:
            found = next((f for f in self._found(scope) if f.event.begin is begin), None)
            if found is None or _is_handled(node, begin) or autocommits(self.context.types):
                continue
            self.report(
                begin,
                trace=[
                    TraceStep(found.event.first.node, "begins a transaction by itself", found.place.block),
                    *found.way,
                    TraceStep(begin, "raises InvalidRequestError here"),
                ],
                begin=self.context.short(begin),
                first=f"`{found.by or self.context.short(found.event.first.node, block=found.place.block)}`",
            )

    def _found(self, scope: Scope) -> Iterator[_Found]:
        """The transactions begun twice: in this function, then those whose first half stands elsewhere."""
        for event in self.context.lifecycle(scope).begun_twice:
            yield _Found(event, scope)
        yield from self._injected(scope)
        root = self.context.types.project.root
        for caller in (c for c in calling(self.context.types, scope) if not is_test(c.module.path, root)):
            for event in self.context.lifecycle(caller).begun_twice:
                yield _Found(event, caller, caller.name, (_call(event, caller),))
            for found in self._injected(caller):
                yield _Found(found.event, found.place, found.by, (_call(found.event, caller),))

    def _injected(self, scope: Scope) -> Iterator[_Found]:
        for injected in injections(self.context.wiring, self.context.summaries, scope):
            for event in injected.runs.begun_twice:
                if event.first.before:
                    yield _Found(event, injected.by, injected.by.name)


@dataclass(frozen=True, eq=False)
class _Found:
    event: BegunTwice
    place: Scope
    """Where the transaction has begun by itself."""
    by: str | None = None
    """Who that is, where it is not this function."""
    way: tuple[TraceStep, ...] = ()


def _call(event: BegunTwice, caller: Scope) -> TraceStep:
    return TraceStep(event.node, "passes the session on", caller.block)


def _is_handled(function: cst.FunctionDef, begin: cst.CSTNode) -> bool:
    """Whether a handler around takes just this error."""
    around = path_to(function, begin)
    types: list[cst.CSTNode] = [part.type for t in around if isinstance(t, cst.Try) for part in t.handlers if part.type]
    types += [item.item for block in around if isinstance(block, cst.With) for item in block.items]
    return any(last_name(part) == "InvalidRequestError" for kind in types for part in walk(kind))
