"""LS302: a session that is used after its close, and so begins again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import CLOSES, Lines, call_of, closed_name, only_closes, siblings
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.lifecycle import Leak
from lint_sessions.flow.operations import WRITING
from lint_sessions.flow.values import Site
from lint_sessions.late import bound_in, is_read_late, returns_lazily
from lint_sessions.project.names import mentions, path_to, walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import Flavor, MethodType, SessionType
from lint_sessions.rule import Rule, TraceStep
from lint_sessions.trial import Trial

_WRITES = WRITING | {"add", "add_all"}
_OTHER_RUNS = (cst.For, cst.While, cst.ExceptHandler, cst.ExceptStarHandler, cst.Finally)
"""Suites that runs come to in more states than one."""


class UseAfterClose(Rule):
    """Session is used after it was closed.

    ## What it does
    Finds a session that a function opened, closed (by `close()`, or at the end of its `with` block) and then uses
    again, itself or through a lazy query of it, without closing it once more. Also a method that keeps such a session
    on its object, and hands out the closed one when it is called again.

    ## Why is this bad?
    A closed session is as good as new: it silently begins again, takes another connection from the pool, and this time
    nobody gives it back. The query works, and the connection is gone until the garbage collector finds the session.

    ## Example
    ```python
    def read_user(user_id: int):
        with SessionLocal() as db:
            user = db.get(User, user_id)
        posts = db.scalars(select(Post).where(Post.user_id == user_id)).all()
        return {"name": user.name, "posts": len(posts)}
    ```

    ## Use instead
    ```python
    def read_user(user_id: int):
        with SessionLocal() as db:
            user = db.get(User, user_id)
            posts = db.scalars(select(Post).where(Post.user_id == user_id)).all()
        return {"name": user.name, "posts": len(posts)}
    ```

    ## What it leaves alone
    A second `close()`; a `rollback()` or an empty `commit()` after the close; a name that is bound to another session
    before the use; attributes of loaded instances; a session that is closed again after the use; sessions that somebody
    else owns, since the owner closes them once more.

    ## Fix safety
    Unsafe: the block, or the close, ends after the last use, so that the connection is held for longer, a failure in
    between rolls back, and what is returned is detached by then. It is offered where the use follows in the same suite,
    with no other block in between, and where the close drops nothing that was written and not committed. A use that may
    want a session of its own is left to you.
    """

    code = "LS302"
    message = "{use} {how}"
    gates = (rb"\bwith\b|\bclose\b|\baclose\b|\(",)
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        runs = self.context.lifecycle(scope)
        found = {leak.reopened: leak for leak in reversed(runs.leaks) if leak.reopened is not None}
        how = "uses a closed session, which begins again and is never closed"
        for use, leak in found.items():
            if self.context.owns(use):
                uses = [other for other, its in found.items() if its.site.key == leak.site.key]
                fix = partial(_close_later, self.context, scope, leak, uses, len(found))
                self.report(use, fix=fix, trace=self._trace(leak, use), use=f"`{self.context.short(use)}`", how=how)
        for path, site in runs.kept.items():
            self._kept(scope, path, site)

    def _kept(self, scope: Scope, path: str, site: Site) -> None:
        """A session that is closed when the method returns is still there when it is called again."""
        again = self.context.summaries.handed_out_again(scope, path, site.flavor)
        stored = scope.attributes_set.get(path.rpartition(".")[2], ())
        if again is None or not stored:
            return
        _, place = stored[-1]
        trace = [TraceStep(place, "kept here"), TraceStep(again, "the closed one is handed out here, the next time")]
        if site.node is not None:
            trace.insert(1, TraceStep(site.node, "closed at the end of this block"))
        self.report(
            place,
            trace=trace,
            use=f"`{path}`",
            how=f"keeps a session that is closed at the end, and the next call of `{scope.name}` hands it out again",
        )

    def _trace(self, leak: Leak, use: cst.CSTNode) -> list[TraceStep]:
        close = _close_of(self.context, leak)
        notes = [TraceStep(leak.site.node, "acquired here")] if leak.site.node is not None else []
        notes += [TraceStep(close, "closed here")] if close is not None else []
        return [*notes, TraceStep(use, "begins again here")]


def _close_of(context: Context, leak: Leak) -> cst.CSTNode | None:
    """What closed the session last before it was used again."""
    steps = leak.trail.steps(leak.site) if leak.trail is not None else []
    return next((place for place, event in reversed(steps) if event == "closed" and context.owns(place)), None)


def _close_later(context: Context, scope: Scope, leak: Leak, uses: Sequence[cst.CSTNode], count: int) -> Fix | None:
    """Move the end of the session's life behind its last use in the suite."""
    end = _End.of(context, leak)
    if end is None or scope.is_generator or context.block.node is not scope.function:
        return None
    steps = leak.trail.steps(leak.site) if leak.trail is not None else []
    if any(place is end.place and event == "committed" for place, event in steps):
        return None
    if end.may_drop(context.types, scope):
        return None  # what was never stored would be, by a later flush
    around = (part for part in path_to(context.block.node, end.statement) if isinstance(part, _OTHER_RUNS))
    if not all(any(part is leak.site.node for part in walk(outer)) for outer in around):
        return None  # the next turn begins with what this one has closed, and a failed transaction ends by the close
    for last in end.last_uses(uses):
        if not end.may_take_in(last, leak.site.flavor):
            continue
        for edits in end.moved(last):
            if Trial(context, edits).is_sound(scope, reopened=count - len(uses)):
                title = "Move the end of the block" if end.is_block else "Move the close"
                return Fix(title, Safety.UNSAFE, tuple(edits))
    return None


