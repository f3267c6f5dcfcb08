"""LS401: a failed flush or commit is caught, and the session goes on without a rollback."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Lines
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.callers import calling
from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.state import Poisoned
from lint_sessions.flow.values import Held, Manager
from lint_sessions.project.annotations import may_be_none
from lint_sessions.project.names import Binding, dotted, path_to, walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import runs_once
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import FunctionType
from lint_sessions.rule import Rule, TraceStep

_DATABASE_ERRORS = frozenset(
    ["SQLAlchemyError", "DBAPIError", "DatabaseError", "DataError", "IntegrityError", "OperationalError"]
    + ["PendingRollbackError", "ProgrammingError", "StatementError"]
)
_BEGINS = re.compile(r"\bbegin(?:_nested)?\s*\(")


class MissingRollback(Rule):
    """Failed flush or commit is caught and not rolled back.

    ## What it does
    Finds handlers that catch the failure of a `flush` or `commit` (also one inside a called function of the project)
    and let the session go on without `rollback()`: it is used again later, in the next turn of a loop, or by the end
    of a `begin()` block around it.

    ## Why is this bad?
    A failed flush leaves the transaction inactive. Everything the session is asked to do after that raises
    PendingRollbackError, which hides the cause and, in a loop, fails all the remaining turns. Inside `with
    Session.begin()` it is worse: the block ends without any error, and none of its rows is stored.

    ## Example
    ```python
    def create_users(names: list[str], db: Session):
        for name in names:
            try:
                db.add(User(name=name))
                db.commit()
            except IntegrityError:
                print(f"{name} is taken")
    ```

    ## Use instead
    ```python
    def create_users(names: list[str], db: Session):
        for name in names:
            try:
                db.add(User(name=name))
                db.commit()
            except IntegrityError:
                db.rollback()
                print(f"{name} is taken")
    ```

    ## What it leaves alone
    Handlers after which the session is closed, or not used again; `begin()` and `begin_nested()` blocks that the
    error leaves; a re-raise; handlers for errors that SQLAlchemy cannot raise; Core statements, whose failure does not
    poison the session.

    ## Fix safety
    The rollback becomes the first statement of the handler. Safe where only a failed flush or commit leads there, after
    which every further use of the session would have raised. Unsafe where the handler takes other errors as well, or
    those of a block that the session is lent to: what was written before, and could still have been committed, is
    undone too. Where such an error may find work that stands before the `try`, in earlier turns of a loop, or in a
    caller, no fix is offered: a rollback would undo that as well. Nor is one inside a `begin()` block, or where a
    caller has one: what is wanted there is a savepoint. Nor where a run may come to the handler before the name holds
    a session.
    """

    code = "LS401"
    message = "no rollback after {failed} failed, so {then}"
    gates = (rb"\b(except|suppress|commit|flush)\b",)
    fixable = Safety.SAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        if runs_once(scope):
            return
        runs = self.context.lifecycle(scope)
        found = {p.handler: p for p in reversed(runs.poisoned) if self.context.owns(p.handler)}
        for poisoned in found.values():
            self._report(poisoned, runs, scope)
        for left in _left_behind(runs):
            if left.handler in found or not self.context.owns(left.handler):
                continue
            caller = self.context.summaries.poisoned_callers(scope, left.handler)
            if caller is not None:
                self._report_caller(left, runs, scope, *caller)

    def _report(self, poisoned: Poisoned, runs: Lifecycle, scope: Scope) -> None:
        short, use = self.context.short, poisoned.use
        lent = isinstance(poisoned.failed, cst.Yield)
        failed = f"a flush at `{short(poisoned.failed, 30)}`" if lent else f"`{short(poisoned.failed, 30)}`"
        swallowed = poisoned.handler is not poisoned.failed
        whose = "a flush of whoever is lent the session here fails" if lent else "fails here"
        trace = [TraceStep(poisoned.failed, f"{whose} and poisons the transaction")]
        if swallowed:
            trace.append(TraceStep(poisoned.handler, "caught here, with no rollback"))
        if use is None:
            then = f"all later users of `{poisoned.site.key}` get PendingRollbackError"
        elif isinstance(use, cst.WithItem):
            then = f"`{short(use, 30)}` exits cleanly with every row lost"
            trace.append(TraceStep(use, "exits cleanly here, every row lost"))
        elif isinstance(use, cst.Return):
            then = "the instance that is returned can't be read: PendingRollbackError"
            trace.append(TraceStep(use, "returned here; reading an attribute refreshes it, which raises"))
        else:
            then = f"`{short(use, 30)}` raises PendingRollbackError"
            trace.append(TraceStep(use, "raises PendingRollbackError here"))
        fix = partial(_roll_back_first, self.context, scope, poisoned, runs)
        self.report(poisoned.handler, trace=trace, failed=failed, then=then, fix=fix)

    def _report_caller(self, left: Poisoned, runs: Lifecycle, scope: Scope, caller: Scope, poisoned: Poisoned) -> None:
        """The session is used again by a caller."""
        trace = [
            TraceStep(left.failed, "fails here and poisons the transaction"),
            TraceStep(left.handler, "caught here, with no rollback"),
            TraceStep(poisoned.failed, "returns to this caller", caller.block),
        ]
        if poisoned.use is not None:
            trace.append(TraceStep(poisoned.use, "raises PendingRollbackError here", caller.block))
        then = f"`{caller.name}` goes on and gets PendingRollbackError"
        failed = f"`{self.context.short(left.failed, 30)}`"
        names = [name for name, value in poisoned.state.names if value == Held(poisoned.site)]
        is_same = all(len(caller.bound(name)) <= 1 for name in names)  # else it may not be the one that was handed over
        fix = partial(_roll_back_first, self.context, scope, left, runs) if is_same else None
        self.report(left.handler, trace=trace, failed=failed, then=then, fix=fix)


def _left_behind(runs: Lifecycle) -> list[Poisoned]:
    """The sessions of somebody else that a function returns with although a flush or commit failed, by handler."""
    found: dict[cst.CSTNode, Poisoned] = {}
    for state, _ in runs.returned:
        for site, session in state.sessions:
            if session.failed is not None and session.swallowed is not None and not site.acquired:
                found.setdefault(session.swallowed, Poisoned(site, session.swallowed, session.failed.node, None, state))
    return list(found.values())


def _roll_back_first(context: Context, scope: Scope, poisoned: Poisoned, runs: Lifecycle) -> Fix | None:
    """Make the rollback the first statement of the handler."""
    site, handler = poisoned.site, poisoned.handler
    if not isinstance(handler, cst.ExceptHandler):
        return None
    if isinstance(poisoned.use, cst.WithItem) or any(
        isinstance(what, Manager) and (what.commits or what.savepoint) and what.site == site
        for _, what in poisoned.state.waiting
    ):
        return None  # inside `begin()`, a rollback ends the block's own transaction
    if not site.acquired and any(
        caller.block is not None and _BEGINS.search(caller.block.text) for caller in calling(context.types, scope)
    ):
        return None  # so it does for whoever lends the session from within such a block
    name = next((name for name, value in poisoned.state.names if value == Held(site)), None)
    is_path = not (site.acquired or site.key.startswith("param:") or site.key.isdigit())
    if name is None and is_path and site.key.count(".") < 2:  # nobody reaches through an object for its session
        name = site.key
    if name is None or not _is_held(context.types, name, scope, handler):
        return None
    if _drops_sound_work(context, scope, poisoned, runs):
        return None
    call = f"await {name}.rollback()" if site.flavor.is_async else f"{name}.rollback()"
    first = handler.body.body[0]
    start, end = (context.document.offset(place) for place in context.block.span(first))
    only_pass = len(handler.body.body) == 1 and (
        isinstance(first, cst.Pass)
        or (isinstance(first, cst.SimpleStatementLine) and isinstance(first.body[0], cst.Pass))
    )
    if only_pass:
        edit = Edit(start, end, call)
    elif isinstance(handler.body, cst.SimpleStatementSuite):
        edit = Edit(start, start, f"{call}; ")
    else:
        lines = Lines(context.block)
        row = context.block.span(first)[0].row
        above = lines.with_comments(range(row, row + 1), context.block.span(handler)[0].row)
        edit = lines.insert(above.start, [lines.indent(row) + call])
    return Fix("Roll back first", Safety.SAFE if _is_all_lost(poisoned, runs) else Safety.UNSAFE, (edit,))


def _is_held(types: Types, name: str, scope: Scope, handler: cst.ExceptHandler) -> bool:
    """Whether a name holds a session whichever way a run comes to a handler: is bound, and not to None."""
    bound = [binding for binding, _ in scope.bound(name)]
    if not bound or scope.function is None:
        return True  # a path of attributes, or a name from outside
    path = path_to(scope.function, handler)
    for outer, inner in reversed(list(pairwise(path))):
        match outer:
            case cst.Try(body=body) | cst.TryStar(body=body) if inner is handler:
                inside = [binding for binding in bound if _is_in(binding, body)]
                if inside:
                    first = body.body[0]  # nothing fails before it, nor in it
                    is_first = isinstance(first, cst.SimpleStatementLine) and all(_is_in(b, first) for b in inside)
                    return is_first and all(_is_opened(types, binding, scope) for binding in inside)
            case cst.Try() | cst.TryStar() | cst.While() if any(_is_none(b) and _is_in(b, outer) for b in bound):
                return False  # before, in the body or in the last turn
            case cst.With(items=items) if any(_is_in(binding, item) for binding in bound for item in items):
                return True
            case cst.For():
                if any(binding.node is outer for binding in bound):
                    return True
                if any(_is_none(b) and _is_in(b, outer) for b in bound):
                    return False
            case cst.IndentedBlock(body=body) if inner in body:
                for statement in reversed(body[: body.index(inner)]):
                    inside = [binding for binding in bound if _is_in(binding, statement)]
                    if any(_is_none(binding) for binding in inside):
                        return False
                    if inside and isinstance(statement, cst.SimpleStatementLine):
                        return True
    return any(isinstance(b.node, cst.Param) and not may_be_none(b.node) for b in bound)


def _is_opened(types: Types, binding: Binding, scope: Scope) -> bool:
    """Whether a name is bound to a session by a call that does not fail: of a factory, not of a function around it."""
    value = binding.value
    return isinstance(value, cst.Call) and not isinstance(types.infer(value.func, scope), FunctionType)


def _is_in(binding: Binding, node: cst.CSTNode) -> bool:
    return any(part is binding.node for part in walk(node))


def _is_none(binding: Binding) -> bool:
    return isinstance(binding.value, cst.Name) and binding.value.value == "None"


def _is_all_lost(poisoned: Poisoned, runs: Lifecycle) -> bool:
    """Whether nothing that a rollback undoes is left on any path to the handler."""
    handler, site = poisoned.handler, poisoned.site
    if handler not in runs.spared or not isinstance(handler, cst.ExceptHandler):
        return False
    if isinstance(poisoned.failed, cst.Yield):
        return False  # whoever is lent the session may have written something before a query of theirs failed
    return not any(
        spared.site == site and (spared.is_at_work or not (site.acquired or _is_for_databases(handler.type)))
        for spared in runs.spared[handler]
    )


def _drops_sound_work(context: Context, scope: Scope, poisoned: Poisoned, runs: Lifecycle) -> bool:
    """Whether an error that has nothing to do with the database may find something written that is not for the handler
    to undo: what stands before its `try`, in earlier turns of a loop, or in a caller."""
    function, site, handler = scope.function, poisoned.site, poisoned.handler
    if function is None or not isinstance(handler, cst.ExceptHandler) or _is_for_databases(handler.type):
        return False
    sound = [s for s in runs.spared.get(handler, ()) if s.site == site and not s.is_of_database]
    path = path_to(function, handler)
    guarded = next(node for node in reversed(path) if isinstance(node, (cst.Try, cst.TryStar)))
    own = set(walk(guarded.body))
    is_new = site.acquired or context.wiring.is_route(scope) or context.wiring.is_injected(scope)
    if not is_new and not isinstance(poisoned.failed, cst.Yield):
        calls = [part for part in own if isinstance(part, cst.Call)]
        return bool(sound) or any(part is not poisoned.failed for part in calls)  # before the session is first used
    in_loop = any(isinstance(node, (cst.For, cst.While)) for node in path[: path.index(guarded)])
    stays = in_loop and not any(isinstance(part, cst.Attribute) and part.attr.value == "commit" for part in own)
    return any(s.unsaved is not None and (stays or s.unsaved.node not in own) for s in sound)


def _is_for_databases(kind: cst.BaseExpression | None) -> bool:
    """Whether an except clause names errors of SQLAlchemy and no others."""
    kinds = [element.value for element in kind.elements] if isinstance(kind, cst.Tuple) else [kind]
    names = [dotted(part) for part in kinds if part is not None]
    return bool(names) and all(name is not None and name.rpartition(".")[2] in _DATABASE_ERRORS for name in names)