@dataclass(frozen=True, eq=False)
class _End:
    """Where a session's life ends, and the statements that follow there."""

    lines: Lines
    place: cst.CSTNode
    """What closes it: an item of a `with`, or a call."""
    name: str
    statement: cst.BaseStatement
    """The `with`, the `try` whose `finally` does nothing but close, or the close itself."""
    suite: Sequence[cst.CSTNode]
    index: int
    """The place of that statement in its suite."""

    @classmethod
    def of(cls, context: Context, leak: Leak) -> _End | None:
        place = _close_of(context, leak)
        if place is None:
            return None
        for part in reversed(path_to(context.block.node, place)):
            match part:
                case (
                    cst.With(items=[cst.WithItem(asname=cst.AsName(name=cst.Name(value=name)))])
                    | cst.With(items=[cst.WithItem(item=cst.Name(value=name))])
                ) if isinstance(part.body, cst.IndentedBlock):
                    return cls._at(context, place, name, part)
                case cst.SimpleStatementLine() if (closed := closed_name(part)) is not None:
                    around = _closing(context.block.node, part, closed)
                    return cls._at(context, place, closed, around or part)
                case cst.BaseStatement():
                    return None
        return None

    @classmethod
    def _at(cls, context: Context, place: cst.CSTNode, name: str, statement: cst.BaseStatement) -> _End | None:
        found = siblings(context.block.node, statement)
        return cls(Lines(context.block), place, name, statement, *found) if found is not None else None

    @property
    def is_block(self) -> bool:
        return isinstance(self.statement, cst.With)

    def may_drop(self, types: Types, scope: Scope) -> bool:
        """Whether something may have been written by then that no commit has stored on every path."""
        inside = self.statement.body.body if isinstance(self.statement, (cst.With, cst.Try)) else ()
        for statement in reversed([*self.suite[: self.index], *inside]):
            calls = {_method(types, part, scope) for part in walk(statement)}
            if isinstance(statement, cst.SimpleStatementLine) and "commit" in calls:
                return False
            if calls & _WRITES:
                return True
        before = takewhile(lambda part: part is not self.statement, walk(self.lines.block.node))
        return any(_method(types, part, scope) in _WRITES for part in before)

    def last_uses(self, uses: Sequence[cst.CSTNode]) -> Iterator[int]:
        """The statements of the suite that may be the last to take in, none where some use stands elsewhere."""
        places = [i for i, s in enumerate(self.suite) if any(part is use for part in walk(s) for use in uses)]
        named = [i for i, statement in enumerate(self.suite) if mentions(statement, self.name)]
        if places and min(places) > self.index:
            yield from range(max(*places, *named), len(self.suite))

    def may_take_in(self, last: int, flavor: Flavor) -> bool:
        """Whether the statements up to `last` do the same while the session is open."""
        moved = self.suite[self.index + 1 : last + 1]
        parts = [part for statement in moved for part in walk(statement)]
        if any(isinstance(part, (cst.With, cst.FunctionDef, cst.ClassDef, cst.Del)) for part in parts):
            return False
        if any(isinstance(part, cst.Lambda) and mentions(part, self.name) for part in parts):
            return False
        if any(isinstance(part, cst.BaseStatement) and call_of(part, self.name, CLOSES) for part in parts):
            return False
        if self.name in bound_in(moved) or returns_lazily(moved, self.name):
            return False
        commits = next((i for i, statement in enumerate(moved) if _commits(statement)), None)
        if commits is None or flavor.expires is False:
            return True
        # An AsyncSession can't load anew what is read in its block either.
        ended = commits + isinstance(moved[commits], cst.SimpleStatementLine) if flavor.is_async else len(moved)
        after = [*moved[ended:], *self.suite[last + 1 :]]
        return not is_read_late([self.statement, *moved], after, self.name)

    def moved(self, last: int) -> Iterator[list[Edit]]:
        """The edits that let the session live to the end of a statement: the plainest first."""
        lines, following = self.lines, self.suite[self.index + 1 : last + 1]
        rows = range(lines.rows([self.statement]).stop, lines.rows(following).stop)
        if self.is_block:
            yield lines.deeper(rows, lines.step)
        elif isinstance(self.statement, cst.Try) and self.statement.finalbody is not None:
            first = lines.rows([self.statement.finalbody]).start
            clause = range(first, rows.start)
            yield [
                lines.delete(lines.with_blank(clause)),
                *lines.deeper(rows, lines.step),
                lines.insert(rows.stop, lines.copied(clause)),
            ]
        else:
            yield from self._close_behind(rows, following[-1])

    def _close_behind(self, rows: range, last: cst.CSTNode) -> Iterator[list[Edit]]:
        """The close after the last use; in a `finally` where something may leave before that."""
        lines, own = self.lines, self.lines.rows([self.statement])
        above = lines.rows([self.suite[self.index - 1]]).stop - 1 if self.index else own.start - 1
        gone = lines.with_comments(own, above)
        copied, indent = lines.copied(gone), lines.indent(own.start)
        blank = rows.start
        while not lines.text(blank).strip():
            blank += 1
        if not isinstance(last, cst.SimpleStatementLine) or not isinstance(last.body[-1], (cst.Return, cst.Raise)):
            cut = range(gone.start, blank if not lines.text(gone.start - 1).strip() else gone.stop)
            yield [lines.delete(cut), lines.insert(rows.stop, copied)]
        yield [
            Edit(lines.start(gone.start), lines.start(blank), f"{indent}try:{lines.newline(own.start)}"),
            *lines.deeper(range(blank, rows.stop), lines.step),
            lines.insert(rows.stop, [f"{indent}finally:", *(lines.step + text for text in copied)]),
        ]


def _closing(root: cst.CSTNode, statement: cst.CSTNode, name: str) -> cst.Try | None:
    """The `try` that does nothing but close in its `finally`: no handler takes what its body raises."""
    tried = (part for part in walk(root) if isinstance(part, cst.Try) and part.orelse is None and not part.handlers)
    for part in tried:
        clause = only_closes(part, name)
        if clause is not None and clause.body.body[0] is statement:
            return part
    return None


def _method(types: Types, node: cst.CSTNode, scope: Scope) -> str | None:
    """The method of a session that a node calls."""
    callee = types.infer(node.func, scope) if isinstance(node, cst.Call) else None
    return callee.name if isinstance(callee, MethodType) and isinstance(callee.owner, SessionType) else None


def _commits(statement: cst.CSTNode) -> bool:
    names = (part.attr.value for part in walk(statement) if isinstance(part, cst.Attribute))
    return any(name in ("commit", "rollback", "expire", "expire_all") for name in names)
